"""Reading and writing of ISO base media files."""

import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.mp4.bmff import MalformedMedia, boxes, find, read_movie, timescale_of, write_fragment
from tests.support.boxes import box, full, init_segment


@given(
    samples=st.lists(st.tuples(st.binary(max_size=40), st.integers(0, 2**31 - 1)), min_size=1, max_size=30),
    duration=st.integers(1, 2**32 - 1),
    decode_time=st.integers(0, 2**64 - 1),
    sequence=st.integers(1, 2**32 - 1),
    video=st.booleans(),
)
def test_what_is_written_is_read_back(
    samples: list[tuple[bytes, int]], duration: int, decode_time: int, sequence: int, *, video: bool
) -> None:
    data, offsets = [sample for sample, _ in samples], [offset for _, offset in samples] if video else None
    written = write_fragment(data, duration=duration, decode_time=decode_time, sequence=sequence, offsets=offsets)
    file = init_segment() + written
    [fragment] = read_movie(file).fragments
    assert fragment.decode_time == decode_time
    assert fragment.durations == (duration,) * len(samples)
    assert fragment.duration == duration * len(samples)
    assert fragment.sizes == tuple(len(sample) for sample in data)
    assert fragment.offsets == tuple(offsets or [0] * len(samples))
    assert fragment.sync
    assert file[fragment.data : fragment.data + sum(fragment.sizes)] == b"".join(data)
    assert (fragment.start, fragment.end) == (len(init_segment()), len(file))
    head = find(written, b"moof", b"mfhd")
    assert struct.unpack_from(">I", written, head.body + 4) == (sequence,)


def test_only_the_first_sample_of_a_gop_is_a_sync_sample_and_every_one_of_sound() -> None:
    video = write_fragment([b"a", b"b"], duration=1, decode_time=0, sequence=1, offsets=[2, 3])
    sound = write_fragment([b"a", b"b"], duration=1024, decode_time=0, sequence=1)
    others = {
        name: struct.unpack_from(">I", data, find(data, b"moof", b"traf", b"tfhd").body + 12)[0]
        for name, data in (("video", video), ("sound", sound))
    }
    assert others == {"video": 0x01010000, "sound": 0x02000000}
    run = find(video, b"moof", b"traf", b"trun")
    assert struct.unpack_from(">II", video, run.body + 8) == (find(video, b"mdat").body, 0x02000000)


def fragment(
    flags: int, values: bytes, *, head: bytes = b"", head_flags: int = 0x20000, time: bytes | None = None
) -> bytes:
    """A fragment of two samples of three bytes, its run with these flags and values."""

    def made(offset: int) -> bytes:
        run = full(b"trun", 1, flags, struct.pack(">I", 2), struct.pack(">i", offset) if flags & 1 else b"", values)
        decode_time = time or full(b"tfdt", 1, 0, struct.pack(">Q", 5000))
        track = box(b"traf", full(b"tfhd", 0, head_flags, struct.pack(">I", 1), head), decode_time, run)
        return box(b"moof", full(b"mfhd", 0, 0, struct.pack(">I", 1)), track)

    return made(len(made(0)) + 8) + box(b"mdat", b"onetwo")


def test_defaults_come_from_the_fragment_then_from_the_track() -> None:
    sizes_only = fragment(0x201, struct.pack(">II", 3, 3))
    [first] = read_movie(init_segment(default_duration=1000) + sizes_only).fragments
    assert (first.durations, first.sizes, first.offsets, first.decode_time) == ((1000, 1000), (3, 3), (0, 0), 5000)
    own = fragment(0x201, struct.pack(">II", 3, 3), head=struct.pack(">III", 512, 7, 0x10000), head_flags=0x20038)
    [second] = read_movie(init_segment(default_duration=1000) + own).fragments
    assert second.durations == (512, 512)
    assert not second.sync


def test_composition_offsets_may_be_negative() -> None:
    data = init_segment() + fragment(0xF01, struct.pack(">IIIiIIIi", 512, 3, 0x2000000, 1024, 512, 3, 0x10000, -512))
    [found] = read_movie(data).fragments
    assert found.offsets == (1024, -512)
    assert found.sync


def test_the_version_of_the_writer_is_left_out_of_the_header() -> None:
    plain, marked = init_segment(), init_segment(extra=box(b"udta", box(b"meta", b"ffmpeg 9.0")))
    assert read_movie(marked).init_segment == read_movie(plain).init_segment == plain


def test_timescale() -> None:
    assert timescale_of(init_segment(timescale=30_000)) == 30_000
    assert read_movie(init_segment(timescale=24_000)).timescale == 24_000


def test_large_and_open_ended_boxes() -> None:
    large = struct.pack(">I4sQ", 1, b"mdat", 20) + b"1234"
    rest = struct.pack(">I4s", 0, b"free") + b"56"
    assert [(item.kind, item.body, item.end) for item in boxes(large + rest)] == [(b"mdat", 16, 20), (b"free", 28, 30)]


@pytest.mark.parametrize(
    "data",
    [
        b"\0\0\0",
        struct.pack(">I4s", 4, b"moov"),
        struct.pack(">I4s", 100, b"moov"),
        struct.pack(">I4sQ", 1, b"moov", 3),
    ],
)
def test_boxes_that_do_not_fit_are_refused(data: bytes) -> None:
    with pytest.raises(MalformedMedia):
        list(boxes(data))


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (b"", "no ftyp box"),
        (box(b"ftyp"), "no moov box"),
        (
            init_segment() + fragment(0x201, struct.pack(">II", 3, 3), head=bytes(8), head_flags=0x1),
            "absolute data offsets",
        ),
        (init_segment() + fragment(0x201, struct.pack(">II", 3, 3), time=full(b"tfdt", 0, 0, bytes(4))), "32 bits"),
    ],
)
def test_what_we_did_not_make_is_refused(data: bytes, reason: str) -> None:
    with pytest.raises(MalformedMedia, match=reason):
        read_movie(data)
