"""Real files with a manifest of what they are, where a folder of them lies beside the repository (``shared/media``)."""

import csv
import time
from fractions import Fraction
from pathlib import Path

import pytest

from services.fetcher.probe import Probe, Probed, ProbeLimits
from shared.errors import PermanentError
from shared.media.tools import ffmpeg_path, ffprobe_path

FOLDER = Path(__file__).resolve().parents[3] / "shared" / "media"
LIMITS = ProbeLimits(seconds=120, memory_bytes=8 * 2**30, max_duration=24 * 3600, max_pixels=40_000_000)


def rows() -> dict[str, dict[str, str]]:
    manifest = FOLDER / "manifest.tsv"
    if not manifest.exists():
        return {}
    with manifest.open() as lines:
        return {row["file"]: row for row in csv.DictReader(lines, delimiter="\t", quoting=csv.QUOTE_NONE)}


ROWS = rows()
pytestmark = pytest.mark.skipif(not ROWS, reason="no folder of real files beside the repository")

# Why each of them is refused; what is not named here has to be accepted.
REFUSED = {
    "edge/audio_coverart_flac.flac": "input_no_video_stream",
    "edge/audio_eac3_51.mp4": "input_no_video_stream",
    "edge/audio_only_15s.mp4": "input_no_video_stream",
    "bad/concat_script.ffconcat": "input_not_video",
    "bad/corrupt.mkv": "input_damaged",
    "bad/docx.docx": "input_not_video",
    "bad/header_only.flv": "input_not_video",
    "bad/init_only.mp4": "input_not_video",
    "bad/invalid_vp9.webm": "input_damaged",
    "bad/malformed_free_box.mp4": "input_damaged",
    "bad/manifest.mpd": "input_not_video",
    "bad/matroska_cut_1132s.mkv": "input_truncated",
    "bad/pdf.pdf": "input_not_video",
    "bad/plain_text.txt": "input_not_video",
    "bad/playlist_empty.m3u8": "input_empty",
    "bad/playlist_master.m3u8": "input_not_video",
    "bad/playlist_remote_named.mp4": "input_not_video",
    "bad/png.png": "input_not_video",
    "bad/session.sdp": "input_not_video",
    "bad/stsc_zero_empty.mp4": "input_truncated",
    "bad/svg_external.svg": "input_not_video",
    "bad/webp.webp": "input_not_video",
    "bad/zero_video_frames.ts": "input_no_video_stream",
}
# The manifest counts packets. Not all of them are frames that are shown.
FRAMES = {
    "edge/dolbyvision_hdr_iphone.mov": 4,  # one lies behind the edit list's end
    "edge/fps1_slideshow_iibbibb.mp4": 12,  # one lies before its beginning
    "edge/phone_hevc_preroll_editlist.mp4": 68,  # as do seventeen here
    "edge/mts_avchd_1080i5994_ac3.mts": 31,  # each field is a packet
    "edge/ts_no_initial_keyframe.ts": 15,  # nothing can be decoded before the first key frame
}
# The display matrix flips as well: the same picture is reached by flipping left to right and turning the other way.
ROTATIONS = {"edge/rot_and_flip.mp4": 90}
RATES = {
    "edge/asf_msmpeg4_28s.asf": "30",
    "edge/awesome'movie.mov": "20",
    "edge/flv_h264_aac_19s.flv": "30",
    "edge/gif_animated.gif": "50",
    "edge/hdr10_hevc_phone.mp4": "30",
    "edge/full_range_180rot_pixel7.mp4": "30000/1001",
    "edge/mkv_annexb_no_duration.mkv": "30",
    "edge/mts_avchd_1080i5994_ac3.mts": "30000/1001",
    "edge/portrait_4k60_rot.mp4": "60",
    "edge/res_8k24_0.3s.mp4": "24",
    "edge/subs_ass.mkv": "30",
    "edge/subs_srt.mkv": "30",
    "edge/ts_no_aud_1440p.ts": "25",
    "edge/ts_no_initial_keyframe.ts": "30",
}


async def probed(name: str) -> Probed:
    began = time.monotonic()
    try:
        return await Probe(ffprobe_path(), ffmpeg_path(), LIMITS)(FOLDER / name)
    finally:
        assert time.monotonic() - began < 30


@pytest.mark.parametrize("name", [name for name in ROWS if name in REFUSED])
async def test_what_is_refused(name: str) -> None:
    with pytest.raises(PermanentError) as caught:
        await probed(name)
    assert caught.value.code == REFUSED[name], caught.value.detail


@pytest.mark.parametrize("name", [name for name in ROWS if name not in REFUSED])
async def test_what_is_accepted(name: str) -> None:
    row, found = ROWS[name], await probed(name)
    video = found.source.video
    assert f"{video.width}x{video.height}" == row["size"]
    assert video.frames == len(found.index.pts) == FRAMES.get(name, int(row["frames"]))
    rotation, aspect = (cell.partition("=")[2] for cell in row["rot_sar"].split())
    assert video.rotation == ROTATIONS.get(name, int(rotation) % 360)
    assert video.sample_aspect == (Fraction(aspect.replace(":", "/")) if aspect != "-" else 1)
    nominal = row["fps"].split(" / ")[0]
    assert video.frame_rate == Fraction(RATES.get(name, nominal))
    heard = [] if row["audio"] == "none" else [track.split()[1:] for track in row["audio"].split(";")]
    assert [[f"{track.channels}ch", str(track.sample_rate)] for track in found.source.audio] == heard
    assert list(found.index.pts) == sorted(found.index.pts) and len(found.index.keyframes) > 0


# The manifest has the container's own word, which counts from zero and to the end of any stream.
DURATIONS = {
    "edge/asf_msmpeg4_28s.asf": 27.537,  # its header promises half a second more
    "edge/mp4_fragmented.mp4": 1.068,  # its header promises 143165 s
    "edge/phone_hevc_preroll_editlist.mp4": 2.593,
    "edge/start10s_sar_odd.mp4": 4.0,  # begins at 10 s
    "edge/subs_ass.mkv": 1.072,  # the others' subtitles go on after the film
    "edge/subs_movtext_two_video.mp4": 13.056,
    "edge/subs_srt.mkv": 1.071,
}


@pytest.mark.parametrize("name", [name for name, row in ROWS.items() if name not in REFUSED and row["duration"] != "-"])
async def test_durations(name: str) -> None:
    source = (await probed(name)).source
    expected = DURATIONS.get(name, float(ROWS[name]["duration"]))
    assert source.duration == pytest.approx(expected, abs=float(1 / source.video.frame_rate) + 0.03)
