"""One transcoder and three give the same stream, whichever way the source comes."""

from pathlib import Path

from stack.client import Client
from tests.support.jobs import LONG_RESOLUTIONS, Outcome, complete, long_clip
from tests.support.ports import free_port_base
from tests.support.stack import running_stack


def contents(outcome: Outcome) -> dict[str, tuple[tuple[str, ...], tuple[float, ...], bytes]]:
    """Segment names, their durations and all bytes, by folder."""
    lists = {
        variant.media.url.rpartition("/")[0].rpartition("/")[2]: variant.media
        for variant in (*outcome.stream.variants, *outcome.stream.audio)
    }
    return {name: (media.names, media.durations, outcome.files[name].read_bytes()) for name, media in lists.items()}


async def test_three_transcoders_and_a_source_in_s3_give_the_same_stream(by_http: Outcome, tmp_path: Path) -> None:
    with running_stack(tmp_path / "three", free_port_base(), transcoders=3) as three:
        async with Client(three.env) as client:
            await client.upload(long_clip(), "sources/long.mp4")
            body = {
                # With the stray slash before the question mark that the published sample has.
                "input_path": client.location("sources/long.mp4", with_keys=True).replace("?", "/?"),
                "output_path": client.location("scaling/"),
                "resolutions": LONG_RESOLUTIONS,
            }
        outcome = await complete(three, body, tmp_path)
    made = contents(outcome)
    assert set(made) > set(LONG_RESOLUTIONS)
    assert made == contents(by_http)
