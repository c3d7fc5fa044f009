"""What all transcoders together are doing, and how many parts of one job shall be with them at the same time.

A window is wide where slots are idle, so that a film may use a fleet of any size, and narrow where work of others waits, so that
no film lies before everybody else. It is decided anew whenever parts can be requested; nobody has to be told how large the fleet
is.
"""

from dataclasses import dataclass

from nats.aio.client import Client

from shared.bus.errors import bus_calls
from shared.bus.topology import TRANSCODER

LEAST = 2
"""Parts of a job that are under way however much waits: one that is encoded, and one beside it or being uploaded."""

_SLOTS_FOR_ONE_AHEAD = 8
_SECONDS = 5.0


@dataclass(frozen=True)
class Fleet:
    """What the transcoders are doing.

    Attributes:
        idle: slots that ask for work and have none.
        waiting: requested parts that no slot has taken yet, of all jobs.
        taken: parts that are being worked on, or were handed back for a moment.
    """

    idle: int
    waiting: int
    taken: int

    @property
    def room(self) -> int:
        """How many more parts the fleet has use for: one for each idle slot, and some more, which wait.

        Without those a slot that becomes free would be idle until the part is uploaded and the next one requested; about one
        slot in eight becomes free in that time.
        """
        ahead = 1 + (self.idle + self.taken) // _SLOTS_FOR_ONE_AHEAD
        return max(0, self.idle + ahead - self.waiting)


def window_for(fleet: Fleet, *, under_way: int, most: int) -> int:
    """How many parts of a job shall be requested and not yet uploaded: one at least.

    Args:
        under_way: how many are.
        most: how many may be.
    """
    return max(1, min(most, max(LEAST, under_way + fleet.room)))


class FleetView:
    """The fleet as the bus sees it."""

    def __init__(self, client: Client) -> None:
        self._js = client.jetstream(timeout=_SECONDS)

    @bus_calls()
    async def look(self) -> Fleet:
        """What the transcoders are doing now.

        Raises:
            BusUnavailable: the bus is in the way.
        """
        info = await self._js.consumer_info(TRANSCODER.stream, TRANSCODER.name)
        return Fleet(info.num_waiting or 0, info.num_pending or 0, info.num_ack_pending or 0)
