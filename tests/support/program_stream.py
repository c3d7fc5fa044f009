"""MPEG program streams as recorders write them, and cut as people do."""

from pathlib import Path

from tests.support.clips import written

PACK = 2048
_VIDEO, _PICTURE, _INTRA = b"\0\0\1\xe0", b"\0\0\1\0", 1


def cut(file: Path, begin: float, end: float) -> Path:
    """What lies between two shares of a file, in whole packs."""
    data = file.read_bytes()
    packs = len(data) // PACK
    return written(file.name, data[round(begin * packs) * PACK : round(end * packs) * PACK])


def times_of_intra_pictures_only(file: Path) -> Path:
    """The same without the time stamps of all other pictures."""
    data = bytearray(file.read_bytes())
    place = data.find(_VIDEO)
    while place >= 0:
        payload = place + 9 + data[place + 8]
        end = place + 6 + int.from_bytes(data[place + 4 : place + 6], "big")
        picture = data.find(_PICTURE, payload, end)
        if data[place + 7] & 0xC0 and (picture < 0 or data[picture + 5] >> 3 & 7 != _INTRA):
            data[place + 7] &= 0x3F
            data[place + 9 : payload] = b"\xff" * (payload - place - 9)
        place = data.find(_VIDEO, place + 4)
    return written(file.name, bytes(data))
