"""A job as the transcoder leaves it: plan, results and files that fit together, made without any encoder.

Segments are a few hundred bytes of nothing in particular; only their names, sizes and durations mean something.
"""

from base64 import b64encode
from collections.abc import Callable
from fractions import Fraction
from io import BytesIO
from itertools import pairwise
from math import ceil, floor
from pathlib import Path

from PIL import Image

from shared.encryption.protection import Protection
from shared.events import Fetched, PartTranscoded
from shared.media.plan import AudioPart, Plan, Rung, TextPart, VideoPart, rung_name
from shared.media.result import PartRecord, SegmentTable, digest_of
from shared.media.source import AudioTrack, Source, VideoTrack
from shared.media.stills import STILL_KINDS, Still, StillKind, Stills, StillSet
from shared.mp4.edits import with_edit, with_preroll
from shared.workspace.folder import WorkFolder
from tests.support.boxes import audio_entry, init_segment

LADDER = {"240p": (426, 240), "480p": (854, 480), "720p": (1280, 720)}
SAMPLE_RATE = 48_000
AAC_FRAME = 1024
TILE = StillSet(frames=(), width=32, height=18)


def make_plan(
    *,
    frames: int = 1000,
    frame_rate: Fraction = Fraction(25),
    resolutions: tuple[str, ...] = ("240p", "480p"),
    codecs: tuple[str, ...] = ("h264",),
    segments_in_part: int = 2,
    languages: tuple[str | None, ...] = ("en",),
    texts: tuple[str | None, ...] = (),
    window: int = 4,
    stills: bool = False,
) -> Plan:
    """A plan with GOPs of two seconds and segments of three GOPs.

    Args:
        resolutions: none for sound alone. codecs: that each of them is made in.
        languages: of the sound. texts: languages of the subtitles.
        stills: with three thumbnails and a tile every two seconds.
    """
    gop = int(2 * frame_rate)
    segment = 3 * gop
    parts = []
    for number, first in enumerate(range(0, frames, segments_in_part * segment)):
        count = min(segments_in_part * segment, frames - first)
        parts.append(VideoPart(name=f"v{number:04d}", first_segment=first // segment, first_frame=first, frames=count))
    return Plan(
        profile="balanced",
        preset="fast",
        encoder_params="",
        frame_rate=frame_rate,
        timescale=frame_rate.numerator * 1000,
        frame_ticks=frame_rate.denominator * 1000,
        gop_frames=gop,
        segment_frames=segment,
        frames=frames,
        origin=Fraction(0),
        origin_pts=0,
        field_filters=(),
        picture_filters=(),
        rungs=tuple(_rung(resolution, codec) for resolution in resolutions for codec in codecs),
        video=tuple(parts) if resolutions else (),
        audio=tuple(_audio(number, language) for number, language in enumerate(languages)),
        window=window,
        text=tuple(_text(number, language) for number, language in enumerate(texts)),
        stills=_stills(frames, gop) if stills else None,
    )


def make_result(plan: Plan, part: str) -> tuple[SegmentTable, ...]:
    """The tracks of a part, as its encode would report them."""
    video, audio, text = plan.video_part(part), plan.audio_part(part), plan.text_part(part)
    if video:
        return tuple(_video_track(plan, video, rung, number) for number, rung in enumerate(plan.rungs, start=1))
    if text:
        return (_text_track(plan, text),)
    assert audio, f"no part {part}"
    return (_audio_track(plan, audio),)


def make_stills(plan: Plan, part: str) -> tuple[Still, ...]:
    """The stills of a part, as its encode would report them."""
    video = plan.video_part(part)
    if not video or not plan.stills:
        return ()
    return tuple(
        Still(kind=kind, number=number, size=len(still_body(kind, number)))
        for kind in STILL_KINDS
        for number in plan.stills.of(kind).within(video.first_frame, video.frames)
    )


def make_record(plan: Plan, part: str, *, recipe: str = "") -> PartRecord:
    """What is written down of a part."""
    stills = make_stills(plan, part)
    return PartRecord(tables=make_result(plan, part), encoder="libx264", seconds=1, stills=stills, recipe=recipe)


def make_fetched(org: str, job: str, plan: Plan, protection: Protection | None = None) -> Fetched:
    """The event that carries the plan."""
    seconds = float(plan.duration)
    video = VideoTrack(
        index=0, codec="h264", pixel_format="yuv420p", width=1280, height=720, time_base=Fraction(1, 1000), start_pts=0,
        end_pts=round(seconds * 1000), frames=plan.frames, frame_rate=plan.frame_rate,
    )  # fmt: skip
    sound = AudioTrack(index=1, codec="aac", channels=2, sample_rate=SAMPLE_RATE, start=0, end=seconds)
    source = Source(demuxer="mov", file="source", bytes=1, duration=seconds, video=video, audio=(sound,))
    fetched = Fetched(org=org, job=job, source=source, plan=plan)
    return fetched.encrypted(protection) if protection else fetched


def leave_part(space: WorkFolder, org: str, job: str, plan: Plan, part: str, *, recipe: str = "") -> PartTranscoded:
    """Write a part's files where the transcoder leaves them; returns what it would publish."""
    record = make_record(plan, part, recipe=recipe)
    return leave_record(space, org, job, plan, part, record, lambda folder: write_part(folder, plan, part, record))


def leave_record(
    space: WorkFolder,
    org: str,
    job: str,
    plan: Plan,
    part: str,
    record: PartRecord,
    write: Callable[[Path], None],
) -> PartTranscoded:
    """The same with a record of the caller's, and what writes its files."""
    with space.attempt(org, job, part) as folder:
        write(folder)
        text = space.finish(folder, org, job, part, record.model_dump_json())
    return PartTranscoded(
        org=org,
        job=job,
        part=part,
        renditions=record.totals,
        digest=digest_of(text),
        encoder=record.encoder,
        seconds=record.seconds,
    )


def write_part(folder: Path, plan: Plan, part: str, record: PartRecord) -> None:
    """Write a part's files into a folder, all but its record."""
    for table in record.tables:
        (folder / table.folder).mkdir(parents=True)
        for number, size in enumerate(table.sizes, start=table.first_segment):
            name = segment_file(plan, part, number)
            (folder / table.folder / name).write_bytes(segment_body(table.folder, number, size))
        if table.whole:
            (folder / table.folder / "text.vtt").write_bytes(segment_body(table.folder, -1, table.whole))
    for still in record.stills:
        (folder / still.path).parent.mkdir(exist_ok=True)
        (folder / still.path).write_bytes(still_body(still.kind, still.number))


def segment_file(plan: Plan, part: str, number: int) -> str:
    """Name of a segment of a part."""
    if plan.text_part(part):
        return f"text_{number:05d}.vtt"
    return f"{'audio' if plan.audio_part(part) else 'video'}_{number:05d}.m4s"


def segment_body(folder: str, number: int, size: int) -> bytes:
    """The bytes that stand for a segment: no two are alike."""
    return f"{folder}#{number};".encode().ljust(size, b".")


def still_body(kind: StillKind, number: int) -> bytes:
    """The bytes that stand for a thumbnail, and tiles of one colour each: no two are alike."""
    if kind == "thumbnail":
        return f"thumbnail {number}".encode()
    file = BytesIO()
    Image.new("RGB", (TILE.width, TILE.height), tile_color(number)).save(file, "PNG")
    return file.getvalue()


def tile_color(number: int) -> tuple[int, int, int]:
    """Red, green and blue of a tile."""
    return number * 53 % 256, number * 97 % 256, number * 29 % 256


def _stills(frames: int, each: int) -> Stills:
    tiles = tuple((first + min(first + each, frames)) // 2 for first in range(0, frames, each))
    thumbnails = tuple((2 * number + 1) * frames // 6 for number in range(3))
    return Stills(
        thumbnails=StillSet(frames=thumbnails, width=1280, height=720),
        tiles=TILE.model_copy(update={"frames": tiles}),
        tile_frames=each,
        columns=min(10, len(tiles)),
    )


def _rung(resolution: str, codec: str) -> Rung:
    width, height = LADDER[resolution]
    return Rung(
        name=rung_name(resolution, codec), resolution=resolution, codec=codec, width=width, height=height, crf=23, max_rate=1, buffer=1,
        level="4.0",
    )  # fmt: skip


def _audio(number: int, language: str | None) -> AudioPart:
    return AudioPart(
        name=f"a{number}", track=1 + number, folder=f"audio/{number}-{language or 'und'}", label=language or "Audio",
        language=language, default=number == 0, bit_rate=128_000, sample_rate=SAMPLE_RATE,
    )  # fmt: skip


def _text(number: int, language: str | None) -> TextPart:
    return TextPart(
        name=f"t{number}", track=10 + number, folder=f"text/{number}-{language or 'und'}", label=language or "Subtitles",
        language=language, default=number == 0, forced=False,
    )  # fmt: skip


def _video_track(plan: Plan, part: VideoPart, rung: Rung, scale: int) -> SegmentTable:
    durations, sizes, iframes = [], [], []
    for number, first in enumerate(range(0, part.frames, plan.segment_frames), start=part.first_segment):
        frames = min(plan.segment_frames, part.frames - first)
        gops = [min(plan.gop_frames, frames - start) for start in range(0, frames, plan.gop_frames)]
        durations.append(frames * plan.frame_ticks)
        sizes.append(300 * scale + 7 * (number % 5))
        iframes.append(tuple((24 + 90 * index, 50, gop * plan.frame_ticks) for index, gop in enumerate(gops)))
    return SegmentTable(
        folder=rung.name,
        timescale=plan.timescale,
        first_segment=part.first_segment,
        durations=tuple(durations),
        sizes=tuple(sizes),
        frames=part.frames,
        init=b64encode(f"init_segment of {rung.name}".encode()),
        codecs=f"avc1.6400{10 * scale:02x}",
        iframes=tuple(iframes),
    )


def _audio_track(plan: Plan, part: AudioPart) -> SegmentTable:
    """With the priming in the first segment."""
    frames = ceil(plan.duration * part.sample_rate / AAC_FRAME)
    per_segment = plan.segment_frames / plan.frame_rate * part.sample_rate / AAC_FRAME
    cuts = sorted({min(floor(number * per_segment), frames) for number in range(plan.segments)} | {frames})
    counts = [end - start + (start == 0) for start, end in pairwise(cuts)]
    return SegmentTable(
        folder=part.folder,
        timescale=part.sample_rate,
        first_segment=0,
        durations=tuple(count * AAC_FRAME for count in counts),
        sizes=tuple(100 + number % 3 for number in range(len(counts))),
        frames=1 + frames,
        init=b64encode(with_preroll(with_edit(init_segment(audio_entry(), timescale=part.sample_rate), AAC_FRAME), 1)),
        codecs="mp4a.40.2",
        priming=AAC_FRAME,
    )


def _text_track(plan: Plan, part: TextPart) -> SegmentTable:
    frames = [min(plan.segment_frames, plan.frames - first) for first in range(0, plan.frames, plan.segment_frames)]
    return SegmentTable(
        folder=part.folder,
        timescale=plan.timescale,
        first_segment=0,
        durations=tuple(count * plan.frame_ticks for count in frames),
        sizes=tuple(60 + number % 3 for number in range(len(frames))),
        frames=3,
        init=b"",
        codecs="wvtt",
        whole=90,
    )
