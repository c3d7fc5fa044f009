"""What an initialization segment (``init.mp4``) declares, for readers who meet it without knowing its codec. Pure."""

from shared.media.codecs.codec import VideoCodec
from shared.media.codecs.table import codec_of
from shared.mp4.bmff import MalformedMedia


def codecs_of(init_segment: bytes) -> str:
    """The RFC 6381 codecs text, such as ``avc1.640028`` or ``mp4a.40.2``.

    Raises:
        MalformedMedia: the codec is none of ours.
    """
    return codec_of(init_segment).read_codecs(init_segment)


def parameter_sets(init_segment: bytes) -> tuple[list[bytes], ...]:
    """The parameter sets (NAL units) of video by kind: of H.264 those of sequences, then those of pictures.

    Raises:
        MalformedMedia: it is no video of ours.
    """
    codec = codec_of(init_segment)
    if not isinstance(codec, VideoCodec):
        raise MalformedMedia(f"no video, but {codec.name}")
    return codec.parameter_sets(init_segment)
