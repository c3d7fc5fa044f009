"""Reading NAL units bit by bit (ITU-T H.264, 7.2, 7.4.1 and 9.1; H.265 has the same). Pure.

Between a NAL unit and what it says lie the emulation prevention bytes: no three bytes of a unit may look like a start code, so
behind two zeros a 3 is put in that belongs to nothing. Readers see the unit without them, and :meth:`Bits.bytes_read` counts
the bytes of the unit with them.
"""

from shared.mp4.bmff import MalformedMedia

_PREVENTION = b"\0\0\3"
# Exp-Golomb numbers have 32 bits at the most (9.1).
_MOST_ZEROS = 32


class BitsExhausted(MalformedMedia):
    """There are fewer bits than the syntax asks for."""


class Bits:
    """The bits of a NAL unit, or of its beginning, from its first byte behind the header on.

    As text: Python finds, cuts and converts text faster than it shifts numbers, and millions of heads are read for a film.

    Args:
        payload: with its emulation prevention bytes.
    """

    __slots__ = ("_prevention", "_text", "position")

    def __init__(self, payload: bytes) -> None:
        self.position = 0
        self._prevention = _prevention_bytes(payload)
        for place in reversed(self._prevention):
            payload = payload[:place] + payload[place + 1 :]
        self._text = f"{int.from_bytes(payload):0{8 * len(payload)}b}" if payload else ""

    def flag(self) -> bool:
        """One bit."""
        if self.position >= len(self._text):
            raise BitsExhausted("NAL unit ends early")
        self.position += 1
        return self._text[self.position - 1] == "1"

    def unsigned(self, count: int) -> int:
        """A number of so many bits, at least one."""
        end = self.position + count
        if end > len(self._text):
            raise BitsExhausted("NAL unit ends early")
        number = int(self._text[self.position : end], 2)
        self.position = end
        return number

    def golomb(self) -> int:
        """An unsigned Exp-Golomb number, ``ue(v)``."""
        one = self._text.find("1", self.position)
        zeros = one - self.position
        end = one + zeros + 1
        if one < 0 or end > len(self._text):
            raise BitsExhausted("NAL unit ends early")
        if zeros > _MOST_ZEROS:
            raise MalformedMedia(f"Exp-Golomb number of {zeros} zeros")
        number = int(self._text[one:end], 2) - 1
        self.position = end
        return number

    def signed_golomb(self) -> int:
        """A signed Exp-Golomb number, ``se(v)``."""
        number = self.golomb()
        return (number + 1) // 2 if number % 2 else -(number // 2)

    @property
    def bytes_read(self) -> int:
        """Bytes of the payload up to the one that the last bit was read from, that one and emulation prevention included."""
        count = -(-self.position // 8)
        for place in self._prevention:
            if place >= count:
                break
            count += 1
        return count


def _prevention_bytes(payload: bytes) -> list[int]:
    """Places of the emulation prevention bytes."""
    places = []
    place = payload.find(_PREVENTION)
    while place >= 0:
        places.append(place + 2)
        place = payload.find(_PREVENTION, place + 3)
    return places
