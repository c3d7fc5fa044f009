"""The command lines that the benchmark compares with."""

import re
from pathlib import Path
from typing import Any, cast

from stack.bench import baseline
from stack.bench.others import OTHERS
from stack.bench.ways import Scene
from stack.clips import Facts

WAYS = {way.name: way for way in OTHERS}


def scene(folder: Path, facts: Facts, resolutions: tuple[str, ...] = ("240p", "720p")) -> Scene:
    nothing = cast(Any, None)
    return Scene(nothing, nothing, folder / "clip.mp4", facts, resolutions, "bench/1", folder, 1, nothing)


def steps(name: str, folder: Path, facts: Facts) -> list[list[str]]:
    made = folder / name
    made.mkdir()
    return [argv for step in WAYS[name].steps(scene(folder, facts), made) for argv in step]


HD = Facts(60, 1280, 720, 25, True)


def test_one_ffmpeg_a_rendition_encodes_as_the_baseline_does_with_the_sound_once(tmp_path: Path) -> None:
    commands = steps("each-alone", tmp_path, HD)
    assert [argv[argv.index("-crf:v:0") + 1] for argv in commands] == ["24", "23"]
    assert [argv.count("aac") for argv in commands] == [1, 0]
    assert all("split=1" in argv[argv.index("-filter_complex") + 1] for argv in commands)


def test_the_reference_profile_takes_two_passes_and_scales_nothing_up(tmp_path: Path) -> None:
    first, second = (" ".join(argv) for argv in steps("encore", tmp_path, HD))
    assert "-b:v 3100k" not in first and "-b:v 2069k" in first
    assert "aac" not in first and first.count("-f null -") == 4
    assert "aac" in second and second.count("-pass 2") == 4
    logs = re.findall(r"-passlogfile (\S+)", first)
    assert len(set(logs)) == 4 and logs == re.findall(r"-passlogfile (\S+)", second)


def test_the_sample_ladder_may_peak_at_twice_its_average(tmp_path: Path) -> None:
    (argv,) = steps("apple", tmp_path, HD)
    text = " ".join(argv)
    assert re.findall(r"-b:v (\d+)k", text) == ["4500", "3000", "2000", "1100", "730", "365", "145"]
    assert "-b:v 145k -maxrate 290k -bufsize 290k" in text
    assert f"-preset {baseline.PRESET}" in text and "keyint=50:" in text
