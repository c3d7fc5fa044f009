"""Reads a file back as a player would: which source frame each picture shows, when it flashes and beeps, packet times."""

import json
import subprocess
from array import array
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from shared.media.tools import ffmpeg_path, ffprobe_path
from tests.support.clips import CELLS

_ROWS = 8
_SAMPLE_RATE = 48_000


@dataclass(frozen=True)
class Picture:
    """What a picture of a numbered clip says.

    Attributes:
        number: of the source frame it shows; None where the cells make no number.
        flash: the box in the middle is lit.
    """

    number: int | None
    flash: bool


@dataclass(frozen=True)
class Packet:
    """A packet: times in ticks of the track, and whether it is a key frame."""

    pts: int
    dts: int
    duration: int
    key: bool
    size: int


def pictures(path: Path, *, filters: str = "null") -> list[Picture]:
    """All pictures of a numbered clip, in the order shown.

    Args:
        filters: what to do to them first, to have the strip of cells at the top.
    """
    graph = f"{filters},scale={CELLS}:{_ROWS}:flags=area,format=gray"
    raw = _ffmpeg(
        "-i", str(path), "-map", "0:v:0", "-vf", graph, "-fps_mode", "passthrough", "-f", "rawvideo", "-"
    ).stdout
    size = CELLS * _ROWS
    return [_picture(raw[start : start + size]) for start in range(0, len(raw), size)]


def numbers(path: Path) -> list[int | None]:
    """The numbers of the source frames that the pictures show."""
    return [picture.number for picture in pictures(path)]


def flashes(shown: Sequence[Picture], seconds_per_frame: float) -> list[float]:
    """Seconds at which a flash begins, counted in frames from the first one."""
    lit = [picture.flash for picture in shown]
    return [number * seconds_per_frame for number, on in enumerate(lit) if on and not (number and lit[number - 1])]


def beeps(path: Path) -> list[float]:
    """Seconds at which a beep begins, by the track's own time stamps."""
    graph = "aresample=48000:async=1:first_pts=0,pan=mono|c0=c0"
    raw = _ffmpeg("-i", str(path), "-map", "0:a:0", "-af", graph, "-f", "s16le", "-").stdout
    samples = array("h", raw)
    found: list[float] = []
    quiet_since = -1_000_000
    for place, sample in enumerate(samples):
        if abs(sample) > 5000:
            # The tone itself crosses zero, so silence must last a while before another beep counts.
            if place - quiet_since > _SAMPLE_RATE // 4:
                found.append(place / _SAMPLE_RATE)
            quiet_since = place
    return found


def packets(path: Path, stream: str = "v:0") -> list[Packet]:
    """All packets of a stream in the file's order."""
    argv = [
        ffprobe_path(),
        "-v",
        "error",
        "-select_streams",
        stream,
        "-show_entries",
        "packet=pts,dts,duration,flags,size",
    ]
    done = subprocess.run([*argv, "-of", "json", str(path)], capture_output=True, text=True, check=True)
    return [
        Packet(item["pts"], item["dts"], item.get("duration", 0), "K" in item["flags"], int(item["size"]))
        for item in json.loads(done.stdout)["packets"]
    ]


def geometry(path: Path) -> tuple[int, int, str]:
    """Width and height in pixels as stored, and the sample aspect ratio."""
    argv = [ffprobe_path(), "-v", "error", "-select_streams", "v:0", "-show_streams", "-of", "json", str(path)]
    [stream] = json.loads(subprocess.run(argv, capture_output=True, check=True).stdout)["streams"]
    return stream["width"], stream["height"], stream["sample_aspect_ratio"]


def complaints(path: Path) -> str:
    """What ffmpeg says while it decodes the whole file; empty for a sound one."""
    return _ffmpeg("-v", "warning", "-i", str(path), "-f", "null", "-").stderr.decode(errors="replace")


def psnr(first: Path, second: Path) -> float:
    """Likeness of the pictures of two files, one by one: the worst one's PSNR of luma in dB; infinite for the same."""
    graph = "[0:v]settb=1/1000,setpts=N[a];[1:v]settb=1/1000,setpts=N[b];[a][b]psnr=stats_file=-"
    done = _ffmpeg("-i", str(first), "-i", str(second), "-filter_complex", graph, "-f", "null", "-")
    return min(
        float(line.split("psnr_y:")[1].split()[0]) for line in done.stdout.decode().splitlines() if "psnr_y:" in line
    )


def _picture(cells: bytes) -> Picture:
    bits = [cell > 127 for cell in cells[:CELLS]]
    right = all(bits[place] != bits[12 + place] for place in range(CELLS - 12))
    number = 0
    for bit in reversed(bits[:12]):
        number = number * 2 + (bit != number % 2)
    return Picture(number if right else None, cells[CELLS * (_ROWS // 2) + CELLS // 2] > 127)


def _ffmpeg(*arguments: str) -> "subprocess.CompletedProcess[bytes]":
    argv = [ffmpeg_path(), "-hide_banner", "-nostdin", "-v", "error", *arguments]
    return subprocess.run(argv, capture_output=True, check=True)
