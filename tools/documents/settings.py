"""docs/configuration.md and .env.example, out of the settings models."""

from importlib import import_module
from typing import Any

from pydantic import SecretStr
from pydantic_core import PydanticUndefined

from shared.settings import SERVICES, CommonSettings, SealingSettings, secret_variables, variables

_SERVICE_HEADINGS = {
    "api": "The REST API, admission and the projection of the log",
    "fetcher": "Downloads, probes and plans",
    "transcoder": "Encodes",
    "uploader": "Uploads, verifies and writes the playlists",
    "notifier": "Delivers webhooks",
}
_INTRODUCTION = """\
# Configuration

All settings come from environment variables. `MILLRACE_<NAME>` is common to the services, `MILLRACE_<SERVICE>_<NAME>`
belongs to one of them (`MILLRACE_LEASE_SECONDS` belongs to the api, since it applies to all). A service refuses to start if a
variable with the prefix `MILLRACE_` is unknown or has an invalid value, and names it; variables of other services are ignored,
so that one file serves all five.

What is secret may also lie in a file, which the variable with `_FILE` behind its name says, such as `MILLRACE_SEAL_KEYS_FILE`.
These settings are marked "or a file". Read from a variable, a secret [leaves the environment](operations.md#secrets-in-memory) of
the process.

[.env.example](../.env.example) lists the same settings, ready for `docker compose`.
"""
_ENV_HEAD = """\
# Settings for docker-compose.yml, and for services started by hand. Made by `python -m tools.documents`.
# deploy/new-env generates .env from this file, with new passwords and keys.

# --- What has no default. Passwords go into addresses: letters and digits only. ---

# Seals the credentials of customers. Keep a copy; docs/operations.md describes how to change it. openssl rand -base64 32
MILLRACE_SEAL_KEYS=
# The operator's for NATS, and those of the services, each of which may do there only what it needs. openssl rand -hex 16
NATS_PASSWORD=
NATS_API_PASSWORD=
NATS_API_SYSTEM_PASSWORD=
NATS_FETCHER_PASSWORD=
NATS_TRANSCODER_PASSWORD=
NATS_UPLOADER_PASSWORD=
NATS_NOTIFIER_PASSWORD=
# openssl rand -hex 16
POSTGRES_PASSWORD=
# Credentials of the included trial S3 server; any value of three characters or more. openssl rand -hex 10
S3_ACCESS_KEY=
S3_SECRET_KEY=

# --- For docker-compose.yml alone. ---

# Address and ports on which the host offers the API, NATS, S3, and what is in the trial buckets. For two of the api: 8080-8081.
#BIND=127.0.0.1
#API_PORT=8080
#NATS_PORT=4222
#S3_PORT=9000
#PLAYBACK_PORT=8090
# The work space: the volume, or a bucket, such as this one of the included trial S3 server:
# s3://millrace-workspace/?region=us-east-1&endpoint=http://s3:9000&access_key=${S3_ACCESS_KEY}&secret_key=${S3_SECRET_KEY}
#WORKSPACE_URL=file:///var/lib/millrace/workspace
# Most memory of one fetcher and of one transcoder, and most cores of one transcoder (0: all).
#FETCHER_MEMORY=4g
#TRANSCODER_MEMORY=8g
#TRANSCODER_CORES=0
#IMAGE_TAG=latest
#NATS_IMAGE=nats:2-alpine
#POSTGRES_IMAGE=postgres:18
#S3_IMAGE=rclone/rclone:1
#PROMETHEUS_PORT=9090
#GRAFANA_PORT=3000
#PROMETHEUS_IMAGE=prom/prometheus:v3.5.0
#GRAFANA_IMAGE=grafana/grafana:12.1.0

# With MILLRACE_API_BUS_ISSUER_SEED, for bus users; both are made by:
# docker compose run --rm --no-deps api python -m services.api.admin new-bus-keys >> .env
#NATS_ISSUER=AAPPH6S2FF637YEME2WOHZKRILIGPDZGC5UYVPDXFIYPRVYFFB4TC4GT

# The included trial S3 server has a private address. All other inner addresses are refused to sources, buckets and webhooks.
MILLRACE_ALLOWED_HOSTS=s3
"""
# Required, set by docker-compose.yml itself, or shown at the head of the file.
_ELSEWHERE = {"MILLRACE_SEAL_KEYS", "MILLRACE_ALLOWED_HOSTS"}
_NOTES = dict.fromkeys(
    ("MILLRACE_NATS_URL", "MILLRACE_WORKSPACE_URL", "MILLRACE_API_DATABASE_URL", "MILLRACE_API_BUS_SYSTEM_URL"),
    "docker-compose.yml sets it",
) | dict.fromkeys(
    ("MILLRACE_API_PORT", *(f"MILLRACE_{service.upper()}_HEALTH_PORT" for service in SERVICES if service != "api")),
    "8080 in an image, whose health check asks there",
)


def settings_models() -> dict[str, type[CommonSettings]]:
    """The settings model of each service."""
    found: dict[str, type[CommonSettings]] = {}
    for service in SERVICES:
        module = import_module(f"services.{service}.settings")
        models = [
            value
            for value in vars(module).values()
            if isinstance(value, type) and issubclass(value, CommonSettings) and vars(value).get("service") == service
        ]
        (found[service],) = models
    return found


def settings_tables() -> str:
    """docs/configuration.md, but for its first line."""
    parts = [_INTRODUCTION]
    for heading, model, names in _groups():
        parts.append(f"## {heading}\n\n| Variable | Default | Meaning |\n|---|---|---|")
        parts[-1] += "".join(f"\n{_row(name, model, field)}" for name, field in names.items()) + "\n"
    return "\n".join(parts)


def env_example() -> str:
    """.env.example: everything that has a default is commented out."""
    parts = [_ENV_HEAD]
    for heading, model, names in _groups():
        lines = [f"# --- {heading.replace('`', '')} ---", ""]
        for name, field in names.items():
            if name not in _ELSEWHERE:
                note = f" ({_NOTES[name]})" if name in _NOTES else ""
                lines.append(f"# {model.model_fields[field].description}{note}")
                lines.append(f"#{name}={_default(model, field) or ''}")
        parts.append("\n".join(lines) + "\n")
    return "\n".join(parts)


def _groups() -> list[tuple[str, type[CommonSettings], dict[str, str]]]:
    models = settings_models()
    first = next(iter(models.values()))
    shared = CommonSettings.model_fields.keys() | SealingSettings.model_fields.keys()
    common = {name: field for name, field in variables(first).items() if field in shared}
    groups = [("Common to all services", first, common)]
    for service, model in models.items():
        own = {name: field for name, field in variables(model).items() if name not in common}
        groups.append(
            (f"`{service}`: {_SERVICE_HEADINGS[service][0].lower()}{_SERVICE_HEADINGS[service][1:]}", model, own)
        )
    return groups


def _row(name: str, model: type[CommonSettings], field: str) -> str:
    default = _default(model, field)
    optional = f"`{default}`" if default else ""
    shown = "**required**" if model.model_fields[field].is_required() else optional
    meaning = (model.model_fields[field].description or "").replace("|", "\\|")
    limits = "or a file" if name in secret_variables(model) else _limits(model, field)
    return f"| `{name}` | {shown} | {meaning}{f' ({limits})' if limits else ''} |"


def _default(model: type[CommonSettings], field: str) -> str | None:
    """The default as one would write it in an environment, None where there is none to write."""
    value = model.model_fields[field].default
    if value is None or value is PydanticUndefined:
        return None
    if isinstance(value, SecretStr):
        value = value.get_secret_value()
    if isinstance(value, bool):
        return str(value).lower()
    return str(value)


def _limits(model: type[CommonSettings], field: str) -> str:
    schema: dict[str, Any] = model.model_json_schema()["properties"][field]
    low, above = schema.get("minimum"), schema.get("exclusiveMinimum")
    high = schema.get("maximum")
    begin = f"{low:,}" if low is not None else f"more than {above:,}" if above is not None else ""
    if begin and high is not None:
        return f"{begin} to {high:,}"
    if begin and low is not None:
        return f"at least {begin}"
    return begin or (f"at most {high:,}" if high is not None else "")
