"""Thumbnails and tiles show the frames that the video shows at their places, in its shape and its colours."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest
from PIL import Image

from services.transcoder.command import Tools
from shared.errors import PermanentError
from shared.media.tools import ffmpeg_path
from tests.support import clips, frames, stills
from tests.support.clips import X264, numbered
from tests.support.parts import Encoded, encode, fetched


@dataclass(frozen=True)
class Clip:
    """A clip, and what has to be so.

    Attributes:
        parts: into how many the plan cuts it.
        turn: filters that bring the strip of cells back to the top.
    """

    make: Callable[[], Path]
    parts: int
    thumbnails: int
    tiles: int
    turn: str = "null"


CLIPS = {
    "seams": Clip(lambda: numbered("24"), 3, 5, 7),
    "turned": Clip(lambda: clips.turned(90), 1, 2, 1, "transpose=dir=clock"),
    "anamorphic": Clip(lambda: numbered("24", seconds=4, size="180x144", picture="setsar=64/45"), 1, 4, 2),
    "portrait": Clip(lambda: numbered("24", seconds=4, size="144x256"), 1, 4, 2),
    "interlaced": Clip(clips.interlaced, 3, 5, 7),
    "sound longer": Clip(clips.sound_longer, 3, 5, 8),
    "one frame": Clip(lambda: numbered("24", seconds=0.04, sound_seconds=0), 1, 1, 1),
}


@pytest.mark.parametrize("clip", CLIPS.values(), ids=list(CLIPS))
def test_every_still_shows_the_planned_frame(clip: Clip, tmp_path: Path) -> None:
    file = clip.make()
    made = encode(fetched(file), file, tmp_path)
    plan = stills.planned(made)
    assert (len(made.plan.video), len(plan.thumbnails.frames), len(plan.tiles.frames)) == (
        clip.parts,
        clip.thumbnails,
        clip.tiles,
    )
    video = [picture.number for picture in frames.pictures(made.join("144p"), filters=clip.turn)]
    assert None not in video

    thumbnails = stills.files(made, "thumbnail")
    assert list(thumbnails) == list(plan.thumbnails.numbers)
    shown = [frames.pictures(one, filters=clip.turn)[0].number for one in thumbnails.values()]
    assert shown == [video[frame] for frame in plan.thumbnails.frames]
    assert {Image.open(one).size for one in thumbnails.values()} == {(plan.thumbnails.width, plan.thumbnails.height)}

    sheet, cues = stills.sheet(made)
    assert Image.open(sheet).size == (plan.columns * plan.tiles.width, plan.rows * plan.tiles.height)
    cut = f"untile={plan.columns}x{plan.rows},{clip.turn}"
    shown = [picture.number for picture in frames.pictures(sheet, filters=cut)][: len(plan.tiles.frames)]
    assert shown == [video[frame] for frame in plan.tiles.frames]
    assert cues.count(" --> ") == clip.tiles
    _check_shape(made)


def _check_shape(made: Encoded) -> None:
    """The aspect of the renditions, which other tests hold against the source; each side may be a pixel off."""
    rung, plan = made.plan.rungs[0], stills.planned(made)
    for chosen in (plan.thumbnails, plan.tiles):
        assert abs(chosen.height - chosen.width * rung.height / rung.width) <= 1 + rung.height / rung.width


@pytest.mark.parametrize("size", ["1024x16", "16x1024"])
def test_a_film_strip_has_stills(size: str, tmp_path: Path) -> None:
    file = clips.made("strip.mp4", "-f", "lavfi", "-i", f"testsrc2=s={size}:r=24:d=3", *X264)
    made = encode(fetched(file), file, tmp_path)
    thumbnail, tile = (Image.open(stills.files(made, kind)[1]).size for kind in ("thumbnail", "tile"))
    wide = size == "1024x16"
    assert thumbnail == ((1024, 16) if wide else (16, 1024))
    assert tile == ((160, 2) if wide else (2, 160))
    assert Image.open(stills.sheet(made)[0]).size == ((320, 2) if wide else (4, 160))


PATCHES = ["C81E1E", "1EC81E", "1E1EC8", "C8C81E", "1EC8C8", "C81EC8", "FFFFFF", "101010"]


@pytest.mark.parametrize(
    ("matrix", "space", "full"),
    [("bt709", "bt709", False), ("bt601", "smpte170m", False), ("bt709", "bt709", True)],
    ids=["BT.709", "BT.601", "full range"],
)
def test_colours_are_those_of_the_source(matrix: str, space: str, full: bool, tmp_path: Path) -> None:
    inputs = [word for color in PATCHES for word in ("-f", "lavfi", "-i", f"color=0x{color}:s=64x128:r=24:d=1")]
    stack = "".join(f"[{number}]format=gbrp[p{number}];" for number in range(len(PATCHES)))
    stack += "".join(f"[p{number}]" for number in range(len(PATCHES))) + f"hstack={len(PATCHES)},"
    ranged = "full" if full else "limited"
    stack += f"scale=out_color_matrix={matrix}:out_range={ranged}:flags=accurate_rnd,format=yuv420p[v]"
    named = [word for option in ("colorspace", "color_primaries", "color_trc") for word in (f"-{option}", space)]
    tags = (*named, "-color_range", "pc" if full else "tv")
    coder = ("-c:v", "libx264", "-preset", "ultrafast", "-crf", "4", "-pix_fmt", "yuv420p")
    file = clips.made("patches.mp4", *inputs, "-filter_complex", stack, "-map", "[v]", *coder, *tags)
    made = encode(fetched(file), file, tmp_path)
    for picture in (stills.files(made, "thumbnail")[1], stills.files(made, "tile")[1], stills.sheet(made)[0]):
        for number, color in enumerate(PATCHES):
            found = stills.color(picture, (number + 0.5) / len(PATCHES), 0.5)
            assert stills.far_off(found, bytes.fromhex(color)) <= 8, (picture.name, color, found.hex())


def test_the_same_encode_makes_the_same_bytes_and_no_remarks(tmp_path: Path) -> None:
    file = numbered("24", seconds=4)
    both = [encode(fetched(file), file, tmp_path / name) for name in ("one", "two")]
    for kind in ("thumbnail", "tile"):
        one, two = ([file.read_bytes() for file in stills.files(made, kind).values()] for made in both)
        assert one == two
        assert not any(mark in body for body in one for mark in (b"Lavc", b"Exif", b"ICC_PROFILE", b"tEXt", b"tIME"))
    assert stills.sheet(both[0])[0].read_bytes() == stills.sheet(both[1])[0].read_bytes()


@pytest.mark.usefixtures("uncaged")
def test_a_part_with_a_missing_still_is_no_success(tmp_path: Path) -> None:
    """As when a picture could not be written: the part fails, instead of a sheet with a hole at the end."""
    script = tmp_path / "ffmpeg"
    script.write_text(
        f'#!/bin/sh\n{ffmpeg_path()} "$@" || exit\nfor last; do :; done\nrm "${{last%tile_*}}tile_2.png"\n'
    )
    script.chmod(0o755)
    file = numbered("24", seconds=4, sound_seconds=0)
    with pytest.raises(PermanentError, match="tile 2 was not made") as caught:
        encode(fetched(file), file, tmp_path / "space", tools=Tools(str(script)))
    assert caught.value.code == "encode_failed"
