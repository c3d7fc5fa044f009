"""Every number that Millrace writes is measured by the checker: a small fault in any one of them is found."""

from functools import cache

import pytest

from checker import reading
from checker.playlist import NotAPlaylist
from checker.segments import read_segment
from services.uploader.compliance import check_presentation
from services.uploader.manifest import rates
from tests.support.planted import FREE, Number, numbers_of
from tests.support.written import Picture, Written, violated, write_audio_only, write_presentation

# 12.5 frames per second: as few samples as make three GOPs of two seconds, and a rate with decimals.
PRESENTATIONS = {
    "video": write_presentation(Picture(frame_ticks=2000, gop=25, segments=(75, 50))),
    "audio": write_audio_only(),
}
NUMBERS = [(name, number) for name, written in PRESENTATIONS.items() for number in numbers_of(written.files)]


# The segments stay as they are, and measuring them is most of the work.
measured_once = cache(read_segment)


@pytest.mark.parametrize(("name", "number"), [pair for pair in NUMBERS if not pair[1].free], ids=str)
async def test_a_fault_in_a_number_is_found(name: str, number: Number, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reading, "read_segment", measured_once)
    written = PRESENTATIONS[name]
    for other in number.others():
        assert await found(written, number, other), f"{other} instead of {number.text} is passed over"
        if number.path in written.documents:
            assert found_before_completion(written, number, other), f"{other} would be published"


async def found(written: Written, number: Number, other: str) -> bool:
    """Whether the checker finds a fault in what is published."""
    try:
        return bool(await violated(number.planted(written.files, other)))
    except NotAPlaylist:
        return True


def found_before_completion(written: Written, number: Number, other: str) -> bool:
    """Whether the uploader's check finds a fault in what it is about to publish."""
    try:
        return bool(check_presentation(written.presentation, number.planted(written.documents, other)).violated)
    except NotAPlaylist:
        return True


def test_the_numbers_are_those_that_there_are() -> None:
    documents = {number.path.rpartition("/")[2] for _, number in NUMBERS}
    assert documents == {
        "video.m3u8", "iframes.m3u8", "audio.m3u8", "text.m3u8", "video.mpd", "sprite.vtt", "text.vtt", "text_00000.vtt",
        "text_00001.vtt",
    }  # fmt: skip
    names = {number.before.rpartition(",")[2].rpartition(" ")[2] for _, number in NUMBERS}
    assert names >= {
        "#EXTINF:", "#EXT-X-TARGETDURATION:", "#EXT-X-MEDIA-SEQUENCE:", "AVERAGE-BANDWIDTH=", "FRAME-RATE=", "RESOLUTION=",
        'CHANNELS="', 'INSTREAM-ID="CC', 'bandwidth="', 'width="', 'height="', 'frameRate="', 'audioSamplingRate="',
        'mediaPresentationDuration="PT', 'maxSegmentDuration="PT', 'minBufferTime="PT', 'timescale="', 'startNumber="',
        't="', 'd="', 'maxFrameRate="', 'startWithSAP="',
    }  # fmt: skip


def test_no_exception_is_left_over() -> None:
    assert {number.free for _, number in NUMBERS if number.free} == set(FREE)


@pytest.mark.parametrize(
    ("name", "wrong"),
    [
        ("peak_rate", lambda sizes, durations, scale, target: rates.average_rate(sizes, durations, scale)),
        ("peak_rate", lambda sizes, durations, scale, target: 8 * max(sizes) // target),
        ("peak_rate", lambda sizes, durations, scale, target: 8 * scale * max(sizes) // max(durations)),
        ("average_rate", lambda sizes, durations, scale: sum(sizes) * scale // sum(durations)),
        ("average_rate", lambda sizes, durations, scale: 8 * sum(sizes) // round(sum(durations) / scale)),
        ("round_half_up", int),
    ],
)
async def test_wrong_arithmetic_of_the_writer_is_found(
    name: str, wrong: object, monkeypatch: pytest.MonkeyPatch
) -> None:
    # A rate for which neither times nor bit rates are whole numbers.
    picture, cuts = Picture(frame_ticks=1001, gop=48, segments=(144, 96)), (270, 181)
    assert await violated(write_presentation(picture, cuts=cuts).files) == set()
    monkeypatch.setattr(rates, name, wrong)
    written = write_presentation(picture, cuts=cuts)
    assert await violated(written.files)
    assert check_presentation(written.presentation, written.documents).violated
