"""What a part reads of its source. Pure."""

from shared.media.plan import VideoPart
from shared.media.source import Source
from shared.workspace.space import SourceRead

# Programs read on where the next bytes they want are nearer than this, instead of jumping.
_NEAR = 128 * 1024
# Where more of the source is read than this, having all of it costs hardly more, and serves the next part as well.
_MOST = 0.5


def source_read(source: Source, part: VideoPart | None) -> SourceRead:
    """What is read for a part of the video; None for one that reads all of the source."""
    whole = SourceRead(source.file, source.bytes)
    if part is None or part.span is None or source.head is None or source.tail is None:
        return whole
    begin, end = part.span
    begin = source.head if begin <= source.head + _NEAR else begin
    end = source.tail if end >= source.tail - _NEAR else end
    common = [span for span in ((0, source.head), (source.tail, source.bytes)) if span[0] < span[1]]
    own = [(begin, end)] if begin < end else []
    if sum(last - first for first, last in common + own) > _MOST * source.bytes:
        return whole
    return SourceRead(source.file, source.bytes, tuple(own), tuple(common))
