"""What browsers send to log in, and what they are told of their session."""

from datetime import datetime
from typing import Annotated, Any

from pydantic import Field

from services.api.contract.members import Omittable, Request, optional
from services.api.contract.responses import Response
from services.api.contract.roles import OrganizationRole


class SessionRequest(Request):
    """Who logs in: with both members, or with neither and a token in `Authorization`."""

    username: Omittable[Annotated[str, Field(min_length=1, max_length=150)]] = optional(
        "As it was made by an admin.", examples=["admin"]
    )
    password: Omittable[Annotated[str, Field(min_length=1, max_length=1024)]] = optional(
        "Of the user.", examples=["<password>"]
    )

    @classmethod
    def across_fields(cls, values: dict[str, Any]) -> dict[str, list[str]]:
        """Not one without the other."""
        given = values.keys() & {"username", "password"}
        return {name: ["This field is required."] for name in ("username", "password") if given and name not in given}


class OrganizationOfSession(Response):
    """An organization that a session may work in."""

    id: str = Field(description="Its code, which stands in all paths", examples=["a1b2c3"])
    name: str = Field(examples=["Testpress"])
    role: OrganizationRole = Field(description="What the user may do there", examples=["member"])


class BrowserSession(Response):
    """A browser session, which the cookie `millrace_session` stands for."""

    username: str | None = Field(
        description="Who has logged in; null for a token that belongs to no user", examples=["ann"]
    )
    operator: bool = Field(description="Whether this session may look after the server: `/api/v1/operator/…`")
    csrf_token: str = Field(
        pattern="^[0-9a-f]{64}$",
        description="Every request but `GET` has to carry it in the header `X-CSRF-Token`",
        examples=["5f" * 32],
    )
    expires: datetime = Field(description="When it ends without a further request")
    ends: datetime = Field(description="When it ends at the latest")
    organizations: list[OrganizationOfSession] = Field(description="Where it may work, by name")
