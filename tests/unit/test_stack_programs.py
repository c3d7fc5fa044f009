"""What the stack starts, and what it tells it."""

from dataclasses import asdict
from pathlib import Path

import pytest

from services.api.settings import ApiSettings
from services.notifier.settings import NotifierSettings
from services.transcoder.settings import TranscoderSettings
from services.uploader.settings import UploaderSettings
from shared.bus.servers import parse_servers
from shared.settings import WorkerSettings
from stack.credentials import Credentials
from stack.layout import Layout, StackError
from stack.nats import prepare_nats
from stack.program import Program
from stack.servers import servers
from stack.services import environment, services
from stack.supervisor import restart_delay

LAYOUT = Layout(Path("/var/lib/stack"), 28000, 2)
CLUSTER = Layout(Path("/var/lib/stack"), 28000, 2, nats=3)
CREDENTIALS = Credentials()


@pytest.fixture(scope="module")
def programs() -> list[Program]:
    return servers(LAYOUT, CREDENTIALS) + services(LAYOUT, CREDENTIALS, {})


@pytest.mark.parametrize("layout", [LAYOUT, CLUSTER], ids=["alone", "cluster"])
def test_no_secret_stands_on_a_command_line(layout: Layout) -> None:
    programs = servers(layout, CREDENTIALS) + services(layout, CREDENTIALS, {})
    secrets = [value for name, value in asdict(CREDENTIALS).items() if name != "api_username"]
    words = [word for program in programs for word in program.argv]
    assert words
    assert not [word for word in words for secret in secrets if secret in word]


def test_no_secret_is_shown_when_a_program_is(programs: list[Program]) -> None:
    assert CREDENTIALS.s3_secret_key not in repr(programs)


def test_only_the_api_gets_the_database(programs: list[Program]) -> None:
    with_database = {program.name for program in programs if "MILLRACE_API_DATABASE_URL" in program.env}
    assert with_database == {"api"}


def test_only_those_who_open_secrets_get_the_sealing_keys() -> None:
    caller = {"MILLRACE_SEAL_KEYS": "foreign"}
    keys = {program.name: program.env.get("MILLRACE_SEAL_KEYS") for program in services(LAYOUT, CREDENTIALS, caller)}
    without = {name for name, found in keys.items() if found is None}
    assert without == {name for name in keys if name.startswith("transcoder")} != set()
    assert {keys[name] for name in keys.keys() - without} == {CREDENTIALS.seal_key}


def test_services_start_after_the_bus_and_the_api_after_the_database_too(programs: list[Program]) -> None:
    after = {program.name: set(program.after) for program in programs}
    assert after["api"] == {"nats", "postgres"}
    assert all(after[name] == {"nats"} for name in LAYOUT.services if name != "api")


def test_services_know_all_servers_of_a_cluster_and_start_after_them() -> None:
    names = {program.name for program in servers(CLUSTER, CREDENTIALS)}
    assert set(CLUSTER.nats_nodes) < names
    for program in services(CLUSTER, CREDENTIALS, {}):
        assert set(CLUSTER.nats_nodes) <= set(program.after) <= names
    read = ApiSettings.from_environment(environment("api", CLUSTER, CREDENTIALS, {}))
    found = parse_servers(read.nats_url.get_secret_value())
    assert found.urls == tuple(f"nats://127.0.0.1:{CLUSTER.ports[name]}" for name in CLUSTER.nats_nodes)
    assert (found.user, found.password) == ("api", CREDENTIALS.nats_password_of("api"))
    assert read.nats_replicas == 3


@pytest.mark.parametrize(("before", "after"), [(1, 3), (3, 1)])
def test_data_of_another_number_of_servers_is_refused_and_left(tmp_path: Path, before: int, after: int) -> None:
    former, wanted = (Layout(tmp_path, 28000, nats=nats) for nats in (before, after))
    prepare_nats(former, CREDENTIALS)
    for name in former.nats_nodes:
        (tmp_path / name).mkdir()
    prepare_nats(former, CREDENTIALS)
    with pytest.raises(StackError, match=f"has data of NATS_NODES={before}"):
        prepare_nats(wanted, CREDENTIALS)


@pytest.mark.parametrize(
    ("name", "settings"),
    [("transcoder-2", TranscoderSettings), ("uploader", UploaderSettings), ("notifier", NotifierSettings)],
)
def test_a_worker_understands_its_settings(name: str, settings: type[WorkerSettings]) -> None:
    read = settings.from_environment(environment(name, LAYOUT, CREDENTIALS, {}))
    assert read.health_port == LAYOUT.ports[name]
    assert read.health_host == "127.0.0.1"
    assert read.workspace_url.get_secret_value() == "file:///var/lib/stack/workspace"
    assert read.address_policy.networks


def test_the_api_understands_its_settings() -> None:
    read = ApiSettings.from_environment(environment("api", LAYOUT, CREDENTIALS, {}))
    assert (read.host, read.port) == ("127.0.0.1", 28000)
    assert (read.health_host, read.health_port) == ("127.0.0.1", LAYOUT.health_ports["api"])
    assert read.database_url.get_secret_value() == CREDENTIALS.database_url(LAYOUT)


def test_the_caller_decides_about_settings_but_not_about_addresses() -> None:
    caller = {
        "MILLRACE_LEASE_SECONDS": "2",
        "MILLRACE_ALLOWED_HOSTS": "10.0.0.0/8",
        "MILLRACE_NATS_URL": "nats://elsewhere:4222",
        "MILLRACE_SEAL_KEYS": "foreign",
        "MILLRACE_TOKEN": "that of a client",
    }
    env = environment("uploader", LAYOUT, CREDENTIALS, caller)
    assert env["MILLRACE_LEASE_SECONDS"] == "2"
    assert env["MILLRACE_ALLOWED_HOSTS"] == "10.0.0.0/8"
    assert env["MILLRACE_NATS_URL"] == CREDENTIALS.nats_url(LAYOUT, "uploader")
    assert env["MILLRACE_SEAL_KEYS"] == CREDENTIALS.seal_key
    assert "MILLRACE_TOKEN" not in env


def test_the_first_restarts_are_quick_and_later_ones_never_slower_than_five_seconds() -> None:
    delays = [restart_delay(failures) for failures in range(1, 50)]
    assert delays[:3] == [0.1, 0.1, 0.1]
    assert delays == sorted(delays)
    assert delays[-1] == 5.0
