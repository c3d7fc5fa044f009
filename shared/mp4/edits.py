"""What of a track is presented: edit lists, and what the decoder of audio needs before (ISO/IEC 14496-12, 8.6.6 and 10.1). Pure.

A packet of AAC overlaps with the one before it, so the first sample of content needs a packet that holds none: the priming.
An edit list hides it, and a sample group says that every packet needs the one before. Apple calls the two together explicit
priming (QuickTime File Format, "Audio priming") and takes 2,112 samples for granted where the group is missing.
"""

import struct

from shared.mp4.bmff import boxes, find, with_box_replaced

_TABLE = (b"moov", b"trak", b"mdia", b"minf", b"stbl")
_ROLL = b"roll"


def with_edit(init_segment: bytes, media_time: int) -> bytes:
    """An initialization segment with an edit list that makes ``media_time`` (ticks) the start of the presentation.

    That is how a track with B-frames begins at zero: decode times cannot be negative, so composition times begin later,
    and the edit list takes the difference back. Of audio it hides what is decoded before the content.
    """
    edit = struct.pack(">I4sIIIiI", 28, b"elst", 0, 1, 0, media_time, 1 << 16)
    edits = struct.pack(">I4s", 8 + len(edit), b"edts") + edit
    place = find(init_segment, b"moov", b"trak", b"tkhd").end
    return with_box_replaced(init_segment, (b"moov", b"trak"), place, place, edits)


def without_edit(init_segment: bytes) -> bytes:
    """The same without its edit list, if it has one: composition times are the times of the presentation."""
    track = find(init_segment, b"moov", b"trak")
    edits = next((box for box in boxes(init_segment, track.body, track.end) if box.kind == b"edts"), None)
    return with_box_replaced(init_segment, (b"moov", b"trak"), edits.start, edits.end, b"") if edits else init_segment


def with_preroll(init_segment: bytes, frames: int) -> bytes:
    """An initialization segment with a sample group for samples that need so many others decoded before them."""
    described = struct.pack(">I4sI4sIIh", 26, b"sgpd", 1 << 24, _ROLL, 2, 1, -frames)
    place = find(init_segment, *_TABLE).end
    return with_box_replaced(init_segment, _TABLE, place, place, described)


def preroll_group(samples: int) -> bytes:
    """The box by which all of a fragment's samples, so many, are in the group of :func:`with_preroll`."""
    return struct.pack(">I4sI4sIII", 28, b"sbgp", 0, _ROLL, 1, samples, 1)
