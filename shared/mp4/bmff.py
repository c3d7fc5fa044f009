"""ISO base media files (ISO/IEC 14496-12): just enough reading and writing to assemble CMAF tracks out of parts.

The transcoder has ffmpeg write one fragmented file for each track of a part, with times from zero. Here those files are
cut into segments whose times are absolute, so that independently made parts join without a seam.
"""

import struct
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field

# tfhd flags
_BASE_DATA_OFFSET, _DESCRIPTION, _DURATION, _SIZE, _FLAGS = 0x1, 0x2, 0x8, 0x10, 0x20
# trun flags
_DATA_OFFSET, _FIRST_FLAGS, _SAMPLE_DURATION, _SAMPLE_SIZE, _SAMPLE_FLAGS, _SAMPLE_CTS = (
    0x1,
    0x4,
    0x100,
    0x200,
    0x400,
    0x800,
)
_DEFAULT_BASE_IS_MOOF = 0x20000
# sample flags: depends on no other; or depends on others and is no sync sample
_SYNC_SAMPLE, _OTHER_SAMPLE = 0x02000000, 0x01010000
TRACK_ID = 1


class MalformedMedia(ValueError):
    """The file is not what we had made."""


@dataclass(frozen=True)
class Box:
    """A box: its type, where it starts, where its payload starts and where it ends (offsets into the data)."""

    kind: bytes
    start: int
    body: int
    end: int


@dataclass(frozen=True)
class Fragment:
    """A ``moof`` with its ``mdat``.

    Attributes:
        start, end: offsets in the file.
        decode_time: ticks. durations, sizes: ticks and bytes of each sample. offsets: cts − dts of each sample, in ticks.
        data: offset in the file of the first sample.
        sync: whether the first sample is a sync sample.
    """

    start: int
    end: int
    decode_time: int
    durations: tuple[int, ...]
    sizes: tuple[int, ...]
    offsets: tuple[int, ...]
    data: int
    sync: bool

    @property
    def duration(self) -> int:
        """Ticks of all samples."""
        return sum(self.durations)


@dataclass(frozen=True)
class Movie:
    """A fragmented file: its initialization segment (``ftyp`` and ``moov``), the track's timescale, and its fragments."""

    init_segment: bytes
    timescale: int
    fragments: tuple[Fragment, ...] = field(repr=False)


def boxes(data: bytes | memoryview, start: int = 0, end: int | None = None) -> Iterator[Box]:
    """The boxes between two offsets, not going into them.

    Raises:
        MalformedMedia: a box does not fit.
    """
    position, stop = start, len(data) if end is None else end
    while position < stop:
        if stop - position < 8:
            raise MalformedMedia("rest too short for a box")
        size, kind = struct.unpack_from(">I4s", data, position)
        body = position + 8
        if size == 1:
            (size,) = struct.unpack_from(">Q", data, body)
            body += 8
        elif size == 0:
            size = stop - position
        if size < body - position or position + size > stop:
            raise MalformedMedia(f"box {kind!r} of {size} bytes does not fit")
        yield Box(kind, position, body, position + size)
        position += size


def find(data: bytes | memoryview, *path: bytes, start: int = 0, end: int | None = None) -> Box:
    """The first box at a path such as ``moov``, ``trak``, ``mdia``.

    Raises:
        MalformedMedia: there is none.
    """
    box = next((box for box in boxes(data, start, end) if box.kind == path[0]), None)
    if box is None:
        raise MalformedMedia(f"no {path[0].decode('latin-1')} box")
    return find(data, *path[1:], start=box.body, end=box.end) if len(path) > 1 else box


def read_movie(data: bytes | memoryview) -> Movie:
    """Read a fragmented file of one track.

    Raises:
        MalformedMedia: it is not one.
    """
    file_type, movie = find(data, b"ftyp"), find(data, b"moov")
    track = _track_defaults(data, movie)
    fragments = tuple(fragment for _, fragment in _fragments(data, track))
    init_segment = bytes(data[file_type.start : file_type.end]) + _without(data, movie, {b"udta"})
    return Movie(init_segment, timescale_of(data, movie), fragments)


def read_fragments(segment: bytes | memoryview) -> Iterator[tuple[Box, Fragment]]:
    """The fragments of a segment that :func:`write_fragment` made, each with its ``traf``.

    Raises:
        MalformedMedia: they cannot be read.
    """
    return _fragments(segment, _TrackDefaults(0, 0, 0))


def timescale_of(data: bytes | memoryview, movie: Box | None = None) -> int:
    """Ticks per second of the (first) track."""
    movie = movie or find(data, b"moov")
    media_header = find(data, b"trak", b"mdia", b"mdhd", start=movie.body, end=movie.end)
    version = data[media_header.body]
    return int(struct.unpack_from(">I", data, media_header.body + (20 if version == 1 else 12))[0])


def write_fragment(
    samples: Sequence[bytes | memoryview],
    *,
    duration: int,
    decode_time: int,
    sequence: int,
    offsets: Sequence[int] | None = None,
    groups: bytes = b"",
    protection: Callable[[int], bytes] | None = None,
) -> bytes:
    """A fragment of samples that all last ``duration`` ticks.

    Args:
        groups: boxes that say which groups the samples are in (``sbgp``).
        protection: makes boxes that say which bytes of the samples are to be encrypted, given their own offset from the start
            of the ``moof``.
        offsets: cts − dts of each sample, not negative, for video: then only the first sample is a sync sample. Without
            them every sample is one, as in audio.
    """
    run_flags = _DATA_OFFSET | _SAMPLE_SIZE | (_FIRST_FLAGS | _SAMPLE_CTS if offsets is not None else 0)
    table = [len(sample) for sample in samples]
    if offsets is not None:
        table = [value for pair in zip(table, offsets, strict=True) for value in pair]
    head = struct.pack(
        ">IIII",
        _DEFAULT_BASE_IS_MOOF | _DURATION | _FLAGS,
        TRACK_ID,
        duration,
        _SYNC_SAMPLE if offsets is None else _OTHER_SAMPLE,
    )
    first_flags = struct.pack(">I", _SYNC_SAMPLE) if offsets is not None else b""
    run_size = 8 + 4 + 4 + 4 + len(first_flags) + 4 * len(table)
    traf_size = 8 + (8 + len(head)) + 20 + run_size + len(groups)
    protected = protection(8 + 16 + traf_size) if protection else b""
    traf_size += len(protected)
    moof_size = 8 + 16 + traf_size
    moof = struct.pack(">I4s", moof_size, b"moof") + struct.pack(">I4sII", 16, b"mfhd", 0, sequence)
    moof += struct.pack(">I4s", traf_size, b"traf") + struct.pack(">I4s", 8 + len(head), b"tfhd") + head
    moof += struct.pack(">I4sIQ", 20, b"tfdt", 1 << 24, decode_time)
    moof += struct.pack(">I4sIIi", run_size, b"trun", run_flags, len(samples), moof_size + 8) + first_flags
    moof += struct.pack(f">{len(table)}I", *table) + groups + protected
    payload = b"".join(samples)
    return moof + struct.pack(">I4s", 8 + len(payload), b"mdat") + payload


def with_box_replaced(data: bytes, path: Sequence[bytes], start: int, end: int, box: bytes) -> bytes:
    """The data with a box, or nothing, instead of what lies between two offsets, and the sizes of all boxes around set right.

    Args:
        path: types of the boxes around, from the outermost on.
    """
    out = bytearray(data)
    for depth in range(1, len(path) + 1):
        outer = find(data, *path[:depth])
        struct.pack_into(">I", out, outer.start, outer.end - outer.start + len(box) - (end - start))
    out[start:end] = box
    return bytes(out)


def sample_entry(data: bytes | memoryview) -> Box:
    """The first sample entry (``avc1``, ``mp4a`` …) of an initialization segment."""
    table = find(data, b"moov", b"trak", b"mdia", b"minf", b"stbl", b"stsd")
    return next(boxes(data, table.body + 8, table.end))


@dataclass(frozen=True)
class _TrackDefaults:
    duration: int
    size: int
    flags: int


def _track_defaults(data: bytes | memoryview, movie: Box) -> _TrackDefaults:
    extends = find(data, b"mvex", b"trex", start=movie.body, end=movie.end)
    _track, _description, duration, size, flags = struct.unpack_from(">IIIII", data, extends.body + 4)
    return _TrackDefaults(duration, size, flags)


def _fragments(data: bytes | memoryview, track: _TrackDefaults) -> Iterator[tuple[Box, Fragment]]:
    pending: Box | None = None
    for box in boxes(data):
        if box.kind == b"moof":
            pending = box
        elif box.kind == b"mdat" and pending is not None:
            traf = find(data, b"traf", start=pending.body, end=pending.end)
            yield traf, _fragment(data, pending, traf, box, track)
            pending = None


def _fragment(data: bytes | memoryview, moof: Box, traf: Box, mdat: Box, track: _TrackDefaults) -> Fragment:
    defaults = _fragment_defaults(data, find(data, b"tfhd", start=traf.body, end=traf.end), track)
    time = find(data, b"tfdt", start=traf.body, end=traf.end)
    if data[time.body] != 1:
        raise MalformedMedia("decode time of 32 bits")
    (decode_time,) = struct.unpack_from(">Q", data, time.body + 4)
    runs = [box for box in boxes(data, traf.body, traf.end) if box.kind == b"trun"]
    if len(runs) != 1:
        raise MalformedMedia(f"{len(runs)} runs in a fragment")
    offset, samples = _run(data, runs[0], defaults)
    return Fragment(
        start=moof.start,
        end=mdat.end,
        decode_time=decode_time,
        durations=tuple(sample[0] for sample in samples),
        sizes=tuple(sample[1] for sample in samples),
        offsets=tuple(sample[3] for sample in samples),
        data=moof.start + offset,
        sync=bool(samples) and not samples[0][2] & 0x10000,
    )


def _fragment_defaults(data: bytes | memoryview, head: Box, track: _TrackDefaults) -> _TrackDefaults:
    (flags,) = struct.unpack_from(">I", data, head.body)
    position = head.body + 8
    values = {}
    for flag, size in ((_BASE_DATA_OFFSET, 8), (_DESCRIPTION, 4), (_DURATION, 4), (_SIZE, 4), (_FLAGS, 4)):
        if flags & flag:
            values[flag] = int.from_bytes(data[position : position + size], "big")
            position += size
    if _BASE_DATA_OFFSET in values:
        raise MalformedMedia("absolute data offsets")
    return _TrackDefaults(
        values.get(_DURATION, track.duration), values.get(_SIZE, track.size), values.get(_FLAGS, track.flags)
    )


def _run(data: bytes | memoryview, run: Box, defaults: _TrackDefaults) -> tuple[int, list[tuple[int, int, int, int]]]:
    flags, count = struct.unpack_from(">II", data, run.body)
    position, offset, first_flags = run.body + 8, 0, None
    if flags & _DATA_OFFSET:
        (offset,) = struct.unpack_from(">i", data, position)
        position += 4
    if flags & _FIRST_FLAGS:
        (first_flags,) = struct.unpack_from(">I", data, position)
        position += 4
    samples = []
    for number in range(count):
        values = [defaults.duration, defaults.size, defaults.flags, 0]
        for index, (flag, form) in enumerate(
            ((_SAMPLE_DURATION, ">I"), (_SAMPLE_SIZE, ">I"), (_SAMPLE_FLAGS, ">I"), (_SAMPLE_CTS, ">i"))
        ):
            if flags & flag:
                (values[index],) = struct.unpack_from(form, data, position)
                position += 4
        if number == 0 and first_flags is not None:
            values[2] = first_flags
        samples.append((values[0], values[1], values[2], values[3]))
    return offset, samples


def _without(data: bytes | memoryview, movie: Box, kinds: set[bytes]) -> bytes:
    """A container without some of its children: ffmpeg puts its version into ``udta``, and segments must not differ by that."""
    body = b"".join(
        bytes(data[box.start : box.end]) for box in boxes(data, movie.body, movie.end) if box.kind not in kinds
    )
    return struct.pack(">I4s", 8 + len(body), movie.kind) + body
