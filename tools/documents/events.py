"""The part of docs/events.md that is made out of the models of events and the topology of the bus."""

import inspect
from typing import Any

from pydantic import BaseModel

from shared.bus.topology import BUCKETS, DURABLES, streams
from shared.deliveries import DeliveryAttempted
from shared.events import EVENT_TYPES, Event

# Members that every event has stand once, above the catalogue.
_COMMON = frozenset(Event.model_fields) | {"type"}
_KEPT = {
    "JOBS": "until the job's end is `MILLRACE_API_KEEP_JOBS_DAYS` old",
    "DELIVERIES": "`MILLRACE_API_KEEP_DELIVERIES_DAYS`, or as long as their job",
    "WEBHOOKS": "until done",
    "DEAD": "`MILLRACE_API_KEEP_DEAD_LETTERS_DAYS`",
    "PROGRESS": "the newest of each subject, 6 hours, in memory",
}
_BUCKET_NOTES = {
    "hooks": "Each organization's webhooks, sealed; the api writes them, the notifier reads them",
    "secrets": "Input and output addresses of running jobs with their credentials, sealed; gone when the job has ended",
    "webhook-lanes": "The delivery queues: what each webhook has accepted of each job and has still to get; the notifier's own",
    "health": "Written every few seconds by each service, to prove that NATS can write; the content means nothing",
    "attempts": "How often, and how, work on a message has ended without a result, and how long it has waited for what;"
    " gone when the message is settled",
    "workers": "Who works, at what, and who is ordered to drain: each worker writes its own entry; an order is left there"
    " until its worker ends",
}


def event_sections() -> str:
    """Markdown: streams, consumers and buckets, then every event with its members."""
    return "\n".join([_topology(), _events()])


def subject_of(event: type[Event]) -> str:
    """The subject of a kind of event, with placeholders."""
    part = ".<part>" if "part" in event.model_fields else ""
    return f"jobs.<org>.<job>.{event.subject}{part}"


def prose(model: type[BaseModel]) -> str:
    """A model's docstring as Markdown."""
    return inspect.cleandoc(model.__doc__ or "").replace("``", "`")


def type_name(schema: dict[str, Any]) -> str:
    """A JSON schema in a word or two."""
    if "$ref" in schema:
        return f"`{schema['$ref'].rpartition('/')[2]}`"
    if "anyOf" in schema:
        return " or ".join(type_name(option) for option in schema["anyOf"])
    if "const" in schema:
        return f"`{schema['const']}`"
    if "enum" in schema:
        return ", ".join(f"`{value}`" for value in schema["enum"])
    if schema.get("type") == "array":
        return f"array of {type_name(schema['items'])}" if "items" in schema else "array"
    return str(schema.get("format") or schema.get("type", "any")).replace("date-time", "time")


def _topology() -> str:
    lines = ["## Streams, consumers and buckets", "", "| Stream | Subjects | Kept | What for |", "|---|---|---|---|"]
    for config in streams(1):
        subjects = ", ".join(f"`{subject}`" for subject in config.subjects or [])
        lines.append(f"| `{config.name}` | {subjects} | {_KEPT[str(config.name)]} | {config.description} |")
    lines += ["", "| Durable consumer | Stream | Consumes |", "|---|---|---|"]
    for durable in DURABLES:
        lines.append(
            f"| `{durable.name}` | `{durable.stream}` | {', '.join(f'`{name}`' for name in durable.filters)} |"
        )
    lines += ["", "| Key-value bucket | Holds |", "|---|---|"]
    lines += [f"| `{name}` | {_BUCKET_NOTES[name]} |" for name in BUCKETS]
    return "\n".join([*lines, ""])


def _events() -> str:
    parts = [
        "## The events of a job",
        "",
        "Every event also has `v` (the version of its type), `type` (the last word of the subject, without the part), `org`,"
        " `job` and `at` (the instant, in UTC). Types with a capital letter are defined in [asyncapi.yaml](asyncapi.yaml).",
        "",
    ]
    for event in EVENT_TYPES:
        parts += [
            f"### `{event.subject}`",
            "",
            f"`{subject_of(event)}`",
            "",
            prose(event),
            "",
            _members(event, _COMMON),
        ]
    parts += ["## Deliveries", "", prose(DeliveryAttempted), ""]
    parts.append(_members(DeliveryAttempted, frozenset({"v"})))
    return "\n".join(parts)


def _members(model: type[BaseModel], without: frozenset[str]) -> str:
    schema = model.model_json_schema(mode="serialization")
    members = {name: value for name, value in schema["properties"].items() if name not in without}
    if not members:
        return "No further members.\n"
    rows = [f"| `{name}` | {type_name(value)} |" for name, value in members.items()]
    return "\n".join(["| Member | Type |", "|---|---|", *rows, ""])
