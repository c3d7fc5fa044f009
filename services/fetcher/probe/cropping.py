"""The part of a picture that a container shows: Matroska's PixelCrop, and ``clap`` of ISO base media. Pure.

ffmpeg crops by it before all other filters; ffprobe only tells of it.
"""

import re

from services.fetcher.probe.streams import Stream

# Exponents of two by which chroma is smaller, across and down, by what ffmpeg's names of pixel formats begin with or hold.
_CHROMA = {
    re.compile(r"420|nv12|nv21|^p0"): (1, 1),
    re.compile(r"422|nv16|nv20|^p2|^[xy]2"): (1, 0),
    re.compile(r"440"): (0, 1),
    re.compile(r"411"): (2, 0),
    re.compile(r"410"): (2, 2),
}


def cropped(stream: Stream, sized: Stream) -> Stream:
    """A stream or one of its decoded frames, with the size that is left when ffmpeg has cropped it.

    Args:
        stream: whose container says what is shown. sized: what has a width and a height, in pixels, and a pixel format.
    """
    crop = next((item for item in stream.get("side_data_list", ()) if "crop_left" in item), None)
    if crop is None or not sized.get("width") or not sized.get("height"):
        return sized
    across, down = _subsampling(str(sized.get("pix_fmt") or stream.get("pix_fmt") or ""))
    width = int(sized["width"]) - int(crop["crop_left"]) - int(crop["crop_right"])
    height = int(sized["height"]) - int(crop["crop_top"]) - int(crop["crop_bottom"])
    # It never cuts through a sample of chroma.
    return {**sized, "width": width >> across << across, "height": height >> down << down}


def _subsampling(pixel_format: str) -> tuple[int, int]:
    return next((shifts for name, shifts in _CHROMA.items() if name.search(pixel_format)), (0, 0))
