"""The OpenAPI document holds against its specification, the routes, and what is really answered."""

import json
import re
from datetime import UTC, datetime
from hashlib import sha256
from pathlib import Path
from typing import Any, get_args

import jsonschema  # type: ignore[import-untyped]
import pytest
from aiohttp import web
from openapi_spec_validator import validate

from services.api.app import make_app
from services.api.contract.json_body import parse_members
from services.api.contract.models import JobRequest
from services.api.contract.responses import Job as ShownJob
from services.api.contract.responses import JobItem
from services.api.contract.validation import validate as validate_members
from services.api.http import docs_page
from services.api.http.authorized import Runtime
from services.api.http.docs_page import POLICY, docs_routes
from services.api.http.openapi import document
from services.api.http.operations import OPERATIONS
from services.api.settings import ApiSettings
from shared.errors import ERRORS
from shared.health import Health
from shared.job import Job, Status
from shared.media.result import JobWarning, Outputs, RenditionOutput
from shared.payload import Surface, job_json
from shared.settings import SettingsError
from tests.support.api import SEAL_KEY
from tests.support.policies import PUBLIC

SWAGGER = Path(docs_page.__file__).parent / "swagger"
VERSION = json.loads((SWAGGER / "vendor.lock.json").read_text())["packages"]["swagger-ui-dist"]["version"]


def settings() -> ApiSettings:
    return ApiSettings.from_environment(
        {"MILLRACE_SEAL_KEYS": SEAL_KEY, "MILLRACE_API_DATABASE_URL": "postgresql://host/name"}
    )


def routes() -> set[tuple[str, str]]:
    app = make_app(settings(), Runtime(), Health({}))
    found = set()
    for route in app.router.routes():
        resource = route.resource
        assert resource
        if resource.canonical.startswith("/api/") and route.method not in ("HEAD", "OPTIONS"):
            found.add((route.method.lower(), resource.canonical))
    return found


def test_it_is_valid() -> None:
    validate(document())


def test_it_tells_of_every_route_and_of_no_other() -> None:
    assert {(operation.method, operation.path) for operation in OPERATIONS} == routes()
    assert len({operation.name for operation in OPERATIONS}) == len(OPERATIONS)


def test_it_tells_every_error_code() -> None:
    description = document()["info"]["description"]
    for code, row in ERRORS.items():
        assert f"| `{code}` | {row.cause} | {row.remedy} |" in description


def test_requests_forbid_unknown_members() -> None:
    schemas = document()["components"]["schemas"]
    for name in ("JobRequest", "LoginRequest", "WebhookRequest"):
        assert schemas[name]["additionalProperties"] is False
    assert schemas["JobRequest"]["required"] == ["output_path", "resolutions"]


def test_examples_are_what_they_are_examples_of() -> None:
    schemas = document()["components"]["schemas"]
    seen = 0
    for example in schemas["JobRequest"]["examples"]:
        jsonschema.validate(example, schemas["JobRequest"] | {"components": {"schemas": schemas}})
        assert validate_members(JobRequest, parse_members(json.dumps(example).encode()), policy=PUBLIC)
        seen += 1
    for schema in schemas.values():
        for member in schema.get("properties", {}).values():
            for example in member.get("examples", ()):
                jsonschema.validate(example, member | {"components": {"schemas": schemas}})
                seen += 1
    assert seen > 30


def full_job(status: Status) -> Job:
    at = datetime(2026, 1, 31, 12, 30, 0, 5, UTC)
    rendition = RenditionOutput(
        resolution="240p", width=426, height=240, frame_rate=25.0, average_bitrate=1, peak_bitrate=2, bytes=3,
        codecs="avc1.64000d", playlist="s3://bucket/x/240p/video.m3u8",
    )  # fmt: skip
    outputs = Outputs(
        master="s3://bucket/x/video.m3u8",
        dash="s3://bucket/x/video.mpd",
        renditions=(rendition,),
        audio=(),
        bytes=3,
        segments=1,
    )
    return Job(
        id="5KQfnXCg8Qh", org="a1b2c3", created=at, input_url="https://example.com/a.mp4", output_path="s3://bucket/x",
        resolutions=("240p",), client_metadata='{ "a": 1.0 }', status=status, start_time=at, end_time=at, video_duration=41.6,
        error_code="input_empty", error_message="The input is empty.", warnings=(JobWarning(code="c", message="m"),),
        outputs=outputs,
    )  # fmt: skip


@pytest.mark.parametrize("status", get_args(Status))
@pytest.mark.parametrize(
    ("surface", "model"), [("detail", ShownJob), ("list", JobItem), ("webhook", JobItem), ("stream", JobItem)]
)
def test_every_surface_answers_what_the_document_promises(
    status: Status, surface: Surface, model: type[JobItem]
) -> None:
    shown: dict[str, Any] = json.loads(job_json(full_job(status), surface))
    assert set(shown) == set(model.model_fields)
    assert model.model_validate(shown)
    assert shown["status"] == (status.capitalize() if surface == "detail" else status)
    assert model.model_validate(json.loads(job_json(full_job(status).model_copy(update={"outputs": None}), surface)))


def test_the_page_loads_nothing_from_elsewhere() -> None:
    served = {route.path for route in docs_routes() if isinstance(route, web.RouteDef)}
    page = (SWAGGER / "index.html").read_text()
    loaded = re.findall(r"(?:src|href)=\"([^\"]+)\"", page.replace("@version", VERSION))
    assert {path for path in loaded if path != "data:,"} <= served
    assert len(loaded) == 6
    assert "unsafe" not in POLICY and "http" not in POLICY and POLICY.startswith("default-src 'none'")
    # Nothing in the page itself, which the policy would not let run.
    assert not re.findall(r"<style|<script>|\sstyle=|\son\w+=", page)


def test_swagger_ui_is_what_the_lock_says() -> None:
    files = json.loads((SWAGGER / "vendor.lock.json").read_text())["packages"]["swagger-ui-dist"]["files"]
    found = {path.name: sha256(path.read_bytes()).hexdigest() for path in (SWAGGER / "vendor").iterdir()}
    assert found == {name: file["sha256"] for name, file in files.items()}


@pytest.mark.parametrize(
    ("setting", "right", "wrong"),
    [
        ("LICENCE_SERVER_URL", ["https://a.example.com/{drm_type}?o={organization}"], ["ftp://a/", "https://{drm_type}/", "https://a/{job}", "a"]),
        ("PLAYER_ORIGINS", ["*", "https://a.example.com, http://localhost:8000"], ["a.example.com", "https://a/b"]),
        ("CLEAR_KEY_ORGANIZATIONS", ["", "a1b2c3, d4e5f6"], ["*", "a1b2c"]),
    ],
)  # fmt: skip
def test_settings_of_the_key_api(setting: str, right: list[str], wrong: list[str]) -> None:
    base = {"MILLRACE_SEAL_KEYS": SEAL_KEY, "MILLRACE_API_DATABASE_URL": "postgresql://host/name"}
    for value in right:
        ApiSettings.from_environment(base | {f"MILLRACE_API_{setting}": value})
    for value in wrong:
        with pytest.raises(SettingsError):
            ApiSettings.from_environment(base | {f"MILLRACE_API_{setting}": value})


def test_settings_are_read_by_their_names_and_no_other() -> None:
    base = {"MILLRACE_SEAL_KEYS": SEAL_KEY, "MILLRACE_API_DATABASE_URL": "postgresql://host/name"}
    read = ApiSettings.from_environment(
        base | {"MILLRACE_API_PUBLIC_URL": "https://example.com/", "MILLRACE_API_PORT": "81"}
    )
    assert (read.public_url, read.port, read.max_active_jobs, read.max_active_per_organization) == (
        "https://example.com",
        81,
        8,
        4,
    )
    for wrong in ({"MILLRACE_API_PROT": "81"}, {"MILLRACE_API_PUBLIC_URL": "example.com"}, {"MILLRACE_API_PORT": "x"}):
        with pytest.raises(SettingsError, match=next(iter(wrong))):
            ApiSettings.from_environment(base | wrong)
