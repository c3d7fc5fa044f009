"""AudioRendition of any layout, codec and container: as loud as it was, on its side, and in step with the picture."""

from array import array
from collections.abc import Sequence
from pathlib import Path

import pytest

from shared.events import Fetched
from shared.media.plan import AudioPart
from tests.support import frames
from tests.support.clips import made
from tests.support.parts import Encoded, encode, fetched
from tests.support.sound import RATE, decibels, loudness, peak, samples, tone

X264 = ("-c:v", "libx264", "-preset", "ultrafast", "-g", "25")
BEEP = "0.5*sin(2*PI*1000*t)*lt(mod(t+0.00001,2),0.1)"
SYNC, EXACT = 0.020, 0.005


def picture(seconds: float) -> tuple[str, ...]:
    return ("-f", "lavfi", "-i", f"color=gray:s=256x144:r=25:d={seconds}")


def tones(layout: str, expressions: Sequence[str], seconds: float, rate: int = RATE) -> tuple[str, ...]:
    text = "|".join(expressions)
    return ("-f", "lavfi", "-i", f"aevalsrc=exprs='{text}':c={layout}:s={rate}:d={seconds}")


def beeping(layout: str = "stereo", seconds: float = 6, rate: int = RATE) -> tuple[str, ...]:
    """A beep every two seconds, the first at zero, in the front left and right, or in the only channel."""
    channels = {"mono": 1, "stereo": 2, "5.1": 6}[layout]
    return tones(layout, ([BEEP] * 2 + ["0"] * 4)[:channels], seconds, rate)


def heard(file: Path, folder: Path) -> tuple[Fetched, Encoded]:
    """All sound of a file, encoded."""
    event = fetched(file, pictures=False)
    return event, encode(event, file, folder)


def offsets(event: Fetched, made: Encoded, part: AudioPart, *, early: float = 0) -> list[float]:
    """How much later than its instant of the source (every two seconds after the first picture) each beep is probed.

    The first one is left out, of which some of the codecs that sources have lose the beginning.
    """
    start = float(event.source.video.start - event.plan.origin) - early
    found = [beep - start for beep in frames.beeps(made.join(part.folder))]
    return [(beep + 1) % 2 - 1 for beep in found if beep + start > 0.1]


Sides = Sequence[tuple[float, float]]


def test_mono_and_stereo_are_as_loud_as_they_were(tmp_path: Path) -> None:
    left, right = "0.5*sin(2*PI*440*t)", "0.25*sin(2*PI*440*t)"
    given = [*tones("mono", [left], 2), *tones("stereo", [left, right], 2), *tones("stereo", [left, "0"], 2)]
    codecs = ("-map", "0", "-map", "1", "-map", "2", "-map", "3", *X264, "-c:a", "pcm_s16le")
    event, encoded = heard(made("loudness.mkv", *picture(2), *given, *codecs), tmp_path)
    for part, sides in zip(event.plan.audio, ((0.5, 0.5), (0.5, 0.25), (0.5, 0)), strict=True):
        for side, amplitude in zip(samples(encoded.join(part.folder)), sides, strict=True):
            middle = side[RATE // 2 : RATE * 3 // 2]
            if amplitude:
                assert abs(decibels(tone(middle, 440) / amplitude)) < 0.2
                assert abs(decibels(loudness(middle) / amplitude) + 3.01) < 0.2
            else:
                assert peak(middle) < 0.001


# The channels of each layout in the order of their tones, with what of each is heard left and right.
MINUS_3, MINUS_6 = 0.707, 0.5
FRONT, CENTER, LFE = [(1.0, 0.0), (0.0, 1.0)], (MINUS_3, MINUS_3), (0.0, 0.0)
PAIR, BACK = [(MINUS_3, 0.0), (0.0, MINUS_3)], (MINUS_6, MINUS_6)
DOWNMIX: dict[str, Sides] = {
    "3.0": [*FRONT, CENTER],
    "4.0": [*FRONT, CENTER, BACK],
    "quad": [*FRONT, *PAIR],
    "5.0": [*FRONT, CENTER, *PAIR],
    "5.1": [*FRONT, CENTER, LFE, *PAIR],
    "5.1(side)": [*FRONT, CENTER, LFE, *PAIR],
    "6.1": [*FRONT, CENTER, LFE, BACK, *PAIR],
    "7.1": [*FRONT, CENTER, LFE, *PAIR, *PAIR],
}
# Without a layout: the usual one of that number, or the first two; of ambisonics the sound from everywhere.
UNKNOWN: dict[str, Sides] = {"6 channels": DOWNMIX["5.1"], "10 channels": [*FRONT, *[LFE] * 8]}


def hertz(channel: int) -> int:
    return 400 + 350 * channel


@pytest.fixture(scope="module")
def downmixed(tmp_path_factory: pytest.TempPathFactory) -> dict[str, tuple["array[float]", "array[float]"]]:
    """Half a second of what comes of a tone in each channel, for each layout: all of them tracks of two files."""
    found = {}
    for name, layouts, codec in (
        ("layouts.mkv", {layout: len(DOWNMIX[layout]) for layout in DOWNMIX}, "flac"),
        # Uncompressed sound in Matroska has a number of channels, and no layout.
        ("numbers.mkv", {"6 channels": 6, "10 channels": 10}, "pcm_s16le"),
    ):
        sources, maps = list(picture(1)), ["-map", "0"]
        for number, (layout, channels) in enumerate(layouts.items(), start=1):
            each = [f"0.06*sin(2*PI*{hertz(channel)}*t)" for channel in range(channels)]
            known = layout if layout in DOWNMIX else {6: "5.1", 10: "5.1.4"}[channels]
            sources += tones(known, each, 1)
            maps += ["-map", str(number)]
        file = made(name, *sources, *maps, *X264, "-c:a", codec)
        event, encoded = heard(file, tmp_path_factory.mktemp("downmix"))
        for layout, part in zip(layouts, event.plan.audio, strict=True):
            left, right = samples(encoded.join(part.folder))
            found[layout] = (left[RATE // 4 : RATE * 3 // 4], right[RATE // 4 : RATE * 3 // 4])
    return found


@pytest.mark.parametrize("layout", [*DOWNMIX, *UNKNOWN])
def test_every_channel_is_heard_on_its_side(
    layout: str, downmixed: dict[str, tuple["array[float]", "array[float]"]]
) -> None:
    for channel, gains in enumerate((DOWNMIX | UNKNOWN)[layout]):
        for side, gain in zip(downmixed[layout], gains, strict=True):
            level = tone(side, hertz(channel)) / 0.06
            if gain:
                assert abs(decibels(level / gain)) < 0.5, (channel, level, gain)
            else:
                assert decibels(level) < -35, (channel, level)


def test_a_sum_of_loud_channels_does_not_clip_and_a_quiet_one_is_left_alone(tmp_path: Path) -> None:
    loud = "sin(2*PI*440*t)"
    given = [*tones("5.1", [loud] * 6, 2), *tones("5.1", ["0", "0", "0.9*sin(2*PI*440*t)", "0", "0", "0"], 2)]
    file = made("loud.mkv", *picture(2), *given, "-map", "0", "-map", "1", "-map", "2", *X264, "-c:a", "flac")
    event, encoded = heard(file, tmp_path)
    summed, speech = (samples(encoded.join(part.folder))[0] for part in event.plan.audio)
    assert 0.8 < peak(summed) <= 1.0
    assert abs(decibels(peak(speech[RATE // 2 :]) / (0.9 * MINUS_3))) < 0.2


# In step

STEPS: dict[str, tuple[tuple[str, ...], tuple[str, ...]]] = {
    "mkv": (X264, ("libmp3lame", "ac3", "libvorbis", "alac", "pcm_s16le")),
    "mov": (X264, ("aac", "pcm_s24le", "pcm_f32le")),
    "mp4": (X264, ("aac", "libmp3lame", "eac3", "libopus", "flac")),
    "ts": (X264, ("aac", "ac3", "mp2")),
    "webm": (("-c:v", "libvpx", "-deadline", "realtime", "-cpu-used", "8"), ("libopus",)),
    "asf": (("-c:v", "wmv2"), ("wmav2",)),
}


@pytest.mark.parametrize("suffix", STEPS)
def test_beeps_are_heard_when_they_flash(suffix: str, tmp_path: Path) -> None:
    video, codecs = STEPS[suffix]
    maps = ["-map", "0", *video]
    for number, codec in enumerate(codecs):
        maps += ["-map", "1", f"-c:a:{number}", codec]
    event, encoded = heard(made(f"steps.{suffix}", *picture(5), *beeping(seconds=5), *maps), tmp_path)
    assert len(event.plan.audio) == len(codecs)
    for part, codec in zip(event.plan.audio, codecs, strict=True):
        late = offsets(event, encoded, part)
        assert len(late) == 2 and all(abs(off) < EXACT for off in late), (codec, late)
        [(_, track)] = encoded.tracks(part.folder)
        assert track.codecs == "mp4a.40.2"
    assert not encoded.warnings


def test_any_sample_rate(tmp_path: Path) -> None:
    rates = [8000, 11025, 44100, 192000]
    sources = [argument for rate in rates for argument in beeping("mono", 5, rate)]
    maps = [argument for number in range(len(rates) + 1) for argument in ("-map", str(number))]
    codecs = ("-c:a", "pcm_s16le", "-c:a:0", "pcm_u8")
    event, encoded = heard(made("rate.mov", *picture(5), *sources, *maps, *X264, *codecs), tmp_path)
    assert [track.sample_rate for track in event.source.audio] == rates
    for part in event.plan.audio:
        late = offsets(event, encoded, part)
        assert len(late) == 2 and all(abs(off) < EXACT for off in late)


def base(suffix: str = "mkv", codec: str = "aac") -> Path:
    """Twelve seconds that beep."""
    return made(f"base.{suffix}", *picture(12), *beeping(seconds=12), *X264, "-c:a", codec)


def changed(suffix: str, bitstream: str) -> Path:
    """The same packets, but for what a bitstream filter does to those of the sound."""
    return made(f"changed.{suffix}", "-i", str(base(suffix)), "-c", "copy", "-bsf:a", bitstream)


GAP = "noise=drop='between(pts*tb,3.5,5.3)'"
JITTER, OVERLAP, DRIFT = "setts=ts='TS+mod(N*7,17)-8'", "setts=ts='TS-if(gt(TS,5000),400)'", "setts=ts='TS*1.001'"


@pytest.mark.parametrize("suffix", ["mkv", "ts"])
def test_a_gap_is_silent_and_what_follows_is_in_step(suffix: str, tmp_path: Path) -> None:
    event, encoded = heard(changed(suffix, GAP), tmp_path)
    late = offsets(event, encoded, event.plan.audio[0])
    assert len(late) == 4 and all(abs(off) < EXACT for off in late)


@pytest.mark.parametrize(("bitstream", "expected"), [
    (JITTER, [0, 0, 0, 0, 0]),
    (OVERLAP, [0, 0, -0.4, -0.4, -0.4]),
    (DRIFT, [0.002, 0.004, 0.006, 0.008, 0.01]),
])  # fmt: skip
def test_odd_time_stamps_are_followed(bitstream: str, expected: list[float], tmp_path: Path) -> None:
    event, encoded = heard(changed("mkv", bitstream), tmp_path)
    late = offsets(event, encoded, event.plan.audio[0])
    assert [abs(off - wanted) < SYNC for off, wanted in zip(late, expected, strict=True)] == [True] * 5, late


def test_sound_that_begins_late_or_early_or_is_cut(tmp_path: Path) -> None:
    suffix = "mp4"
    twice = ("-itsoffset", "1.5", "-i", str(base(suffix)), "-i", str(base(suffix)))
    late = made(f"late.{suffix}", *twice, "-map", "0:a", "-map", "1:v", "-c", "copy")
    early = made(f"early.{suffix}", *twice, "-map", "0:v", "-map", "1:a", "-c", "copy")
    cut = made(f"cut.{suffix}", "-ss", "3.3", "-i", str(base(suffix)), "-c", "copy")
    for file, shift in ((late, 1.5), (early, -1.5)):
        event, encoded = heard(file, tmp_path / file.stem)
        found = offsets(event, encoded, event.plan.audio[0], early=-shift)
        assert len(found) >= 4 and all(abs(off) < EXACT for off in found), (file.name, found)
    # The picture is cut at 3.3 s or at the key frame before it; either way they go on together.
    event, encoded = heard(cut, tmp_path / "cut")
    into = 3.3 if event.source.video.frames < 12 * 25 - 80 else 3
    found = offsets(event, encoded, event.plan.audio[0], early=into)
    assert len(found) >= 3 and all(abs(off) < EXACT for off in found), found


def test_sound_that_begins_very_late(tmp_path: Path) -> None:
    late = ("-itsoffset", "12.5", *beeping(seconds=3))
    event, encoded = heard(made("very-late.mkv", *picture(16), *late, *X264, "-c:a", "flac"), tmp_path)
    found = offsets(event, encoded, event.plan.audio[0], early=-12.5)
    assert len(found) == 2 and all(abs(off) < EXACT for off in found), found
    left, _ = samples(encoded.join(event.plan.audio[0].folder))
    assert peak(left[: 12 * RATE]) < 0.001


@pytest.mark.parametrize("codec", ["aac", "ac3"])
def test_a_broadcast_that_changes_its_format_stays_in_step(codec: str, tmp_path: Path) -> None:
    joined = tmp_path / "joined.ts"
    pieces = [("stereo", RATE), ("5.1", 44_100), ("mono", 32_000)]
    with joined.open("wb") as file:
        for number, (layout, rate) in enumerate(pieces):
            output = (*X264, "-c:a", codec, "-output_ts_offset", str(10 + 4 * number))
            file.write(made("piece.ts", *picture(4), *beeping(layout, 4, rate), *output).read_bytes())
    event, encoded = heard(joined, tmp_path / "space")
    late = offsets(event, encoded, event.plan.audio[0])
    assert len(late) == 5 and all(abs(off) < SYNC for off in late), late
    left, right = samples(encoded.join(event.plan.audio[0].folder))
    # The same beep in stereo, in the front of 5.1, and in mono.
    for second in (2, 6, 10):
        beep = slice(int((second + 0.03) * RATE), int((second + 0.09) * RATE))
        assert all(abs(decibels(tone(side[beep], 1000) / 0.5)) < 1 for side in (left, right))


# Tracks


@pytest.mark.parametrize("suffix", ["mkv", "mp4"])
def test_eight_tracks_are_eight_renditions(suffix: str) -> None:
    languages = ["eng", "ger", "fre", "por", "eng", "jpn", "und", "eng"]
    title = "handler_name" if suffix == "mp4" else "title"
    titles = ["Film", 'Der "Film"', "Le film / 🎬", "x" * 500, "Film", "", "", "Audio 2"]
    maps = [
        "-map",
        "0",
        *(["-map", "1"] * 8),
        *X264,
        "-c:a",
        "aac",
        "-disposition:a",
        "0",
        "-disposition:a:4",
        "default",
    ]
    for number, (language, name) in enumerate(zip(languages, titles, strict=True)):
        maps += [f"-metadata:s:a:{number}", f"language={language}", f"-metadata:s:a:{number}", f"{title}={name}"]
    maps += ["-disposition:a:2", "comment", "-disposition:a:3", "default"]
    event = fetched(made(f"eight.{suffix}", *picture(1), *beeping(seconds=1), *maps), pictures=False)
    parts = event.plan.audio
    assert [part.language for part in parts] == ["en", "de", "fr", "pt", "en", "ja", None, "en"]
    assert [part.folder for part in parts][:3] == ["audio/0-en", "audio/1-de", "audio/2-fr"]
    labels = [part.label for part in parts]
    assert len(set(labels)) == 8 and labels[:3] == ["Film", "Der Film", "Le film / 🎬"]
    assert all(0 < len(label) <= 102 for label in labels)
    if suffix == "mkv":
        assert [part.default for part in parts].index(True) == 3
        assert parts[2].purpose == "commentary"
    assert sum(part.default for part in parts) == 1


# Damage


@pytest.mark.parametrize("codec", ["aac", "flac"])
def test_damage_in_the_middle_costs_only_what_is_damaged(codec: str, tmp_path: Path) -> None:
    noise = "noise=amount='if(between(pts*tb,3.5,5.3),3,0)'"
    file = made("damaged.mkv", "-i", str(base("mkv", codec)), "-c", "copy", "-bsf:a", noise)
    event, encoded = heard(file, tmp_path)
    assert encoded.warnings == {"sound_damaged"}
    found = frames.beeps(encoded.join(event.plan.audio[0].folder))
    start = float(event.source.video.start - event.plan.origin)
    for second in (2, 6, 8, 10):
        assert any(abs(beep - start - second) < EXACT for beep in found), (second, found)


def garbage() -> Path:
    """A track that is whole, and one of which nothing can be decoded."""
    good = base()
    bad = made("garbage.mkv", "-i", str(good), "-map", "0:a", "-c", "copy", "-bsf:a", "noise=amount=2")
    return made("both.mkv", "-i", str(good), "-i", str(bad), "-map", "0", "-map", "1:a", "-c", "copy")


def test_a_track_of_which_nothing_can_be_decoded_is_left_out(tmp_path: Path) -> None:
    event, encoded = heard(garbage(), tmp_path)
    assert [warning.code for warning in event.warnings] == ["sound_dropped"]
    assert [part.track for part in event.plan.audio] == [1]
    assert not encoded.warnings


def test_a_track_that_turns_out_to_hold_nothing_is_silent(tmp_path: Path) -> None:
    event = fetched(garbage(), pictures=False)
    bad = event.source.audio[0].model_copy(update={"index": 2})
    source = event.source.model_copy(update={"audio": (bad,)})
    part = event.plan.audio[0].model_copy(update={"track": 2})
    plan = event.plan.model_copy(update={"audio": (part,)})
    encoded = encode(event.model_copy(update={"source": source, "plan": plan}), garbage(), tmp_path)
    assert encoded.warnings == {"sound_damaged"}
    left, right = samples(encoded.join(part.folder))
    assert peak(left) == peak(right) == 0
    assert len(left) / RATE == pytest.approx(float(plan.duration), abs=0.03)


def test_very_short_sound(tmp_path: Path) -> None:
    """A single sample, less than a frame of AAC, and a fifth of a second."""
    graph = (
        "[1]asplit=3[a][b][c];[a]atrim=end_sample=1[one];[b]atrim=end_sample=300[few];[c]atrim=end_sample=9600[fifth]"
    )
    maps = (
        "-map",
        "0",
        "-map",
        "[one]",
        "-map",
        "[few]",
        "-map",
        "[fifth]",
        *X264,
        "-c:a",
        "aac",
        "-c:a:0",
        "pcm_s16le",
    )
    sound = tones("mono", ["0.5*sin(2*PI*440*t)"], 1)
    file = made("short.mov", *picture(0.4), *sound, "-filter_complex", graph, *maps)
    event, encoded = heard(file, tmp_path)
    assert len(event.plan.audio) == 3 and not encoded.warnings
    for part in event.plan.audio:
        [(_, track)] = encoded.tracks(part.folder)
        assert track.frames == 1 + -(-(event.plan.duration * RATE) // 1024)
    left, _ = samples(encoded.join(event.plan.audio[2].folder))
    assert tone(left[4800:9600], 440) == pytest.approx(0.5, abs=0.02)
    assert peak(left[11_000:]) < 0.01
