"""Login and tokens. Every function is a flow; :mod:`millrace_client` has them as methods of the client."""

from millrace_client import json_text
from millrace_client.account_models import NewToken
from millrace_client.core import Core, Repeat, nothing
from millrace_client.listing import each
from millrace_client.models import LiveToken, Token
from millrace_client.steps import Feed, Flow

TOKENS = "tokens"


def login(core: Core, username: str, password: str, *, token_name: str = "") -> Flow[Token]:
    """Get a token for the organization, and use it from now on.

    Args:
        token_name: by which people know it in the list of tokens.

    Raises:
        ApiError: ``detail`` says why not; after too many wrong passwords it is TooManyRequests.
    """
    given = {"username": username, "password": password, "organization_id": core.settings.org}
    if token_name:
        given["token_name"] = token_name
    members = {name: json_text.write(value) for name, value in given.items()}
    request = core.request("POST", f"{core.settings.api_url}/api/auth/login/", members, public=True)
    token = yield from core.call(request, Token.from_json, repeat=Repeat.NEVER)
    core.use_token(token.token)
    return token


def logout(core: Core) -> Flow[None]:
    """Revoke the token in use, at once.

    Raises:
        InvalidToken: it was not good any more.
    """
    request = core.request("POST", f"{core.settings.api_url}/api/auth/logout/")
    yield from core.call(request, nothing, settled=(401,))
    core.use_token(None)


def create(core: Core, name: str = "", *, role: str = "member", days: float | None = None) -> Flow[NewToken]:
    """Make a token for a program, as an admin. It belongs to no user. Not sent again where it may have been done.

    Args:
        role: ``viewer``, ``member`` or ``admin``. days: how long it lives; as long as one from a login if left out.

    Raises:
        InvalidRequest: ``fields`` says what is wrong. Forbidden: the token in use is no admin's, or there are too many.
    """
    members = json_text.texts({"name": name, "role": role, "days": days})
    request = core.request("POST", core.address(TOKENS), members)
    return (yield from core.call(request, NewToken.from_json, repeat=Repeat.NEVER))


def list_all(core: Core) -> Feed[LiveToken]:
    """The organization's live tokens, oldest first; without being an admin, those of one's own logins."""
    yield from each(core, LiveToken, (TOKENS,), lambda token: token.id)


def get(core: Core, token: LiveToken | str) -> Flow[LiveToken]:
    """A live token, by its id.

    Raises:
        NotFound: there is none.
    """
    return (yield from core.call(core.request("GET", core.address(TOKENS, _id(token))), LiveToken.from_json))


def rename(core: Core, token: LiveToken | str, name: str) -> Flow[LiveToken]:
    """Give a token another name.

    Raises:
        NotFound: there is none. InvalidRequest: the name is none.
    """
    request = core.request("PUT", core.address(TOKENS, _id(token)), {"name": json_text.write(name)})
    return (yield from core.call(request, LiveToken.from_json))


def revoke(core: Core, token: LiveToken | str) -> Flow[None]:
    """Revoke a token, which stops working at once.

    Raises:
        NotFound: there is none.
    """
    yield from core.call(core.request("DELETE", core.address(TOKENS, _id(token))), nothing, settled=(401, 404))


def _id(token: LiveToken | str) -> str:
    return token.id if isinstance(token, LiveToken) else token
