"""Files joined byte by byte: nothing is mixed or lost without a word."""

from pathlib import Path

import pytest

from shared.errors import PermanentError
from tests.support.clips import X264, made, written
from tests.support.parts import fetched, probed, probed_audio

FIELD = Path(__file__).parents[2].parent / "shared" / "media" / "field"
VP8 = ("-c:v", "libvpx", "-deadline", "realtime")


def joined(suffix: str, *options: str) -> Path:
    bodies = []
    for seconds in (3, 5):
        graph = f"testsrc=s=128x96:r=25:d={seconds}"
        tone = ("-f", "lavfi", "-i", f"sine=440:d={seconds}")
        bodies.append(made(f"{seconds}.{suffix}", "-f", "lavfi", "-i", graph, *tone, *options).read_bytes())
    return written(f"joined.{suffix}", b"".join(bodies))


@pytest.mark.parametrize("flags", [(), ("-movflags", "+faststart")])
@pytest.mark.parametrize("suffix", ["mp4", "m4a"])
def test_the_first_file_alone_is_used_and_the_customer_is_told(flags: tuple[str, ...], suffix: str) -> None:
    file = joined("mp4", *X264, *flags)
    found = probed_audio(file) if suffix == "m4a" else probed(file)
    assert found.source.duration == pytest.approx(3, abs=0.05)
    [warning] = found.warnings
    assert warning.code == "source_joined" and "2 files" in warning.message and "(3.0 s)" in warning.message


@pytest.mark.parametrize(("suffix", "options"), [
    ("webm", VP8), ("mkv", X264), ("mp4", (*X264, "-movflags", "+frag_keyframe+empty_moov")),
])  # fmt: skip
def test_time_stamps_that_begin_again_are_refused(suffix: str, options: tuple[str, ...]) -> None:
    with pytest.raises(PermanentError) as refused:
        probed(joined(suffix, *options))
    assert refused.value.code == "input_damaged" and "begin again after 3.0 s" in refused.value.message


def test_one_file_is_no_two() -> None:
    graph = ("-f", "lavfi", "-i", "testsrc=s=128x96:r=25:d=4", *X264, "-bf", "3", "-g", "10")
    for name in ("one.mp4", "one.mkv", "one.flv", "one.avi"):
        assert probed(made(name, *graph)).warnings == ()


@pytest.mark.skipif(not FIELD.exists(), reason="no files of the field")
def test_joined_files_of_the_field() -> None:
    event = fetched(FIELD / "m05-mp4-two-files.mp4")
    assert [warning.code for warning in event.warnings if warning.code == "source_joined"] and event.plan.duration == 3
    with pytest.raises(PermanentError, match="times go back"):
        probed(FIELD / "m04-webm-3s-then-8s.webm")
