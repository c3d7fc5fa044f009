"""The initialization segment of an encrypted rendition (ISO/IEC 23001-7, 4 and 8). Pure."""

from shared.encryption.boxes import protection_info
from shared.encryption.cbcs import PATTERN
from shared.encryption.protection import ProtectedKey
from shared.media.codecs.codec import VideoCodec
from shared.media.codecs.table import codec_of
from shared.mp4.bmff import Box, find, sample_entry, with_box_replaced
from shared.mp4.entry import with_box

_WHOLE_SAMPLES = (0, 0)


def protected_header(init_segment: bytes, key: ProtectedKey) -> bytes:
    """The initialization segment of samples that are encrypted by ``cbcs``: the same but for its sample entry and ``pssh`` boxes.

    Args:
        init_segment: of the clear samples; of a rendition whose parts have several, what they are merged to.

    Raises:
        MalformedMedia: its codec is none of ours, or it is encrypted already.
    """
    codec, entry = codec_of(init_segment), sample_entry(init_segment)
    video = isinstance(codec, VideoCodec)
    info = protection_info(
        entry.kind,
        kid=bytes.fromhex(key.kid),
        iv=bytes.fromhex(key.iv),
        pattern=PATTERN if video else _WHOLE_SAMPLES,
    )
    made = bytearray(with_box(init_segment, Box(b"sinf", entry.end, entry.end, entry.end), info))
    made[entry.start + 4 : entry.start + 8] = b"encv" if video else b"enca"
    end = find(bytes(made), b"moov").end
    return with_box_replaced(bytes(made), (b"moov",), end, end, b"".join(key.pssh))
