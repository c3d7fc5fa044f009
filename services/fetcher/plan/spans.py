"""Which bytes of a source each part of the video reads, so that no worker needs to have all of a film. Pure."""

from array import array
from bisect import bisect_right
from fractions import Fraction

from services.fetcher.probe.places import Places
from shared.media.plan import Plan, VideoPart
from shared.media.source import Source

# How many packets after a part's last frame are read before ffmpeg has seen that it is the last: those that wait between
# demuxer and decoder, in each thread of the decoder, and in the filters. With sixteen threads, which are the most that ffmpeg
# takes, 20 were too few and 50 enough.
_RUN_OUT_PACKETS = 100
# Of Matroska whole clusters are read; those that mkvmerge and ffmpeg write are five seconds long at the most.
_LEAD_IN_SECONDS = {"matroska": 6}


def with_spans(plan: Plan, source: Source, places: Places) -> tuple[Plan, Source]:
    """Plan and source with the bytes that are read of the source; unchanged where that cannot be told.

    A span is only a hint: whoever has no more than that gets an error where more is read, and takes the whole source.
    """
    if not source.cuttable or not places.known or not places.pts or len(plan.video) < 2:
        return plan, source
    table = _Table(places, source.video.time_base, _LEAD_IN_SECONDS.get(source.demuxer, 0))
    parts = tuple(part.model_copy(update={"span": table.span(plan, part)}) for part in plan.video)
    known = source.model_copy(update={"head": places.head, "tail": places.tail})
    return plan.model_copy(update={"video": parts}), known


class _Table:
    """Finds packets by time."""

    def __init__(self, places: Places, time_base: Fraction, lead_in_seconds: int) -> None:
        self._places = places
        self._time_base = time_base
        self._lead_in = lead_in_seconds / time_base
        order = sorted(range(len(places.pts)), key=places.pts.__getitem__)
        self._times = array("q", (places.pts[number] for number in order))
        # Up to each time, the last packet in the order of reading: what is shown earlier may be read later.
        self._last, last = array("q"), 0
        for number in order:
            last = max(last, number)
            self._last.append(last)
        self._number = {places.pts[number]: number for number in order}

    def span(self, plan: Plan, part: VideoPart) -> tuple[int, int] | None:
        """From the key frame at which its decoding begins to some packets after its last frame."""
        first = 0 if part.seek is None else self._number.get(round(part.seek / self._time_base))
        if first is None:
            return None
        end = plan.origin_pts + (part.first_frame + part.frames + 1) / (plan.frame_rate * self._time_base)
        last = self._last[max(bisect_right(self._times, end) - 1, 0)]
        packets = slice(self._before(first), max(first, last) + 1 + _RUN_OUT_PACKETS)
        return min(self._places.begin[packets]), max(self._places.end[packets])

    def _before(self, number: int) -> int:
        """The packet at which reading begins, to get to this one."""
        earliest = self._places.pts[number] - self._lead_in
        while number and self._places.pts[number] > earliest:
            number -= 1
        return number
