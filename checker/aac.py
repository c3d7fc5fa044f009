"""The configuration of AAC (ISO/IEC 14496-1, 7.2.6, and 14496-3, 1.6.2.1): what a decoder is told of the audio. Pure."""

from dataclasses import dataclass

from checker.bits import Bits
from checker.boxes import Box, Fields, MalformedMedia

_STREAM, _DECODER, _SPECIFIC = 3, 4, 5
_ESCAPE_TYPE, _ESCAPE_RATE = 31, 15
_RATES = (96_000, 88_200, 64_000, 48_000, 44_100, 32_000, 24_000, 22_050, 16_000, 12_000, 11_025, 8000, 7350)
# Channels by channelConfiguration; 0 says that they are told elsewhere.
_CHANNELS = (0, 1, 2, 3, 4, 5, 6, 8)
# Types whose own rate is that of the core, and who then tell the rate that comes out.
_WITH_EXTENSION = (5, 29)


@dataclass(frozen=True)
class AudioConfig:
    """What an elementary stream of AAC is.

    Attributes:
        codecs: RFC 6381 text.
        sample_rate: samples per second. channels: 0 where the configuration leaves them to the stream itself.
        stream_id: ES_ID.
    """

    codecs: str
    sample_rate: int
    channels: int
    stream_id: int = 0


def read_elementary_stream(esds: Box) -> AudioConfig:
    """Read an ``esds`` box.

    Raises:
        MalformedMedia: it tells of no AAC.
        ValueError: the configuration is cut short.
    """
    fields = esds.fields()
    fields.version_and_flags()
    stream = _descriptor(fields, _STREAM)
    stream_id = stream.number(2)
    flags = stream.number(1)
    if flags & 0x80:
        stream.take(2)
    if flags & 0x40:
        stream.take(stream.number(1))
    if flags & 0x20:
        stream.take(2)
    decoder = _descriptor(stream, _DECODER)
    kind = decoder.number(1)
    decoder.take(12)
    specific = _descriptor(decoder, _SPECIFIC)
    bits = Bits(bytes(specific.take(specific.left)), "audio configuration")
    object_type = _object_type(bits)
    rate, channels = _rate(bits), bits.read(4)
    if object_type in _WITH_EXTENSION:
        rate = _rate(bits)
    if channels >= len(_CHANNELS):
        raise MalformedMedia(f"channel configuration {channels}")
    return AudioConfig(f"mp4a.{kind:x}.{object_type}", rate, _CHANNELS[channels], stream_id)


def _descriptor(fields: Fields, tag: int) -> Fields:
    """The payload of the next descriptor with a tag; others before it are passed over."""
    while fields.left:
        found, size = fields.number(1), 0
        while True:
            byte = fields.number(1)
            size = size << 7 | byte & 0x7F
            if not byte & 0x80:
                break
        payload = fields.take(size)
        if found == tag:
            return Fields(payload, f"descriptor {tag}")
    raise MalformedMedia(f"no descriptor {tag}")


def _object_type(bits: Bits) -> int:
    short = bits.read(5)
    return 32 + bits.read(6) if short == _ESCAPE_TYPE else short


def _rate(bits: Bits) -> int:
    index = bits.read(4)
    rate = bits.read(24) if index == _ESCAPE_RATE else dict(enumerate(_RATES)).get(index)
    if not rate:
        raise MalformedMedia(f"sampling frequency index {index}")
    return rate
