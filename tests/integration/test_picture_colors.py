"""Colours, measured: known patches in a source's own encoding, against what the standards say they look like."""

from colorsys import rgb_to_hsv
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

import pytest

from tests.support.parts import encode, fetched
from tests.support.patches import (
    Triple,
    code,
    coded,
    decoded,
    displayed,
    linear_709,
    linear_2020,
    patches,
    picture,
    pq,
)

FFV1 = ("-c:v", "ffv1")
X265 = ("-c:v", "libx265", "-preset", "ultrafast")
GRAY, SKIN = 0.5, (0.80, 0.60, 0.50)
COLOURS: tuple[Triple, ...] = (
    (1, 1, 1), (0, 0, 0), (GRAY, GRAY, GRAY), (0.75, 0, 0), (0, 0.75, 0), (0, 0, 0.75), SKIN, (0.25, 0.30, 0.55),
)  # fmt: skip


@dataclass(frozen=True)
class Coding:
    """How a source codes its pictures.

    Attributes:
        tags: what the file says of it, for ``setparams``; empty for nothing.
        primaries: what they are taken for.
    """

    pixel_format: str
    matrix: str
    tags: str = ""
    primaries: str = "bt709"
    full: bool = False
    scale: str = "null"
    encoder: tuple[str, ...] = FFV1

    @property
    def bits(self) -> int:
        """Bits of a sample."""
        return 10 if "10" in self.pixel_format else 12 if "12" in self.pixel_format else 8


def tags(matrix: str, primaries: str = "bt709", transfer: str = "bt709", span: str = "limited") -> str:
    return f"setparams=colorspace={matrix}:color_primaries={primaries}:color_trc={transfer}:range={span}"


HD = "scale=1280:720:flags=neighbor"
CODINGS = {
    "BT.709": Coding("yuv420p", "bt709", tags("bt709")),
    "untagged SD": Coding("yuv420p", "smpte170m"),
    "untagged HD": Coding("yuv420p", "bt709", scale=HD),
    "BT.601, 525 lines": Coding("yuv420p", "smpte170m", tags("smpte170m", "smpte170m", "smpte170m"), "smpte170m"),
    "BT.601, 625 lines": Coding("yuv420p", "bt470bg", tags("bt470bg", "bt470bg", "bt470bg"), "bt470bg"),
    "BT.601 matrix in HD": Coding("yuv420p", "smpte170m", tags("smpte170m"), scale=HD),
    "full range": Coding("yuv420p", "bt709", tags("bt709", span="full"), full=True),
    "full range of JPEG": Coding(
        "yuvj420p", "smpte170m", full=True, encoder=("-c:v", "mjpeg", "-q:v", "1", "-strict", "-1")
    ),
    "a telephone's": Coding(
        "yuv420p",
        "bt470bg",
        tags("bt470bg", "bt470bg", "smpte170m", "full"),
        "bt470bg",
        full=True,
        encoder=("-c:v", "libx264", "-qp", "2", "-preset", "ultrafast"),
    ),
    "BT.2020": Coding("yuv420p10le", "bt2020nc", tags("bt2020nc", "bt2020", "bt2020-10"), "bt2020"),
    "P3": Coding("yuv420p10le", "bt709", tags("bt709", "smpte432"), "smpte432"),
    "10-bit 4:2:2": Coding("yuv422p10le", "bt709", tags("bt709")),
    "12-bit 4:4:4": Coding("yuv444p12le", "bt709", tags("bt709")),
    "4:4:4": Coding("yuv444p", "smpte170m", tags("smpte170m")),
}


def made_of(file: Path, count: int, root: Path) -> list[Triple]:
    """The patches of the rendition that is made of a source."""
    return patches(encode(fetched(file), file, root).join("144p"), count)


@pytest.mark.parametrize("name", CODINGS)
def test_sdr_looks_as_the_standards_say(name: str, tmp_path: Path) -> None:
    how = CODINGS[name]
    planes = [code(colour, how.matrix, bits=how.bits, full=how.full) for colour in COLOURS]
    filters = ",".join(step for step in (how.scale, how.tags) if step)
    file = picture(planes, how.pixel_format, "-vf", filters, *how.encoder)
    expected = []
    for colour in COLOURS:
        light = linear_709(tuple(displayed(value) for value in colour), how.primaries)  # type: ignore[arg-type]
        expected.append(code(tuple(coded(value) for value in light), "bt709"))  # type: ignore[arg-type]
    for colour, found, wanted in zip(COLOURS, made_of(file, len(COLOURS), tmp_path), expected, strict=True):
        off = [abs(ours - its) for ours, its in zip(found, wanted, strict=True)]
        assert max(off) <= 3, (colour, found, wanted)


@pytest.mark.parametrize(
    ("pixel_format", "encoder"), [("gbrp", FFV1), ("gbrp10le", FFV1), ("gbrp", ("-c:v", "png"))], ids=["8", "10", "png"]
)
def test_rgb_looks_as_it_is(pixel_format: str, encoder: tuple[str, ...], tmp_path: Path) -> None:
    top = 1023 if "10" in pixel_format else 255
    planes = [(green * top, blue * top, red * top) for red, green, blue in COLOURS]
    suffix = "mov" if "png" in encoder else "mkv"
    file = picture(planes, pixel_format, *encoder, suffix=suffix)
    for colour, found in zip(COLOURS, made_of(file, len(COLOURS), tmp_path), strict=True):
        wanted = code(colour, "bt709")
        assert max(abs(ours - its) for ours, its in zip(found, wanted, strict=True)) <= 3, (colour, found, wanted)


NITS = (0, 10, 26, 100, 203, 400, 1000)
# Linear light of BT.709 primaries, white of paper being 1: skin, grass, sky, brick, and a bright lamp.
THINGS: tuple[Triple, ...] = (
    (0.50, 0.30, 0.20), (0.10, 0.25, 0.05), (0.25, 0.40, 0.80), (0.45, 0.08, 0.05), (3.0, 2.2, 1.0),
)  # fmt: skip
WHITE = 203


def hdr_file(transfer: str, coded_rgb: list[Triple], *x265: str, enlarge: int = 1) -> Path:
    planes = [code(rgb, "bt2020nc", bits=10) for rgb in coded_rgb]
    options = ":".join(("log-level=none", "qp=4", *x265))
    filters = f"scale={enlarge}*iw:{enlarge}*ih:flags=neighbor,{tags('bt2020nc', 'bt2020', transfer)}"
    return picture(planes, "yuv420p10le", "-vf", filters, *X265, "-x265-params", options, suffix="mp4")


def hue(light: Triple) -> float:
    """Degrees."""
    return rgb_to_hsv(*light)[0] * 360


def saturation(light: Triple) -> float:
    return rgb_to_hsv(*light)[1]


MASTERED = {
    "without metadata": (),
    "mastered at 1000 nits": (
        "master-display=G(13250,34500)B(7500,3000)R(34000,16000)WP(15635,16450)L(10000000,1)",
        "max-cll=1000,400",
    ),
    "mastered at 4000 nits, no content light": (
        "master-display=G(13250,34500)B(7500,3000)R(34000,16000)WP(15635,16450)L(40000000,1)",
        "max-cll=0,0",
    ),
    "dark on a 10,000-nit screen": (
        "master-display=G(13250,34500)B(7500,3000)R(34000,16000)WP(15635,16450)L(100000000,1)",
    ),
}


@pytest.mark.parametrize("name", MASTERED)
def test_hdr10_looks_as_players_show_it(name: str, tmp_path: Path) -> None:
    grays: list[Triple] = [(pq(nits), pq(nits), pq(nits)) for nits in NITS]
    things: list[Triple] = []
    for thing in THINGS:
        red, green, blue = linear_2020(thing)
        things.append((pq(red * WHITE), pq(green * WHITE), pq(blue * WHITE)))
    file = hdr_file("smpte2084", grays + things, *MASTERED[name], enlarge=2)
    found = made_of(file, len(grays + things), tmp_path)
    check_grays([luma for luma, _, _ in found[: len(NITS)]], NITS.index(26), NITS.index(203))
    assert all(abs(cb - 128) <= 2 and abs(cr - 128) <= 2 for _, cb, cr in found[: len(NITS)])
    check_things(found[len(NITS) :])


def check_grays(lumas: list[float], middle: int, white: int) -> None:
    """Black stays black, what is brighter stays brighter, middle gray stays dark, white is white, nothing is beyond it."""
    assert lumas[0] <= 17
    assert all(early < late for early, late in pairwise(lumas))
    assert lumas[-1] <= 236
    assert 190 <= lumas[white] <= 215
    # As on a screen that shows diffuse white as its own white.
    shown = 16 + 219 * coded(26 / WHITE)
    assert abs(lumas[middle] - shown) <= 8


def check_things(found: list[Triple]) -> None:
    """Hues stay, colours stay as strong as they were, and what is darker than half of white stays as bright."""
    for thing, yuv in zip(THINGS, found, strict=True):
        light = decoded(yuv)
        turned = (hue(light) - hue(thing) + 180) % 360 - 180
        assert abs(turned) <= 5, (thing, light)
        assert abs(saturation(light) - saturation(thing)) <= 0.06, (thing, light)
        if max(thing) <= 0.3:
            assert max(light) == pytest.approx(max(thing), rel=0.1)


def test_hlg_looks_as_players_show_it(tmp_path: Path) -> None:
    # BT.2408: middle gray at 38 %, diffuse white at 75 % of the signal.
    signal = (0, 0.2, 0.38, 0.5, 0.75, 0.9, 1)
    found = made_of(hdr_file("arib-std-b67", [(value, value, value) for value in signal]), len(signal), tmp_path)
    check_grays([luma for luma, _, _ in found], signal.index(0.38), signal.index(0.75))


def test_the_peak_is_decided_once_for_all_parts() -> None:
    event = fetched(hdr_file("smpte2084", [(pq(100),) * 3, (pq(203),) * 3], *MASTERED["mastered at 1000 nits"]))
    assert event.source.video.mastering.display_peak == event.source.video.mastering.content_peak == 1000
    assert any(step.endswith(":peak=4.9261") for step in event.plan.picture_filters)
