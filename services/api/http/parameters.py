"""The parameters of operations as the OpenAPI document describes them, by name."""

from typing import Any, get_args

from services.api.contract.responses import JobItem
from services.api.http.drm_operations import DRM_PARAMETERS
from shared.deliveries import Outcome

PARAMETERS: dict[str, dict[str, Any]] = {
    "org": {
        "in": "path",
        "description": "Code of the organization",
        "schema": {"type": "string", "pattern": "^[a-z0-9]{6}$"},
    },
    "token": {"in": "path", "description": "Id of the token", "schema": {"type": "string", "format": "uuid"}},
    "username": {"in": "path", "description": "Name of the user", "schema": {"type": "string"}, "example": "ann"},
    "bus_user": {"in": "path", "description": "Id of the bus user", "schema": {"type": "string", "format": "uuid"}},
    "job": {"in": "path", "description": "Id of the job", "schema": {"type": "string"}},
    "upload": {"in": "path", "description": "Id of the upload", "schema": {"type": "string", "format": "uuid"}},
    "path": {
        "in": "path",
        "description": "Below the prefix of the output",
        "schema": {"type": "string"},
        "example": "video.m3u8",
    },
    "hook": {"in": "path", "description": "Id of the webhook", "schema": {"type": "string", "format": "uuid"}},
    "expires of playback": {
        "name": "expires",
        "in": "query",
        "description": "When the address stops working, in seconds since 1970",
        "schema": {"type": "integer"},
        "example": 1785542400,
    },
    "signature of playback": {
        "name": "signature",
        "in": "query",
        "description": "As the addresses for players have it; without it, a token or a session is needed",
        "schema": {"type": "string"},
        "example": "5f" * 32,
    },
    # Another parameter than the one in paths has its name.
    "job of deliveries": {
        "name": "job",
        "in": "query",
        "description": "Only deliveries of this job",
        "schema": {"type": "string"},
        "example": "5KQfnXCg8Qh",
    },
    "job of dead letters": {
        "name": "job",
        "in": "query",
        "description": "Only those of this job",
        "schema": {"type": "string"},
        "example": "5KQfnXCg8Qh",
    },
    "outcome": {
        "in": "query",
        "description": "Only deliveries of this outcome; may be repeated",
        "schema": {"type": "array", "items": {"type": "string", "enum": list(get_args(Outcome))}},
        "explode": True,
    },
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
    "from": {
        "in": "query",
        "description": "First day (UTC). Left out: 30 days before `to`, or 11 months before it by month. At most 366 days, or "
        "120 months",
        "schema": {"type": "string", "format": "date"},
        "example": "2026-01-01",
    },
    "to": {
        "in": "query",
        "description": "Last day (UTC); today if left out",
        "schema": {"type": "string", "format": "date"},
        "example": "2026-01-31",
    },
    "by": {
        "in": "query",
        "description": "How long the periods are. Months are counted as a whole",
        "schema": {"type": "string", "enum": ["day", "month"], "default": "day"},
    },
    "format": {
        "in": "query",
        "description": "Overrides what `Accept` says",
        "schema": {"type": "string", "enum": ["json", "csv"]},
    },
    "fields": {
        "in": "query",
        "description": "Show these members of a job alone, comma separated. Server-sent events come when one of them changes",
        "schema": {"type": "array", "minItems": 1, "items": {"type": "string", "enum": list(JobItem.model_fields)}},
        "style": "form",
        "explode": False,
        "example": ["id", "status", "progress"],
    },
    "ids": {
        "in": "query",
        "description": "Ids of the jobs to follow, comma separated",
        "schema": {"type": "array", "maxItems": 100, "items": {"type": "string"}},
        "style": "form",
        "explode": False,
        "example": ["5KQfnXCg8Qh", "8Wm3vTzYc4D"],
    },
    "worker": {"in": "path", "description": "Id of the worker", "schema": {"type": "string"}},
    "letter": {"in": "path", "description": "Id of the dead letter", "schema": {"type": "integer"}},
    "organization": {
        "in": "query",
        "description": "Only those of this organization, by its code",
        "schema": {"type": "string"},
        "example": "a1b2c3",
    },
    "service": {
        "in": "query",
        "description": "Only those of this service",
        "schema": {"type": "string", "enum": ["fetcher", "transcoder", "uploader", "notifier"]},
    },
    "ordering": {"in": "query", "schema": {"type": "string", "enum": ["created", "-created"], "default": "-created"}},
    "page": {"in": "query", "schema": {"type": "integer", "minimum": 1, "default": 1}},
    "page_size": {"in": "query", "schema": {"type": "integer", "minimum": 1, "maximum": 100, "default": 20}},
    **DRM_PARAMETERS,
    "Idempotency-Key": {
        "in": "header",
        "description": "1 to 255 printable characters. For 24 hours, the same key with the same body answers the first job "
        "(with the header Idempotent-Replayed), with another body 409",
        "schema": {"type": "string", "minLength": 1, "maxLength": 255},
    },
}
