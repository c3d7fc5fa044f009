"""Login, logout and tokens, over HTTP and by the admin command."""

import asyncio
import json
import subprocess
import sys
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import asyncpg
import pytest

from services.api.accounts.directory import NotPossible
from services.api.contract.errors import Forbidden
from tests.support.api import PASSWORD, Account, ApiProcess, Caller
from tests.support.servers import REPOSITORY

MOST_TOKENS = 4


@pytest.fixture(scope="module")
def api(nats_url: str, database_url: str) -> Iterator[ApiProcess]:
    settings = {"tokens_per_organization": MOST_TOKENS, "login_failures_per_minute": 3, "token_days": 2}
    with ApiProcess(nats_url=nats_url, database_url=database_url, **settings) as process:
        yield process


def credentials(account: Account, **change: str) -> dict[str, str]:
    return {"username": account.username, "password": PASSWORD, "organization_id": account.org} | change


async def test_login_gives_a_token_and_logout_revokes_it_at_once(
    caller: Caller, database: "asyncpg.Connection[asyncpg.Record]"
) -> None:
    answer = await caller.call("POST", "/api/auth/login/", credentials(caller.account), headers={"Authorization": ""})
    assert answer.status == 200
    assert set(answer.body) == {"token", "expiry"}
    token = answer.body["token"]
    left = datetime.fromisoformat(answer.body["expiry"]) - datetime.now(UTC)
    assert timedelta(days=1.99) < left < timedelta(days=2)
    assert (await caller.call("GET", "transcoding_jobs/", token=token)).status == 200
    rows = await database.fetch("select * from tokens")
    assert token not in repr(rows)
    gone = await caller.call("POST", "/api/auth/logout/", token=token)
    assert (gone.status, gone.text) == (204, "")
    assert (await caller.call("GET", "transcoding_jobs/", token=token)).status == 401
    assert (await caller.call("POST", "/api/auth/logout/", token=token)).status == 401


@pytest.mark.parametrize("header", ["", "Token", "Token x", "Token {token}0", "Token {other}"])
async def test_no_token_or_none_that_is_good(caller: Caller, header: str) -> None:
    text = header.format(token=caller.account.token, other="0" * 64)
    for path in ("transcoding_jobs/", "/api/v1/nobody/webhooks/"):
        answer = await caller.call("GET", path, headers={"Authorization": text})
        assert (answer.status, answer.body) == (401, {"detail": "Invalid token."})
        assert answer.headers["WWW-Authenticate"] == "Token"


@pytest.mark.parametrize("word", ["Token", "token", "TOKEN"])
async def test_the_word_before_the_token_in_any_case(caller: Caller, word: str) -> None:
    answer = await caller.call("GET", "transcoding_jobs/", headers={"Authorization": f"{word} {caller.account.token}"})
    assert answer.status == 200


async def test_an_expired_token_is_none(
    caller: Caller, api: ApiProcess, database: "asyncpg.Connection[asyncpg.Record]"
) -> None:
    account = api.account("late")
    async with Caller(api, account) as late:
        assert (await late.call("GET", "webhooks/")).status == 200
        await database.execute("update tokens set expires = now() where org = $1", account.org)
        assert (await late.call("GET", "webhooks/")).status == 401


async def test_at_most_so_many_live_tokens_of_which_the_oldest_login_gives_way(api: ApiProcess) -> None:
    account = api.account("busy")
    async with Caller(api, account) as caller:

        async def login() -> str:
            answer = await caller.call("POST", "/api/auth/login/", credentials(account))
            assert answer.status == 200
            return str(answer.body["token"])

        # One is there from the start, made by the operator, and stays.
        issued = [await login() for _ in range(MOST_TOKENS + 1)]
        answers = [(await caller.call("GET", "webhooks/", token=token)).status for token in issued]
        assert answers == [401] * 2 + [200] * (MOST_TOKENS - 1)
        assert (await caller.call("GET", "tokens/")).body["count"] == MOST_TOKENS
        # At once as well.
        await asyncio.gather(*(login() for _ in range(MOST_TOKENS)))
        assert (await caller.call("GET", "tokens/")).body["count"] == MOST_TOKENS
        for _ in range(MOST_TOKENS - 1):
            api.admin("create-token", account.org)
        with pytest.raises(Forbidden):
            api.admin("create-token", account.org)
        refused = await caller.call("POST", "/api/auth/login/", credentials(account))
        assert (refused.status, list(refused.body)) == (403, ["detail"])


@pytest.mark.parametrize(
    "change", [{"password": "wrong"}, {"username": "nobody"}, {"organization_id": "nobody"}, {"username": "a\0b"}]
)
async def test_wrong_credentials_have_one_answer(caller: Caller, change: dict[str, str]) -> None:
    answer = await caller.call("POST", "/api/auth/login/", credentials(caller.account, **change))
    assert (answer.status, answer.body) == (400, {"non_field_errors": ["Unable to log in with provided credentials."]})


async def test_a_user_of_another_organization_gets_no_token_for_this_one(caller: Caller, api: ApiProcess) -> None:
    other = api.account("other")
    answer = await caller.call("POST", "/api/auth/login/", credentials(other, organization_id=caller.account.org))
    assert answer.status == 400


async def test_guessing_is_slowed_down(api: ApiProcess) -> None:
    account = api.account("guessed")
    async with Caller(api, account) as caller:
        for _ in range(3):
            assert (await caller.call("POST", "/api/auth/login/", credentials(account, password="x"))).status == 400
        slowed = await caller.call("POST", "/api/auth/login/", credentials(account))
        assert slowed.status == 429
        assert 1 <= int(slowed.headers["Retry-After"]) <= 60


async def test_the_admin_command(api: ApiProcess, caller: Caller) -> None:
    code = api.admin("create-organization", "Film & Co").strip()
    api.admin("create-user", "ann", "--organization", code, text="first password\n")
    answer = await caller.call(
        "POST", "/api/auth/login/", {"username": "ann", "password": "first password", "organization_id": code}
    )
    assert answer.status == 200
    token = api.admin("create-token", code, "--days", "1").split()[0]
    assert (await caller.call("GET", f"/api/v1/{code}/webhooks/", token=token)).status == 200
    api.admin("set-storage", code, text="s3://bucket/?access_key=AKSTORED&secret_key=SKSTORED\n")
    listed = api.admin("list")
    assert "Film & Co" in listed
    assert "ann" in listed
    assert "STORED" not in listed
    assert "0 in all" in api.admin("dead-letters")
    second = api.admin("create-organization", "Second", "--code", "second").strip()
    api.admin("create-user", "ann", "--organization", second)
    answer = await caller.call(
        "POST", "/api/auth/login/", {"username": "ann", "password": "first password", "organization_id": second}
    )
    assert answer.status == 200
    for wrong in (
        ["create-user", "bob", "--organization", "nobody"],
        ["create-token", "nobody"],
        ["set-storage", "nobody"],
    ):
        with pytest.raises(NotPossible, match="there is no organization nobody"):
            api.admin(*wrong, text="s3://bucket/?access_key=a&secret_key=b\n")
    with pytest.raises(NotPossible, match="already"):
        api.admin("create-organization", "Third", "--code", "second")


def test_the_admin_command_as_a_process(api: ApiProcess) -> None:
    def run(*arguments: str, text: str = "") -> subprocess.CompletedProcess[str]:
        command = [sys.executable, "-m", "services.api.admin", *arguments]
        return subprocess.run(
            command, input=text, capture_output=True, text=True, env=api.environment(), cwd=REPOSITORY, check=False
        )

    given = {"org_name": "P", "username": "process", "password": "p", "token": "ab" * 32, "storage_url": None}
    done = run("bootstrap", text=json.dumps(given))
    assert (done.returncode, done.stderr) == (0, "")
    printed = json.loads(done.stdout)
    assert printed == {"org_id": printed["org_id"], "username": "process", "token": "ab" * 32}
    done = run("create-token", "nobody")
    assert (done.returncode, done.stdout, done.stderr) == (1, "", "create-token: there is no organization nobody\n")


def test_bootstrap_twice_is_bootstrap_once(api: ApiProcess) -> None:
    first, second = api.account("again"), api.account("again")
    assert first.org == second.org
    assert first.token != second.token
