"""What a completed job shows of its output: locations without credentials, and measured rates. Pure."""

from services.uploader.manifest.presentation import Presentation
from shared.locations import S3Location, object_key
from shared.media.layout import CUES, DASH, MULTIVARIANT, SHEET
from shared.media.result import AudioOutput, Compliance, Outputs, RenditionOutput, SpriteOutput, SubtitleOutput


def outputs_of(
    presentation: Presentation, location: S3Location, total_bytes: int, compliance: Compliance | None = None
) -> Outputs:
    """The outputs of a job.

    Args:
        location: the output prefix.
        total_bytes: size of all objects together, playlists included.
    """
    target = presentation.target
    return Outputs(
        master=address(location, MULTIVARIANT),
        dash=address(location, DASH) if presentation.has_manifest else None,
        renditions=tuple(
            RenditionOutput(
                resolution=rendition.resolution,
                width=rendition.width,
                height=rendition.height,
                frame_rate=round(float(rendition.frame_rate), 3),
                average_bitrate=rendition.average_rate,
                peak_bitrate=rendition.peak_rate(target),
                codecs=rendition.codecs,
                bytes=rendition.bytes,
                playlist=address(location, rendition.playlist),
            )
            for rendition in presentation.video
        ),
        audio=tuple(
            AudioOutput(
                name=rendition.label,
                language=rendition.language,
                codecs=rendition.codecs,
                average_bitrate=rendition.average_rate,
                peak_bitrate=rendition.peak_rate(target),
                bytes=rendition.bytes,
                playlist=address(location, rendition.playlist),
            )
            for rendition in presentation.audio
        ),
        subtitles=tuple(
            SubtitleOutput(
                name=rendition.label,
                language=rendition.language,
                forced=rendition.forced,
                bytes=rendition.bytes,
                playlist=address(location, rendition.playlist),
            )
            for rendition in presentation.text
        ),
        bytes=total_bytes,
        segments=sum(len(rendition.sizes) for rendition in presentation.all_renditions),
        compliance=compliance,
        thumbnails=tuple(address(location, still.path) for still in presentation.thumbnails),
        sprite=SpriteOutput(image=address(location, SHEET), vtt=address(location, CUES))
        if presentation.stills
        else None,
    )


def address(location: S3Location, path: str) -> str:
    """``s3://bucket/key`` of a path below the prefix."""
    return f"s3://{location.bucket}/{object_key(location, path)}"
