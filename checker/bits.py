"""Reads bits, as parameter sets and audio configurations are made of them. Pure."""


class Bits:
    """Reads bits from the first one on.

    Args:
        what: what this is, for the text of an error.
    """

    def __init__(self, data: bytes, what: str) -> None:
        self._bits = "".join(f"{byte:08b}" for byte in data)
        self._at = 0
        self._what = what

    def read(self, count: int) -> int:
        """An unsigned number of so many bits.

        Raises:
            ValueError: there are fewer.
        """
        taken = self._bits[self._at : self._at + count]
        if len(taken) < count:
            raise ValueError(f"{self._what} is cut short")
        self._at += count
        return int(taken, 2) if taken else 0

    def flag(self) -> bool:
        """One bit."""
        return bool(self.read(1))

    def unsigned(self) -> int:
        """An Exp-Golomb number (ITU-T H.264, 9.1)."""
        one = self._bits.find("1", self._at)
        if one < 0:
            raise ValueError(f"{self._what} is cut short")
        zeros = one - self._at
        self._at = one
        return self.read(zeros + 1) - 1

    def signed(self) -> int:
        """A signed Exp-Golomb number."""
        value = self.unsigned()
        return (value + 1) // 2 if value % 2 else -(value // 2)
