"""Transport streams that carry several programs: one of them is transcoded, with its own sound and subtitles. Pure."""

from collections.abc import Sequence
from typing import Any

from services.fetcher.probe import streams as st
from services.fetcher.probe.packets import PacketTable
from shared.media.result import JobWarning


def one_program(header: dict[str, Any], *, sound: bool = False) -> dict[str, Any]:
    """The header without the streams of other programs than the one of the best picture.

    Programs may run on clocks of their own, and what is heard in one belongs to no picture of another.

    Args:
        header: ffprobe's streams and programs. sound: the sound alone is wanted, so the program has to have some.
    """
    programs = [program for program in header.get("programs", ()) if _members(program)]
    if len({_members(program) for program in programs}) < 2:
        return header
    streams: list[st.Stream] = header["streams"]
    chosen = max(programs, key=lambda program: _merit(_of(program, streams), sound=sound))
    return header | {"streams": _of(chosen, streams)}


def program_warnings(header: dict[str, Any], kept: dict[str, Any], packets: PacketTable) -> tuple[JobWarning, ...]:
    """A warning where a program was left out that something is sent in.

    Args:
        header: with all streams. kept: with those of one program.
    """
    taken = {stream["index"] for stream in kept["streams"]}
    heard = {
        stream["index"]
        for stream in header["streams"]
        if stream.get("codec_type") in ("video", "audio") and packets.extent(stream["index"]).count
    }
    others = [program for program in header.get("programs", ()) if (_members(program) & heard) - taken]
    if not heard - taken or not others:
        return ()
    own: dict[str, Any] = next((one for one in header["programs"] if _members(one) == taken), {})
    more = "another program" if len(others) == 1 else f"{len(others)} other programs"
    message = f"The source carries {more}; only {_name(own)} was transcoded."
    return (JobWarning(code="program_dropped", message=message),)


def _members(program: dict[str, Any]) -> frozenset[int]:
    return frozenset(stream["index"] for stream in program.get("streams", ()))


def _of(program: dict[str, Any], streams: Sequence[st.Stream]) -> list[st.Stream]:
    return [stream for stream in streams if stream["index"] in _members(program)]


def _merit(streams: Sequence[st.Stream], *, sound: bool) -> tuple[bool, bool, int]:
    """What makes a program the one to take; of equal ones the first counts."""
    pixels = [int(film.get("width") or 0) * int(film.get("height") or 0) for film in st.films(streams)]
    heard = any(stream.get("codec_type") == "audio" for stream in streams)
    return heard or not sound, bool(pixels), max(pixels, default=0)


def _name(program: dict[str, Any]) -> str:
    name = st.tag(program, "service_name")
    number = f"number {program.get('program_num')}"
    return f"“{name}” ({number})" if name else number
