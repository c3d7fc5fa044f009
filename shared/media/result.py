"""What came out: of one part, and of a whole job."""

from typing import Literal

from pydantic import Base64Bytes, BaseModel, ConfigDict


class _Model(BaseModel):
    model_config = ConfigDict(frozen=True)


class SegmentTable(_Model):
    """One track of one transcoded part; the files lie in the part's folder of the work space as ``<folder>/<file>``.

    Attributes:
        folder: below the part's folder and below the output prefix alike, such as ``480p`` or ``audio/0-en``.
        timescale: ticks per second of ``durations``.
        first_segment: number of its first segment.
        durations: ticks of each segment. sizes: bytes of each segment.
        frames: samples in all segments together: video frames, AAC frames, or cues.
        init: the header (``init.mp4``), base64 in JSON, empty for text; the headers of all parts of a track are merged by
            :func:`shared.mp4.bmff.merge_init_segments`, and are the same bytes where one kind of encoder made them all.
        codecs: RFC 6381 text, read out of the header.
        whole: bytes of the file that holds all of a track of text besides its segments (``text.vtt``); 0 for other tracks.
        captions: for video, the channels of closed captions that carry something, in HLS's names (``CC1``, ``SERVICE1``).
        iframes: for video, for each segment the list of (offset, length in bytes, ticks until the next) of its IDR frames.
    """

    folder: str
    timescale: int
    first_segment: int
    durations: tuple[int, ...]
    sizes: tuple[int, ...]
    frames: int
    init: Base64Bytes
    codecs: str
    iframes: tuple[tuple[tuple[int, int, int], ...], ...] = ()
    whole: int = 0
    captions: tuple[str, ...] = ()


class RenditionOutput(_Model):
    """A rendition as GET and webhooks show it. Rates are bits per second, of the video alone; sizes are bytes."""

    resolution: str
    width: int
    height: int
    frame_rate: float
    average_bitrate: int
    peak_bitrate: int
    codecs: str
    bytes: int
    playlist: str


class AudioOutput(_Model):
    """An audio rendition. Rates are bits per second."""

    name: str
    language: str | None
    codecs: str
    average_bitrate: int
    peak_bitrate: int
    bytes: int
    playlist: str


class SubtitleOutput(_Model):
    """A rendition of subtitles, as WebVTT. Sizes are bytes."""

    name: str
    language: str | None
    forced: bool
    bytes: int
    playlist: str


class Violation(_Model):
    """A place where a rule of the compliance check does not hold: what was measured there, and what the rule expects."""

    rule: str
    severity: Literal["must", "should"]
    text: str
    where: str
    measured: str
    expected: str


class Compliance(_Model):
    """What the compliance check found before the job was completed.

    Attributes:
        ok: no MUST is violated.
        checked: rules that were applied. skipped: rules that need every byte of every segment; ``python -m
            checker`` applies those, too.
        violations: the first places of each rule that does not hold.
    """

    ok: bool
    checked: int
    skipped: int
    violations: tuple[Violation, ...] = ()


class SpriteOutput(_Model):
    """The pictures for the seek bar: one sheet, and WebVTT cues that say which piece of it belongs to which time."""

    image: str
    vtt: str


class Outputs(_Model):
    """Where a completed job's output is. Locations are ``s3://bucket/key`` without credentials.

    ``compliance`` is None only in the log of a version that did not check.
    """

    master: str
    dash: str
    renditions: tuple[RenditionOutput, ...]
    audio: tuple[AudioOutput, ...]
    bytes: int
    segments: int
    subtitles: tuple[SubtitleOutput, ...] = ()
    compliance: Compliance | None = None
    thumbnails: tuple[str, ...] = ()
    sprite: SpriteOutput | None = None
