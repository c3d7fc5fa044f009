"""Subtitles of real files: every format comes out as WebVTT, at the source's times to the millisecond."""

import subprocess
from dataclasses import dataclass
from fractions import Fraction
from functools import cache
from html import unescape
from pathlib import Path

import pytest

from services.transcoder.webvtt import Cue
from shared.events import Fetched
from shared.media.plan import TextPart
from shared.media.tools import ffprobe_path
from tests.support import clips
from tests.support.parts import encode, fetched, probed

ENGLISH = ((0.5, 2.25, "Hello & welcome"), (2.25, 4.001, "two\nlines"), (5.5, 7.75, "over the edge"))
GERMAN = ((1.111, 2.222, "Grüß Gott"), (6.25, 7.999, "Ende"))
ORDER = ("English", "Deutsch")
Cues = tuple[tuple[float, float, str], ...]


def srt(cues: Cues) -> str:
    return "".join(f"{n}\n{_time(a)} --> {_time(b)}\n{text}\n\n" for n, (a, b, text) in enumerate(cues, 1))


def ass(cues: Cues) -> str:
    def one(start: float, end: float, text: str) -> str:
        # Hundredths of a second are all that the format has.
        times = ",".join(_time(seconds)[1:-1].replace(",", ".") for seconds in (start, end))
        return f"Dialogue: 0,{times},Default,,0,0,0,,{{\\an8}}" + text.replace("\n", "\\N")

    head = (
        "[Script Info]\nScriptType: v4.00+\n\n[V4+ Styles]\nFormat: Name, Fontname, Fontsize\nStyle: Default,Arial,20\n"
    )
    events = "\n[Events]\nFormat: Layer, Start, End, Style, Name, MarginL, MarginR, MarginV, Effect, Text\n"
    return head + events + "\n".join(one(*cue) for cue in cues) + "\n"


def _time(seconds: float) -> str:
    rest = round(seconds * 1000)
    return f"{rest // 3_600_000:02d}:{rest // 60_000 % 60:02d}:{rest // 1000 % 60:02d},{rest % 1000:03d}"


@cache
def film(kind: str) -> Path:
    """Eight seconds at 25 frames a second with subtitles of a kind: two segments."""
    english = ("-i", str(clips.written("english.srt", srt(ENGLISH))))
    german = ("-i", str(clips.written("german.srt", srt(GERMAN))))
    copied = ("-map", "0", "-map", "1", "-c", "copy")
    both = (
        "-map", "0", "-map", "1", "-map", "2", "-c", "copy",
        "-metadata:s:s:0", "language=eng", "-metadata:s:s:0", "title=English",
        "-metadata:s:s:1", "language=ger", "-disposition:s:1", "forced",
    )  # fmt: skip
    whole = ("-i", str(clips.numbered("25", seconds=8)))
    match kind:
        case "srt in mkv":
            return clips.made("srt.mkv", *whole, *english, *german, *both)
        case "mov_text in mp4":
            return clips.made("text.mp4", *whole, *english, *german, *both, "-c:s", "mov_text")
        case "ass in mkv":
            return clips.made("ass.mkv", *whole, "-i", str(clips.written("english.ass", ass(ENGLISH))), *copied)
        case "webvtt in mkv":
            return clips.made("vtt.mkv", *whole, "-i", str(clips.written("english.vtt", vtt(ENGLISH))), *copied)
        case "a start at ten seconds":
            return clips.made("late.mkv", *whole, *english, *copied, "-output_ts_offset", "10")
        case "sound before the picture":
            late = ("-itsoffset", "1.25", *whole, *whole, *english)
            return clips.made("early.mkv", *late, "-map", "0:v", "-map", "1:a", "-map", "2", "-c", "copy")
        case "captions in mov":
            return clips.made("608.mov", *whole, "-i", str(clips.written("captions.scc", SCC)), *copied)
        case _:
            raise ValueError(kind)


def vtt(cues: Cues) -> str:
    timed = (
        f"{_time(a)} --> {_time(b)} line:10%\n".replace(",", ".") + text.replace("&", "&amp;") for a, b, text in cues
    )
    return "WEBVTT\n\n" + "\n\n".join(timed) + "\n"


# A pop-on caption from 1 s until 3 s.
SCC = (
    "Scenarist_SCC V1.0\n\n00:00:01:00\t9420 9420 94ae 94ae 9470 9470 c8e5 ecec ef80 942c 942c 942f 942f\n\n"
    "00:00:03:00\t942c 942c\n\n00:00:05:00\t942c 942c\n\n"
)


@dataclass(frozen=True)
class Track:
    """A text as it came out: its part, the cues of its whole file, and those of each segment, on the output's clock."""

    part: TextPart
    whole: list[Cue]
    segments: list[list[Cue]]


def text_only(event: Fetched) -> Fetched:
    return event.model_copy(update={"plan": event.plan.model_copy(update={"video": (), "audio": ()})})


def tracks_of(file: Path, folder: Path) -> list[Track]:
    """Every text of a file."""
    event = text_only(fetched(file))
    made, tracks = encode(event, file, folder), []
    for part in event.plan.text:
        files = made.segments(part.folder)
        assert len(files) == event.plan.segments == 2
        for segment in files:
            assert segment.read_text().startswith("WEBVTT\nX-TIMESTAMP-MAP=LOCAL:00:00:00.000,MPEGTS:0\n")
        tracks.append(Track(part, cues_in(files[0].parent / "text.vtt"), [cues_in(segment) for segment in files]))
    return tracks


def cues_in(file: Path) -> list[Cue]:
    """The cues of a file, as a player reads them."""
    cues = []
    for block in file.read_text().rstrip("\n").split("\n\n")[1:]:
        timing, _, text = block.partition("\n")
        start, end = (_milliseconds(time) for time in timing.split(" --> "))
        cues.append(Cue(start, end, unescape(text)))
    return cues


def _milliseconds(time: str) -> int:
    hours, minutes, seconds = time.split(":")
    return (int(hours) * 60 + int(minutes)) * 60_000 + round(float(seconds) * 1000)


def source_cues(file: Path, stream: int) -> list[tuple[Fraction, Fraction]]:
    """Start and end in seconds of each cue in the source, as its packets say."""
    argv = [ffprobe_path(), "-v", "error", "-select_streams", str(stream), "-of", "csv=p=0", str(file)]
    argv[5:5] = ["-show_entries", "packet=pts_time,duration_time,size"]
    rows = [line.split(",") for line in subprocess.run(argv, capture_output=True, text=True, check=True).stdout.split()]
    # QuickTime has empty texts where nothing is shown.
    return [(Fraction(a), Fraction(a) + Fraction(length)) for a, length, size, *_ in rows if int(size) > 2]


KINDS = (
    "srt in mkv",
    "mov_text in mp4",
    "ass in mkv",
    "webvtt in mkv",
    "a start at ten seconds",
    "sound before the picture",
)


@pytest.mark.parametrize("kind", KINDS)
def test_cues_have_the_times_of_the_source(kind: str, tmp_path: Path) -> None:
    file = film(kind)
    origin = fetched(file).plan.origin
    tracks = tracks_of(file, tmp_path)
    assert len(tracks) == (2 if "srt" in kind or "mov" in kind else 1)
    for track, cues in zip(tracks, (ENGLISH, GERMAN), strict=False):
        assert [cue.text for cue in track.whole] == [text for _, _, text in cues]
        expected = source_cues(file, track.part.track)
        assert len(expected) == len(cues)
        for cue, (start, end) in zip(track.whole, expected, strict=True):
            assert abs(cue.start - (start - origin) * 1000) <= 1
            assert abs(cue.end - (end - origin) * 1000) <= 1
        for number, seen in enumerate(track.segments):
            assert seen == [cue for cue in track.whole if cue.start < (6000, 8000)[number] and cue.end > 6000 * number]


def test_origins() -> None:
    assert float(fetched(film("a start at ten seconds")).plan.origin) == pytest.approx(10, abs=0.03)
    # The picture begins at 1.25 s, and the output with the sound, so texts stay where they are.
    assert float(fetched(film("sound before the picture")).plan.origin) == pytest.approx(0, abs=0.03)


def test_a_cue_over_a_boundary_is_in_both_segments(tmp_path: Path) -> None:
    english, german = tracks_of(film("srt in mkv"), tmp_path)
    assert [[cue.text for cue in seen] for seen in english.segments] == [
        ["Hello & welcome", "two\nlines", "over the edge"], ["over the edge"],
    ]  # fmt: skip
    assert english.segments[0][-1] == english.segments[1][0] == Cue(5500, 7750, "over the edge")
    assert (english.part.label, english.part.language, english.part.forced) == ("English", "en", False)
    assert (german.part.label, german.part.language, german.part.forced) == ("de", "de", True)


def test_a_caption_track_of_quicktime_is_text_as_well(tmp_path: Path) -> None:
    [track] = tracks_of(film("captions in mov"), tmp_path)
    assert track.whole == [Cue(1000, 3000, "Hello")]


def test_what_cannot_be_converted_is_left_out(tmp_path: Path) -> None:
    file = film("srt in mkv")
    event = text_only(fetched(file))
    # No decoder for text reads sound.
    broken = event.plan.text[0].model_copy(update={"track": event.source.audio[0].index})
    plan = event.plan.model_copy(update={"text": (broken, event.plan.text[1])})
    made = encode(event.model_copy(update={"plan": plan}), file, tmp_path)
    assert made.results["t0"].tables == ()
    assert [warning.code for warning in made.results["t0"].warnings] == ["subtitles_dropped"]
    assert "English" in made.results["t0"].warnings[0].message
    assert len(made.results["t1"].tables) == 1


def test_pictures_are_left_out_with_a_warning() -> None:
    # A set of PGS that shows nothing: a presentation of no objects, and the end of the set.
    parts = ((0x16, bytes.fromhex("0100009010000080000000")), (0x80, b""))
    times = (90_000).to_bytes(4) + bytes(4)
    segments = (b"PG" + times + bytes([kind]) + len(body).to_bytes(2) + body for kind, body in parts)
    both = ("-i", str(film("srt in mkv")), "-i", str(clips.written("pictures.sup", b"".join(segments))))
    maps = ("-map", "0", "-map", "1", "-c", "copy", "-metadata:s:s:2", "language=fre")
    found = probed(clips.made("pictures.mkv", *both, *maps))
    assert [track.codec for track in found.source.text] == ["subrip", "subrip"]
    assert [warning.code for warning in found.warnings] == ["subtitles_dropped"]
    assert "(fre)" in found.warnings[0].message and "pictures (hdmv_pgs_subtitle)" in found.warnings[0].message
