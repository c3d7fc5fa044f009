"""The initialization segment of a track (``init.mp4``): what codec it declares, and the merging of those of several parts."""

import struct

from shared.mp4.bmff import Box, MalformedMedia, boxes, find, sample_entry

_VIDEO_ENTRY_BYTES = 78
_AUDIO_ENTRY_BYTES = 28


class InitSegmentConflict(ValueError):
    """Parts of one track have headers that do not go together."""


def codecs_of(init_segment: bytes) -> str:
    """The RFC 6381 codecs text, such as ``avc1.640028`` or ``mp4a.40.2``.

    Raises:
        MalformedMedia: the codec is none of ours.
    """
    entry = sample_entry(init_segment)
    if entry.kind == b"avc1":
        config = find(init_segment, b"avcC", start=entry.body + _VIDEO_ENTRY_BYTES, end=entry.end)
        return "avc1." + init_segment[config.body + 1 : config.body + 4].hex()
    if entry.kind == b"mp4a":
        return f"mp4a.40.{_audio_object_type(init_segment, entry)}"
    raise MalformedMedia(f"codec {entry.kind!r}")


def merge_init_segments(headers: list[bytes]) -> bytes:
    """One initialization segment for all parts of a track.

    As a rule they are the same bytes. Where one part was made by another encoder (a GPU failed and the CPU took over),
    their parameter sets have ids of their own, and the merged init_segment carries both; slices say which they use.

    Raises:
        InitSegmentConflict: they differ in anything else, or one id stands for two different parameter sets.
    """
    distinct = list(dict.fromkeys(headers))
    if len(distinct) == 1:
        return distinct[0]
    merged = distinct[0]
    for other in distinct[1:]:
        merged = _merge_two(merged, other)
    return merged


def without_bitrate(init_segment: bytes) -> bytes:
    """An initialization segment without its ``btrt`` box.

    It repeats the encoder's settings, which two encoders do not word alike.
    """
    entry = sample_entry(init_segment)
    inside = entry.body + (_VIDEO_ENTRY_BYTES if entry.kind == b"avc1" else _AUDIO_ENTRY_BYTES)
    box = next((box for box in boxes(init_segment, inside, entry.end) if box.kind == b"btrt"), None)
    if box is None:
        return init_segment
    out = bytearray(init_segment)
    for outer in _path_to_entry(init_segment):
        struct.pack_into(">I", out, outer.start, outer.end - outer.start - (box.end - box.start))
    del out[box.start : box.end]
    return bytes(out)


def parameter_sets(init_segment: bytes) -> tuple[list[bytes], list[bytes]]:
    """The sequence and picture parameter sets (NAL units) in an ``avc1`` init_segment."""
    config = _avc_config(init_segment)
    body = init_segment[config.body : config.end]
    sequence, position = _read_sets(body, 5, 0x1F)
    picture, _ = _read_sets(body, position, 0xFF)
    return sequence, picture


def _merge_two(first: bytes, second: bytes) -> bytes:
    config, other = _avc_config(first), _avc_config(second)
    if _blank(first, config) != _blank(second, other):
        raise InitSegmentConflict("headers of two parts differ in more than their parameter sets")
    sequence, picture = (
        _union(ours, theirs) for ours, theirs in zip(parameter_sets(first), parameter_sets(second), strict=True)
    )
    return _with_config(first, config, _profile_of_both(first[config.body :], second[other.body :]), sequence, picture)


def _profile_of_both(first: bytes, second: bytes) -> bytes:
    """Version, profile, constraints and level that hold for both (ISO/IEC 14496-15, 5.3.3.1.2)."""
    return bytes((first[0], first[1], first[2] & second[2], max(first[3], second[3])))


def _avc_config(init_segment: bytes) -> Box:
    entry = sample_entry(init_segment)
    if entry.kind != b"avc1":
        raise InitSegmentConflict(f"headers of a {entry.kind.decode('latin-1')} track differ")
    return find(init_segment, b"avcC", start=entry.body + _VIDEO_ENTRY_BYTES, end=entry.end)


def _read_sets(body: bytes, position: int, mask: int) -> tuple[list[bytes], int]:
    count = body[position] & mask
    position += 1
    found = []
    for _ in range(count):
        (size,) = struct.unpack_from(">H", body, position)
        found.append(body[position + 2 : position + 2 + size])
        position += 2 + size
    return found, position


def _union(ours: list[bytes], theirs: list[bytes]) -> list[bytes]:
    by_id: dict[int, bytes] = {}
    for unit in ours + theirs:
        number = _set_id(unit)
        if by_id.setdefault(number, unit) != unit:
            raise InitSegmentConflict(f"two different parameter sets have the id {number}")
    return list(by_id.values())


def _set_id(unit: bytes) -> int:
    """The id of a parameter set: the first Exp-Golomb number, after profile and level in a sequence parameter set."""
    kind = unit[0] & 0x1F
    payload = unit[4:] if kind == 7 else unit[1:]
    bits = "".join(f"{byte:08b}" for byte in payload[:8])
    zeros = len(bits) - len(bits.lstrip("0"))
    return int(bits[zeros : 2 * zeros + 1], 2) - 1


def _blank(init_segment: bytes, config: Box) -> tuple[bytes, bytes, bytes]:
    """The initialization segment without its parameter sets and without the sizes and summaries that depend on them."""
    resized = {box.start for box in _path_to_entry(init_segment)}
    out = bytearray(init_segment[: config.start])
    for start in resized:
        out[start : start + 4] = b"\0\0\0\0"
    return bytes(out), init_segment[config.body : config.body + 2], init_segment[config.end :]


def _with_config(
    init_segment: bytes, config: Box, profile: bytes, sequence: list[bytes], picture: list[bytes]
) -> bytes:
    # Lengths of four bytes, as ffmpeg writes them.
    body = bytearray(profile + b"\xff")
    body.append(0xE0 | len(sequence))
    for unit in sequence:
        body += struct.pack(">H", len(unit)) + unit
    body.append(len(picture))
    for unit in picture:
        body += struct.pack(">H", len(unit)) + unit
    if init_segment[config.body + 1] not in (66, 77, 88):
        # High profiles: chroma format 4:2:0, 8 bits of luma and chroma, no extension sets.
        body += bytes((0xFD, 0xF8, 0xF8, 0))
    growth = len(body) - (config.end - config.body)
    out = bytearray(init_segment)
    for box in _path_to_entry(init_segment):
        struct.pack_into(">I", out, box.start, box.end - box.start + growth)
    out[config.start : config.end] = struct.pack(">I4s", 8 + len(body), b"avcC") + body
    return bytes(out)


def _path_to_entry(init_segment: bytes) -> list[Box]:
    path: list[Box] = []
    start, end = 0, len(init_segment)
    for kind in (b"moov", b"trak", b"mdia", b"minf", b"stbl", b"stsd"):
        path.append(find(init_segment, kind, start=start, end=end))
        start, end = path[-1].body, path[-1].end
    entry = next(boxes(init_segment, start + 8, end))
    return [*path, entry]


def _audio_object_type(init_segment: bytes, entry: Box) -> int:
    """The audio object type out of ``esds``: the first five bits of the decoder specific info (tag 5)."""
    box = find(init_segment, b"esds", start=entry.body + _AUDIO_ENTRY_BYTES, end=entry.end)
    position = init_segment.index(b"\x05", box.body + 4 + 20)
    position += 1
    while init_segment[position] & 0x80:
        position += 1
    return init_segment[position + 1] >> 3
