"""Transport streams of several programs, made for tests."""

from collections.abc import Collection
from pathlib import Path

from tests.support.clips import made, written

PACKET, START = 188, b"\0\0\1"


def several_programs(*sizes: str, shared_sound: bool = False) -> Path:
    """Two seconds of a program for each size, each with sound of its own pitch.

    Args:
        shared_sound: the sound of the first program is in all of them.
    """
    inputs: list[str] = []
    maps: list[str] = []
    programs: list[str] = []
    for number, size in enumerate(sizes):
        inputs += ["-f", "lavfi", "-i", f"testsrc2=size={size}:rate=25:duration=2"]
        inputs += ["-f", "lavfi", "-i", f"sine=frequency={440 * (number + 1)}:sample_rate=48000:duration=2"]
        maps += ["-map", f"{2 * number}:v", "-map", f"{2 * number + 1}:a"]
        sound = 1 if shared_sound else 2 * number + 1
        programs += ["-program", f"title=Channel {number + 1}:program_num={number + 1}:st={2 * number}:st={sound}"]
    codecs = ("-c:v", "libx264", "-preset", "ultrafast", "-pix_fmt", "yuv420p", "-c:a", "mp2")
    return made("programs.ts", *inputs, *maps, *codecs, *programs)


def on_another_clock(file: Path, pids: Collection[int], seconds: int) -> Path:
    """The same with the time stamps of some elementary streams moved, as those of another station are."""
    data = bytearray(file.read_bytes())
    for place in range(0, len(data), PACKET):
        pid = (data[place + 1] & 0x1F) << 8 | data[place + 2]
        if pid in pids:
            _move(data, place, seconds * 90_000)
    return written(file.name, bytes(data))


def _move(data: bytearray, place: int, ticks: int) -> None:
    payload = place + 4
    if data[place + 3] & 0x20:
        length, flags = data[payload], data[payload + 1] if data[payload] else 0
        if flags & 0x10:
            clock = int.from_bytes(data[payload + 2 : payload + 7], "big") >> 7
            rest = data[payload + 6] & 0x7F
            moved = ((clock + ticks) % 2**33) << 7 | rest
            data[payload + 2 : payload + 7] = moved.to_bytes(5, "big")
        payload += 1 + length
    if data[place + 1] & 0x40 and data[payload : payload + 3] == START:
        for number in range((data[payload + 7] >> 6).bit_count()):
            at = payload + 9 + 5 * number
            data[at : at + 5] = _stamp(data[at : at + 5], ticks)


def _stamp(stamp: bytearray, ticks: int) -> bytes:
    old = (stamp[0] >> 1 & 7) << 30 | stamp[1] << 22 | stamp[2] >> 1 << 15 | stamp[3] << 7 | stamp[4] >> 1
    new = (old + ticks) % 2**33
    high, middle, low = new >> 30, new >> 15 & 0x7FFF, new & 0x7FFF
    return bytes(
        [stamp[0] & 0xF0 | high << 1 | 1, middle >> 7, (middle << 1 | 1) & 0xFF, low >> 7, (low << 1 | 1) & 0xFF]
    )
