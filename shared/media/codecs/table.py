"""The table of all codecs. Pure."""

from shared.media.codecs.aac import AAC
from shared.media.codecs.codec import Codec, Device, VideoCodec
from shared.media.codecs.h264 import H264
from shared.mp4.bmff import MalformedMedia, sample_entry

VIDEO: tuple[VideoCodec, ...] = (H264,)
AUDIO = (AAC,)


def video_codec(name: str) -> VideoCodec:
    """A codec for video by its name. Raises: KeyError: there is none of that name."""
    return {codec.name: codec for codec in VIDEO}[name]


def device_of(encoder: str) -> Device:
    """What a video encoder, by ffmpeg's name, runs on. Raises: KeyError: no codec has that encoder."""
    return {each.name: each.device for codec in VIDEO for each in codec.encoders}[encoder]


def codec_of(init_segment: bytes) -> Codec:
    """The codec of an initialization segment that comes without a word about it.

    Raises:
        MalformedMedia: the codec is none of ours.
    """
    kind = sample_entry(init_segment).kind
    codec = next((codec for codec in (*VIDEO, *AUDIO) if codec.sample_entry == kind), None)
    if codec is None:
        raise MalformedMedia(f"codec {kind!r}")
    return codec
