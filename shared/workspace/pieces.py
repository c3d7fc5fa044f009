"""A file of which only pieces are here, as an input of ffmpeg that cannot be read wrongly.

A sparse file would read as zeros where it has holes, and some of those decode. So ffmpeg gets a list of pieces
(``concatf``), and for each hole a piece of the right length that cannot be read: ``subfile`` of a folder, of which the kernel
says ``EISDIR``. All of it are files, so that a network stays out of ffmpeg's reach.
"""

from collections.abc import Iterable
from pathlib import Path

from shared.workspace.space import SourceInput, Span

PROTOCOLS = "concatf,subfile,file"


def with_holes(pieces: Iterable[tuple[Span, Path]], size: int, folder: Path) -> SourceInput:
    """How ffmpeg opens a file of ``size`` bytes of which these pieces are here: the bytes of each, and the file with them.

    Args:
        pieces: ascending, without overlaps. folder: of the caller's own; the list is written there.
    """
    lines, reads, here = [], [folder], 0
    for (begin, end), file in pieces:
        if begin > here:
            lines.append(_hole(begin - here, folder))
        lines.append(f"file:{file}")
        reads.append(file)
        here = end
    if size > here:
        lines.append(_hole(size - here, folder))
    listing = folder / "pieces"
    listing.write_text("".join(f"{_escaped(line)}\n" for line in lines))
    return SourceInput(f"concatf:{listing}", PROTOCOLS, whole=False, reads=tuple(reads))


def _hole(length: int, folder: Path) -> str:
    return f"subfile,,start,0,end,{length},,:file:{folder}"


def _escaped(line: str) -> str:
    """As av_get_token reads it."""
    return line.replace("\\", "\\\\").replace("'", "\\'")
