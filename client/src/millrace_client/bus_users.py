"""Users of the bus. Every function is a flow; :mod:`millrace_client` has them as methods of ``client.bus_users``."""

from millrace_client import json_text
from millrace_client.core import Core, Repeat, nothing
from millrace_client.listing import each
from millrace_client.models import BusUser, NewBusUser
from millrace_client.steps import Feed, Flow

USERS = "bus_users"


def create(core: Core, name: str = "") -> Flow[NewBusUser]:
    """Make a user of NATS that may follow the organization's jobs. Not sent again where it may have been done.

    Raises:
        Forbidden: the server has no bus users, or the organization as many as it may have.
    """
    request = core.request("POST", core.address(USERS), {"name": json_text.write(name)})
    return (yield from core.call(request, NewBusUser.from_json, repeat=Repeat.NEVER))


def list_all(core: Core) -> Feed[BusUser]:
    """The organization's bus users, oldest first.

    Raises:
        Forbidden: the server has none.
    """
    yield from each(core, BusUser, (USERS,), lambda user: user.id)


def get(core: Core, user: BusUser | str) -> Flow[BusUser]:
    """A bus user, by its id.

    Raises:
        NotFound: there is none. Forbidden: the server has no bus users.
    """
    return (yield from core.call(core.request("GET", core.address(USERS, _id(user))), BusUser.from_json))


def rotate(core: Core, user: BusUser | str) -> Flow[NewBusUser]:
    """Give a bus user another password; the old one stops working at once. Where an answer is lost, a later password counts.

    Raises:
        NotFound: there is none. Forbidden: the server has no bus users.
    """
    return (yield from core.call(core.request("POST", core.address(USERS, _id(user), "rotate")), NewBusUser.from_json))


def revoke(core: Core, user: BusUser | str) -> Flow[None]:
    """Remove a bus user; its connections end within seconds.

    Raises:
        NotFound: there is none. Forbidden: the server has no bus users.
    """
    yield from core.call(core.request("DELETE", core.address(USERS, _id(user))), nothing, settled=(404,))


def _id(user: BusUser | str) -> str:
    return user.id if isinstance(user, BusUser) else user
