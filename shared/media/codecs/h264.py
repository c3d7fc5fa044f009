"""H.264 (ITU-T H.264, in MP4 after ISO/IEC 14496-15), High profile."""

import struct
from fractions import Fraction

from shared.media.codecs.codec import InitSegmentConflict, VideoCodec, VideoEncoder
from shared.media.codecs.h264_sets import UnknownSyntax
from shared.media.codecs.h264_slices import LENGTH_BYTES, SliceHeaders
from shared.media.plan import Plan, Rung
from shared.mp4.bits import Bits
from shared.mp4.bmff import Box, sample_entry
from shared.mp4.captions import Triplet, read_captions
from shared.mp4.entry import VIDEO_ENTRY_BYTES, entry_box, path_to_entry, with_box
from shared.mp4.nal import AVC, is_random_access
from shared.mp4.subsamples import SampleMap

# Table A-1: level, macroblocks a second, macroblocks in a frame, kilobits a second in High profile.
_LEVELS = (
    ("1.3", 11880, 396, 960),
    ("2.1", 19800, 792, 5000),
    ("3.0", 40500, 1620, 12500),
    ("3.1", 108000, 3600, 17500),
    ("3.2", 216000, 5120, 25000),
    ("4.0", 245760, 8192, 25000),
    ("4.2", 522240, 8704, 62500),
    ("5.0", 589824, 22080, 168750),
    ("5.1", 983040, 36864, 300000),
    ("5.2", 2073600, 36864, 300000),
    ("6.2", 16711680, 139264, 800000),
)
_SEQUENCE_SET = 7
# Profiles whose configuration ends without a word on chroma and depth.
_PLAIN_PROFILES = (66, 77, 88)


def level_for(width: int, height: int, frame_rate: Fraction, max_rate: int) -> str:
    """The lowest level that allows this size (pixels), rate (frames per second) and bit rate (bits per second)."""
    across, down = -(-width // 16), -(-height // 16)
    blocks = across * down
    for level, per_second, per_frame, kilobits in _LEVELS:
        # Besides the area, a level bounds the longer side (A.3.1).
        fits = blocks <= per_frame and max(across, down) ** 2 <= 8 * per_frame
        if fits and blocks * frame_rate <= per_second and max_rate <= kilobits * 1000:
            return level
    return _LEVELS[-1][0]


def x264_arguments(plan: Plan, rung: Rung) -> list[str]:
    """On the CPU."""
    fixed = {
        # Every GOP is closed and of the same length, so that segments of all rungs begin at the same instants.
        "keyint": plan.gop_frames, "min-keyint": plan.gop_frames, "scenecut": 0, "open-gop": 0,
        # The parameter sets have an id that NVENC's never have: a part made again on the CPU can join parts of the GPU.
        "sps-id": 1,
    }  # fmt: skip
    params = ":".join(f"{key}={value}" for key, value in fixed.items())
    return [
        "-c:v", "libx264", "-preset", plan.preset, "-crf", f"{rung.crf:g}", *_common(plan, rung),
        # One thread for each rung: the rungs run side by side anyhow, and the result must not depend on the machine.
        "-threads:v", "1", "-x264-params", params + (f":{plan.encoder_params}" if plan.encoder_params else ""),
    ]  # fmt: skip


def nvenc_arguments(plan: Plan, rung: Rung) -> list[str]:
    """On a GPU of NVIDIA's."""
    return [
        "-c:v", "h264_nvenc", "-preset", "p5", "-tune", "hq", "-rc", "vbr", "-cq", f"{rung.crf:g}", "-b:v", "0",
        # IDR frames at fixed places, no scene cuts, and no B-frame that refers across them.
        "-forced-idr", "1", "-no-scenecut", "1", "-strict_gop", "1", "-bf", "2", "-rc-lookahead", "16",
        *_common(plan, rung),
    ]  # fmt: skip


def parameter_sets(init_segment: bytes) -> tuple[list[bytes], ...]:
    """The sequence and the picture parameter sets (NAL units) in an initialization segment."""
    config = _config(init_segment)
    body = init_segment[config.body : config.end]
    sequence, position = _read_sets(body, 5, 0x1F)
    picture, _ = _read_sets(body, position, 0xFF)
    return sequence, picture


def _common(plan: Plan, rung: Rung) -> list[str]:
    return [
        "-fps_mode", "passthrough", "-pix_fmt", "yuv420p", "-profile:v", "high", "-level:v", rung.level,
        "-maxrate:v", str(rung.max_rate), "-bufsize:v", str(rung.buffer), "-g", str(plan.gop_frames),
        "-colorspace", "bt709", "-color_primaries", "bt709", "-color_trc", "bt709", "-color_range", "tv",
    ]  # fmt: skip


def _read_codecs(init_segment: bytes) -> str:
    config = _config(init_segment)
    return "avc1." + init_segment[config.body + 1 : config.body + 4].hex()


def _merge_two(first: bytes, second: bytes) -> bytes:
    """One initialization segment for the parts of two encoders, as when a GPU failed and the CPU took over.

    Their parameter sets have ids of their own, and the merged segment carries both; slices name the one they use.
    """
    entries = [sample_entry(init_segment).kind for init_segment in (first, second)]
    if entries != [b"avc1", b"avc1"]:
        raise InitSegmentConflict(f"initialization segments of {entries} are no two of avc1")
    config, other = _config(first), _config(second)
    if _blank(first, config) != _blank(second, other):
        raise InitSegmentConflict("initialization segments of two parts differ in more than their parameter sets")
    sequence, picture = (
        _union(ours, theirs) for ours, theirs in zip(parameter_sets(first), parameter_sets(second), strict=True)
    )
    profile = _profile_of_both(first[config.body :], second[other.body :])
    return with_box(first, config, _config_box(profile, sequence, picture))


def _profile_of_both(first: bytes, second: bytes) -> bytes:
    """Version, profile, constraints and level that hold for both (ISO/IEC 14496-15, 5.3.3.1.2)."""
    return bytes((first[0], first[1], first[2] & second[2], max(first[3], second[3])))


def _config(init_segment: bytes) -> Box:
    return entry_box(init_segment, b"avcC", VIDEO_ENTRY_BYTES)


def _read_sets(body: bytes, position: int, mask: int) -> tuple[list[bytes], int]:
    count = body[position] & mask
    position += 1
    found = []
    for _ in range(count):
        (size,) = struct.unpack_from(">H", body, position)
        found.append(body[position + 2 : position + 2 + size])
        position += 2 + size
    return found, position


def _union(ours: list[bytes], theirs: list[bytes]) -> list[bytes]:
    by_id: dict[int, bytes] = {}
    for unit in ours + theirs:
        number = _set_id(unit)
        if by_id.setdefault(number, unit) != unit:
            raise InitSegmentConflict(f"two different parameter sets have the id {number}")
    return list(by_id.values())


def _set_id(unit: bytes) -> int:
    """The id of a parameter set: the first Exp-Golomb number, after profile and level in a sequence parameter set."""
    payload = unit[4:] if unit[0] & AVC.mask == _SEQUENCE_SET else unit[1:]
    return Bits(payload).golomb()


def _blank(init_segment: bytes, config: Box) -> tuple[bytes, bytes, bytes]:
    """The segment without its parameter sets and without the sizes and summaries that depend on them."""
    out = bytearray(init_segment[: config.start])
    for box in path_to_entry(init_segment):
        out[box.start : box.start + 4] = b"\0\0\0\0"
    return bytes(out), init_segment[config.body : config.body + 2], init_segment[config.end :]


def _config_box(profile: bytes, sequence: list[bytes], picture: list[bytes]) -> bytes:
    # Lengths of four bytes, as ffmpeg writes them.
    body = bytearray(profile + b"\xff")
    body.append(0xE0 | len(sequence))
    for unit in sequence:
        body += struct.pack(">H", len(unit)) + unit
    body.append(len(picture))
    for unit in picture:
        body += struct.pack(">H", len(unit)) + unit
    if profile[1] not in _PLAIN_PROFILES:
        # High profiles: chroma format 4:2:0, 8 bits of luma and chroma, no extension sets.
        body += bytes((0xFD, 0xF8, 0xF8, 0))
    return struct.pack(">I4s", 8 + len(body), b"avcC") + body


def _is_random_access(sample: bytes | memoryview) -> bool:
    return is_random_access(sample, AVC)


def _sample_map(init_segment: bytes) -> SampleMap:
    if init_segment[_config(init_segment).body + 4] & 3 != LENGTH_BYTES - 1:
        raise UnknownSyntax(f"lengths of other than {LENGTH_BYTES} bytes")
    return SliceHeaders(*parameter_sets(init_segment)).subsamples


def _read_captions(sample: bytes | memoryview) -> list[Triplet]:
    return read_captions(sample, syntax=AVC)


H264 = VideoCodec(
    name="h264",
    sample_entry=b"avc1",
    entry_fields=VIDEO_ENTRY_BYTES,
    containers=frozenset(("cmaf", "ts")),
    read_codecs=_read_codecs,
    merge_two=_merge_two,
    encoders=(
        VideoEncoder(name="libx264", device="cpu", arguments=x264_arguments),
        VideoEncoder(name="h264_nvenc", device="nvidia", arguments=nvenc_arguments),
    ),
    level_for=level_for,
    # B-frames with a pyramid of them.
    reorder_frames=2,
    parameter_sets=parameter_sets,
    is_random_access=_is_random_access,
    read_captions=_read_captions,
    sample_map=_sample_map,
)
