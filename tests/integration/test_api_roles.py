"""Roles: who may call what, who is in an organization, and what becomes of tokens and sessions when that changes."""

import asyncio
import json
from collections.abc import AsyncIterator, Iterator
from contextlib import AsyncExitStack
from dataclasses import dataclass
from datetime import timedelta

import asyncpg
import pytest

from services.api.accounts import directory
from services.api.accounts.issuing import issue_token
from services.api.accounts.passwords import Passwords
from services.api.contract.account_models import Member, Organization
from services.api.contract.roles import ORGANIZATION_ROLES, Needed
from services.api.http.operations import OPERATIONS
from tests.support.api import PASSWORD, Account, Answer, ApiProcess, Caller
from tests.support.browser import PATH, Browser

NEW_PASSWORD = "battery staple horse"
BELOW: dict[Needed, str] = {"member": "viewer", "admin": "member", "operator": "admin"}
"""The role that is just not enough."""


@pytest.fixture(scope="module")
def api(nats_url: str, database_url: str) -> Iterator[ApiProcess]:
    with ApiProcess(nats_url=nats_url, database_url=database_url, tokens_per_organization=1000) as process:
        yield process


@dataclass
class Staff:
    """An organization with a caller for each role, each by a token of a login."""

    org: str
    viewer: Caller
    member: Caller
    admin: Caller

    def of(self, role: str) -> Caller:
        caller: Caller = getattr(self, role)
        return caller


async def login(caller: Caller, org: str, username: str, password: str = PASSWORD) -> Answer:
    given = {"username": username, "password": password, "organization_id": org}
    return await caller.call("POST", "/api/auth/login/", given, anonymous=True)


@pytest.fixture(scope="module")
def password_hash() -> str:
    """Made once, since it takes a while by design."""
    return asyncio.run(Passwords().hash(PASSWORD))


@pytest.fixture
async def staff(
    api: ApiProcess, database: "asyncpg.Connection[asyncpg.Record]", password_hash: str
) -> AsyncIterator[Staff]:
    """People of an organization of their own."""
    async with AsyncExitStack() as stack:
        callers = {}
        org = await directory.add_organization(database, "Staff", None)
        for role in ORGANIZATION_ROLES:
            username = f"{role}-{org}"
            await directory.add_user(database, username, password_hash, org, role)
            user = await directory.find_user(database, username)
            async with database.transaction():
                token = (await issue_token(database, org, user, timedelta(days=1), 1000)).token
            callers[role] = await stack.enter_async_context(Caller(api, Account(org, username, token)))
        yield Staff(org, **callers)


def address(path: str, org: str) -> str:
    """A path of the document with something in each place."""
    text = path.replace("{org}", org)
    for place in ("token", "bus_user", "hook"):
        text = text.replace(f"{{{place}}}", "00000000-0000-0000-0000-000000000000")
    return text.replace("{delivery}", "1").replace("{", "").replace("}", "")


async def test_every_operation_asks_for_its_role(staff: Staff) -> None:
    refused = 0
    for operation in OPERATIONS:
        if operation.role not in BELOW:
            continue
        caller = staff.of(BELOW[operation.role])
        answer = await caller.call(operation.method.upper(), address(operation.path, staff.org))
        assert answer.status == 403, operation
        assert f'needs the role "{operation.role}"' in answer.body["detail"], operation
        refused += 1
    assert refused > 15


async def test_a_role_is_enough_for_what_it_is_needed_for(staff: Staff) -> None:
    for operation in OPERATIONS:
        # Of the streams none ends here, and logging out is no question of roles.
        if operation.role in ORGANIZATION_ROLES and "events" not in operation.path:
            answer = await staff.of(operation.role).call(operation.method.upper(), address(operation.path, staff.org))
            # This server has no bus users, for nobody.
            assert answer.status != 403 or operation.tag == "Bus users", operation
            assert "needs the role" not in answer.text


async def test_another_organization_is_not_there_for_anybody(staff: Staff, caller: Caller) -> None:
    for operation in OPERATIONS:
        if operation.role not in (None, "anyone") and "{org}" in operation.path:
            for stranger in (caller, staff.viewer):
                org = staff.org if stranger is caller else caller.account.org
                answer = await stranger.call(operation.method.upper(), address(operation.path, org))
                assert (answer.status, answer.body) == (404, {"detail": "Not found."}), operation


async def test_sessions_have_the_role_of_their_user(staff: Staff) -> None:
    browser = Browser(staff.viewer)
    shown = await browser.log_in()
    assert shown.body["organizations"] == [{"id": staff.org, "name": "Staff", "role": "viewer"}]
    assert (await browser.call("GET", "transcoding_jobs/")).status == 200
    refused = await browser.call("POST", "transcoding_jobs/", {})
    assert (refused.status, refused.body["detail"]) == (
        403,
        'This needs the role "member", and yours in this organization is viewer. An admin of the organization can give it.',
    )
    listed = (await browser.call("GET", "/api/v1/organizations/")).body
    assert (listed["count"], [(one["uuid"], one["role"]) for one in listed["results"]]) == (1, [(staff.org, "viewer")])


async def test_members_are_let_in_changed_and_taken_out(staff: Staff, api: ApiProcess) -> None:
    name = f"ann@{staff.org}"
    path = f"members/{name}/"
    added = await staff.admin.call("POST", "members/", {"username": name, "role": "viewer", "password": NEW_PASSWORD})
    assert added.status == 201, added.text
    assert added.body == {"username": name, "role": "viewer", "current": False}
    assert added.headers["Location"] == f"{api.url}/api/v1/{staff.org}/{path}"
    listed = (await staff.viewer.call("GET", "members/")).body
    assert [Member.model_validate(one).username for one in listed["results"]] == sorted(
        [name, *(f"{role}-{staff.org}" for role in ORGANIZATION_ROLES)]
    )
    assert [one["username"] for one in listed["results"] if one["current"]] == [staff.viewer.account.username]
    assert (await staff.viewer.call("GET", path)).body == added.body
    token = (await login(staff.admin, staff.org, name, NEW_PASSWORD)).body["token"]
    browser = Browser(staff.admin)
    await browser.log_in(username=name, password=NEW_PASSWORD)
    # A role holds from the next request on.
    for role, status in (("member", 400), ("viewer", 403), ("admin", 400)):
        changed = await staff.admin.call("PATCH", path, {"role": role})
        assert (changed.status, changed.body["role"]) == (200, role)
        assert (await staff.admin.call("POST", "webhooks/", {}, token=token)).status == status
        assert (await browser.call("POST", "webhooks/", {})).status == status
    assert (await staff.admin.call("DELETE", path)).status == 204
    assert (await staff.admin.call("GET", "webhooks/", token=token)).status == 401
    assert (await browser.call("GET", "webhooks/")).status == 404
    assert (await login(staff.admin, staff.org, name, NEW_PASSWORD)).status == 400
    for method, body in (("GET", None), ("PATCH", {"role": "viewer"}), ("DELETE", None)):
        assert (await staff.admin.call(method, path, body)).status == 404


async def test_an_account_is_let_in_without_a_password_and_made_with_one(
    staff: Staff, caller: Caller, database: "asyncpg.Connection[asyncpg.Record]"
) -> None:
    stored = await database.fetchval("select password_hash from users where username = 'customer'")
    for body, field in (
        ({"username": "customer", "role": "member", "password": NEW_PASSWORD}, "password"),
        ({"username": "nobody at all", "role": "member"}, "password"),
        ({"username": "with a space", "role": "member", "password": NEW_PASSWORD}, "username"),
        ({"username": "short", "role": "member", "password": "short"}, "password"),
        ({"username": "a\0b", "role": "member"}, "password"),
        ({"username": staff.viewer.account.username, "role": "admin"}, "username"),
        ({"username": "customer", "role": "operator"}, "role"),
        ({"username": "customer", "role": "member", "operator": True}, "operator"),
        ({"username": "customer"}, "role"),
    ):
        refused = await staff.admin.call("POST", "members/", body)
        assert (refused.status, list(refused.body)) == (400, [field]), body
    assert await database.fetchval("select password_hash from users where username = 'customer'") == stored
    assert (await staff.admin.call("POST", "members/", {"username": "customer", "role": "member"})).status == 201
    assert (await login(caller, staff.org, "customer")).status == 200
    assert (await staff.admin.call("PATCH", "members/customer/", {"role": "operator"})).status == 400
    # He stays in his own organization, whatever becomes of him here.
    assert (await staff.admin.call("DELETE", "members/customer/")).status == 204
    assert (await caller.call("GET", "transcoding_jobs/")).status == 200


async def test_an_organization_keeps_an_admin(staff: Staff) -> None:
    own = f"members/{staff.admin.account.username}/"
    for method, body in (("PATCH", {"role": "member"}), ("DELETE", None)):
        refused = await staff.admin.call(method, own, body)
        assert refused.status == 409
        assert "last admin" in refused.body["detail"]
    assert (await staff.admin.call("PATCH", own, {"role": "admin"})).status == 200
    other = f"members/{staff.member.account.username}/"
    assert (await staff.admin.call("PATCH", other, {"role": "admin"})).status == 200
    # Both at once: one of them stays.
    statuses = await asyncio.gather(
        *(caller.call("DELETE", path) for caller, path in ((staff.admin, other), (staff.member, own)))
    )
    assert sorted(answer.status for answer in statuses)[0] == 204
    listed = (await staff.viewer.call("GET", "members/")).body["results"]
    assert [one["role"] for one in listed].count("admin") == 1


async def test_others_than_admins_see_their_own_tokens_alone(staff: Staff) -> None:
    everything = (await staff.admin.call("GET", "tokens/")).body["results"]
    assert [one["role"] for one in everything] == [*ORGANIZATION_ROLES]
    mine = (await staff.viewer.call("GET", "tokens/")).body["results"]
    assert [(one["username"], one["current"]) for one in mine] == [(staff.viewer.account.username, True)]
    foreign = f"tokens/{everything[2]['id']}/"
    for method, body in (("GET", None), ("PUT", {"name": "x"}), ("DELETE", None)):
        assert (await staff.viewer.call(method, foreign, body)).status == 404
    assert (await staff.viewer.call("PUT", f"tokens/{mine[0]['id']}/", {"name": "mine"})).body["name"] == "mine"
    assert (await staff.admin.call("DELETE", f"tokens/{mine[0]['id']}/")).status == 204
    assert (await staff.viewer.call("GET", "tokens/")).status == 401


async def test_admins_make_tokens_for_programs(staff: Staff, api: ApiProcess) -> None:
    made = await staff.admin.call("POST", "tokens/", {"name": "ci", "role": "viewer", "days": 1})
    assert (made.status, made.body["name"], made.body["role"]) == (201, "ci", "viewer")
    assert made.headers["Location"] == f"{api.url}/api/v1/{staff.org}/tokens/{made.body['id']}/"
    token = made.body["token"]
    assert (await staff.admin.call("GET", "webhooks/", token=token)).status == 200
    assert (await staff.admin.call("POST", "webhooks/", {}, token=token)).status == 403
    (own,) = (await staff.admin.call("GET", "tokens/", token=token)).body["results"]
    assert (own["id"], own["username"], own["current"]) == (made.body["id"], None, True)
    for wrong in ({"role": "operator"}, {"days": 0}, {"days": 5000}, {"operator": True}):
        assert (await staff.admin.call("POST", "tokens/", wrong)).status == 400
    # It is not its maker's: who goes leaves it behind.
    await staff.admin.call("PATCH", f"members/{staff.member.account.username}/", {"role": "admin"})
    assert (await staff.member.call("DELETE", f"members/{staff.admin.account.username}/")).status == 204
    assert (await staff.member.call("GET", "webhooks/", token=token)).status == 200


async def test_secrets_are_for_those_who_may_use_them(staff: Staff) -> None:
    hook = (await staff.member.call("POST", "webhooks/", {"url": "https://example.com/hook"})).body
    for path in ("webhooks/", f"webhooks/{hook['id']}/"):
        seen = await staff.viewer.call("GET", path)
        assert hook["secret_token"] not in seen.text
        assert "<secret_token>" in seen.text
        assert hook["secret_token"] in (await staff.member.call("GET", path)).text
    for role, shown in (("viewer", False), ("member", False), ("admin", True)):
        (one,) = (await staff.of(role).call("GET", "/api/v1/organizations/")).body["results"]
        assert Organization.model_validate(one).role == role
        assert (one["drm_aes_signing_key"] is not None, one["drm_aes_signing_iv"] is not None) == (shown, shown)


async def test_a_new_password_ends_what_was_got_with_the_old_one(staff: Staff, api: ApiProcess) -> None:
    username = staff.viewer.account.username
    here, elsewhere = Browser(staff.viewer), Browser(staff.viewer)
    await here.log_in()
    await elsewhere.log_in()
    path = "/api/v1/auth/password/"
    for body, field in (
        ({"password": "wrong", "new_password": NEW_PASSWORD}, "password"),
        ({"password": PASSWORD, "new_password": "short"}, "new_password"),
    ):
        refused = await here.call("PUT", path, body)
        assert (refused.status, list(refused.body)) == (400, [field])
    assert (await here.call("PUT", path, {"password": PASSWORD, "new_password": NEW_PASSWORD})).status == 204
    assert (await here.call("GET", PATH)).status == 200
    assert (await elsewhere.call("GET", PATH)).status == 401
    assert (await staff.viewer.call("GET", "tokens/")).status == 401
    assert (await login(staff.admin, staff.org, username)).status == 400
    assert (await login(staff.admin, staff.org, username, NEW_PASSWORD)).status == 200
    # The operator sets another one for those who have forgotten theirs.
    api.admin("set-password", username, text=f"{PASSWORD}\n")
    assert (await here.call("GET", PATH)).status == 401
    assert (await login(staff.admin, staff.org, username)).status == 200
    program = api.admin("create-token", staff.org).split()[0]
    nobodys = {"password": PASSWORD, "new_password": NEW_PASSWORD}
    assert (await staff.admin.call("PUT", path, nobodys, token=program)).status == 403


async def test_a_session_of_a_token_keeps_the_token_when_its_user_changes_the_password(staff: Staff) -> None:
    browser = Browser(staff.member)
    browser.take(await staff.member.call("POST", PATH))
    body = {"password": PASSWORD, "new_password": NEW_PASSWORD}
    assert (await browser.call("PUT", "/api/v1/auth/password/", body)).status == 204
    assert (await browser.call("GET", "webhooks/")).status == 200


async def test_bootstrap_changes_nothing_where_the_password_is_the_same(api: ApiProcess) -> None:
    account = api.account("steady")
    async with Caller(api, account) as caller:
        browser = Browser(caller)
        await browser.log_in()
        api.account("steady")
        assert (await browser.call("GET", PATH)).status == 200
        given = {"org_name": "steady", "username": "steady", "password": NEW_PASSWORD, "token": account.token}
        api.admin("bootstrap", text=json.dumps(given))
        assert (await browser.call("GET", PATH)).status == 401
        # Whoever runs the server says so, and it is not taken back by saying nothing.
        assert (await caller.call("GET", "/api/v1/operator/queues/")).status == 403
        for more in ({"operator": True}, {}):
            api.admin("bootstrap", text=json.dumps(given | more))
            assert (await caller.call("GET", "/api/v1/operator/queues/")).status == 200
            assert (await browser.log_in(password=NEW_PASSWORD)).body["operator"] is True


async def test_the_admin_command_sees_to_members_and_operators(staff: Staff, api: ApiProcess) -> None:
    name = staff.member.account.username
    api.admin("set-role", name, "--organization", staff.org, "--role", "admin")
    assert (await staff.member.call("POST", "members/", {})).status == 400
    assert f"{name}  admin" in api.admin("list-members", staff.org)
    second = api.admin("create-organization", "Second").strip()
    assert staff.org in api.admin("add-member", name, "--organization", second, "--role", "viewer")
    assert "viewer" in api.admin("list-members", second)
    api.admin("remove-member", name, "--organization", second)
    assert name not in api.admin("list-members", second)
    browser = Browser(staff.member)
    assert (await browser.log_in()).body["operator"] is False
    api.admin("set-operator", name)
    assert (await browser.call("GET", PATH)).body["operator"] is True
    assert "operator" in api.admin("list-members", staff.org)
    api.admin("set-operator", name, "--off")
    assert (await browser.call("GET", PATH)).body["operator"] is False
    token = api.admin("create-token", staff.org, "--role", "viewer", "--operator").split()[0]
    begun = await staff.admin.call("POST", PATH, token=token)
    assert (begun.body["operator"], begun.body["organizations"][0]["role"]) == (True, "viewer")
    api.admin("create-user", f"root-{staff.org}", "--operator", text=f"{PASSWORD}\n")
    shown = await Browser(staff.admin).log_in(username=f"root-{staff.org}")
    assert (shown.body["operator"], shown.body["organizations"]) == (True, [])


async def test_what_admins_change_is_logged_with_their_name(staff: Staff, api: ApiProcess) -> None:
    path = f"/api/v1/{staff.org}/members/{staff.viewer.account.username}/"
    assert (await staff.admin.call("GET", path)).status == 200
    assert (await staff.admin.call("PATCH", path, {"role": "member"})).status == 200
    assert (await staff.viewer.call("PATCH", path, {"role": "admin"})).status == 403
    lines = [json.loads(line) for line in api.log().splitlines() if staff.org in line and "administered" in line]
    assert [(line["username"], line["method"], line["path"], line["organization"]) for line in lines] == [
        (staff.admin.account.username, "PATCH", path, staff.org)
    ]
