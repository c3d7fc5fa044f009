"""A retry has of the job that it runs again what is still valid: parts by the same recipe, of which every byte is there."""

import asyncio
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import structlog
from pydantic import ValidationError

from shared.addresses import AddressPolicy
from shared.events import Fetched
from shared.inheritance import RECORD, Inheritance
from shared.listing import Listed, list_folder
from shared.locations import S3Location
from shared.media.result import PartRecord
from shared.media.stills import Still
from shared.storage import STORAGE_ERRORS, output_error, s3_client
from shared.uploaded import read_uploaded, write_uploaded

_PAGE_SECONDS = 60.0
_ANSWER_SECONDS = 20.0
_ATTEMPTS = 3


@dataclass(frozen=True)
class _Candidate:
    """A finished part that may be used.

    Attributes:
        folder: of the part. tiles: its tiles that were kept elsewhere.
        uploaded: entity tags of the objects, by path, that were uploaded, and perhaps are not in the work space any more.
        missing: paths of those that are not.
    """

    folder: Path
    record: PartRecord
    tiles: tuple[tuple[Still, Path], ...]
    uploaded: dict[str, str]
    missing: frozenset[str]


class Inherit:
    """Goes through what retries have inherited, and offers the transcoder what can be used.

    Nothing is believed: a part counts if it has the job's recipe, and each of its files lies in the work space with its size, or
    is an object in the bucket with its size and the entity tag that the storage gave it then.

    Args:
        policy: where a storage may be.
    """

    def __init__(self, policy: AddressPolicy) -> None:
        self._policy = policy

    async def __call__(self, fetched: Fetched, inheritance: Inheritance, output: S3Location) -> None:
        """Offer what can be used, and remove the rest. Called again, it goes on where it was.

        Args:
            output: of this job; that of the one before is the same.

        Raises:
            PermanentError, Outage: an ``output_…`` code.
        """
        candidates = await asyncio.to_thread(_candidates, fetched, inheritance)
        if candidates:
            claimed = {path for candidate in candidates.values() for path in candidate.uploaded}
            found = await self._listed(output, claimed)
            offered = await asyncio.to_thread(_offer, inheritance, candidates.values(), found)
            await structlog.get_logger().ainfo(
                "parts inherited", parts=len(offered), refused=len(candidates) - len(offered)
            )
        await asyncio.to_thread(inheritance.close)

    async def _listed(self, output: S3Location, paths: Iterable[str]) -> dict[str, Listed]:
        """What lies in the folders of these paths in the bucket; nothing of those that cannot be listed."""
        folders = {path.rpartition("/")[0] for path in paths}
        found: dict[str, Listed] = {}
        if not folders:
            return found
        try:
            async with s3_client(
                output, policy=self._policy, read_timeout=_ANSWER_SECONDS, attempts=_ATTEMPTS
            ) as client:
                for folder in sorted(folders):
                    found |= await list_folder(client, output, folder, seconds=_PAGE_SECONDS) or {}
        except STORAGE_ERRORS as error:
            raise output_error(error, output) from error
        return found


def _candidates(fetched: Fetched, inheritance: Inheritance) -> dict[str, _Candidate]:
    """The finished parts by the job's recipe, by name."""
    found: dict[str, _Candidate] = {}
    wanted = set(fetched.plan.release_order) if fetched.recipe else set()
    for folder in inheritance.parts():
        if folder.name in wanted and folder.name not in found:
            candidate = _candidate(folder, fetched.recipe, inheritance)
            if candidate:
                found[folder.name] = candidate
    return found


def _candidate(folder: Path, recipe: str, inheritance: Inheritance) -> _Candidate | None:
    try:
        record = PartRecord.model_validate_json((folder / RECORD).read_text())
    except (OSError, ValidationError):
        return None
    if record.recipe != recipe:
        return None
    tiles = []
    for still in (still for still in record.stills if still.kind == "tile"):
        if not _has(folder / still.path, still.size):
            kept = inheritance.tile(still.number)
            if not (kept and _has(kept, still.size)):
                return None
            tiles.append((still, kept))
    objects, noted = record.objects, read_uploaded(folder)
    missing = frozenset(path for path, size in objects.items() if not _has(folder / path, size))
    return _Candidate(folder, record, tuple(tiles), {path: noted[path] for path in objects if noted.get(path)}, missing)


def _offer(inheritance: Inheritance, candidates: Iterable[_Candidate], found: dict[str, Listed]) -> list[str]:
    """Offer the parts of which everything is there; their names."""
    offered = []
    for candidate in candidates:
        objects, uploaded = candidate.record.objects, candidate.uploaded
        there = {path: tag for path, tag in uploaded.items() if found.get(path) == Listed(objects[path], tag)}
        if candidate.missing <= there.keys():
            try:
                write_uploaded(candidate.folder, there)
                for still, kept in candidate.tiles:
                    file = candidate.folder / still.path
                    file.parent.mkdir(parents=True, exist_ok=True)
                    kept.rename(file)
            except FileNotFoundError:
                # Another worker goes through the same, and was faster.
                continue
            inheritance.offer(candidate.folder)
            offered.append(candidate.folder.name)
    return offered


def _has(file: Path, size: int) -> bool:
    """Whether a file is there, with so many bytes."""
    try:
        return file.stat().st_size == size
    except OSError:
        return False
