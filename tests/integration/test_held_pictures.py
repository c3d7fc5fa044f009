"""A last picture that stays for seconds is shown for as long as the file says."""

from fractions import Fraction
from pathlib import Path

import pytest

from tests.support import frames
from tests.support.clips import X264, made, numbered
from tests.support.parts import encode, fetched

FIELD = Path(__file__).parents[2].parent / "shared" / "media" / "field"


def held(seconds: float, suffix: str) -> Path:
    """Two seconds of numbered pictures, of which the last one stays."""
    plain = numbered("25", seconds=2, sound_seconds=0, encoder=(*X264, "-bf", "0"), suffix="mp4")
    longer = f"setts=duration='if(eq(N,49),{seconds}/TB,DURATION)'"
    file = made("held.mp4", "-i", str(plain), "-c", "copy", "-bsf:v", longer)
    return file if suffix == "mp4" else made(f"held.{suffix}", "-i", str(file), "-c", "copy")


@pytest.mark.parametrize(("seconds", "suffix"), [(5, "mp4"), (11, "mov"), (11, "mkv")])
def test_the_last_picture_is_held(seconds: int, suffix: str, tmp_path: Path) -> None:
    file = held(seconds, suffix)
    event = fetched(file)
    assert abs(event.plan.duration - (Fraction("1.96") + seconds)) <= Fraction(1, 25)
    encoded = encode(event, file, tmp_path)
    found = frames.numbers(encoded.join("144p"))
    assert found == [*range(49), *[49] * (event.plan.frames - 49)] and not encoded.warnings


def test_the_last_picture_of_a_gif_is_held(tmp_path: Path) -> None:
    graph = "testsrc=s=192x144:r=10:d=1,split[a][b];[a]palettegen[c];[b][c]paletteuse"
    file = made("held.gif", "-f", "lavfi", "-i", graph, "-final_delay", "300")
    event = fetched(file)
    assert event.plan.duration == Fraction("3.9")
    assert len(frames.packets(encode(event, file, tmp_path).join("144p"))) == event.plan.frames


@pytest.mark.skipif(not FIELD.exists(), reason="no files of the field")
def test_a_gif_of_the_field() -> None:
    assert fetched(FIELD / "m03-gif-last-300cs.gif").plan.duration == Fraction("4.4")
