"""The plan of an encode: everything the transcoder and the uploader need to know, decided once, before the first frame."""

from collections.abc import Mapping
from fractions import Fraction
from typing import Any

from pydantic import BaseModel, ConfigDict, Field, model_validator

from shared.ids import PartName
from shared.media.source import Purpose, Rational
from shared.media.stills import Stills

AUDIO_WORK, TEXT_WORK = 0.1, 0.01
"""What encoding a track of audio and one of text takes, against the whole video."""


class _Model(BaseModel):
    model_config = ConfigDict(frozen=True, arbitrary_types_allowed=True)


class Rung(_Model):
    """One rendition of the ladder.

    Attributes:
        name: unique in its plan. It is the folder of the rendition below the output prefix, its label among ffmpeg's filters
            and the stem of its file. Of H.264 the resolution alone, of any other codec ``480p-<codec>``.
        resolution: what the customer asked for, such as ``480p``; several rungs may have the same.
        codec: name of a row in :mod:`shared.media.codecs.table`.
        width, height: pixels, both even; square pixels.
        crf: constant rate factor, as the codec's encoders count it.
        max_rate: cap of the rate, bits per second, over a buffer of ``buffer`` bits.
        level: of the codec, such as ``4.0``.

    Logs of versions that knew one codec have rungs without name and codec: they mean the resolution, and H.264.
    """

    name: str = Field(pattern=r"^[0-9a-z]+(-[0-9a-z]+)*$")
    resolution: str
    codec: str
    width: int
    height: int
    crf: float
    max_rate: int
    buffer: int
    level: str

    @model_validator(mode="before")
    @classmethod
    def _as_before_there_were_codecs(cls, members: Any) -> Any:
        """A rung in the log of a version that knew one codec, and no name but the resolution."""
        if isinstance(members, Mapping) and "resolution" in members:
            return {"name": members["resolution"], "codec": "h264", **members}
        return members


def rung_name(resolution: str, codec: str) -> str:
    """Name of the rung of a resolution and a codec: of H.264 it has always been the resolution."""
    return resolution if codec == "h264" else f"{resolution}-{codec}"


class VideoPart(_Model):
    """A span of the video, encoded at all rungs with one decode.

    Attributes:
        first_segment: number of its first segment in the whole presentation.
        first_frame: number of its first output frame.
        frames: how many output frames it has; the transcoder must produce exactly these.
        seek: seconds on the source's clock to seek to before decoding; None reads from the start.
        first_pts: frames with an earlier time stamp (ticks of the source's time base) are dropped after decoding; None keeps all.
        shown_first, shown_last: time stamps (ticks) of the source frames that its first and last output frames show. The
            transcoder checks them, so that a container that seeks inexactly can never lead to a wrong cut. None where
            frames are made anew (fields woven into frames).
        pad: how many frames at its end may be repeats of the last one, where the source's video ends before its audio.
        span: the bytes of the source that decoding it reads (the first, and the one after the last), besides the source's head
            and tail; None where nobody can tell.
    """

    name: PartName
    first_segment: int
    first_frame: int
    frames: int
    seek: float | None = None
    first_pts: int | None = None
    shown_first: int | None = None
    shown_last: int | None = None
    pad: int = 0
    span: tuple[int, int] | None = None


class AudioPart(_Model):
    """One whole audio track.

    Attributes:
        track: index of the stream in the source.
        folder: where it goes below the output prefix.
        label, language: as the playlists show them; the language as BCP 47 has it.
        bit_rate: bits per second of AAC.
        sample_rate: samples per second of the output.
    """

    name: PartName
    track: int
    folder: str
    label: str
    language: str | None
    default: bool
    bit_rate: int
    sample_rate: int
    channels: int = 2
    purpose: Purpose = "main"


class TextPart(_Model):
    """One whole subtitle track of text.

    Attributes:
        track: index of the stream in the source.
        folder: where it goes below the output prefix.
        label, language: as the playlists show them; labels are unique.
        default: shown unless the viewer chooses otherwise; one at the most is.
        forced: holds only what has to be read in any case, such as signs and foreign speech.
    """

    name: PartName
    track: int
    folder: str
    label: str
    language: str | None
    default: bool
    forced: bool


class Plan(_Model):
    """How a source becomes a presentation.

    Attributes:
        profile: name of the encoding profile; ``preset`` and ``encoder_params`` (as in ``-x264-params``) come from it.
        frame_rate: of every rendition, constant, frames per second.
        timescale, frame_ticks: ticks per second of all video, and ticks of one frame: exactly ``1 / frame_rate`` seconds.
        gop_frames: distance of IDR frames. segment_frames: a whole number of GOPs.
        frames: total output frames of each rendition.
        tail_frames: those of them at the end that are too few for a segment of their own: the last segment has them as well.
        origin_pts: time stamp of the source's video, in ticks, that becomes 0 in the output; origin: the same in seconds.
        field_filters: ffmpeg filters before the frame rate is made constant. picture_filters: after it; they bring the
            frames to upright BT.709 8-bit 4:2:0. Scaling to each rung follows.
        window: how many parts are requested as soon as the plan stands.
        widest: how many may be requested and not yet uploaded at the most. None in plans of versions that kept to ``window``,
            whose uploaders request the part ``window`` places after the one that they have uploaded.
        stills: taken out of the encode of the video parts that their frames lie in; None where nobody planned any.
    """

    profile: str
    preset: str
    encoder_params: str
    frame_rate: Rational
    timescale: int
    frame_ticks: int
    gop_frames: int
    segment_frames: int
    frames: int
    origin: Rational
    origin_pts: int
    field_filters: tuple[str, ...]
    picture_filters: tuple[str, ...]
    rungs: tuple[Rung, ...]
    video: tuple[VideoPart, ...]
    audio: tuple[AudioPart, ...]
    window: int
    widest: int | None = None
    stills: Stills | None = None
    text: tuple[TextPart, ...] = ()
    tail_frames: int = 0

    @model_validator(mode="after")
    def _names_are_unique(self) -> "Plan":
        names = [rung.name for rung in self.rungs]
        if len(set(names)) < len(names):
            raise ValueError(f"two rungs of one name: {names}")
        return self

    @property
    def duration(self) -> Fraction:
        """Seconds of the output."""
        return self.frames / self.frame_rate

    @property
    def release_order(self) -> tuple[str, ...]:
        """Names of all parts in the order in which they are released: what cannot be divided first, so audio, then text."""
        names = [part.name for part in self.audio] + [part.name for part in self.text]
        return (*names, *(part.name for part in self.video))

    @property
    def segments(self) -> int:
        """How many segments each rendition has."""
        return -(-(self.frames - self.tail_frames) // self.segment_frames)

    @property
    def segment_spans(self) -> tuple[tuple[int, int], ...]:
        """First and end frame of each segment."""
        starts = [number * self.segment_frames for number in range(self.segments)]
        return tuple(zip(starts, [*starts[1:], self.frames], strict=True))

    def segments_of(self, part: VideoPart) -> int:
        """How many segments a part of the video has."""
        return min(-(-part.frames // self.segment_frames), self.segments - part.first_segment)

    @property
    def most_under_way(self) -> int:
        """How many parts may be requested and not yet uploaded at the most."""
        return self.window if self.widest is None else self.widest

    def work_of(self, part: str) -> float:
        """How much of the encode a part is, in output frames.

        An audio track counts as a tenth of the video, one of text as a hundredth.
        """
        video = self.video_part(part)
        if video:
            return float(video.frames)
        return self.frames * (AUDIO_WORK if self.audio_part(part) else TEXT_WORK)

    def work_from(self, part: str) -> float:
        """How much of the encode a part is and all that follow it in the release order, in output frames."""
        works = [AUDIO_WORK * self.frames] * len(self.audio) + [TEXT_WORK * self.frames] * len(self.text)
        works += [float(video.frames) for video in self.video]
        return sum(works[self.release_order.index(part) :])

    @property
    def work(self) -> float:
        """The whole encode, in output frames."""
        tracks = AUDIO_WORK * len(self.audio) + TEXT_WORK * len(self.text)
        return sum(part.frames for part in self.video) + tracks * self.frames

    def video_part(self, name: str) -> VideoPart | None:
        """The video part of that name, if it is one."""
        return next((part for part in self.video if part.name == name), None)

    def audio_part(self, name: str) -> AudioPart | None:
        """The audio part of that name, if it is one."""
        return next((part for part in self.audio if part.name == name), None)

    def text_part(self, name: str) -> TextPart | None:
        """The text part of that name, if it is one."""
        return next((part for part in self.text if part.name == name), None)
