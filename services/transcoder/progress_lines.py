"""Reads the lines that ffmpeg's ``-progress`` writes."""


class FrameCounter:
    """How far an encode is, from ``key=value`` lines.

    Args:
        total: output frames, or with ``by_time`` seconds, that make the whole.
    """

    def __init__(self, total: float, *, by_time: bool = False) -> None:
        self._total = max(total, 1e-9)
        self._key = "out_time_us" if by_time else "frame"
        self._scale = 1e-6 if by_time else 1.0
        self._done = 0.0

    @property
    def fraction(self) -> float:
        """Done so far, 0 to 1."""
        return min(self._done / self._total, 1.0)

    def feed(self, line: str) -> bool:
        """Take a line; answers whether the output has grown."""
        key, _, value = line.partition("=")
        if key != self._key:
            return False
        try:
            done = float(value) * self._scale
        except ValueError:
            # "N/A" before the first frame.
            return False
        grown = done > self._done
        self._done = max(done, self._done)
        return grown
