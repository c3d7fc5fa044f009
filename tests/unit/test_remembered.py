"""What was found is remembered, for so long and of so many."""

from shared.remembered import Remembered


class Finder:
    """Counts how often it has to look."""

    def __init__(self, *, seconds: float = 60.0, most: int = 2) -> None:
        self.looked: list[str] = []
        self.remembered = Remembered(self._find, seconds=seconds, most=most)

    async def _find(self, key: str) -> str:
        self.looked.append(key)
        return key.upper()

    async def found(self, keys: str) -> str:
        return "".join([await self.remembered.of(key) for key in keys])


async def test_it_is_found_once() -> None:
    finder = Finder()
    assert await finder.found("abab") == "ABAB"
    assert finder.looked == ["a", "b"]


async def test_it_is_found_again_when_its_time_is_over() -> None:
    finder = Finder(seconds=0)
    assert await finder.found("aa") == "AA"
    assert finder.looked == ["a", "a"]


async def test_of_too_many_the_one_found_first_is_forgotten() -> None:
    finder = Finder(most=2)
    await finder.found("abcbca")
    assert finder.looked == ["a", "b", "c", "a"]
