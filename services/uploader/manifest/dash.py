"""The DASH manifest (ISO/IEC 23009-1) over the same segments. Pure: data in, text out."""

from collections.abc import Iterator, Sequence
from fractions import Fraction
from itertools import count, groupby
from math import ceil
from xml.etree import ElementTree

from services.uploader.manifest.content_protection import NAMESPACE, add_protection
from services.uploader.manifest.presentation import (
    AudioRendition,
    Presentation,
    Rendition,
    TextRendition,
    VideoRendition,
)
from shared.media.layout import SHEET, segment_template, uri
from shared.media.stills import Stills

_NAMESPACE = "urn:mpeg:dash:schema:mpd:2011"
# Segments named by number, each starting with a key frame; and that they are CMAF.
_PROFILES = "urn:mpeg:dash:profile:isoff-live:2011,urn:mpeg:dash:profile:cmaf:2019"
_TILES = "http://dashif.org/guidelines/thumbnail_tile"
_SWITCHING = "urn:mpeg:dash:adaptation-set-switching:2016"
_ROLE = "urn:mpeg:dash:role:2011"
_ROLES = {
    "main": "alternate",
    "commentary": "commentary",
    "description": "description",
    "clear_speech": "enhanced-audio-intelligibility",
}
# For the visually impaired, for the hard of hearing, as DVB (ETSI TS 103 285) uses the scheme and players know it.
_PURPOSES = "urn:tva:metadata:cs:AudioPurposeCS:2007"
_AUDIO_PURPOSE = {"description": "1", "clear_speech": "2"}
_CHANNELS = "urn:mpeg:mpegB:cicp:ChannelConfiguration"
# ChannelConfiguration of ISO/IEC 23091-3 for the counts of channels that we make.
_CHANNEL_CONFIGURATION = {1: "1", 2: "2", 6: "6"}


def manifest(presentation: Presentation, *, sheet_bytes: int = 0) -> str:
    """The manifest, at the output prefix itself.

    Args:
        sheet_bytes: size of the sheet of tiles; 0 leaves it out.
    """
    longest = max(Fraction(max(each.durations), each.timescale) for each in presentation.all_renditions)
    tiles = presentation.stills if sheet_bytes else None
    if tiles:
        longest = max(longest, _sheet_seconds(tiles, presentation))
    root = ElementTree.Element(
        "MPD",
        {
            "xmlns": _NAMESPACE,
            "profiles": _PROFILES,
            "type": "static",
            "mediaPresentationDuration": _duration(presentation.seconds),
            "maxSegmentDuration": _duration(longest),
            # A bandwidth is a peak over about one target duration, so this much has to be buffered for it to hold.
            "minBufferTime": _duration(Fraction(presentation.target)),
        }
        | (NAMESPACE if presentation.keys else {}),
    )
    period = ElementTree.SubElement(root, "Period", {"id": "0", "start": "PT0S"})
    numbers = count(1)
    sets = {next(numbers) if index else 0: each for index, each in enumerate(_video_sets(presentation))}
    for number, renditions in sets.items():
        others = [other for other, each in sets.items() if other != number and each[0].codec == renditions[0].codec]
        _video_set(period, presentation, renditions, number, others)
    for audio in presentation.audio:
        _audio_set(period, presentation, audio, next(numbers), main=audio is presentation.default_audio)
    for text in presentation.text:
        _text_set(period, text, next(numbers))
    if tiles:
        _image_set(period, presentation, tiles, next(numbers), sheet_bytes)
    ElementTree.indent(root)
    return '<?xml version="1.0" encoding="utf-8"?>\n' + ElementTree.tostring(root, encoding="unicode") + "\n"


def timeline(durations: Sequence[int]) -> list[tuple[int, int, int]]:
    """Start, duration (ticks) and number of repeats of each run of equally long segments."""
    entries, start = [], 0
    for duration, run in groupby(durations):
        length = len(list(run))
        entries.append((start, duration, length - 1))
        start += duration * length
    return entries


def _video_sets(presentation: Presentation) -> list[list[VideoRendition]]:
    """The renditions of each codec and key.

    Within a set a player may switch, which it cannot between codecs; and what is said of a key is said of a whole set.
    """
    kinds = dict.fromkeys((one.codec, one.key) for one in presentation.video)
    return [[one for one in presentation.video if (one.codec, one.key) == kind] for kind in kinds]


def _video_set(
    period: ElementTree.Element,
    presentation: Presentation,
    renditions: Sequence[VideoRendition],
    number: int,
    others: Sequence[int],
) -> None:
    """A set of video. ``others`` are those with the same pictures by other keys, between which a player may switch as well."""
    adaptation = ElementTree.SubElement(
        period,
        "AdaptationSet",
        {
            "id": str(number),
            "contentType": "video",
            "mimeType": "video/mp4",
            "segmentAlignment": "true",
            "startWithSAP": "1",
            "maxWidth": str(max(rendition.width for rendition in renditions)),
            "maxHeight": str(max(rendition.height for rendition in renditions)),
            "maxFrameRate": _frame_rate(renditions[0].frame_rate),
        },
    )
    add_protection(adaptation, renditions[0].key)
    if others:
        value = ",".join(map(str, others))
        ElementTree.SubElement(adaptation, "SupplementalProperty", {"schemeIdUri": _SWITCHING, "value": value})
    for scheme, value in _captions(presentation.captions):
        ElementTree.SubElement(adaptation, "Accessibility", {"schemeIdUri": scheme, "value": value})
    # The folder of a rendition is its id, so one template serves all.
    _template(adaptation, "$RepresentationID$", renditions[0])
    for rendition in renditions:
        _representation(adaptation, rendition, presentation)


def _captions(channels: Sequence[str]) -> Iterator[tuple[str, str]]:
    """Scheme and value of the descriptors of closed captions (SCTE 214-1); nobody knows their languages."""
    lines = [f"{channel}=und" for channel in channels if channel.startswith("CC")]
    services = [f"{channel.removeprefix('SERVICE')}=lang:und" for channel in channels if not channel.startswith("CC")]
    if lines:
        yield "urn:scte:dash:cc:cea-608:2015", ";".join(lines)
    if services:
        yield "urn:scte:dash:cc:cea-708:2015", ";".join(services)


def _representation(adaptation: ElementTree.Element, rendition: VideoRendition, presentation: Presentation) -> None:
    ElementTree.SubElement(
        adaptation,
        "Representation",
        {
            "id": rendition.folder,
            "bandwidth": str(rendition.peak_rate(presentation.target)),
            "codecs": rendition.codecs,
            "width": str(rendition.width),
            "height": str(rendition.height),
            "frameRate": _frame_rate(rendition.frame_rate),
            "sar": "1:1",
        },
    )


def _audio_set(
    period: ElementTree.Element, presentation: Presentation, audio: AudioRendition, number: int, *, main: bool
) -> None:
    language = {"lang": audio.language} if audio.language else {}
    common = {
        "id": str(number),
        "contentType": "audio",
        "mimeType": "audio/mp4",
        "segmentAlignment": "true",
        "startWithSAP": "1",
    }
    adaptation = ElementTree.SubElement(period, "AdaptationSet", common | language)
    ElementTree.SubElement(
        adaptation,
        "AudioChannelConfiguration",
        {"schemeIdUri": _CHANNELS, "value": _CHANNEL_CONFIGURATION[audio.channels]},
    )
    add_protection(adaptation, audio.key)
    ElementTree.SubElement(adaptation, "Label").text = audio.label
    if audio.purpose in _AUDIO_PURPOSE:
        value = _AUDIO_PURPOSE[audio.purpose]
        ElementTree.SubElement(adaptation, "Accessibility", {"schemeIdUri": _PURPOSES, "value": value})
    role = "main" if main else _ROLES[audio.purpose]
    ElementTree.SubElement(adaptation, "Role", {"schemeIdUri": _ROLE, "value": role})
    _template(adaptation, uri(audio.folder), audio)
    ElementTree.SubElement(
        adaptation,
        "Representation",
        {
            "id": f"audio-{number}",
            "bandwidth": str(audio.peak_rate(presentation.target)),
            "codecs": audio.codecs,
            "audioSamplingRate": str(audio.sample_rate),
        },
    )


def _text_set(period: ElementTree.Element, text: TextRendition, number: int) -> None:
    """Text as one file: as long as it is no fragmented MP4, the segments of a representation cannot be WebVTT."""
    language = {"lang": text.language} if text.language else {}
    common = {"id": str(number), "contentType": "text", "mimeType": "text/vtt"}
    adaptation = ElementTree.SubElement(period, "AdaptationSet", common | language)
    ElementTree.SubElement(adaptation, "Label").text = text.label
    role = "forced-subtitle" if text.forced else "subtitle"
    ElementTree.SubElement(adaptation, "Role", {"schemeIdUri": _ROLE, "value": role})
    if text.default:
        ElementTree.SubElement(adaptation, "Role", {"schemeIdUri": _ROLE, "value": "main"})
    attributes = {"id": f"text-{number}", "bandwidth": str(text.whole_rate)}
    representation = ElementTree.SubElement(adaptation, "Representation", attributes)
    ElementTree.SubElement(representation, "BaseURL").text = uri(text.whole_file)


def _image_set(
    period: ElementTree.Element, presentation: Presentation, tiles: Stills, number: int, sheet_bytes: int
) -> None:
    """The sheet as a segment of its own, after DASH-IF's guidelines (IOP 4.3, 6.2.6), for players that know them."""
    common = {"id": str(number), "contentType": "image", "mimeType": "image/jpeg"}
    adaptation = ElementTree.SubElement(period, "AdaptationSet", common)
    seconds = _sheet_seconds(tiles, presentation)
    # In the fewest ticks that there are, since this has to fit into 32 bits.
    times = {"timescale": str(seconds.denominator), "duration": str(seconds.numerator)}
    ElementTree.SubElement(adaptation, "SegmentTemplate", times | {"media": SHEET, "startNumber": "1"})
    representation = ElementTree.SubElement(
        adaptation,
        "Representation",
        {
            "id": "tiles",
            "bandwidth": str(ceil(8 * sheet_bytes / seconds)),
            "width": str(tiles.columns * tiles.tiles.width),
            "height": str(tiles.rows * tiles.tiles.height),
        },
    )
    grid = {"schemeIdUri": _TILES, "value": f"{tiles.columns}x{tiles.rows}"}
    ElementTree.SubElement(representation, "EssentialProperty", grid)


def _sheet_seconds(tiles: Stills, presentation: Presentation) -> Fraction:
    """What the sheet would cover if it were full: players divide this by its places to get the length of a tile."""
    return tiles.columns * tiles.rows * tiles.tile_frames / presentation.video[0].frame_rate


def _template(adaptation: ElementTree.Element, folder: str, rendition: Rendition) -> None:
    # What lies before the presentation's beginning, players leave out.
    offset = {"presentationTimeOffset": str(rendition.priming)} if rendition.priming else {}
    template = ElementTree.SubElement(
        adaptation,
        "SegmentTemplate",
        {"timescale": str(rendition.timescale)}
        | offset
        | {
            "initialization": f"{folder}/{rendition.dash_init_segment}",
            "media": f"{folder}/{segment_template(rendition.kind)}",
            "startNumber": "0",
        },
    )
    entries = ElementTree.SubElement(template, "SegmentTimeline")
    for start, duration, repeats in timeline(rendition.durations):
        repeated = {"r": str(repeats)} if repeats else {}
        ElementTree.SubElement(entries, "S", {"t": str(start), "d": str(duration)} | repeated)


def _frame_rate(rate: Fraction) -> str:
    return str(rate.numerator) if rate.denominator == 1 else f"{rate.numerator}/{rate.denominator}"


def _duration(seconds: Fraction) -> str:
    """An ``xs:duration``, rounded to the microsecond, or up where it would vanish."""
    return f"PT{max(float(seconds), 1e-6):.6f}".rstrip("0").rstrip(".") + "S"
