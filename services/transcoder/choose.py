"""Which encoder of H.264 this machine has, found out by trying."""

from typing import Literal

import structlog

from shared.cage.cage import Touches
from shared.media.codecs.h264 import H264
from shared.process import ProcessLimits, ProcessStalled, ProcessTimeout, run_process

_CPU, _GPU = H264.encoder_on("cpu").name, H264.encoder_on("nvidia").name
_TRIAL_SECONDS = 20


async def choose_encoder(ffmpeg: str, wanted: Literal["auto", "libx264", "h264_nvenc"]) -> str:
    """The encoder to use: as set, or with ``auto`` NVENC where a short trial encode works.

    That a build of ffmpeg lists NVENC says nothing about a GPU, a driver, or free sessions on it.

    Raises:
        RuntimeError: NVENC is set and does not work here.
    """
    if wanted == _CPU:
        return _CPU
    reason = await _trial(ffmpeg, Touches(gpu=True))
    if reason is not None and await _trial(ffmpeg, None) is None:
        reason = f"it works outside of the cage only: {reason}"
    await structlog.get_logger().ainfo("trial encode with NVENC", works=reason is None, reason=reason)
    if reason is None:
        return _GPU
    if wanted == _GPU:
        raise RuntimeError(f"{_GPU} is set but does not work here: {reason}")
    return _CPU


async def _trial(ffmpeg: str, touches: Touches | None) -> str | None:
    """Why NVENC does not work there, None if it does. What is encoded is nobody's file."""
    argv = [
        ffmpeg, "-hide_banner", "-nostdin", "-loglevel", "error", "-f", "lavfi", "-i", "testsrc2=size=640x360:rate=30:duration=1",
        "-c:v", _GPU, "-preset", "p5", "-bf", "2", "-f", "null", "-",
    ]  # fmt: skip
    try:
        finished = await run_process(argv, limits=ProcessLimits(seconds=_TRIAL_SECONDS), touches=touches)
    except (ProcessTimeout, ProcessStalled) as error:
        return str(error)
    return None if finished.status == 0 else finished.error_tail.splitlines()[0] if finished.error_tail else "failed"
