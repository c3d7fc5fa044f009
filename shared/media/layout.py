"""Names of files: what lies where below the output prefix, and what type it has. Paths are relative to the prefix. Pure.

The folder of a rendition of video is the name of its rung, those of audio and text are in the plan.
"""

from pathlib import PurePosixPath
from typing import Literal
from urllib.parse import quote

Kind = Literal["video", "audio", "text"]

MULTIVARIANT = "video.m3u8"
DASH = "video.mpd"
INIT_SEGMENT = "init.mp4"
DASH_INIT_SEGMENT = "dash_init.mp4"
"""That of audio for the manifest, which hides the priming by itself."""
IFRAMES = "iframes.m3u8"
SHEET, CUES = "sprite/sprite_image.jpg", "sprite/sprite.vtt"
AUDIO_FOLDER = "audio"
WHOLE_TEXT = "text.vtt"
SEGMENT_SUFFIX = ".m4s"
"""Of segments of video and audio."""

# Segments and initialization segments are typed as CMAF (ISO/IEC 23000-19) and Apple's authoring rules have them: as the MP4
# files that they are, by their kind of media. The older video/iso.segment is unknown to many servers and players.
_TYPES = {
    ".m3u8": "application/vnd.apple.mpegurl",
    ".mpd": "application/dash+xml",
    SEGMENT_SUFFIX: "video/mp4",
    ".mp4": "video/mp4",
    ".jpg": "image/jpeg",
    ".vtt": "text/vtt",
}


def kind_of(folder: str) -> Kind:
    """Kind of the rendition in a folder."""
    match folder.partition("/")[0]:
        case "audio":
            return "audio"
        case "text":
            return "text"
        case _:
            return "video"


def segment_name(kind: Kind, number: int) -> str:
    """File name of a segment, the same in the work space and in the bucket."""
    return _segment(kind, f"{number:05d}")


def segment_template(kind: Kind) -> str:
    """Names of all segments as a DASH template has them."""
    return _segment(kind, "$Number%05d$")


def playlist_name(kind: Kind) -> str:
    """File name of a rendition's media playlist."""
    return f"{kind}.m3u8"


def content_type(path: str) -> str:
    """Content type of an object by its path.

    Raises:
        KeyError: nothing of that kind is ever uploaded.
    """
    place = PurePosixPath(path)
    found = _TYPES[place.suffix]
    return "audio/mp4" if found == "video/mp4" and place.parts[0] == AUDIO_FOLDER else found


def uri(path: str) -> str:
    """A path as a relative reference."""
    return quote(path, safe="/-_.~")


def _segment(kind: Kind, number: str) -> str:
    return f"{kind}_{number}{'.vtt' if kind == 'text' else SEGMENT_SUFFIX}"
