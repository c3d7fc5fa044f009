"""Real files with a manifest of what they are, where a folder of them lies beside the repository (``shared/media``).

What stands here beside the manifest is where it counts something else than what a viewer sees, and says why.
"""

import csv
import os
from fractions import Fraction
from pathlib import Path

FOLDER = Path(__file__).resolve().parents[3] / "shared" / "media"


def rows() -> dict[str, dict[str, str]]:
    """The manifest by file; empty where there is no such folder."""
    manifest = FOLDER / "manifest.tsv"
    if not manifest.exists():
        return {}
    with manifest.open() as lines:
        return {row["file"]: row for row in csv.DictReader(lines, delimiter="\t", quoting=csv.QUOTE_NONE)}


ROWS = rows()

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
ACCEPTED = [name for name in ROWS if name not in REFUSED]

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
# Where the container's nominal rate is a clock's, not the picture's.
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

# What is wrong with those that come out all the same, by the code of the warning.
WARNED = {
    "bad/invalid_nalu.mp4": {"source_damaged"},
    "bad/mdat_too_long.mp4": {"source_cut_off"},
    "edge/asf_msmpeg4_28s.asf": {"source_damaged"},
    "edge/ts_no_aud_1440p.ts": {"source_damaged"},  # cut out of a longer one, in the middle of a picture
}
_MANY_PIXELS = 200_000_000


def _pixels(name: str) -> int:
    width, _, height = ROWS[name]["size"].partition("x")
    return int(width) * int(height) * int(ROWS[name]["frames"]) if height else 0


# Much to decode: `make corpus` alone has them.
COSTLY = set() if os.environ.get("CORPUS") == "all" else {name for name in ACCEPTED if _pixels(name) > _MANY_PIXELS}


def frames_of(name: str) -> int:
    """Frames of the source that are shown."""
    return FRAMES.get(name, int(ROWS[name]["frames"]))


def rate_of(name: str) -> Fraction:
    """Frames per second of the source; of a variable rate, the nearest standard one."""
    return Fraction(RATES.get(name, ROWS[name]["fps"].split(" / ")[0]))


def duration_of(name: str) -> float | None:
    """Seconds of the source, None where nobody says."""
    told = ROWS[name]["duration"]
    return DURATIONS.get(name, None if told == "-" else float(told))
