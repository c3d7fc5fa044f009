"""Tries to break out of the cage of this machine: ``python -m shared.cage [--inside]``.

Prints each attempt, how it ended in the cage, and, without ``--inside``, how outside of it. Ends with status 1 where something
was not as it should be.
"""

import asyncio
import sys
import tempfile
from pathlib import Path

from shared.cage import cage, landlock
from shared.cage.selftest import try_all
from shared.cage.trial import tried


async def main() -> int:
    """Try everything; the exit status."""
    found = await asyncio.to_thread(tried, cage.detect(), Path(tempfile.gettempdir()))
    cage.use(found)
    print(f"walls: {', '.join(sorted(found.walls)) or 'none'}; missing: {', '.join(sorted(found.missing)) or 'none'}")
    print(f"Landlock's version: {landlock.abi()}")
    wrong = 0
    async for outcome in try_all(outside="--inside" not in sys.argv):
        mark = "  " if outcome.as_it_should else "!!"
        wrong += not outcome.as_it_should
        print(
            f"{mark} {outcome.attempt.name:42} in the cage: {outcome.inside:10} outside: {outcome.outside:10} {outcome.said}"
        )
    print(f"{wrong} not as it should be")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(asyncio.run(main()))
