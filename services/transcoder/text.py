"""Writes a rendition of text into its folder: whole, and in segments along the video's boundaries."""

from pathlib import Path

from services.transcoder.webvtt import read_cues, segment_files, whole_file
from shared.media.layout import WHOLE_TEXT, segment_name
from shared.media.plan import Plan, TextPart
from shared.media.result import SegmentTable


def text_segments(file: Path, folder: Path, plan: Plan, part: TextPart) -> SegmentTable:
    """Write segments and whole file, out of the file that ffmpeg wrote, in the part's folder below ``folder``.

    There is always a segment for each one of the video, without a cue where nothing is said: all playlists of a
    presentation have to cover the same time.

    Raises:
        ValueError: what ffmpeg wrote is no WebVTT file.
    """
    cues = read_cues(file.read_text(encoding="utf-8", errors="replace"), plan)
    target = folder / part.folder
    target.mkdir(parents=True)
    bodies = [text.encode() for text in segment_files(cues, plan)]
    for number, body in enumerate(bodies):
        (target / segment_name("text", number)).write_bytes(body)
    whole = whole_file(cues).encode()
    (target / WHOLE_TEXT).write_bytes(whole)
    return SegmentTable(
        folder=part.folder,
        timescale=plan.timescale,
        first_segment=0,
        durations=tuple((end - first) * plan.frame_ticks for first, end in plan.segment_spans),
        sizes=tuple(len(body) for body in bodies),
        frames=len(cues),
        init=b"",
        codecs="wvtt",
        whole=len(whole),
    )
