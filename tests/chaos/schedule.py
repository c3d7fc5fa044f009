"""The schedule of faults: which one hits what, when, and for how long. A function of its seed."""

import random
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import chain, islice, repeat
from typing import Literal

Kind = Literal[
    "SIGKILL", "SIGTERM", "SIGSTOP", "outage", "refused", "unavailable", "silent", "full", "again", "twice", "step"
]

SERVICES = ("api", "fetcher", "transcoder-1", "transcoder-2", "uploader", "notifier")
SECOND = ("api-2", "fetcher-2", "uploader-2", "notifier-2")
"""The second of every service that a stack has one of; of transcoders it has two."""
SERVERS = ("nats", "postgres", "s3")
CONSUMERS = ("fetcher", "transcoder", "uploader", "janitor", "notifier")
"""Of the log."""

_EVERYTHING = (*SERVICES, *SECOND, "ffmpeg", *SERVERS)
_VICTIMS: dict[Kind, Sequence[str]] = {
    "SIGKILL": _EVERYTHING,
    "SIGTERM": (*SERVICES, *SECOND, "ffmpeg"),
    # Continued after a while, often after its lease has gone to another.
    "SIGSTOP": _EVERYTHING,
    # Killed again as soon as it is started.
    "outage": SERVERS,
    # These three are what proxies and the receiver do with all calls for a while.
    "refused": ("source", "storage"),
    "unavailable": ("source", "storage", "receiver"),
    "silent": ("source", "storage"),
    # As if a download of others had reserved all the room that there is.
    "full": ("workspace",),
    # All messages of a consumer come again, of whichever job.
    "again": CONSUMERS,
    # Those that are being worked on are given to a second worker as well.
    "twice": (*CONSUMERS, "webhook-attempts"),
    # Set by an hour, and set right after a while.
    "step": ("clock",),
}
_LASTS: dict[Kind, tuple[float, float]] = {
    "SIGKILL": (0, 0),
    "SIGTERM": (0, 0),
    "SIGSTOP": (1, 9),
    "outage": (2, 8),
    "refused": (2, 10),
    "unavailable": (2, 10),
    "silent": (2, 10),
    "full": (2, 10),
    "again": (0, 0),
    "twice": (3, 10),
    "step": (2, 10),
}


@dataclass(frozen=True)
class Strike:
    """One fault.

    Attributes:
        at: seconds after the beginning. seconds: how long it lasts; 0 where it is over at once.
        victim: a program of the stack, a second service (``fetcher-2``), an encoder (``ffmpeg``), a server of the customer's,
            the work space, a consumer of the log, or the clock of the services' host.
    """

    at: float
    kind: Kind
    victim: str
    seconds: float = 0

    @property
    def name(self) -> str:
        """What and whom."""
        return f"{self.kind} {self.victim}"


def schedule(seed: int, seconds: float, pace: float) -> list[Strike]:
    """Strikes for so many seconds, in the order of time.

    Every fault comes once before any comes again, and every kind within the first dozens: kinds are dealt in turns.

    Args:
        pace: seconds from one strike to the next, on average.
    """
    dice = random.Random(seed)
    times = sorted(dice.uniform(0, seconds) for _ in range(max(1, round(seconds / pace))))
    faults = islice(chain.from_iterable(_deal(dice) for _ in repeat(None)), len(times))
    return [
        Strike(round(at, 2), kind, victim, round(dice.uniform(*_LASTS[kind]), 2))
        for at, (kind, victim) in zip(times, faults, strict=True)
    ]


def _deal(dice: random.Random) -> list[tuple[Kind, str]]:
    """All faults: those of each kind spread evenly over the whole, at places that chance decides."""
    placed: list[tuple[float, Kind, str]] = []
    for kind, victims in _VICTIMS.items():
        shuffled = dice.sample(victims, len(victims))
        placed += [((number + dice.random()) / len(shuffled), kind, victim) for number, victim in enumerate(shuffled)]
    return [(kind, victim) for _, kind, victim in sorted(placed)]
