"""Stills as further outputs of the encode of a video part: the same decode, the same frames."""

from pathlib import Path

from services.transcoder.packaging import WrongResult
from shared.media.plan import Plan, VideoPart
from shared.media.stills import STILL_KINDS, Still, StillKind, still_path

# What reads a JPEG takes it for BT.601 over the full range (JFIF), whatever the video was. A tile is RGB in a PNG.
_COLORS: dict[StillKind, tuple[str, str]] = {
    "thumbnail": (":out_color_matrix=bt601:out_range=full", "yuv420p:color_ranges=pc"),
    "tile": ("", "rgb24"),
}
_ENCODERS: dict[StillKind, list[str]] = {
    # Where nothing could be decoded, ffmpeg opens the encoder all the same, knowing nothing of the range, and must not fail
    # for that: it is for the video to say what is wrong.
    "thumbnail": ["-c:v", "mjpeg", "-q:v", "3", "-strict:v", "unofficial"],
    "tile": ["-c:v", "png"],
}


def branches(plan: Plan, part: VideoPart) -> dict[str, str]:
    """By label, the filters from the normalised frames of a part to its stills; a part without any has no branch.

    Frames are chosen before they are scaled, so that all others cost nothing.
    """
    found: dict[str, str] = {}
    for kind, numbers in _numbers(plan, part).items():
        assert plan.stills  # noqa: S101 - there are numbers
        chosen = plan.stills.of(kind)
        places = "+".join(f"eq(n,{chosen.frames[number - 1] - part.first_frame})" for number in numbers)
        color, pixels = _COLORS[kind]
        found[kind] = (
            f"select='{places}',scale={chosen.width}:{chosen.height}:flags=bicubic+accurate_rnd+full_chroma_int"
            f":in_color_matrix=bt709:in_range=limited{color},format={pixels},setsar=1,"
            # Both formats would write down what a source says of its own pictures: ICC profile, EXIF, light levels.
            "sidedata=mode=delete"
        )
    return found


def outputs(plan: Plan, part: VideoPart, folder: Path) -> list[str]:
    """Options of the outputs for all branches: a file for each still, the same bytes on every machine."""
    argv = []
    for kind, numbers in _numbers(plan, part).items():
        # In the name of a sequence of pictures % begins a number.
        pattern = str(folder).replace("%", "%%") + "/" + still_path(kind, "%d")
        argv += [
            "-map", f"[{kind}]", *_ENCODERS[kind], "-fps_mode", "passthrough", "-threads:v", "1",
            "-map_metadata", "-1", "-fflags", "+bitexact", "-flags", "+bitexact",
            "-start_number", str(numbers[0]), "-f", "image2", pattern,
        ]  # fmt: skip
    return argv


def prepare(plan: Plan, part: VideoPart, folder: Path) -> None:
    """Make the folders below ``folder`` that the outputs go to."""
    for kind in _numbers(plan, part):
        (folder / still_path(kind, 1)).parent.mkdir(exist_ok=True)


def collect(plan: Plan, part: VideoPart, folder: Path) -> tuple[Still, ...]:
    """The stills of a part that has been encoded.

    Raises:
        WrongResult: one is missing or empty.
    """
    found = []
    for kind, numbers in _numbers(plan, part).items():
        for number in numbers:
            file = folder / still_path(kind, number)
            size = file.stat().st_size if file.exists() else 0
            if not size:
                raise WrongResult(f"{kind} {number} was not made")
            found.append(Still(kind=kind, number=number, size=size))
    return tuple(found)


def _numbers(plan: Plan, part: VideoPart) -> dict[StillKind, range]:
    """Numbers of a part's stills by kind, of those kinds that it has any of."""
    if plan.stills is None:
        return {}
    found = {kind: plan.stills.of(kind).within(part.first_frame, part.frames) for kind in STILL_KINDS}
    return {kind: numbers for kind, numbers in found.items() if numbers}
