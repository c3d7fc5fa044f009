"""What a piece of work says for itself: its urgency among those of its organization, and what that weighs beside others.

Urgency is by the job's priority, then by how much the job has left.

What is left counts in lanes, each four times as wide as the one before, so that a clip goes before a film, and films that are
about equally long do not overtake each other with every part.
"""

from math import log
from typing import Annotated, NamedTuple

from pydantic import BaseModel, ConfigDict, Field, ValidationError

LANE_FACTOR = 4
"""The longest of a lane has as many times as much left as the shortest."""

_RANKS = {"high": 0, "normal": 1, "low": 2}

USUAL_WEIGHT = 1.0
"""Of an organization that was given no weight, and of work that says nothing about it."""

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
    weight: Annotated[float, Field(gt=0, allow_inf_nan=False)] = USUAL_WEIGHT


def urgency_and_weight(data: bytes) -> tuple[Urgency, float]:
    """The urgency of the work that an event stands for, and its organization's weight, read from its JSON.

    An event of version 0.1 says at most how large the part itself is; so much is left at least.
    """
    try:
        said = _Said.model_validate_json(data)
    except ValidationError:
        # Whoever works on it finds out what is wrong with it.
        return USUAL, USUAL_WEIGHT
    rank = _RANKS.get(said.priority or "", USUAL.rank)
    return Urgency(rank, int(log(max(said.left or said.work or 1.0, 1.0), LANE_FACTOR))), said.weight
