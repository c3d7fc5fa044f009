"""The rules that bring any picture to upright, progressive, BT.709, 8-bit 4:2:0. Pure: facts of a source in, ffmpeg filters out.

Scaling to square pixels is no filter here: every rung is scaled to its own square-pixel size.
"""

from fractions import Fraction

from shared.media.source import Color, VideoTrack

HDR_TRANSFERS = frozenset({"smpte2084", "arib-std-b67"})
# A nominal peak of 100 nits maps diffuse white of HDR material near SDR white, as players do it.
_TONE_MAP = "zscale=transfer=linear:npl=100,format=gbrpf32le,zscale=primaries=bt709,tonemap=tonemap=hable:desat=0"
_HDR_SIDE_DATA = (
    "MASTERING_DISPLAY_METADATA",
    "CONTENT_LIGHT_LEVEL",
    "AMBIENT_VIEWING_ENVIRONMENT",
    "DYNAMIC_HDR_PLUS",
    "DOVI_RPU_BUFFER",
    "DOVI_METADATA",
)
_SD_LINES = 576
# Frames per second for which ffmpeg deals captions out anew over the frames; at others they stay with their picture.
_CAPTION_RATES = frozenset(
    Fraction(rate) for rate in ("15", "24000/1001", "24", "30000/1001", "30", "60000/1001", "60")
)
_RGB = ("rgb", "bgr", "gbr", "argb", "abgr", "0rgb", "0bgr", "x2rgb", "x2bgr", "pal8")
_TO_BT709 = "out_color_matrix=bt709:out_range=limited:flags=bicubic+accurate_rnd"
# What leaves here says what it is. ffmpeg would take pictures without a tag for something else than the encoder is told
# to write, and convert them once more, which washes them out.
TAGGED = "setparams=colorspace=bt709:color_primaries=bt709:color_trc=bt709:range=limited"


def field_filters(video: VideoTrack) -> tuple[str, ...]:
    """What happens before the frame rate is made constant: fields are woven into frames, one for each field."""
    if not video.interlaced:
        return ()
    parity = "tff" if video.top_field_first else "bff"
    filters = (f"bwdif=mode=send_field:parity={parity}:deint=all",)
    if video.captions and 2 * video.frame_rate not in _CAPTION_RATES:
        # Both frames that come of a picture would carry its captions.
        return (*filters, "sidedata=mode=delete:type=A53_CC:enable='mod(n,2)'")
    return filters


def picture_filters(video: VideoTrack) -> tuple[str, ...]:
    """What happens to each picture: colour first, in the source's own depth, then orientation."""
    return (*color_filters(video), *orientation_filters(video), *forgetting_filters(video))


def forgetting_filters(video: VideoTrack) -> tuple[str, ...]:
    """Take away what was true of the source's pictures and no longer is of these; encoder and muxer would write it down.

    A picture that was turned and still says that it must be turned is turned again by every player.
    """
    kinds = ("DISPLAYMATRIX", *(_HDR_SIDE_DATA if is_hdr(video) else ()))
    return tuple(f"sidedata=mode=delete:type={kind}" for kind in kinds)


def is_hdr(video: VideoTrack) -> bool:
    """Whether the pictures are meant for a brighter screen than BT.709's."""
    return video.color.transfer in HDR_TRANSFERS


def orientation_filters(video: VideoTrack) -> tuple[str, ...]:
    """Turn and flip as the display matrix says. ``rotation`` counts counter-clockwise, and the flip comes first."""
    flip = ("hflip",) if video.mirrored else ()
    turn = {0: (), 90: ("transpose=dir=cclock",), 180: ("hflip", "vflip"), 270: ("transpose=dir=clock",)}
    return flip + turn[video.rotation % 360]


def color_filters(video: VideoTrack) -> tuple[str, ...]:
    """To BT.709 with limited range; HDR is tone-mapped."""
    color = effective_color(video)
    if is_hdr(video):
        declared = (
            f"zscale=matrixin={color.matrix}:transferin={color.transfer}"
            f":primariesin={color.primaries}:rangein={_zrange(color)}"
        )
        return (declared, _TONE_MAP, "zscale=transfer=bt709:matrix=bt709:range=limited", "format=yuv420p", TAGGED)
    if video.pixel_format.startswith(_RGB):
        return (f"scale={_TO_BT709}", "format=yuv420p", TAGGED)
    source = f"in_color_matrix={_swscale_matrix(color)}:in_range={'full' if color.range == 'pc' else 'limited'}"
    same = _swscale_matrix(color) == "bt709" and color.range != "pc"
    convert = () if same else (f"scale={source}:{_TO_BT709}",)
    return (*convert, "format=yuv420p", TAGGED)


def effective_color(video: VideoTrack) -> Color:
    """What the colours mean, with what the stream leaves unsaid filled in as players do: by size, BT.601 or BT.709."""
    color = video.color
    lines = min(video.width, video.height)
    guess = "smpte170m" if lines <= _SD_LINES else "bt709"
    hdr = is_hdr(video)
    return Color(
        primaries=_said(color.primaries) or ("bt2020" if hdr else guess),
        transfer=_said(color.transfer) or guess,
        matrix=_said(color.matrix) or ("bt2020nc" if hdr else guess),
        range="pc" if color.range == "pc" or video.pixel_format.startswith("yuvj") else "tv",
    )


def _said(value: str | None) -> str | None:
    return None if value in (None, "unknown", "unspecified", "reserved") else value


def _zrange(color: Color) -> str:
    return "full" if color.range == "pc" else "limited"


def _swscale_matrix(color: Color) -> str:
    match color.matrix:
        case "smpte170m" | "bt470bg" | "fcc":
            return "bt601"
        case "smpte240m":
            return "smpte240m"
        case "bt2020nc" | "bt2020c":
            return "bt2020"
        case _:
            return "bt709"
