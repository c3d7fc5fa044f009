"""An api of several processes, on a real NATS and a real Postgres."""

import os
import signal
import urllib.request
from collections.abc import Iterator

import psutil
import pytest
from prometheus_client.parser import text_string_to_metric_families

from stack import processes
from stack.processes import identify
from tests.support.api import Account, ApiProcess, Caller
from tests.support.bus import until

COUNT = 3


@pytest.fixture(scope="module")
def api(nats_url: str, database_url: str) -> Iterator[ApiProcess]:
    with ApiProcess(nats_url=nats_url, database_url=database_url, processes=COUNT) as process:
        yield process


@pytest.fixture(scope="module")
def account(api: ApiProcess) -> Account:
    return api.account("several")


def children(api: ApiProcess) -> set[int]:
    return {pid for pid in processes.children(api.pid) if identify(pid)}


def told(api: ApiProcess, name: str) -> dict[str, float]:
    """What the processes tell under a name, added up for each of them."""
    address = f"http://127.0.0.1:{api.health_port}/metrics"
    with urllib.request.urlopen(address, timeout=10) as answer:
        families = text_string_to_metric_families(answer.read().decode())
        found: dict[str, float] = {}
        for sample in (sample for family in families for sample in family.samples if sample.name == name):
            process = sample.labels["process"]
            found[process] = found.get(process, 0) + sample.value
    return found


async def test_all_of_them_answer_and_tell_of_themselves(api: ApiProcess, account: Account) -> None:
    jobs: list[str] = []

    async def all_have_answered() -> bool:
        # A new connection each time, which any of them may get.
        async with Caller(api, account) as caller:
            jobs.append(await caller.created())
        return len(told(api, "millrace_http_requests_total")) == COUNT

    await until(all_have_answered, seconds=60)
    assert len(children(api)) == COUNT
    async with Caller(api, account) as caller:
        assert {(await caller.job(job))["id"] for job in jobs} == set(jobs)
    assert sum(told(api, "millrace_leader").values()) == 1
    assert set(told(api, "process_start_time_seconds")) == {"0", "1", "2"}


async def test_one_that_is_killed_is_replaced_while_the_others_answer(api: ApiProcess, account: Account) -> None:
    before = children(api)
    victim = max(before)
    os.kill(victim, signal.SIGKILL)

    async def dead() -> bool:
        return not psutil.pid_exists(victim)

    # Its connections end with it, and so do those that nobody has taken yet.
    await until(dead)

    async def replaced() -> bool:
        async with Caller(api, account) as caller:
            # Nobody listens where nobody can answer yet.
            await caller.created()
        return '"replaces_another": true' in api.log()

    await until(replaced, seconds=60)
    assert len(children(api)) == COUNT
    assert children(api) > before - {victim}
    assert api.ready()
    assert sum(told(api, "millrace_leader").values()) <= 1


def test_nobody_else_may_listen_there(api: ApiProcess, nats_url: str, database_url: str) -> None:
    stranger = ApiProcess(nats_url=nats_url, database_url=database_url, processes=2, health_port=api.health_port)
    with pytest.raises(RuntimeError, match="Address already in use"), stranger:
        pass


def test_all_stop_together(api: ApiProcess) -> None:
    members = children(api)
    api.stop()
    assert api.log().count('"event": "stopped"') == COUNT
    assert not [pid for pid in members if psutil.pid_exists(pid)]
