"""What a stream says of its light and its layers: mastering data, Dolby Vision, and alpha. Pure."""

from collections.abc import Sequence
from fractions import Fraction

from services.fetcher.probe.streams import Stream, tag
from shared.errors import PermanentError
from shared.media.source import Color, Mastering

# Dolby Vision's signal compatibility ids whose base layer is HDR10 (1; 6 on Blu-ray discs), SDR (2) or HLG (4).
_BASE_TRANSFERS = {1: "smpte2084", 6: "smpte2084", 2: None, 4: "arib-std-b67"}
# By their definition, the base layers of these are SDR and HDR10, whatever the id says.
_COMPATIBLE_PROFILES = {4: None, 7: "smpte2084"}
_INCOMPATIBLE_PROFILE = 5
_ALPHA_DECODERS = {"vp8": "libvpx", "vp9": "libvpx-vp9"}


def mastering(stream: Stream, frames: Sequence[Stream]) -> Mastering:
    """How bright the pictures get, as the container says, else the first decoded frame."""
    items = [item for source in (stream, *frames[:1]) for item in source.get("side_data_list", ())]
    peaks = [_nits(item["max_luminance"]) for item in items if "max_luminance" in item]
    contents = [_nits(item["max_content"]) for item in items if "max_content" in item]
    return Mastering(
        display_peak=next((nits for nits in peaks if nits), None),
        content_peak=next((nits for nits in contents if nits), None),
    )


def refuse_dolby_vision_alone(stream: Stream) -> None:
    """Refuse Dolby Vision whose base layer is in a colour space that only a Dolby Vision decoder can show.

    Raises:
        PermanentError: ``input_unsupported_codec``.
    """
    record = _dolby_vision(stream)
    if record is None:
        return
    profile, compatible = int(record.get("dv_profile") or 0), int(record.get("dv_bl_signal_compatibility_id") or 0)
    if profile == _INCOMPATIBLE_PROFILE or (not compatible and profile not in _COMPATIBLE_PROFILES):
        raise PermanentError(
            "input_unsupported_codec",
            f"Dolby Vision {profile}.{compatible}",
            cause=f"The input is Dolby Vision (profile {profile}) without a compatible base layer, which is not supported.",
            remedy="Export it as HDR10, HLG or SDR, or as Dolby Vision profile 8.",
        )


def is_enhancement(stream: Stream) -> bool:
    """Whether it is the second layer of a Dolby Vision picture, which nobody can watch by itself."""
    record = _dolby_vision(stream)
    return record is not None and not record.get("bl_present_flag", 1)


def with_base_layer(color: Color, stream: Stream) -> Color:
    """The colours with the transfer of a Dolby Vision base layer filled in, where only its record tells."""
    record = _dolby_vision(stream)
    if record is None or color.transfer:
        return color
    profile, compatible = int(record.get("dv_profile") or 0), int(record.get("dv_bl_signal_compatibility_id") or 0)
    transfer = _BASE_TRANSFERS.get(compatible) or _COMPATIBLE_PROFILES.get(profile)
    return color.model_copy(update={"transfer": transfer})


def alpha_decoder(stream: Stream) -> str | None:
    """The decoder that sees the alpha of VP8 and VP9, which travels beside the pictures; ffmpeg's own ones leave it out."""
    return _ALPHA_DECODERS.get(str(stream.get("codec_name"))) if tag(stream, "alpha_mode") == "1" else None


def seen_by_ffmpeg_alone(stream: Stream) -> bool:
    """Whether ffprobe leaves out what ffmpeg decodes: the alpha of HEVC, a layer of its own, and what its fields are."""
    return stream.get("codec_name") == "hevc"


def as_ffmpeg_sees(frames: Sequence[Stream], seen: Sequence[Stream]) -> list[Stream]:
    """The frames with the pixel format that they have in ffmpeg.

    Args:
        seen: the first frames in ffmpeg.

    Raises:
        PermanentError: ``input_unsupported_codec`` for HEVC whose pictures are single fields: no decoder weaves them.
    """
    if any(frame.get("interlaced_frame") for frame in seen):
        raise PermanentError(
            "input_unsupported_codec",
            "field-coded HEVC",
            cause="The input is interlaced HEVC whose fields are coded as pictures of their own, which is not supported.",
            remedy="Export it as progressive video, or as interlaced H.264 or MPEG-2.",
        )
    formats = {"pix_fmt": seen[0]["pix_fmt"]} if seen else {}
    return [frame | formats for frame in frames]


def _dolby_vision(stream: Stream) -> Stream | None:
    return next((item for item in stream.get("side_data_list", ()) if "dv_profile" in item), None)


def _nits(value: object) -> float | None:
    try:
        return float(Fraction(str(value))) or None
    except (ValueError, ZeroDivisionError):
        return None
