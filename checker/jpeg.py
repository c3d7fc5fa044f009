"""Reads the size of a JPEG picture (ITU-T T.81, B.2.2) out of its frame header. Pure."""

_START, _SCAN, _END = b"\xff\xd8", 0xDA, 0xD9
# Start of frame, of every coding process: all of 0xC0 to 0xCF but the tables of Huffman and arithmetic coding, and JPG.
_FRAMES = frozenset(range(0xC0, 0xD0)) - {0xC4, 0xC8, 0xCC}
_ALONE = frozenset((0x01, *range(0xD0, 0xD8)))


def jpeg_size(data: bytes) -> tuple[int, int] | None:
    """Width and height in pixels; None where this is no JPEG picture."""
    if not data.startswith(_START):
        return None
    position = 2
    while position + 9 <= len(data) and data[position] == 0xFF:
        marker = data[position + 1]
        if marker == 0xFF or marker in _ALONE:
            position += 1 if marker == 0xFF else 2
        elif marker in _FRAMES:
            height, width = data[position + 5 : position + 7], data[position + 7 : position + 9]
            return int.from_bytes(width), int.from_bytes(height)
        elif marker in (_SCAN, _END):
            return None
        else:
            position += 2 + int.from_bytes(data[position + 2 : position + 4])
    return None
