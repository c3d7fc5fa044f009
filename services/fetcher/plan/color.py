"""What a source's colours mean, and the ffmpeg filters that make BT.709 of them. Pure."""

from fractions import Fraction

from shared.media.source import Color, VideoTrack

HDR_TRANSFERS = frozenset({"smpte2084", "arib-std-b67"})

DIFFUSE_WHITE = 203
"""Nits of white paper in HDR (ITU-R BT.2408). Players show it as the white of SDR, and so do we, but for room above it."""

MASTERED_PEAK = 1000
"""Nits of the brightest highlight where the source does not say: what most HDR10 is graded for, and HLG's nominal peak."""

# The standard's own end of the scale (ST 2084); a "peak" beyond it, or below any screen's, is a mistake.
_LEAST_PEAK, _MOST_PEAK = 100, 10_000
# Up to this share of diffuse white, light stays as it is; from there to the peak it is rolled off. White itself loses a
# third of its light, which is a seventh of its code values.
_KNEE = 0.3
_SD_LINES = 576
# What ffmpeg's scaler calls a matrix.
_MATRICES = {
    "bt709": "bt709",
    "smpte170m": "bt601",
    "bt470bg": "bt601",
    "fcc": "bt601",
    "smpte240m": "smpte240m",
    "bt2020nc": "bt2020",
}
# Descriptions that the filters here understand; any other one is as good as none.
_KNOWN_MATRICES = frozenset({*_MATRICES, "ycgco"})
_HDR_MATRICES = _KNOWN_MATRICES | {"ictcp", "chroma-derived-nc"}
_KNOWN_PRIMARIES = frozenset(
    [
        "bt709",
        "bt470m",
        "bt470bg",
        "smpte170m",
        "smpte240m",
        "film",
        "bt2020",
        "smpte428",
        "smpte431",
        "smpte432",
        "ebu3213",
    ]
)
_RGB = ("rgb", "bgr", "gbr", "argb", "abgr", "0rgb", "0bgr", "x2rgb", "x2bgr", "pal8", "xyz", "bayer")
_GRAY = ("gray", "ya", "mono")
# Without full_chroma_int grey comes out a shade of green or magenta: luma one code lower, chroma one higher.
_TO_BT709 = "out_color_matrix=bt709:out_range=limited:flags=bicubic+accurate_rnd+full_chroma_int"


def is_hdr(video: VideoTrack) -> bool:
    """Whether the pictures are meant for a brighter screen than BT.709's."""
    return video.color.transfer in HDR_TRANSFERS


def is_rgb(video: VideoTrack) -> bool:
    """Whether samples are red, green and blue, not luma and chroma."""
    return video.pixel_format.startswith(_RGB)


def has_other_primaries(video: VideoTrack) -> bool:
    """Whether the source says that its primaries are others than BT.709's. What it does not say is not converted."""
    return not is_hdr(video) and video.color.primaries in _KNOWN_PRIMARIES - {"bt709"}


def has_other_matrix(video: VideoTrack) -> bool:
    """Whether samples are coded otherwise than BT.709 with limited range."""
    color = effective_color(video)
    return is_rgb(video) or color.matrix != "bt709" or color.range == "pc"


def peak_nits(video: VideoTrack) -> int:
    """The light that becomes the brightest white: of the content where the source tells, else of the screen it was made on.

    Taken once for the whole job. Filters that look for it in each picture's side data would map parts of one film, some
    of which begin without any, differently.
    """
    said = video.mastering
    screen = said.display_peak if _is_sane(said.display_peak) else None
    content = said.content_peak if _is_sane(said.content_peak) else None
    if content and screen:
        # No grade is brighter than the screen it was graded on: then the number is wrong, or one stray pixel's.
        content = min(content, screen)
    return round(max(content or screen or MASTERED_PEAK, DIFFUSE_WHITE))


def tone_map_filters(video: VideoTrack) -> tuple[str, ...]:
    """HDR to SDR in linear light, in floating point; all channels by one factor, so that hues stay."""
    peak = Fraction(peak_nits(video), DIFFUSE_WHITE)
    return (
        f"zscale={_zscale_input(effective_color(video))}:matrix=gbr:transfer=linear:primaries=bt709:npl={DIFFUSE_WHITE}",
        "format=gbrpf32le",
        f"tonemap=tonemap=mobius:param={_KNEE}:desat=0:peak={float(peak):.4f}",
        "zscale=matrix=bt709:transfer=bt709:primaries=bt709:range=limited",
    )


def primaries_filters(video: VideoTrack) -> tuple[str, ...]:
    """Other primaries to BT.709's, together with matrix and range; the curve of all SDR is taken to be BT.709's."""
    color = effective_color(video).model_copy(update={"transfer": "bt709"})
    return (f"zscale={_zscale_input(color)}:primaries=bt709:transfer=bt709:matrix=bt709:range=limited",)


def matrix_filters(video: VideoTrack) -> tuple[str, ...]:
    """Other matrices, full range, and RGB to BT.709 with limited range."""
    if is_rgb(video):
        return (f"scale={_TO_BT709}",)
    color = effective_color(video)
    if color.matrix not in _MATRICES:
        return primaries_filters(
            video.model_copy(update={"color": video.color.model_copy(update={"primaries": "bt709"})})
        )
    in_range = "full" if color.range == "pc" else "limited"
    return (f"scale=in_color_matrix={_MATRICES[color.matrix]}:in_range={in_range}:{_TO_BT709}",)


def output_coding(video: VideoTrack) -> str:
    """Options that make ffmpeg's scaler keep matrix and range as the source says they are; nothing where it does not say."""
    matrix, span = video.color.matrix, {"tv": "limited", "pc": "full"}.get(video.color.range or "")
    if matrix not in _MATRICES or not span or is_rgb(video):
        return ""
    return f":out_color_matrix={_MATRICES[matrix]}:out_range={span}"


def effective_color(video: VideoTrack) -> Color:
    """What the colours mean, with what the stream leaves unsaid filled in as players do: by size, BT.601 or BT.709."""
    color, hdr = video.color, is_hdr(video)
    guess = "smpte170m" if min(video.width, video.height) <= _SD_LINES else "bt709"
    full = color.range == "pc" or video.pixel_format.startswith("yuvj") or is_rgb(video)
    # Gray pictures are full range unless they say otherwise, as all software that makes them has it.
    full = full or (color.range is None and video.pixel_format.startswith(_GRAY))
    return Color(
        primaries=color.primaries if color.primaries in _KNOWN_PRIMARIES else "bt2020" if hdr else guess,
        transfer=color.transfer or guess,
        matrix="gbr" if is_rgb(video) else _luma_matrix(color, hdr=hdr) or ("bt2020nc" if hdr else guess),
        range="pc" if full else "tv",
    )


def _is_sane(nits: float | None) -> bool:
    return nits is not None and _LEAST_PEAK <= nits <= _MOST_PEAK


def _luma_matrix(color: Color, *, hdr: bool) -> str | None:
    """The matrix, None where it is unsaid or cannot be, such as RGB's for luma and chroma."""
    if color.matrix == "bt2020c":
        # Constant luminance is not to be had for HDR; and the colours of the other kind are nearly the same.
        return "bt2020nc"
    return color.matrix if color.matrix in (_HDR_MATRICES if hdr else _KNOWN_MATRICES) else None


def _zscale_input(color: Color) -> str:
    in_range = "full" if color.range == "pc" else "limited"
    return f"matrixin={color.matrix}:transferin={color.transfer}:primariesin={color.primaries}:rangein={in_range}"
