"""docker-compose.yml is a compose file, and no service in it may take the whole host."""

import json
from pathlib import Path
from typing import Any

import pytest
import yaml  # type: ignore[import-untyped]
from jsonschema import Draft7Validator, ValidationError  # type: ignore[import-untyped]

from shared.settings import SERVICES

ROOT = Path(__file__).resolve().parents[2]
FILES = sorted(path.name for path in ROOT.glob("docker-compose*.yml"))


def read(name: str) -> dict[str, Any]:
    found = yaml.safe_load((ROOT / name).read_text())
    assert isinstance(found, dict)
    return found


def validate(compose: dict[str, Any]) -> None:
    Draft7Validator(json.loads((ROOT / "tests/data/schemas/compose.json").read_text())).validate(compose)


@pytest.mark.parametrize("name", FILES)
def test_it_fits_the_specification(name: str) -> None:
    validate(read(name))


def test_a_misspelt_member_does_not() -> None:
    compose = read("docker-compose.yml")
    compose["services"]["api"]["depend_on"] = compose["services"]["api"].pop("depends_on")
    with pytest.raises(ValidationError, match="depend_on"):
        validate(compose)


@pytest.mark.parametrize("service", SERVICES)
def test_services_have_limits_and_few_rights(service: str) -> None:
    found = read("docker-compose.yml")["services"][service]
    assert found["deploy"]["resources"]["limits"].keys() >= {"memory", "pids"}
    assert (found["read_only"], found["cap_drop"]) == (True, ["ALL"])
    assert "no-new-privileges:true" in found["security_opt"]


def test_only_those_who_open_secrets_get_the_sealing_keys() -> None:
    services = read("docker-compose.yml")["services"]
    taken_back = {name for name in SERVICES if services[name]["environment"].get("MILLRACE_SEAL_KEYS") == ""}
    assert taken_back == {"transcoder"}
    for name in SERVICES:
        own = {"MILLRACE_API_BUS_ISSUER_SEED", "MILLRACE_API_LICENCE_SERVER_URL"} & services[name]["environment"].keys()
        assert bool(own) == (name != "api")


def test_players_cannot_write_to_the_buckets() -> None:
    playback = read("docker-compose.yml")["services"]["playback"]
    assert all(volume.endswith(":ro") for volume in playback["volumes"])
    assert "--read-only" in playback["command"]
