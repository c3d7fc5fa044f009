"""Files joined byte by byte: formats with one header for all of them do not go on in the next one. Pure."""

from fractions import Fraction

from services.fetcher.probe.boxes import BoxLayout
from services.fetcher.probe.packets import DISCARD, KEY, NO_TIME, VideoPackets
from services.fetcher.probe.timeline import DISCONTINUOUS
from shared.errors import PermanentError
from shared.media.result import JobWarning

_BACK_SECONDS = 1
_ADVICE = "Join them with a video program, not byte by byte."


def first_alone(boxes: BoxLayout | None, seconds: float | None) -> tuple[JobWarning, ...]:
    """A warning where ISO base media holds other whole files after the first one, which nobody reads.

    Args:
        seconds: length of the first one, None where it does not say.
    """
    if boxes is None or boxes.files < 2 or boxes.fragmented:
        return ()
    length = f" ({seconds:.1f} s)" if seconds else ""
    message = (
        f"The source is {boxes.files} files joined byte by byte; only the first one{length} was transcoded. {_ADVICE}"
    )
    return (JobWarning(code="source_joined", message=message),)


def refuse_restart(packets: VideoPackets, demuxer: str, time_base: Fraction, boxes: BoxLayout | None) -> None:
    """Refuse time stamps that begin again in a format whose clock does not: pictures of two files would be mixed.

    Raises:
        PermanentError: ``input_damaged``.
    """
    if demuxer in DISCONTINUOUS:
        return
    # Pictures that are shown before those they need go back as well, but no key frame does so by as much. In fragments that
    # are read by the header of another file, nothing is marked rightly.
    marked, hidden = (KEY, DISCARD) if boxes is None or boxes.files < 2 else (0, 0)
    back, latest = _BACK_SECONDS / time_base, NO_TIME
    for tick, flags in zip(packets.pts, packets.flags, strict=True):
        if tick == NO_TIME or flags & hidden:
            continue
        if flags & marked == marked and latest != NO_TIME and latest - tick > back:
            seconds = float((latest - min(pts for pts in packets.pts if pts != NO_TIME)) * time_base)
            what = f"The time stamps of the input begin again after {seconds:.1f} s, as in files joined byte by byte."
            detail = f"times go back by {float((latest - tick) * time_base):.1f} s"
            raise PermanentError("input_damaged", detail, cause=what, remedy=_ADVICE)
        latest = max(latest, tick)
