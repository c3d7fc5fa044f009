"""Encryption by the rules of the standard, written out block by block; and what is refused."""

import os
import struct

import pytest
from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes
from cryptography.hazmat.primitives.padding import PKCS7
from hypothesis import given
from hypothesis import strategies as st

from shared.encryption.boxes import MapTooLong, read_sample_encryption, sample_encryption
from shared.encryption.cbcs import encrypt_segment
from shared.encryption.header import protected_header
from shared.encryption.keys import ContentKey
from shared.encryption.protection import ProtectedKey
from shared.encryption.whole import encrypt_whole, encrypted_size
from shared.mp4.bmff import MalformedMedia, boxes, find, read_fragments, sample_entry, write_fragment
from shared.mp4.subsamples import Spans, SubsampleMap
from tests.support.boxes import audio_entry, box, init_segment

KEY = ContentKey(tracks="all", kid=bytes(range(16)), iv=bytes(range(32, 48)), key=bytes(range(64, 80)))
PUBLIC = ProtectedKey.model_validate(
    {"tracks": "all", "kid": KEY.kid.hex(), "iv": KEY.iv.hex(), "pssh": ["AAAADHBzc2gBAgME", "AAAADHBzc2gFBgcI"]}
)
MAPS = st.lists(st.tuples(st.integers(0, 70), st.integers(0, 400)), min_size=1, max_size=4).map(tuple)


def fragment(samples: list[bytes], maps: list[Spans]) -> bytes:
    return write_fragment(
        samples,
        duration=1,
        decode_time=0,
        sequence=1,
        offsets=[0] * len(samples) if any(maps) else None,
        protection=lambda offset: sample_encryption(maps, offset),
    )


def block_by_block(sample: bytes, spans: Spans) -> bytes:
    """ISO/IEC 23001-7, 9.6 and 10.4.2, one block at a time."""
    out, position = b"", 0
    for clear, protected in spans:
        out += sample[position : position + clear]
        position += clear
        chain = KEY.iv
        for place in range(0, protected, 16):
            block = sample[position + place : position + min(place + 16, protected)]
            if len(block) == 16 and place // 16 % 10 == 0:
                whitened = bytes(left ^ right for left, right in zip(block, chain, strict=True))
                block = chain = Cipher(algorithms.AES(KEY.key), modes.ECB()).encryptor().update(whitened)
            out += block
        position += protected
    return out


@given(st.lists(MAPS, min_size=1, max_size=5))
def test_one_block_of_ten_is_encrypted_in_each_span(maps: list[Spans]) -> None:
    samples = [os.urandom(sum(map(sum, spans))) for spans in maps]
    segment = fragment(samples, maps) + fragment(samples[:1], maps[:1])
    encrypted = encrypt_segment(segment, KEY)
    expected = [block_by_block(sample, spans) for sample, spans in zip(samples, maps, strict=True)]
    assert encrypted == segment.replace(b"".join(samples), b"".join(expected)).replace(samples[0], expected[0])


@given(st.lists(st.binary(min_size=1, max_size=100), min_size=1, max_size=5))
def test_samples_without_maps_are_encrypted_but_for_what_is_no_block(samples: list[bytes]) -> None:
    encrypted = encrypt_segment(fragment(samples, [()] * len(samples)), KEY)
    expected = b""
    for sample in samples:
        whole = len(sample) // 16 * 16
        expected += Cipher(algorithms.AES(KEY.key), modes.CBC(KEY.iv)).encryptor().update(sample[:whole])
        expected += sample[whole:]
    assert encrypted.endswith(b"mdat" + expected)


@given(st.lists(MAPS, min_size=1, max_size=5))
def test_maps_are_read_as_they_were_written(maps: list[Spans]) -> None:
    samples = [bytes(sum(map(sum, spans))) for spans in maps]
    segment = fragment(samples, maps)
    [(traf, read)] = read_fragments(segment)
    assert read_sample_encryption(segment, traf, len(samples)) == maps
    assert read.sizes == tuple(map(len, samples))
    # What saio points at is the map of the first sample.
    saio = find(segment, b"saio", start=traf.body, end=traf.end)
    (offset,) = struct.unpack_from(">I", segment, saio.body + 8)
    assert struct.unpack_from(">H", segment, offset) == (len(maps[0]),)
    saiz = find(segment, b"saiz", start=traf.body, end=traf.end)
    alike, count = struct.unpack_from(">BI", segment, saiz.body + 4)
    told = [alike] * count if alike else list(segment[saiz.body + 9 : saiz.end])
    assert told == [2 + 6 * len(spans) for spans in maps]


@given(st.lists(st.tuples(st.integers(0, 150_000), st.integers(0, 3)), min_size=1, max_size=6))
def test_a_map_covers_its_sample_and_fits_its_fields(pieces: list[tuple[int, int]]) -> None:
    made = SubsampleMap()
    for clear, protected in pieces:
        made.add(clear, protected)
    spans = made.finished()
    assert sum(map(sum, spans)) == sum(map(sum, pieces))
    assert [protected for _, protected in spans if protected] == [protected for _, protected in pieces if protected]
    assert all(clear <= 0xFFFF for clear, _ in spans)


def test_a_map_of_more_spans_than_a_file_can_say_is_refused() -> None:
    assert sample_encryption([((1, 1),) * 42], 0)
    with pytest.raises(MapTooLong):
        sample_encryption([((1, 1),) * 43], 0)
    with pytest.raises(ValueError, match="without a map"):
        sample_encryption([((1, 1),), ()], 0)


def test_a_segment_that_is_not_laid_out_is_refused() -> None:
    clear = write_fragment([b"x" * 64], duration=1, decode_time=0, sequence=1)
    with pytest.raises(MalformedMedia, match="not laid out"):
        encrypt_segment(clear, KEY)
    with pytest.raises(MalformedMedia, match="without fragments"):
        encrypt_segment(box(b"styp", b"cmfs"), KEY)


@pytest.mark.parametrize(
    ("maps", "reason"),
    [
        ([((5, 50),)], "does not fit"),
        ([((5, 70),)], "does not fit"),
        ([((5, 59),), ((5, 59),)], "2 samples instead of 1"),
    ],
)
def test_maps_that_do_not_fit_are_refused(maps: list[Spans], reason: str) -> None:
    segment = write_fragment(
        [b"x" * 64],
        duration=1,
        decode_time=0,
        sequence=1,
        offsets=[0],
        protection=lambda offset: sample_encryption(maps, offset),
    )
    with pytest.raises(MalformedMedia, match=reason):
        encrypt_segment(segment, KEY)


def test_the_header_says_how_samples_are_encrypted() -> None:
    clear = init_segment()
    header = protected_header(clear, PUBLIC)
    entry = sample_entry(header)
    assert entry.kind == b"encv"
    *inner, sinf = boxes(header, entry.body + 78, entry.end)
    assert [each.kind for each in inner] == [b"avcC", b"pasp"]
    info = header[sinf.start : sinf.end]
    assert info.hex() == (
        "00000061" "73696e66" "0000000c" "66726d61" "61766331" "00000014" "7363686d" "00000000" "63626373" "00010000"
        "00000039" "73636869" "00000031" "74656e63" "01000000" "00190100" + KEY.kid.hex() + "10" + KEY.iv.hex()
    )  # fmt: skip
    movie = find(header, b"moov")
    *_, first, second = boxes(header, movie.body, movie.end)
    assert header[first.start : second.end] == b"".join(PUBLIC.pssh)
    assert movie.end == len(header) == len(clear) + len(info) + sum(map(len, PUBLIC.pssh))


def test_of_audio_all_is_encrypted() -> None:
    header = protected_header(init_segment(audio_entry(), timescale=48_000), PUBLIC)
    entry = sample_entry(header)
    assert entry.kind == b"enca"
    sinf = find(header, b"sinf", start=entry.body + 28, end=entry.end)
    assert header[sinf.start + 16 : sinf.start + 20] == b"mp4a"
    assert bytes.fromhex("74656e63" "01000000" "00000100") in header  # fmt: skip


def test_what_is_encrypted_is_not_encrypted_again() -> None:
    with pytest.raises(MalformedMedia, match="encv"):
        protected_header(protected_header(init_segment(), PUBLIC), PUBLIC)


@given(st.binary(max_size=100))
def test_whole_segments_are_padded_and_encrypted(body: bytes) -> None:
    encrypted = encrypt_whole(body, KEY)
    assert len(encrypted) == encrypted_size(len(body))
    opened = Cipher(algorithms.AES(KEY.key), modes.CBC(KEY.iv)).decryptor().update(encrypted)
    stripped = PKCS7(128).unpadder()
    assert stripped.update(opened) + stripped.finalize() == body
