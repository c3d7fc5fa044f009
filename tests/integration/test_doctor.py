"""What the doctor says of servers and of an organization, on real ones."""

import socket
from collections.abc import Iterator

import pytest

from millrace_client import Millrace
from services.api.settings import ApiSettings
from stack.doctor.finding import Finding, Level
from stack.doctor.organization import look_at_organization
from stack.doctor.servers import look_at_servers
from tests.support.api import ApiProcess
from tests.support.ports import free_port


@pytest.fixture(scope="module")
def api(nats_url: str, database_url: str) -> Iterator[ApiProcess]:
    with ApiProcess(nats_url=nats_url, database_url=database_url) as process:
        yield process


async def servers(environment: dict[str, str]) -> dict[str, Finding]:
    return {finding.check: finding async for finding in look_at_servers(ApiSettings.from_environment(environment))}


async def test_before_and_after_the_api_has_started(
    nats_url: str, database_url: str, request: pytest.FixtureRequest
) -> None:
    before = await servers(ApiProcess(nats_url=nats_url, database_url=database_url).environment())
    assert [before[name].level for name in ("bus", "database", "clock")] == [Level.WARNING, Level.WARNING, Level.OK]
    assert "Start the api" in before["bus"].remedy
    api: ApiProcess = request.getfixturevalue("api")
    assert {finding.level for finding in (await servers(api.environment())).values()} == {Level.OK}


async def test_servers_that_are_down(nats_url: str, database_url: str) -> None:
    port = free_port()
    down = ApiProcess(
        nats_url=f"nats://127.0.0.1:{port}", database_url=f"postgresql://millrace@127.0.0.1:{port}/millrace"
    )
    found = await servers(down.environment())
    assert {(name, finding.level) for name, finding in found.items()} == {
        ("bus", Level.FAILED),
        ("database", Level.FAILED),
    }
    assert "MILLRACE_NATS_URL" in found["bus"].remedy


def test_an_organization(api: ApiProcess, monkeypatch: pytest.MonkeyPatch) -> None:
    account = api.account("patient")
    monkeypatch.setenv("MILLRACE_API_URL", api.url)
    monkeypatch.setenv("MILLRACE_ORG", account.org)
    monkeypatch.setenv("MILLRACE_TOKEN", account.token)
    levels = {finding.check: finding.level for finding in look_at_organization()}
    assert levels == {"api": Level.OK, "storage": Level.WARNING, "webhooks": Level.SKIPPED}

    with Millrace() as millrace, socket.create_server(("127.0.0.1", 0)) as listening:
        heard = millrace.webhooks.create(f"http://127.0.0.1:{listening.getsockname()[1]}/hook")
        unheard = millrace.webhooks.create(f"http://127.0.0.1:{free_port()}/hook")
        found = {finding.check: finding for finding in look_at_organization()}
    assert found[f"webhook {heard.id}"].level == Level.OK
    assert (found[f"webhook {unheard.id}"].level, "nobody answers" in found[f"webhook {unheard.id}"].found) == (
        Level.FAILED,
        True,
    )
    monkeypatch.setenv("MILLRACE_TOKEN", "wrong")
    (refused,) = look_at_organization()
    assert (refused.level, "millrace login" in refused.remedy) == (Level.FAILED, True)
