"""A presentation as the rules see it: its documents, and the tracks that they lead to, measured. Pure."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from fractions import Fraction
from functools import cached_property
from itertools import accumulate, pairwise
from typing import NamedTuple

from checker import bitrates
from checker.captions import channels_of
from checker.cues import WebVtt
from checker.initialization import AUDIO_FORMATS, InitializationSegment
from checker.manifest import Manifest
from checker.playlist import ByteRange, Entry, MediaPlaylist, Multivariant
from checker.segments import KeyFrame, Segment

AAC_FRAME = 1024
"""Samples in a frame of AAC."""

USUAL_TARGET = 6
"""Target duration, in seconds, where a playlist has none."""


class Rates(NamedTuple):
    """Peak and average, bits per second."""

    peak: Fraction
    average: Fraction


@dataclass(frozen=True)
class Track:
    """A media playlist with its initialization segment and all of its segments, in order."""

    playlist: MediaPlaylist
    initialization: InitializationSegment
    segments: tuple[Segment, ...]

    @property
    def timescale(self) -> int:
        """Ticks per second."""
        return self.initialization.timescale

    @cached_property
    def durations(self) -> list[int]:
        """Ticks of each segment."""
        return [segment.duration for segment in self.segments]

    @cached_property
    def sizes(self) -> list[int]:
        """Bytes of each segment."""
        return [segment.size for segment in self.segments]

    @cached_property
    def ends(self) -> list[int]:
        """Ticks from the start of the track at which each segment ends."""
        return list(accumulate(self.durations))

    @property
    def start(self) -> Fraction:
        """Seconds at which the first frame is presented, or what the edit list leaves of it."""
        first = self.segments[0]
        if first.shown is None:
            # Its writer counts from the presentation's beginning.
            return Fraction(first.start, self.timescale)
        return max(Fraction(first.shown, self.timescale) - self.initialization.edit, Fraction(0))

    @cached_property
    def hidden(self) -> int:
        """Ticks of media at the beginning that are decoded and, by the edit list, not presented: the priming of audio."""
        return self._before(self.initialization.edit)

    def _before(self, edit: Fraction) -> int:
        first = self.segments[0]
        return 0 if first.shown is None else max(int(edit * self.timescale) - first.shown, 0)

    @cached_property
    def presented_ends(self) -> list[int]:
        """Ticks from the start of the presentation at which each segment ends."""
        return [end - self.hidden for end in self.ends]

    def presented(self, edit: Fraction) -> list[tuple[int, int]]:
        """Start and duration in ticks of what is presented of each segment, where so many seconds lie before it."""
        hidden = self._before(edit)
        first, *others = ((segment.start - hidden, segment.duration) for segment in self.segments)
        return [(first[0] + hidden, first[1] - hidden), *others]

    @cached_property
    def seconds(self) -> Fraction:
        """Length of what is presented."""
        return Fraction(self.presented_ends[-1], self.timescale)

    @cached_property
    def frame(self) -> Fraction | None:
        """Seconds of a frame, by the samples, else by what the decoder is told; None where nobody tells."""
        measured = [segment.frame for segment in self.segments if segment.frame]
        if measured:
            return Fraction(max(measured), self.timescale)
        if self.initialization.audio:
            return Fraction(AAC_FRAME, self.initialization.audio.sample_rate)
        rate = next((one.frame_rate for one in self.initialization.parameter_sets), None)
        return 1 / rate if rate else None

    @cached_property
    def keys(self) -> list[KeyFrame]:
        """All IDR frames."""
        return [key for segment in self.segments for key in segment.keys]

    @cached_property
    def key_places(self) -> list[tuple[str, ByteRange]]:
        """Of each IDR frame the segment, and the part of it from the ``moof`` to the end of the frame."""
        return [
            (uri, (key.offset, key.length))
            for uri, segment in zip(self.playlist.uris, self.segments, strict=True)
            for key in segment.keys
        ]

    @cached_property
    def key_spans(self) -> list[int]:
        """Ticks from each IDR frame to the next, from the last one to the end."""
        times = [key.time for key in self.keys] + [self.segments[0].start + self.ends[-1]]
        return [late - early for early, late in pairwise(times)]

    @cached_property
    def captions(self) -> tuple[str, ...]:
        """Channels of closed captions that carry something."""
        return channels_of(one for segment in self.segments for one in segment.captions)

    @cached_property
    def rates(self) -> Rates:
        """Peak segment bit rate, and average."""
        target = self.playlist.target or USUAL_TARGET
        return Rates(
            bitrates.peak(self.sizes, self.durations, self.timescale, target),
            bitrates.average(self.sizes, self.durations, self.timescale),
        )


@dataclass(frozen=True)
class Sprite:
    """The pictures for the seek bar: the cues, and width and height (pixels) of the sheet; None where either is missing."""

    cues: WebVtt | None
    sheet: tuple[int, int] | None


@dataclass(frozen=True, kw_only=True)
class Presentation:
    """Everything that a multivariant playlist leads to, and the DASH manifest beside it.

    Attributes:
        playlists: by address; what could not be read is missing there and in ``tracks``, and stands in ``unreadable``.
        tracks: by address of the playlist; I-frame playlists have none.
        initializations: by address, initialization segments that the manifest leads to and no playlist.
        unreadable: address and reason of what did not answer. broken: of what answered but has no meaning.
        measured: whether the segments themselves were read.
        sizes: bytes of whatever is there, by address; of a part of a file nothing.
        texts: by address of the playlist, the segments of subtitles in order, where they were read.
        whole_texts: by address, the files of text that the manifest leads to, where they were read.
        manifest: None where none lies beside. manifest_url: where it would lie.
    """

    multivariant: Multivariant
    playlists: Mapping[str, MediaPlaylist]
    tracks: Mapping[str, Track]
    initializations: Mapping[str, InitializationSegment] = field(default_factory=dict, repr=False)
    unreadable: tuple[tuple[str, str], ...] = ()
    broken: tuple[tuple[str, str], ...] = ()
    measured: bool = True
    sizes: Mapping[str, int] = field(default_factory=dict, repr=False)
    texts: Mapping[str, tuple[WebVtt, ...]] = field(default_factory=dict, repr=False)
    whole_texts: Mapping[str, WebVtt] = field(default_factory=dict, repr=False)
    manifest: Manifest | None = None
    manifest_url: str = ""
    sprite: Sprite = Sprite(None, None)

    def variants(self) -> Iterator[tuple[Entry, Track]]:
        """Variants whose track could be read."""
        for entry in self.multivariant.variants:
            if entry.uri and entry.uri in self.tracks:
                yield entry, self.tracks[entry.uri]

    def video(self) -> Iterator[tuple[Entry, Track]]:
        """Those of them that have video."""
        return (pair for pair in self.variants() if self.has_video(pair[0]))

    def has_video(self, variant: Entry) -> bool:
        """Whether a variant is more than audio: by its track, and where that could not be read, by what CODECS says."""
        track = self.tracks.get(variant.uri or "")
        if track:
            return not track.initialization.is_audio
        codecs = [one.strip() for one in variant.attributes.get("CODECS", "").split(",")]
        return not all(one.partition(".")[0] in AUDIO_FORMATS for one in codecs)

    @property
    def lead(self) -> Track | None:
        """The track by which the others are measured: the first one of video, without any the first one of audio."""
        return next((track for pairs in (self.video(), self.variants(), self.audio()) for _, track in pairs), None)

    def audio(self, group: str | None = None) -> Iterator[tuple[Entry, Track]]:
        """Audio renditions whose track could be read, of one group or of all."""
        for entry in self.multivariant.renditions:
            if entry.uri and _is_of(entry, "AUDIO", group) and entry.uri in self.tracks:
                yield entry, self.tracks[entry.uri]

    def subtitles(self, group: str | None = None) -> Iterator[tuple[Entry, MediaPlaylist]]:
        """Renditions of text whose playlist could be read, of one group or of all."""
        for entry in self.multivariant.renditions:
            if entry.uri and _is_of(entry, "SUBTITLES", group) and entry.uri in self.playlists:
                yield entry, self.playlists[entry.uri]

    def trick_play(self) -> Iterator[tuple[Entry, MediaPlaylist]]:
        """I-frame variants whose playlist could be read."""
        for entry in self.multivariant.iframes:
            if entry.uri and entry.uri in self.playlists:
                yield entry, self.playlists[entry.uri]

    def all_tracks(self) -> list[Track]:
        """Every track once: without video, a rendition of audio is the variant as well."""
        return list({track.playlist.url: track for _, track in (*self.variants(), *self.audio())}.values())

    @cached_property
    def _sources(self) -> dict[str, Track]:
        """Of each I-frame playlist, by its address, the track whose segments it uses."""
        owners = {uri: track for _, track in self.video() for uri in track.playlist.uris}
        found = {}
        for _, playlist in self.trick_play():
            tracks = {id(track): track for uri in set(playlist.uris) if (track := owners.get(uri))}
            if len(tracks) == 1:
                found[playlist.url] = next(iter(tracks.values()))
        return found

    def source_of(self, iframes: MediaPlaylist) -> Track | None:
        """The video track whose segments an I-frame playlist uses; None where they are of several, or of none."""
        return self._sources.get(iframes.url)

    @cached_property
    def iframe_rates(self) -> dict[str, Rates]:
        """Rates of key frames alone, by the address of the I-frame playlist."""
        found = {}
        for _, playlist in self.trick_play():
            track = self.source_of(playlist)
            if track:
                lengths, target = [key.length for key in track.keys], playlist.target or USUAL_TARGET
                found[playlist.url] = Rates(
                    bitrates.peak(lengths, track.key_spans, track.timescale, target),
                    bitrates.average(lengths, track.key_spans, track.timescale),
                )
        return found

    @cached_property
    def text_rates(self) -> dict[str, Rates]:
        """Rates of subtitles, by the address of their playlist."""
        found = {}
        for _, playlist in self.subtitles():
            sizes, target = [self.sizes.get(uri, 0) for uri in playlist.uris], playlist.target or USUAL_TARGET
            found[playlist.url] = Rates(
                bitrates.peak(sizes, playlist.durations, playlist.timescale, target),
                bitrates.average(sizes, playlist.durations, playlist.timescale),
            )
        return found

    def name(self, url: str) -> str:
        """An address as a finding shows it: relative to the multivariant playlist where it lies beside or below it."""
        base = self.multivariant.url.rpartition("/")[0] + "/"
        return url.removeprefix(base)


def _is_of(entry: Entry, kind: str, group: str | None) -> bool:
    return entry.attributes.get("TYPE") == kind and group in (None, entry.attributes.get("GROUP-ID"))
