"""Initialization segments: codec texts, and merging those of several parts."""

import pytest

from checker.initialization import read_initialization
from shared.media.codecs.aac import AAC
from shared.media.codecs.codec import InitSegmentConflict
from shared.media.codecs.h264 import H264
from shared.mp4.bmff import MalformedMedia, boxes
from shared.mp4.cmaf import cmaf_header
from shared.mp4.initialization import codecs_of, parameter_sets
from tests.support.boxes import PPS, SPS, audio_entry, avc_config, box, init_segment, video_entry
from tests.support.written import Picture, sps

# A sequence parameter set begins with profile, constraints and level; then comes its id as an Exp-Golomb number:
# bit 1 is the number 0, bits 010 the number 1. A picture parameter set begins with its id and that of its sequence.
SPS_ID_1 = bytes.fromhex("67640015") + bytes([0b01010110, 0xD9])
PPS_ID_1 = bytes([0x68, 0b01001011, 0xCB])


def segment(sequence: list[bytes], picture: list[bytes]) -> bytes:
    return init_segment(video_entry(avc_config(sequence, picture)))


def test_codecs() -> None:
    assert codecs_of(init_segment()) == "avc1.640015"
    assert codecs_of(init_segment(audio_entry())) == "mp4a.40.2"
    assert codecs_of(init_segment(audio_entry(bytes([5 << 3, 0])))) == "mp4a.40.5"
    with pytest.raises(MalformedMedia, match="codec b'hvc1'"):
        codecs_of(init_segment(box(b"hvc1", bytes(78))))


def test_parameter_sets_are_those_of_video() -> None:
    assert parameter_sets(init_segment()) == ([SPS], [PPS])
    with pytest.raises(MalformedMedia, match="no video, but aac"):
        parameter_sets(init_segment(audio_entry()))


def test_the_same_segment_stays_as_it_is() -> None:
    assert H264.merge_init_segments([init_segment()] * 3) == init_segment()
    assert AAC.merge_init_segments([init_segment(audio_entry())] * 2) == init_segment(audio_entry())


def test_parameter_sets_of_two_encoders_go_into_one_segment() -> None:
    first, second = segment([SPS], [PPS]), segment([SPS_ID_1], [PPS_ID_1])
    merged = H264.merge_init_segments([first, second, first])
    assert parameter_sets(merged) == ([SPS, SPS_ID_1], [PPS, PPS_ID_1])
    # Sizes of all boxes around were corrected.
    assert [item.kind for item in boxes(merged)] == [b"ftyp", b"moov"]
    assert merged == cmaf_header(segment([SPS, SPS_ID_1], [PPS, PPS_ID_1]))
    assert H264.merge_init_segments([merged, second]) == merged


def test_one_id_for_two_different_sets_is_a_conflict() -> None:
    with pytest.raises(InitSegmentConflict, match="id 0"):
        H264.merge_init_segments([segment([SPS], [PPS]), segment([SPS[:-1] + b"\x00"], [PPS])])


def test_other_differences_are_a_conflict() -> None:
    with pytest.raises(InitSegmentConflict, match="more than their parameter sets"):
        H264.merge_init_segments([init_segment(), init_segment(timescale=30_000)])
    with pytest.raises(InitSegmentConflict, match="mp4a"):
        AAC.merge_init_segments([init_segment(audio_entry()), init_segment(audio_entry(b"\x12\x10"))])
    main_profile = bytes.fromhex("674d4015") + SPS_ID_1[4:]
    with pytest.raises(InitSegmentConflict, match="more than their parameter sets"):
        H264.merge_init_segments([segment([SPS], [PPS]), segment([main_profile], [PPS_ID_1])])


def test_the_merged_segment_promises_what_holds_for_both() -> None:
    constrained, higher = bytes.fromhex("67640c15") + SPS[4:], bytes.fromhex("67640828") + SPS_ID_1[4:]
    merged = H264.merge_init_segments([segment([constrained], [PPS]), segment([higher], [PPS_ID_1])])
    assert codecs_of(merged) == "avc1.640828"


def test_a_part_that_was_made_before_headers_were_of_cmaf_goes_with_one_that_was_made_after() -> None:
    before, after = init_segment(), cmaf_header(init_segment())
    assert before != after and H264.merge_init_segments([before, after]) == after


def test_a_header_of_cmaf() -> None:
    picture = video_entry(avc_config([sps(Picture())], [PPS]))
    video, audio = bytearray(init_segment(picture)), bytearray(init_segment(audio_entry(), timescale=48_000))
    group = audio.index(b"tkhd") + 4 + 34
    audio[group : group + 2] = video[group : group + 2] = b"\0\1"
    assert read_initialization(bytes(audio)).alternate_group == read_initialization(bytes(video)).alternate_group == 1
    stream = audio.index(b"esds") + 8
    # The lengths of descriptors may be as long as four bytes.
    audio[stream + 1 : stream + 2] = bytes([0x80, 0x80, 0x80, audio[stream + 1]])
    for box_of in (b"moov", b"trak", b"mdia", b"minf", b"stbl", b"stsd", b"mp4a", b"esds"):
        place = audio.index(box_of) - 4
        audio[place : place + 4] = (int.from_bytes(audio[place : place + 4]) + 3).to_bytes(4)
    audio[stream + 5 : stream + 7] = b"\0\1"
    made = read_initialization(bytes(audio)).audio
    assert made and made.stream_id == 1
    for given in (bytes(video), bytes(audio)):
        header = cmaf_header(given)
        found = read_initialization(header)
        assert (found.brands, found.alternate_group) == (("iso6", "cmfc", "mp41"), 0)
        assert found.audio is None or found.audio.stream_id == 0
        assert found.codecs == read_initialization(given).codecs and cmaf_header(header) == header


def test_what_an_encoder_says_of_its_settings_is_left_out() -> None:
    config, rate = avc_config([SPS], [PPS]), box(b"btrt", bytes(12))
    entry = box(b"avc1", bytes(6) + b"\0\1" + bytes(70), config, rate, box(b"pasp", bytes(8)))
    plain = box(b"avc1", bytes(6) + b"\0\1" + bytes(70), config, box(b"pasp", bytes(8)))
    assert H264.without_bitrate(init_segment(entry)) == init_segment(plain)
    assert H264.without_bitrate(init_segment(plain)) == init_segment(plain)
    assert AAC.without_bitrate(init_segment(audio_entry())) == init_segment(audio_entry())
