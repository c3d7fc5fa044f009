"""Content keys of the server's own store, and addresses of them. Flows; :mod:`millrace_client` has them in ``client.keys``."""

from datetime import datetime

from pydantic import Field

from millrace_client import json_text
from millrace_client.core import Core
from millrace_client.listing import each
from millrace_client.models import Model, Resource
from millrace_client.steps import Feed, Flow

CONTENTS = "drm_contents"


class ContentKey(Model):
    """A key, all in hexadecimal. ``key`` and ``uri``, which FairPlay calls it, are None in lists.

    Attributes:
        tracks: what it is for; each track takes the first key that is for it. kid: its id. iv: the initialization vector.
    """

    tracks: str = "all"
    kid: str
    iv: str
    key: str | None = Field(None, repr=False)
    uri: str | None = None


class Content(Resource):
    """What was encrypted: its id is the ``drm_content_id`` of jobs.

    Attributes:
        scheme: ``cbcs`` or ``aes-128``, whichever its keys are for; None where no job has used them yet.
        problem: why the server cannot give its keys.
    """

    content_id: str
    created: datetime | None = None
    keys: tuple[ContentKey, ...] = ()
    scheme: str | None = None
    problem: str | None = None


class KeyAddress(Resource):
    """Where a player gets the AES-128 key of a content, until ``expires``."""

    url: str = Field(repr=False)
    expires: datetime


def list_all(core: Core) -> Feed[Content]:
    """All contents that have keys, without the keys themselves."""
    yield from each(core, Content, (CONTENTS,), lambda content: content.content_id)


def get(core: Core, content_id: str) -> Flow[Content]:
    """A content with its keys.

    Raises:
        NotFound: there is none. Forbidden: keys are for admins.
    """
    return (yield from core.call(core.request("GET", core.address(CONTENTS, content_id)), Content.from_json))


def sign_address(core: Core, content_id: str, *, seconds: int | None = None) -> Flow[KeyAddress]:
    """An address at which a player without a token gets the AES-128 key of a content.

    Args:
        seconds: that it works; as the server has it if left out.

    Raises:
        NotFound: there is no such content.
    """
    given = json_text.texts({"seconds": seconds})
    request = core.request("POST", core.address(CONTENTS, content_id, "aes_key_url"), given)
    return (yield from core.call(request, KeyAddress.from_json))
