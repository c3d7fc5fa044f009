"""What the documents and the deployment files say is what the code does."""

import ast
import os
import re
import tomllib
from collections.abc import Iterator
from importlib.metadata import distribution
from pathlib import Path
from typing import Any

import pytest
import yaml  # type: ignore[import-untyped]
from jsonschema import Draft202012Validator  # type: ignore[import-untyped]
from packaging.requirements import Requirement

from shared.deliveries import DeliveryAttempted
from shared.errors import ERRORS
from shared.events import EVENT_TYPES, Cancelled, Playable, PlaybackExtended
from shared.media.edge import Edge
from shared.settings import SERVICES, variables
from tests.support import samples
from tools.documents.asyncapi import asyncapi
from tools.documents.catalogue import documents
from tools.documents.settings import settings_models

ROOT = Path(__file__).resolve().parents[2]
PAGES = sorted([*ROOT.glob("*.md"), *ROOT.glob("docs/**/*.md"), ROOT / "client/README.md"])
SKIPPED = {"node_modules", "__pycache__"}
TEXTS = (".py", ".md", ".toml", ".yml", ".yaml", ".conf", ".sql", ".mjs", ".sh", "file", "new-env", ".example")
_LOG_CALLS = {
    prefix + level for prefix in ("", "a") for level in ("debug", "info", "warning", "error", "exception", "critical")
}


def test_made_documents_are_current() -> None:
    for name, text in documents(ROOT).items():
        assert (ROOT / name).read_text() == text, f"{name}: run `make documents`"


def test_every_error_code_is_in_the_table() -> None:
    text = (ROOT / "docs/errors.md").read_text()
    assert [code for code in ERRORS if f"| `{code}` | {ERRORS[code].cause} | {ERRORS[code].remedy} |" not in text] == []


def test_the_example_of_an_environment_starts_every_service() -> None:
    filled = {
        "MILLRACE_SEAL_KEYS": "A" * 43 + "=",
        "MILLRACE_API_DATABASE_URL": "postgresql://millrace:x@127.0.0.1/millrace",
    }
    lines = re.findall(r"(?m)^#?(MILLRACE_\w+)=(.*)$", (ROOT / ".env.example").read_text())
    known = {name for model in settings_models().values() for name in variables(model)}
    assert sorted(name for name, _ in lines) == sorted(known)
    environ = {name: value for name, value in lines if value} | filled
    for model in settings_models().values():
        given, alone = model.from_environment(environ), model.from_environment(filled)
        # The one setting that the example turns on, for the S3 server that comes along.
        assert given.model_copy(update={"allowed_hosts": ""}) == alone


def test_every_page_is_in_the_navigation_of_the_site() -> None:
    # Decisions and reports of benchmarks are listed on pages of their own.
    listed = ("decisions", "benchmarks")
    pages = {str(page.relative_to(ROOT)) for page in PAGES if page.parent.name not in listed}
    navigation = (ROOT / "tools/site/zensical.toml").read_text()
    assert sorted(page for page in pages if f'= "{page}"' not in navigation) == []


def test_sample_events_fit_the_asyncapi_document() -> None:
    document = asyncapi()
    events = _sample_events()
    assert {type(event) for event in events} == {*EVENT_TYPES, DeliveryAttempted}
    for event in events:
        schema = {"$ref": f"#/components/schemas/{type(event).__name__}", "components": document["components"]}
        Draft202012Validator(schema).validate(event.model_dump(mode="json"))


def test_references_of_the_asyncapi_document_resolve() -> None:
    document = asyncapi()
    for reference in _references(document):
        found: Any = document
        for piece in reference.removeprefix("#/").split("/"):
            found = found[piece]
    addresses = [channel["address"] for channel in document["channels"].values() if channel["address"]]
    assert {address.count("{") for address in addresses} <= {1, 2, 3, 4}
    assert DeliveryAttempted.__name__ in document["channels"]


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_links_lead_somewhere(page: Path) -> None:
    for target in re.findall(r"\]\(([^)\s]+)\)", page.read_text()):
        if re.match(r"https?://", target):
            continue
        path, _, anchor = target.partition("#")
        linked = (page.parent / path).resolve() if path else page
        assert linked.exists(), target
        if anchor:
            assert anchor in _anchors(linked), target


def test_make_targets_that_documents_name_exist() -> None:
    targets = set(re.findall(r"(?m)^([a-z][a-z-]*):", (ROOT / "Makefile").read_text()))
    for page in PAGES:
        # In backticks, or at the start of a line of a block to paste.
        named = set(re.findall(r"(?m)(?:`|^)make ([a-z][a-z-]*)", page.read_text()))
        assert named <= targets, page.name


def test_a_commit_is_checked_as_make_check_does() -> None:
    hooks = yaml.safe_load((ROOT / ".pre-commit-config.yaml").read_text())["repos"][0]["hooks"]
    recipe = re.search(r"(?m)^check:.*\n((?:\t.*\n)+)", (ROOT / "Makefile").read_text())
    assert recipe
    commands = [line.strip().replace("$(VENV)", ".venv") for line in recipe[1].splitlines()]
    assert [hook["entry"] for hook in hooks] == commands
    assert {hook["language"] for hook in hooks} == {"system"}


def test_every_log_line_is_explained_and_no_other() -> None:
    text = (ROOT / "docs/operations.md").read_text().partition("## What the log lines mean")[2]
    first_cells = [row.split(" | ")[0] for row in text.splitlines() if row.startswith("| `")]
    assert {line for cell in first_cells for line in re.findall(r"`([^`]+)`", cell)} == set(_log_lines())


def test_nothing_names_the_machine_that_it_was_written_on() -> None:
    home = re.compile(r"/(?:home|Users)/[a-z]")
    for path in _own_files():
        text = path.read_text(errors="ignore")
        assert str(ROOT) + "/" not in text, path
        assert not home.search(text), path


def test_compose_runs_every_service_out_of_the_one_dockerfile() -> None:
    compose = _compose()
    for service in SERVICES:
        assert compose["services"][service]["build"]["args"] == {"SERVICE": service}
        assert compose["services"][service]["depends_on"]["nats"] == {"condition": "service_healthy"}
        assert compose["services"][service]["environment"]["MILLRACE_NATS_URL"].startswith(f"nats://{service}:")
    for name, service in compose["services"].items():
        # Of what has a fixed name or port there can be only one.
        assert "container_name" not in service, name
        assert name in ("api", "nats", "s3", "playback", "prometheus", "grafana") or "ports" not in service, name
        address = "127.0.0.1:" if "observability" in service.get("profiles", ()) else "${BIND:-127.0.0.1}:"
        assert all(port.startswith(address) for port in service.get("ports", ())), name
    stages = set(re.findall(r"(?m)^FROM \S+ AS packages-(\w+)$", (ROOT / "Dockerfile").read_text()))
    assert stages >= set(SERVICES)


def test_the_images_are_built_of_what_docker_is_given() -> None:
    given = set(re.findall(r"(?m)^!(\S+)$", (ROOT / ".dockerignore").read_text()))
    copied = re.findall(r"(?m)^COPY (?!--from)(.+) \S+$", (ROOT / "Dockerfile").read_text())
    for source in (source for line in copied for source in line.split()):
        name = source.replace("${SERVICE}", "api").rstrip("/")
        assert any(f"{name}/".startswith(f"{folder}/") for folder in given) or name in given, source


def test_compose_names_known_settings_and_no_secrets() -> None:
    text = (ROOT / "docker-compose.yml").read_text()
    known = {name for model in settings_models().values() for name in variables(model)}
    assert set(re.findall(r"(?m)^ +(MILLRACE_\w+):", text)) <= known
    example = (ROOT / ".env.example").read_text()
    for name, rest in re.findall(r"\$\{(\w+)([^}]*)\}", text):
        assert re.search(rf"(?m)^#?{name}=", example), f"{name} is not in .env.example"
        if re.search("PASSWORD|KEY", name):
            # An .env of before has one password for all users of NATS.
            assert rest.startswith((":?", ":-${NATS_PASSWORD:?")), f"{name} has a default"
        else:
            assert f"#{name}={rest.removeprefix(':-')}\n" in example, f"{name} has another default in .env.example"


def test_env_example_has_no_secret_filled_in() -> None:
    filled = re.findall(r"(?m)^(?!#)(\w+)=(.+)$", (ROOT / ".env.example").read_text())
    assert filled == [("MILLRACE_ALLOWED_HOSTS", "s3")]


@pytest.mark.parametrize("extra", ["base", "api", "fetcher", "media", "uploader"])
def test_an_image_installs_what_its_packages_need_and_nothing_else(extra: str) -> None:
    text, lock = ((ROOT / name).read_text() for name in (f"deploy/locks/{extra}.lock", "requirements.lock"))
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    named = [*project["dependencies"], *project["optional-dependencies"].get(extra, [])]
    pinned = {_normal(name) for name in re.findall(r"(?m)^([A-Za-z0-9._-]+)==", text)}
    needed = pinned - {_normal(name) for name in re.findall(r"(?m)^([\w.-]+)==\S+ ; sys_platform == 'win32'", text)}
    assert {_normal(Requirement(requirement).name) for requirement in named} <= pinned
    for name in needed:
        assert {found for found in _requirements(name) if found not in pinned} == set(), name
    assert "pytest" not in pinned
    # The versions and hashes of everything else; only what another implementation than CPython needs may differ.
    assert _pins(text) <= _pins(lock), "run `make lock`"


def test_each_image_has_the_packages_of_its_service() -> None:
    stages = (ROOT / "Dockerfile").read_text()
    extras = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["optional-dependencies"]
    for service in SERVICES:
        stage = re.search(rf"(?ms)^FROM \S+ AS packages-{service}$(.*?)(?=^FROM|\Z)", stages)
        assert stage, service
        assert ("-r /lock/" + service + ".lock" in stage[1]) == bool(extras[service]), service


def _sample_events() -> list[Any]:
    life = samples.whole_life("5KQfnXCg8Qh")
    ends = [samples.failed("5KQfnXCg8Qh"), Cancelled(org=samples.ORG, job="5KQfnXCg8Qh")]
    fact = DeliveryAttempted(
        org=samples.ORG,
        job="5KQfnXCg8Qh",
        hook="h1",
        message_id="m1",
        status="queued",
        sequence=1,
        attempt=1,
        outcome="failed",
    )
    edge = Edge(uploaded=((0, 3),), listed=2, lister="v0001")
    early = [
        Playable(org=samples.ORG, job="5KQfnXCg8Qh", master="s3://bucket/x/video.m3u8", segments=2, edge=edge),
        PlaybackExtended(org=samples.ORG, job="5KQfnXCg8Qh", segments=4, edge=edge),
    ]
    return [*life, *early, *ends, fact]


def _references(node: Any) -> Iterator[str]:
    if isinstance(node, dict):
        for key, value in node.items():
            if key == "$ref":
                yield value
            else:
                yield from _references(value)
    elif isinstance(node, list):
        for item in node:
            yield from _references(item)


def _anchors(page: Path) -> set[str]:
    headings = re.findall(r"(?m)^#+ (.+)$", page.read_text())
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


def _log_lines() -> Iterator[str]:
    for path in (*ROOT.glob("services/**/*.py"), *ROOT.glob("shared/**/*.py")):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr in _LOG_CALLS:
                first = node.args[0] if node.args else None
                assert isinstance(first, ast.Constant), (
                    f"{path.name}:{node.lineno} logs something that is not a constant"
                )
                yield str(first.value)


def _own_files() -> Iterator[Path]:
    for folder, inner, files in os.walk(ROOT):
        inner[:] = [name for name in inner if name not in SKIPPED and (not name.startswith(".") or name == ".ci")]
        for name in files:
            if name.endswith(TEXTS):
                yield Path(folder) / name


def _compose() -> dict[str, Any]:
    found = yaml.safe_load((ROOT / "docker-compose.yml").read_text())
    assert isinstance(found, dict)
    return found


def _requirements(name: str) -> Iterator[str]:
    for text in distribution(name).requires or ():
        requirement = Requirement(text)
        # Without extras: those that are asked for are requirements of whoever asks.
        if requirement.marker is None or requirement.marker.evaluate({"extra": ""}):
            yield _normal(requirement.name)


def _pins(lock: str) -> set[str]:
    """Each pinned version and each hash."""
    return set(re.findall(r"(?m)^\S+==[^\s;]+|sha256:\w{64}", lock))


def _normal(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()
