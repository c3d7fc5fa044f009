"""Browser sessions: the cookie, what has to come beside it, and how a session ends."""

import asyncio
from collections.abc import Iterator

import aiohttp
import asyncpg
import pytest
from yarl import URL

from services.api.accounts.browser_sessions import MOST_SESSIONS
from tests.support.api import PASSWORD, ApiProcess, Caller
from tests.support.browser import PATH, Browser

FAILURES = 3


@pytest.fixture(scope="module")
def api(nats_url: str, database_url: str) -> Iterator[ApiProcess]:
    with ApiProcess(nats_url=nats_url, database_url=database_url, login_failures_per_minute=FAILURES) as process:
        yield process


@pytest.fixture
async def browser(caller: Caller) -> Browser:
    browser = Browser(caller)
    assert (await browser.log_in()).status == 200
    return browser


async def test_a_login_sets_a_cookie_that_works_as_a_token_does(
    caller: Caller, database: "asyncpg.Connection[asyncpg.Record]"
) -> None:
    browser = Browser(caller)
    answer = await browser.log_in()
    assert answer.status == 200
    assert answer.body["username"] == caller.account.username
    assert answer.body["organizations"] == [{"id": caller.account.org, "name": "customer", "role": "admin"}]
    assert answer.body["operator"] is False
    attributes = {part.strip().lower() for part in answer.headers["Set-Cookie"].split(";")[1:]}
    assert {"httponly", "samesite=strict", "path=/"} < attributes
    assert "secure" not in attributes
    assert (await browser.call("GET", PATH)).body == answer.body
    created = await browser.call("POST", "webhooks/", {"url": "https://example.com/hook"})
    assert created.status == 201
    assert (await browser.call("GET", "webhooks/")).body["count"] == 1
    assert (await browser.call("DELETE", f"webhooks/{created.body['id']}/")).status == 204
    stored = repr(await database.fetch("select * from browser_sessions"))
    assert browser.cookie not in stored
    assert browser.csrf not in stored
    assert browser.csrf != browser.cookie


async def test_https_is_known_by_the_public_address(nats_url: str, database_url: str) -> None:
    with ApiProcess(nats_url=nats_url, database_url=database_url, public_url="https://video.example.com") as api:
        async with Caller(api, api.account("secure")) as caller:
            browser = Browser(caller)
            answer = await browser.log_in(headers={"Origin": "https://video.example.com"})
            assert answer.status == 200
            assert "Secure" in answer.headers["Set-Cookie"]


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE"])
async def test_what_changes_something_needs_the_csrf_token(browser: Browser, method: str) -> None:
    path = "webhooks/" if method == "POST" else "webhooks/00000000-0000-0000-0000-000000000000/"
    for headers in ({}, {"X-CSRF-Token": ""}, {"X-CSRF-Token": "0" * 64}, {"X-CSRF-Token": browser.cookie}):
        refused = await browser.call(method, path, {"url": "https://example.com/"}, csrf=False, headers=headers)
        assert refused.status == 403
        assert "X-CSRF-Token" in refused.body["detail"]
    assert (await browser.call("GET", "webhooks/", csrf=False)).body["count"] == 0
    assert (await browser.call("DELETE", PATH, csrf=False)).status == 403
    assert (await browser.call("POST", "/api/auth/logout/", csrf=False)).status == 403
    assert (await browser.call("GET", PATH)).status == 200


@pytest.mark.parametrize(
    "headers",
    [
        {"Origin": "https://evil.example.com"},
        {"Origin": "null"},
        {"Sec-Fetch-Site": "cross-site"},
        {"Sec-Fetch-Site": "same-site"},
    ],
)
async def test_pages_of_other_origins_are_refused(browser: Browser, headers: dict[str, str]) -> None:
    for method, path in (("POST", "webhooks/"), ("POST", PATH), ("DELETE", PATH)):
        refused = await browser.call(method, path, {"url": "https://example.com/"}, headers=headers)
        assert refused.status == 403
        assert "another origin" in refused.body["detail"]
    assert (await browser.log_in(headers)).status == 403


@pytest.mark.parametrize(
    ("cookie", "headers", "status"),
    [
        (b"", b"X-CSRF-Token: \xff\r\n", 403),
        (b"", b"Origin: http://[\r\n", 403),
        (b"", b"Origin: \xff\r\n", 403),
        (b"\xff", b"", 401),
    ],
)
async def test_headers_that_no_browser_sends_are_refused(
    browser: Browser, api: ApiProcess, cookie: bytes, headers: bytes, status: int
) -> None:
    address = URL(api.url)
    reader, writer = await asyncio.open_connection(address.host, address.port)
    cookie = cookie or browser.cookie.encode()
    head = b"DELETE %s HTTP/1.1\r\nHost: %s\r\nConnection: close\r\n" % (PATH.encode(), address.authority.encode())
    writer.write(head + b"Cookie: millrace_session=%s\r\n%s\r\n" % (cookie, headers))
    answer = await reader.read()
    writer.close()
    assert answer.startswith(b"HTTP/1.1 %d " % status), answer


async def test_our_own_pages_are_not(browser: Browser, api: ApiProcess) -> None:
    for headers in ({"Origin": api.url}, {"Sec-Fetch-Site": "same-origin", "Origin": "https://renamed.by.a.proxy"}):
        created = await browser.call("POST", "webhooks/", {"url": "https://example.com/hook"}, headers=headers)
        assert created.status == 201
        await browser.call("DELETE", f"webhooks/{created.body['id']}/")


async def test_a_cookie_from_before_the_login_is_never_taken_over(caller: Caller) -> None:
    browser = Browser(caller)
    browser.cookie = planted = "a" * 64
    await browser.log_in()
    assert browser.cookie != planted
    first, first_csrf = browser.cookie, browser.csrf
    await browser.log_in()
    assert browser.cookie != first
    after, browser.cookie, browser.csrf = browser.cookie, first, first_csrf
    assert (await browser.call("GET", PATH)).status == 401
    browser.cookie = planted
    assert (await browser.call("GET", PATH)).status == 401
    browser.cookie = after
    assert (await browser.call("GET", PATH)).status == 200


@pytest.mark.parametrize("how", ["session", "logout", "expired"])
async def test_a_session_that_has_ended_is_none(
    browser: Browser, database: "asyncpg.Connection[asyncpg.Record]", how: str
) -> None:
    if how == "expired":
        await database.execute("update browser_sessions set expires = now()")
    elif how == "session":
        gone = await browser.call("DELETE", PATH)
        assert (gone.status, gone.text) == (204, "")
        assert "Max-Age=0" in gone.headers["Set-Cookie"]
    else:
        assert (await browser.call("POST", "/api/auth/logout/")).status == 204
    for method, path in (("GET", PATH), ("GET", "webhooks/"), ("POST", "webhooks/"), ("DELETE", PATH)):
        answer = await browser.call(method, path)
        assert (answer.status, answer.body) == (401, {"detail": "This session has ended. Log in again."})
        assert "WWW-Authenticate" in answer.headers


async def test_a_session_lives_on_while_it_is_used_up_to_its_end(
    browser: Browser, database: "asyncpg.Connection[asyncpg.Record]"
) -> None:
    async def left() -> float:
        left = await database.fetchval("select extract(epoch from max(expires) - now()) / 3600 from browser_sessions")
        return float(left)

    await database.execute("update browser_sessions set expires = now() + interval '1 hour'")
    await browser.call("GET", "webhooks/")
    assert 11.9 < await left() < 12.1
    await database.execute(
        "update browser_sessions set expires = now() + interval '1 h', ends = now() + interval '2 h'"
    )
    await browser.call("GET", "webhooks/")
    assert 1.9 < await left() < 2.1


async def test_a_session_of_a_token_is_for_its_organization_and_ends_with_it(caller: Caller, api: ApiProcess) -> None:
    token = api.admin("create-token", caller.account.org).split()[0]
    begun = await caller.call("POST", PATH, token=token)
    assert begun.status == 200
    assert begun.body["username"] is None
    assert [one["id"] for one in begun.body["organizations"]] == [caller.account.org]
    browser = Browser(caller)
    browser.take(begun)
    assert (await browser.call("GET", "tokens/")).status == 200
    assert (await browser.call("GET", "/api/v1/nobody/tokens/")).status == 404
    assert (await caller.call("POST", PATH, {"username": "x", "password": "y"}, token=token)).status == 400
    assert (await caller.call("POST", "/api/auth/logout/", token=token)).status == 204
    assert (await browser.call("GET", "tokens/")).status == 401
    assert (await caller.call("POST", PATH, token=token)).status == 401


async def test_a_user_has_all_of_his_organizations_in_one_session(caller: Caller, api: ApiProcess) -> None:
    second = api.admin("create-organization", "A second one").strip()
    api.admin("create-user", caller.account.username, "--organization", second)
    browser = Browser(caller)
    shown = await browser.log_in()
    assert [(one["id"], one["name"]) for one in shown.body["organizations"]] == [
        (second, "A second one"),
        (caller.account.org, "customer"),
    ]
    for org, status in ((second, 200), (caller.account.org, 200), (api.account("stranger").org, 404)):
        assert (await browser.call("GET", f"/api/v1/{org}/transcoding_jobs/")).status == status
    # The token of a login is for one alone.
    token = (
        await caller.call(
            "POST",
            "/api/auth/login/",
            {"username": caller.account.username, "password": PASSWORD, "organization_id": second},
        )
    ).body["token"]
    begun = await caller.call("POST", PATH, token=token)
    assert [one["id"] for one in begun.body["organizations"]] == [second]
    assert begun.body["username"] == caller.account.username


async def test_wrong_credentials_have_one_answer_and_are_slowed_down(api: ApiProcess) -> None:
    async with Caller(api, api.account("guessed")) as caller:
        browser = Browser(caller)
        for username, password in (("nobody", PASSWORD), *[("guessed", "wrong")] * FAILURES):
            answer = await browser.log_in(username=username, password=password)
            assert (answer.status, answer.body) == (
                400,
                {"non_field_errors": ["Unable to log in with provided credentials."]},
            )
            assert "Set-Cookie" not in answer.headers
        slowed = await browser.log_in()
        assert slowed.status == 429
        assert 1 <= int(slowed.headers["Retry-After"]) <= 60
        for body in ({}, {"username": "guessed"}, {"password": "x"}):
            assert (await browser.call("POST", PATH, body)).status == 400


async def test_at_most_so_many_sessions_of_which_the_oldest_ends(
    api: ApiProcess, database: "asyncpg.Connection[asyncpg.Record]"
) -> None:
    account = api.account("forgetful")
    async with Caller(api, account) as caller:
        sessions = [Browser(caller) for _ in range(MOST_SESSIONS + 1)]
        for begun in sessions:
            begun.take(await caller.call("POST", PATH))
        statuses = [(await begun.call("GET", PATH)).status for begun in sessions]
        assert statuses == [401] + [200] * MOST_SESSIONS


@pytest.mark.parametrize("how", ["logged out", "out of the organization"])
async def test_a_stream_ends_with_its_session(
    api: ApiProcess, database: "asyncpg.Connection[asyncpg.Record]", how: str
) -> None:
    async with Caller(api, api.account(how)) as caller, aiohttp.ClientSession() as session:
        browser = Browser(caller)
        await browser.log_in()
        job = await caller.created()
        address = f"{api.url}/api/v1/{caller.account.org}/transcoding_jobs/{job}/events/"
        by_token = {"Authorization": f"Token {caller.account.token}"}
        async with (
            session.get(address, headers=browser.headers) as ending,
            session.get(address, headers=by_token) as staying,
        ):
            assert ending.status == staying.status == 200
            if how == "logged out":
                assert (await browser.call("DELETE", PATH)).status == 204
            else:
                await database.execute("delete from memberships where org = $1", caller.account.org)
            # Long before the job has ended.
            assert job in await asyncio.wait_for(ending.text(), 30)
            assert not staying.content.at_eof()
            await caller.call("DELETE", f"transcoding_jobs/{job}/")
            assert "cancelled" in await asyncio.wait_for(staying.text(), 30)
