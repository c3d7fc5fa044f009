"""Rules about the pictures for the seek bar: the sheet, its cues, and what the DASH manifest says of it."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction
from math import ceil
from urllib.parse import urljoin

from checker.beside import sheet_address, sprite_cues_address
from checker.finding import Finding, Rule, told
from checker.manifest import Representation, whole
from checker.presentation import Presentation

_SCHEME = "http://dashif.org/guidelines/thumbnail_tile"
_GRID = re.compile(r"([1-9][0-9]{0,4})x([1-9][0-9]{0,4})")
_PLACE = re.compile(r"(.+)#xywh=([0-9]{1,6}),([0-9]{1,6}),([0-9]{1,6}),([0-9]{1,6})")


@dataclass(frozen=True)
class _Grid:
    """The sheet after the manifest: columns and rows of tiles, and seconds for which each of them stands."""

    columns: int
    rows: int
    seconds: Fraction


def sheet(presentation: Presentation) -> Iterator[Finding]:
    """The manifest tells the size of the sheet, its rate, and a grid that is as large as the presentation needs."""
    for one, representation in presentation.manifest.of("image") if presentation.manifest else ():
        if representation.attributes.get("mimeType") != "image/jpeg":
            yield Finding(representation.where, "mimeType", representation.attributes.get("mimeType", ""), "image/jpeg")
        template, grid = representation.template, _grid(representation)
        if template is None or grid is None:
            yield Finding(one.where, "sheet", "unclear", "a template with a duration, and a grid of tiles")
            continue
        # The numbers of tiles count from its first one (DASH-IF IOP 4.3, 6.2.6).
        if template.attributes.get("startNumber", "1") != "1":
            yield Finding(representation.where, "startNumber", template.attributes["startNumber"], "1")
        yield from _size(presentation, representation, grid)
        needed = ceil(presentation.lead.seconds / grid.seconds) if presentation.lead else 0
        if needed and (ceil(Fraction(needed, grid.columns)) != grid.rows or grid.columns > needed):
            yield Finding(representation.where, "grid", f"{grid.columns}x{grid.rows}", f"one for {needed} tiles")


def _size(presentation: Presentation, representation: Representation, grid: _Grid) -> Iterator[Finding]:
    expected: dict[str, str] = {}
    if presentation.sprite.sheet:
        width, height = presentation.sprite.sheet
        expected = {"width": str(width), "height": str(height)}
        if width % grid.columns or height % grid.rows:
            yield Finding(
                representation.where, "grid", f"{grid.columns}x{grid.rows}", f"one that divides {width}x{height}"
            )
    for name, value in expected.items():
        if representation.attributes.get(name) != value:
            yield Finding(representation.where, name, representation.attributes.get(name, "missing"), value)
    size = presentation.sizes.get(representation.address("media") or "")
    if size is not None:
        rate = Fraction(8 * size) / (grid.seconds * grid.columns * grid.rows)
        declared = whole(representation.attributes.get("bandwidth"))
        if declared is None or abs(declared - rate) > 1:
            yield Finding(representation.where, "bandwidth", representation.attributes.get("bandwidth", ""), told(rate))


def _grid(representation: Representation) -> _Grid | None:
    values = [one.value for one in representation.properties if one.scheme == _SCHEME]
    found = _GRID.fullmatch(values[0]) if len(values) == 1 else None
    template = representation.template
    duration = whole(template.attributes.get("duration")) if template else None
    if not found or not template or not duration:
        return None
    columns, rows = int(found[1]), int(found[2])
    return _Grid(columns, rows, Fraction(duration, template.timescale * columns * rows))


def cues(presentation: Presentation) -> Iterator[Finding]:
    """The cues cover the presentation without a gap, each for as long as the manifest says, and name the tiles in order."""
    found, manifest = presentation.sprite.cues, presentation.manifest
    if found is None or presentation.lead is None or manifest is None:
        return
    where = presentation.name(sprite_cues_address(presentation.multivariant.url))
    grid = next((_grid(one) for _, one in manifest.of("image")), None)
    if not found.signed or not found.cues or grid is None:
        yield Finding(where, "cues", "there" if found.cues else "missing", "WEBVTT for the sheet of the manifest")
        return
    end = ceil(presentation.lead.seconds * 1000)
    starts = [ceil(number * grid.seconds * 1000) for number in range(ceil(presentation.lead.seconds / grid.seconds))]
    expected = list(zip(starts, [*starts[1:], end], strict=True))
    measured = [(cue.start, cue.end) for cue in found.cues]
    if measured != expected:
        at = next(
            (number for number, pair in enumerate(zip(measured, expected, strict=False)) if pair[0] != pair[1]), -1
        )
        told_of, wanted = (f"{one[at][0]}-{one[at][1]} ms of {len(one)}" for one in (measured, expected))
        yield Finding(where, f"cue {at}", told_of, wanted)
    yield from _places(presentation, where, grid)


def _places(presentation: Presentation, where: str, grid: _Grid) -> Iterator[Finding]:
    manifest, size, found = presentation.manifest, presentation.sprite.sheet, presentation.sprite.cues
    if manifest is None or size is None or found is None:
        return
    address, base = sheet_address(manifest), sprite_cues_address(presentation.multivariant.url)
    width, height = size[0] // grid.columns, size[1] // grid.rows
    for number, cue in enumerate(found.cues):
        place = _PLACE.fullmatch(cue.text)
        row, column = divmod(number, grid.columns)
        expected = (column * width, row * height, width, height)
        if not place or urljoin(base, place[1]) != address or tuple(map(int, place.groups()[1:])) != expected:
            name = presentation.name(address or "")
            yield Finding(where, f"cue {number}", cue.text, f"{name}#xywh={','.join(map(str, expected))}")


RULES = (
    Rule("dash-tiles", "must", "The manifest tells size, rate and grid of the sheet for the seek bar", sheet),
    Rule("millrace-sprite", "must", "The cues for the seek bar cover the presentation, tile by tile", cues),
)
