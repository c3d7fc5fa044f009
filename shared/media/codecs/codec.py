"""What there is to know of a codec. Pure."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import Literal

from shared.media.plan import AudioPart, Plan, Rung
from shared.mp4.captions import Triplet
from shared.mp4.cmaf import cmaf_header
from shared.mp4.entry import without_bitrate
from shared.mp4.subsamples import SampleMap

Container = Literal["cmaf", "ts"]
Device = Literal["cpu", "nvidia"]
"""What an encoder runs on."""


class InitSegmentConflict(ValueError):
    """Parts of one rendition have initialization segments that do not go together."""


@dataclass(frozen=True, kw_only=True)
class VideoEncoder:
    """An encoder of ffmpeg's.

    Attributes:
        name: ffmpeg's.
        arguments: of an output, all but those of the container. Frames that come in have 8 bits and 4:2:0.
    """

    name: str
    device: Device
    arguments: Callable[[Plan, Rung], list[str]]


@dataclass(frozen=True, kw_only=True)
class Codec:
    """What there is to know of any codec.

    Attributes:
        name: as plans have it.
        sample_entry: type of the entry in an initialization segment. entry_fields: bytes of it before its boxes.
        containers: segments that it may go into.
        read_codecs: RFC 6381 text, such as ``avc1.640028``, out of an initialization segment; raises MalformedMedia.
        merge_two: one initialization segment for samples that were made with either; raises InitSegmentConflict.
    """

    name: str
    sample_entry: bytes
    entry_fields: int
    containers: frozenset[Container]
    read_codecs: Callable[[bytes], str]
    merge_two: Callable[[bytes, bytes], bytes]

    def merge_init_segments(self, init_segments: Sequence[bytes]) -> bytes:
        """One initialization segment for all parts of a rendition; as a rule they are the same bytes.

        Raises:
            InitSegmentConflict: samples of the one could not be decoded with the other.
            MalformedMedia: one cannot be read.
        """
        distinct = dict.fromkeys(init_segments)
        if len(distinct) > 1:
            # Parts that were made before an upgrade, and parts that were made after it.
            distinct = dict.fromkeys(cmaf_header(init_segment) for init_segment in distinct)
        merged, *others = distinct
        for other in others:
            merged = self.merge_two(merged, other)
        return merged

    def without_bitrate(self, init_segment: bytes) -> bytes:
        """The segment without what an encoder says of its settings."""
        return without_bitrate(init_segment, self.entry_fields)


@dataclass(frozen=True, kw_only=True)
class VideoCodec(Codec):
    """What there is to know of a codec for video.

    Attributes:
        encoders: that can make it, of which one runs on the CPU.
        level_for: the lowest level that allows a size (pixels), a rate (frames per second) and a bit rate (bits per second).
        reorder_frames: by which decoding runs ahead of showing, at most, whichever encoder it was.
        parameter_sets: by kind, out of an initialization segment.
        is_random_access: whether decoding can begin with a sample.
        read_captions: closed captions in a sample.
        sample_map: which bytes of the samples of a track are protected where it is encrypted, given its initialization segment;
            raises MalformedMedia.
    """

    encoders: tuple[VideoEncoder, ...]
    level_for: Callable[[int, int, Fraction, int], str]
    reorder_frames: int
    parameter_sets: Callable[[bytes], tuple[list[bytes], ...]]
    is_random_access: Callable[[bytes | memoryview], bool]
    read_captions: Callable[[bytes | memoryview], list[Triplet]]
    sample_map: Callable[[bytes], SampleMap]

    def encoder_on(self, device: Device) -> VideoEncoder:
        """The encoder on a device; where there is none, that on the CPU."""
        by_device = {encoder.device: encoder for encoder in self.encoders}
        return by_device.get(device) or by_device["cpu"]


@dataclass(frozen=True, kw_only=True)
class AudioCodec(Codec):
    """What there is to know of a codec for audio.

    Attributes:
        frame_samples: samples in a frame; audio can be cut only between frames.
        priming_frames: that the encoder emits before the first sample of content. preroll_frames: that have to be decoded
            before any frame for it to come out whole.
        arguments: ffmpeg's, of an output, all but those of the container.
    """

    frame_samples: int
    priming_frames: int
    preroll_frames: int
    arguments: Callable[[AudioPart], list[str]]
