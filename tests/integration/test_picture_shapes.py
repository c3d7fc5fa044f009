"""Circles stay round: what a container crops to, and pixels whose shape changes in the middle."""

import struct
import subprocess
from pathlib import Path

import pytest

from shared.media.tools import ffmpeg_path
from shared.mp4.bmff import find
from shared.mp4.entry import path_to_entry
from tests.support import frames
from tests.support.clips import X264, made, written
from tests.support.parts import encode, fetched

FIELD = Path(__file__).parents[2].parent / "shared" / "media" / "field"
field_only = pytest.mark.skipif(not FIELD.exists(), reason="no files of the field")


def square(picture: Path, frame: int = 0) -> tuple[int, int]:
    """Width and height of what is bright in a picture."""
    width, height, _ = frames.geometry(picture)
    graph = f"select='eq(n,{frame})',format=gray"
    argv = [ffmpeg_path(), "-v", "error", "-i", str(picture), "-vf", graph, "-frames:v", "1", "-f", "rawvideo", "-"]
    cells = subprocess.run(argv, capture_output=True, check=True).stdout
    rows = [cells[start : start + width] for start in range(0, width * height, width)]
    bright = [row for row in rows if max(row) > 128]
    columns = [column for column in range(width) if max(row[column] for row in rows) > 128]
    return columns[-1] - columns[0] + 1, len(bright)


def framed(width: int, height: int, inner: tuple[int, int], suffix: str = "mp4") -> Path:
    """A white square of 100 pixels in black, and white around the part that is to be shown, two pixels away from it."""
    wide, high = inner[0] + 4, inner[1] + 4
    box = f"x=(iw-{wide})/2:y=(ih-{high})/2:w={wide}:h={high}:color=black:t=fill"
    center = "drawbox=x=(iw-100)/2:y=(ih-100)/2:w=100:h=100:color=white:t=fill"
    graph = f"color=white:s={width}x{height}:r=25:d=0.4,drawbox={box},{center}"
    return made(f"framed.{suffix}", "-f", "lavfi", "-i", graph, *X264, "-g", "5", "-pix_fmt", "yuv420p")


def with_clap(file: Path, width: int, height: int) -> Path:
    """The file with a clean aperture of so many pixels in the middle. Its header lies behind the media."""
    given = file.read_bytes()
    assert find(given, b"moov").start > find(given, b"mdat").start
    path, data = path_to_entry(given), bytearray(given)
    clap = struct.pack(">I4sIIIIiIiI", 40, b"clap", width, 1, height, 1, 0, 1, 0, 1)
    for box in path:
        struct.pack_into(">I", data, box.start, box.end - box.start + len(clap))
    data[path[-1].end : path[-1].end] = clap
    return written(f"clap.{file.suffix[1:]}", bytes(data))


# Stored size, of which the codec itself crops all that is no multiple of 16; and what the container shows of it.
@pytest.mark.parametrize(("stored", "shown", "rotation", "suffix"), [
    ((640, 360), (480, 360), 0, "mp4"), ((648, 364), (484, 270), 0, "mkv"), ((648, 364), (484, 270), 90, "mp4"),
    ((320, 400), (318, 180), 90, "mkv"),
])  # fmt: skip
def test_what_the_container_crops_to_is_shown(
    stored: tuple[int, int], shown: tuple[int, int], rotation: int, suffix: str, tmp_path: Path
) -> None:
    turned = ("-display_rotation", str(rotation)) if rotation else ()
    file = made(f"cropped.{suffix}", *turned, "-i", str(with_clap(framed(*stored, shown), *shown)), "-c", "copy")
    event = fetched(file, ("1080p",))
    output = encode(event, file, tmp_path).join("1080p")
    assert frames.geometry(output)[:2] == (shown[::-1] if rotation else shown)
    assert all(abs(side - 100) <= 2 for side in square(output)), square(output)


def test_every_key_frame_is_cropped_alike() -> None:
    """The size that holds longest is looked for all over a film."""
    once = with_clap(framed(648, 364, (484, 270)), 484, 270)
    file = made("cropped.mkv", "-stream_loop", "3", "-i", str(once), "-c", "copy")
    [rung] = fetched(file, ("2160p",)).plan.rungs
    assert (rung.width, rung.height) == (484, 270)


def broadcast(aspect: str, start: float) -> Path:
    """Two seconds of PAL with a square in the middle as it looks at an aspect."""
    shape = {"4:3": "w=90:h=96", "16:9": "w=90:h=128"}[aspect]
    graph = f"color=black:s=720x576:r=25:d=2,drawbox={shape}:x=(iw-w)/2:y=(ih-h)/2:color=white:t=fill"
    options = ("-c:v", "mpeg2video", "-aspect", aspect, "-b:v", "2M", "-g", "12", "-output_ts_offset", str(start))
    return made(f"at-{start}.ts", "-f", "lavfi", "-i", graph, *options)


@pytest.mark.parametrize("order", [("4:3", "16:9"), ("16:9", "4:3")])
def test_circles_stay_round_when_the_pixels_change(order: tuple[str, str], tmp_path: Path) -> None:
    pieces = [broadcast(aspect, 10 + 2 * number).read_bytes() for number, aspect in enumerate(order)]
    file = written("changes.ts", b"".join(pieces))
    event = fetched(file, ("480p",))
    assert len(event.source.video.aspects) == 1
    output = encode(event, file, tmp_path).join("480p")
    for frame in (10, 45, 52, 90):
        width, height = square(output, frame)
        assert width == pytest.approx(height, abs=4), (frame, width, height)


@field_only
def test_a_broadcast_of_the_field() -> None:
    [change] = fetched(FIELD / "m10-ts-4x3-then-16x9.ts").source.video.aspects
    assert float(change.sample_aspect) == pytest.approx(64 / 45)


@field_only
@pytest.mark.parametrize(("name", "size"), [
    ("m01-mkv-crop-sides.mkv", (480, 360)), ("m02-mov-clap-480x360.mov", (480, 360)),
    ("m02-mov-clap-1920x1080-of-1088.mov", (1920, 1080)),
])  # fmt: skip
def test_cropped_files_of_the_field(name: str, size: tuple[int, int]) -> None:
    [rung] = fetched(FIELD / name, ("2160p",)).plan.rungs
    assert (rung.width, rung.height) == size
