"""Encrypted outputs of a film with two sounds in two sizes: players and ffmpeg see and hear what is in the clear one."""

import os
import subprocess
from dataclasses import dataclass
from pathlib import Path

import pytest
from PIL import Image, ImageChops, ImageStat

from checker.reading import read_presentation
from checker.report import as_text
from checker.rules import apply_rules
from services.uploader.compliance import check_presentation
from services.uploader.finish import playlists
from services.uploader.manifest.playlists import multivariant_playlist
from shared.encryption.keys import ContentKey
from shared.encryption.protection import Protection
from shared.encryption.request import System
from shared.encryption.signalling import signals_of, with_signals
from shared.media.layout import DASH, MULTIVARIANT
from shared.media.tools import ffmpeg_path
from tests.support.clips import made
from tests.support.encrypted import CONTENT, KEY_FILE, content_key, protection
from tests.support.parts import encode, fetched
from tests.support.player import Keyed, Still, play_keyed, require_player
from tests.support.published import publish, served

ALL = os.environ.get("CORPUS") == "all"
"""`make corpus` plays all that there is to play; `make test` each player once."""

KEY = content_key()
SEPARATE = content_key("audio", 1), content_key("video", 2)
KEYS = {KEY.kid.hex(): KEY.key.hex()}
BOTH = {key.kid.hex(): key.key.hex() for key in SEPARATE}
FOLDERS = ("144p", "360p", "audio/0-en", "audio/1-de")
# The second one is in the second segment, and so in another part.
STILLS = [Still(144, "en", 2.04), Still(360, "de", 9.0)]


@dataclass(frozen=True)
class Outputs:
    """The folder with the outputs ``clear``, ``cbcs``, ``separate`` (the same with two keys) and ``aes-128``."""

    root: Path


@pytest.fixture(scope="module")
def outputs(tmp_path_factory: pytest.TempPathFactory) -> Outputs:
    inputs = [f"testsrc2=s=640x360:r=25:d={12}", *(f"sine={tone}:r=48000:d=12" for tone in (500, 900))]
    sources = [argument for text in inputs for argument in ("-f", "lavfi", "-i", text)]
    maps = ("-map", "0", "-map", "1", "-map", "2", "-metadata:s:a:0", "language=eng", "-metadata:s:a:1", "language=deu")
    codecs = ("-c:v", "libx264", "-preset", "ultrafast", "-c:a", "aac")
    film, root = made("two-sounds.mp4", *sources, *maps, *codecs), tmp_path_factory.mktemp("outputs")
    event, whole = fetched(film, ("144p", "360p")), protection("aes-128")
    sampled, separate = told_of(KEY), told_of(*SEPARATE)
    plain = encode(event, film, root / "work")
    mapped = encode(event.encrypted(sampled), film, root / "mapped")
    publish(plain, root / "clear")
    for name, told, parts in (("aes-128", whole, plain), ("cbcs", sampled, mapped), ("separate", separate, mapped)):
        stream = publish(parts, root / name, told, [KEY, *SEPARATE])
        documents = playlists(stream) | {MULTIVARIANT: multivariant_playlist(stream).encode()}
        assert check_presentation(stream, documents).ok
    (root / KEY_FILE).write_bytes(KEY.key)
    return Outputs(root)


def told_of(*keys: ContentKey) -> Protection:
    """What a job's log says of keys for samples, for players of three systems."""
    systems: tuple[System, ...] = ("widevine", "fairplay", "clearkey")
    told = tuple(with_signals(key, [signals_of(system, key) for system in systems]) for key in keys)
    return Protection(scheme="cbcs", content_id=CONTENT, keys=told)


@pytest.mark.parametrize("name", ["cbcs", "separate", "aes-128"])
async def test_the_checker_finds_nothing(outputs: Outputs, name: str) -> None:
    async with served(outputs.root) as server:
        report = apply_rules(await read_presentation(str(server.make_url(f"/{name}/{MULTIVARIANT}"))))
    assert report.ok, as_text(report)


@pytest.mark.parametrize("folder", FOLDERS)
def test_ffmpeg_decrypts_every_frame(outputs: Outputs, folder: str) -> None:
    key = ("-decryption_key", KEY.key.hex())
    clear, encrypted = (
        frames_of(outputs.root / name / folder, *options) for name, options in (("clear", ()), ("cbcs", key))
    )
    assert clear == encrypted
    assert len(clear) >= 300
    assert frames_of(outputs.root / "cbcs" / folder, "-decryption_key", "00" * 16) != clear


async def test_players_show_and_sound_what_is_in_the_clear(outputs: Outputs, tmp_path: Path) -> None:
    require_player()
    async with served(outputs.root) as server:

        def stream(name: str, kind: str, path: str, keys: dict[str, str]) -> Keyed:
            return Keyed(name, kind, str(server.make_url(f"/{path}")), keys)  # type: ignore[arg-type]

        wrong = dict.fromkeys(KEYS, "00" * 16)
        streams = [
            stream("clear", "shaka", f"clear/{DASH}", {}),
            stream("shaka", "shaka", f"cbcs/{DASH}", KEYS),
            stream("hls", "hls", f"cbcs/{MULTIVARIANT}", KEYS),
            stream("dash", "dash", f"cbcs/{DASH}", KEYS),
            stream("hls-whole", "hls", f"aes-128/{MULTIVARIANT}", {}),
            stream("wrong", "shaka", f"cbcs/{DASH}", wrong),
        ]
        if ALL:
            streams += [
                *(
                    stream(f"separate-{kind}", kind, f"separate/{MULTIVARIANT if kind == 'hls' else DASH}", BOTH)
                    for kind in ("hls", "shaka", "dash")
                ),
                stream("shaka-hls", "shaka", f"cbcs/{MULTIVARIANT}", KEYS),
                stream("wrong-hls", "hls", f"cbcs/{MULTIVARIANT}", wrong),
            ]
        reports = await play_keyed(streams, STILLS, tmp_path)
    for name, report in reports.items():
        if name.startswith("wrong"):
            assert report["fatal"] and not report["ended"] and not report["sound"], (name, report)
            continue
        assert report["ended"] and report["fatal"] is None, (name, report)
        assert report["encrypted"] == (name not in ("clear", "hls-whole")), name
        assert [language for language, _ in report["sound"]] == ["en", "de"]
        for number in range(len(STILLS)):
            clear, found = (Image.open(tmp_path / f"{one}-{number}.png").convert("RGB") for one in ("clear", name))
            assert max(ImageStat.Stat(clear).stddev) > 50, "a picture with something in it"
            assert max(ImageStat.Stat(ImageChops.difference(clear, found)).mean) < 0.5, (name, number)


def frames_of(folder: Path, *options: str) -> list[str]:
    """A checksum of every decoded frame of a rendition."""
    body = (folder / "init.mp4").read_bytes() + b"".join(one.read_bytes() for one in sorted(folder.glob("*.m4s")))
    argv = [ffmpeg_path(), "-v", "quiet", *options, "-f", "mp4", "-i", "pipe:0", "-f", "framemd5", "-"]
    told = subprocess.run(argv, input=body, capture_output=True, check=False).stdout.decode()
    return [line.rpartition(",")[2].strip() for line in told.splitlines() if not line.startswith("#")]
