"""Clips for tests, made by ffmpeg out of nothing, each once for a run of the tests.

Every clip can say where it is: the top eighth of each picture carries the number of the source's frame as black and white
cells, and every two seconds a box in the middle flashes while the sound beeps. ``tests/support/frames.py`` reads both back,
also after scaling and encoding.
"""

import atexit
import shutil
import subprocess
import tempfile
from fractions import Fraction
from functools import cache
from pathlib import Path

from shared.media.tools import ffmpeg_path, ffprobe_path

CELLS = 16
"""Cells of the number: 12 bits of it as a Gray code, lowest first, then the opposites of the four lowest.

Only one cell changes from one frame to the next, so the number can be read after deinterlacing as well.
"""

PULSE_EVERY, PULSE_LASTS = 2, 0.1
"""Seconds between two flashes and beeps, the first at zero, and how long each lasts."""

X264 = ("-c:v", "libx264", "-preset", "ultrafast", "-crf", "20")
_BIT = "mod(floor(N/pow(2,mod(X,12)))+floor(N/pow(2,mod(X,12)+1)),2)"
_NUMBER = f"255*if(lt(X,12),{_BIT},1-{_BIT})"


def numbered(
    rate: str = "24",
    *,
    seconds: float = 14,
    sound_seconds: float | None = None,
    sound_start: float = 0,
    size: str = "256x144",
    picture: str = "null",
    encoder: tuple[str, ...] = (*X264, "-g", "48"),
    sound: str = "mono",
    output: tuple[str, ...] = (),
    suffix: str = "mp4",
) -> Path:
    """A clip with numbered frames, flashes and beeps.

    Args:
        rate: frames per second, such as ``30000/1001``.
        sound_seconds: when the sound ends, by default with the picture; 0 for none.
        sound_start: when the sound begins; its beeps stay where they are.
        picture: filters after the numbering.
        sound: channel layout.
        output: further options of the output.
        suffix: of the file; it chooses the container.
    """
    width, height = (int(side) for side in size.split("x"))
    end = seconds if sound_seconds is None else sound_seconds
    place = "drawbox=x=iw/4:y=ih/4:w=iw/2:h=ih/2:t=fill"
    box = f"{place}:color=black,{place}:color=white:enable='{_pulse('t')}'"
    strip = f"color=black:s={CELLS}x1:r={rate}:d={seconds},format=gray,geq=lum='{_NUMBER}'"
    graph = (
        f"testsrc2=s={size}:r={rate}:d={seconds},{box}[chart];"
        f"{strip},scale={width}:{max(2, height // 16 * 2)}:flags=neighbor,format=yuv420p[strip];"
        f"[chart][strip]overlay=0:0,format=yuv420p,{picture}[v]"
    )
    maps = ["-map", "[v]"]
    if end:
        beep = f"0.5*sin(2*PI*1000*t)*{_pulse(f'(t+{sound_start})')}"
        tones = "|".join([beep] * {"mono": 1, "stereo": 2, "5.1": 6}[sound])
        graph += f";aevalsrc=exprs='{tones}':c={sound}:s=48000:d={end - sound_start},asetpts=PTS+{sound_start}/TB[a]"
        maps += ["-map", "[a]", "-c:a", "aac", "-b:a", "96k"]
    name = f"numbered-{Fraction(rate).limit_denominator(1001)}".replace("/", "-")
    return made(f"{name}.{suffix}", "-filter_complex", graph, *maps, "-fps_mode", "passthrough", *encoder, *output)


def variable_rate() -> Path:
    """Frames of a 60 Hz clock with growing and shrinking gaps, from 60 down to about 9 a second, as screen recorders make."""
    keep = f"select='lt(mod(n*n,97),30)+not(mod(n,7))+not(mod(n,{60 * PULSE_EVERY}))'"
    return numbered("60", picture=keep)


def on_the_edge() -> Path:
    """Every frame lies halfway between two frames of the output's clock, give or take the rounding to milliseconds."""
    edge = "settb=1/1000000,setpts='if(N,(N-0.5)*1001/24000/TB,0)'"
    return numbered(
        "24000/1001", picture=edge, encoder=(*X264, "-g", "48", "-enc_time_base", "1/1000000"), suffix="mkv"
    )


def b_pyramid() -> Path:
    """Deep reordering: eight B-frames, a pyramid of them, and several references."""
    return numbered("25", encoder=x264("bframes=8:b-pyramid=normal:ref=4:keyint=75:b-adapt=0"))


def open_gop() -> Path:
    """Key frames that are followed by frames shown before them, which need the GOP before."""
    return numbered("25", encoder=x264("open-gop=1:keyint=40:min-keyint=40:bframes=3:b-adapt=0:scenecut=0"))


def long_gop() -> Path:
    """One key frame in twenty seconds."""
    return numbered("24", seconds=25, encoder=(*X264, "-x264-params", "keyint=480:scenecut=0"))


def matroska() -> Path:
    """Time stamps in whole milliseconds, at a rate whose frames do not fall on them."""
    return numbered("24000/1001", suffix="mkv")


def begins_late() -> Path:
    """Both tracks begin at ten seconds on the container's clock."""
    return numbered("30", suffix="mkv", output=("-output_ts_offset", "10"))


def transport_stream() -> Path:
    """MPEG-TS, which begins somewhere, has no index, and counts in 90 kHz."""
    return numbered("30000/1001", suffix="ts")


def begins_inside_a_gop() -> Path:
    """Cut without encoding: an edit list hides the frames between the key frame, at a negative time, and the cut."""
    whole = numbered("25", encoder=x264("keyint=75:bframes=3"))
    return made("begins-inside-a-gop.mp4", "-ss", "1.28", "-i", str(whole), "-c", "copy")


def sound_longer() -> Path:
    """The sound goes on for seven seconds after the last picture."""
    return numbered("24", seconds=8, sound_seconds=15)


def sound_late() -> Path:
    """The sound begins a second and a half after the picture."""
    return numbered("24", sound_start=1.5)


def sound_early() -> Path:
    """The sound begins a second and a quarter before the picture."""
    whole = numbered("24")
    options = ("-itsoffset", "1.25", "-i", str(whole), "-i", str(whole))
    return made("sound-early.mp4", *options, "-map", "0:v", "-map", "1:a", "-c", "copy")


def sound_short() -> Path:
    """The sound ends five seconds before the picture."""
    return numbered("24", sound_seconds=9)


def silent() -> Path:
    """No sound track."""
    return numbered("24", sound_seconds=0)


def interlaced(*, top_first: bool = True, rate: str = "50", seconds: float = 14) -> Path:
    """Interlaced; every field has a number of its own, and they go up.

    Args:
        rate: fields per second.
    """
    mode = "interleave_top" if top_first else "interleave_bottom"
    flags = ("-flags", "+ildct+ilme", "-x264-params", f"{'tff' if top_first else 'bff'}=1:keyint=50")
    return numbered(
        rate,
        seconds=seconds,
        picture=f"tinterlace={mode},fieldorder={'tff' if top_first else 'bff'}",
        encoder=(*X264, *flags),
    )


def turned(rotation: int, *, mirrored: bool = False) -> Path:
    """A clip that has to be turned (degrees, counter-clockwise) and perhaps flipped for display."""
    flip = ("-display_hflip",) if mirrored else ()
    return made(
        "turned.mp4", "-display_rotation", str(rotation), *flip, "-i", str(numbered("24", seconds=2)), "-c", "copy"
    )


def damaged(first: int, end: int) -> Path:
    """Frames from ``first`` up to ``end`` are zeros, and those that refer to them cannot be decoded rightly."""
    whole = numbered("24")
    broken = Path(tempfile.mkdtemp(dir=_folder())) / "damaged.mp4"
    data = bytearray(whole.read_bytes())
    argv = [
        ffprobe_path(),
        "-v",
        "error",
        "-select_streams",
        "v:0",
        "-show_entries",
        "packet=pos,size",
        "-of",
        "csv=p=0",
    ]
    rows = subprocess.run([*argv, str(whole)], capture_output=True, text=True, check=True).stdout.split()
    for row in rows[first:end]:
        size, place = (int(value) for value in row.split(",")[:2])
        data[place + 5 : place + size] = bytes(size - 5)
    broken.write_bytes(data)
    return broken


def x264(parameters: str) -> tuple[str, ...]:
    """Options of an encoder that uses all kinds of frames."""
    return ("-c:v", "libx264", "-preset", "veryfast", "-crf", "20", "-x264-params", parameters)


def made(name: str, *arguments: str) -> Path:
    """A file that ffmpeg makes with these arguments, the same file for the same arguments."""
    return _made(name, arguments)


def written(name: str, content: bytes | str) -> Path:
    """A file of this content, to make clips of."""
    path = Path(tempfile.mkdtemp(dir=_folder())) / name
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    return path


@cache
def _made(name: str, arguments: tuple[str, ...]) -> Path:
    folder = Path(tempfile.mkdtemp(dir=_folder()))
    path = folder / name
    argv = [ffmpeg_path(), "-hide_banner", "-nostdin", "-v", "error", "-y", *arguments, str(path)]
    done = subprocess.run(argv, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise RuntimeError(f"ffmpeg could not make {name}:\n{done.stderr[-2000:]}")
    return path


@cache
def _folder() -> Path:
    folder = Path(tempfile.mkdtemp(prefix="millrace-clips-"))
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    return folder


def _pulse(t: str) -> str:
    # Half a sample of slack, so that rounding of t does not move a pulse by a frame.
    return f"lt(mod({t}+0.00001,{PULSE_EVERY}),{PULSE_LASTS})"
