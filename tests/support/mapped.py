"""Parts as :mod:`tests.support.encoded` has them, but with real fragments that are laid out for encryption."""

from functools import partial
from hashlib import sha256
from pathlib import Path

from shared.encryption.boxes import sample_encryption
from shared.media.layout import kind_of, segment_name
from shared.media.plan import Plan
from shared.media.result import PartRecord, SegmentTable
from shared.mp4.bmff import write_fragment
from shared.mp4.cmaf import cmaf_header, segment_type
from shared.mp4.initialization import codecs_of
from tests.support import boxes
from tests.support.encoded import AAC_FRAME, LADDER
from tests.support.written import Picture, sps

# Length, type, and as many bytes of what stands for a slice header.
_CLEAR = 8


def mapped_record(plan: Plan, record: PartRecord) -> PartRecord:
    """The record with the sizes, key frames and initialization segments of such fragments."""
    return record.model_copy(update={"tables": tuple(_table(plan, table) for table in record.tables)})


def write_mapped_segments(folder: Path, plan: Plan, record: PartRecord) -> None:
    """Write the segments of video and audio over what lies in the folder of a part."""
    for table in record.tables:
        if kind_of(table.folder) != "text":
            for number, (body, _) in enumerate(_segments(plan, table), start=table.first_segment):
                (folder / table.folder / segment_name(kind_of(table.folder), number)).write_bytes(body)


def _table(plan: Plan, table: SegmentTable) -> SegmentTable:
    kind = kind_of(table.folder)
    if kind == "text":
        return table
    segments = _segments(plan, table)
    update: dict[str, object] = {"sizes": tuple(len(body) for body, _ in segments)}
    if kind == "video":
        width, height = LADDER[table.folder]
        entry = boxes.video_entry(boxes.avc_config([sps(Picture(width=width, height=height))], [boxes.PPS]))
        init = cmaf_header(boxes.init_segment(entry, timescale=table.timescale))
        update |= {"iframes": tuple(marks for _, marks in segments), "init": init, "codecs": codecs_of(init)}
    return table.model_copy(update=update)


def _segments(plan: Plan, table: SegmentTable) -> list[tuple[bytes, tuple[tuple[int, int, int], ...]]]:
    """Each segment with offset, bytes and ticks of its GOPs' key frames."""
    video, made = kind_of(table.folder) == "video", []
    ticks = plan.frame_ticks if video else AAC_FRAME
    time = table.first_segment * plan.segment_frames * ticks
    for number, duration in enumerate(table.durations, start=table.first_segment):
        frames = duration // ticks
        body, marks = bytearray(segment_type(last=False)), []
        for first in range(0, frames, plan.gop_frames if video else frames):
            count = min(plan.gop_frames, frames - first) if video else frames
            samples = [_sample(f"{table.folder}#{number}.{first + each}", video, first + each) for each in range(count)]
            maps = [((_CLEAR, len(sample) - _CLEAR),) if video else () for sample in samples]
            fragment = write_fragment(
                samples, duration=ticks, decode_time=time, sequence=1, offsets=[0] * count if video else None,
                protection=partial(sample_encryption, maps),
            )  # fmt: skip
            marks.append((len(body), len(fragment) - sum(map(len, samples[1:])), count * ticks))
            body += fragment
            time += count * ticks
        made.append((bytes(body), tuple(marks)))
    return made


def _sample(name: str, video: bool, number: int) -> bytes:
    """Bytes that no other sample has: of pictures a slice behind its length."""
    filling = sha256(name.encode()).digest() * (1 + number % 7)
    return (len(filling) + 1).to_bytes(4) + (b"\x01" if number % 50 else b"\x65") + filling if video else filling[:-5]
