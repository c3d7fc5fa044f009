"""Promise against content."""

import struct
from pathlib import Path
from typing import Any

import pytest

from services.fetcher.probe.boxes import BoxLayout, box_layout
from services.fetcher.probe.integrity import Findings, cannot_open, check_complete, nothing_to_show
from services.fetcher.probe.packets import Extent
from shared.errors import PermanentError

WHOLE = BoxLayout(header=True, fragmented=False, missing_bytes=0, malformed=False)
CUT = "[mov] stream 0, offset 0xd420: partial file"


def found(seconds: float, promised: float | None, **more: Any) -> Findings:
    """A file with one video stream in milliseconds."""
    stream = {"index": 0, "codec_type": "video", "time_base": "1/1000"}
    if promised:
        stream["duration_ts"] = round(promised * 1000)
    given: dict[str, Any] = {"demuxer": "mov", "complaints": "", "boxes": WHOLE} | more
    extents = {0: Extent(10, 0, round(seconds * 1000), round(seconds * 1000))}
    return Findings(streams=[stream], duration=promised, extents=extents, **given)


def is_truncated(finding: Findings) -> bool:
    try:
        check_complete(finding)
    except PermanentError as error:
        assert error.code == "input_truncated"
        return True
    return False


@pytest.mark.parametrize(
    ("seconds", "promised", "truncated"),
    [(60, 60, False), (59.5, 60, False), (58, 60, True), (1.7, 1132, True), (98.5, 100, False), (97, 100, True),
     (3585, 3600, True), (3595, 3600, False), (61, 60, False), (10, None, False)],
)  # fmt: skip
def test_seconds_that_are_missing(seconds: float, promised: float | None, truncated: bool) -> None:
    assert is_truncated(found(seconds, promised)) == truncated


def test_a_file_that_was_cut_off_is_measured_more_strictly() -> None:
    assert is_truncated(found(59.5, 60, complaints=CUT))
    assert [warning.code for warning in check_complete(found(59.9, 60, complaints=CUT))] == ["source_cut_off"]


def test_a_track_that_is_missing_while_another_is_whole() -> None:
    finding = found(60, 60, complaints=CUT)
    sound = {"index": 1, "codec_type": "audio", "time_base": "1/1000", "duration_ts": 60_000}
    assert is_truncated(Findings(**(finding.__dict__ | {"streams": [*finding.streams, sound]})))


def test_formats_that_promise_nothing_are_not_held_to_it() -> None:
    assert not is_truncated(found(10, 60, demuxer="mpegts"))


def test_a_length_that_the_writer_did_not_know_is_no_promise() -> None:
    fragmented = BoxLayout(header=True, fragmented=True, missing_bytes=0, malformed=False)
    assert not is_truncated(found(1, 0xFFFFFFFF / 1000, boxes=fragmented))
    assert is_truncated(found(1, 60, boxes=fragmented))


def test_a_clock_that_begins_late_promises_its_end() -> None:
    finding = found(0, 14)
    assert not is_truncated(Findings(**(finding.__dict__ | {"extents": {0: Extent(9, 10_000, 14_000, 4_000)}})))


def test_a_box_that_reaches_beyond_the_end_is_a_warning_if_nothing_is_missing() -> None:
    layout = BoxLayout(header=True, fragmented=False, missing_bytes=77, malformed=False)
    assert [warning.code for warning in check_complete(found(60, 60, boxes=layout))] == ["source_cut_off"]
    assert check_complete(found(60, 60)) == ()


def test_what_cannot_be_opened() -> None:
    no_header = BoxLayout(header=False, fragmented=False, missing_bytes=0, malformed=False)
    broken = BoxLayout(header=False, fragmented=False, missing_bytes=0, malformed=True)
    assert cannot_open("mov", "moov atom not found", no_header).code == "input_truncated"
    assert cannot_open("mov", "moov atom not found", broken).code == "input_damaged"
    assert cannot_open("matroska", "EBML init_segment parsing failed", None).code == "input_damaged"


def test_a_file_without_pictures() -> None:
    empty = {"extents": dict[int, Extent]()}
    assert nothing_to_show(Findings(**(found(0, 41).__dict__ | empty)), {}).code == "input_truncated"
    assert nothing_to_show(Findings(**(found(0, None).__dict__ | empty)), {}).code == "input_not_video"
    sound = {"extents": {1: Extent(50, 0, 2000, 2000)}}
    assert nothing_to_show(Findings(**(found(0, None).__dict__ | sound)), {}).code == "input_no_video_stream"


def boxes(*parts: tuple[str, int]) -> bytes:
    """Boxes with zeros in them; their sizes without the head."""
    return b"".join(struct.pack(">I4s", size + 8, kind.encode()) + b"\0" * size for kind, size in parts)


def layout_of(tmp_path: Path, data: bytes) -> BoxLayout:
    path = tmp_path / "a.mp4"
    path.write_bytes(data)
    return box_layout(path)


def test_box_layout(tmp_path: Path) -> None:
    assert layout_of(tmp_path, boxes(("ftyp", 16), ("moov", 100), ("mdat", 500))) == WHOLE
    assert layout_of(tmp_path, boxes(("ftyp", 16), ("moov", 9), ("moof", 9), ("mdat", 9))).fragmented
    cut = layout_of(tmp_path, boxes(("ftyp", 16), ("moov", 100), ("mdat", 500))[:-77])
    assert cut.header and cut.missing_bytes == 77
    assert not layout_of(tmp_path, boxes(("ftyp", 16), ("mdat", 500))).header
    assert layout_of(tmp_path, boxes(("ftyp", 16)) + struct.pack(">I4s", 3, b"free") + b"\0" * 9).malformed


def test_box_layout_with_large_and_open_ended_boxes(tmp_path: Path) -> None:
    large = struct.pack(">I4sQ", 1, b"mdat", 16 + 40) + b"\0" * 40
    assert layout_of(tmp_path, large + boxes(("moov", 8))) == WHOLE
    to_the_end = boxes(("moov", 8)) + struct.pack(">I4s", 0, b"mdat") + b"\0" * 99
    assert layout_of(tmp_path, to_the_end) == WHOLE
