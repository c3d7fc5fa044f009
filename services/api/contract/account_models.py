"""Members of organizations, their tokens and passwords: what is asked and answered."""

import re
from datetime import datetime
from typing import Annotated
from uuid import UUID

from pydantic import Field

from services.api.contract.members import Omittable, Request, optional
from services.api.contract.models import TokenName
from services.api.contract.responses import Page, Response
from services.api.contract.roles import OrganizationRole
from shared.encryption.protection import Hex128

LEAST_PASSWORD = 12
"""Characters. NIST SP 800-63B asks for 15 where a password is all there is, and for 8 beside something else."""
_USERNAME = re.compile(r"[A-Za-z0-9@.+_-]+")
MOST_TOKEN_DAYS = 3650


NewPassword = Annotated[
    str, Field(min_length=LEAST_PASSWORD, max_length=1024, json_schema_extra={"format": "password"})
]
_ROLE = "`viewer` reads, `member` also creates, `admin` also sees to members, tokens, bus users and keys."


def is_username(text: str) -> bool:
    """Whether a new account may be called so: what goes into an address as it is, and into no other account's name."""
    return _USERNAME.fullmatch(text) is not None


class MemberRequest(Request):
    """Somebody who shall be in the organization."""

    username: str = Field(
        min_length=1,
        max_length=150,
        description="Of a new account: letters, digits and `@.+-_`. Of an account that is there already: its name.",
        examples=["ann"],
    )
    role: OrganizationRole = Field(description=_ROLE, examples=["member"])
    password: Omittable[NewPassword] = optional(
        "Of a new account, which is made with it. Left out, an account that is there already is let in.",
        examples=["correct horse battery staple"],
    )


class RoleRequest(Request):
    """What can be changed of a member."""

    role: OrganizationRole = Field(description=_ROLE, examples=["viewer"])


class PasswordRequest(Request):
    """A new password for oneself."""

    password: str = Field(
        min_length=1,
        max_length=1024,
        json_schema_extra={"format": "password"},
        description="The present one",
        examples=["<password>"],
    )
    new_password: NewPassword = Field(description="The one from now on", examples=["correct horse battery staple"])


class NewTokenRequest(Request):
    """A token for a program."""

    name: TokenName = Field("", description="A name by which people know it.", examples=["build server"])
    role: OrganizationRole = Field("member", description=_ROLE)
    days: Omittable[Annotated[float, Field(gt=0, le=MOST_TOKEN_DAYS)]] = optional(
        "How long it lives; when left out, as long as one from a login.", examples=[365]
    )


class NewToken(Response):
    """A token that was just made."""

    id: UUID
    name: str = Field(examples=["build server"])
    role: OrganizationRole = Field(examples=["member"])
    expiry: datetime = Field(description="When it stops working")
    token: str = Field(
        pattern="^[0-9a-f]{64}$", description="Send it as `Authorization: Token <token>`. It is shown this once."
    )


class Member(Response):
    """A user in the organization."""

    username: str = Field(examples=["ann"])
    role: OrganizationRole = Field(description="What the user may do there", examples=["member"])
    current: bool = Field(description="Whether this request is that user's")


class MemberPage(Page[Member]):
    """A page of members, by name."""


class Organization(Response):
    """An organization of whoever asks."""

    name: str = Field(examples=["Testpress"])
    uuid: str = Field(description="Its code, which stands in all paths", examples=["6dnpyx"])
    role: OrganizationRole = Field(description="What whoever asks may do there", examples=["admin"])
    drm_aes_signing_iv: Hex128 | None = Field(
        description="Initialization vector for signing requests; null for all but admins",
        examples=["f70bce4094fd4612abac60d9809c5b0c"],
    )
    drm_aes_signing_key: Annotated[str, Field(pattern="^[0-9a-f]{64}$")] | None = Field(
        description="AES-256 key for signing requests, made when it is first asked for; null for all but admins",
        examples=["1239d18e02b9e8ebf5ef131a9f564e729e0b95e6bb8a78ddb88cfe15d7904723"],
    )


class OrganizationPage(Page[Organization]):
    """The organizations of whoever asks, by name: of a token, its own one."""
