"""The page of formats: made from outcomes, and the one in the repository has a row for every sample."""

from pathlib import Path
from typing import Any

from tools.formats.page import Outcome, page
from tools.formats.samples import SAMPLES, Sample

PAGE = Path(__file__).resolve().parents[2] / "docs" / "formats.md"


def completed(**members: Any) -> dict[str, Any]:
    rendition = {"width": 144, "height": 256, "frame_rate": 29.97}
    outputs = {"renditions": [rendition], "audio": [{"language": "en"}, {"language": None}], "subtitles": []}
    return {
        "outputs": outputs,
        "video_duration": 2,
        "warnings": [],
        "error_code": None,
        "error_message": None,
    } | members


def test_a_row_says_what_came_out_or_why_nothing_did() -> None:
    shown, refused = Sample("Pictures", "turned", "mp4"), Sample("Refused", "a PDF", "pdf", content=b"%PDF")
    failed = completed(outputs=None, error_code="input_not_video", error_message="It is none.")
    warned = completed(warnings=[{"code": "single_part"}])
    text = page([Outcome(shown, warned), Outcome(refused, failed)], [("upright", "It is turned.")])
    assert "| turned | 144×256, 29.97 fps, 2 s | en, stereo | none | `single_part` |" in text
    assert "| a PDF | `input_not_video` | It is none. |" in text
    assert "| upright | It is turned. |" in text


def test_every_sample_has_its_row() -> None:
    rows = {line.split(" | ")[0].removeprefix("| ") for line in PAGE.read_text().splitlines() if line.startswith("| ")}
    assert [sample.what for sample in SAMPLES if sample.what not in rows] == []
    assert len({sample.what for sample in SAMPLES}) == len(SAMPLES)
