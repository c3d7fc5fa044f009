"""The sample entry of an initialization segment (``avc1``, ``mp4a`` …): finding a box in it, and replacing one. Pure."""

import struct

from shared.mp4.bmff import Box, boxes, find, sample_entry

VIDEO_ENTRY_BYTES = 78
AUDIO_ENTRY_BYTES = 28
"""Fields of an entry before the boxes in it (ISO/IEC 14496-12, 12.1.3 and 12.2.3)."""


def entry_box(init_segment: bytes, kind: bytes, fields: int) -> Box:
    """A box in the sample entry.

    Args:
        fields: bytes of the entry before its boxes.

    Raises:
        MalformedMedia: there is none.
    """
    entry = sample_entry(init_segment)
    return find(init_segment, kind, start=entry.body + fields, end=entry.end)


def with_box(init_segment: bytes, box: Box, replacement: bytes) -> bytes:
    """The segment with other bytes in place of a box of its sample entry, and the sizes of all boxes around set right."""
    growth = len(replacement) - (box.end - box.start)
    out = bytearray(init_segment)
    for outer in path_to_entry(init_segment):
        struct.pack_into(">I", out, outer.start, outer.end - outer.start + growth)
    out[box.start : box.end] = replacement
    return bytes(out)


def without_bitrate(init_segment: bytes, fields: int) -> bytes:
    """The segment without its ``btrt`` box: it repeats the encoder's settings, which two encoders do not word alike."""
    entry = sample_entry(init_segment)
    box = next((box for box in boxes(init_segment, entry.body + fields, entry.end) if box.kind == b"btrt"), None)
    return init_segment if box is None else with_box(init_segment, box, b"")


def path_to_entry(init_segment: bytes) -> list[Box]:
    """The boxes around the sample entry from the outermost to the entry itself."""
    path: list[Box] = []
    start, end = 0, len(init_segment)
    for kind in (b"moov", b"trak", b"mdia", b"minf", b"stbl", b"stsd"):
        path.append(find(init_segment, kind, start=start, end=end))
        start, end = path[-1].body, path[-1].end
    entry = next(boxes(init_segment, start + 8, end))
    return [*path, entry]
