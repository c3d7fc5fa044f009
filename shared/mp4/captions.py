"""Closed captions: CEA-608 and CEA-708 as they lie in the SEI of pictures (ATSC A/53, part 4). Pure.

Only as much is read as it takes to say which channels there are; nobody here shows a caption.
"""

from collections.abc import Iterable, Iterator

from shared.mp4.nal import AVC, NalSyntax, units

Triplet = tuple[int, int, int]
"""Kind and two bytes: 0 and 1 are a byte pair of CEA-608's first and second field, 3 and 2 begin and go on with a packet of
CEA-708."""

_USER_DATA = 4
# ITU-T T.35: United States, ATSC; then the ids that A/53 gives.
_CAPTION_DATA = b"\xb5\x00\x31GA94\x03"
_VALID = 0x04
_TEXT_MODES, _CAPTION_MODES = (0x2A, 0x2B), (0x20, 0x25, 0x26, 0x27, 0x29, 0x2F)


def read_captions(sample: bytes | memoryview, length_size: int = 4, syntax: NalSyntax = AVC) -> list[Triplet]:
    """The captions of one picture, without padding; none where its SEI cannot be read.

    Args:
        sample: NAL units, each behind its length of ``length_size`` bytes.
    """
    messages = (
        message
        for kind, payload in units(sample, syntax, length_size)
        if kind == syntax.sei
        for message in _user_data(payload)
    )
    return [triplet for message in messages for triplet in _triplets(message)]


class Channels:
    """Finds out which channels carry something, from all captions in the order of showing."""

    def __init__(self) -> None:
        self._found: set[tuple[str, int]] = set()
        self._current: list[int | None] = [None, None]
        self._text_mode: set[int] = set()
        self._packet = bytearray()

    @property
    def found(self) -> tuple[str, ...]:
        """Channels with text in HLS's names: ``CC1`` to ``CC4``, then ``SERVICE1`` to ``SERVICE63``."""
        return tuple(f"{kind}{number}" for kind, number in sorted(self._found))

    def feed(self, triplets: Iterable[Triplet]) -> None:
        """Take the captions of one picture in."""
        for kind, first, second in triplets:
            if kind < 2:
                self._pair(kind, first & 0x7F, second & 0x7F)
            else:
                self._piece(begins=kind == 3, piece=bytes((first, second)))

    def _pair(self, field: int, first: int, second: int) -> None:
        """CEA-608: a control code says whose the characters are that follow."""
        if first >= 0x20:
            self._characters(self._current[field])
        elif first >= 0x10:
            channel = 1 + 2 * field + (first >> 3 & 1)
            self._current[field] = channel
            code = first & 0x77
            if code in (0x14, 0x15) and second in _TEXT_MODES:
                self._text_mode.add(channel)
            elif code in (0x14, 0x15) and second in _CAPTION_MODES:
                self._text_mode.discard(channel)
            elif (code == 0x11 and 0x30 <= second < 0x40) or (code in (0x12, 0x13) and 0x20 <= second < 0x40):
                self._characters(channel)
        elif first:
            # Data about the programme (XDS), until the next control code.
            self._current[field] = None

    def _characters(self, channel: int | None) -> None:
        if channel is not None and channel not in self._text_mode:
            self._found.add(("CC", channel))

    def _piece(self, *, begins: bool, piece: bytes) -> None:
        """CEA-708: packets of service blocks."""
        if begins:
            self._packet = bytearray()
        elif not self._packet:
            return
        self._packet += piece
        length = 2 * (self._packet[0] & 0x3F) or 128
        if len(self._packet) >= length:
            self._services(bytes(self._packet[1:length]))
            self._packet = bytearray()

    def _services(self, blocks: bytes) -> None:
        position = 0
        while position < len(blocks):
            number, size = blocks[position] >> 5, blocks[position] & 0x1F
            position += 1
            if number == 7 and size and position < len(blocks):
                number = blocks[position] & 0x3F
                position += 1
            if number and size:
                self._found.add(("SERVICE", number))
            position += size


def _user_data(sei: bytes) -> Iterator[bytes]:
    """The messages of registered user data in an SEI unit."""
    data, position = sei.replace(b"\0\0\3", b"\0\0"), 0
    while position + 2 < len(data):
        values = []
        for _ in range(2):
            value = 0
            while position < len(data) and data[position] == 0xFF:
                value += 0xFF
                position += 1
            values.append(value + (data[position] if position < len(data) else 0))
            position += 1
        kind, size = values
        if kind == _USER_DATA:
            yield data[position : position + size]
        position += size


def _triplets(message: bytes) -> Iterator[Triplet]:
    if not message.startswith(_CAPTION_DATA) or len(message) < len(_CAPTION_DATA) + 2:
        return
    count = message[len(_CAPTION_DATA)] & 0x1F
    body = message[len(_CAPTION_DATA) + 2 :]
    for position in range(0, min(3 * count, len(body) - 2), 3):
        head, first, second = body[position : position + 3]
        kind = head & 3
        padding = kind < 2 and not (first | second) & 0x7F
        if head & _VALID and not padding:
            yield kind, first, second
