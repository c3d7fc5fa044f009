"""Tokens are listed, named and revoked, over HTTP and by the admin command; with a token end the streams that it has open."""

import asyncio
from collections.abc import Iterator
from uuid import uuid4

import aiohttp
import asyncpg
import pytest

from services.api.accounts.directory import NotPossible
from services.api.contract.responses import LiveToken
from tests.support.api import PASSWORD, Answer, ApiProcess, Caller


@pytest.fixture(scope="module")
def api(nats_url: str, database_url: str) -> Iterator[ApiProcess]:
    with ApiProcess(nats_url=nats_url, database_url=database_url, max_active_jobs=1) as process:
        yield process


async def login(caller: Caller, **more: object) -> Answer:
    known = {"username": caller.account.username, "password": PASSWORD, "organization_id": caller.account.org}
    return await caller.call("POST", "/api/auth/login/", known | more)


async def test_list_name_and_revoke(caller: Caller, api: ApiProcess) -> None:
    token = (await login(caller, token_name="bö laptop")).body["token"]
    assert (await login(caller, token_name="a\0b")).body == {"token_name": ["Use printable characters."]}
    listed = await caller.call("GET", "tokens/", token=token)
    first, second = listed.body["results"]
    assert LiveToken.model_validate(first)
    assert (first["name"], first["username"], first["current"]) == ("", None, False)
    assert (second["name"], second["username"], second["current"]) == ("bö laptop", "customer", True)
    assert token not in listed.text
    path = f"tokens/{second['id']}/"
    named = await caller.call("PUT", path, {"name": "build server"})
    assert named.body == second | {"name": "build server", "current": False}
    assert (await caller.call("GET", path)).body == named.body
    assert (await caller.call("PUT", path, {"nam": "x"})).status == 400
    async with Caller(api, api.account("stranger")) as stranger:
        for method, body in (("GET", None), ("PUT", {"name": "x"}), ("DELETE", None)):
            assert (await stranger.call(method, path, body)).status == 404
    assert (await caller.call("DELETE", path)).status == 204
    assert (await caller.call("GET", "tokens/", token=token)).status == 401
    for missing in (path, f"tokens/{uuid4()}/", "tokens/x/"):
        assert (await caller.call("DELETE", missing)).status == 404
    assert (await caller.call("GET", "tokens/?page_size=1")).body["count"] == 1


async def test_by_the_admin_command(caller: Caller, api: ApiProcess) -> None:
    org = caller.account.org
    token = api.admin("create-token", org, "--name", "ci").split()[0]
    row = next(line.split() for line in api.admin("list-tokens", org).splitlines() if " ci " in line)
    api.admin("name-token", org, row[0], "render farm")
    assert "render farm" in api.admin("list-tokens", org)
    assert token not in api.admin("list-tokens", org)
    api.admin("revoke-token", org, row[0])
    assert (await caller.call("GET", "tokens/", token=token)).status == 401
    for wrong in (["revoke-token", org, row[0]], ["name-token", org, row[0], "x"], ["list-tokens", "nobody"]):
        with pytest.raises(NotPossible):
            api.admin(*wrong)


@pytest.mark.parametrize("how", ["revoked", "logged out", "expired"])
async def test_a_stream_ends_with_its_token(caller: Caller, api: ApiProcess, database_url: str, how: str) -> None:
    job = await caller.created()
    token = (await login(caller)).body["token"]
    mine = (await caller.call("GET", "tokens/", token=token)).body["results"][-1]["id"]
    async with aiohttp.ClientSession() as session:

        async def follow(by: str) -> aiohttp.ClientResponse:
            address = f"{api.url}/api/v1/{caller.account.org}/transcoding_jobs/{job}/events/"
            response = await session.get(address, headers={"Authorization": f"Token {by}"})
            assert response.status == 200
            return response

        ending, staying = await follow(token), await follow(caller.account.token)
        if how == "revoked":
            assert (await caller.call("DELETE", f"tokens/{mine}/")).status == 204
        elif how == "logged out":
            assert (await caller.call("POST", "/api/auth/logout/", token=token)).status == 204
        else:
            connection = await asyncpg.connect(database_url)
            await connection.execute("update tokens set expires = now() where id = $1", mine)
            await connection.close()
        # Long before the job has ended.
        assert job in await asyncio.wait_for(ending.text(), 30)
        assert not staying.content.at_eof()
        await caller.call("DELETE", f"transcoding_jobs/{job}/")
        assert "cancelled" in await asyncio.wait_for(staying.text(), 30)
