"""What the benchmark finds of what a way has made, with the real ffmpeg."""

import subprocess
from pathlib import Path

import pytest

from stack.bench import baseline
from stack.bench.renditions import renditions
from stack.clips import ffmpeg, probe


@pytest.fixture(scope="module")
def clip(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("clip") / "clip.mp4"
    inputs = (
        "-f",
        "lavfi",
        "-i",
        "testsrc2=size=320x240:rate=10:duration=1",
        "-f",
        "lavfi",
        "-i",
        "sine=duration=1",
    )
    subprocess.run(ffmpeg(["-y", *inputs, "-c:v", "libx264", "-pix_fmt", "yuv420p", str(path)]), check=True)
    return path


def presentation(clip: Path, folder: Path, *options: str) -> None:
    facts = probe(clip)
    argv = baseline.command(clip, folder, facts, baseline.ladder(("144p", "240p"), facts))
    subprocess.run(ffmpeg([argv[0], *options, *argv[1:]]), check=True)


def test_renditions_are_found_and_scored_and_sound_is_none_of_them(clip: Path, tmp_path: Path) -> None:
    presentation(clip, tmp_path / "made")
    large, small = renditions(tmp_path / "made", clip, probe(clip), tmp_path)
    assert (large.width, large.height, small.height) == (320, 240, 144)
    assert large.bytes == sum(
        path.stat().st_size for path in (tmp_path / "made" / "240p").iterdir() if path.suffix != ".m3u8"
    )
    assert large.quality and small.quality
    for measure in ("vmaf", "neg", "xpsnr"):
        assert large.quality[measure] > small.quality[measure] > 0


def test_a_rendition_with_other_frames_is_not_scored(clip: Path, tmp_path: Path) -> None:
    presentation(clip, tmp_path / "made", "-ss", "0.5")
    assert [one.quality for one in renditions(tmp_path / "made", clip, probe(clip), tmp_path)] == [None, None]


def test_colours_that_are_only_said_are_those_that_were_meant(tmp_path: Path) -> None:
    # HD that says nothing is BT.709's, which a way may write down.
    silent, made = tmp_path / "silent.mp4", tmp_path / "made"
    made.mkdir()
    encode = ("-c:v", "libx264", "-preset", "ultrafast", "-crf", "10", "-pix_fmt", "yuv420p")
    source = ("-f", "lavfi", "-i", "testsrc2=size=1280x720:rate=5:duration=1")
    subprocess.run(ffmpeg(["-y", *source, *encode, str(silent)]), check=True)
    said = ("-vf", "setparams=colorspace=bt709", "-f", "hls", "-hls_segment_type", "fmp4")
    argv = ffmpeg(["-y", "-i", str(silent), *encode, *said, "-hls_playlist_type", "vod", str(made / "video.m3u8")])
    subprocess.run(argv, check=True, cwd=made)
    (one,) = renditions(made, silent, probe(silent), tmp_path)
    assert one.quality and one.quality["xpsnr"] > 38
