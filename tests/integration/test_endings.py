"""Films that are a frame or a few longer than whole segments: players get to their end."""

import os
from dataclasses import dataclass
from pathlib import Path

import pytest

from checker.reading import read_presentation
from checker.report import as_text
from checker.rules import apply_rules
from shared.media.layout import MULTIVARIANT
from tests.support.clips import made
from tests.support.parts import encode, fetched
from tests.support.player import Player, play, require_player
from tests.support.published import publish, served

ALL = os.environ.get("CORPUS") == "all"
"""`make corpus` plays every length in every player; `make test` those that have failed."""
LENGTHS = [6.0, 6.04, 6.08, 6.12, 6.16, 6.2, 12.04] if ALL else [6.04, 12.04]
PLAYERS: list[tuple[Player, str]] = [
    ("hls", MULTIVARIANT), ("dash", "video.mpd"), ("shaka", MULTIVARIANT), ("shaka", "video.mpd"),
]  # fmt: skip
PLAYED = [
    (seconds, kind, name) for seconds in LENGTHS for kind, name in PLAYERS if ALL or seconds < 12 or kind == "hls"
]


@dataclass(frozen=True)
class Output:
    """What came of a film of so many seconds."""

    seconds: float
    folder: Path


@pytest.fixture(scope="module")
def output(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Output:
    seconds: float = request.param
    picture = ("-f", "lavfi", "-i", f"testsrc=s=256x144:r=25:d={seconds}")
    tone = ("-f", "lavfi", "-i", f"sine=1000:r=48000:d={seconds}")
    file = made("ending.mp4", *picture, *tone, "-c:v", "libx264", "-preset", "ultrafast", "-c:a", "aac")
    folder = tmp_path_factory.mktemp("output")
    publish(encode(fetched(file), file, tmp_path_factory.mktemp("work")), folder)
    return Output(seconds, folder)


@pytest.mark.parametrize("output", LENGTHS, indirect=True)
async def test_no_segment_is_a_frame_or_two(output: Output) -> None:
    presentation = await read_presentation(str(output.folder / MULTIVARIANT))
    report = apply_rules(presentation)
    # A test card of some seconds has no bit rate worth judging.
    assert set(report.violated) <= {"apple-1.30"}, as_text(report)
    for track in presentation.all_tracks():
        lengths = [duration / track.timescale for duration in track.durations]
        assert len(lengths) == output.seconds // 6 and 5.9 < lengths[-1] < 6.3 and track.playlist.target == 6


@pytest.mark.parametrize(("output", "kind", "name"), PLAYED, indirect=["output"])
async def test_players_get_to_the_end(output: Output, kind: Player, name: str, tmp_path: Path) -> None:
    require_player()
    async with served(output.folder) as server:
        report = await play(kind, str(server.make_url(f"/{name}")), tmp_path / "end.png")
    assert report["ended"] and report["fatal"] is None, report
    assert report["currentTime"] == pytest.approx(output.seconds, abs=0.05)
