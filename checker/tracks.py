"""Measures headers and segments: what is in the bytes, whatever the playlists say. Pure."""

import struct
from collections.abc import Iterator
from dataclasses import dataclass, field

from checker.sps import Sps, parse_sps
from shared.mp4.bmff import Box, MalformedMedia, boxes, find, sample_entry, timescale_of
from shared.mp4.captions import Triplet, read_captions
from shared.mp4.initialization import codecs_of, parameter_sets

_NOT_SYNC = 0x10000
_IDR = 5


@dataclass(frozen=True, kw_only=True)
class Header:
    """A header (``init.mp4``): codec and ticks per second.

    Attributes:
        format: type of the sample entry. codecs: RFC 6381 text. video: the parameter sets, of H.264 only.
        edit: ticks of the media that lie before the presentation.
        length_size: bytes of a NAL unit's length.
        defaults: duration, size and flags of a sample that says nothing itself.
    """

    format: str
    codecs: str
    timescale: int
    video: tuple[Sps, ...] = ()
    channels: int = 0
    sample_rate: int = 0
    edit: int = 0
    length_size: int = 4
    defaults: tuple[int, int, int] = (0, 0, 0)


@dataclass(frozen=True)
class Sample:
    """A frame: ticks, composition offset in ticks, place in the segment, and whether it is marked and coded as an IDR."""

    duration: int
    composition: int
    offset: int
    size: int
    sync: bool
    idr: bool


@dataclass(frozen=True)
class Fragment:
    """A ``moof``, at ``offset`` in the segment, and the samples of its run."""

    offset: int
    decode_time: int
    samples: tuple[Sample, ...] = field(repr=False)

    @property
    def duration(self) -> int:
        """Ticks."""
        return sum(sample.duration for sample in self.samples)


@dataclass(frozen=True)
class Segment:
    """A segment: bytes, first decode time and length in ticks, decode times of its key frames.

    ``fragments`` is empty where the segment itself was not read, and so is ``captions``, the closed captions in the order
    of showing.
    """

    size: int
    start: int
    duration: int
    keys: tuple[int, ...]
    fragments: tuple[Fragment, ...] = field(default=(), repr=False)
    captions: tuple[Triplet, ...] = field(default=(), repr=False)


def read_header(data: bytes) -> Header:
    """Read a header.

    Raises:
        MalformedMedia: it is none.
    """
    try:
        entry = sample_entry(data)
        extends = find(data, b"moov", b"mvex", b"trex")
        _track, _description, *defaults = struct.unpack_from(">IIIII", data, extends.body + 4)
        duration, size, flags = defaults
        common = Header(
            format=entry.kind.decode("latin-1"),
            codecs=_codecs(data, entry),
            timescale=timescale_of(data),
            edit=_edit(data),
            defaults=(duration, size, flags),
        )
        if not common.timescale:
            raise MalformedMedia("no timescale")
        if entry.kind == b"avc1":
            return _video_header(data, entry, common)
        if entry.kind != b"mp4a":
            return common
        channels, _bits, _, _, rate = struct.unpack_from(">HHHHI", data, entry.body + 16)
    except (struct.error, ValueError, IndexError) as error:
        raise MalformedMedia(str(error)) from error
    return Header(**{**common.__dict__, "channels": channels, "sample_rate": rate >> 16})


def read_segment(data: bytes, header: Header) -> Segment:
    """Read a segment.

    Raises:
        MalformedMedia: it has no fragment, or one that does not fit.
    """
    fragments: list[Fragment] = []
    try:
        for moof in boxes(data):
            if moof.kind == b"moof":
                fragments.append(_fragment(data, moof, header))
    except (struct.error, IndexError) as error:
        raise MalformedMedia(str(error)) from error
    if not fragments or not all(fragment.samples for fragment in fragments):
        raise MalformedMedia("segment without samples")
    keys = []
    for fragment in fragments:
        time = fragment.decode_time
        for sample in fragment.samples:
            if sample.idr:
                keys.append(time)
            time += sample.duration
    length = fragments[-1].decode_time + fragments[-1].duration - fragments[0].decode_time
    if length <= 0:
        raise MalformedMedia("segment without length")
    captions = tuple(_captions(data, fragments, header)) if header.video else ()
    return Segment(len(data), fragments[0].decode_time, length, tuple(keys), tuple(fragments), captions)


def _captions(data: bytes, fragments: list[Fragment], header: Header) -> Iterator[Triplet]:
    view = memoryview(data)
    for fragment in fragments:
        time, shown = fragment.decode_time, []
        for sample in fragment.samples:
            shown.append((time + sample.composition, sample.offset, sample.size))
            time += sample.duration
        for _, offset, size in sorted(shown):
            yield from read_captions(view[offset : offset + size], header.length_size)


def _codecs(data: bytes, entry: Box) -> str:
    """Of a codec that Millrace does not make, the name alone."""
    return codecs_of(data) if entry.kind in (b"avc1", b"mp4a") else entry.kind.decode("latin-1")


def _video_header(data: bytes, entry: Box, common: Header) -> Header:
    config = find(data, b"avcC", start=entry.body + 78, end=entry.end)
    sets = tuple(parse_sps(unit) for unit in parameter_sets(data)[0])
    if not sets:
        raise MalformedMedia("no parameter sets in the header")
    return Header(**{**common.__dict__, "video": sets, "length_size": (data[config.body + 4] & 3) + 1})


def _edit(data: bytes) -> int:
    try:
        box = find(data, b"moov", b"trak", b"edts", b"elst")
    except MalformedMedia:
        return 0
    wide = data[box.body] == 1
    (count,) = struct.unpack_from(">I", data, box.body + 4)
    step = 20 if wide else 12
    times = [
        struct.unpack_from(">q" if wide else ">i", data, box.body + 8 + number * step + (8 if wide else 4))[0]
        for number in range(count)
    ]
    return int(next((time for time in times if time >= 0), 0))


def _fragment(data: bytes, moof: Box, header: Header) -> Fragment:
    traf = find(data, b"traf", start=moof.body, end=moof.end)
    duration, size, flags = header.defaults
    head = find(data, b"tfhd", start=traf.body, end=traf.end)
    (told,) = struct.unpack_from(">I", data, head.body)
    values, position = {}, head.body + 8
    for flag, width in ((0x1, 8), (0x2, 4), (0x8, 4), (0x10, 4), (0x20, 4)):
        if told & flag:
            values[flag] = int.from_bytes(data[position : position + width], "big")
            position += width
    defaults = values.get(0x8, duration), values.get(0x10, size), values.get(0x20, flags)
    time = find(data, b"tfdt", start=traf.body, end=traf.end)
    (decode_time,) = struct.unpack_from(">Q" if data[time.body] == 1 else ">I", data, time.body + 4)
    samples: list[Sample] = []
    for run in boxes(data, traf.body, traf.end):
        if run.kind == b"trun":
            samples += _run(data, run, moof.start + values.get(0x1, 0), defaults, header)
    return Fragment(moof.start, decode_time, tuple(samples))


def _run(data: bytes, run: Box, base: int, defaults: tuple[int, int, int], header: Header) -> list[Sample]:
    flags, count = struct.unpack_from(">II", data, run.body)
    position, first_flags = run.body + 8, None
    if flags & 0x1:
        base += struct.unpack_from(">i", data, position)[0]
        position += 4
    if flags & 0x4:
        (first_flags,) = struct.unpack_from(">I", data, position)
        position += 4
    samples = []
    for number in range(count):
        values = [*defaults, 0]
        for index, flag in enumerate((0x100, 0x200, 0x400, 0x800)):
            if flags & flag:
                (values[index],) = struct.unpack_from(">i" if index == 3 else ">I", data, position)
                position += 4
        if number == 0 and first_flags is not None:
            values[2] = first_flags
        duration, size, sample_flags, composition = values
        if base + size > len(data):
            raise MalformedMedia("a sample lies outside of its segment")
        sync = not sample_flags & _NOT_SYNC
        # Only the first NAL units of a marked sample are looked at: an IDR picture is in one that says so.
        idr = sync and (not header.video or _has_idr(data, base, size, header.length_size))
        samples.append(Sample(duration, composition, base, size, sync, idr))
        base += size
    return samples


def _has_idr(data: bytes, start: int, size: int, length_size: int) -> bool:
    position, end = start, start + size
    while position + length_size < end:
        if data[position + length_size] & 0x1F == _IDR:
            return True
        position += length_size + int.from_bytes(data[position : position + length_size], "big")
    return False
