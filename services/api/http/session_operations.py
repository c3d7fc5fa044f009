"""The operations of browser sessions as the OpenAPI document describes them."""

from services.api.contract.session_models import BrowserSession, SessionRequest
from services.api.http.operation import Operation

_TAG = "Authentication"
_SESSION = "/api/v1/auth/session/"
SESSION_OPERATIONS = (
    Operation(
        "post",
        _SESSION,
        "beginSession",
        _TAG,
        "Log in with a browser",
        200,
        BrowserSession,
        request=SessionRequest,
        errors=(400, 401, 403, 413, 415, 429),
        description="With user name and password, the session is for all organizations of the user. With a token in "
        "`Authorization`, it is for the token's organization, and ends with it. Sets the cookie `millrace_session`, which no "
        "script can read and no page of another site can send; it takes the place of a token in all requests, event streams "
        "included. Beside it, every request but `GET` carries the `csrf_token` in the header `X-CSRF-Token`.",
        public=True,
    ),
    Operation(
        "get",
        _SESSION,
        "showSession",
        _TAG,
        "Show the session of the browser",
        200,
        BrowserSession,
        errors=(401,),
        public=True,
    ),
    Operation(
        "delete",
        _SESSION,
        "endSession",
        _TAG,
        "End the session of the browser, at once",
        204,
        None,
        errors=(401, 403),
        description="Event streams that it has open end within seconds.",
        public=True,
    ),
)
