"""What ffprobe's JSON says of the streams, in our terms. Pure."""

import re
from collections.abc import Iterable, Sequence
from fractions import Fraction
from math import atan2, degrees
from typing import Any

from services.fetcher.probe.packets import NO_TIME, Extent
from shared.media.source import AudioTrack, Color, Purpose, TextTrack

Stream = dict[str, Any]
"""One member of ffprobe's ``streams``, or one of its ``frames``."""

TEXT_CODECS = frozenset({"subrip", "ass", "ssa", "mov_text", "webvtt", "text", "eia_608"})
PICTURE_CODECS = frozenset({"hdmv_pgs_subtitle", "dvd_subtitle", "dvb_subtitle", "xsub"})
_NOT_FILM = ("attached_pic", "timed_thumbnails", "still_image", "dependent")
_PROGRAM = re.compile(
    r"handle|hdlr|media|produced|gpac|apple|mainconcept|isom|^(audio|sound|stereo|mono)$", re.IGNORECASE
)
# Time stamps are rounded, and packets' lengths as well.
_EVEN_SECONDS = Fraction(1, 1000)
_MOST_SQUEEZED = 8
# Programs that scale to whole pixels write what they rounded off: five lines in a thousand at most.
_INVISIBLE = Fraction(1, 200)
_MOST_INTERLACED_LINES = 1152
_PROGRESSIVE_CODECS = frozenset({"vp8", "vp9", "av1", "hevc", "vvc", "gif", "theora"})


def choose_video(streams: Iterable[Stream]) -> Stream | None:
    """The video stream to transcode: the default one, else the first. Cover art and thumbnails are none."""
    moving = films(streams)
    # A stream that is announced but never comes has no size.
    seen = [stream for stream in moving if stream.get("width")] or moving
    marked = [stream for stream in seen if disposition(stream, "default")]
    return next(iter(marked or seen), None)


def films(streams: Iterable[Stream]) -> list[Stream]:
    """All video streams but cover art, thumbnails and layers of another."""
    return [stream for stream in streams if stream.get("codec_type") == "video" and not _is_picture(stream)]


def kinds(streams: Sequence[Stream]) -> str:
    """What there is in a file, for a detail."""
    return ", ".join(f"{one.get('codec_type')} {one.get('codec_name')}" for one in streams[:20])


def _is_picture(stream: Stream) -> bool:
    return any(disposition(stream, name) for name in _NOT_FILM)


def disposition(stream: Stream, name: str) -> bool:
    """Whether a flag of the stream is set."""
    return bool(stream.get("disposition", {}).get(name))


def is_encrypted(stream: Stream) -> bool:
    """Whether the container marks the stream as encrypted: ISO base media by its sample entry, Matroska by a key id."""
    tags = {name.lower() for name in stream.get("tags", {})}
    side_data = {str(item.get("side_data_type", "")) for item in stream.get("side_data_list", ())}
    return (
        stream.get("codec_tag_string") in ("encv", "enca", "drmi", "drms")
        or "enc_key_id" in tags
        or any(kind.startswith("Encryption") for kind in side_data)
    )


def ratio(text: object, separator: str = "/") -> Fraction | None:
    """``30000/1001`` or ``16:15`` as a number; None for ``0/0``, ``N/A`` and anything that is not above zero."""
    match = re.fullmatch(rf"(\d+){separator}(\d+)", str(text))
    if not match or not int(match[1]) or not int(match[2]):
        return None
    return Fraction(int(match[1]), int(match[2]))


def sample_aspect(stream: Stream) -> Fraction:
    """Width of a pixel over its height; 1 where nothing sensible is said, or nobody could see the difference."""
    aspect = ratio(stream.get("sample_aspect_ratio"), ":") or Fraction(1)
    if abs(aspect - 1) < _INVISIBLE:
        return Fraction(1)
    return aspect if Fraction(1, _MOST_SQUEEZED) <= aspect <= _MOST_SQUEEZED else Fraction(1)


def orientation(stream: Stream, frames: Sequence[Stream] = ()) -> tuple[int, bool]:
    """How the video is to be shown: turned counter-clockwise by 0, 90, 180 or 270 degrees, and whether flipped before that.

    Flipped is left to right. The container's word counts, else that of the first decoded frame (H.264 and H.265 can say it
    beside their pictures).

    The display matrix of ffmpeg (libavutil/display.h) has 16.16 numbers; (x, y) is shown at (a·x + c·y, b·x + d·y), with
    y pointing down, so that a positive angle is clockwise.
    """
    items = [item for source in (stream, *frames[:1]) for item in source.get("side_data_list", ())]
    matrix = next((item["displaymatrix"] for item in items if "displaymatrix" in item), "")
    numbers = [int(number) for number in re.findall(r"(?<![\w:])-?\d+(?![\w:])", matrix)]
    if len(numbers) != 9:
        return 0, False
    a, b, _, c, d, *_ = numbers
    if not a * d - b * c:
        return 0, False
    mirrored = a * d - b * c < 0
    clockwise = degrees(atan2(-b, -a) if mirrored else atan2(b, a))
    return round(-clockwise / 90) * 90 % 360, mirrored


def color(stream: Stream, frames: Sequence[Stream]) -> Color:
    """The colour description: the decoder's, which is what the filters will see, else the container's."""
    decoded = frames[0] if frames else {}

    def said(name: str) -> str | None:
        for source in (decoded, stream):
            value = source.get(name)
            if value not in (None, "unknown", "unspecified", "reserved"):
                return str(value)
        return None

    return Color(
        primaries=said("color_primaries"),
        transfer=said("color_transfer"),
        matrix=said("color_space"),
        range=said("color_range"),
    )


def pixel_format(stream: Stream, frames: Sequence[Stream]) -> str:
    """Ffmpeg's name of the pixel format, of the first decoded frame if there is one; empty where nothing tells."""
    said = (source.get("pix_fmt") for source in (*frames[:1], stream))
    return next((str(name) for name in said if name not in (None, "unknown", "none")), "")


def size(stream: Stream, frames: Sequence[Stream]) -> tuple[int, int]:
    """Width and height in pixels, of the first decoded frame if there is one. The header's may be those of a later one."""
    sized = next((source for source in (*frames[:1], stream) if source.get("width") and source.get("height")), stream)
    return int(sized["width"]), int(sized["height"])


def bit_depth(stream: Stream, pixel_format: str) -> int:
    """Bits of a sample, from the pixel format's name (``yuv420p10le``, ``p010le``, ``rgb48be``)."""
    match = re.search(r"(\d+)(?:le|be)$", pixel_format)
    if match:
        bits = int(match[1])
        whole_pixel = {"48": 16, "64": 16, "96": 32, "128": 32}
        return (
            whole_pixel.get(match[1], bits) if pixel_format.startswith(("rgb", "bgr", "rgba", "bgra", "ayuv")) else bits
        )
    raw = str(stream.get("bits_per_raw_sample", ""))
    return int(raw) if raw.isdigit() and 8 <= int(raw) <= 16 and not pixel_format else 8


def may_be_interlaced(stream: Stream) -> bool:
    """Whether decoded frames should be asked: fields were only ever used up to 1080 lines, and not by the newer codecs."""
    return (
        stream.get("field_order") != "progressive"
        and int(stream.get("height") or 0) <= _MOST_INTERLACED_LINES
        and stream.get("codec_name") not in _PROGRESSIVE_CODECS
    )


def fields(stream: Stream, frames: Sequence[Stream]) -> tuple[bool, bool]:
    """Whether the pictures are made of fields, and whether the top one is shown first.

    What most of the first decoded frames say counts; without any, the stream's ``field_order``, whose second letter is the
    field that is shown first.
    """
    if frames:
        woven = [frame for frame in frames if frame.get("interlaced_frame")]
        top = sum(bool(frame.get("top_field_first")) for frame in woven)
        return len(woven) * 2 > len(frames), top * 2 >= len(woven)
    order = str(stream.get("field_order", ""))
    return order in ("tt", "bb", "tb", "bt"), order not in ("bb", "tb")


def has_captions(frames: Iterable[Stream]) -> bool:
    """Whether closed captions (ATSC A/53) lie with these decoded frames."""
    kinds = (item.get("side_data_type", "") for frame in frames for item in frame.get("side_data_list", ()))
    return any("A53" in kind for kind in kinds)


def audio_track(stream: Stream, extent: Extent, *, by_sum: bool) -> AudioTrack | None:
    """An audio stream, None where nothing in it can be probed.

    Args:
        by_sum: the clock jumps, so the end is told by adding up.
    """
    rate, channels = int(stream.get("sample_rate") or 0), int(stream.get("channels") or 0)
    time_base = ratio(stream.get("time_base"))
    if not rate or not channels or not extent.count or not time_base or not stream.get("codec_name"):
        return None
    start = 0 if extent.start == NO_TIME else extent.start
    end = start + extent.sum if by_sum or extent.start == NO_TIME else extent.end
    return AudioTrack(
        index=stream["index"],
        codec=stream["codec_name"],
        channels=channels,
        layout=stream.get("channel_layout"),
        sample_rate=rate,
        start=float(start * time_base),
        end=float(end * time_base),
        language=tag(stream, "language"),
        title=tag(stream, "title") or _handler(stream),
        default=disposition(stream, "default"),
        purpose=_purpose(stream),
        uneven=extent.jitter > 1 and extent.jitter * time_base > _EVEN_SECONDS,
    )


def _handler(stream: Stream) -> str | None:
    """The name of the track's handler in ISO base media, where it is a title: as a rule it is that of the writing program."""
    name = tag(stream, "handler_name")
    return None if not name or _PROGRAM.search(name) else name


def _purpose(stream: Stream) -> Purpose:
    if disposition(stream, "visual_impaired") or disposition(stream, "descriptions"):
        return "description"
    if disposition(stream, "comment"):
        return "commentary"
    return "clear_speech" if disposition(stream, "hearing_impaired") else "main"


def subtitles(streams: Iterable[Stream]) -> list[Stream]:
    """The subtitle streams, of text or not."""
    return [stream for stream in streams if stream.get("codec_type") == "subtitle"]


def text_track(stream: Stream) -> TextTrack | None:
    """A subtitle stream of text, None where it is none."""
    if stream.get("codec_name") not in TEXT_CODECS:
        return None
    return TextTrack(
        index=stream["index"],
        codec=stream["codec_name"],
        language=tag(stream, "language"),
        title=tag(stream, "title"),
        default=disposition(stream, "default"),
        forced=disposition(stream, "forced"),
    )


def tag(stream: Stream, name: str) -> str | None:
    """A tag's value without control characters, None where it is missing or says nothing."""
    tags = {key.lower(): str(value) for key, value in stream.get("tags", {}).items()}
    clean = "".join(character for character in tags.get(name, "") if character.isprintable()).strip()[:100]
    return clean if clean and clean != "und" else None
