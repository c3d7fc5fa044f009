"""What the uploader does with the objects of an encrypted part, where the storage could copy them by itself."""

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from services.uploader.upload import Upload
from shared.bus.joblog import Appended
from shared.encryption.keys import ContentKey
from shared.encryption.whole import encrypt_whole
from shared.events import Event, Fetched, PartUploaded, Recorded
from shared.locations import S3Location
from shared.media.plan import Plan
from shared.workspace.shared_folder import SharedFolder
from shared.workspace.space import MadePart
from shared.workspace.uploaded import read_uploaded
from tests.support.encoded import leave_part, make_fetched, make_plan, make_record, segment_body
from tests.support.encrypted import content_key, protection

ORG, JOB, PART = "org123", "5KQfnXCg8Qh", "v0000"
KEY = content_key()


class Bucket:
    """Takes down what is written and what is copied."""

    def __init__(self) -> None:
        self.written: dict[str, bytes] = {}
        self.copied: list[str] = []

    async def put(self, path: str, body: bytes) -> str:
        self.written[path] = body
        return f"tag of {len(body)} bytes"

    async def copy(self, path: str, _origin: S3Location, _size: int) -> str:
        self.copied.append(path)
        return "copied"

    @asynccontextmanager
    async def of(self, _org: str, _job: str) -> AsyncIterator["Bucket"]:
        """Of any job."""
        yield self


class Space(SharedFolder):
    """As if it were in the S3 of the customer."""

    def address(self, made: MadePart, path: str) -> S3Location:
        return S3Location(bucket="workspace", key=f"{made.part}/{path}")


class Log:
    """Of a job with one part."""

    def __init__(self, fetched: Fetched) -> None:
        self._fetched = fetched
        self.said: list[Event] = []

    async def end_of(self, _org: str, _job: str) -> None:
        return

    async def last(self, _subject: str) -> None:
        return

    async def fact(self, _org: str, _job: str, kind: type[Event]) -> Fetched | None:
        return self._fetched if kind is Fetched else None

    async def append(self, event: Event, **_options: object) -> Appended:
        self.said.append(event)
        return Appended(Recorded(1, event.model_copy(update={"uploaded": 1})), new=True)


class Vault:
    """Has the key of every job."""

    async def keys(self, _org: str, _job: str) -> tuple[ContentKey, ...]:
        return (KEY,)


async def nothing(*_arguments: object, **_options: object) -> None:
    """Instead of what follows a part."""


@pytest.fixture(scope="module")
def plan() -> Plan:
    return make_plan(frames=300, texts=("en",), stills=True)


async def test_segments_are_encrypted_and_only_the_rest_is_copied(tmp_path: Path, plan: Plan) -> None:
    bucket, told = Bucket(), protection("aes-128")
    space, log = Space(tmp_path.as_uri()), Log(make_fetched(ORG, JOB, plan, told))
    event = leave_part(space.folder, ORG, JOB, plan, PART)
    then: Mapping[str, Any] = dict.fromkeys(("release", "finish", "early"), nothing)
    given: Mapping[str, Any] = {"log": log, "vault": Vault(), "buckets": bucket}
    await Upload(space=space, parallel=2, **given, **then)(event)
    sizes = make_record(plan, PART).objects
    assert sorted(bucket.copied) == [path for path in sorted(sizes) if path.startswith("thumbnails/")]
    assert bucket.written.keys() == sizes.keys() - set(bucket.copied)
    for path, body in bucket.written.items():
        folder, _, name = path.partition("/")
        number = int(name.removeprefix("video_").removesuffix(".m4s"))
        assert body == encrypt_whole(segment_body(folder, number, sizes[path]), KEY)
    # A retry looks for the object that lies there, by its entity tag.
    noted = read_uploaded(space.folder.part(ORG, JOB, PART))
    assert all(noted[path] == f"tag of {len(body)} bytes" for path, body in bucket.written.items())
    [uploaded] = [one for one in log.said if isinstance(one, PartUploaded)]
    assert uploaded.bytes == sum(map(len, bucket.written.values())) + sum(sizes[path] for path in bucket.copied)
