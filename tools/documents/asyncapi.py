"""docs/asyncapi.yaml: the events as an AsyncAPI 3 document, out of the same models."""

from typing import Any

import yaml  # type: ignore[import-untyped]
from pydantic import BaseModel

from shared.bus.subjects import replay_subject
from shared.deliveries import DeliveryAttempted
from shared.events import EVENT_TYPES
from shared.waiting import Waiting
from tools.documents.events import prose, subject_of

_ADDRESS = "#/components/schemas/{model}"
_TRAITS = {
    "traced": {
        "headers": {
            "type": "object",
            "properties": {
                "traceparent": {
                    "type": "string",
                    "description": "W3C Trace Context, where traces are recorded or the client that created the job sent one",
                },
                "tracestate": {
                    "type": "string",
                    "description": "What the client that created the job sent beside it",
                },
            },
        }
    }
}
_PARAMETERS = {
    "org": "Code of the organization: 6 lower-case letters and digits",
    "job": "Id of the job: 11 letters and digits",
    "part": "Name of the part, such as v0007 or a0",
    "what": "The name of a part, or fetch",
    "work": "The end of the subject of the event that is the work, such as admitted or part_transcoded.v0007",
    "hook": "Id of the webhook",
    "status": "The status that was sent",
}


def asyncapi_yaml() -> str:
    """The document as YAML."""
    return str(yaml.safe_dump(asyncapi(), sort_keys=False, allow_unicode=True, width=120))


def asyncapi() -> dict[str, Any]:
    """The document. What it describes is what Millrace sends; a subscriber receives it."""
    channels: dict[str, Any] = {}
    operations: dict[str, Any] = {}
    messages: dict[str, Any] = {}
    schemas: dict[str, Any] = {}
    for event in EVENT_TYPES:
        name = event.__name__
        _add_schema(schemas, event)
        messages[name] = _message(event)
        _add_channel(channels, operations, name, f"feed.{subject_of(event)}", prose(event))
    _add_schema(schemas, DeliveryAttempted)
    messages["DeliveryAttempted"] = _message(DeliveryAttempted)
    _add_channel(
        channels, operations, "DeliveryAttempted", "deliveries.<org>.<job>.<hook>.<status>", prose(DeliveryAttempted)
    )
    messages["Progress"] = {
        "contentType": "text/plain",
        "summary": "The fraction done of a part or of the download, 0 to 1. Only the newest counts; losing one is harmless.",
        "payload": {"type": "string", "pattern": r"^[01]\.[0-9]{4}$", "examples": ["0.4375"]},
    }
    _add_channel(
        channels,
        operations,
        "Progress",
        "progress.<org>.<job>.<what>",
        "Progress, at most twice a second.",
    )
    _add_schema(schemas, Waiting)
    messages["Waiting"] = {
        "summary": "What a piece of work waits for; an empty message says that it no longer does. Only the newest counts.",
        "payload": {"$ref": _ADDRESS.format(model=Waiting.__name__)},
    }
    _add_channel(
        channels,
        operations,
        "Waiting",
        "waiting.<org>.<job>.<work>",
        "Outages that are waited for, told at every try.",
    )
    _add_replay(channels, operations, messages)
    return {
        "asyncapi": "3.0.0",
        "info": {
            "title": "Millrace events",
            "version": "1",
            "description": "The facts of every transcoding job, as docs/events.md explains them. The stream JOBS keeps them under"
            " the same subjects without the leading feed. A bus user may subscribe to feed.jobs, progress and waiting of its own"
            " organization, and ask for replays.",
            "license": {"name": "Apache-2.0"},
        },
        "defaultContentType": "application/json",
        "servers": {
            "bus": {
                "host": "localhost:4222",
                "protocol": "nats",
                "security": [{"$ref": "#/components/securitySchemes/busUser"}],
            }
        },
        "channels": channels,
        "operations": operations,
        "components": {
            "messageTraits": _TRAITS,
            "messages": messages,
            "schemas": dict(sorted(schemas.items())),
            "securitySchemes": {
                "busUser": {
                    "type": "userPassword",
                    "description": "A bus user, made at /api/v1/{org}/bus_users/. Its client needs the inbox_prefix too.",
                }
            },
        },
    }


def _add_replay(channels: dict[str, Any], operations: dict[str, Any], messages: dict[str, Any]) -> None:
    sequence = {"type": "integer", "minimum": 0}
    messages["ReplayRequest"] = {
        "summary": "The sequence of the last event that one has, 0 for none.",
        "payload": {"type": "object", "properties": {"after": sequence}, "examples": [{"after": 41}]},
    }
    item = {
        "type": "object",
        "required": ["sequence", "event"],
        "properties": {"sequence": sequence, "event": {"type": "object", "description": "One of the events above"}},
    }
    messages["Replay"] = {
        "summary": "Events in order, each with its place in the log, or an error. While `more` is true, ask again after `last`.",
        "payload": {
            "oneOf": [
                {
                    "type": "object",
                    "required": ["events", "last", "more"],
                    "properties": {
                        "events": {"type": "array", "items": item},
                        "last": sequence,
                        "more": {"type": "boolean"},
                    },
                },
                {
                    "type": "object",
                    "required": ["error"],
                    "properties": {"error": {"type": "string"}, "retry_after": {"type": "integer"}},
                },
            ]
        },
    }
    channels["ReplayRequest"] = {
        "address": replay_subject("{org}"),
        "description": "Where events of the past are asked for.",
        "parameters": {"org": {"description": _PARAMETERS["org"]}},
        "messages": {"ReplayRequest": {"$ref": "#/components/messages/ReplayRequest"}},
    }
    channels["Replay"] = {
        "address": None,
        "description": "The inbox that the request names, below the user's inbox_prefix.",
        "messages": {"Replay": {"$ref": "#/components/messages/Replay"}},
    }
    operations["answerReplayRequest"] = {
        "action": "receive",
        "channel": {"$ref": "#/channels/ReplayRequest"},
        "messages": [{"$ref": "#/channels/ReplayRequest/messages/ReplayRequest"}],
        "reply": {
            "channel": {"$ref": "#/channels/Replay"},
            "messages": [{"$ref": "#/channels/Replay/messages/Replay"}],
        },
    }


def _message(model: type[BaseModel]) -> dict[str, Any]:
    return {
        "summary": prose(model).split("\n")[0],
        "payload": {"$ref": _ADDRESS.format(model=model.__name__)},
        "traits": [{"$ref": "#/components/messageTraits/traced"}],
    }


def _add_channel(
    channels: dict[str, Any], operations: dict[str, Any], name: str, subject: str, description: str
) -> None:
    tokens = subject.split(".")
    given = [token[1:-1] for token in tokens if token.startswith("<")]
    channels[name] = {
        "address": ".".join(f"{{{token[1:-1]}}}" if token.startswith("<") else token for token in tokens),
        "description": description,
        "parameters": {token: {"description": _PARAMETERS[token]} for token in given},
        "messages": {name: {"$ref": f"#/components/messages/{name}"}},
    }
    operations[f"publish{name}"] = {
        "action": "send",
        "channel": {"$ref": f"#/channels/{name}"},
        "messages": [{"$ref": f"#/channels/{name}/messages/{name}"}],
    }


def _add_schema(schemas: dict[str, Any], model: type[BaseModel]) -> None:
    schema = model.model_json_schema(mode="serialization", ref_template=_ADDRESS)
    schemas.update(schema.pop("$defs", {}))
    schemas[model.__name__] = schema
