"""Who may call what: the table that the operations of the API are."""

from aiohttp import web

from services.api.accounts.accounts import Identity
from services.api.contract.errors import Forbidden
from services.api.contract.roles import Needed, role_is_missing
from services.api.http.operations import OPERATIONS

_NEEDED: dict[tuple[str, str], Needed] = {
    (operation.method.upper(), operation.path): operation.role for operation in OPERATIONS if operation.role is not None
}


def require_role(request: web.Request, identity: Identity) -> Needed:
    """Let through whoever may do what a request asks for; returns the role that it needs.

    Raises:
        Forbidden: he may not; it names the role that he needs. KeyError: it is no operation that needs a role.
    """
    resource = request.match_info.route.resource
    method = "GET" if request.method == "HEAD" else request.method
    needed = _NEEDED[method, resource.canonical if resource else ""]
    if not identity.may(needed):
        raise Forbidden(role_is_missing(identity.role, needed))
    return needed
