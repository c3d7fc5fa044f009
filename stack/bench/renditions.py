"""What a way has made: its renditions with their bytes, and how near they are to the clip."""

import json
import re
import subprocess
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from shared.media.tools import ffprobe_path
from stack.clips import Facts, probe
from stack.layout import StackError
from stack.quality import score

# Up to so many lines a video is read as one of standard definition.
_SD_LINES = 576
# One second in so many is compared, in its full frame rate: VMAF and XPSNR both look at how things move.
_ONE_SECOND_IN = 5
_URI = re.compile(r'^#EXT-X-MAP:.*URI="([^"]+)"|^([^#\s].*)$', re.MULTILINE)


@dataclass(frozen=True)
class Rendition:
    """A rendition: its size, bytes of its video, and qualities by measure; none where frames are missing or too many."""

    width: int
    height: int
    bytes: int
    quality: Mapping[str, float] | None = None


def renditions(folder: Path, clip: Path, facts: Facts, work: Path) -> list[Rendition]:
    """The renditions of an HLS presentation, the largest one first, scored at the clip's own size, as a viewer sees them.

    Args:
        work: a folder for what is needed meanwhile.

    Raises:
        StackError: there are none.
        RuntimeError: they cannot be compared.
    """
    found = []
    # What says nothing of its colours is read as players do, by the size of the clip.
    source = _video(clip)
    matrix = _matrix(source) or ("smpte170m" if facts.short_side <= _SD_LINES else "bt709")
    for pieces in _tracks(folder):
        whole = work / "joined.mp4"
        whole.write_bytes(b"".join(piece.read_bytes() for piece in pieces))
        try:
            shape = probe(whole)
        except StackError:
            # A track of sound.
            continue
        rendition = Rendition(shape.width, shape.height, whole.stat().st_size)
        track = _video(whole)
        if track["nb_read_packets"] == source["nb_read_packets"]:
            prepare = _prepared(facts, _matrix(track) or matrix), _prepared(facts, matrix)
            rendition = replace(rendition, quality=score(whole, clip, work, prepare=prepare))
        found.append(rendition)
    if not found:
        raise StackError(f"There are no renditions in {folder}")
    return sorted(found, key=lambda one: (one.width * one.height, one.bytes), reverse=True)


def _tracks(folder: Path) -> Iterator[list[Path]]:
    """The files of each playlist in their order, the initialization first; of a file that is named several times one."""
    for playlist in sorted(folder.rglob("*.m3u8")):
        text = playlist.read_text()
        if "#EXT-X-MAP" in text and "#EXT-X-I-FRAMES-ONLY" not in text:
            names = (at_map or segment for at_map, segment in _URI.findall(text))
            yield list(dict.fromkeys(playlist.parent / name for name in names))


def _prepared(facts: Facts, matrix: str) -> str:
    """The frames that are compared, in the clip's size and the colours of BT.709.

    Some ways keep the clip's colours and some do not, and ffmpeg takes what says nothing for BT.601 when it compares.
    """
    second = max(1, round(facts.frame_rate))
    size = f"scale={facts.width}:{facts.height}:flags=bicubic:out_color_matrix=bt709:out_range=limited"
    frames = f"select='lt(mod(n,{_ONE_SECOND_IN * second}),{second})'"
    return f"{frames},setparams=colorspace={matrix},{size},format=yuv420p,setsar=1"


def _matrix(track: Mapping[str, str]) -> str | None:
    """The matrix of the colours as ffmpeg calls it, where the video says it."""
    found = track.get("color_space")
    return None if found in ("unknown", "reserved", "gbr") else found


def _video(path: Path) -> Mapping[str, str]:
    """What ffprobe says of the first video track, its packets counted; nothing where there is none."""
    argv = [
        ffprobe_path(),
        "-v",
        "error",
        "-of",
        "json",
        "-count_packets",
        "-show_streams",
        "-select_streams",
        "v:0",
        str(path),
    ]
    streams = json.loads(subprocess.run(argv, capture_output=True, text=True, check=False).stdout or "{}").get(
        "streams"
    )
    return streams[0] if streams else {}
