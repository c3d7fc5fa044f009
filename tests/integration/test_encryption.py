"""Encryption of samples against Shaka Packager's, and what decrypts them, over what encoders can make of H.264."""

from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import NoReturn

import pytest

from services.transcoder import packaging
from shared.encryption.boxes import sample_encryption
from shared.encryption.cbcs import encrypt_segment
from shared.encryption.header import protected_header
from shared.encryption.protection import ProtectedKey, Protection
from shared.errors import PermanentError
from shared.media.codecs.codec import VideoCodec
from shared.media.codecs.h264 import H264
from shared.media.codecs.h264_sets import UnknownSyntax
from shared.media.codecs.table import codec_of
from shared.mp4.bmff import Movie, find, read_movie, sample_entry, write_fragment
from shared.mp4.subsamples import Spans
from tests.support.captioned import captioned, pair
from tests.support.clips import made, numbered, x264
from tests.support.judge import (
    KEY,
    frame_sums,
    packager_decrypts,
    packager_encrypts,
    read_encrypted,
)
from tests.support.parts import Encoded, encode, fetched

PUBLIC_KEY = ProtectedKey(tracks="all", kid=KEY.kid.hex(), iv=KEY.iv.hex())
FRAGMENTED = ("-movflags", "frag_keyframe+empty_moov+default_base_moof", "-f", "mp4")
BUSY = "testsrc2=s=256x144:r=25:d=1,noise=alls=20:allf=t"
FADING = "testsrc2=s=256x144:r=25:d=1,fade=in:0:12,fade=out:12:12"
STILL = "color=gray:s=320x240:r=25:d=1"


def video(source: str, parameters: str, *options: str, pixels: str = "yuv420p") -> Path:
    """A fragmented file of one track of video."""
    encoder = ("-c:v", "libx264", "-pix_fmt", pixels, *options, "-x264-params", f"keyint=13:threads=1:{parameters}")
    return made("encoded.mp4", "-f", "lavfi", "-i", source, *encoder, *FRAGMENTED)


def sound() -> Path:
    """A fragmented file of one track of audio."""
    return made("encoded.mp4", "-f", "lavfi", "-i", "sine=f=440:d=1", "-c:a", "aac", *FRAGMENTED)


def captions() -> Path:
    """Pictures with captions in their SEI."""
    clip = captioned("25", 1, lambda number: [pair(number)])
    return made("encoded.mp4", "-i", str(clip), "-c", "copy", *FRAGMENTED)


MAIN = "weightp=2:weightb=1:bframes=3:b-adapt=0"
CASES = {
    "cavlc": lambda: video(BUSY, "bframes=0", "-preset", "ultrafast"),
    "cabac with weights": lambda: video(FADING, MAIN, "-preset", "medium"),
    "weights of many references": lambda: video(FADING, f"{MAIN}:ref=16:b-pyramid=normal", "-preset", "medium"),
    "several slices": lambda: video(BUSY, f"{MAIN}:slices=4:ref=4:b-pyramid=normal"),
    "interlaced": lambda: video(BUSY, f"{MAIN}:tff=1:slices=2"),
    "no more than a few bytes": lambda: video(
        STILL, "aud=1:slices=6:bframes=3:qp=51:nal-hrd=cbr:vbv-maxrate=50:vbv-bufsize=50:bitrate=50"
    ),
    "baseline": lambda: video(BUSY, "aud=1:deblock=-2,1", "-profile:v", "baseline"),
    "no deblocking": lambda: video(BUSY, "no-deblock=1:bframes=2"),
    "intra refresh": lambda: video(BUSY, "intra-refresh=1:bframes=0"),
    "scaling lists": lambda: video(BUSY, "cqm=jvt:bframes=2"),
    "parameter sets in each sample": lambda: video(BUSY, "repeat-headers=1:sps-id=1"),
    "monochrome": lambda: video(FADING, MAIN, pixels="gray"),
    "full colour": lambda: video(FADING, f"{MAIN}:cqm=jvt", pixels="yuv444p"),
    "captions": captions,
    "audio": sound,
}


def laid_out(movie: Movie, data: bytes) -> tuple[bytes, list[Spans]]:
    """The fragments of a file laid out for encryption, and the maps of their samples."""
    codec = codec_of(movie.init_segment)
    is_video = isinstance(codec, VideoCodec)
    sample_map = codec.sample_map(movie.init_segment) if isinstance(codec, VideoCodec) else lambda _sample: ()
    segment, maps = b"", []
    shift = -min(min(fragment.offsets) for fragment in movie.fragments)
    for number, fragment in enumerate(movie.fragments, start=1):
        samples, place = [], fragment.data
        for size in fragment.sizes:
            samples.append(data[place : place + size])
            place += size
        found = [sample_map(sample) for sample in samples]
        segment += write_fragment(
            samples,
            duration=fragment.durations[0],
            decode_time=fragment.decode_time,
            sequence=number,
            offsets=[offset + shift for offset in fragment.offsets] if is_video else None,
            protection=partial(sample_encryption, found),
        )
        maps += found
    return segment, maps


@pytest.fixture(params=CASES)
def track(request: pytest.FixtureRequest) -> Path:
    path = CASES[request.param]()
    assert isinstance(path, Path)
    return path


def test_packager_makes_the_same_bytes_and_everybody_can_read_them(track: Path, tmp_path: Path) -> None:
    data = track.read_bytes()
    movie = read_movie(data)
    clear, maps = laid_out(movie, data)
    segment = encrypt_segment(clear, KEY)
    theirs_init, theirs = packager_encrypts(track)
    ours = read_encrypted(segment)
    assert ours.maps == theirs.maps == maps
    assert ours.map_sizes == theirs.map_sizes
    assert ours.payload == theirs.payload
    assert ours.payload != read_encrypted(clear).payload

    header = protected_header(movie.init_segment, PUBLIC_KEY)
    assert _box(header, b"sinf") == _box(theirs_init, b"sinf")
    file, plain = tmp_path / "encrypted.mp4", tmp_path / "decrypted.mp4"
    file.write_bytes(header + segment)
    expected = tmp_path / "clear.mp4"
    expected.write_bytes(movie.init_segment + clear)
    sums = frame_sums(expected)
    assert sums == frame_sums(track)
    assert frame_sums(file, "-decryption_key", KEY.key.hex()) == sums
    packager_decrypts(file, plain)
    assert frame_sums(plain) == sums


def _box(init_segment: bytes, kind: bytes) -> bytes:
    entry = sample_entry(init_segment)
    fields = 78 if entry.kind == b"encv" else 28
    box = find(init_segment, kind, start=entry.body + fields, end=entry.end)
    return init_segment[box.start : box.end]


def test_tiny_slices_have_nothing_to_encrypt() -> None:
    data = CASES["no more than a few bytes"]().read_bytes()
    _, maps = laid_out(read_movie(data), data)
    assert any(0 < protected < 16 for spans in maps for _, protected in spans)
    assert any(len(spans) > 5 for spans in maps)


@dataclass(frozen=True)
class Twice:
    """A clip that was encoded twice, without protection and with it."""

    plain: Encoded
    protected: Encoded


@pytest.fixture(scope="module")
def twice(tmp_path_factory: pytest.TempPathFactory) -> Twice:
    clip = numbered("25", seconds=8, encoder=(*x264("bframes=3"),))
    event, root = fetched(clip), tmp_path_factory.mktemp("jobs")
    protection = Protection(scheme="cbcs", content_id="a" * 32, keys=(PUBLIC_KEY,))
    protected = event.model_copy(update={"protection": protection})
    return Twice(encode(event, clip, root / "plain"), encode(protected, clip, root / "protected"))


@pytest.mark.parametrize("kind", ["video", "audio"])
def test_the_parts_of_a_protected_job(twice: Twice, kind: str, tmp_path: Path) -> None:
    assert {record.layout for record in twice.plain.results.values()} == {"clear"}
    assert {record.layout for record in twice.protected.results.values()} == {"cbcs"}
    folder = "144p" if kind == "video" else twice.plain.plan.audio[0].folder
    sums = frame_sums(twice.plain.join(folder))
    assert len(sums) > 100
    # Laid out, it is still what any player plays.
    assert frame_sums(twice.protected.join(folder)) == sums
    tables = [table for _, table in twice.protected.tracks(folder)]
    encrypted = [encrypt_segment(path.read_bytes(), KEY) for path in twice.protected.segments(folder)]
    assert [len(segment) for segment in encrypted] == [size for table in tables for size in table.sizes]
    file = tmp_path / "encrypted.mp4"
    file.write_bytes(protected_header(tables[0].init, PUBLIC_KEY) + b"".join(encrypted))
    assert frame_sums(file, "-decryption_key", KEY.key.hex()) == sums
    assert frame_sums(file, "-decryption_key", "0" * 32) != sums


def test_the_range_of_an_i_frame_decrypts_alone(twice: Twice, tmp_path: Path) -> None:
    [(_, table), *_] = twice.protected.tracks("144p")
    segment = encrypt_segment(twice.protected.segments("144p")[0].read_bytes(), KEY)
    offset, length, _ = table.iframes[0][1]
    file = tmp_path / "picture.mp4"
    file.write_bytes(protected_header(table.init, PUBLIC_KEY) + segment[offset : offset + length])
    pictures = frame_sums(file, "-decryption_key", KEY.key.hex())
    assert pictures[0] == frame_sums(twice.plain.join("144p"))[twice.plain.plan.gop_frames]


def test_a_stream_that_is_not_known_ends_the_job(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Of an encoder that writes what is not read here nothing is kept, and the reason is told."""

    def refuse(_init_segment: bytes) -> NoReturn:
        raise UnknownSyntax("slice groups")

    monkeypatch.setattr(packaging, "video_codec", lambda _name: replace(H264, sample_map=refuse))
    clip = numbered("25", seconds=8, encoder=(*x264("bframes=3"),))
    event = fetched(clip)
    encode(event, clip, tmp_path / "plain")
    protection = Protection(scheme="cbcs", content_id="a" * 32, keys=(PUBLIC_KEY,))
    with pytest.raises(PermanentError, match="slice groups") as failed:
        encode(event.model_copy(update={"protection": protection}), clip, tmp_path / "protected")
    assert failed.value.code == "encode_failed"
    assert not list((tmp_path / "protected").rglob("video_*.m4s"))
