"""Films that are a frame or a few longer than whole segments: players get to their end."""

from pathlib import Path
from typing import Literal

import pytest

from checker.reading import read_presentation
from checker.report import as_text
from checker.rules import apply_rules
from shared.media.layout import MULTIVARIANT
from tests.support.clips import made
from tests.support.parts import encode, fetched
from tests.support.player import play, require_player
from tests.support.published import publish, served

SECONDS = 12.04


@pytest.fixture(scope="module")
def output(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A frame more than two whole segments."""
    picture = ("-f", "lavfi", "-i", f"testsrc=s=256x144:r=25:d={SECONDS}")
    tone = ("-f", "lavfi", "-i", f"sine=1000:r=48000:d={SECONDS}")
    file = made("ending.mp4", *picture, *tone, "-c:v", "libx264", "-preset", "ultrafast", "-c:a", "aac")
    folder = tmp_path_factory.mktemp("output")
    publish(encode(fetched(file), file, tmp_path_factory.mktemp("work")), folder)
    return folder


async def test_no_segment_is_a_frame_or_two(output: Path) -> None:
    presentation = await read_presentation(str(output / MULTIVARIANT))
    report = apply_rules(presentation)
    # A test card of some seconds has no bit rate worth judging.
    assert set(report.violated) <= {"apple-1.30"}, as_text(report)
    for track in presentation.all_tracks():
        lengths = [duration / track.timescale for duration in track.durations]
        assert len(lengths) == 2 and 6 < lengths[-1] < 6.1 and track.playlist.target == 6


@pytest.mark.parametrize("kind", ["hls", "dash"])
async def test_players_get_to_the_end(kind: Literal["hls", "dash"], output: Path, tmp_path: Path) -> None:
    require_player()
    async with served(output) as server:
        name = MULTIVARIANT if kind == "hls" else "video.mpd"
        report = await play(kind, str(server.make_url(f"/{name}")), tmp_path / "end.png")
    assert report["ended"] and report["fatal"] is None, report
    assert report["currentTime"] == pytest.approx(SECONDS, abs=0.05)
