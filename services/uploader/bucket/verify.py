"""Is it really there? What lies in the bucket, against what was uploaded."""

import asyncio
from collections import defaultdict
from collections.abc import Iterable, Mapping

from services.uploader.bucket.bucket import Bucket
from shared.errors import PermanentError
from shared.parallel import in_parallel

# An object that a listing lacks is asked for itself before it counts as lost; and again, because some storages take a
# moment. There is no more than that to try: its file has left the work space.
RECHECK_SECONDS = (0.0, 1.0, 3.0)


async def verify_sizes(bucket: Bucket, expected: Mapping[str, int], *, parallel: int) -> None:
    """Check that every object is there and has its size (bytes, by path).

    Raises:
        PermanentError: ``output_lost``, or that the credentials let nobody look.
    """
    wrong = await _not_listed(bucket, expected, parallel=parallel)
    for delay in RECHECK_SECONDS:
        if not wrong:
            return
        await asyncio.sleep(delay)
        sizes = await in_parallel(wrong, bucket.size, limit=parallel)
        wrong = [path for path, size in zip(wrong, sizes, strict=True) if size != expected[path]]
    if wrong:
        raise PermanentError(
            "output_lost", f"{len(wrong)} of {len(expected)} objects are missing or cut short: {_some(wrong)}"
        )


async def verify_contents(bucket: Bucket, expected: Mapping[str, bytes], *, parallel: int) -> None:
    """Check that every object reads as it was written.

    Raises:
        PermanentError: ``output_lost``, or that the credentials may not read.
    """
    wrong = list(expected)
    for delay in RECHECK_SECONDS:
        await asyncio.sleep(delay)
        bodies = await in_parallel(wrong, bucket.read, limit=parallel)
        wrong = [path for path, body in zip(wrong, bodies, strict=True) if body != expected[path]]
        if not wrong:
            return
    raise PermanentError("output_lost", f"{len(wrong)} objects do not read as they were written: {_some(wrong)}")


async def _not_listed(bucket: Bucket, expected: Mapping[str, int], *, parallel: int) -> list[str]:
    """The objects that a listing does not show with their size; all of a folder that cannot be listed."""

    async def differing(folder: str) -> list[str]:
        found = await bucket.sizes(folder) or {}
        return await asyncio.to_thread(_differing, folders[folder], found, expected)

    # Folder by folder: the prefix above them may be full of other things. In threads: a film has a hundred thousand objects.
    folders = await asyncio.to_thread(_by_folder, expected)
    return [path for paths in await in_parallel(folders, differing, limit=parallel) for path in paths]


def _by_folder(paths: Iterable[str]) -> dict[str, list[str]]:
    folders: dict[str, list[str]] = defaultdict(list)
    for path in paths:
        folders[path.rpartition("/")[0]].append(path)
    return folders


def _differing(paths: Iterable[str], found: Mapping[str, int], expected: Mapping[str, int]) -> list[str]:
    return [path for path in paths if found.get(path) != expected[path]]


def _some(paths: list[str]) -> str:
    return ", ".join(paths[:5]) + (", …" if len(paths) > 5 else "")
