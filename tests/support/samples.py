"""Sample events: the life of a job, as the services would tell it."""

from datetime import UTC, datetime, timedelta
from fractions import Fraction
from typing import Any

from shared import events as ev
from shared.media.plan import AudioPart, Plan, Rung, VideoPart
from shared.media.result import Outputs, RenditionOutput, RenditionTotals
from shared.media.source import AudioTrack, Source, VideoTrack
from shared.waiting import Waiting

ORG = "acme00"
EPOCH = datetime(2024, 5, 1, 12, 0, 0, 123456, tzinfo=UTC)


def at(seconds: float) -> datetime:
    """An instant of the samples' clock."""
    return EPOCH + timedelta(seconds=seconds)


def created(job: str, org: str = ORG, **fields: Any) -> ev.Created:
    """A job with all that must be given."""
    given: dict[str, Any] = {
        "input_url": "https://example.com/video.mp4",
        "output_path": f"s3://bucket/{job}/?access_key=<access_key>&secret_key=<secret_key>&region=us-east-1",
        "resolutions": ("240p", "480p"),
        "at": EPOCH,
    }
    return ev.Created(org=org, job=job, **(given | fields))


def plan(parts: int = 2, *, audio: int = 1, part_frames: int = 150, window: int = 4) -> Plan:
    """A plan of equal video parts at 25 frames a second."""
    video = tuple(
        VideoPart(name=f"v{number:04d}", first_segment=number, first_frame=number * part_frames, frames=part_frames)
        for number in range(parts)
    )
    sound = tuple(
        AudioPart(
            name=f"a{number}",
            track=number + 1,
            folder="audio/und",
            label="und",
            language=None,
            default=number == 0,
            bit_rate=128_000,
            sample_rate=48_000,
        )
        for number in range(audio)
    )
    rung = Rung(
        name="480p",
        resolution="480p",
        codec="h264",
        width=854,
        height=480,
        crf=23,
        max_rate=1_500_000,
        buffer=3_000_000,
        level="3.1",
    )
    return Plan(
        profile="balanced", preset="veryfast", encoder_params="", frame_rate=Fraction(25), timescale=25_000, frame_ticks=1000,
        gop_frames=50, segment_frames=150, frames=parts * part_frames, origin=Fraction(0), origin_pts=0,
        field_filters=(), picture_filters=(), rungs=(rung,), video=video, audio=sound, window=window,
    )  # fmt: skip


def source(frames: int = 300) -> Source:
    """A probed file at 25 frames a second."""
    video = VideoTrack(
        index=0,
        codec="h264",
        pixel_format="yuv420p",
        width=1280,
        height=720,
        time_base=Fraction(1, 25),
        start_pts=0,
        end_pts=frames,
        frames=frames,
        frame_rate=Fraction(25),
    )
    audio = AudioTrack(index=1, codec="aac", channels=2, sample_rate=48_000, start=0, end=frames / 25)
    return Source(demuxer="mov,mp4", file="video.mp4", bytes=1000, duration=frames / 25, video=video, audio=(audio,))


def fetched(job: str, org: str = ORG, *, encode: Plan | None = None, **fields: Any) -> ev.Fetched:
    """The source is there and planned."""
    encode = encode or plan()
    return ev.Fetched(org=org, job=job, source=source(encode.frames), plan=encode, **fields)


def transcoded(job: str, part: str, org: str = ORG, **fields: Any) -> ev.PartTranscoded:
    """A part with one rendition."""
    totals = RenditionTotals(folder="480p", codecs="avc1.64001f", segments=1, frames=150, seconds=6.0, bytes=4711)
    return ev.PartTranscoded(
        org=org,
        job=job,
        part=part,
        renditions=(totals,),
        digest="0" * 64,
        encoder="libx264",
        seconds=1.5,
        **fields,
    )


def requested(job: str, part: str, encode: Plan, org: str = ORG) -> ev.PartRequested:
    """A part may be encoded."""
    return ev.PartRequested(org=org, job=job, part=part, work=encode.work_of(part))


def uploaded(job: str, part: str, org: str = ORG, **fields: Any) -> ev.PartUploaded:
    """A part is in the bucket."""
    return ev.PartUploaded(org=org, job=job, part=part, objects=2, bytes=4711, **fields)


def completed(job: str, org: str = ORG, **fields: Any) -> ev.Completed:
    """The end that everybody hopes for."""
    rendition = RenditionOutput(
        resolution="480p",
        width=854,
        height=480,
        frame_rate=25.0,
        average_bitrate=900_000,
        peak_bitrate=1_200_000,
        codecs="avc1.64001f",
        bytes=4711,
        playlist="s3://bucket/x/480p/video.m3u8",
    )
    outputs = Outputs(
        master="s3://bucket/x/video.m3u8",
        dash="s3://bucket/x/video.mpd",
        renditions=(rendition,),
        audio=(),
        bytes=4711,
        segments=2,
    )
    return ev.Completed(org=org, job=job, outputs=outputs, **fields)


def failed(job: str, org: str = ORG, **fields: Any) -> ev.Failed:
    """The end that says why."""
    given: dict[str, Any] = {
        "code": "input_empty",
        "message": "The input is empty.",
        "detail": "0 bytes",
        "service": "fetcher",
    }
    return ev.Failed(org=org, job=job, **(given | fields))


def whole_life(
    job: str, org: str = ORG, *, parts: int = 2, end: ev.Event | None = None, **fields: Any
) -> list[ev.Event]:
    """All events of a job that goes well, one second apart.

    Args:
        end: another end than ``completed``.
        fields: of ``created``.
    """
    encode = plan(parts)
    life: list[ev.Event] = [
        created(job, org, **fields),
        ev.Admitted(org=org, job=job),
        ev.Started(org=org, job=job),
        fetched(job, org, encode=encode),
        *(requested(job, part, encode, org) for part in encode.release_order[: encode.window]),
    ]
    for number, part in enumerate(encode.release_order):
        life.append(transcoded(job, part, org))
        if number + encode.window < len(encode.release_order):
            life.append(requested(job, encode.release_order[number + encode.window], encode, org))
        life.append(uploaded(job, part, org, uploaded=number + 1))
    life.append(end or completed(job, org))
    return [event.model_copy(update={"at": at(second)}) for second, event in enumerate(life)]


def waiting_body(code: str = "output_unreachable", *, since: datetime, until: datetime) -> bytes:
    """What a worker publishes beside the log while it waits."""
    return (
        Waiting(code=code, message="It is out.", service="uploader", since=since, until=until)
        .model_dump_json()
        .encode()
    )
