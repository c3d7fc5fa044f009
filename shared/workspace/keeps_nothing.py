"""For a work space that keeps nothing of ended jobs: their retries begin anew."""

from collections.abc import Mapping

from shared.workspace.retries import InheritedPart, Kept


class KeepsNothing:
    """A :class:`shared.workspace.retries.RetrySpace` in which there is never anything, but for ``keep_job`` and ``make_room``."""

    async def kept(self) -> list[Kept]:
        """Nothing."""
        return []

    async def drop_kept(self, org: str, job: str) -> None:
        """There is nothing to remove."""

    async def take_over(self, org: str, before: str, job: str) -> None:
        """There is nothing to be had."""

    async def inherited(self, org: str, job: str) -> list[InheritedPart] | None:
        """Nothing."""
        return None

    async def offer(
        self, org: str, job: str, part: InheritedPart, *, uploaded: Mapping[str, str], tiles: Mapping[int, str]
    ) -> None:
        """Nobody has a part to offer."""

    async def close_inheritance(self, org: str, job: str) -> None:
        """There is none."""

    async def offered(self, org: str, job: str, part: str) -> str | None:
        """Nothing."""
        return None

    async def accept(self, org: str, job: str, part: str) -> str | None:
        """Nothing was offered."""
        return None

    async def refuse(self, org: str, job: str, part: str) -> None:
        """Nothing was offered."""
