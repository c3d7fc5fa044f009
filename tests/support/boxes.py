"""Small fragmented files of one track, put together by hand."""

import struct

SPS, PPS = bytes.fromhex("67640015acd9"), bytes.fromhex("68ebe3cb22c0")


def box(kind: bytes, *payload: bytes) -> bytes:
    """A box."""
    body = b"".join(payload)
    return struct.pack(">I4s", 8 + len(body), kind) + body


def full(kind: bytes, version: int, flags: int, *payload: bytes) -> bytes:
    """A box with version and flags."""
    return box(kind, struct.pack(">I", version << 24 | flags), *payload)


def avc_config(sequence: list[bytes], picture: list[bytes]) -> bytes:
    """An ``avcC`` of High profile, 4:2:0, 8 bits."""
    sets = bytes([0xE0 | len(sequence)]) + b"".join(struct.pack(">H", len(unit)) + unit for unit in sequence)
    sets += bytes([len(picture)]) + b"".join(struct.pack(">H", len(unit)) + unit for unit in picture)
    return box(b"avcC", bytes([1, *sequence[0][1:4], 0xFF]), sets, b"\xfd\xf8\xf8\x00")


def video_entry(config: bytes) -> bytes:
    """An ``avc1`` sample entry."""
    return box(b"avc1", bytes(6) + b"\0\1" + bytes(70), config, box(b"pasp", struct.pack(">II", 1, 1)))


def audio_entry(specific: bytes = b"\x11\x90") -> bytes:
    """An ``mp4a`` sample entry with an AudioSpecificConfig."""
    decoder = (
        b"\x04"
        + bytes([13 + 2 + len(specific)])
        + b"\x40\x15"
        + bytes(11)
        + b"\x05"
        + bytes([len(specific)])
        + specific
    )
    descriptor = b"\x03" + bytes([3 + len(decoder) + 3]) + b"\0\1\0" + decoder + b"\x06\x01\x02"
    return box(b"mp4a", bytes(6) + b"\0\1" + bytes(20), full(b"esds", 0, 0, descriptor))


def init_segment(
    entry: bytes | None = None, *, timescale: int = 25_000, extra: bytes = b"", default_duration: int = 0
) -> bytes:
    """``ftyp`` and ``moov``; ``extra`` goes to the end of the ``moov``."""
    sample_table = box(
        b"stbl", full(b"stsd", 0, 0, struct.pack(">I", 1), entry or video_entry(avc_config([SPS], [PPS])))
    )
    media = box(b"mdia", full(b"mdhd", 0, 0, struct.pack(">IIIHH", 0, 0, timescale, 0, 0)), box(b"minf", sample_table))
    track = box(b"trak", full(b"tkhd", 0, 3, bytes(80)), media)
    extends = box(b"mvex", full(b"trex", 0, 0, struct.pack(">IIIII", 1, 1, default_duration, 0, 0)))
    movie = box(b"moov", full(b"mvhd", 0, 0, bytes(96)), track, extends, extra)
    return box(b"ftyp", b"iso5", bytes(4), b"iso5") + movie


def raw_fragment(
    samples: list[bytes], *, decode_time: int, duration: int, offsets: list[int] | None = None, sync: bool = True
) -> bytes:
    """A fragment as ffmpeg writes it: every value for every sample; composition offsets may be negative."""
    values = b""
    for number, sample in enumerate(samples):
        flags = 0x02000000 if number == 0 and sync else 0x01010000
        values += struct.pack(">IIIi", duration, len(sample), flags, offsets[number] if offsets else 0)

    def made(offset: int) -> bytes:
        run = full(b"trun", 1, 0xF01, struct.pack(">Ii", len(samples), offset), values)
        time = full(b"tfdt", 1, 0, struct.pack(">Q", decode_time))
        head = full(b"tfhd", 0, 0x20000, struct.pack(">I", 1))
        return box(b"moof", full(b"mfhd", 0, 0, struct.pack(">I", 1)), box(b"traf", head, time, run))

    return made(len(made(0)) + 8) + box(b"mdat", *samples)
