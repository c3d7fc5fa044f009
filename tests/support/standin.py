"""A second codec for tests: H.264 of Main profile without B-frames, under a name of its own."""

from dataclasses import replace
from fractions import Fraction

from shared.media.codecs.codec import VideoEncoder
from shared.media.codecs.h264 import H264, x264_arguments
from shared.media.plan import Plan, Rung

LEVEL = "4.1"


def _arguments(plan: Plan, rung: Rung) -> list[str]:
    # Of an option that is given twice ffmpeg takes the second.
    return [*x264_arguments(plan, rung), "-profile:v", "main", "-bf", "0"]


def _level_for(_width: int, _height: int, _frame_rate: Fraction, _max_rate: int) -> str:
    return LEVEL


STANDIN = replace(
    H264,
    name="standin",
    encoders=(VideoEncoder(name="libx264", device="cpu", arguments=_arguments),),
    level_for=_level_for,
    reorder_frames=0,
)
"""A row for :data:`shared.media.codecs.table.VIDEO`."""

BOTH = ("h264", "standin")
