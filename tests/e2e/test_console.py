"""The console in a browser, against a whole stack: what a person does there, and what all pages have to be."""

import asyncio
from pathlib import Path
from typing import Any

import pytest

from stack.client import Client
from tests.support.jobs import Api, Outcome, short_clip
from tests.support.player import work_with_console
from tests.support.receiver import WebhookReceiver
from tests.support.sources import source_server
from tests.support.stack import RunningStack

PAGES = {
    "login", "jobs", "question", "job", "player", "new job", "webhooks", "webhook", "bodies", "usage", "workers",
    "members", "tokens", "storage", "account",
}  # fmt: skip


@pytest.fixture(scope="module")
def seen(by_http: Outcome, stack: RunningStack, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """What was seen on a way through all of the console."""
    return asyncio.run(_way(by_http, stack, tmp_path_factory.mktemp("console")))


async def _way(by_http: Outcome, stack: RunningStack, folder: Path) -> dict[str, Any]:
    clip, api = short_clip(), Api(stack.env)
    async with source_server() as source, WebhookReceiver() as receiver, Client(stack.env) as client:
        status, hook = await api.call("POST", "webhooks/", {"url": f"{receiver.url}/console"})
        assert status == 201, hook
        # It does not end before it is cancelled.
        held = {
            "input_url": source.host("held.mp4", clip.read_bytes(), stall_after=1_000),
            "output_path": client.location("console/held/"),
            "resolutions": ["144p"],
        }
        cancelled = await client.post_job(held)
        what = {
            "source": source.host("console.mp4", clip.read_bytes()),
            "output": client.location("console/made/"),
            "played": by_http.job["id"],
            "cancelled": cancelled["id"],
            "hook": hook["url"],
            "file": str(clip),
        }
        try:
            return await work_with_console(stack.env, what, folder)
        finally:
            await api.call("DELETE", f"webhooks/{hook['id']}/")
            _, held_jobs = await api.call("GET", "transcoding_jobs/?search=held&status=queued&status=transcoding")
            for job in held_jobs["results"]:
                await api.call("DELETE", f"transcoding_jobs/{job['id']}/")


def test_every_page_is_accessible_in_both_themes_and_on_a_phone(seen: dict[str, Any]) -> None:
    assert set(seen["looked"]) == PAGES
    assert seen["violations"] == []
    for name, kinds in seen["looked"].items():
        for kind, looked in kinds.items():
            # The rules were applied, and nothing has to be scrolled sideways.
            assert looked["passes"] >= 2, (name, kind)
            assert looked["over"] <= 0, (name, kind)


def test_nothing_is_refused_by_the_policy_and_nothing_comes_from_elsewhere(seen: dict[str, Any]) -> None:
    assert seen["refused"] == []
    assert seen["foreign"] == []
    assert seen["errors"] == []


def test_one_logs_in_with_user_name_and_password(seen: dict[str, Any], stack: RunningStack) -> None:
    assert seen["signIn"]["path"] == f"/console/{stack.env['ORG_ID']}/jobs"
    assert seen["signIn"]["refusal"]


def test_a_job_is_made_and_watched_to_its_end(seen: dict[str, Any]) -> None:
    made = seen["submit"]
    # What is wrong is said beside the fields.
    assert len(made["messages"]) == 2
    assert made["seen"][-1] == "Completed"
    assert set(made["seen"]) <= {"Queued", "Transcoding", "Completed"}
    assert made["renditions"] == 2  # 240p and the sound
    assert "/transcoding_jobs/" in made["curl"] and "$MILLRACE_TOKEN" in made["curl"]


def test_a_stream_plays_in_the_quality_that_is_chosen(seen: dict[str, Any]) -> None:
    played = seen["play"]
    assert {"240p", "360p", "480p"} <= {name.split()[0] for name in played["names"]}
    assert played["heights"] == [240, 480]
    assert played["drawn"] > 0
    assert played["text"].startswith("Playing ")


def test_a_job_is_cancelled_and_retried_out_of_the_list(seen: dict[str, Any]) -> None:
    counts = {text.split()[0]: int(text.split()[-1].replace(",", "")) for text in seen["cancelAndRetry"]["counts"]}
    assert counts["Cancelled"] >= 1
    assert seen["find"]["search"].startswith("?search=")
    assert (seen["find"]["focused"], seen["find"]["ticked"]) == ("job clip", 1)


def test_a_webhook_is_tried_and_a_delivery_replayed(seen: dict[str, Any]) -> None:
    assert seen["webhook"]["after"] > seen["webhook"]["before"] >= 1
    assert seen["webhook"]["sent"]["type"] == "transcoding_job"


def test_a_file_is_uploaded_into_the_bucket(seen: dict[str, Any], stack: RunningStack) -> None:
    assert seen["upload"]["output"].startswith(f"s3://{stack.env['S3_BUCKET']}/console/short/")


def test_usage_is_shown(seen: dict[str, Any]) -> None:
    assert any(figure.startswith("Jobs ended") for figure in seen["rest"]["figures"])
