"""Small faults: in every number that the documents of a presentation hold, one after the other, and in boxes."""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

_NUMBER = re.compile(r"[0-9]+(?:\.[0-9]+)?")
_RATE = re.compile(r"(?:BANDWIDTH=|bandwidth=\")$")
_DOCUMENTS = (".m3u8", ".mpd", ".vtt")

FREE = {
    # Before the number, in its line: why another one is as right.
    r"^#EXT-X-VERSION:": "any version is right from the one on that the tags need",
    r'TYPE=CLOSED-CAPTIONS,.*NAME="CC': "a name for people, of a channel that INSTREAM-ID tells",
    r'^<\?xml version="': "the version of XML, of which parsers look at no more than the major one",
    r'<Period id="': "a name that nothing refers to",
    r'<AdaptationSet id="': "a name that nothing refers to; two of the same are found",
    r'<Representation id="(audio|text)-': "a name that no address is made of; two of the same are found",
}
"""Numbers that may be others: a pattern for what stands before them in their line, and the reason."""


_ES_ID, _GROUP = rb"(esds\0{4}\x03.)\0\0", rb"(tkhd.{34})\0\0"
# The distance of the roll group, and what the edit list hides: 1024 ticks.
_DISTANCE, _HIDDEN = rb"(sgpd.{16})\xff\xff", rb"(elst.{12})\0\0\x04\0"
BOX_FAULTS = [
    ("cmaf-header", "480p/init.mp4", b"cmfc", b"mp42"),
    # What cmf2 asks of fragments, ours do not have.
    ("cmaf-header", "480p/init.mp4", b"cmfc", b"cmf2"),
    ("cmaf-segments", "480p/video_00001.m4s", b"lmsg", b"msdh"),
    ("cmaf-segments", "audio/de/audio_00001.m4s", b"lmsg", b"msdh"),
    ("cmaf-segments", "480p/video_00000.m4s", b"iso6", b"lmsg"),
    ("cmaf-segments", "480p/video_00000.m4s", b"cmfs", b"iso6"),
    ("cmaf-alternate-group", "480p/init.mp4", _GROUP, rb"\1" + b"\0\1"),
    ("cmaf-alternate-group", "audio/en/init.mp4", _GROUP, rb"\1" + b"\0\1"),
    ("mp4-es-id", "audio/en/init.mp4", _ES_ID, rb"\1" + b"\0\1"),
    ("mp4-audio-preroll", "audio/en/init.mp4", b"roll", b"prol"),
    ("mp4-audio-preroll", "audio/en/init.mp4", _DISTANCE, rb"\1" + b"\xff\xfe"),
    ("mp4-audio-preroll", "audio/de/audio_00001.m4s", b"roll", b"prol"),
    # Where priming is played or content is hidden, the manifest hides something else.
    ("dash-initialization", "audio/en/init.mp4", _HIDDEN, rb"\1" + b"\0\0\0\0"),
    ("dash-initialization", "audio/en/init.mp4", _HIDDEN, rb"\1" + b"\0\0\x06\0"),
    ("dash-initialization", "audio/en/init.mp4", b"edts", b"free"),
]
"""Faults in boxes: the rule that finds them, a file, and a pattern of bytes with what it is replaced by."""


@dataclass(frozen=True)
class Number:
    """A number in a document: its path, its line from 1 on, what stands before it in the line, and its place in the text."""

    path: str
    line: int
    before: str
    text: str
    start: int

    def __str__(self) -> str:
        return f"{self.path}:{self.line}:{self.before[-24:].strip()}{self.text}"

    @property
    def free(self) -> str | None:
        """The pattern by which it is free; None where it is not."""
        return next((pattern for pattern in FREE if re.search(pattern + "$", self.before)), None)

    def others(self) -> list[str]:
        """Numbers that are a little larger and a little smaller: by one in the last place, of a bit rate by half a per cent."""
        digits = self.text.replace(".", "")
        value = int(digits)
        # A rate may be off by one for each rate that is added up and was rounded.
        step = 4 + value // 200 if _RATE.search(self.before) else 1
        changed = [value + step] + ([value - step] if value >= step else [])
        places = len(self.text.partition(".")[2])
        padded = [str(one).zfill(len(digits)) for one in changed]
        return [f"{one[:-places]}.{one[-places:]}" if places else one for one in padded]

    def planted(self, files: Mapping[str, bytes], other: str) -> dict[str, bytes]:
        """The files with another number in its place."""
        text = files[self.path].decode()
        changed = text[: self.start] + other + text[self.start + len(self.text) :]
        return {**files, self.path: changed.encode()}


def numbers_of(files: Mapping[str, bytes]) -> Iterator[Number]:
    """Every number in every playlist, manifest and WebVTT file."""
    for path, body in sorted(files.items()):
        if not path.endswith(_DOCUMENTS):
            continue
        start = 0
        for line, text in enumerate(body.decode().split("\n"), start=1):
            for found in _NUMBER.finditer(text):
                yield Number(path, line, text[: found.start()], found[0], start + found.start())
            start += len(text) + 1
