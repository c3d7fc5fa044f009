"""Parameter sets and slices of H.264, written field by field as the standard lists them (7.3.2 and 7.3.3)."""

import re
import struct


class Writer:
    """Writes bits."""

    def __init__(self) -> None:
        self.text = ""

    def bits(self, number: int, count: int) -> "Writer":
        self.text += f"{number:0{count}b}" if count else ""
        return self

    def ue(self, *numbers: int) -> "Writer":
        for number in numbers:
            code = f"{number + 1:b}"
            self.text += "0" * (len(code) - 1) + code
        return self

    def se(self, *numbers: int) -> "Writer":
        return self.ue(*(2 * number - 1 if number > 0 else -2 * number for number in numbers))

    def bytes(self, fill: str = "1") -> bytes:
        """All of it, the last byte filled up."""
        text = self.text + fill * (-len(self.text) % 8)
        return bytes(int(text[place : place + 8], 2) for place in range(0, len(text), 8))


def escaped(payload: bytes) -> bytes:
    """With emulation prevention bytes."""
    return re.sub(rb"\0\0(?=[\0-\3])", b"\0\0\3", payload)


def unit(kind: int, payload: bytes, *, importance: int = 3) -> bytes:
    """A NAL unit."""
    return bytes((importance << 5 | kind,)) + escaped(payload)


def in_sample(*units: bytes) -> bytes:
    """A sample of NAL units."""
    return b"".join(struct.pack(">I", len(each)) + each for each in units)


def sequence_set(
    *,
    profile: int = 100,
    number: int = 0,
    chroma: int = 1,
    separate: bool = False,
    frame_num_bits: int = 4,
    order: int = 0,
    lsb_bits: int = 4,
    always_zero: bool = False,
    frames_only: bool = True,
    scaling: bool = False,
) -> bytes:
    """A sequence parameter set."""
    out = Writer().bits(profile, 8).bits(0, 8).bits(30, 8).ue(number)
    if profile not in (66, 77, 88):
        out.ue(chroma)
        if chroma == 3:
            out.bits(separate, 1)
        out.ue(0, 0).bits(0, 1).bits(scaling, 1)
        for index in range((12 if chroma == 3 else 8) if scaling else 0):
            # None, one that ends at once, one that is written whole.
            out.bits(index % 3 > 0, 1)
            if index % 3 == 1:
                out.se(-8)
            if index % 3 == 2:
                out.se(*([1, -1] * (8 if index < 6 else 32)))
    out.ue(frame_num_bits - 4, order)
    if order == 0:
        out.ue(lsb_bits - 4)
    if order == 1:
        out.bits(always_zero, 1).se(-3, 2).ue(2).se(1, -1)
    out.ue(4).bits(0, 1).ue(20, 11).bits(frames_only, 1)
    return unit(7, out.bytes())


def picture_set(
    *,
    number: int = 0,
    sequence: int = 0,
    cabac: bool = True,
    bottom: bool = False,
    groups: int = 0,
    references: tuple[int, int] = (1, 1),
    weighted: tuple[bool, int] = (False, 0),
    deblocking: bool = True,
    redundant: bool = False,
) -> bytes:
    """A picture parameter set."""
    out = Writer().ue(number, sequence).bits(cabac, 1).bits(bottom, 1).ue(groups)
    out.ue(references[0] - 1, references[1] - 1).bits(weighted[0], 1).bits(weighted[1], 2).se(0, 0, -2)
    out.bits(deblocking, 1).bits(0, 1).bits(redundant, 1)
    return unit(8, out.bytes())
