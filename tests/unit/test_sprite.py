"""The sheet for the seek bar and its cues: texts and pictures of a few colours."""

import re
from fractions import Fraction
from io import BytesIO
from textwrap import dedent

import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from services.fetcher.plan.stills import plan_stills
from services.uploader.manifest.assembly import Mismatch, assemble
from services.uploader.manifest.outputs import outputs_of
from services.uploader.manifest.sprite import cues, sprite
from shared.locations import parse_s3
from shared.media.layout import CUES, SHEET
from shared.media.stills import Still, Stills
from tests.support.encoded import make_plan, make_result, make_stills, still_body, tile_color
from tests.unit.test_stills import video

CUE = re.compile(r"(\d+):(\d\d):(\d\d)\.(\d{3}) --> (\d+):(\d\d):(\d\d)\.(\d{3})\nsprite_image\.jpg#xywh=(.*)")
PLAN = make_plan(frames=580, stills=True)


def stills_of_plan() -> Stills:
    assert PLAN.stills
    return PLAN.stills


def tiles() -> dict[int, bytes]:
    return {number: still_body("tile", number) for number in stills_of_plan().tiles.numbers}


def all_stills() -> list[Still]:
    return [still for part in PLAN.release_order for still in make_stills(PLAN, part)]


def test_cues() -> None:
    plan = plan_stills(video(), 107, Fraction(24000, 1001))
    assert cues(plan, 107, Fraction(24000, 1001)) == dedent("""\
        WEBVTT

        00:00:00.000 --> 00:00:02.002
        sprite_image.jpg#xywh=0,0,160,90

        00:00:02.002 --> 00:00:04.004
        sprite_image.jpg#xywh=160,0,160,90

        00:00:04.004 --> 00:00:04.463
        sprite_image.jpg#xywh=320,0,160,90
        """)


@given(st.integers(1, 9_000_000), st.sampled_from([Fraction(1), Fraction(24000, 1001), Fraction(25), Fraction(60)]))
def test_cues_cover_the_whole_length_without_a_gap(frames: int, rate: Fraction) -> None:
    plan = plan_stills(video(1080, 1920), frames, rate)
    found = [[int(number) for number in match.groups()[:8]] for match in CUE.finditer(cues(plan, frames, rate))]
    times = [(_milliseconds(*cue[:4]), _milliseconds(*cue[4:])) for cue in found]
    assert len(times) == len(plan.tiles.frames)
    assert all(start < end for start, end in times)
    assert [start for start, _ in times] == [0, *(end for _, end in times[:-1])]
    assert 0 <= times[-1][1] - frames / rate * 1000 < 1
    # Each names the tile whose frame is shown in its time.
    assert all(a - 1 < frame / rate * 1000 < b + 1 for (a, b), frame in zip(times, plan.tiles.frames, strict=True))


def _milliseconds(hours: int, minutes: int, seconds: int, thousandths: int) -> int:
    return ((hours * 60 + minutes) * 60 + seconds) * 1000 + thousandths


def test_each_tile_is_where_its_cue_says() -> None:
    made = sprite(stills_of_plan(), PLAN.frames, PLAN.frame_rate, tiles())
    assert made == sprite(stills_of_plan(), PLAN.frames, PLAN.frame_rate, dict(reversed(tiles().items())))
    sheet = Image.open(BytesIO(made[SHEET]))
    assert (sheet.format, sheet.size) == ("JPEG", (320, 36))
    pieces = [tuple(map(int, match[9].split(","))) for match in CUE.finditer(made[CUES].decode())]
    assert len(set(pieces)) == 12
    for number, (left, top, width, height) in enumerate(pieces, start=1):
        # JPEG mixes the colours of neighbours where a block of 16 pixels belongs to both.
        middle = sheet.crop((left + width // 2, top + height // 2, left + width // 2 + 1, top + height // 2 + 1))
        wrong = [abs(ours - its) for ours, its in zip(middle.tobytes(), tile_color(number), strict=True)]
        assert max(wrong) <= 8, number


@pytest.mark.parametrize(
    ("change", "complaint"),
    [
        ({3: None, 12: None}, r"2 of 12 tiles are missing: \[3, 12\]"),
        ({2: still_body("tile", 2)[:40]}, "tile 2 is no picture"),
        ({2: b"GIF89a"}, "tile 2 is no picture"),
        ({1: b""}, "tile 1 is no picture"),
    ],
)
def test_a_sheet_with_a_gap_is_never_made(change: dict[int, bytes | None], complaint: str) -> None:
    found = {number: body for number, body in (tiles() | change).items() if body is not None}
    with pytest.raises(Mismatch, match=complaint):
        sprite(stills_of_plan(), PLAN.frames, PLAN.frame_rate, found)


def test_a_tile_of_another_size_is_none() -> None:
    other = BytesIO()
    Image.new("RGB", (18, 32)).save(other, "PNG")
    with pytest.raises(Mismatch, match="tile 4 has 18×32 pixels"):
        sprite(stills_of_plan(), PLAN.frames, PLAN.frame_rate, tiles() | {4: other.getvalue()})


def test_the_parts_have_to_have_made_what_was_planned() -> None:
    results = {part: make_result(PLAN, part) for part in PLAN.release_order}
    whole = assemble(PLAN, results, all_stills()[::-1])
    assert [still.number for still in whole.thumbnails] == [1, 2, 3]
    for gone in (0, -1):
        short = all_stills()
        del short[gone]
        with pytest.raises(Mismatch, match=r"(thumbnail|tile)s \[.*\] instead of"):
            assemble(PLAN, results, short)
    with pytest.raises(Mismatch, match="thumbnails"):
        assemble(PLAN, results, [*all_stills(), Still(kind="thumbnail", number=3, size=1)])
    with pytest.raises(Mismatch, match="instead of 0"):
        assemble(make_plan(frames=580), results, all_stills())


def test_outputs_name_thumbnails_in_order_and_the_sprite() -> None:
    stream = assemble(PLAN, {part: make_result(PLAN, part) for part in PLAN.release_order}, all_stills())
    outputs = outputs_of(stream, parse_s3("s3://films/one/", is_prefix=True), 1)
    assert outputs.thumbnails == tuple(f"s3://films/one/thumbnails/thumbnail_{number}.jpg" for number in (1, 2, 3))
    assert outputs.sprite
    assert outputs.sprite.model_dump() == {
        "image": "s3://films/one/sprite/sprite_image.jpg",
        "vtt": "s3://films/one/sprite/sprite.vtt",
    }
