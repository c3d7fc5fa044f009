"""Organizations and their storage. Every function is a flow; :mod:`millrace_client` has them as methods of the client."""

from millrace_client import json_text
from millrace_client.account_models import Organization, Storage, StorageTest
from millrace_client.core import Core, page_of
from millrace_client.listing import PAGE_SIZE
from millrace_client.steps import Feed, Flow, Show

STORAGE = "storage"


def organizations(core: Core) -> Feed[Organization]:
    """The organizations of whoever asks: of a token, its own one."""
    page = 1
    while True:
        url = f"{core.settings.api_url}/api/v1/organizations/?page={page}&page_size={PAGE_SIZE}"
        found = yield from core.call(core.request("GET", url), page_of(Organization))
        for organization in found.results:
            yield Show(organization)
        if not found.more:
            return
        page += 1


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
