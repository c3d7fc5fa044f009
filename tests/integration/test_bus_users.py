"""Bus users: over REST and by the admin command, on a NATS that asks the api about them; what they may, and all that they may not."""

import asyncio
import json
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Any, Self
from uuid import uuid4

import asyncpg
import pytest
from nats.aio.client import Client
from nats.aio.msg import Msg
from nats.errors import Error, NoRespondersError
from nats.errors import TimeoutError as NatsTimeoutError

from millrace_client import AsyncMillrace, NotFound
from services.api.contract.responses import BusUser, NewBusUser
from services.api.feed import connections
from services.api.feed.connections import MOST_SUBSCRIPTIONS
from services.api.feed.replay import FLOOD_A_MINUTE, MOST_EVENTS, MOST_REQUEST_BYTES
from shared.bus.joblog import JobLog
from shared.ids import new_job_id
from tests.integration.test_bus_permissions import PUBLISHES, SUBSCRIBES
from tests.support import samples
from tests.support.api import Account, ApiProcess, Caller
from tests.support.bus import tell
from tests.support.guarded_bus import SEED, GuardedBus, violations
from tests.support.observe import eventually
from tests.support.servers import PostgresServer, nats_server

USERS = 4
CONNECTIONS = 3


@pytest.fixture(scope="module")
def bus() -> Iterator[GuardedBus]:
    with GuardedBus() as server:
        yield server


@pytest.fixture(scope="module")
def api(bus: GuardedBus, database_url: str) -> Iterator[ApiProcess]:
    with api_on(bus, database_url) as process:
        yield process


def api_on(bus: GuardedBus, database_url: str) -> ApiProcess:
    return ApiProcess(
        nats_url=bus.url_of("api"),
        database_url=database_url,
        bus_issuer_seed=SEED,
        bus_system_url=bus.url_of("api-system"),
        bus_users_per_organization=USERS,
        bus_connections_per_user=CONNECTIONS,
    )


@pytest.fixture
def account(api: ApiProcess) -> Account:
    """A customer for each test, so that none is in another one's way."""
    return api.account(f"customer {uuid4()}")


@pytest.fixture
async def log(bus: GuardedBus, api: ApiProcess) -> AsyncIterator[JobLog]:
    client = await bus.connect()
    yield JobLog(client)
    await client.close()


@pytest.fixture
async def user(caller: Caller) -> dict[str, Any]:
    """A new bus user as the api shows it, with its password."""
    return await made(caller)


async def made(caller: Caller) -> dict[str, Any]:
    answer = await caller.call("POST", "bus_users/", {"name": "dashboard"})
    assert answer.status == 201, answer.text
    assert isinstance(answer.body, dict)
    return answer.body


async def login(bus: GuardedBus, user: dict[str, Any]) -> Client:
    return await bus.login(user["username"], user["password"], user["inbox_prefix"])


async def refuses(bus: GuardedBus, user: dict[str, Any]) -> None:
    await bus.refuses(user["username"], user["password"])


@dataclass
class Follower:
    """Follows as docs/events.md says: what comes is kept, what has been is asked for."""

    client: Client
    org: str
    live: list[tuple[int, dict[str, Any]]] = field(default_factory=list)

    async def listen(self) -> Self:
        await self.client.subscribe(f"feed.jobs.{self.org}.>", cb=self._hear)
        await self.client.flush()
        return self

    async def _hear(self, message: Msg) -> None:
        event = json.loads(message.data)
        # The api admits jobs whenever it comes to it.
        if event["type"] != "admitted":
            self.live.append((int((message.headers or {})["Nats-Sequence"]), event))

    async def replay(self, after: int = 0) -> dict[str, Any]:
        asked = json.dumps({"after": after}).encode()
        answer = await self.client.request(f"feed.replay.{self.org}", asked, timeout=10)
        found: dict[str, Any] = json.loads(answer.data)
        return found

    async def replay_all(self, after: int = 0) -> list[tuple[int, dict[str, Any]]]:
        found: list[tuple[int, dict[str, Any]]] = []
        more = True
        while more:
            answer = await self.replay(after)
            items = [(item["sequence"], item["event"]) for item in answer["events"]]
            found += [item for item in items if item[1]["type"] != "admitted"]
            after, more = answer["last"], answer["more"]
        return found


async def test_made_listed_rotated_and_revoked(caller: Caller, api: ApiProcess) -> None:
    answer = await caller.call("POST", "bus_users/", {"name": "dashboard"})
    new = NewBusUser.model_validate(answer.body)
    assert answer.headers["Location"].endswith(f"/bus_users/{new.id}/")
    assert new.username.startswith(f"{caller.account.org}-")
    path = f"bus_users/{new.id}/"
    shown = await caller.call("GET", path)
    assert BusUser.model_validate(shown.body)
    assert answer.body == shown.body | {"password": new.password}
    listed = await caller.call("GET", "bus_users/")
    assert listed.body["results"] == [shown.body]
    rotated = (await caller.call("POST", path + "rotate/")).body
    assert rotated["password"] != new.password
    assert rotated["rotated"] > rotated["created"] == shown.body["created"]
    async with Caller(api, api.account(f"stranger {uuid4()}")) as stranger:
        for method, where in (("GET", path), ("POST", path + "rotate/"), ("DELETE", path)):
            assert (await stranger.call(method, where)).status == 404
            assert (await stranger.call(method, f"/api/v1/{caller.account.org}/{where}")).status == 404
    for _ in range(USERS - 1):
        await made(caller)
    assert (await caller.call("POST", "bus_users/", {})).status == 403
    assert (await caller.call("DELETE", path)).status == 204
    assert (await caller.call("GET", path)).status == 404
    assert (await caller.call("DELETE", path)).status == 404
    assert (await caller.call("POST", "bus_users/", {"nam": "x"})).status == 400


async def test_nothing_but_a_hash_is_stored(user: dict[str, Any], postgres: PostgresServer, database_url: str) -> None:
    connection = await asyncpg.connect(database_url)
    rows = await connection.fetch("select bus_users::text as row from bus_users")
    await connection.close()
    assert any(user["username"] in row["row"] for row in rows)
    assert not any(user["password"] in row["row"] for row in rows)


async def test_without_a_key_there_are_none(database_url: str) -> None:
    with nats_server() as nats, ApiProcess(nats_url=nats.url, database_url=database_url) as api:
        async with Caller(api, api.account(f"customer {uuid4()}")) as caller:
            for method, path in (("POST", "bus_users/"), ("GET", "bus_users/"), ("DELETE", f"bus_users/{uuid4()}/")):
                answer = await caller.call(method, path, {} if method == "POST" else None)
                assert answer.status == 403
                assert "not set up" in answer.body["detail"]


async def test_everything_but_its_own_feed_is_refused(bus: GuardedBus, user: dict[str, Any], caller: Caller) -> None:
    org, other = caller.account.org, await made(caller)
    client = await login(bus, user)
    foreign = {
        "feed.replay.abc123",
        f"feed.replay.{org}.x",
        f"progress.{org}.5KQfnXCg8Qh.fetch",
        f"feed.jobs.{org}.x.created",
    }
    own = f"feed.replay.{org}"
    refused = await violations(client, publishes=[*PUBLISHES, *foreign, f"{other['inbox_prefix']}.x", own])
    assert refused == {subject.lower() for subject in (*PUBLISHES, *foreign, f"{other['inbox_prefix']}.x")}
    allowed = {f"feed.jobs.{org}.>", f"feed.jobs.{org}.*.end.*", f"progress.{org}.>", f"waiting.{org}.x.>"}
    foreign = {
        "feed.>",
        "feed.jobs.>",
        "feed.jobs.*.*.created",
        "feed.jobs.abc123.>",
        "progress.abc123.>",
        "waiting.abc123.>",
        f"jobs.{org}.>",
        f"deliveries.{org}.>",
        f"feed.replay.{org}",
        f"{other['inbox_prefix']}.>",
    }
    refused = await violations(client, subscribes=[*SUBSCRIBES, *foreign, *allowed])
    assert refused == {subject.lower() for subject in (*SUBSCRIBES, *foreign)}
    await client.close()


async def test_jetstream_is_out_of_reach(bus: GuardedBus, user: dict[str, Any]) -> None:
    client = await login(bus, user)
    js = client.jetstream(timeout=1)
    for attempt in (js.account_info, lambda: js.add_stream(name="OWN"), lambda: js.stream_info("JOBS")):
        with pytest.raises(Error):
            await attempt()
    with pytest.raises(Error):
        await js.subscribe("jobs.>", stream="JOBS", ordered_consumer=True)
    operator = await bus.connect()
    names = {stream.config.name for stream in await operator.jetstream().streams_info()}
    assert "OWN" not in names
    await operator.close()
    await client.close()


async def test_it_hears_its_own_organization_live_and_replayed(
    bus: GuardedBus, user: dict[str, Any], caller: Caller, log: JobLog
) -> None:
    org = caller.account.org
    before = await tell(log, [samples.created(new_job_id(), org), samples.created(new_job_id(), "other0")])
    follower = await Follower(await login(bus, user), org).listen()
    job = new_job_id()
    after = await tell(
        log, [samples.created(job, org), samples.created(new_job_id(), "other0"), samples.completed(job, org)]
    )
    await eventually(lambda: len(follower.live) == 2, "both are heard")
    told = [(item.sequence, item.event.model_dump(mode="json")) for item in before + after if item.event.org == org]
    assert follower.live == told[1:]
    assert await follower.replay_all() == told
    assert await follower.replay_all(told[0][0]) == told[1:]
    far = 2**40
    assert await follower.replay(far) == {"events": [], "last": far, "more": False}
    await follower.client.close()


async def test_a_replay_comes_in_bounded_batches(
    bus: GuardedBus, user: dict[str, Any], caller: Caller, log: JobLog
) -> None:
    org = caller.account.org
    large = "x" * 100_000
    for number in range(MOST_EVENTS + 10):
        await log.append(samples.created(new_job_id(), org, client_metadata=large if number < 6 else None))
    follower = Follower(await login(bus, user), org)
    batches, after, more = [], 0, True
    while more:
        answer = await follower.replay(after)
        batches.append(answer["events"])
        after, more = answer["last"], answer["more"]
    assert max(map(len, batches)) <= MOST_EVENTS
    # Small events of their admissions may stand between the large ones, of which MOST_BYTES are less than three.
    assert sum(item["event"]["type"] == "created" for item in batches[0]) <= 3
    found = await follower.replay_all()
    assert all(first < second for (first, _), (second, _) in pairwise(found))
    assert sum(event["type"] == "created" for _, event in found) == MOST_EVENTS + 10
    await follower.client.close()


async def test_a_wrong_request_is_answered_with_a_sentence(
    bus: GuardedBus, user: dict[str, Any], caller: Caller
) -> None:
    client = await login(bus, user)
    for text in (b"x", b"[]", b'{"after": -1}', b'{"after": "1"}', b'{"after": true}', b'{"after": 1e400}', b"\xff"):
        answer = await client.request(f"feed.replay.{caller.account.org}", text, timeout=10)
        assert "Send JSON" in json.loads(answer.data)["error"], text
    assert json.loads((await client.request(f"feed.replay.{caller.account.org}", b"", timeout=10)).data)["last"] == 0
    await client.close()


async def test_a_reply_goes_nowhere_but_to_an_inbox_of_the_organization(
    bus: GuardedBus, user: dict[str, Any], caller: Caller, api: ApiProcess
) -> None:
    org, heard = caller.account.org, []
    operator = await bus.connect()

    async def hear(message: Msg) -> None:
        heard.append(message.subject)

    elsewhere = (
        f"jobs.{org}.5KQfnXCg8Qh.created",
        f"$KV.secrets.{org}.x",
        "_INBOX.other0-0123456789.x",
        f"_INBOX.{org}",
        "_INBOX_api.x",
    )
    for subject in elsewhere:
        await operator.subscribe(subject, cb=hear)
    await operator.flush()
    follower = Follower(await login(bus, user), org)
    for subject in elsewhere:
        await follower.client.publish(f"feed.replay.{org}", b"", reply=subject)
    # Answered after those would have been.
    await follower.replay()
    await operator.flush()
    assert heard == []
    await follower.client.close()
    await operator.close()


async def test_what_subscribes_too_often_is_disconnected(bus: GuardedBus, user: dict[str, Any], caller: Caller) -> None:
    client = await login(bus, user)
    for _ in range(MOST_SUBSCRIPTIONS + 1):
        await client.subscribe(f"feed.jobs.{caller.account.org}.>")
    await eventually(lambda: client.is_closed, "it is disconnected", seconds=30)


async def test_large_requests_are_refused_and_some_of_them_are_a_flood(
    bus: GuardedBus, user: dict[str, Any], caller: Caller
) -> None:
    client = await login(bus, user)
    answer = await client.request(f"feed.replay.{caller.account.org}", bytes(100_000), timeout=10)
    assert "Send JSON" in json.loads(answer.data)["error"]
    for _ in range(7):
        await client.publish(f"feed.replay.{caller.account.org}", bytes(1_000_000), reply=f"{user['inbox_prefix']}.x")
    await eventually(lambda: client.is_closed, "it is disconnected", seconds=30)


async def test_connections_have_a_limit_and_make_room(bus: GuardedBus, user: dict[str, Any]) -> None:
    clients = [await login(bus, user) for _ in range(CONNECTIONS)]
    await refuses(bus, user)
    assert all(client.is_connected for client in clients)
    await clients[0].close()

    async def again() -> bool:
        try:
            clients.append(await login(bus, user))
        except Error:
            return False
        return True

    await eventually(again, "there is room again")
    for client in clients[1:]:
        await client.close()


async def test_all_connections_are_seen_however_many_answers_they_take(
    bus: GuardedBus, user: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(connections, "PAGE", 2)
    clients = [await bus.connect_as("fetcher") for _ in range(3)] + [await login(bus, user) for _ in range(CONNECTIONS)]
    system = await bus.connect_as("api-system")
    held = await connections.connections_of_bus_users(system)
    assert [each.username for each in held].count(user["username"]) == CONNECTIONS
    assert len({(each.server, each.number) for each in held}) == len(held)
    for client in (*clients, system):
        await client.close()


@pytest.mark.parametrize("by_command", [False, True])
async def test_a_revoked_user_is_disconnected_and_kept_out(
    bus: GuardedBus, caller: Caller, api: ApiProcess, by_command: bool
) -> None:
    user, other = await made(caller), await made(caller)
    client, stays = await login(bus, user), await login(bus, other)
    if by_command:
        listed = await asyncio.to_thread(api.admin, "list-bus-users", caller.account.org)
        assert user["username"] in listed
        await asyncio.to_thread(api.admin, "revoke-bus-user", caller.account.org, user["id"])
    else:
        assert (await caller.call("DELETE", f"bus_users/{user['id']}/")).status == 204
    await refuses(bus, user)
    await eventually(lambda: client.is_closed, "its connection ends", seconds=30)
    assert stays.is_connected
    await stays.close()


@pytest.mark.parametrize("by_command", [False, True])
async def test_with_a_new_password_the_old_connections_end(
    bus: GuardedBus, caller: Caller, api: ApiProcess, user: dict[str, Any], by_command: bool
) -> None:
    client = await login(bus, user)
    if by_command:
        printed = await asyncio.to_thread(api.admin, "rotate-bus-user", caller.account.org, user["id"])
        username, password = printed.split()
        assert username == user["username"]
    else:
        password = (await caller.call("POST", f"bus_users/{user['id']}/rotate/")).body["password"]
    await refuses(bus, user)
    await eventually(lambda: client.is_closed, "the old connection ends", seconds=30)
    renewed = await login(bus, user | {"password": password})
    await Follower(renewed, caller.account.org).replay()
    await renewed.close()


async def test_one_that_the_command_has_made_can_log_in(bus: GuardedBus, caller: Caller, api: ApiProcess) -> None:
    printed = await asyncio.to_thread(api.admin, "create-bus-user", caller.account.org, "--name", "mine")
    username, password = printed.split()
    client = await bus.login(username, password, f"_INBOX.{username}")
    assert (await Follower(client, caller.account.org).replay())["events"] == []
    await client.close()


async def test_whoever_floods_is_disconnected_and_others_are_served(
    bus: GuardedBus, user: dict[str, Any], caller: Caller, api: ApiProcess
) -> None:
    flooding = await login(bus, user)
    async with Caller(api, api.account(f"other {uuid4()}")) as neighbour:
        other = Follower(await login(bus, await made(neighbour)), neighbour.account.org)
        # Large ones count as many, so that a slow machine forgives none meanwhile.
        request = bytes(64 * MOST_REQUEST_BYTES)
        for number in range(FLOOD_A_MINUTE // 64 * 2):
            if flooding.is_closed:
                break
            await flooding.publish(f"feed.replay.{caller.account.org}", request, reply=f"{user['inbox_prefix']}.x")
            if number % 32 == 0:
                assert (await other.replay())["last"] == 0
        await eventually(lambda: flooding.is_closed, "it is disconnected", seconds=30)
        await refuses(bus, user)
        assert (await other.replay())["last"] == 0
        await other.client.close()


async def test_while_the_api_is_away_services_connect_and_listeners_stay(
    bus: GuardedBus, user: dict[str, Any], caller: Caller, api: ApiProcess, log: JobLog
) -> None:
    follower = await Follower(await login(bus, user), caller.account.org).listen()
    api.kill()
    try:
        await (await bus.connect_as("fetcher")).close()
        await refuses(bus, user)
        with pytest.raises((NoRespondersError, NatsTimeoutError)):
            await follower.replay()
        await tell(log, [samples.created(new_job_id(), caller.account.org)])
        await eventually(lambda: len(follower.live) == 1, "it still hears")
    finally:
        api.start()
    await eventually(lambda: _can_log_in(bus, user), "it can log in again")
    assert await follower.replay_all() == follower.live
    await follower.client.close()


async def _can_log_in(bus: GuardedBus, user: dict[str, Any]) -> bool:
    try:
        await (await login(bus, user)).close()
    except Error:
        return False
    return True


async def test_by_the_python_client(api: ApiProcess, account: Account, bus: GuardedBus) -> None:
    async with AsyncMillrace(api.url, account.org, account.token) as millrace:
        users = millrace.bus_users
        user = await users.create("dashboard")
        assert user.password not in repr(user)
        await (await bus.login(user.username, user.password, user.inbox_prefix)).close()
        rotated = await users.rotate(user)
        assert rotated.password != user.password
        await bus.refuses(user.username, user.password)
        assert [each.name async for each in users.list()] == [(await users.get(user.id)).name] == ["dashboard"]
        await users.revoke(user)
        with pytest.raises(NotFound):
            await users.get(user)
