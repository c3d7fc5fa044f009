"""How a job gets on, as far as its states tell: its stages, its speed, and the time that is left. Pure."""

from millrace_client.models import Job

STAGES = ("queued", "fetching", "transcoding", "uploading")
FETCHED_PERCENT = 10
"""What the progress of a job is when its source is fetched. Behind that it grows with the film."""
# Before so much is done, an estimate would be a guess.
_LEAST_PERCENT, _LEAST_SECONDS = 3, 2.0


class Pace:
    """What is known of a job's course.

    Attributes:
        job: the newest state.
    """

    def __init__(self, now: float) -> None:
        self.job: Job | None = None
        self._began: dict[str, float] = {}
        self._now = now
        self._first: tuple[float, int] | None = None

    def take(self, job: Job, now: float) -> None:
        """Note a state."""
        self._began.setdefault(job.stage, self._now if self.job is None else now)
        self.job = job
        if job.stage == "transcoding" and self._first is None:
            self._first = now, job.progress

    @property
    def stage(self) -> str:
        """The stage that it is in."""
        return self.job.stage if self.job else STAGES[0]

    def seconds(self, stage: str, now: float) -> float | None:
        """How long a stage has lasted; None if it has not begun, or was not seen.

        The server's figure counts where the stage has ended.
        """
        if self.job and (known := self.job.timings.get(stage)) is not None:
            return known
        if stage not in self._began:
            return None
        later = [begun for other, begun in self._began.items() if begun > self._began[stage]]
        return min(later, default=now) - self._began[stage]

    def speed(self, now: float) -> float | None:
        """Seconds of the film that are done in a second; None as long as nobody can say."""
        rate = self._rate(now)
        if rate is None or not self.job or not self.job.video_duration:
            return None
        return rate * self.job.video_duration / (100 - FETCHED_PERCENT)

    def left(self, now: float) -> float | None:
        """Seconds to the end, if it goes on as it has; None as long as nobody can say."""
        rate = self._rate(now)
        return (100 - self.job.progress) / rate if rate and self.job else None

    def _rate(self, now: float) -> float | None:
        """Percent in a second since the first look at the encode."""
        if self._first is None or not self.job or self.job.waiting:
            return None
        seconds, percent = now - self._first[0], self.job.progress - self._first[1]
        return percent / seconds if percent >= _LEAST_PERCENT and seconds >= _LEAST_SECONDS else None


def roughly(seconds: float) -> str:
    """A time that is only estimated, in the units in which people think of it."""
    if seconds < 90:
        return f"{max(round(seconds), 1)} s"
    if seconds < 90 * 60:
        return f"{round(seconds / 60)} min"
    return f"{seconds / 3600:.1f} h"
