"""Sound begins at full level with its first sample, and in step with the picture, in every player and for ffmpeg."""

import subprocess
from array import array
from pathlib import Path

import pytest

from shared.media.layout import MULTIVARIANT
from shared.media.tools import ffmpeg_path
from tests.support.clips import made
from tests.support.listening import Heard, listen
from tests.support.parts import Encoded, encode, fetched
from tests.support.player import Player, require_player
from tests.support.published import publish, served
from tests.support.sound import RATE, decibels, samples, tone

BEEPS = [0.0, 2.0, 4.0, 6.0]
"""Seconds at which a beep of a tenth of a second begins at once at full level; the last one with the second segment."""
AMPLITUDE, HERTZ = 0.5, 1000
SYNC, LEVEL = 0.003, 1.0
PRIMING = 1024 / RATE


@pytest.fixture(scope="module")
def encoded(tmp_path_factory: pytest.TempPathFactory) -> Encoded:
    # Nowhere silent, so that whatever is silent in a recording is not the stream's.
    beep = f"{AMPLITUDE}*sin(2*PI*{HERTZ}*t)*lt(mod(t+0.00001,2),0.1)+0.02*sin(2*PI*3000*t)"
    picture = ("-f", "lavfi", "-i", "testsrc=s=256x144:r=25:d=7")
    sound = ("-f", "lavfi", "-i", f"aevalsrc=exprs='{beep}|{beep}':s={RATE}:d=7")
    file = made("beeps.mkv", *picture, *sound, "-c:v", "libx264", "-preset", "ultrafast", "-c:a", "pcm_s16le")
    return encode(fetched(file), file, tmp_path_factory.mktemp("work"))


@pytest.fixture(scope="module")
def output(encoded: Encoded, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("output")
    publish(encoded, folder)
    return folder


def check(heard: Heard) -> None:
    """Every beep is where it was, to :data:`SYNC`, and the first one as loud in its first 20 ms as it was, to :data:`LEVEL`."""
    found = heard.onsets(AMPLITUDE / 2, apart=0.5)
    assert found == pytest.approx(BEEPS, abs=SYNC)
    for begin in (0.0, 0.01):
        # A tone of 1 kHz has ten periods in this.
        assert abs(decibels(tone(heard.after(begin, 0.01), HERTZ) / AMPLITUDE)) < LEVEL, begin


@pytest.mark.parametrize(
    ("kind", "name"),
    [("hls", MULTIVARIANT), ("dash", "video.mpd"), ("shaka", MULTIVARIANT), ("shaka", "video.mpd")],
)
async def test_players_begin_at_full_level_and_in_step(output: Path, kind: Player, name: str, tmp_path: Path) -> None:
    require_player()
    async with served(output) as server:
        check(await listen(kind, str(server.make_url(f"/{name}")), tmp_path))


def test_a_joined_file_begins_at_full_level_and_in_step(encoded: Encoded) -> None:
    left, _ = samples(encoded.join(encoded.plan.audio[0].folder))
    check(Heard(left))


@pytest.mark.parametrize(("name", "late"), [(MULTIVARIANT, 0), ("video.mpd", PRIMING)])
def test_ffmpeg_plays_all_of_the_stream_in_step(output: Path, name: str, late: float) -> None:
    # By the stream's own clock: otherwise ffmpeg moves all tracks by the priming, which lies before zero. Of a manifest it
    # ignores the presentationTimeOffset.
    graph = ("-af", f"aresample={RATE}:async=1:first_pts=0,pan=mono|c0=c0", "-f", "f32le", "-")
    argv = [ffmpeg_path(), "-v", "error", "-copyts", "-i", str(output / name), "-map", "0:a:0", *graph]
    check(Heard(array("f", subprocess.run(argv, capture_output=True, check=True).stdout), -late))
