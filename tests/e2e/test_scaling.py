"""One transcoder and three give the same stream."""

from pathlib import Path

from stack.client import Client
from tests.support.jobs import complete, long_clip
from tests.support.sources import source_server
from tests.support.stack import RunningStack, free_port_base, running_stack


async def make(stack: RunningStack, folder: Path) -> dict[str, tuple[tuple[str, ...], tuple[float, ...], bytes]]:
    """Segment names, their durations and all bytes, by folder."""
    clip = long_clip()
    async with source_server() as source, Client(stack.env) as client:
        body = {
            "input_url": source.host(clip.name, clip.read_bytes()),
            "output_path": client.location("scaling/"),
            "resolutions": ["240p", "360p"],
        }
        outcome = await complete(stack, body, folder)
    lists = {
        variant.media.url.rpartition("/")[0].rpartition("/")[2]: variant.media
        for variant in (*outcome.stream.variants, *outcome.stream.audio)
    }
    return {name: (media.names, media.durations, outcome.files[name].read_bytes()) for name, media in lists.items()}


async def test_one_transcoder_and_three_give_the_same_stream(stack: RunningStack, tmp_path: Path) -> None:
    one = await make(stack, tmp_path)
    assert set(one) > {"240p", "360p"}
    with running_stack(tmp_path / "three", free_port_base(), transcoders=3) as three:
        assert await make(three, tmp_path) == one
