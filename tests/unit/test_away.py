"""What was handed back: when it is given way to, and what can be called back."""

from shared.bus.away import Away
from shared.bus.work import Work

CLIP, FILM = Work("a", "jobs.a.clip.x", 1), Work("a", "jobs.a.film.x", 2)


class Clock:
    """A clock that the test moves."""

    now = 0.0

    def __call__(self) -> float:
        return self.now


def test_what_is_away_for_long_can_be_called_back() -> None:
    clock = Clock()
    away = Away(clock)
    away.put_off(CLIP, 20, reply="clip")
    away.put_off(FILM, 20)
    assert away.callable == [], "not in the moment in which it was handed back"
    clock.now = 1
    assert away.callable == [CLIP], "the other one has no address"
    assert away.due == []
    assert away.call_back(CLIP) == "clip"
    assert (away.due, away.callable) == ([CLIP], [])


def test_what_comes_soon_is_not_called() -> None:
    clock = Clock()
    away = Away(clock)
    away.put_off(CLIP, 20, reply="clip")
    clock.now = 19.5
    assert away.callable == []


def test_what_was_called_and_does_not_come_is_not_waited_for() -> None:
    clock = Clock()
    away = Away(clock)
    away.put_off(CLIP, 20, reply="clip")
    clock.now = 1
    away.call_back(CLIP)
    clock.now = 4
    assert away.due == []
