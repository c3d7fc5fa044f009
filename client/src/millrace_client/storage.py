"""The organization's storage. Every function is a flow; :mod:`millrace_client` has them as methods of ``client.storage``."""

from millrace_client import json_text
from millrace_client.core import Core
from millrace_client.models import Model, Resource
from millrace_client.steps import Flow

STORAGE = "storage"


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


def get(core: Core) -> Flow[Storage]:
    """The organization's storage, without its secret."""
    return (yield from core.call(core.request("GET", core.address(STORAGE)), Storage.from_json))


def replace(core: Core, url: str) -> Flow[Storage]:
    """Set the storage whose credentials stand in where a job has none.

    Args:
        url: ``s3://bucket/?access_key=…&secret_key=…&region=…&endpoint=…``.

    Raises:
        InvalidRequest: ``fields`` says what is wrong. Forbidden: that is for admins of the organization.
    """
    request = core.request("PUT", core.address(STORAGE), {"url": json_text.write(url)})
    return (yield from core.call(request, Storage.from_json))


def test(core: Core) -> Flow[StorageTest]:
    """Have the server write, read and remove an object in the storage.

    Raises:
        Conflict: none is set.
    """
    return (yield from core.call(core.request("POST", core.address(STORAGE, "test")), StorageTest.from_json))
