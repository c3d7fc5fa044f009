"""The operations of the API as the OpenAPI document describes them."""

from dataclasses import dataclass
from typing import Any

from pydantic import BaseModel

from services.api.contract.models import (
    BusUserRequest,
    JobRequest,
    LoginRequest,
    RetryRequest,
    TokenRequest,
    WebhookRequest,
)
from services.api.contract.responses import (
    BusUser,
    BusUserPage,
    DeliveryPage,
    Job,
    JobCounts,
    JobPage,
    LiveToken,
    Message,
    NewBusUser,
    Redelivery,
    Token,
    TokenPage,
    Webhook,
    WebhookPage,
)

IN_PATH = ("org", "token", "bus_user", "job", "hook", "delivery")


@dataclass(frozen=True)
class Operation:
    """An operation of the API: what its part of the document is made from.

    Attributes:
        answer: the model of the body of success, a media type with no model, or None for an empty body.
        errors: statuses beside 401, 404, 429, 500 and 503, which all may answer.
    """

    method: str
    path: str
    name: str
    tag: str
    summary: str
    status: int
    answer: type[BaseModel] | str | None
    request: type[BaseModel] | None = None
    query: tuple[str, ...] = ()
    headers: tuple[str, ...] = ()
    errors: tuple[int, ...] = ()
    description: str = ""
    public: bool = False


_TOKENS = "/api/v1/{org}/tokens/"
_JOBS = "/api/v1/{org}/transcoding_jobs/"
_HOOKS = "/api/v1/{org}/webhooks/"
_BUS_USERS = "/api/v1/{org}/bus_users/"
_PAGE = ("page", "page_size")
OPERATIONS = (
    Operation(
        "post",
        "/api/auth/login/",
        "login",
        "Authentication",
        "Get a token for an organization",
        200,
        Token,
        request=LoginRequest,
        errors=(400, 403, 413, 415, 429),
        description="Where the organization has as many live tokens as it may have, the oldest from a login gives way.",
        public=True,
    ),
    Operation(
        "post", "/api/auth/logout/", "logout", "Authentication", "Revoke the token of this request, at once", 204, None
    ),
    Operation(
        "get",
        _TOKENS,
        "listTokens",
        "Authentication",
        "List the live tokens, oldest first",
        200,
        TokenPage,
        query=_PAGE,
        errors=(400,),
    ),
    Operation("get", _TOKENS + "{token}/", "retrieveToken", "Authentication", "Retrieve a token", 200, LiveToken),
    Operation(
        "put",
        _TOKENS + "{token}/",
        "nameToken",
        "Authentication",
        "Name a token",
        200,
        LiveToken,
        request=TokenRequest,
        errors=(400, 413, 415),
    ),
    Operation(
        "delete",
        _TOKENS + "{token}/",
        "revokeToken",
        "Authentication",
        "Revoke a token",
        204,
        None,
        description="It stops working at once; event streams that it has open end within seconds.",
    ),
    Operation(
        "post",
        _JOBS,
        "createJob",
        "Transcoding jobs",
        "Create a job",
        201,
        Job,
        request=JobRequest,
        headers=("Idempotency-Key",),
        errors=(400, 409, 413, 415),
    ),
    Operation(
        "get",
        _JOBS,
        "listJobs",
        "Transcoding jobs",
        "List jobs",
        200,
        JobPage,
        query=("status", "search", "enable_drm", "created_from", "created_to", "ordering", *_PAGE),
        errors=(400,),
    ),
    Operation(
        "get",
        _JOBS + "counts/",
        "countJobs",
        "Transcoding jobs",
        "Count jobs by status",
        200,
        JobCounts,
        query=("search", "enable_drm", "created_from", "created_to"),
        errors=(400,),
    ),
    Operation("get", _JOBS + "{job}/", "retrieveJob", "Transcoding jobs", "Retrieve a job", 200, Job),
    Operation(
        "delete",
        _JOBS + "{job}/",
        "cancelJob",
        "Transcoding jobs",
        "Cancel a job",
        200,
        Message,
        description="A job that has ended stays as it is, and the message says what it is.",
    ),
    Operation(
        "post",
        _JOBS + "{job}/retry/",
        "retryJob",
        "Transcoding jobs",
        "Run a job again that failed or was cancelled",
        201,
        Job,
        request=RetryRequest,
        headers=("Idempotency-Key",),
        errors=(400, 409, 413, 415),
        description="Creates a job with an id of its own and `retry_of`, which does the same; the source and finished parts that "
        "are still there and still valid are used again. Credentials are not "
        "kept after a job's end, so they have to come again, unless the organization's storage supplies them. 409 for a job "
        "that has not ended, is completed, by itself or by a retry, or is being run again already.",
    ),
    Operation(
        "get",
        _JOBS + "{job}/events/",
        "followJob",
        "Transcoding jobs",
        "Follow a job",
        200,
        "text/event-stream",
        description="Server-sent events: the job now and whenever status, stage or progress change, until it has ended or the "
        "token has been revoked. A change of `queue_position` alone sends nothing.",
    ),
    Operation(
        "post",
        _HOOKS,
        "createWebhook",
        "Webhooks",
        "Register a webhook",
        201,
        Webhook,
        request=WebhookRequest,
        errors=(400, 413, 415),
    ),
    Operation("get", _HOOKS, "listWebhooks", "Webhooks", "List webhooks", 200, WebhookPage, query=_PAGE, errors=(400,)),
    Operation("get", _HOOKS + "{hook}/", "retrieveWebhook", "Webhooks", "Retrieve a webhook", 200, Webhook),
    Operation(
        "put",
        _HOOKS + "{hook}/",
        "replaceWebhook",
        "Webhooks",
        "Replace a webhook",
        200,
        Webhook,
        request=WebhookRequest,
        errors=(400, 413, 415),
        description="Also enables one again that was disabled because its receiver answered 410.",
    ),
    Operation("delete", _HOOKS + "{hook}/", "deleteWebhook", "Webhooks", "Remove a webhook", 204, None),
    Operation(
        "get",
        _HOOKS + "{hook}/deliveries/",
        "listDeliveries",
        "Webhooks",
        "List attempts to deliver",
        200,
        DeliveryPage,
        query=_PAGE,
        errors=(400,),
    ),
    Operation(
        "post",
        _HOOKS + "{hook}/deliveries/{delivery}/redeliver/",
        "redeliver",
        "Webhooks",
        "Send a delivery once more",
        202,
        Redelivery,
    ),
    Operation(
        "post",
        _BUS_USERS,
        "createBusUser",
        "Bus users",
        "Make a user of the bus",
        201,
        NewBusUser,
        request=BusUserRequest,
        errors=(400, 403, 413, 415),
        description="It may log in to NATS and follow the events of this organization's jobs, live and from any earlier point, "
        "and can do nothing else: docs/events.md.",
    ),
    Operation(
        "get",
        _BUS_USERS,
        "listBusUsers",
        "Bus users",
        "List bus users, oldest first",
        200,
        BusUserPage,
        query=_PAGE,
        errors=(400, 403),
    ),
    Operation(
        "get",
        _BUS_USERS + "{bus_user}/",
        "retrieveBusUser",
        "Bus users",
        "Retrieve a bus user",
        200,
        BusUser,
        errors=(403,),
    ),
    Operation(
        "post",
        _BUS_USERS + "{bus_user}/rotate/",
        "rotateBusUser",
        "Bus users",
        "Give a bus user a new password",
        200,
        NewBusUser,
        errors=(403,),
        description="The old one stops working at once; connections that were made with it end within seconds.",
    ),
    Operation(
        "delete",
        _BUS_USERS + "{bus_user}/",
        "revokeBusUser",
        "Bus users",
        "Revoke a bus user",
        204,
        None,
        errors=(403,),
        description="It cannot log in from then on; its connections end within seconds.",
    ),
)

PARAMETERS: dict[str, dict[str, Any]] = {
    "org": {
        "in": "path",
        "description": "Code of the organization",
        "schema": {"type": "string", "pattern": "^[a-z0-9]{6}$"},
    },
    "token": {"in": "path", "description": "Id of the token", "schema": {"type": "string", "format": "uuid"}},
    "bus_user": {"in": "path", "description": "Id of the bus user", "schema": {"type": "string", "format": "uuid"}},
    "job": {"in": "path", "description": "Id of the job", "schema": {"type": "string"}},
    "hook": {"in": "path", "description": "Id of the webhook", "schema": {"type": "string", "format": "uuid"}},
    "delivery": {"in": "path", "description": "Id of the delivery", "schema": {"type": "integer"}},
    "status": {
        "in": "query",
        "description": "Only jobs of this status, in any case; may be repeated",
        "schema": {
            "type": "array",
            "items": {"type": "string", "enum": ["queued", "transcoding", "completed", "error", "cancelled"]},
        },
        "explode": True,
    },
    "search": {
        "in": "query",
        "description": "Only jobs where each of these words begins a word of the id, the input or the metadata, names of members "
        "included; in any case. A word is a run of letters and digits",
        "schema": {"type": "string", "maxLength": 200},
        "example": "holiday mp4",
    },
    "enable_drm": {"in": "query", "description": "Only jobs with or without DRM", "schema": {"type": "boolean"}},
    "created_from": {
        "in": "query",
        "description": "Only jobs created then or later: ISO 8601, a time or a date",
        "schema": {"type": "string"},
    },
    "created_to": {
        "in": "query",
        "description": "Only jobs created then or earlier: ISO 8601, a time or a date, which counts to its end",
        "schema": {"type": "string"},
    },
    "ordering": {"in": "query", "schema": {"type": "string", "enum": ["created", "-created"], "default": "-created"}},
    "page": {"in": "query", "schema": {"type": "integer", "minimum": 1, "default": 1}},
    "page_size": {"in": "query", "schema": {"type": "integer", "minimum": 1, "maximum": 100, "default": 20}},
    "Idempotency-Key": {
        "in": "header",
        "description": "1 to 255 printable characters. For 24 hours, the same key with the same body answers the first job "
        "(with the header Idempotent-Replayed), with another body 409",
        "schema": {"type": "string", "minLength": 1, "maxLength": 255},
    },
}
