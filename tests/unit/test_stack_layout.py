"""Ports and paths of the embedded stack."""

from pathlib import Path

import pytest

from stack.layout import MOST_TRANSCODERS, NATS_NODES, PORTS_TAKEN, Layout, StackError
from stack.targets import targets

STATE = Path("/var/lib/stack")


def test_the_main_ports_follow_from_the_base() -> None:
    ports = Layout(STATE, 28000).ports
    assert (ports["api"], ports["nats"], ports["postgres"], ports["s3"], ports["playback"]) == (
        28000,
        28001,
        28003,
        28004,
        28005,
    )


def test_no_port_is_given_twice_and_none_lies_outside_of_the_hundred() -> None:
    for nats in NATS_NODES:
        ports = Layout(STATE, 28000, MOST_TRANSCODERS, nats).ports
        assert len(set(ports.values())) == len(ports)
        assert all(28000 <= port < 28000 + PORTS_TAKEN for port in ports.values())


def test_each_server_of_a_cluster_has_three_ports() -> None:
    layout = Layout(STATE, 28000, nats=3)
    assert layout.nats_nodes == ("nats-1", "nats-2", "nats-3")
    assert {f"{node}{kind}" for node in layout.nats_nodes for kind in ("", "-monitor", "-route")} < layout.ports.keys()
    # The first one is where the only one of a stack without a cluster is.
    assert layout.ports["nats-1"] == Layout(STATE, 28000).ports["nats"]


def test_every_service_process_has_a_port() -> None:
    layout = Layout(STATE, 28000, 3)
    assert layout.services == (
        "api",
        "fetcher",
        "transcoder-1",
        "transcoder-2",
        "transcoder-3",
        "uploader",
        "notifier",
    )
    assert set(layout.services) <= layout.ports.keys()


@pytest.mark.parametrize(
    ("port_base", "transcoders", "nats", "named"),
    [
        (80, 1, 1, "PORT_BASE"),
        (65500, 1, 1, "PORT_BASE"),
        (28000, -1, 1, "TRANSCODERS"),
        (28000, MOST_TRANSCODERS + 1, 1, "TRANSCODERS"),
        (28000, 1, 2, "NATS_NODES"),
    ],
)
def test_a_choice_out_of_range_is_refused_by_its_name(port_base: int, transcoders: int, nats: int, named: str) -> None:
    with pytest.raises(StackError, match=named):
        Layout(STATE, port_base, transcoders, nats)


def test_prometheus_finds_every_service_by_its_job() -> None:
    layout = Layout(STATE, 28000, 2)
    found = {entry["targets"][0]: entry["labels"]["job"] for entry in targets(layout)}
    assert found["127.0.0.1:28010"] == "millrace-api"
    assert list(found.values()).count("millrace-transcoder") == 2
    assert len(found) == len(layout.services)
    assert f"127.0.0.1:{layout.ports['api']}" not in found
