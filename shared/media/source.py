"""What a source file is, as the probe found it. Every fact the planner uses is here, with its unit."""

from fractions import Fraction
from typing import Annotated, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, PlainSerializer


def _fraction(value: object) -> object:
    return Fraction(value) if isinstance(value, str) else value


Rational = Annotated[
    Fraction,
    BeforeValidator(_fraction),
    PlainSerializer(lambda value: f"{value.numerator}/{value.denominator}", return_type=str),
]
"""An exact ratio; in JSON the text ``30000/1001``."""


class _Model(BaseModel):
    model_config = ConfigDict(frozen=True, arbitrary_types_allowed=True)


class Color(_Model):
    """Colour description in ffmpeg's names, None where the stream does not say."""

    primaries: str | None = None
    transfer: str | None = None
    matrix: str | None = None
    range: str | None = None


class Mastering(_Model):
    """How bright HDR pictures get, in nits, None where the stream does not say.

    Attributes:
        display_peak: of the screen on which they were graded (SMPTE ST 2086).
        content_peak: of the brightest pixel of all (MaxCLL of CTA-861.3).
    """

    display_peak: float | None = None
    content_peak: float | None = None


class AspectChange(_Model):
    """From the frame at ``pts`` (ticks) on, pixels have another shape: ``sample_aspect`` is their width over their height."""

    pts: int
    sample_aspect: Rational


class VideoTrack(_Model):
    """The video stream that is transcoded.

    Attributes:
        index: of the stream in the container.
        width, height: pixels as stored, before rotation and sample aspect.
        sample_aspect: width of a pixel over its height.
        rotation: degrees, counter-clockwise, that the picture is turned for display: 0, 90, 180 or 270.
        mirrored: the picture is flipped left to right for display, before it is turned.
        time_base: seconds per tick of ``pts`` values.
        start_pts: smallest presentation time stamp of a displayed frame, in ticks.
        end_pts: presentation time at which the last frame ends, in ticks.
        frames: displayed frames, by counting packets.
        frame_rate: real rate in frames per second; for variable rate the nearest standard one.
        variable_rate: the frames do not sit on the grid of ``frame_rate``.
        interlaced: fields have to be woven into frames first.
        top_field_first: which field comes first where interlaced.
        bit_depth: bits of a sample.
        decoder: ffmpeg's name of the decoder to use, where the one it would choose loses something; else None.
        captions: closed captions lie with the first pictures. Where they only begin later, nobody knows.
        aspects: where the shape of pixels changes in the middle, in order.
    """

    index: int
    codec: str
    profile: str | None = None
    pixel_format: str
    width: int
    height: int
    sample_aspect: Rational = Fraction(1)
    rotation: int = 0
    mirrored: bool = False
    time_base: Rational
    start_pts: int
    end_pts: int
    frames: int
    frame_rate: Rational
    variable_rate: bool = False
    interlaced: bool = False
    top_field_first: bool = True
    bit_depth: int = 8
    color: Color = Color()
    mastering: Mastering = Mastering()
    decoder: str | None = None
    captions: bool = False
    aspects: tuple[AspectChange, ...] = ()

    @property
    def start(self) -> Fraction:
        """Seconds on the source's clock at which the first frame is shown."""
        return self.start_pts * self.time_base

    @property
    def end(self) -> Fraction:
        """Seconds on the source's clock at which the last frame ends."""
        return self.end_pts * self.time_base


Purpose = Literal["main", "commentary", "description", "clear_speech"]
"""What a sound track is for: the film itself, talk about it, the film with its pictures described, the film with its speech
brought out."""


class AudioTrack(_Model):
    """An audio stream.

    Attributes:
        index: of the stream in the container.
        start, end: seconds on the source's clock.
        layout: of the channels, in ffmpeg's words; None where it is not told.
        language: as tagged, mostly an ISO 639 code; None where it is not.
        uneven: the packets' time stamps do not follow each other by the packets' lengths, as where they were stamped by when
            they arrived, or where some are missing.
    """

    index: int
    codec: str
    channels: int
    layout: str | None = None
    sample_rate: int
    start: float
    end: float
    language: str | None = None
    title: str | None = None
    default: bool = False
    purpose: Purpose = "main"
    uneven: bool = False


class TextTrack(_Model):
    """A subtitle stream of text."""

    index: int
    codec: str
    language: str | None = None
    title: str | None = None
    default: bool = False
    forced: bool = False


class Source(_Model):
    """A probed source.

    Attributes:
        demuxer: ffmpeg's name of the demuxer that reads it; always given with ``-f`` so that content cannot choose another.
        file: name of the file inside the job's source folder of the work space.
        bytes: size of that file.
        duration: seconds from the first to the last instant of any audio or video stream.
        video_track: what is transcoded of the picture (``video`` in JSON); None where only the sound was asked for.
        cuttable: ffmpeg can seek in it exactly, so that it may be cut into parts.
        head, tail: where the bytes end that are read to know its tracks, and where those begin that lie behind all packets; None
            where nobody needs to know.
    """

    model_config = ConfigDict(serialize_by_alias=True)

    demuxer: str
    file: str
    bytes: int
    duration: float
    video_track: VideoTrack | None = Field(None, alias="video")
    audio: tuple[AudioTrack, ...] = ()
    text: tuple[TextTrack, ...] = ()
    cuttable: bool = True
    head: int | None = None
    tail: int | None = None

    @property
    def video(self) -> VideoTrack:
        """The picture, for all that only concerns jobs that asked for it. Raises: ValueError: this one did not."""
        if self.video_track is None:
            raise ValueError("only the sound of this source was asked for")
        return self.video_track

    def audio_track(self, index: int) -> AudioTrack:
        """The audio track that is stream ``index`` of the container. Raises: StopIteration."""
        return next(track for track in self.audio if track.index == index)
