"""What the server answers of organizations, their tokens and their storage, as frozen models."""

from datetime import datetime

from pydantic import Field

from millrace_client.models import Model, Resource


class Organization(Resource):
    """An organization that the token, or its user, may work in. ``uuid`` is its code; ``role`` is None on older servers."""

    name: str
    uuid: str
    role: str | None = None


class NewToken(Resource):
    """A token for a program, which is shown this once."""

    id: str
    name: str = ""
    role: str | None = None
    expiry: datetime
    token: str = Field(repr=False)


class Storage(Resource):
    """The storage that supplies credentials where a job has none; without its secret.

    Attributes:
        location: ``s3://bucket/prefix/``; None where none is set, as with all others.
    """

    configured: bool
    location: str | None = None
    region: str | None = None
    endpoint: str | None = None
    access_key: str | None = None


class StorageStep(Model):
    """One thing that was tried with the storage. ``message`` says what went wrong, and what to do."""

    name: str
    ok: bool
    message: str | None = None


class StorageTest(Resource):
    """What became of a trial: an object was written, read and removed again."""

    ok: bool
    steps: tuple[StorageStep, ...] = ()
