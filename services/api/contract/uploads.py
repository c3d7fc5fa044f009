"""Uploads into an organization's storage: what clients send and get, what files are called there, and how they are cut."""

import re
import unicodedata
from typing import Annotated, Literal
from uuid import UUID

from pydantic import AfterValidator, Field
from pydantic_core import PydanticCustomError

from services.api.contract.members import Omittable, Request, optional
from services.api.contract.responses import Instant, Page, Response

MIB = 1024 * 1024
LEAST_PART, MOST_PART = 5 * MIB, 5 * 1024 * MIB
"""Bytes of a part: https://docs.aws.amazon.com/AmazonS3/latest/userguide/qfacts.html."""

MOST_IN_ONE_PIECE = 5 * 1024 * MIB
"""Bytes that one PUT may bring, from the same page."""

MOST_BYTES = 5 * 1024 * 1024 * MIB
"""Of an object, from the same page."""

MOST_PARTS = 1_024
"""Each has an address of its own in the answer. So many of the largest are the largest object."""

_USUAL_PART = 64 * MIB
_LONGEST_NAME = 100
_ODD = re.compile(r"[^A-Za-z0-9._-]+")
_TYPE = re.compile(r"[A-Za-z0-9!#$&^_.+-]{1,64}/[A-Za-z0-9!#$&^_.+-]{1,64}")

UploadState = Literal["open", "completed", "given_up", "removing"]


def clean_name(name: str) -> str:
    """A file's name as part of a key: of letters, digits, ``.``, ``_`` and ``-``, without folders. The suffix stays."""
    base = name.replace("\\", "/").rstrip("/").rpartition("/")[2]
    plain = unicodedata.normalize("NFKD", base).encode("ascii", "ignore").decode()
    stem, dot, suffix = _ODD.sub("-", plain).rpartition(".")
    if not dot:
        stem, suffix = suffix, ""
    ending = f".{suffix.strip('-')[:16]}" if suffix.strip("-") else ""
    return (stem.strip("-.")[: _LONGEST_NAME - len(ending)] or "upload") + ending


def part_size_of(size: int) -> int:
    """Into parts of how many bytes a file is cut."""
    wanted = -(-size // MOST_PARTS)
    return min(max(-(-wanted // MIB) * MIB, _USUAL_PART), MOST_PART)


def part_sizes(size: int, part_size: int) -> list[int]:
    """The bytes of each part; the last one has what is left."""
    whole, rest = divmod(size, part_size)
    return [part_size] * whole + ([rest] if rest else [])


def _content_type(value: str) -> str:
    if not _TYPE.fullmatch(value):
        raise PydanticCustomError("content_type", "Enter a media type, such as video/mp4, without parameters.")
    return value


def _filename(value: str) -> str:
    if "\0" in value:
        raise PydanticCustomError("filename", "Must not contain the character U+0000.")
    return value


class UploadRequest(Request):
    """A file that is to be uploaded."""

    filename: Annotated[str, Field(min_length=1, max_length=1024), AfterValidator(_filename)] = Field(
        description="What it is called. Its key ends in that, but for what is no letter, digit, `.`, `_` or `-`.",
        examples=["lesson 4.mp4"],
    )
    size: Annotated[int, Field(ge=1, le=MOST_BYTES)] = Field(
        description="Its bytes; neither more nor less can be sent", examples=[734_003_200]
    )
    content_type: Omittable[Annotated[str, AfterValidator(_content_type)]] = optional(
        "Its media type. The request that sends it then has to say the same.", examples=["video/mp4"]
    )
    part_size: Omittable[Annotated[int, Field(ge=LEAST_PART, le=MOST_PART)]] = optional(
        "Send it in parts of so many bytes, so that one that was broken off can be repeated alone. What is larger than 5 GiB "
        "comes in parts in any case.",
        examples=[64 * MIB],
    )

    @classmethod
    def across_fields(cls, values: dict[str, object]) -> dict[str, list[str]]:
        """Not too many parts."""
        size, part_size = values.get("size"), values.get("part_size")
        if not isinstance(size, int) or not isinstance(part_size, int) or part_size < LEAST_PART:
            return {}
        if -(-size // part_size) > MOST_PARTS:
            least = -(-size // MOST_PARTS)
            return {"part_size": [f"These would be more than {MOST_PARTS:,} parts. Use at least {least} bytes."]}
        return {}

    @property
    def cut_into(self) -> int | None:
        """Bytes of a part; None where it comes in one piece."""
        return self.part_size or (part_size_of(self.size) if self.size > MOST_IN_ONE_PIECE else None)


class Upload(Response):
    """A file that was, or is being, uploaded."""

    id: UUID
    filename: str = Field(examples=["lesson 4.mp4"])
    size: int = Field(description="Bytes", examples=[734_003_200])
    state: UploadState = Field(
        description="`open`: it is still to come, or nobody has said that it has. `completed`: all of it is there. `given_up` "
        "and `removing`: it is about to be removed"
    )
    input_url: str = Field(
        description="What a job takes as its `input_url`, without credentials",
        examples=["s3://example-bucket/uploads/b5hqJ2cO8kRZ0C0yV3o6Yw/lesson-4.mp4"],
    )
    created: Instant
    expires_at: Instant = Field(description="When its addresses stop working")
    removed_after: Instant | None = Field(
        description="When it is removed, if no job uses it until then; null if it stays"
    )


class UploadPart(Response):
    """A part of a file."""

    number: int = Field(description="Counts from 1")
    size: int = Field(description="Its bytes")
    url: str = Field(description="Where it is PUT to")


class NewUpload(Upload):
    """Where to send a file: to `url`, or its parts to those of `parts`, in any order; then POST to `complete_url`."""

    method: Literal["PUT"]
    headers: dict[str, str] = Field(
        description="To be sent with it, beside its `Content-Length`, which every client sends of itself",
        examples=[{"Content-Type": "video/mp4"}],
    )
    url: str | None = Field(description="Of a file that comes in one piece; null where it comes in parts")
    part_size: int | None = Field(description="Bytes of each part but the last; null where it comes in one piece")
    parts: list[UploadPart] | None = Field(description="null where it comes in one piece")
    complete_url: str = Field(
        description="POST there, without a body, when all parts were sent. For a file in one piece that can be left out"
    )


class UploadPage(Page[Upload]):
    """A page of uploads, newest first."""
