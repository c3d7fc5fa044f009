"""Two codecs at one resolution, encoded and packaged for real: the checker accepts both, and both can be played."""

import json
import subprocess
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from checker.reading import read_presentation
from checker.report import as_text
from checker.rules import apply_rules
from services.uploader.compliance import check_presentation
from services.uploader.finish import playlists
from services.uploader.manifest.playlists import multivariant_playlist
from services.uploader.manifest.presentation import Presentation
from shared.events import Fetched
from shared.media.codecs import table
from shared.media.layout import DASH, MULTIVARIANT
from shared.media.tools import ffmpeg_path, ffprobe_path
from tests.support import frames
from tests.support.clips import numbered
from tests.support.parts import Encoded, encode, fetched
from tests.support.published import publish
from tests.support.standin import BOTH, STANDIN

NAMES = ["240p", "240p-standin"]
PROFILES = {"240p": ("High", "avc1.6400"), "240p-standin": ("Main", "avc1.4d40")}


@dataclass(frozen=True)
class Output:
    """An output in a folder, and the parts that it is made of."""

    folder: Path
    event: Fetched
    made: Encoded
    stream: Presentation


@pytest.fixture(scope="module")
def output(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Output]:
    """Fourteen seconds with audio, in both codecs."""
    root, file = tmp_path_factory.mktemp("two"), numbered("24", size="426x240")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(table, "VIDEO", (*table.VIDEO, STANDIN))
        event = fetched(file, ("240p",), codecs=BOTH)
        made = encode(event, file, root / "space")
        yield Output(root / "out", event, made, publish(made, root / "out"))


def test_each_has_a_folder_of_its_own_with_all_segments(output: Output) -> None:
    segments = [f"video_{number:05d}.m4s" for number in range(output.event.plan.segments)]
    for name in NAMES:
        found = {path.name for path in (output.folder / name).iterdir()}
        assert found == {*segments, "init.mp4", "video.m3u8", "iframes.m3u8"}
    assert [rendition.folder for rendition in output.stream.video] == NAMES
    assert {rendition.resolution for rendition in output.stream.video} == {"240p"}


@pytest.mark.parametrize("name", NAMES)
def test_each_is_playable_and_what_its_codec_says(name: str, output: Output) -> None:
    [shown] = probe(output.folder / name / "video.m3u8")
    profile, codecs = PROFILES[name]
    assert (shown["profile"], shown["width"], shown["height"]) == (profile, 426, 240)
    assert int(shown["nb_read_frames"]) == output.event.plan.frames
    rendition = next(one for one in output.stream.video if one.folder == name)
    assert rendition.codecs == f"{codecs}{int(shown['level']):02x}"
    joined = output.made.join(name)
    assert frames.complaints(joined) == ""
    assert frames.numbers(joined) == list(range(output.event.plan.frames))


def test_both_begin_at_zero_though_only_one_reorders_frames(output: Output) -> None:
    ticks = output.event.plan.frame_ticks
    for name, reordered in zip(NAMES, (True, False), strict=True):
        packets = frames.packets(output.made.join(name))
        assert min(packet.pts for packet in packets) == 0
        assert packets[0].dts == (-2 * ticks if reordered else 0)


def test_a_player_of_hls_finds_both(output: Output) -> None:
    streams = probe(output.folder / MULTIVARIANT)
    assert sorted(one["profile"] for one in streams if one["codec_type"] == "video") == ["High", "Main"]


def test_a_player_of_dash_finds_every_frame_of_both(output: Output) -> None:
    command = [ffmpeg_path(), "-v", "error", "-nostdin", "-i", str(output.folder / DASH)]
    command += ["-map", "0:v", "-f", "framemd5", "-"]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    shown = Counter(line.partition(",")[0] for line in done.stdout.splitlines() if not line.startswith("#"))
    assert shown == {"0": output.event.plan.frames, "1": output.event.plan.frames}


async def test_the_checker_accepts_both(output: Output) -> None:
    report = apply_rules(await read_presentation(str(output.folder / MULTIVARIANT)))
    assert not report.violated, as_text(report)
    documents = playlists(output.stream)
    written = check_presentation(
        output.stream, documents | {MULTIVARIANT: multivariant_playlist(output.stream).encode()}
    )
    assert not written.violated, as_text(written)


def probe(file: Path) -> list[dict[str, Any]]:
    """What ffprobe says of all streams behind a playlist, with their frames counted."""
    command = [ffprobe_path(), "-v", "error", "-allowed_extensions", "ALL", "-count_frames", "-show_streams"]
    done = subprocess.run([*command, "-of", "json", str(file)], capture_output=True, text=True, check=True)
    found: list[dict[str, Any]] = json.loads(done.stdout)["streams"]
    return found
