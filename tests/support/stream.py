"""Reads a finished stream the way a player does: master playlist, media playlists, headers and segments, over HTTP."""

import re
import subprocess
from dataclasses import dataclass, field
from itertools import pairwise
from pathlib import Path
from urllib.parse import urljoin

import aiohttp

from shared.media.tools import ffmpeg_path, ffprobe_path

_ATTRIBUTE = re.compile(r'([A-Z0-9-]+)=("[^"]*"|[^,]*)')


def attributes(line: str) -> dict[str, str]:
    """The attribute list of a playlist tag."""
    return {name: value.strip('"') for name, value in _ATTRIBUTE.findall(line.partition(":")[2])}


@dataclass(frozen=True)
class Media:
    """A media playlist: its lines, the URL of its initialization segment, and its segments with their EXTINF durations in seconds."""

    url: str
    text: str
    init_segment: str
    segments: tuple[tuple[str, float], ...]

    @property
    def names(self) -> tuple[str, ...]:
        """Names of the segments."""
        return tuple(url.rpartition("/")[2] for url, _ in self.segments)

    @property
    def durations(self) -> tuple[float, ...]:
        """EXTINF values, seconds."""
        return tuple(seconds for _, seconds in self.segments)


@dataclass(frozen=True)
class Variant:
    """A variant of the master playlist with its media playlist."""

    attributes: dict[str, str]
    media: Media


@dataclass
class Stream:
    """Everything that a master playlist leads to."""

    url: str
    text: str
    variants: list[Variant] = field(default_factory=list)
    audio: list[Variant] = field(default_factory=list)
    subtitles: list[Variant] = field(default_factory=list)
    iframes: list[Variant] = field(default_factory=list)

    def variant(self, resolution: str) -> Variant:
        """The variant of a resolution, by its folder."""
        return next(variant for variant in self.variants if f"/{resolution}/" in variant.media.url)


async def read_stream(http: aiohttp.ClientSession, master_url: str) -> Stream:
    """Read master and media playlists; every one of them has to answer 200."""
    stream = Stream(master_url, await get_text(http, master_url))
    lines = stream.text.splitlines()
    for number, line in enumerate(lines):
        if line.startswith("#EXT-X-STREAM-INF:"):
            media = await _media(http, urljoin(master_url, lines[number + 1]))
            stream.variants.append(Variant(attributes(line), media))
        elif line.startswith(("#EXT-X-MEDIA:", "#EXT-X-I-FRAME-STREAM-INF:")) and "URI" in attributes(line):
            found = Variant(attributes(line), await _media(http, urljoin(master_url, attributes(line)["URI"])))
            lists = {"AUDIO": stream.audio, "SUBTITLES": stream.subtitles}
            lists.get(attributes(line).get("TYPE", ""), stream.iframes).append(found)
    return stream


async def download(http: aiohttp.ClientSession, media: Media, folder: Path) -> Path:
    """Header and segments of a media playlist joined into one file; every URI has to answer 200."""
    file = folder / (media.url.rpartition("/")[0].rpartition("/")[2] + ".mp4")
    with file.open("wb") as out:
        for url in (media.init_segment, *(url for url, _ in media.segments)):
            async with http.get(url) as response:
                assert response.status == 200, (url, response.status)
                out.write(await response.read())
    return file


@dataclass(frozen=True)
class Packet:
    """A packet: presentation and decode time and duration in seconds, and whether it is a key frame."""

    pts: float
    dts: float
    duration: float
    key: bool


def packets(file: Path) -> list[Packet]:
    """All packets of the first stream of a file, in decode order."""
    command = [ffprobe_path(), "-v", "error", "-select_streams", "0", "-show_entries"]
    command += ["packet=pts_time,dts_time,duration_time,flags", "-of", "csv=p=0", str(file)]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    rows = [line.split(",") for line in done.stdout.split()]
    return [Packet(float(row[0]), float(row[1]), float(row[2]), "K" in row[3]) for row in rows]


def decode_complaints(file: Path, *, key: bytes = b"") -> str:
    """What ffmpeg says at warning level when it decodes a file from end to end; empty for a good one.

    Args:
        key: of encrypted samples.
    """
    decryption = ["-decryption_key", key.hex()] if key else []
    done = subprocess.run(
        [ffmpeg_path(), "-v", "warning", "-nostdin", *decryption, "-i", str(file), "-f", "null", "-"],
        capture_output=True,
        text=True,
        check=False,
    )
    return done.stderr + ("" if done.returncode == 0 else f"\nexit status {done.returncode}")


def frame_digests(file: Path, *, key: bytes = b"") -> list[str]:
    """A line for each decoded picture, or piece of sound, with its time and MD5.

    Args:
        key: of encrypted samples.
    """
    decryption = ["-decryption_key", key.hex()] if key else []
    done = subprocess.run(
        [ffmpeg_path(), "-v", "error", "-nostdin", *decryption, "-i", str(file), "-f", "framemd5", "-"],
        capture_output=True,
        text=True,
        check=True,
    )
    return [line for line in done.stdout.splitlines() if not line.startswith("#")]


def seams(times: list[Packet]) -> list[float]:
    """Gaps (positive) and overlaps (negative) between packets in presentation order, seconds, larger than rounding."""
    shown = sorted(times, key=lambda packet: packet.pts)
    steps = [late.pts - (early.pts + early.duration) for early, late in pairwise(shown)]
    return [step for step in steps if abs(step) > 2e-4]


async def get_text(http: aiohttp.ClientSession, url: str) -> str:
    """A text over HTTP; anything but 200 is a failure."""
    async with http.get(url) as response:
        assert response.status == 200, (url, response.status)
        return await response.text()


async def _media(http: aiohttp.ClientSession, url: str) -> Media:
    text = await get_text(http, url)
    init_segment, seconds, segments = "", 0.0, []
    for line in text.splitlines():
        if line.startswith("#EXT-X-MAP:"):
            init_segment = urljoin(url, attributes(line)["URI"])
        elif line.startswith("#EXTINF:"):
            seconds = float(line.partition(":")[2].split(",")[0])
        elif line and not line.startswith("#"):
            segments.append((urljoin(url, line), seconds))
    return Media(url, text, init_segment, tuple(segments))
