"""What the checker reads out of bytes: against hand-made ones, and against what is read by the code that writes them."""

import struct
from contextlib import suppress
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from checker.boxes import MalformedMedia, boxes_of
from checker.captions import captions_of_sei, channels_of
from checker.cues import Cue, read_webvtt
from checker.initialization import read_initialization
from checker.jpeg import jpeg_size
from checker.manifest import NotAManifest, parse_manifest, seconds_of
from checker.playlist import NotAPlaylist, attribute_list, parse_media, parse_multivariant, resolver
from checker.segments import read_segment
from checker.sps import parse_sps
from shared.mp4 import bmff
from shared.mp4.captions import Channels, read_captions
from shared.mp4.cmaf import segment_type
from shared.mp4.edits import preroll_group, with_edit, with_preroll
from shared.mp4.initialization import codecs_of, parameter_sets
from tests.support import boxes
from tests.support.captioned import sei
from tests.support.written import Picture, sps, write_presentation

VIDEO = read_initialization(boxes.init_segment(boxes.video_entry(boxes.avc_config([sps(Picture())], [boxes.PPS]))))
AUDIO = read_initialization(boxes.init_segment(boxes.audio_entry(), timescale=48_000))


def test_parameter_set() -> None:
    found = parse_sps(sps(Picture(width=854, height=480, aspect=14)))
    assert (found.width, found.height, found.profile, found.level, found.aspect) == (854, 480, 100, 30, Fraction(4, 3))
    assert found.frame_rate == Fraction(25)
    assert found.colour == (1, 1, 1)
    assert found.full_range is False
    with pytest.raises(ValueError, match="cut short"):
        parse_sps(sps(Picture())[:8])


def test_initialization_segments_say_the_same_to_both() -> None:
    for entry in (
        boxes.video_entry(boxes.avc_config([sps(Picture())], [boxes.PPS])),
        boxes.audio_entry(),
        boxes.audio_entry(bytes((5 << 3 | 1, 0x90, 0x48))),
    ):
        data = boxes.init_segment(entry, timescale=12_345, default_duration=77)
        found = read_initialization(data)
        assert found.codecs == codecs_of(data)
        assert found.timescale == bmff.timescale_of(data) == 12_345
        assert found.defaults.duration == 77
        if found.parameter_sets:
            assert [parse_sps(unit) for unit in parameter_sets(data)[0]] == list(found.parameter_sets)


def test_codecs_hold_for_all_parameter_sets() -> None:
    first, second = sps(Picture(level=30)), sps(Picture(level=40))
    config = boxes.avc_config([first, second], [boxes.PPS])
    found = read_initialization(boxes.init_segment(boxes.video_entry(config)))
    assert (found.codecs, found.configured) == ("avc1.640028", "avc1.64001e")


@pytest.mark.parametrize(
    ("specific", "codecs", "rate", "channels"),
    [
        ("1190", "mp4a.40.2", 48_000, 2),
        ("1208", "mp4a.40.2", 44_100, 1),
        ("11b0", "mp4a.40.2", 48_000, 6),
        ("2b1188", "mp4a.40.5", 48_000, 2),
        ("1780bb8010", "mp4a.40.2", 96_000, 2),
        ("1180", "mp4a.40.2", 48_000, 0),
    ],
)
def test_audio_configuration(specific: str, codecs: str, rate: int, channels: int) -> None:
    found = read_initialization(boxes.init_segment(boxes.audio_entry(bytes.fromhex(specific)))).audio
    assert found and (found.codecs, found.sample_rate, found.channels) == (codecs, rate, channels)


def test_edit_lists() -> None:
    data = boxes.init_segment(boxes.audio_entry(), timescale=25_000)
    assert read_initialization(data).edit == 0
    assert read_initialization(with_edit(data, 2000)).edit == Fraction(2000, 25_000)


def test_groups_of_samples_that_need_others_before() -> None:
    data = with_preroll(boxes.init_segment(boxes.audio_entry(), timescale=48_000), 1)
    assert read_initialization(data).preroll == 1
    assert read_initialization(data.replace(b"roll", b"prol")).preroll is None
    for group, rolling in ((preroll_group(2), True), (preroll_group(1), False), (b"", False)):
        made = bmff.write_fragment([b"a", b"b"], duration=1024, decode_time=0, sequence=1, groups=group)
        assert read_segment(made, AUDIO).rolling is rolling


@pytest.mark.parametrize(
    "entry", [b"", boxes.box(b"avc1", bytes(78)), boxes.box(b"mp4a", bytes(28)), boxes.audio_entry(b"")]
)
def test_what_is_no_initialization_segment(entry: bytes) -> None:
    right = boxes.init_segment()
    with pytest.raises(MalformedMedia):
        read_initialization(boxes.init_segment(entry) if entry else right.replace(b"stsd", b"free"))


@given(st.binary(max_size=200), st.integers(0, 700))
def test_no_bytes_are_a_problem(data: bytes, place: int) -> None:
    right = boxes.init_segment(boxes.audio_entry())
    for bad in (data, right[:place] + data, right[:place] + data + right[place + len(data) :]):
        for read in (
            lambda bad=bad: read_initialization(bad),
            lambda bad=bad: read_segment(bad, VIDEO),
            lambda bad=bad: list(boxes_of(memoryview(bad))),
            lambda bad=bad: parse_media(b"#EXTM3U\n" + bad, "a.m3u8"),
            lambda bad=bad: parse_multivariant(b"#EXTM3U\n#EXT-X-STREAM-INF:" + bad, "a.m3u8"),
            lambda bad=bad: parse_manifest(bad, "a.mpd"),
            lambda bad=bad: read_webvtt(b"WEBVTT\n\n" + bad),
            lambda bad=bad: jpeg_size(b"\xff\xd8" + bad),
        ):
            with suppress(MalformedMedia, NotAPlaylist, NotAManifest):
                read()


def unit(size: int, kind: int) -> bytes:
    return struct.pack(">IB", size - 4, kind).ljust(size, b"x")


@given(
    samples=st.lists(st.tuples(st.integers(5, 60), st.integers(0, 3)), min_size=1, max_size=12),
    duration=st.integers(1, 100_000),
    decode_time=st.integers(0, 2**40),
    raw=st.booleans(),
)
def test_segments_say_the_same_to_both(
    samples: list[tuple[int, int]], duration: int, decode_time: int, raw: bool
) -> None:
    frames = [unit(size, 1 if number else 5) for number, (size, _) in enumerate(samples)]
    offsets = [duration * offset for _, offset in samples]
    if raw:
        fragment = boxes.raw_fragment(frames, decode_time=decode_time, duration=duration, offsets=offsets)
    else:
        fragment = bmff.write_fragment(frames, decode_time=decode_time, duration=duration, offsets=offsets, sequence=1)
    data = segment_type(last=False) + fragment
    found = read_segment(data, VIDEO)
    [theirs] = bmff.read_movie(boxes.init_segment() + data).fragments
    assert (found.size, found.start, found.duration) == (len(data), theirs.decode_time, theirs.duration)
    assert found.shown == min(decode_time + number * duration + one for number, one in enumerate(theirs.offsets))
    assert found.frame == duration
    [key] = found.keys
    start = len(boxes.init_segment())
    assert (key.time, key.offset) == (decode_time, theirs.start - start)
    assert key.offset + key.length == theirs.data - start + theirs.sizes[0]


def faulty(old: bytes, new: bytes) -> bytes:
    data = bmff.write_fragment([unit(40, 5), unit(50, 1)], decode_time=7, duration=3, offsets=[0, 0], sequence=1)
    assert data.count(old) == 1
    return data.replace(old, new)


@pytest.mark.parametrize(
    ("old", "new"),
    [
        (struct.pack(">II", 40, 0), struct.pack(">II", 41, 0)),
        (struct.pack(">II", 50, 0), struct.pack(">II", 49, 0)),
        (struct.pack(">I", 36) + b"\x05", struct.pack(">I", 37) + b"\x05"),
        (b"trun", b"free"),
        (b"tfdt", b"free"),
        (b"mdat", b"free"),
        (struct.pack(">II4s", 3, 0x01010000, b"\0\0\0\x14"), struct.pack(">II4s", 0, 0x01010000, b"\0\0\0\x14")),
    ],
)
def test_a_segment_that_does_not_fit_together(old: bytes, new: bytes) -> None:
    read_segment(faulty(b"mdat", b"mdat"), VIDEO)
    with pytest.raises(MalformedMedia):
        read_segment(faulty(old, new), VIDEO)


BYTE_PAIRS = st.tuples(
    st.integers(0, 1),
    st.sampled_from([0x14, 0x15, 0x1C, 0x11, 0x12, 0x01, 0x41, 0]),
    st.sampled_from([0x20, 0x2A, 0x2F, 0x37, 0x7F, 0]),
)
ANY_PAIRS = st.tuples(st.integers(0, 3), st.integers(0, 255), st.integers(0, 255))


@given(st.lists(st.lists(BYTE_PAIRS | ANY_PAIRS, max_size=31), max_size=6))
def test_captions_say_the_same_to_both(pictures: list[list[tuple[int, int, int]]]) -> None:
    theirs, ours = Channels(), list[tuple[int, int, int]]()
    for triplets in pictures:
        written = sei(triplets)
        theirs.feed(read_captions(len(written).to_bytes(4) + written + unit(9, 5)))
        ours += captions_of_sei(written)
    assert channels_of(ours) == theirs.found


def test_the_end_of_a_caption_ends_text_mode() -> None:
    assert channels_of([(0, 0x14, 0x2A), (0, 0x41, 0x41)]) == ()
    assert channels_of([(0, 0x14, 0x2A), (0, 0x14, 0x2F), (0, 0x41, 0x41)]) == ("CC1",)


def test_attributes_are_seen_as_they_are_written() -> None:
    assert attribute_list('A=1,B="x,y",A=2') == ([("A", "1"), ("B", '"x,y"'), ("A", "2")], "")
    assert attribute_list("A=1, B=2") == ([("A", "1")], " B=2")
    assert attribute_list('A="1')[1] == 'A="1'
    assert attribute_list("A=1,")[1] == "A=1,"


def test_extinf_is_exact_and_addresses_are_resolved() -> None:
    text = b"#EXTM3U\r\n#EXTINF:6.00600,\r\na.m4s\r\n#EXTINF:1,\r\n../b%20c.m4s?x=1\r\n#EXTINF:0.5,\r\n//h/d\r\n"
    found = parse_media(text, "https://example.com/one/two.m3u8?key=/1")
    assert (found.timescale, found.durations) == (100_000, [600_600, 100_000, 50_000])
    assert found.uris == ["https://example.com/one/a.m4s", "https://example.com/b%20c.m4s?x=1", "https://h/d"]
    assert resolver("one/two.m3u8")("three.m4s") == "one/three.m4s"
    for bad in (b"#EXTINF:six,\na\n", b"#EXTINF:6,\n#EXT-X-BYTERANGE:a\nb\n", b"a\n", b"#EXTINF:\xff,\na\n"):
        with pytest.raises(NotAPlaylist):
            parse_media(b"#EXTM3U\n" + bad, "a")
    with pytest.raises(NotAPlaylist):
        parse_media(b"\xef\xbb\xbf#EXTM3U\n", "a")


MPD = '<MPD xmlns="urn:mpeg:dash:schema:mpd:2011"><Period><AdaptationSet contentType="video">{}</AdaptationSet></Period></MPD>'


def test_templates() -> None:
    template = """<SegmentTemplate timescale="10" media="$$/$RepresentationID$/$Bandwidth$%/$Time$-$Number%03d$.m4s"
        startNumber="7" initialization="$RepresentationID$.mp4"><SegmentTimeline><S t="5" d="2" r="1"/><S d="3"/>
        </SegmentTimeline></SegmentTemplate><Representation id="a%d" bandwidth="9"><BaseURL>base/</BaseURL></Representation>"""
    found = parse_manifest(MPD.format(template).encode(), "https://example.com/x/y.mpd")
    [(_, one)] = found.of("video")
    assert one.address("initialization") == "https://example.com/x/base/a%d.mp4"
    folder = "https://example.com/x/base/$/a%d/9%/"
    assert list(one.segments()) == [
        (f"{folder}5-007.m4s", 5, 2), (f"{folder}7-008.m4s", 7, 2), (f"{folder}9-009.m4s", 9, 3),
    ]  # fmt: skip


@pytest.mark.parametrize(
    "text",
    [
        '<!DOCTYPE MPD [<!ENTITY a "aaaaaaaaaa">]>' + MPD.format("&a;"),
        '<!DOCTYPE MPD SYSTEM "file:///etc/passwd">' + MPD.format(""),
        MPD.format("")[:-1],
        MPD.format("").replace("2011", "2012"),
        MPD.format('<SegmentTemplate timescale="0"/>'),
        MPD.format('<SegmentTemplate><SegmentTimeline><S t="0" d="1" r="-1"/></SegmentTimeline></SegmentTemplate>'),
        MPD.format("<SegmentTemplate><SegmentTimeline><S/></SegmentTimeline></SegmentTemplate>"),
        '<?xml version="1.0" encoding="nothing"?>' + MPD.format(""),
    ],
)
def test_what_is_no_manifest(text: str) -> None:
    with pytest.raises(NotAManifest):
        parse_manifest(text.encode(), "a.mpd")


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("PT16S", "16"),
        ("PT1H2M3.5S", "3723.5"),
        ("P1DT1S", "86401"),
        ("PT", None),
        ("P", None),
        ("16", None),
        (None, None),
    ],
)
def test_durations(text: str | None, seconds: str | None) -> None:
    assert seconds_of(text) == (None if seconds is None else Fraction(seconds))


def test_webvtt() -> None:
    found = read_webvtt(
        b"\xef\xbb\xbfWEBVTT\r\nX-TIMESTAMP-MAP=LOCAL:00:00:01.000,MPEGTS:180000\r\n\r\nNOTE 00:01.000 --> 00:02.000\r\n\r\n"
        b"name\r\n00:01.000 --> 01:00:02.500 align:start\r\none\r\ntwo\r\n"
    )
    assert found.signed and found.shift == 1
    assert found.cues == (Cue(1000, 3_602_500, "one\ntwo"),)
    assert not read_webvtt(b"WEBVTTX").signed


def test_the_size_of_a_picture() -> None:
    assert jpeg_size(write_presentation().files["sprite/sprite_image.jpg"]) == (96, 36)
    assert jpeg_size(b"\x89PNG") is None
    assert jpeg_size(b"\xff\xd8\xff\xd9") is None
