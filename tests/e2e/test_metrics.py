"""A real Prometheus watches a stack at work: every query of every dashboard, and every alert, finds what it asks for."""

import asyncio
from pathlib import Path
from typing import Any
from urllib.request import urlopen

from stack.client import Client
from tests.support.clips import made
from tests.support.jobs import follow, short_clip
from tests.support.observe import eventually
from tests.support.ports import free_port
from tests.support.prometheus import Prometheus, alerts, program, queries, sides
from tests.support.receiver import WebhookReceiver
from tests.support.sources import source_server
from tests.support.stack import RunningStack, running_stack

SETTINGS = {
    # A source on which nobody listens is waited for, so that there is an outage to see.
    "MILLRACE_FETCHER_FIRST_CONTACT_SECONDS": "600",
    # Else a job that waits leaves no place.
    "MILLRACE_API_MAX_ACTIVE_JOBS": "4",
}


async def test_every_query_and_every_alert_answers_while_jobs_run(tmp_path: Path) -> None:
    program("prometheus")
    async with (
        running_stack(tmp_path / "stack", env=SETTINGS) as stack,
        Prometheus(stack.layout.targets_file) as prometheus,
        Client(stack.env) as client,
    ):
        await eventually(lambda: bool(prometheus.ask("sum(up) == 5")), "everything is asked")
        load = asyncio.create_task(work(client))
        try:
            await everything_is_answered(prometheus)
        finally:
            load.cancel()
            await asyncio.gather(load, return_exceptions=True)
        assert [rule["lastError"] for rule in prometheus.rules() if rule["health"] != "ok"] == []
        assert_nothing_is_named(stack)


async def everything_is_answered(prometheus: Prometheus) -> None:
    """Wait until each query has answered once. Of rules what they compare is asked for: in good order no comparison is true."""
    rules = [alert["expr"] for alert in alerts()]
    wanted = [expr.replace("$__rate_interval", "1m") for expr in queries() if expr not in rules]
    wanted += [side for expr in rules for side in sides(expr)]

    def unanswered() -> list[str]:
        return [expr for expr in wanted if not any(found["value"][1] != "NaN" for found in prometheus.ask(expr))]

    async def all_have_answered() -> bool:
        wanted[:] = await asyncio.to_thread(unanswered)
        return not wanted

    try:
        await eventually(all_have_answered, "all queries answer", seconds=120, every=1)
    except AssertionError as error:
        raise AssertionError(f"no answer to {wanted}") from error


async def work(client: Client) -> None:
    """Jobs that complete, one that fails, one that waits for its source, and somebody who follows and is notified."""
    clip, sound = short_clip(), made("tone.m4a", "-f", "lavfi", "-i", "sine=duration=1", "-c:a", "aac")
    async with source_server() as source, WebhookReceiver() as receiver:
        await client.add_webhook(receiver.url)
        film, tone = source.host("film.mp4", clip.read_bytes()), source.host("tone.m4a", sound.read_bytes())
        text = source.host("no-film.txt", b"This is no film." * 1000)
        nobody = f"http://127.0.0.1:{free_port()}/film.mp4"
        await client.post_job(body(client, "nobody", nobody))
        number = 0
        while True:
            number += 1
            await asyncio.gather(
                follow(client, body(client, f"film-{number}", film)),
                follow(client, body(client, f"tone-{number}", tone, "audio")),
                follow(client, body(client, f"text-{number}", text)),
            )


def body(client: Client, name: str, url: str, resolution: str = "240p") -> dict[str, Any]:
    return {"input_url": url, "output_path": client.location(f"metrics/{name}/"), "resolutions": [resolution]}


def assert_nothing_is_named(stack: RunningStack) -> None:
    """No job, organization or address is in what the services tell."""
    for port in stack.layout.health_ports.values():
        with urlopen(f"http://127.0.0.1:{port}/metrics", timeout=10) as answer:
            text = answer.read().decode()
        assert stack.env["ORG_ID"] not in text
        assert "http://" not in text
        assert "jobs." not in text
