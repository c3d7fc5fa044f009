"""CMAF (ISO/IEC 23000-19): what it asks of headers and segments beyond what ffmpeg writes. Pure.

The structural brand is ``cmfc``: ``cmf2`` would forbid the edit list by which video with B-frames begins at zero.
"""

import struct

from shared.mp4.bmff import MalformedMedia, find, sample_entry
from shared.mp4.entry import AUDIO_ENTRY_BYTES, entry_box

_FILE_BRANDS = (b"iso6", b"cmfc", b"mp41")
_SEGMENT_BRANDS = (b"msdh", b"iso6", b"cmfc", b"cmfs")
_LAST_SEGMENT = b"lmsg"
_STREAM_DESCRIPTOR = 3
# Offset of alternate_group in a track header, behind its times (ISO/IEC 14496-12, 8.3.2), by the version of the box.
_ALTERNATE_GROUP = {0: 34, 1: 46}


def segment_type(*, last: bool) -> bytes:
    """The ``styp`` box that a segment begins with: a media segment that is a CMAF segment, and whether none comes after it."""
    return _brands(b"styp", (*_SEGMENT_BRANDS, *((_LAST_SEGMENT,) if last else ())))


def cmaf_header(init_segment: bytes) -> bytes:
    """An initialization segment that is a CMAF header.

    Its brand says so, the track is in no group of alternatives, and the ES_ID of MPEG-4 audio is 0 as files have it (ISO/IEC
    14496-14, 3.1.2). What is one already stays as it is.

    Raises:
        MalformedMedia: it is no initialization segment.
    """
    movie = find(init_segment, b"moov")
    out = bytearray(init_segment)
    header = find(init_segment, b"moov", b"trak", b"tkhd")
    place = header.body + _ALTERNATE_GROUP[out[header.body] & 1]
    out[place : place + 2] = bytes(2)
    entry = sample_entry(init_segment)
    if entry.kind == b"mp4a":
        place = _es_id(init_segment)
        out[place : place + 2] = bytes(2)
    return _brands(b"ftyp", _FILE_BRANDS) + bytes(out[movie.start : movie.end])


def _es_id(init_segment: bytes) -> int:
    """Offset of the ES_ID: behind version and flags, the tag of a descriptor and its length."""
    box = entry_box(init_segment, b"esds", AUDIO_ENTRY_BYTES)
    place = box.body + 4
    if init_segment[place] != _STREAM_DESCRIPTOR:
        raise MalformedMedia("no descriptor of an elementary stream")
    place += 1
    while init_segment[place] & 0x80:
        place += 1
    return place + 1


def _brands(kind: bytes, brands: tuple[bytes, ...]) -> bytes:
    """A box of brands, of which the first is the major one."""
    return struct.pack(">I4s4sI", 16 + 4 * len(brands), kind, brands[0], 0) + b"".join(brands)
