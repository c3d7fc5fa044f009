"""Reads Common Encryption (ISO/IEC 23001-7): how a track is encrypted, and which bytes of each sample. Pure."""

from collections.abc import Iterator, Sequence
from typing import NamedTuple

from checker.boxes import Box, Fields, MalformedMedia

ENCRYPTED_ENTRIES = frozenset({"encv", "enca"})
_WITH_SUBSAMPLES = 0x2
_FULL = 4
_SLICES = (1, 5)
# Bytes of a slice's header, which stays clear: many times what encoders write with weights for a dozen pictures.
_LONGEST_HEADER = 256


class TrackProtection(NamedTuple):
    """What a sample entry says of the encryption of its samples.

    Attributes:
        scheme: such as ``cbcs``. version: of ``tenc``.
        pattern: blocks that are encrypted, and blocks after them that are not; zeros for all.
        iv_size: bytes of an initialization vector of each sample's own. iv: the constant one in hexadecimal, empty without.
        kid: id of the key, in hexadecimal.
    """

    scheme: str
    version: int
    protected: bool
    pattern: tuple[int, int]
    iv_size: int
    kid: str
    iv: str


Spans = list[tuple[int, int]]


def read_protection(entry: Box, fields: int) -> tuple[str, TrackProtection]:
    """The type that an encrypted sample entry has otherwise, and how it is encrypted.

    Args:
        fields: bytes in the entry before the boxes in it.

    Raises:
        MalformedMedia: it does not say.
    """
    info = entry.child("sinf", skip=fields)
    scheme = info.child("schm").fields()
    scheme.version_and_flags()
    defaults = info.child("schi", "tenc").fields()
    version, _ = defaults.version_and_flags()
    defaults.take(1)
    pattern = defaults.number(1)
    protected, iv_size = defaults.number(1), defaults.number(1)
    kid = bytes(defaults.take(16))
    iv = bytes(defaults.take(defaults.number(1))) if protected and not iv_size else b""
    found = TrackProtection(
        scheme=bytes(scheme.take(4)).decode("latin-1"),
        version=version,
        protected=bool(protected),
        pattern=(pattern >> 4, pattern & 15),
        iv_size=iv_size,
        kid=kid.hex(),
        iv=iv.hex(),
    )
    return bytes(info.child("frma").fields().take(4)).decode("latin-1"), found


def map_faults(
    moof: Box, protection: TrackProtection, samples: Sequence[memoryview], length_size: int | None
) -> Iterator[str]:
    """What is wrong with the maps of a fragment's samples.

    Args:
        samples: in the order of the fragment.
        length_size: bytes of a NAL unit's length, where samples of H.264 are looked into.

    Raises:
        MalformedMedia: a map is cut short.
    """
    boxes = {box.kind: box for box in moof.child("traf").children()}
    box = boxes.get("senc")
    if box is None:
        if protection.pattern != (0, 0):
            yield "no senc"
        return
    fields = box.fields()
    _, flags = fields.version_and_flags()
    count = fields.number(4)
    if count != len(samples):
        yield f"maps of {count} samples instead of {len(samples)}"
        return
    sizes = []
    for sample in samples:
        left = fields.left
        fields.take(protection.iv_size)
        if flags & _WITH_SUBSAMPLES:
            spans = [(fields.number(2), fields.number(4)) for _ in range(fields.number(2))]
            yield from _misfits(sample, spans, length_size)
            if protection.pattern == (0, 0) and any(clear for clear, _ in spans):
                yield "clear bytes in a sample that is encrypted from end to end"
        elif protection.pattern != (0, 0):
            yield "a pattern over whole samples"
        sizes.append(left - fields.left)
    if fields.left:
        yield f"{fields.left} bytes behind the maps"
    if any(sizes):
        yield from _auxiliary_faults(boxes, sizes, box.start + _FULL + 4 - moof.offset)


def _misfits(sample: memoryview, spans: Spans, length_size: int | None) -> Iterator[str]:
    told = sum(map(sum, spans))
    if told != len(sample):
        yield f"a map of {told} bytes for a sample of {len(sample)}"
    elif length_size is not None:
        slices, ends, at = _slices(sample, length_size), {}, 0
        for clear, protected in spans:
            at += clear + protected
            if protected:
                ends[at] = protected
                if not any(start < at - protected and at == end for start, end in slices):
                    yield "protected bytes that are not the end of a slice"
        if any(end - start - ends.get(end, 0) > _LONGEST_HEADER for start, end in slices):
            yield "more of a slice in the clear than its header"


def _slices(sample: memoryview, length_size: int) -> list[tuple[int, int]]:
    """Of each slice the offset of the second byte of its header, and that behind it."""
    fields, found = Fields(sample, "a frame"), []
    while fields.left:
        unit = fields.take(fields.number(length_size))
        end = len(sample) - fields.left
        if unit and unit[0] & 0x1F in _SLICES:
            found.append((end - len(unit) + 1, end))
    return found


def _auxiliary_faults(boxes: dict[str, Box], sizes: list[int], offset: int) -> Iterator[str]:
    """What ``saiz`` and ``saio`` say of the same maps, to readers that do not know ``senc`` (ISO/IEC 14496-12, 8.7.8)."""
    if not {"saiz", "saio"} <= boxes.keys():
        yield "no saiz and saio"
        return
    lengths, places = boxes["saiz"].fields(), boxes["saio"].fields()
    for one in (lengths, places):
        _, flags = one.version_and_flags()
        one.take(8 if flags & 1 else 0)
    default, count = lengths.number(1), lengths.number(4)
    if count > max(lengths.left, len(sizes)):
        raise MalformedMedia("a saiz that is cut short")
    told = [default] * count if default else list(lengths.take(count))
    if told != sizes:
        yield "saiz has other sizes than senc"
    if [places.number(4) for _ in range(min(places.number(4), 2))] != [offset]:
        yield "saio does not lead to the maps in senc"
