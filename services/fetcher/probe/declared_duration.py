"""The duration that an audio file declares, where ffprobe only knows the duration of what is there. Pure."""

import re
import struct
from fractions import Fraction

from services.fetcher.probe.streams import Stream

# Bits as they are, or one byte for each sample: only then do bytes stand for seconds.
_PLAIN_WAV = frozenset({1, 3, 6, 7, 0xFFFE})
# Writers that cannot go back leave one of these marks, more or less what the header needs.
_UNKNOWN_SIZES = (range(0x7FFFF000, 0x80000001), range(0xFFFFF000, 0x100000000))
_FRAME_HEAD = 64
_XING = re.compile(rb"(?:Xing|Info)\0\0\0(.)(.{4})", re.DOTALL)
_VBRI = re.compile(rb"VBRI.{10}(.{4})", re.DOTALL)
_MPEG_1 = 0x18


TELLS_WHAT_IS_LEFT = frozenset({"wav", "mp3", "caf"})
"""Demuxers by which ffprobe tells the length of what is there, or reckons one from the size of the file."""


def declared_by_audio(demuxer: str, head: bytes, stream: Stream) -> Fraction | None:
    """Seconds that a file of one of these declares, None where it does not.

    Args:
        head: first bytes of the file, without tags. stream: its sound.
    """
    if demuxer == "wav":
        return wav_seconds(head)
    rate = int(stream.get("sample_rate") or 0)
    count = mp3_samples(head) if demuxer == "mp3" else int(stream.get("nb_frames") or 0)
    return Fraction(count, rate) if count and rate else None


def wav_seconds(head: bytes) -> Fraction | None:
    """Length of the sound by the sizes in a WAVE file's header; None where it is not told there in the plain."""
    block, rate, large, place = 0, 0, 0, 12
    while place + 24 <= len(head):
        kind, size = struct.unpack_from("<4sI", head, place)
        body = place + 8
        if kind == b"ds64":
            (large,) = struct.unpack_from("<Q", head, body + 8)
        elif kind == b"fmt ":
            form, _channels, rate, _bytes, block = struct.unpack_from("<HHIIH", head, body)
            if form not in _PLAIN_WAV:
                return None
        elif kind == b"data":
            size = large or (0 if any(size in sizes for sizes in _UNKNOWN_SIZES) else size)
            return Fraction(size // block, rate) if size and block and rate else None
        place = body + size + size % 2
    return None


def mp3_samples(head: bytes) -> int:
    """Samples by the number of frames in the first frame, as encoders of variable rate write it; 0 where it is not told."""
    first = head[:_FRAME_HEAD]
    xing, vbri = _XING.search(first), _VBRI.search(first)
    counted = (xing[2] if xing and xing[1][0] & 1 else None) or (vbri[1] if vbri else None)
    if counted is None:
        return 0
    return int.from_bytes(counted, "big") * (1152 if first[1] & _MPEG_1 == _MPEG_1 else 576)
