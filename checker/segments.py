"""Measures media segments: what is in the bytes, whatever playlists and manifest say. Pure."""

from collections.abc import Iterator
from itertools import groupby
from typing import NamedTuple

from checker.boxes import Box, Fields, MalformedMedia, boxes_of
from checker.captions import CaptionByte, captions_of_sei
from checker.initialization import Defaults, InitializationSegment, brands_of
from checker.protection import map_faults

_NOT_SYNC = 0x10000
_SLICES, _IDR, _SEI = (1, 5), 5, 6
# tfhd: what is there, in this order, and how many bytes it takes (ISO/IEC 14496-12, 8.8.7).
_BASE_OFFSET, _DESCRIPTION, _DURATION, _SIZE, _FLAGS = 0x1, 0x2, 0x8, 0x10, 0x20
_HEAD_FIELDS = ((_BASE_OFFSET, 8), (_DESCRIPTION, 4), (_DURATION, 4), (_SIZE, 4), (_FLAGS, 4))
# trun (8.8.8)
_RUN_OFFSET, _RUN_FIRST_FLAGS = 0x1, 0x4
_RUN_DURATION, _RUN_SIZE, _RUN_FLAGS, _RUN_COMPOSITION = 0x100, 0x200, 0x400, 0x800


class KeyFrame(NamedTuple):
    """An IDR frame.

    Attributes:
        time: ticks at which it is decoded.
        offset: of its ``moof`` in the segment. length: bytes from there to its last byte.
    """

    time: int
    offset: int
    length: int


class Fragment(NamedTuple):
    """A ``moof``: when its first sample is decoded, and for how long its samples last. Ticks."""

    decode_time: int
    duration: int


class Segment(NamedTuple):
    """What is known of a segment.

    Attributes:
        size: bytes. start: ticks at which its first sample is decoded. duration: ticks. keys: its IDR frames in order.
        shown: ticks at which its first frame is shown, before any edit list. frame: ticks of its longest sample.
        fragments, captions: in the order of decoding, and of showing.
        brands: compatible ones. described: every fragment names its sample entry.
        rolling: every sample is in the first group of type ``roll``.
        map_faults: what is wrong with the maps of encrypted samples, each kind once.

    The last eight are None or empty where only its writer has told of it; of audio he tells ``shown`` as well.
    """

    size: int
    start: int
    duration: int
    keys: tuple[KeyFrame, ...] = ()
    shown: int | None = None
    frame: int | None = None
    fragments: tuple[Fragment, ...] = ()
    captions: tuple[CaptionByte, ...] = ()
    brands: tuple[str, ...] = ()
    described: bool = False
    rolling: bool = False
    map_faults: tuple[str, ...] = ()


class _Sample(NamedTuple):
    decode_time: int
    shown: int
    duration: int
    fragment: int
    offset: int
    size: int
    sync: bool


def read_segment(data: bytes, initialization: InitializationSegment) -> Segment:
    """Measure a segment.

    Raises:
        MalformedMedia: it has no fragment, or something in it does not fit together.
    """
    view, samples, fragments = memoryview(data), list[_Sample](), list[Fragment]()
    boxes = list(boxes_of(view))
    for moof in boxes:
        if moof.kind == "moof":
            found = list(_fragment(moof, initialization.defaults))
            if not found:
                raise MalformedMedia("fragment without samples")
            fragments.append(Fragment(found[0].decode_time, sum(sample.duration for sample in found)))
            samples += found
    if not samples:
        raise MalformedMedia("segment without samples")
    duration = sum(fragments[-1]) - fragments[0].decode_time
    if duration <= 0:
        raise MalformedMedia("segment without length")
    _check_places(samples, [box for box in boxes if box.kind == "mdat"])
    moofs = [box for box in boxes if box.kind == "moof"]
    keys, captions = ([], []) if initialization.is_audio else _pictures(view, samples, initialization)
    return Segment(
        size=len(data),
        start=fragments[0].decode_time,
        duration=duration,
        keys=tuple(keys),
        shown=min(sample.shown for sample in samples),
        frame=max(sample.duration for sample in samples),
        fragments=tuple(fragments),
        captions=tuple(captions),
        brands=brands_of(boxes, "styp"),
        described=all(map(_is_described, moofs)),
        rolling=sum(map(_rolling, moofs)) == len(samples),
        map_faults=tuple(dict.fromkeys(_map_faults(view, moofs, samples, initialization))),
    )


def _map_faults(
    view: memoryview, moofs: list[Box], samples: list[_Sample], initialization: InitializationSegment
) -> Iterator[str]:
    if initialization.protection is None:
        return
    length_size = initialization.length_size if initialization.parameter_sets else None
    for moof, (_, own) in zip(moofs, groupby(samples, key=lambda sample: sample.fragment), strict=True):
        places = [view[one.offset : one.offset + one.size] for one in own]
        yield from map_faults(moof, initialization.protection, places, length_size)


def _fragment(moof: Box, defaults: Defaults) -> Iterator[_Sample]:
    track = moof.child("traf")
    head = track.child("tfhd").fields()
    _, flags = head.version_and_flags()
    head.take(4)
    told = {flag: head.number(width) for flag, width in _HEAD_FIELDS if flags & flag}
    base = told.get(_BASE_OFFSET, moof.offset)
    own = Defaults(
        duration=told.get(_DURATION, defaults.duration),
        size=told.get(_SIZE, defaults.size),
        flags=told.get(_FLAGS, defaults.flags),
    )
    clock = track.child("tfdt").fields()
    version, _ = clock.version_and_flags()
    time, offset = clock.number(8 if version else 4), base
    for box in track.children():
        if box.kind != "trun":
            continue
        for sample in _run(box.fields(), own, base, offset, time, moof.offset):
            yield sample
            time, offset = time + sample.duration, sample.offset + sample.size


def _is_described(moof: Box) -> bool:
    _, flags = moof.child("traf", "tfhd").fields().version_and_flags()
    return bool(flags & _DESCRIPTION)


def _rolling(moof: Box) -> int:
    """How many samples are in the group of type ``roll`` that the initialization segment describes first."""
    count = 0
    for box in moof.child("traf").children():
        if box.kind == "sbgp":
            fields = box.fields()
            version, _ = fields.version_and_flags()
            kind = bytes(fields.take(8 if version else 4))[:4]
            runs = [(fields.number(4), fields.number(4)) for _ in range(fields.number(4))]
            count += sum(samples for samples, group in runs if kind == b"roll" and group == 1)
    return count


def _run(fields: Fields, own: Defaults, base: int, behind: int, time: int, fragment: int) -> Iterator[_Sample]:
    """The samples of a run; without an offset of its own it begins ``behind`` the one before it."""
    _, flags = fields.version_and_flags()
    count = fields.number(4)
    offset = base + fields.signed(4) if flags & _RUN_OFFSET else behind
    first_flags = fields.number(4) if flags & _RUN_FIRST_FLAGS else None
    if count * 4 * (flags & 0xF00).bit_count() > fields.left or count > 1_000_000:
        raise MalformedMedia(f"a run of {count} samples is cut short")
    for number in range(count):
        duration = fields.number(4) if flags & _RUN_DURATION else own.duration
        size = fields.number(4) if flags & _RUN_SIZE else own.size
        sample_flags = fields.number(4) if flags & _RUN_FLAGS else own.flags
        composition = 0
        if flags & _RUN_COMPOSITION:
            # Versions differ in the sign, and who writes negative offsets into version 0 is read as he means it.
            composition = fields.signed(4)
        if number == 0 and first_flags is not None:
            sample_flags = first_flags
        yield _Sample(time, time + composition, duration, fragment, offset, size, not sample_flags & _NOT_SYNC)
        time, offset = time + duration, offset + size


def _check_places(samples: list[_Sample], data: list[Box]) -> None:
    """Samples lie in the media data, and the media data is nothing but samples."""
    spans = iter(sorted((box.start, box.end) for box in data if len(box.payload)))
    position = end = 0
    for sample in sorted((sample for sample in samples if sample.size), key=lambda sample: sample.offset):
        if position == end:
            position, end = next(spans, (0, 0))
        if sample.offset != position or position + sample.size > end:
            raise MalformedMedia(f"a sample of {sample.size} bytes at {sample.offset} is not where the media data is")
        position += sample.size
    if position != end or next(spans, None):
        raise MalformedMedia(f"media data from {position} on belongs to no sample")


def _pictures(
    view: memoryview, samples: list[_Sample], initialization: InitializationSegment
) -> tuple[list[KeyFrame], list[CaptionByte]]:
    """The IDR frames in the order of decoding, and the captions in that of showing.

    Nobody looks into the frames of other codecs than H.264: there a key frame is what is marked as one.
    """
    keys, captions = list[KeyFrame](), list[tuple[int, list[CaptionByte]]]()
    for sample in samples:
        coded = _IDR
        if initialization.parameter_sets:
            frame = view[sample.offset : sample.offset + sample.size]
            coded, found = _frame(frame, initialization.length_size)
            captions.append((sample.shown, found))
        if sample.sync and coded == _IDR:
            length = sample.offset + sample.size - sample.fragment
            keys.append(KeyFrame(sample.decode_time, sample.fragment, length))
    captions.sort(key=lambda one: one[0])
    return keys, [one for _, found in captions for one in found]


def _frame(frame: memoryview, length_size: int) -> tuple[int, list[CaptionByte]]:
    """The type of a frame's first slice, 0 without one, and the captions before it; every NAL unit stands behind its length."""
    fields, coded, captions = Fields(frame, "a frame"), 0, list[CaptionByte]()
    while fields.left:
        unit = fields.take(fields.number(length_size))
        kind = unit[0] & 0x1F if unit else 0
        if kind in _SLICES:
            coded = coded or kind
        elif kind == _SEI and not coded:
            captions += captions_of_sei(bytes(unit))
    return coded, captions
