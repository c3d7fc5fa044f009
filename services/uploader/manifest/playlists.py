"""HLS playlists (RFC 8216 and its second edition), after Apple's authoring rules. Pure: data in, text out."""

from collections.abc import Iterator, Sequence
from fractions import Fraction

from services.uploader.manifest import rates
from services.uploader.manifest.presentation import Presentation, Rendition, TextRendition, VideoRendition
from shared.media.layout import IFRAMES, INIT_SEGMENT, segment_name, uri

# EXT-X-MAP outside of I-frame playlists needs 6, and fragmented MP4 came with 7; EXT-X-KEY with KEYFORMAT needs 5.
VERSION = 7
_AUDIO_GROUP, _TEXT_GROUP, _CAPTION_GROUP = "audio", "text", "cc"
_CHARACTERISTICS = {
    "description": "public.accessibility.describes-video",
    "clear_speech": "public.accessibility.enhances-speech-intelligibility",
}

# A player without any measurement begins with the variant that is listed first. Apple's rules want one of about 2 Mb/s
# there (9.3 of the authoring specification, for Wi-Fi); a little more is let pass.
_FIRST_VARIANT_RATE = 2_400_000


def multivariant_playlist(presentation: Presentation) -> str:
    """The multivariant playlist, at the output prefix itself."""
    lines = ["#EXTM3U", f"#EXT-X-VERSION:{VERSION}", "#EXT-X-INDEPENDENT-SEGMENTS"]
    # With these a player can ask for keys before it has any other playlist, or to keep a film.
    session_lines = dict.fromkeys(line for key in presentation.keys for line in key.session_lines)
    if session_lines:
        lines += ["", *session_lines]
    if presentation.audio:
        lines += ["", *_media_tags(presentation)]
    if presentation.text:
        lines += ["", *_subtitle_tags(presentation.text)]
    if presentation.captions:
        lines += ["", *_caption_tags(presentation.captions)]
    lines.append("")
    for rendition in in_listed_order(presentation):
        lines += [_tag("EXT-X-STREAM-INF", _variant(presentation, rendition)), uri(rendition.playlist)]
    if not presentation.video and presentation.default_audio:
        lines += [_tag("EXT-X-STREAM-INF", _audio_variant(presentation)), uri(presentation.default_audio.playlist)]
    if presentation.with_iframes:
        variants = (_tag("EXT-X-I-FRAME-STREAM-INF", _iframe_variant(one)) for one in presentation.with_iframes)
        lines += ["", *variants]
    return "\n".join(lines) + "\n"


def media_playlist(rendition: Rendition, target: int, *, growing: bool = False) -> str:
    """The playlist of one rendition, in its folder.

    Args:
        target: target duration in seconds, the same for all renditions.
        growing: further segments will be listed later.
    """
    lines = _opening(target, "EVENT" if growing else "VOD")
    if rendition.init_segment:
        lines += _initialization(rendition)
    for number, seconds in enumerate(exact_seconds(rendition.durations, rendition.timescale)):
        lines += [f"#EXTINF:{seconds},", segment_name(rendition.kind, number)]
    return "\n".join(lines if growing else [*lines, "#EXT-X-ENDLIST"]) + "\n"


def iframe_playlist(rendition: VideoRendition) -> str:
    """The playlist of a rendition's key frames alone, for fast forward and the seek bar, in its folder."""
    frames = list(rendition.key_frames())
    lines = _opening(_iframe_target(rendition))
    lines += ["#EXT-X-I-FRAMES-ONLY", *_initialization(rendition)]
    durations = exact_seconds([frame.ticks for frame in frames], rendition.timescale)
    for frame, seconds in zip(frames, durations, strict=True):
        name = segment_name(rendition.kind, frame.segment)
        lines += [f"#EXTINF:{seconds},", f"#EXT-X-BYTERANGE:{frame.length}@{frame.offset}", name]
    return "\n".join([*lines, "#EXT-X-ENDLIST"]) + "\n"


def in_listed_order(presentation: Presentation) -> list[VideoRendition]:
    """The renditions as the multivariant playlist lists them: first the one to begin with, then the others by ascending rate."""
    ascending = sorted(presentation.video, key=lambda rendition: bandwidth(presentation, rendition))
    fitting = [one for one in ascending if bandwidth(presentation, one) <= _FIRST_VARIANT_RATE]
    first = fitting[-1] if fitting else next(iter(ascending), None)
    return ([first] if first else []) + [rendition for rendition in ascending if rendition is not first]


def bandwidth(presentation: Presentation, rendition: VideoRendition) -> int:
    """Peak rate of a variant in bits per second: of the video, and of the audio and the text that need most."""
    target = presentation.target
    groups = (presentation.audio, presentation.text)
    others = sum(max((each.peak_rate(target) for each in group), default=0) for group in groups)
    return rendition.peak_rate(target) + others


def average_bandwidth(presentation: Presentation, rendition: VideoRendition) -> int:
    """Average rate of a variant in bits per second, likewise."""
    groups = (presentation.audio, presentation.text)
    return rendition.average_rate + sum(max((each.average_rate for each in group), default=0) for group in groups)


def exact_seconds(durations: Sequence[int], timescale: int) -> Iterator[str]:
    """Durations with six decimals. Instants are rounded, not durations, so the sum never drifts from the media."""
    ticks = told = 0
    for duration in durations:
        ticks += duration
        # In whole numbers, since a film has a hundred thousand of them; half a microsecond is rounded up.
        instant = (2_000_000 * ticks + timescale) // (2 * timescale)
        microseconds, told = instant - told, instant
        yield f"{microseconds // 1_000_000}.{microseconds % 1_000_000:06d}"


def _opening(target: int, kind: str = "VOD") -> list[str]:
    return [
        "#EXTM3U",
        f"#EXT-X-VERSION:{VERSION}",
        f"#EXT-X-TARGETDURATION:{target}",
        "#EXT-X-MEDIA-SEQUENCE:0",
        f"#EXT-X-PLAYLIST-TYPE:{kind}",
    ]


def _initialization(rendition: Rendition) -> list[str]:
    """The initialization segment, and the keys of all segments after it.

    In this order, since keys are for what comes after them: an initialization segment is never encrypted.
    """
    key_lines = rendition.key.media_lines if rendition.key else ()
    return [_tag("EXT-X-MAP", [("URI", _quoted(INIT_SEGMENT))]), *key_lines]


def _variant(presentation: Presentation, rendition: VideoRendition) -> list[tuple[str, str]]:
    codecs = dict.fromkeys([rendition.codecs, *(each.codecs for each in presentation.audio)])
    attributes = [
        ("BANDWIDTH", str(bandwidth(presentation, rendition))),
        ("AVERAGE-BANDWIDTH", str(average_bandwidth(presentation, rendition))),
        ("CODECS", _quoted(",".join(codecs))),
        ("RESOLUTION", f"{rendition.width}x{rendition.height}"),
        ("FRAME-RATE", f"{float(rendition.frame_rate):.3f}"),
        ("VIDEO-RANGE", "SDR"),
    ]
    if presentation.audio:
        attributes.append(("AUDIO", _quoted(_AUDIO_GROUP)))
    if presentation.text:
        attributes.append(("SUBTITLES", _quoted(_TEXT_GROUP)))
    return [*attributes, ("CLOSED-CAPTIONS", _quoted(_CAPTION_GROUP) if presentation.captions else "NONE")]


def _audio_variant(presentation: Presentation) -> list[tuple[str, str]]:
    """Without video the audio is the variant; the group tells its name and language, and of other audio to choose."""
    audio, target = presentation.audio, presentation.target
    return [
        ("BANDWIDTH", str(max(each.peak_rate(target) for each in audio))),
        ("AVERAGE-BANDWIDTH", str(max(each.average_rate for each in audio))),
        ("CODECS", _quoted(",".join(dict.fromkeys(each.codecs for each in audio)))),
        ("AUDIO", _quoted(_AUDIO_GROUP)),
    ]


def _iframe_variant(rendition: VideoRendition) -> list[tuple[str, str]]:
    frames = list(rendition.key_frames())
    sizes, ticks = [frame.length for frame in frames], [frame.ticks for frame in frames]
    return [
        ("BANDWIDTH", str(rates.peak_rate(sizes, ticks, rendition.timescale, _iframe_target(rendition)))),
        ("AVERAGE-BANDWIDTH", str(rates.average_rate(sizes, ticks, rendition.timescale))),
        ("CODECS", _quoted(rendition.codecs)),
        ("RESOLUTION", f"{rendition.width}x{rendition.height}"),
        ("VIDEO-RANGE", "SDR"),
        ("URI", _quoted(uri(f"{rendition.folder}/{IFRAMES}"))),
    ]


def _iframe_target(rendition: VideoRendition) -> int:
    distinct = {frame.ticks for frame in rendition.key_frames()}
    return rates.target_duration([Fraction(ticks, rendition.timescale) for ticks in distinct])


def _media_tags(presentation: Presentation) -> Iterator[str]:
    audio, default = presentation.audio, presentation.default_audio
    # A player that chooses by itself needs a rule: at most one of a language and purpose may be chosen so, the default one
    # first. Nobody hears a commentary who did not ask for it.
    films = [rendition for rendition in audio if rendition.purpose != "commentary"]
    chosen = {
        (rendition.language, rendition.purpose): rendition
        for rendition in reversed([*([default] if default else []), *films])
    }
    for rendition in audio:
        attributes = [("TYPE", "AUDIO"), ("GROUP-ID", _quoted(_AUDIO_GROUP)), ("NAME", _quoted(rendition.label))]
        attributes += [
            # Apple's rules want the language of every rendition; und is what ISO 639 says where nobody does.
            ("LANGUAGE", _quoted(rendition.language or "und")),
            ("DEFAULT", "YES" if rendition is default else "NO"),
            ("AUTOSELECT", "YES" if rendition is chosen.get((rendition.language, rendition.purpose)) else "NO"),
            *([("CHARACTERISTICS", _quoted(traits))] if (traits := _CHARACTERISTICS.get(rendition.purpose)) else ()),
            ("CHANNELS", _quoted(str(rendition.channels))),
            ("URI", _quoted(uri(rendition.playlist))),
        ]
        yield _tag("EXT-X-MEDIA", attributes)


def _subtitle_tags(subtitles: Sequence[TextRendition]) -> Iterator[str]:
    default = next((text for text in subtitles if text.default), None)
    # Of those with the same language, and forced or not, a player may choose only one by itself: the default one first.
    kinds = [((text.language, text.forced), text) for text in ([default] if default else []) + list(subtitles)]
    chosen = dict(reversed(kinds))
    for text in subtitles:
        attributes = [
            ("TYPE", "SUBTITLES"),
            ("GROUP-ID", _quoted(_TEXT_GROUP)),
            ("NAME", _quoted(text.label)),
            ("LANGUAGE", _quoted(text.language or "und")),
            ("DEFAULT", "YES" if text is default else "NO"),
            ("AUTOSELECT", "YES" if text is chosen[text.language, text.forced] else "NO"),
            ("FORCED", "YES" if text.forced else "NO"),
            ("URI", _quoted(uri(text.playlist))),
        ]
        yield _tag("EXT-X-MEDIA", attributes)


def _caption_tags(channels: Sequence[str]) -> Iterator[str]:
    for channel in channels:
        attributes = [
            ("TYPE", "CLOSED-CAPTIONS"),
            ("GROUP-ID", _quoted(_CAPTION_GROUP)),
            ("NAME", _quoted(channel)),
            # The captions do not tell it.
            ("LANGUAGE", _quoted("und")),
            ("DEFAULT", "NO"),
            # Only one of a language may be chosen by a player itself.
            ("AUTOSELECT", "YES" if channel == channels[0] else "NO"),
            ("INSTREAM-ID", _quoted(channel)),
        ]
        yield _tag("EXT-X-MEDIA", attributes)


def _tag(name: str, attributes: Sequence[tuple[str, str]]) -> str:
    return f"#{name}:" + ",".join(f"{attribute}={value}" for attribute, value in attributes)


def _quoted(text: str) -> str:
    """A quoted string, which has no way to hold a quote or a line break."""
    return '"' + "".join(" " if ord(character) < 32 else character for character in text).replace('"', "'") + '"'
