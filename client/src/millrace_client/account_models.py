"""What the server answers about organizations, their members and new tokens. ``role``: ``viewer``, ``member`` or ``admin``."""

from datetime import datetime

from pydantic import Field

from millrace_client.models import Resource


class NewToken(Resource):
    """A token that was just made for a program. ``token`` is shown this once."""

    id: str
    name: str = ""
    role: str
    expiry: datetime
    token: str = Field(repr=False)


class Member(Resource):
    """A user in the organization. ``current``: whether this client's token is from a login of that user."""

    username: str
    role: str
    current: bool = False


class Organization(Resource):
    """The token's organization. ``uuid`` is its code. What requests for keys are signed with is shown to admins alone."""

    name: str
    uuid: str
    role: str | None = None
    drm_aes_signing_iv: str | None = Field(None, repr=False)
    drm_aes_signing_key: str | None = Field(None, repr=False)
