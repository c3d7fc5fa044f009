"""The OpenAPI document, made from the models that validate and the table of errors."""

import re
from typing import Any

from pydantic import BaseModel
from pydantic.json_schema import JsonSchemaMode, models_json_schema

from services.api.contract.responses import Detail, FieldErrors, ItemErrors, JobItem, Quota, ServerError
from services.api.http.browser import COOKIE, CSRF_HEADER
from services.api.http.operation import Operation
from services.api.http.operations import OPERATIONS
from services.api.http.parameters import PARAMETERS
from shared.errors import ERRORS

API_VERSION = "1"
_IN_PATH = re.compile(r"{(\w+)}")
_REF = "#/components/schemas/{model}"
_BESIDE_OPERATIONS: tuple[type[BaseModel], ...] = (JobItem, Detail, FieldErrors, ItemErrors, Quota, ServerError)
"""What webhooks are sent, and what errors are answered with."""


_ERRORS: dict[int, tuple[str, type[BaseModel] | None, tuple[str, ...]]] = {
    400: ("Wrong: from each field to its messages, or a detail where no field is at fault", FieldErrors, ()),
    401: ("No token or browser session, or none that is good", Detail, ("WWW-Authenticate",)),
    403: (
        "A role is missing, which the detail names; the organization has as many tokens or bus users as it may have, or the "
        "server does not offer this; a signature that does not fit, or has expired; a browser session's request that a page of "
        "ours cannot have sent",
        Detail,
        (),
    ),
    404: ("There is no such thing, or it is another organization's", Detail, ()),
    409: (
        "The Idempotency-Key came with another body before, the job cannot be run again now, the content has several keys, the "
        "member is the last admin, the upload is not whole or is in use, the output is not there to be played, or the "
        "storage of the organization refuses what was asked of it: the detail says what can be done",
        Detail,
        (),
    ),
    413: ("The body is too large", Detail, ()),
    415: ("The body is not JSON, or encoded in another way than gzip or deflate", Detail, ()),
    429: (
        "Too many failed logins or requests from there, or a quota of the organization is used up",
        Quota,
        ("Retry-After",),
    ),
    500: ("A mistake of the server", ServerError, ()),
    501: ("The operator has not said how; the detail says what is missing", Detail, ()),
    503: ("Something that the server needs is down; try again", Detail, ("Retry-After",)),
}


def document() -> dict[str, Any]:
    """The document as a JSON-ready object."""
    _, schemas = models_json_schema(_models(), ref_template=_REF)
    paths: dict[str, dict[str, Any]] = {}
    for operation in OPERATIONS:
        paths.setdefault(operation.path, {})[operation.method] = _operation(operation)
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "Millrace",
            "version": API_VERSION,
            "description": _description(),
            "license": {"name": "Apache-2.0", "identifier": "Apache-2.0"},
        },
        "security": [{"token": []}, {"session": []}],
        "paths": paths,
        "webhooks": {"transcodingJob": {"post": _webhook()}},
        "components": {
            "securitySchemes": {
                "token": {"type": "apiKey", "in": "header", "name": "Authorization", "description": "`Token <token>`"},
                "session": {
                    "type": "apiKey",
                    "in": "cookie",
                    "name": COOKIE,
                    "description": f"Of browsers; whatever is not a `GET` needs the header `{CSRF_HEADER}` beside it",
                },
            },
            "responses": {str(status): _error(status) for status in _ERRORS},
            "schemas": schemas["$defs"],
        },
    }


def _models() -> "list[tuple[type[BaseModel], JsonSchemaMode]]":
    """All models of the document, each once, with what it is for."""
    asked = dict.fromkeys(operation.request for operation in OPERATIONS if operation.request)
    answers = [one.answer for one in OPERATIONS if one.answer and not isinstance(one.answer, str)]
    told = dict.fromkeys((*answers, *_BESIDE_OPERATIONS))
    return [*((model, "validation") for model in asked), *((model, "serialization") for model in told)]


def _operation(operation: Operation) -> dict[str, Any]:
    in_path = _IN_PATH.findall(operation.path)
    usual = () if operation.public else (401, 403, 429)
    statuses = sorted({*operation.errors, 500, 503, *usual, *((404,) if in_path else ())})
    made: dict[str, Any] = {
        "operationId": operation.name,
        "tags": [operation.tag],
        "summary": operation.summary,
        "parameters": [_parameter(name) for name in (*in_path, *operation.query, *operation.headers)],
        "responses": {str(operation.status): _success(operation.answer, operation.other)}
        | {str(status): {"$ref": f"#/components/responses/{status}"} for status in statuses},
    }
    role = f"Needs the role `{operation.role}`." if operation.role not in (None, "anyone") else ""
    if description := " ".join(filter(None, (operation.description, role))):
        made["description"] = description
    if operation.public:
        made["security"] = []
    if operation.request:
        required = any(field.is_required() for field in operation.request.model_fields.values())
        made["requestBody"] = {"required": required, "content": _json(operation.request)}
    return made


def _parameter(name: str) -> dict[str, Any]:
    parameter = {"name": name} | PARAMETERS[name]
    return parameter | {"required": True} if parameter["in"] == "path" else parameter


def _success(answer: type[BaseModel] | str | None, other: str | None) -> dict[str, Any]:
    if answer is None:
        return {"description": "Done; the body is empty"}
    if isinstance(answer, str):
        return {"description": "Done", "content": _text(answer)}
    content = _json(answer) | (_text(other) if other else {})
    return {"description": (answer.__doc__ or "").strip(), "content": content}


def _error(status: int) -> dict[str, Any]:
    description, model, headers = _ERRORS[status]
    made: dict[str, Any] = {"description": description}
    if model:
        made["content"] = _json(model)
        if status in (400, 429):
            models = (ItemErrors, model, Detail) if status == 400 else (model, Detail)
            made["content"] = {"application/json": {"schema": {"anyOf": [_ref(model) for model in models]}}}
    if headers:
        made["headers"] = {name: {"schema": {"type": "string"}} for name in headers}
    return made


def _webhook() -> dict[str, Any]:
    texts = {
        "x-streams-token": "The webhook's `secret_token`",
        "x-streams-event": "`transcoding_job.<status>`, `transcoding_job.playable`, or `webhook.test`",
        "webhook-id": "The same on every attempt of one message",
        "webhook-timestamp": "Seconds since 1970 of this attempt",
        "webhook-signature": "`v1,` and the base64 HMAC-SHA256 of `id.timestamp.body`, keyed by the `secret_token`; two of "
        "them for a while after a rotation, with a space between",
    }
    return {
        "summary": "A job's status has changed",
        "description": "Sent to every webhook of the organization. Any 2xx within 15 s is success; 410 disables the webhook; "
        "anything else is tried again for a day.",
        "parameters": [
            {"name": name, "in": "header", "description": text, "schema": {"type": "string"}}
            for name, text in texts.items()
        ],
        "requestBody": {"required": True, "content": _json(JobItem)},
        "responses": {"2XX": {"description": "Taken"}},
    }


def _json(model: type[BaseModel]) -> dict[str, Any]:
    return {"application/json": {"schema": _ref(model)}}


def _text(media_type: str) -> dict[str, Any]:
    return {media_type: {"schema": {"type": "string"}}}


def _ref(model: type[BaseModel]) -> dict[str, str]:
    return {"$ref": _REF.format(model=model.__name__)}


_WHO = {"you": "you", "operator": "the operator"}


def _description() -> str:
    rows = [
        f"| `{code}` | {row.cause} | {row.remedy} | {_WHO[row.who]} | {'yes' if row.retryable else 'no'} |"
        for code, row in ERRORS.items()
    ]
    return "\n".join(
        [
            "Send a video over REST, and get adaptive HLS and DASH in your bucket.",
            "",
            "Every call but login and those of players and packagers carries `Authorization: Token <token>`. All paths end in a "
            "slash. Times are ISO 8601 in UTC.",
            "",
            "## Why a job failed",
            "",
            "A job of status `error` says why by `error_code`; the codes are stable. `error_message` says it for people.",
            "",
            "| `error_code` | what happened | what to do | who can mend it | may the same job succeed later? |",
            "|---|---|---|---|---|",
            *rows,
        ]
    )
