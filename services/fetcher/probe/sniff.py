"""Which demuxer reads a file, told from its first bytes by a table of our own.

ffmpeg's guess is never asked: a playlist, a concat script or a session description would make it open what the content
names. What is not in the table is refused, with a sentence that says what it is where that can be told.
"""

import re
from collections.abc import Callable
from dataclasses import dataclass

from shared.errors import PermanentError

HEAD_BYTES = 64 * 1024
"""How much of a file's beginning :func:`sniff` wants to see; less is fine only when the file is shorter."""


@dataclass(frozen=True)
class _Magic:
    """``bytes`` at ``offset``; the first row that matches decides."""

    offset: int
    bytes: bytes
    name: str


_MOV_BOXES = (b"ftyp", b"moov", b"mdat", b"wide", b"free", b"skip", b"pnot", b"styp", b"moof", b"sidx", b"uuid")
_STILL_BRANDS = (b"heic", b"heix", b"heim", b"heis", b"mif1", b"avif")

_CONTAINERS = (
    *(_Magic(4, box, "mov") for box in _MOV_BOXES),
    _Magic(0, bytes.fromhex("1A45DFA3"), "matroska"),
    _Magic(0, b"FLV\x01", "flv"),
    _Magic(0, bytes.fromhex("3026B2758E66CF11A6D900AA0062CE6C"), "asf"),
    _Magic(0, bytes.fromhex("B7D800203749DA11A64E0007E95EAD8D"), "wtv"),
    _Magic(0, b"OggS", "ogg"),
    _Magic(0, b".RMF", "rm"),
    _Magic(0, b"GIF87a", "gif"),
    _Magic(0, b"GIF89a", "gif"),
    _Magic(0, bytes.fromhex("000001BA"), "mpeg"),
    _Magic(0, bytes.fromhex("000001B3"), "mpegvideo"),
    _Magic(0, bytes.fromhex("000001B0"), "m4v"),
    _Magic(0, b"DKIF\0\0", "ivf"),
    _Magic(0, b"nut/multimedia container\0", "nut"),
    _Magic(0, b"YUV4MPEG2 ", "yuv4mpegpipe"),
    _Magic(0, bytes.fromhex("1F0700BF"), "dv"),
    _Magic(0, bytes.fromhex("1F07003F"), "dv"),
    _Magic(0, bytes.fromhex("0000000001BC"), "gxf"),
    _Magic(0, bytes.fromhex("12000A"), "obu"),
)
_RIFF = {
    **{b"AVI ": "avi", b"AVIX": "avi", b"AVI\x19": "avi", b"CDXA": "mpeg"},
    **{b"WAVE": "wav", b"AIFF": "aiff", b"AIFC": "aiff"},
}
_MXF_PARTITION = bytes.fromhex("060E2B34020501010D010201")
_MXF_RUN_IN = 65536

# Signatures so short that texts may begin with them: looked at last.
_AUDIO = (
    _Magic(0, b"fLaC", "flac"),
    _Magic(0, bytes.fromhex("726966662E91CF11A5D628DB04C10000"), "w64"),
    _Magic(0, b"#!AMR", "amr"),
    _Magic(0, b"caff", "caf"),
    _Magic(0, b".snd", "au"),
    _Magic(0, b"MAC ", "ape"),
    _Magic(0, b"wvpk", "wv"),
    _Magic(0, b"TTA1", "tta"),
    _Magic(0, b"DSD ", "dsf"),
    _Magic(0, bytes.fromhex("7FFE8001"), "dts"),
    _Magic(0, b"MThd", "midi"),
    _Magic(0, b"ADIF", "adif"),
)
# Notes, and a form of AAC that nobody writes any more: ffmpeg has no demuxer of these names.
_UNREADABLE_AUDIO = frozenset({"midi", "adif"})
_AUDIO_ONLY = frozenset({"wav", "aiff", "mp3", "aac", "ac3", "eac3", *(row.name for row in _AUDIO)})
_TAG_HEAD = 10
_AC3_VERSIONS = 10

NO_MEDIA = "The input is neither a sound file nor a video that can be decoded."
SEND_MEDIA = "Send one, such as MP3, M4A, WAV, FLAC or MP4."
_OTHER = (
    _Magic(0, b"\xff\xd8\xff", "a picture (JPEG)"),
    _Magic(0, b"\x89PNG\r\n\x1a\n", "a picture (PNG)"),
    _Magic(0, b"BM", "a picture (BMP)"),
    _Magic(0, b"II*\0", "a picture (TIFF)"),
    _Magic(0, b"MM\0*", "a picture (TIFF)"),
    _Magic(0, b"8BPS", "a picture (PSD)"),
    _Magic(0, b"PK\x03\x04", "a ZIP archive or an office document"),
    _Magic(0, b"PK\x05\x06", "a ZIP archive"),
    _Magic(0, b"Rar!", "a RAR archive"),
    _Magic(0, b"7z\xbc\xaf\x27\x1c", "a 7z archive"),
    _Magic(0, b"\x1f\x8b", "a gzip archive"),
    _Magic(0, b"BZh", "a bzip2 archive"),
    _Magic(0, b"\xfd7zXZ\0", "an xz archive"),
    _Magic(257, b"ustar", "a tar archive"),
    _Magic(0, bytes.fromhex("D0CF11E0A1B11AE1"), "an office document"),
    _Magic(0, b"\x7fELF", "a program"),
    _Magic(0, b"MZ", "a program"),
)

# Texts that name other files or addresses. None of what they name is ever opened.
_PLAYLIST = re.compile(
    rb"#EXTM3U|#EXT-X-|\A\s*ffconcat|\A\s*\[playlist\]|\A\s*\[Reference\]|\A\s*\[InternetShortcut\]|<MPD[\s>]|"
    rb"<SmoothStreamingMedia|<asx[\s>]|<smil[\s>]|\A\s*v=0\r?\n\s*o=|\Arts?ptext|\A\s*(?:https?|rtsp|rtmp|mms)://",
    re.IGNORECASE,
)
_HTML = re.compile(
    rb"\A\s*(?:<!--.*?-->\s*)*<(?:!doctype\s+html|html|head|body|script|title)\b", re.IGNORECASE | re.DOTALL
)


def sniff(head: bytes, *, sound: bool = False) -> str:
    """The demuxer to read a file with, as ``-f`` of ffmpeg wants it.

    Args:
        head: the first :data:`HEAD_BYTES` of the file, or all of it.
        sound: the sound alone is wanted, so a sound file will do.

    Raises:
        PermanentError: ``input_empty``, ``input_not_video``, ``input_no_video_stream``, ``input_no_audio_stream`` or
            ``input_encrypted``.
    """
    if not head:
        raise PermanentError("input_empty")
    demuxer = next((name for tells in _TELLS if (name := tells(head))), None)
    if demuxer is None:
        _refuse_other(head)
        demuxer = _sound(head)
    if demuxer is None:
        raise PermanentError(
            "input_not_video",
            f"starts with {head[:16].hex(' ')}",
            cause=NO_MEDIA if sound else None,
            remedy=SEND_MEDIA if sound else None,
        )
    if demuxer in _AUDIO_ONLY and not sound:
        raise PermanentError("input_no_video_stream", f"a sound file ({demuxer})")
    if demuxer in _UNREADABLE_AUDIO:
        raise PermanentError("input_no_audio_stream", f"a sound file ({demuxer}) that is not supported")
    if demuxer == "mpegts" and _is_scrambled(head):
        raise PermanentError("input_encrypted", "the transport stream is scrambled")
    return demuxer


def tag_bytes(head: bytes) -> int:
    """Size of the ID3 tag that a file begins with, 0 without one. A tag with a cover may be larger than the head."""
    if not head.startswith(b"ID3") or len(head) < _TAG_HEAD:
        return 0
    size = 0
    for byte in head[6:_TAG_HEAD]:
        size = size << 7 | byte & 0x7F
    footer = _TAG_HEAD if head[5] & 0x10 else 0
    return _TAG_HEAD + size + footer


def _by_magic(head: bytes) -> str | None:
    if head[4:8] == b"ftyp" and head[8:12] in _STILL_BRANDS:
        raise not_video("a picture (HEIF or AVIF)")
    return next((row.name for row in _CONTAINERS if head.startswith(row.bytes, row.offset)), None)


def _riff(head: bytes) -> str | None:
    if head[:4] not in (b"RIFF", b"RIFX", b"RF64", b"BW64", b"FORM"):
        return None
    form = head[8:12]
    if form == b"WEBP":
        raise not_video("a picture (WebP)")
    return _RIFF.get(form)


def _transport_stream(head: bytes) -> str | None:
    """Sync bytes at the distance of packets: 188 bytes, 192 with a time code before each (M2TS), 204 with parity."""
    return "mpegts" if _packets(head) else None


def _packets(head: bytes) -> range | None:
    for size, first in ((188, 0), (192, 4), (204, 0)):
        for start in range(first, first + size):
            where = range(start, min(len(head), start + 40 * size), size)
            if len(where) >= 3 and all(head[place] == 0x47 for place in where):
                return where
            if first == 4 or (len(where) < 8 and start > first):
                # A stream that was cut out in the middle of a packet is believed only with many packets in a row.
                break
    return None


def _is_scrambled(head: bytes) -> bool:
    packets = [head[place : place + 4] for place in _packets(head) or () if place + 4 <= len(head)]
    scrambled = sum(packet[3] & 0xC0 != 0 for packet in packets)
    return scrambled * 2 > len(packets)


def _material_exchange(head: bytes) -> str | None:
    return "mxf" if 0 <= head.find(_MXF_PARTITION) < _MXF_RUN_IN else None


def _elementary_stream(head: bytes) -> str | None:
    """Raw H.264, H.265 or H.266 with start codes, told by the parameter set or delimiter that has to come first."""
    match = re.match(rb"\0{2,8}\x01(..)", head, re.DOTALL)
    if not match:
        return None
    first, second = match[1]
    if second == 0x01 and first in (0x40, 0x42, 0x46):
        return "hevc"
    if first == 0x00 and second in (0x71, 0x79, 0xA1):
        return "vvc"
    return "h264" if first in (0x67, 0x47, 0x27, 0x09, 0x06) else None


# Exact signatures before shapes that chance can make.
_TELLS: tuple[Callable[[bytes], str | None], ...] = (
    _by_magic,
    _riff,
    _transport_stream,
    _material_exchange,
    _elementary_stream,
)


def _sound(head: bytes) -> str | None:
    """The demuxer of a file that holds sound alone."""
    if head.startswith(b"ID3"):
        tag = tag_bytes(head)
        # Nearly always MP3; what follows decides where it is there to be seen.
        return (_sound(head[tag:]) if tag else None) or "mp3"
    by_name = next((row.name for row in _AUDIO if head.startswith(row.bytes, row.offset)), None)
    return by_name or _dolby(head) or _mpeg_audio(head)


def _dolby(head: bytes) -> str | None:
    """AC-3 and E-AC-3 differ by the version of the bit stream (ETSI TS 102 366, 4.4.2 and E.1.3)."""
    if not head.startswith(b"\x0b\x77"):
        return None
    return "eac3" if head[5:6] and head[5] >> 3 > _AC3_VERSIONS else "ac3"


def _mpeg_audio(head: bytes) -> str | None:
    """A frame header of AAC in ADTS, or of MPEG audio layers 1 to 3."""
    if len(head) < 4 or head[0] != 0xFF or head[1] & 0xE0 != 0xE0:
        return None
    if head[1] & 0xF6 == 0xF0:
        return "aac"
    valid = head[1] & 0x06 != 0 and head[1] & 0x18 != 0x08 and head[2] & 0xF0 != 0xF0 and head[2] & 0x0C != 0x0C
    return "mp3" if valid else None


def _refuse_other(head: bytes) -> None:
    """Say what the file is, where it is a thing that is known and neither a video nor sound."""
    for row in _OTHER:
        if head.startswith(row.bytes, row.offset):
            raise not_video(row.name)
    if b"%PDF-" in head[:1024]:
        raise not_video("a PDF document")
    if _is_text(head):
        raise _text(head)


def _text(head: bytes) -> PermanentError:
    head = head.removeprefix(b"\xef\xbb\xbf")
    if _HTML.match(head):
        return not_video("a web page", "Check that the address leads to the file itself.")
    if _PLAYLIST.search(head):
        return not_video("a playlist or manifest, which only names other files", "Send the video file itself.")
    if re.match(rb"\s*<", head):
        return not_video("a picture (SVG)" if re.search(rb"<svg[\s>]", head, re.IGNORECASE) else "an XML document")
    return not_video("a text file")


def _is_text(head: bytes) -> bool:
    sample = head[:4096]
    if sample[:2] in (b"\xff\xfe", b"\xfe\xff"):
        return True
    return not re.search(rb"[\x00-\x08\x0e-\x1a\x1c-\x1f]", sample)


def not_video(what: str, advice: str = "") -> PermanentError:
    """The error for something that was recognised, and is no video."""
    return PermanentError(
        "input_not_video", f"it is {what}", cause=f"The input is {what}, not a video file.", remedy=advice or None
    )
