"""A retry has of the job that it runs again what is still valid: parts by the same recipe, of which every byte is there."""

import asyncio
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

import structlog
from pydantic import ValidationError

from shared.encryption.objects import size_in_bucket
from shared.events import Fetched
from shared.listing import Listed, list_folder
from shared.locations import S3Location
from shared.media.result import PartRecord
from shared.s3_clients import S3Clients
from shared.storage import STORAGE_ERRORS, output_error
from shared.workspace.retries import InheritedPart
from shared.workspace.space import WorkSpace

_PAGE_SECONDS = 60.0
_ANSWER_SECONDS = 20.0
_ATTEMPTS = 3


@dataclass(frozen=True)
class _Candidate:
    """A part by the job's recipe.

    Attributes:
        objects: bytes in the bucket of what goes there with it, by path.
        uploaded: entity tags of those that were uploaded. missing: paths of those that are not in the work space.
        tiles: paths of its tiles that were kept elsewhere, by number.
    """

    part: InheritedPart
    objects: Mapping[str, int]
    uploaded: Mapping[str, str]
    missing: frozenset[str]
    tiles: Mapping[int, str]


class Inherit:
    """Goes through what retries have inherited, and offers the transcoder what can be used.

    Nothing is believed: a part counts if it has the job's recipe, and each of its files lies in the work space with its size, or
    is an object in the bucket with its size and the entity tag that the storage gave it then.

    """

    def __init__(self, space: WorkSpace, clients: S3Clients) -> None:
        self._space = space
        self._clients = clients

    async def __call__(self, fetched: Fetched, parts: Iterable[InheritedPart], output: S3Location) -> None:
        """Offer what can be used, and remove the rest. Called again, it goes on where it was.

        Args:
            parts: all that were inherited.
            output: of this job; that of the one before is the same.

        Raises:
            PermanentError, Outage: an ``output_…`` code.
        """
        org, job = fetched.org, fetched.job
        candidates = await asyncio.to_thread(_candidates, fetched, parts)
        if candidates:
            found = await self._listed(output, {path for one in candidates for path in one.uploaded})
            offers = [(one, there) for one in candidates if (there := _in_bucket(one, found)).keys() >= one.missing]
            for one, there in offers:
                await self._space.offer(org, job, one.part, uploaded=there, tiles=one.tiles)
            refused = len(candidates) - len(offers)
            await structlog.get_logger().ainfo("parts inherited", parts=len(offers), refused=refused)
        await self._space.close_inheritance(org, job)

    async def _listed(self, output: S3Location, paths: Iterable[str]) -> dict[str, Listed]:
        """What lies in the folders of these paths in the bucket; nothing of those that cannot be listed."""
        folders = {path.rpartition("/")[0] for path in paths}
        found: dict[str, Listed] = {}
        if not folders:
            return found
        try:
            async with self._clients.of(output, read_timeout=_ANSWER_SECONDS, attempts=_ATTEMPTS) as client:
                for folder in sorted(folders):
                    found |= await list_folder(client, output, folder, seconds=_PAGE_SECONDS) or {}
        except STORAGE_ERRORS as error:
            raise output_error(error, output) from error
        return found


def _candidates(fetched: Fetched, parts: Iterable[InheritedPart]) -> list[_Candidate]:
    """The parts by the job's recipe whose tiles are there, one of each name."""
    found: dict[str, _Candidate] = {}
    wanted = set(fetched.plan.release_order) if fetched.recipe else set()
    for part in parts:
        if part.name in wanted and part.name not in found:
            candidate = _candidate(part, fetched)
            if candidate:
                found[part.name] = candidate
    return list(found.values())


def _candidate(part: InheritedPart, fetched: Fetched) -> _Candidate | None:
    try:
        record = PartRecord.model_validate_json(part.record)
    except ValidationError:
        return None
    if record.recipe != fetched.recipe:
        return None
    elsewhere = [still for still in record.stills if still.kind == "tile" and part.files.get(still.path) != still.size]
    if any(part.tiles.get(tile.number) != tile.size for tile in elsewhere):
        return None
    objects = record.objects
    return _Candidate(
        part,
        {path: size_in_bucket(path, size, fetched.protection) for path, size in objects.items()},
        uploaded={path: tag for path, tag in part.uploaded.items() if tag and path in objects},
        missing=frozenset(path for path, size in objects.items() if part.files.get(path) != size),
        tiles={tile.number: tile.path for tile in elsewhere},
    )


def _in_bucket(one: _Candidate, found: Mapping[str, Listed]) -> dict[str, str]:
    """What of a part is in the bucket as it was uploaded: entity tags by path."""
    return {path: tag for path, tag in one.uploaded.items() if found.get(path) == Listed(one.objects[path], tag)}
