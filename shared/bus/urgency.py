"""How urgent a piece of work is among those of its organization: by its job's priority, then by how much its job has left.

What is left counts in lanes, each four times as wide as the one before, so that a clip goes before a film, and films that are
about equally long do not overtake each other with every part.
"""

from math import log
from typing import Annotated, NamedTuple

from pydantic import BaseModel, ConfigDict, Field, ValidationError

LANE_FACTOR = 4
"""The longest of a lane has as many times as much left as the shortest."""

_RANKS = {"high": 0, "normal": 1, "low": 2}

_Amount = Annotated[float, Field(ge=0, allow_inf_nan=False)]


class Urgency(NamedTuple):
    """Smaller goes first.

    Attributes:
        rank: of the job's priority.
        lane: of what the job has left.
    """

    rank: int
    lane: int


USUAL = Urgency(_RANKS["normal"], 0)
"""Of work that says nothing about it: all of it is equal."""


class _Said(BaseModel):
    """The members of an event that it follows from, where it has them."""

    model_config = ConfigDict(frozen=True)
    priority: str | None = None
    left: _Amount | None = None
    work: _Amount | None = None


def urgency_of(data: bytes) -> Urgency:
    """The urgency of the work that an event stands for, read from its JSON.

    An event of version 0.1 says at most how large the part itself is; so much is left at least.
    """
    try:
        said = _Said.model_validate_json(data)
    except ValidationError:
        # Whoever works on it finds out what is wrong with it.
        return USUAL
    rank = _RANKS.get(said.priority or "", USUAL.rank)
    return Urgency(rank, int(log(max(said.left or said.work or 1.0, 1.0), LANE_FACTOR)))
