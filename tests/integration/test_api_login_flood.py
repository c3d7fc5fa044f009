"""A flood of logins with unknown names beside real ones. What counts is how many passwords are hashed, not how long it takes."""

import asyncio
from collections import Counter
from collections.abc import Iterator

import pytest

from tests.support.api import PASSWORD, Answer, ApiProcess, Caller

FAILURES = 3
FLOOD = 200


@pytest.fixture(scope="module")
def api(nats_url: str, database_url: str) -> Iterator[ApiProcess]:
    settings = {"login_failures_per_address": FAILURES, "trusted_proxies": "127.0.0.1"}
    with ApiProcess(nats_url=nats_url, database_url=database_url, **settings) as process:
        yield process


async def login(caller: Caller, username: str, org: str, *, address: str, password: str = PASSWORD) -> Answer:
    body = {"username": username, "password": password, "organization_id": org}
    return await caller.call("POST", "/api/auth/login/", body, headers={"X-Forwarded-For": f"6.6.6.6, {address}"})


async def test_strangers_are_refused_and_users_are_not(api: ApiProcess) -> None:
    here, elsewhere = api.account("here"), api.account("elsewhere")
    async with Caller(api, here) as caller, Caller(api, elsewhere) as other:

        async def stranger(number: int) -> Answer:
            return await login(caller, f"nobody{number}", here.org, address="203.0.113.1")

        # She has been here before, he is new at his own address.
        assert (await login(caller, here.username, here.org, address="203.0.113.1")).status == 200
        flood = [asyncio.create_task(stranger(number)) for number in range(FLOOD)]
        answers = await asyncio.gather(
            login(other, here.username, here.org, address="203.0.113.1"),
            login(other, elsewhere.username, elsewhere.org, address="198.51.100.1"),
        )
        assert [answer.status for answer in answers] == [200, 200]
        refused = await asyncio.gather(*flood)
    statuses = Counter(answer.status for answer in refused)
    # Those with an answer to their password are those that were hashed.
    assert statuses.keys() == {400, 429}
    assert 1 <= statuses[400] <= FAILURES
    for answer in refused:
        if answer.status == 429:
            assert 1 <= int(answer.headers["Retry-After"]) <= 60
        else:
            assert answer.body == {"non_field_errors": ["Unable to log in with provided credentials."]}
