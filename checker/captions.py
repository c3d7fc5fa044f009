"""Closed captions in the pictures of H.264: CEA-608 and CEA-708 as ATSC A/53, part 4, puts them into SEI. Pure.

The checker's own reading, only as far as to say which channels carry text. What the transcoder declares comes out of
``shared.mp4.captions``; a test holds the two readings against each other.
"""

from collections.abc import Iterable, Iterator

from checker.sps import without_emulation

CaptionByte = tuple[int, int, int]
"""cc_type and cc_data of CEA-708, 4.3: 0 and 1 are byte pairs of CEA-608's fields, 3 and 2 begin and continue a DTVCC packet."""

_USER_DATA_REGISTERED = 4
# country code, provider code, user identifier, type code
_ATSC_CAPTIONS = b"\xb5" + b"\x00\x31" + b"GA94" + b"\x03"
_PROCESS, _VALID = 0x40, 0x04
# Miscellaneous control codes of CEA-608 that choose what the following characters are for.
_CAPTION_STYLES, _TEXT_STYLES = {0x20, 0x25, 0x26, 0x27, 0x29, 0x2F}, {0x2A, 0x2B}


def captions_of_sei(unit: bytes) -> Iterator[CaptionByte]:
    """The captions in an SEI unit (ITU-T H.264, 7.3.2.3), without padding."""
    data, position = without_emulation(unit[1:]), 0

    def coded() -> int:
        nonlocal position
        value = 0
        while data[position] == 0xFF:
            value, position = value + 0xFF, position + 1
        value, position = value + data[position], position + 1
        return value

    try:
        # The last byte is the stop bit.
        while position < len(data) - 1:
            kind, size = coded(), coded()
            if kind == _USER_DATA_REGISTERED:
                yield from _captions_of_message(data[position : position + size])
            position += size
    except IndexError:
        return


def _captions_of_message(message: bytes) -> Iterator[CaptionByte]:
    head, rest = message[: len(_ATSC_CAPTIONS)], message[len(_ATSC_CAPTIONS) :]
    if head != _ATSC_CAPTIONS or len(rest) < 2 or not rest[0] & _PROCESS:
        return
    for number in range(rest[0] & 0x1F):
        entry = rest[2 + 3 * number : 5 + 3 * number]
        if len(entry) == 3 and entry[0] & _VALID:
            kind = entry[0] & 3
            if kind >= 2 or (entry[1] | entry[2]) & 0x7F:
                yield kind, entry[1], entry[2]


def channels_of(captions: Iterable[CaptionByte]) -> tuple[str, ...]:
    """Channels that carry text, as HLS names them: ``CC1`` to ``CC4``, then ``SERVICE1`` to ``SERVICE63``.

    Args:
        captions: of a whole track, in the order in which its pictures are shown.
    """
    fields, packets = (_Field(0), _Field(1)), _Packets()
    for kind, first, second in captions:
        if kind < 2:
            fields[kind].pair(first & 0x7F, second & 0x7F)
        else:
            packets.pair(first, second, begins=kind == 3)
    lines = sorted(number for field in fields for number in field.found)
    return (*(f"CC{number}" for number in lines), *(f"SERVICE{number}" for number in sorted(packets.found)))


class _Field:
    """A field of CEA-608, which two caption channels and two text channels share."""

    def __init__(self, number: int) -> None:
        self.found: set[int] = set()
        self._first_channel = 1 + 2 * number
        # The channel that the last control code was for; None while it is data about the programme, or nobody's.
        self._channel: int | None = None
        self._for_text: set[int] = set()

    def pair(self, first: int, second: int) -> None:
        if first >= 0x20:
            self._text()
        elif first >= 0x10:
            self._control(first, second)
        elif first:
            self._channel = None

    def _control(self, first: int, second: int) -> None:
        channel = self._first_channel + (1 if first & 0x08 else 0)
        self._channel = channel
        match first & 0x17:
            case 0x14 | 0x15:
                if second in _CAPTION_STYLES:
                    self._for_text.discard(channel)
                elif second in _TEXT_STYLES:
                    self._for_text.add(channel)
            case 0x11 if 0x30 <= second < 0x40:
                self._text()
            case 0x12 | 0x13 if 0x20 <= second < 0x40:
                self._text()

    def _text(self) -> None:
        if self._channel is not None and self._channel not in self._for_text:
            self.found.add(self._channel)


class _Packets:
    """The packets of CEA-708, made of service blocks."""

    def __init__(self) -> None:
        self.found: set[int] = set()
        self._data = b""
        self._size = 0

    def pair(self, first: int, second: int, *, begins: bool) -> None:
        if begins:
            self._data, self._size = b"", 2 * (first & 0x3F) or 128
        elif not self._size:
            return
        self._data += bytes((first, second))
        if len(self._data) >= self._size:
            self._blocks(self._data[1 : self._size])
            self._size = 0

    def _blocks(self, data: bytes) -> None:
        while data:
            service, size, data = data[0] >> 5, data[0] & 0x1F, data[1:]
            if service == 7 and size and data:
                service, data = data[0] & 0x3F, data[1:]
            if service and size:
                self.found.add(service)
            data = data[size:]
