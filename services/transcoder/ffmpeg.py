"""Runs ffmpeg for a part, publishes its progress, and translates its failures."""

import shlex
import signal
from collections.abc import Sequence

import structlog
from nats.aio.client import Client

from services.transcoder.progress_lines import FrameCounter
from shared.bus.progress import ProgressReporter
from shared.cage.cage import Touches
from shared.errors import Postponed, TransientError
from shared.process import Finished, ProcessLimits, ProcessStalled, run_process
from shared.tracing.spans import span

# What ffmpeg says of pictures that could not be decoded, or only in part.
_DAMAGE = ("corrupt decoded frame", "Decoding error", "Error submitting packet to decoder")

# What it says when reading fails, whereupon it goes on as if the input had ended there.
_UNREADABLE = "Error during demuxing"

# What it says when the input has ended, and not one frame has come out of it.
_NOTHING = "Could not open encoder before EOF"


class EncoderFailed(Exception):
    """ffmpeg ended with an error, or made something else than planned. The text is for the operator."""


class NothingDecoded(EncoderFailed):
    """The input was read to its end, and nothing in it could be decoded."""


class Ffmpeg:
    """Runs ffmpeg.

    Args:
        client: to tell progress through.
    """

    def __init__(self, client: Client) -> None:
        self._nc = client

    async def run(
        self,
        argv: Sequence[str],
        *,
        org: str,
        job: str,
        part: str,
        frames: int | None,
        seconds: float,
        limits: ProcessLimits,
        touches: Touches,
    ) -> str:
        """Run it to its end; returns the last lines it wrote to standard error.

        Args:
            frames: output frames that make the whole, None for sound.
            seconds: of the output.

        Raises:
            TransientError: another try may go better.
            EncoderFailed: anything else.
        """
        await structlog.get_logger().ainfo("ffmpeg", command=shlex.join(argv))
        reporter = ProgressReporter(self._nc, org, job, part)
        counter = FrameCounter(seconds if frames is None else frames, by_time=frames is None)

        async def on_line(line: str) -> bool:
            grown = counter.feed(line)
            if grown:
                await reporter.tell(counter.fraction)
            return grown

        try:
            with span("ffmpeg"):
                finished = await run_process(argv, limits=limits, touches=touches, on_line=on_line)
        except ProcessStalled as error:
            raise TransientError("encode_stalled", str(error)) from error
        if finished.status == 0:
            return finished.error_tail
        raise _failure(finished)


def complains_of_damage(tail: str) -> bool:
    """Whether ffmpeg met pictures that it could not decode, or not wholly."""
    return any(complaint in tail for complaint in _DAMAGE)


def is_undisturbed(tail: str) -> bool:
    """Whether ffmpeg could read all that it wanted to."""
    return _UNREADABLE not in tail


def _failure(finished: Finished) -> Exception:
    tail = finished.error_tail
    if "No space left on device" in tail:
        return Postponed("workspace_full", tail)
    if finished.status == -signal.SIGXFSZ:
        return EncoderFailed(f"an output file grew beyond the largest that is allowed\n{tail}")
    if finished.status == -signal.SIGXCPU:
        return EncoderFailed(f"it took more time of processors than is allowed\n{tail}")
    if finished.killed or finished.status < 0:
        # Out of memory most likely: another try may find more of it.
        return TransientError("encode_failed", f"ffmpeg was ended by a signal (status {finished.status})\n{tail}")
    kind = NothingDecoded if _NOTHING in tail else EncoderFailed
    return kind(f"ffmpeg ended with status {finished.status}\n{tail}")
