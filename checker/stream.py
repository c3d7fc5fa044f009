"""A stream as the rules see it: playlists, and the tracks that they lead to, measured. Pure."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from fractions import Fraction

from checker import bitrates
from checker.cues import TextSegment
from checker.playlist import Entry, MediaPlaylist, Multivariant
from checker.tracks import Header, Segment
from shared.mp4.captions import Channels

SOUND_FORMAT = "mp4a"
"""Sample entry of the sound that Millrace makes, and the beginning of its codecs text."""


@dataclass(frozen=True)
class Track:
    """A media playlist with its header and all of its segments, in order."""

    playlist: MediaPlaylist
    header: Header
    segments: tuple[Segment, ...]

    @property
    def durations(self) -> list[int]:
        """Ticks of each segment."""
        return [segment.duration for segment in self.segments]

    @property
    def start(self) -> Fraction:
        """Seconds at which the first sample is presented."""
        first = self.segments[0]
        shown = first.start
        if first.fragments:
            time, times = first.start, []
            for sample in first.fragments[0].samples:
                times.append(time + sample.composition)
                time += sample.duration
            shown = min(times)
        return Fraction(shown - (self.header.edit if first.fragments else 0), self.header.timescale)

    @property
    def seconds(self) -> Fraction:
        """Length of the media."""
        return Fraction(sum(self.durations), self.header.timescale)

    @property
    def frame(self) -> Fraction | None:
        """Seconds of a frame, by the samples, else by the parameter sets; None where neither tells."""
        fragments = [fragment for segment in self.segments for fragment in segment.fragments]
        if fragments:
            return Fraction(max(s.duration for one in fragments for s in one.samples), self.header.timescale)
        if self.header.sample_rate:
            return Fraction(1024, self.header.sample_rate)
        rate = next((sps.frame_rate for sps in self.header.video), None)
        return 1 / rate if rate else None

    @property
    def boundaries(self) -> list[Fraction]:
        """Seconds from the start of the track at which each segment ends."""
        ticks, ends = 0, []
        for duration in self.durations:
            ticks += duration
            ends.append(Fraction(ticks, self.header.timescale))
        return ends

    @property
    def captions(self) -> tuple[str, ...]:
        """Channels of closed captions that carry something."""
        channels = Channels()
        for segment in self.segments:
            channels.feed(segment.captions)
        return channels.found

    @property
    def average(self) -> int:
        """Bits per second."""
        return bitrates.average([one.size for one in self.segments], self.durations, self.header.timescale)

    @property
    def peak(self) -> int:
        """Peak segment bit rate, bits per second."""
        sizes = [one.size for one in self.segments]
        return bitrates.peak(sizes, self.durations, self.header.timescale, self.playlist.target or 6)


@dataclass(frozen=True)
class Stream:
    """Everything that a master playlist leads to.

    Attributes:
        playlists: by address; what could not be read is missing there and in ``tracks``, and stands in ``unreadable``.
        tracks: by address of the playlist; I-frame playlists have none.
        unreadable: address and reason of what did not answer. broken: of what answered but has no meaning.
        measured: whether the segments themselves were read.
        texts: by address of the playlist, the segments of subtitles in order, where they were read.
    """

    master: Multivariant
    playlists: dict[str, MediaPlaylist]
    tracks: dict[str, Track]
    unreadable: tuple[tuple[str, str], ...] = ()
    broken: tuple[tuple[str, str], ...] = ()
    measured: bool = True
    texts: dict[str, tuple[TextSegment, ...]] = field(default_factory=dict)

    def variants(self) -> Iterator[tuple[Entry, Track]]:
        """Variants whose track could be read."""
        for entry in self.master.variants:
            if entry.uri in self.tracks:
                yield entry, self.tracks[entry.uri]

    def video(self) -> Iterator[tuple[Entry, Track]]:
        """Those of them that have a picture."""
        return (pair for pair in self.variants() if self.has_picture(pair[0]))

    def has_picture(self, variant: Entry) -> bool:
        """Whether a variant is more than sound: by its track, and where that could not be read, by what CODECS says."""
        track = self.tracks.get(variant.uri or "")
        if track:
            return track.header.format != SOUND_FORMAT
        told = [one.strip() for one in variant.attributes.get("CODECS", "").split(",")]
        return not all(one.startswith(SOUND_FORMAT) for one in told)

    @property
    def lead(self) -> Track | None:
        """The track by which the others are measured: the first with a picture, without any the first one of sound."""
        return next((track for pairs in (self.video(), self.variants(), self.audio()) for _, track in pairs), None)

    def audio(self, group: str | None = None) -> Iterator[tuple[Entry, Track]]:
        """Audio renditions whose track could be read, of one group or of all."""
        for entry in self.master.renditions:
            mine = group is None or entry.attributes.get("GROUP-ID") == group
            if mine and entry.attributes.get("TYPE") == "AUDIO" and entry.uri in self.tracks:
                yield entry, self.tracks[entry.uri]

    def subtitles(self) -> Iterator[tuple[Entry, MediaPlaylist]]:
        """Renditions of text whose playlist could be read."""
        for entry in self.master.renditions:
            if entry.attributes.get("TYPE") == "SUBTITLES" and entry.uri in self.playlists:
                yield entry, self.playlists[entry.uri]

    def trick_play(self) -> Iterator[tuple[Entry, MediaPlaylist]]:
        """I-frame variants whose playlist could be read."""
        for entry in self.master.iframes:
            if entry.uri in self.playlists:
                yield entry, self.playlists[entry.uri]

    def name(self, url: str) -> str:
        """An address as a finding shows it: relative to the master playlist where it lies beside or below it."""
        base = self.master.url.rpartition("/")[0] + "/"
        return url.removeprefix(base)
