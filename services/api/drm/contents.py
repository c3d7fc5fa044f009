"""The sealed store: the keys of each content, made once."""

import json
import os
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime

import asyncpg
import structlog

from services.api.contract.errors import Unavailable
from services.api.contract.listing import Window
from services.api.database.pool import Database
from shared.encryption.keys import ContentKey
from shared.encryption.protection import Scheme, Tracks
from shared.sealing import SealBroken, Sealer

SHARED: tuple[Tracks, ...] = ("all",)
"""One key for sound and pictures."""

LOCKED = "The keys of this content cannot be opened with this server's sealing keys."

_COLUMNS = "select content_id, keys, scheme, created from drm_contents"
_ROW = f"{_COLUMNS} where org = $1 and content_id = $2"
_BY_KIDS = f"{_COLUMNS} where org = $1 and kids && $2"
_PAGE = f"{_COLUMNS} where org = $1 order by created, content_id limit $2 offset $3"
# Whoever says it first decides.
_CLAIM = """
    update drm_contents set scheme = coalesce(scheme, $3) where org = $1 and content_id = $2 returning scheme
"""


@dataclass(frozen=True)
class Content:
    """A content with its keys, in the order in which a track takes the first that is for it.

    Attributes:
        scheme: what they are for; None where nobody has said yet.
    """

    content_id: str
    keys: tuple[ContentKey, ...]
    created: datetime
    scheme: Scheme | None = None


@dataclass(frozen=True)
class LockedContent:
    """A content whose keys no sealing key opens."""

    content_id: str
    created: datetime
    scheme: Scheme | None = None


class Contents:
    """The contents of all organizations. What one organization calls a content means nothing to another."""

    def __init__(self, database: Database, sealer: Sealer) -> None:
        self._database = database
        self._sealer = sealer

    async def content_keys(
        self, org: str, content_id: str, tracks: Sequence[Tracks] = SHARED
    ) -> tuple[ContentKey, ...]:
        """The keys of a content, made now if it has none.

        Args:
            tracks: that keys are made for. A content that has keys keeps them, whatever they are for.

        Raises:
            Unavailable: they were sealed with a key that is gone.
        """
        if found := await self.read(org, content_id):
            return found.keys
        made = tuple(_new_key(one, content_id) for one in tracks)
        async with self._database.connection() as connection:
            # Whoever comes first decides, and all others take what he made.
            await connection.execute(
                "insert into drm_contents (org, content_id, keys, kids) values ($1, $2, $3, $4) on conflict do nothing",
                org,
                content_id,
                self._sealer.seal(_text(made), purpose(org, content_id)),
                [key.kid.hex() for key in made],
            )
        kept = await self.read(org, content_id)
        return kept.keys if kept else made

    async def claim(self, org: str, content_id: str, scheme: Scheme) -> Scheme:
        """Have the keys of a content be for a scheme, if they are for none yet; what they are for."""
        async with self._database.connection() as connection:
            kept: Scheme | None = await connection.fetchval(_CLAIM, org, content_id, scheme)
        return kept or scheme

    async def read(self, org: str, content_id: str) -> Content | None:
        """A content, None where the organization has none of that id.

        Raises:
            Unavailable: its keys were sealed with a key that is gone.
        """
        async with self._database.connection() as connection:
            row = await connection.fetchrow(_ROW, org, content_id)
        return self._opened(org, row) if row else None

    async def by_kids(self, org: str, kids: Collection[bytes]) -> list[Content]:
        """The contents of an organization that have keys of these ids.

        Raises:
            Unavailable: one was sealed with a key that is gone.
        """
        async with self._database.connection() as connection:
            rows = await connection.fetch(_BY_KIDS, org, [kid.hex() for kid in kids])
        return [self._opened(org, row) for row in rows]

    async def page(self, org: str, window: Window) -> tuple[int, list[Content | LockedContent]]:
        """How many contents an organization has, and a page of them, oldest first."""
        async with self._database.connection() as connection:
            count = await connection.fetchval("select count(*) from drm_contents where org = $1", org)
            rows = await connection.fetch(_PAGE, org, window.size, window.offset)
        return count, [self._opened_or_locked(org, row) for row in rows]

    def _opened(self, org: str, row: asyncpg.Record) -> Content:
        content = self._opened_or_locked(org, row)
        if isinstance(content, LockedContent):
            raise Unavailable(LOCKED)
        return content

    def _opened_or_locked(self, org: str, row: asyncpg.Record) -> Content | LockedContent:
        content_id = row["content_id"]
        try:
            text = self._sealer.open(row["keys"], purpose(org, content_id))
        except SealBroken as error:
            structlog.get_logger().error("content keys cannot be opened", content_id=content_id, error=str(error))
            return LockedContent(content_id, row["created"], row["scheme"])
        keys = tuple(ContentKey.from_json(item) for item in json.loads(text))
        return Content(content_id, keys, row["created"], row["scheme"])


def purpose(org: str, content_id: str) -> str:
    """What the keys of a content are sealed for."""
    return f"keys of {org} {content_id}"


def _new_key(tracks: Tracks, content_id: str) -> ContentKey:
    # Packagers that are given a single key take the content id for its id.
    kid = bytes.fromhex(content_id) if tracks == "all" else os.urandom(16)
    return ContentKey(tracks=tracks, kid=kid, iv=os.urandom(16), key=os.urandom(16))


def _text(keys: Sequence[ContentKey]) -> str:
    return json.dumps([key.to_json() for key in keys])
