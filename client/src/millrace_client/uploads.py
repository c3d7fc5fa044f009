"""Files into the organization's storage. Flows; :mod:`millrace_client` has them as methods of ``client.uploads``."""

import mimetypes
import os
import re
from collections.abc import Callable
from datetime import datetime
from pathlib import Path

from pydantic import Field

from millrace_client import json_text
from millrace_client.backoff import RETRIED
from millrace_client.core import Core, Repeat, nothing
from millrace_client.errors import MillraceError, Unreachable, UploadFailed
from millrace_client.listing import each
from millrace_client.models import Model, Resource
from millrace_client.steps import Answer, Feed, Flow, Pause, Request, SendPiece, measure

UPLOADS = "uploads"
Progress = Callable[[int, int], None]
"""Called with the bytes that have gone out, and all of them; of what is sent again, the first number falls."""

_MOST_WORDS = 200
_TAG = re.compile(r"<[^>]*>")


class Upload(Resource):
    """A file in the storage, or on its way there. ``input_url`` is what a job takes.

    Attributes:
        state: ``open``, ``completed``, ``given_up`` or ``removing``.
        expires_at: when it cannot be sent any more. removed_after: when it is removed, if no job uses it then; None for never.
    """

    id: str
    filename: str
    size: int
    state: str
    input_url: str
    created: datetime
    expires_at: datetime
    removed_after: datetime | None = None


class UploadPart(Model):
    """A part of a file: it is PUT to ``url``."""

    number: int
    size: int
    url: str = Field(repr=False)


class NewUpload(Upload):
    """Where a file is to be sent to: to ``url``, or in parts to theirs."""

    method: str = "PUT"
    headers: dict[str, str] = Field(default_factory=dict)
    """To be sent with it."""
    url: str | None = Field(None, repr=False)
    part_size: int | None = None
    parts: tuple[UploadPart, ...] | None = None
    complete_url: str = ""


def upload(
    core: Core,
    file: str | os.PathLike[str],
    *,
    filename: str | None = None,
    content_type: str | None = None,
    part_size: int | None = None,
    progress: Progress | None = None,
) -> Flow[Upload]:
    """Send a file into the organization's storage; give its ``input_url`` to a job then. What breaks off is sent again.

    Args:
        filename: that of the file if left out. content_type: guessed by that if left out.
        part_size: bytes of each part; in one piece if left out, but for files beyond 5 GiB.
        progress: called with the bytes sent and all of them.

    Raises:
        InvalidRequest: the file is empty, or too large. NotSetUp: the organization has no storage.
        TooManyRequests: there are as many open uploads as there may be.
        UploadFailed, Unreachable: the storage does not take it. OSError: the file cannot be read.
    """
    path = Path(file)
    name = filename or path.name
    size = yield from measure(path)
    kind = content_type or mimetypes.guess_type(name)[0]
    begun = yield from begin(core, name, size, content_type=kind, part_size=part_size)
    try:
        yield from _send(core, begun, path, progress)
        return (yield from complete(core, begun))
    except MillraceError:
        yield from _forget(core, begun)
        raise


def begin(
    core: Core, filename: str, size: int, *, content_type: str | None = None, part_size: int | None = None
) -> Flow[NewUpload]:
    """Ask where a file is to be sent to, for whoever sends it on his own. Asked again where the answer is lost.

    Args:
        size: bytes.

    Raises: as :func:`upload`.
    """
    given = {"filename": filename, "size": size, "content_type": content_type, "part_size": part_size}
    request = core.request("POST", core.address(UPLOADS), json_text.texts(given))
    # One that was begun twice is given up by the server.
    return (yield from core.call(request, NewUpload.from_json))


def complete(core: Core, upload: Upload | str) -> Flow[Upload]:
    """Have the server verify that all of a file has come.

    Raises:
        NotFound: there is no such upload. Conflict: something is missing; it says what.
    """
    request = core.request("POST", core.address(UPLOADS, _id(upload), "complete"))
    return (yield from core.call(request, Upload.from_json))


def get(core: Core, upload: Upload | str) -> Flow[Upload]:
    """An upload.

    Raises:
        NotFound: there is none.
    """
    return (yield from core.call(core.request("GET", core.address(UPLOADS, _id(upload))), Upload.from_json))


def list_all(core: Core) -> Feed[Upload]:
    """All uploads that are not removed yet, newest first."""
    yield from each(core, Upload, (UPLOADS,), lambda found: found.id)


def give_up(core: Core, upload: Upload | str) -> Flow[None]:
    """Have a file removed.

    Raises:
        NotFound: there is no such upload. Conflict: a job is about to read it.
    """
    request = core.request("DELETE", core.address(UPLOADS, _id(upload)))
    yield from core.call(request, nothing, settled=(404,))


def _send(core: Core, begun: NewUpload, file: Path, progress: Progress | None) -> Flow[None]:
    def tell(before: int) -> Callable[[int], None]:
        return (lambda sent: progress(before + sent, begun.size)) if progress else lambda _: None

    if begun.parts is None:
        yield from _put(core, begun.url or "", begun.headers, file, 0, begun.size, tell(0))
        return
    begin = 0
    for part in begun.parts:
        yield from _put(core, part.url, begun.headers, file, begin, part.size, tell(begin))
        begin += part.size


def _put(
    core: Core, url: str, headers: dict[str, str], file: Path, begin: int, size: int, sent: Callable[[int], None]
) -> Flow[None]:
    step = SendPiece(Request("PUT", url, headers, own=False), file, begin, size, sent)
    failures = 0
    while True:
        failure: MillraceError
        try:
            answer: Answer = yield step
        except Unreachable as error:
            failure, again = error, True
        else:
            if answer.status < 300:
                return
            failure, again = UploadFailed(answer.status, _words(answer.text)), answer.status in (408, 429, *RETRIED)
        failures += 1
        pause = core.retries.pause(failures, None) if again else None
        if pause is None:
            raise failure
        yield Pause(pause)


def _forget(core: Core, begun: NewUpload) -> Flow[None]:
    """Give a file up that could not be sent, if that can be done; else the server does so in time."""
    try:
        request = core.request("DELETE", core.address(UPLOADS, begun.id))
        yield from core.call(request, nothing, repeat=Repeat.NEVER)
    except MillraceError:
        return


def _words(text: str) -> str:
    """What a storage says in its XML."""
    return " ".join(_TAG.sub(" ", text).split())[:_MOST_WORDS]


def _id(upload: Upload | str) -> str:
    return upload.id if isinstance(upload, Upload) else upload
