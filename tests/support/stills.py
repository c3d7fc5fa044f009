"""The stills of an encoded plan, as the uploader would find them."""

from pathlib import Path

from PIL import Image

from services.uploader.manifest.sprite import sprite
from shared.media.layout import CUES, SHEET
from shared.media.stills import StillKind, Stills
from tests.support.parts import ORG, Encoded


def planned(made: Encoded) -> Stills:
    """What was planned."""
    assert made.plan.stills
    return made.plan.stills


def files(made: Encoded, kind: StillKind) -> dict[int, Path]:
    """The stills of a kind by number, out of all parts."""
    found = {
        still.number: made.space.part(ORG, made.job, name) / still.path
        for name, result in made.results.items()
        for still in result.stills
        if still.kind == kind
    }
    return dict(sorted(found.items()))


def color(picture: Path, across: float, down: float) -> bytes:
    """Red, green and blue at a place, given in shares of width and height."""
    image = Image.open(picture).convert("RGB")
    left, top = int(across * image.width), int(down * image.height)
    return image.crop((left, top, left + 1, top + 1)).tobytes()


def far_off(first: bytes, second: bytes) -> int:
    """By how much the channels of two colours differ at most."""
    return max(abs(one - other) for one, other in zip(first, second, strict=True))


def sheet(made: Encoded) -> tuple[Path, str]:
    """The sheet in a file, and the cues."""
    tiles = {number: file.read_bytes() for number, file in files(made, "tile").items()}
    bodies = sprite(planned(made), made.plan.frames, made.plan.frame_rate, tiles)
    path = made.space.root / f"{made.job}-sheet.jpg"
    path.write_bytes(bodies[SHEET])
    return path, bodies[CUES].decode()
