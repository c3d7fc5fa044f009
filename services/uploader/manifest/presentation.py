"""The finished presentation as data: everything that playlists, manifest and outputs are written from. Pure."""

from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction
from functools import cached_property

from services.uploader.manifest import rates
from shared.encryption.protection import ProtectedKey, Scheme
from shared.media.layout import DASH_INIT_SEGMENT, INIT_SEGMENT, WHOLE_TEXT, Kind, playlist_name, segment_name
from shared.media.source import Purpose
from shared.media.stills import Still, Stills
from shared.mp4.edits import without_edit


@dataclass(frozen=True, kw_only=True)
class Rendition:
    """One rendition of the presentation, over its whole length.

    Attributes:
        folder: below the output prefix.
        codecs: RFC 6381 text.
        timescale: ticks per second.
        durations: ticks of each segment. sizes: bytes of each segment.
        init_segment: the bytes of ``init.mp4``, none for text.
        priming: ticks at the beginning of the first segment that are decoded and not heard.
        key: that its segments are encrypted with; None where they are in the clear.
    """

    kind: Kind
    folder: str
    codecs: str
    timescale: int
    durations: tuple[int, ...]
    sizes: tuple[int, ...]
    init_segment: bytes
    priming: int = 0
    key: ProtectedKey | None = None

    @property
    def playlist(self) -> str:
        """Path of the media playlist."""
        return f"{self.folder}/{playlist_name(self.kind)}"

    @property
    def seconds(self) -> Fraction:
        """Length of the rendition, as it is presented."""
        return Fraction(sum(self.presented), self.timescale)

    @cached_property
    def presented(self) -> tuple[int, ...]:
        """Ticks of each segment that are seen or heard."""
        first, *others = self.durations
        return (first - self.priming, *others)

    @property
    def bytes(self) -> int:
        """Size of initialization segments and segments together."""
        return sum(map(len, init_segments_of(self).values())) + sum(self.sizes)

    @cached_property
    def average_rate(self) -> int:
        """Bits per second of the segments."""
        return rates.average_rate(self.sizes, self.durations, self.timescale)

    def peak_rate(self, target: int) -> int:
        """Peak segment bit rate for a target duration in seconds. Worked out once: several documents state it."""
        if target not in self._peak_rates:
            self._peak_rates[target] = rates.peak_rate(self.sizes, self.durations, self.timescale, target)
        return self._peak_rates[target]

    @cached_property
    def _peak_rates(self) -> dict[int, int]:
        return {}

    def boundaries(self) -> list[Fraction]:
        """Seconds from the start of the presentation at which each segment ends."""
        ticks, ends = 0, []
        for duration in self.presented:
            ticks += duration
            ends.append(Fraction(ticks, self.timescale))
        return ends

    @property
    def dash_init_segment(self) -> str:
        """Name of the initialization segment that the manifest leads to."""
        return DASH_INIT_SEGMENT if self.priming else INIT_SEGMENT

    def objects(self) -> dict[str, int]:
        """Path and size of every object that a playlist or the manifest leads to for this rendition."""
        names = (segment_name(self.kind, number) for number in range(len(self.sizes)))
        segments = {f"{self.folder}/{name}": size for name, size in zip(names, self.sizes, strict=True)}
        return {path: len(body) for path, body in init_segments_of(self).items()} | segments


def init_segments_of(rendition: Rendition) -> dict[str, bytes]:
    """Every initialization segment of a rendition by path, none for text.

    Of audio with priming the manifest has one of its own, without the edit list, and says ``presentationTimeOffset`` instead:
    ffmpeg's DASH demuxer applies an edit list to each segment anew, and would cut off the first 21 ms of every one.
    """
    if not rendition.init_segment:
        return {}
    made = {f"{rendition.folder}/{INIT_SEGMENT}": rendition.init_segment}
    if rendition.priming:
        made[f"{rendition.folder}/{DASH_INIT_SEGMENT}"] = without_edit(rendition.init_segment)
    return made


@dataclass(frozen=True)
class IFrame:
    """A key frame inside a segment: where its bytes are, and how long it stands when only key frames are shown.

    ``offset`` and ``length`` are bytes, ``ticks`` the time until the next key frame.
    """

    segment: int
    offset: int
    length: int
    ticks: int


@dataclass(frozen=True, kw_only=True)
class VideoRendition(Rendition):
    """A rung of the ladder.

    Attributes:
        resolution: that was asked for. codec: name of a row in :mod:`shared.media.codecs.table`.
        width, height: pixels, which are square. frame_rate: frames per second.
        iframes: for each segment, of each of its key frames: offset, length (bytes), ticks until the next.
        captions: channels of closed captions that lie with the frames (``CC1``, ``SERVICE1``).
        least_peak: bits per second that segments may reach which are not made yet; 0 where all are made.
    """

    resolution: str
    codec: str
    width: int
    height: int
    frame_rate: Fraction
    iframes: tuple[tuple[tuple[int, int, int], ...], ...] = ()
    captions: tuple[str, ...] = ()
    least_peak: int = 0

    def peak_rate(self, target: int) -> int:
        """Peak segment bit rate, of what is to come as well."""
        return max(super().peak_rate(target), self.least_peak)

    def key_frames(self) -> Iterator[IFrame]:
        """All key frames in order; none where the encoder told of none."""
        for segment, marks in enumerate(self.iframes):
            for offset, length, ticks in marks:
                yield IFrame(segment, offset, length, ticks)


@dataclass(frozen=True, kw_only=True)
class AudioRendition(Rendition):
    """An audio rendition. ``label`` is unique among them, ``sample_rate`` is in samples per second."""

    label: str
    language: str | None
    default: bool
    channels: int
    sample_rate: int
    purpose: Purpose = "main"


@dataclass(frozen=True, kw_only=True)
class TextRendition(Rendition):
    """A rendition of text. ``label`` is unique among them, ``whole`` the bytes of the file that has all of it."""

    label: str
    language: str | None
    default: bool
    forced: bool
    whole: int

    @property
    def whole_file(self) -> str:
        """Path of the file that has all of it."""
        return f"{self.folder}/{WHOLE_TEXT}"

    @property
    def whole_rate(self) -> int:
        """Bits per second of the whole file."""
        return rates.average_rate([self.whole], [sum(self.durations)], self.timescale)

    @property
    def bytes(self) -> int:
        """Size of the segments and of the whole file together."""
        return sum(self.sizes) + self.whole

    def objects(self) -> dict[str, int]:
        """Path and size of the segments and of the whole file."""
        return super().objects() | {self.whole_file: self.whole}


@dataclass(frozen=True)
class Presentation:
    """All renditions; those of video by ascending size, none where there is only audio.

    Attributes:
        stills: as planned; None where there are none. thumbnails: those made, in order.
        scheme: that video and audio are encrypted by; None where they are in the clear.
        least_target: seconds that the target duration has at least, because of segments that are not made yet.
    """

    video: tuple[VideoRendition, ...]
    audio: tuple[AudioRendition, ...]
    text: tuple[TextRendition, ...] = ()
    stills: Stills | None = None
    thumbnails: tuple[Still, ...] = ()
    scheme: Scheme | None = None
    least_target: int = 0

    @property
    def all_renditions(self) -> tuple[Rendition, ...]:
        """Video, audio and text."""
        return (*self.video, *self.audio, *self.text)

    @property
    def keys(self) -> tuple[ProtectedKey, ...]:
        """The keys that are in use, each once."""
        return tuple(dict.fromkeys(one.key for one in self.all_renditions if one.key))

    @property
    def has_manifest(self) -> bool:
        """Whether DASH players can play it: they know no segments that are encrypted as a whole."""
        return self.scheme != "aes-128"

    @property
    def with_iframes(self) -> tuple[VideoRendition, ...]:
        """The renditions whose key frames have a playlist. A piece of a segment that is encrypted as a whole is of no use."""
        return tuple(one for one in self.video if one.iframes) if self.scheme != "aes-128" else ()

    @property
    def captions(self) -> tuple[str, ...]:
        """Channels of closed captions, which all renditions carry alike."""
        return self.video[0].captions if self.video else ()

    @cached_property
    def target(self) -> int:
        """The target duration of all media playlists, in seconds: they share it, as their segments share boundaries."""
        made = rates.target_duration(
            [Fraction(duration, each.timescale) for each in self.all_renditions for duration in set(each.durations)]
        )
        return max(made, self.least_target)

    @property
    def seconds(self) -> Fraction:
        """Length of the presentation: that of the video, without any that of the audio."""
        return self.all_renditions[0].seconds

    @property
    def default_audio(self) -> AudioRendition | None:
        """What is heard unless the viewer chooses otherwise; None where there is no audio."""
        return next((each for each in self.audio if each.default), next(iter(self.audio), None))
