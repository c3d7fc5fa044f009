"""Rules for a presentation that grows still: what holds of it in place of some that are for a whole one."""

from collections.abc import Iterator

from checker.finding import Finding, Rule
from checker.judging.variants import peak_covered
from checker.presentation import Presentation

NOT_YET = frozenset(
    {
        # What is written at the end.
        "millrace-ended",
        "apple-8.6",
        "apple-6.1",
        "millrace-dash",
        # The last segment says that it is the last.
        "cmaf-segments",
        # Rates of what is to come are not known.
        "apple-1.26",
        "apple-1.27",
        "apple-1.30",
        "millrace-bandwidth",
    }
)
"""Ids of the rules that hold of a whole presentation alone."""


def growing(presentation: Presentation) -> Iterator[Finding]:
    """EXT-X-PLAYLIST-TYPE:EVENT everywhere, and EXT-X-ENDLIST nowhere."""
    for playlist in presentation.playlists.values():
        where = presentation.name(playlist.url)
        if playlist.kind != "EVENT":
            yield Finding(where, "EXT-X-PLAYLIST-TYPE", playlist.kind or "missing", "EVENT")
        if playlist.ended:
            yield Finding(where, "EXT-X-ENDLIST", "there", "missing")


RULES = (
    Rule("millrace-growing", "must", "Every media playlist is an EVENT that has not ended", growing),
    Rule("millrace-growing-bandwidth", "must", "BANDWIDTH is at least the measured peak bit rate", peak_covered),
)
