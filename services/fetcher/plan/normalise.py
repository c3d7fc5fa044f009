"""The rules that bring any picture to upright, progressive, opaque BT.709, 8-bit 4:2:0 at a constant rate: one table, in order.

Pure: facts of a source in, ffmpeg filters out. Rules whose filters depend on more than the source stand here as well, with
the place where they are carried out.
"""

import re
from collections.abc import Callable
from dataclasses import dataclass
from enum import Enum
from fractions import Fraction

from services.fetcher.plan.color import (
    has_other_matrix,
    has_other_primaries,
    is_hdr,
    is_rgb,
    matrix_filters,
    output_coding,
    primaries_filters,
    tone_map_filters,
)
from services.fetcher.plan.ladder import display_size
from shared.media.source import VideoTrack

MAX_FRAME_RATE = 60
"""Frames per second of the output at most."""

# What leaves here says what it is. ffmpeg would take pictures without a tag for something else than the encoder is told
# to write, and convert them once more, which washes them out.
TAGGED = "setparams=colorspace=bt709:color_primaries=bt709:color_trc=bt709:range=limited"
_HDR_SIDE_DATA = (
    "MASTERING_DISPLAY_METADATA",
    "CONTENT_LIGHT_LEVEL",
    "AMBIENT_VIEWING_ENVIRONMENT",
    "DYNAMIC_HDR_PLUS",
    "DOVI_RPU_BUFFER",
    "DOVI_METADATA",
)
_ALPHA = ("yuva", "rgba", "bgra", "argb", "abgr", "gbrap", "ya8", "ya16", "yaf", "ayuv", "vuya", "pal8", "rgbaf")
# Frames per second for which ffmpeg deals captions out anew over the frames; at others they stay with their picture.
_CAPTION_RATES = frozenset(
    Fraction(rate) for rate in ("15", "24000/1001", "24", "30000/1001", "30", "60000/1001", "60")
)


class Stage(Enum):
    """When a rule is carried out: before the rate is made constant, to each picture after it, or by plan and ladder."""

    BEFORE_RATE = "before rate"
    PICTURE = "picture"
    ELSEWHERE = "elsewhere"


@dataclass(frozen=True)
class Rule:
    """One thing that is done to pictures.

    Attributes:
        sentence: what is done and when, for people.
        applies: whether a source needs it. filters: what does it there; none where ``stage`` is elsewhere.
    """

    name: str
    sentence: str
    stage: Stage
    applies: Callable[[VideoTrack], bool]
    filters: Callable[[VideoTrack], tuple[str, ...]] = lambda _: ()


def has_alpha(video: VideoTrack) -> bool:
    """Whether pixels may be transparent. ``pal8`` has a palette of colours that may be."""
    return video.pixel_format.startswith(_ALPHA)


def _keeps_its_format(video: VideoTrack) -> bool:
    # ffmpeg's scaler hands the others on in another format, which is for the rules that know what their colours mean.
    return re.match(r"yuv[aj]?\d|(gbra?p|gray)(\d+le)?$", video.pixel_format) is not None


def _one_size(video: VideoTrack) -> tuple[str, ...]:
    width, height = video.width, video.height
    # Scaled field by field where a picture has two. Pictures of the usual size and colours pass untouched.
    options = (":interl=1" if video.interlaced else "") + output_coding(video)
    # ffmpeg's padding keeps to the grid of the chroma, and so refuses sizes that do not.
    if video.aspects:
        return _round(video, options)
    off_grid = width % 2 or height % 2 or video.pixel_format.startswith(("yuv41", "yuvj41"))
    if video.sample_aspect != 1 or off_grid:
        return (f"scale={width}:{height}{options}",)
    # Nothing tells the shape of the other pixels. Squeezed pictures have all their lines (1440×1080 in 1920×1080); others
    # are taken for square, such as those of a telephone that was turned.
    fit = f"min({width}/iw,{height}/ih)"
    return (
        f"scale=w='if(eq(ih,{height}),{width},round({fit}*iw))':h='if(eq(ih,{height}),{height},round({fit}*ih))'"
        f":eval=frame{options}",
        f"pad={width}:{height}:(ow-iw)/2:(oh-ih)/2:eval=frame",
    )


def _round(video: VideoTrack, options: str) -> tuple[str, ...]:
    """Pictures whose pixels change their shape, each in its own shape inside the frame of the first."""
    width, height = str(video.width), str(video.height)
    for change in video.aspects:
        wider = change.sample_aspect / video.sample_aspect
        # Half a tick before, since these are no whole numbers any more.
        since = f"gte(t,{float((change.pts - Fraction(1, 2)) * video.time_base):.6f})"
        # Of the lines a multiple of four, so that fields stay where they are.
        width = f"if({since},{min(video.width, 2 * round(video.width * wider / 2))},{width})"
        height = f"if({since},{min(video.height, 4 * round(video.height / wider / 4))},{height})"
    return (
        f"scale=w='{width}':h='{height}':eval=frame{options}",
        f"pad={video.width}:{video.height}:(ow-iw)/2:(oh-ih)/2:eval=frame",
    )


def _weave(video: VideoTrack) -> tuple[str, ...]:
    parity = "tff" if video.top_field_first else "bff"
    filters = (f"bwdif=mode=send_field:parity={parity}:deint=all",)
    if video.captions and 2 * video.frame_rate not in _CAPTION_RATES:
        # Both frames that come of a picture would carry its captions.
        return (*filters, "sidedata=mode=delete:type=A53_CC:enable='mod(n,2)'")
    return filters


def _flatten(video: VideoTrack) -> tuple[str, ...]:
    # Multiplied by its own alpha, a picture lies on black. Dropping the alpha would show whatever colour the transparent
    # pixels happen to have.
    return (*_planar(video), "premultiply=inplace=1")


def _planar(video: VideoTrack) -> tuple[str, ...]:
    """The filter that multiplies wants planes."""
    if video.pixel_format.startswith(("yuva", "gbrap")):
        return ()
    if not is_rgb(video):
        return ("format=yuva444p",)
    return ("format=gbrap16le",) if "64" in video.pixel_format else ("format=gbrap",)


def _turn(video: VideoTrack) -> tuple[str, ...]:
    flip = ("hflip",) if video.mirrored else ()
    turn = {0: (), 90: ("transpose=dir=cclock",), 180: ("hflip", "vflip"), 270: ("transpose=dir=clock",)}
    return flip + turn[video.rotation % 360]


def _forget(video: VideoTrack) -> tuple[str, ...]:
    # A picture that was turned and still says that it must be turned is turned again by every player.
    kinds = ("DISPLAYMATRIX", *(_HDR_SIDE_DATA if is_hdr(video) else ()))
    return tuple(f"sidedata=mode=delete:type={kind}" for kind in kinds)


def _is_always(_: VideoTrack) -> bool:
    return True


RULES = (
    Rule(
        "one size",
        "Where the size of pictures changes in the middle, all are scaled into the frame of the size that holds longest: filling "
        "it where only their width changes or pixels are not square, else with their own aspect and black bars. Pixel format, "
        "matrix and range become those of the first. Where MPEG-2 in standard definition changes the shape of its pixels, all "
        "pictures keep their own aspect inside of the first one's frame.",
        Stage.BEFORE_RATE,
        _keeps_its_format,
        _one_size,
    ),
    Rule(
        "fields to frames",
        "Interlaced video becomes progressive: each field becomes a frame, so motion stays as smooth as it was "
        "(25i becomes 50p). Where neither container nor codec says whether video is interlaced, it is measured.",
        Stage.BEFORE_RATE,
        lambda video: video.interlaced,
        _weave,
    ),
    Rule(
        "constant rate",
        "Variable frame rates become constant ones, the nearest standard rate at which no motion is lost; "
        "every picture is shown at its own time, to half a frame.",
        Stage.ELSEWHERE,
        lambda video: video.variable_rate,
    ),
    Rule(
        "at most 60 frames",
        f"Rates above {MAX_FRAME_RATE} frames a second are divided evenly: 120 becomes 60.",
        Stage.ELSEWHERE,
        lambda video: video.frame_rate * (2 if video.interlaced else 1) > MAX_FRAME_RATE,
    ),
    Rule(
        "transparency on black",
        "Transparent pictures are laid on black.",
        Stage.PICTURE,
        has_alpha,
        _flatten,
    ),
    Rule(
        "HDR to SDR",
        "HDR10, HDR10+, HLG and Dolby Vision with a compatible base layer are tone-mapped to SDR in linear light: what is "
        "darker than 60 nits stays as it is, diffuse white (203 nits) comes out near SDR white, and highlights are rolled "
        "off up to the brightest light that the source declares.",
        Stage.PICTURE,
        is_hdr,
        tone_map_filters,
    ),
    Rule(
        "primaries to BT.709",
        "Colours of other primaries (BT.2020, P3, and those of BT.601 where the source names them) are converted in linear "
        "light; what BT.709 cannot show is clipped.",
        Stage.PICTURE,
        has_other_primaries,
        primaries_filters,
    ),
    Rule(
        "matrix and range to BT.709",
        "RGB, full range, and the matrices of BT.601, SMPTE 240M and BT.2020 become BT.709 with limited range. Where the source "
        "does not say, up to 576 lines count as BT.601 and more as BT.709.",
        Stage.PICTURE,
        lambda video: has_other_matrix(video) and not has_other_primaries(video) and not is_hdr(video),
        matrix_filters,
    ),
    Rule(
        "8-bit 4:2:0",
        "Any depth and chroma format becomes 8-bit 4:2:0, and is tagged as the BT.709 that it is.",
        Stage.PICTURE,
        _is_always,
        lambda _: ("format=yuv420p", TAGGED),
    ),
    Rule(
        "upright",
        "Pictures are flipped and turned as the source asks players to do.",
        Stage.PICTURE,
        lambda video: video.mirrored or video.rotation % 360 != 0,
        _turn,
    ),
    Rule(
        "metadata forgotten",
        "What was true only of the source (its orientation, its HDR metadata) is removed, lest players apply it once more.",
        Stage.PICTURE,
        _is_always,
        _forget,
    ),
    Rule(
        "square pixels",
        "Every rendition has square pixels and the source's display aspect; pictures are stretched, never squeezed.",
        Stage.ELSEWHERE,
        lambda video: video.sample_aspect != 1,
    ),
    Rule(
        "even sizes",
        "Widths and heights are rounded to even numbers, as 4:2:0 needs them.",
        Stage.ELSEWHERE,
        lambda video: any(side % 2 for side in display_size(video)),
    ),
)
"""All of them, in the order in which they are carried out."""


def field_filters(video: VideoTrack, origin_pts: int = 0) -> tuple[str, ...]:
    """What happens before the frame rate is made constant.

    Args:
        origin_pts: time stamp of the source (ticks) that is zero for the filters.
    """
    moved = tuple(change.model_copy(update={"pts": change.pts - origin_pts}) for change in video.aspects)
    return _filters(video.model_copy(update={"aspects": moved}), Stage.BEFORE_RATE)


def picture_filters(video: VideoTrack, largest: tuple[int, int] | None = None) -> tuple[str, ...]:
    """What happens to each picture: transparency and colour first, in the source's own depth, then orientation.

    Args:
        largest: width and height, upright, of the largest rendition.
    """
    return (*_shrink(video, largest), *_filters(video, Stage.PICTURE))


def _shrink(video: VideoTrack, largest: tuple[int, int] | None) -> tuple[str, ...]:
    # No rule, but a shortcut: tone mapping takes longer than anything else, and nobody sees the pixels that are left out.
    if largest is None or not is_hdr(video):
        return ()
    width, height = largest if video.rotation % 180 == 0 else largest[::-1]
    smaller = width <= video.width and height <= video.height and width * height < video.width * video.height
    return (f"scale={width}:{height}:flags=bicubic",) if smaller else ()


def _filters(video: VideoTrack, stage: Stage) -> tuple[str, ...]:
    return tuple(step for rule in RULES if rule.stage is stage and rule.applies(video) for step in rule.filters(video))
