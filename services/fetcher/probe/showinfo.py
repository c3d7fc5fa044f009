"""Frames as ffmpeg's ``showinfo`` describes them, for codecs that ffprobe cannot decode. Pure."""

import re

from services.fetcher.probe.streams import Stream

_FRAME = re.compile(r" n: *\d+ .* fmt:(?P<pix_fmt>\w+) .* s:(?P<width>\d+)x(?P<height>\d+) i:(?P<fields>[PTB]) ")
_COLORS = re.compile(
    r"color_range:(?P<color_range>\S+) color_space:(?P<color_space>\S+) "
    r"color_primaries:(?P<color_primaries>\S+) color_trc:(?P<color_transfer>\S+)"
)
_DISPLAY = re.compile(r"max_luminance=(?P<max_luminance>[\d.]+)")
_CONTENT = re.compile(r"MaxCLL=(?P<max_content>\d+)")


def read_showinfo(report: str) -> list[Stream]:
    """The frames in the words of ffprobe, without times."""
    frames: list[Stream] = []
    for line in report.splitlines():
        if found := _FRAME.search(line):
            fields = found["fields"]
            woven = {"interlaced_frame": int(fields != "P"), "top_field_first": int(fields == "T")}
            sides = {"width": int(found["width"]), "height": int(found["height"])}
            frames.append({"pix_fmt": found["pix_fmt"], **sides, **woven})
        elif frames and (colors := _COLORS.search(line)):
            frames[-1] |= colors.groupdict()
        elif frames and (light := _DISPLAY.search(line) or _CONTENT.search(line)):
            frames[-1].setdefault("side_data_list", []).append(light.groupdict())
    return frames
