"""Sound that was stamped by when it arrived, as browsers and recorders do: clean, in step, and gaps stay gaps."""

from pathlib import Path

import pytest

from tests.integration.test_sound import SYNC, X264, beeping, heard, offsets, picture, tones
from tests.support.clips import made
from tests.support.sound import RATE, impure, samples

FIELD = Path(__file__).parents[2].parent / "shared" / "media" / "field"
SECONDS, CUT = 12, (5.3, 7.3)
# Nothing can arrive before what came before it.
ARRIVAL = "setts=ts='max({},if(isnan(PREV_OUTPTS)+lt(PREV_OUTPTS,-1000),-1000,PREV_OUTPTS))'"
LATE, EARLY, DRIFT, BURST = (
    ARRIVAL.format(stamp)
    for stamp in ("TS+30*random(1)", "TS+40*random(1)-20", "TS*1.001+30*random(1)", "60*ceil(TS/60)")
)
GAP = f"noise=drop='between(pts*tb,{CUT[0]},{CUT[1]})'"


def stamped(name: str, bitstream: str, sound: tuple[str, ...], codec: str) -> Path:
    plain = made(f"{name}-plain.mkv", *picture(SECONDS), *sound, *X264, "-c:a", codec)
    return made(f"{name}.mkv", "-i", str(plain), "-c", "copy", "-bsf:a", bitstream)


def purity(file: Path, folder: Path, hertz: float = 1000) -> tuple[int, int]:
    event, encoded = heard(file, folder)
    assert event.source.audio[0].uneven
    left, _ = samples(encoded.join(event.plan.audio[0].folder))
    return impure(left[RATE // 5 : -RATE // 5], hertz)


@pytest.mark.parametrize(("bitstream", "codec"), [
    (LATE, "libopus"), (EARLY, "libopus"), (BURST, "aac"), (f"{GAP},{LATE}", "libopus"),
])  # fmt: skip
def test_a_tone_stays_clean(bitstream: str, codec: str, tmp_path: Path) -> None:
    steady = tones("stereo", ["0.5*sin(2*PI*1000*t)"] * 2, SECONDS)
    other, silent = purity(stamped("tone", bitstream, steady, codec), tmp_path)
    gap = (CUT[1] - CUT[0]) * 50 if GAP in bitstream else 0
    # Where sound breaks off and sets in, there is more than a tone; and a packet may straddle the cut.
    assert other <= (6 if gap else 0) and gap - 2 <= silent <= gap + 2


def test_a_tone_that_drifts_is_stretched(tmp_path: Path) -> None:
    steady = tones("stereo", ["0.5*sin(2*PI*1000*t)"] * 2, SECONDS)
    assert purity(stamped("drift", DRIFT, steady, "libopus"), tmp_path, 1000 / 1.001) == (0, 0)


@pytest.mark.parametrize("bitstream", [LATE, EARLY, f"{GAP},{LATE}"])
def test_beeps_are_heard_when_they_flash(bitstream: str, tmp_path: Path) -> None:
    event, encoded = heard(stamped("beeps", bitstream, beeping(seconds=SECONDS), "libopus"), tmp_path)
    late = offsets(event, encoded, event.plan.audio[0])
    assert len(late) == (4 if GAP in bitstream else 5) and all(abs(off) < SYNC for off in late), late


@pytest.mark.skipif(not FIELD.exists(), reason="no files of the field")
@pytest.mark.parametrize("name", ["m09-mkv-late-up-to-4ms.mkv", "m09-mkv-wallclock.mkv"])
def test_recordings_of_browsers_are_clean(name: str, tmp_path: Path) -> None:
    assert purity(FIELD / name, tmp_path) == (0, 0)
