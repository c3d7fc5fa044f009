"""Who is in the organization. Every function is a flow; :mod:`millrace_client` has them as methods of ``client.members``."""

from millrace_client import json_text
from millrace_client.account_models import Member, Organization
from millrace_client.core import Core, Repeat, nothing, page_of
from millrace_client.listing import each
from millrace_client.steps import Feed, Flow

MEMBERS = "members"


def add(core: Core, username: str, role: str, *, password: str | None = None) -> Flow[Member]:
    """Let somebody into the organization, as an admin.

    Args:
        role: ``viewer``, ``member`` or ``admin``.
        password: of a new account, which is made with it; without one, an account that is there already is let in.

    Raises:
        InvalidRequest: ``fields`` says why not. Forbidden: the token is no admin's.
    """
    given = {"username": username, "role": role, "password": password}
    request = core.request("POST", core.address(MEMBERS), json_text.texts(given))
    return (yield from core.call(request, Member.from_json, repeat=Repeat.NEVER))


def list_all(core: Core) -> Feed[Member]:
    """The organization's members, by name."""
    yield from each(core, Member, (MEMBERS,), lambda member: member.username)


def get(core: Core, member: Member | str) -> Flow[Member]:
    """A member, by name.

    Raises:
        NotFound: there is none.
    """
    return (yield from core.call(core.request("GET", core.address(MEMBERS, _name(member))), Member.from_json))


def change(core: Core, member: Member | str, role: str) -> Flow[Member]:
    """Give a member another role, as an admin.

    Raises:
        NotFound: there is none. Conflict: it is the last admin. Forbidden: the token is no admin's.
    """
    request = core.request("PATCH", core.address(MEMBERS, _name(member)), {"role": json_text.write(role)})
    return (yield from core.call(request, Member.from_json))


def remove(core: Core, member: Member | str) -> Flow[None]:
    """Take a member out of the organization, as an admin. The account stays.

    Raises:
        NotFound: there is none. Conflict: it is the last admin. Forbidden: the token is no admin's.
    """
    yield from core.call(core.request("DELETE", core.address(MEMBERS, _name(member))), nothing, settled=(404,))


def organization(core: Core) -> Flow[Organization]:
    """The organization of the token, with what the token may do there."""
    request = core.request("GET", core.root_address("organizations"))
    found = yield from core.call(request, page_of(Organization))
    return found.results[0]


def change_password(core: Core, password: str, new_password: str) -> Flow[None]:
    """Change the password of the user whose login the token is from. What else was got with the old one ends.

    Raises:
        InvalidRequest: ``fields`` says why not. Forbidden: the token is from no login.
    """
    given = {"password": password, "new_password": new_password}
    request = core.request("PUT", core.root_address("auth", "password"), json_text.texts(given))
    yield from core.call(request, nothing, repeat=Repeat.NEVER)


def _name(member: Member | str) -> str:
    return member.username if isinstance(member, Member) else member
