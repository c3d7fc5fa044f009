"""AAC (ISO/IEC 14496-3), low complexity."""

from shared.media.codecs.codec import AudioCodec, InitSegmentConflict
from shared.media.plan import AudioPart
from shared.mp4.bmff import Box
from shared.mp4.entry import AUDIO_ENTRY_BYTES, entry_box

AAC_FRAME = 1024
"""Samples in a frame."""

_DECODER_SPECIFIC_INFO = b"\x05"


def _arguments(part: AudioPart) -> list[str]:
    return ["-c:a", "aac", "-profile:a", "aac_low", "-b:a", str(part.bit_rate)]


def _read_codecs(init_segment: bytes) -> str:
    return f"mp4a.40.{_object_type(init_segment, entry_box(init_segment, b'esds', AUDIO_ENTRY_BYTES))}"


def _object_type(init_segment: bytes, box: Box) -> int:
    """The audio object type: the first five bits of the decoder specific info."""
    position = init_segment.index(_DECODER_SPECIFIC_INFO, box.body + 4 + 20)
    position += 1
    while init_segment[position] & 0x80:
        position += 1
    return init_segment[position + 1] >> 3


def _merge_two(_first: bytes, _second: bytes) -> bytes:
    raise InitSegmentConflict("initialization segments of mp4a differ")


AAC = AudioCodec(
    name="aac",
    sample_entry=b"mp4a",
    entry_fields=AUDIO_ENTRY_BYTES,
    containers=frozenset(("cmaf", "ts")),
    read_codecs=_read_codecs,
    merge_two=_merge_two,
    frame_samples=AAC_FRAME,
    priming_frames=1,
    preroll_frames=1,
    arguments=_arguments,
)
