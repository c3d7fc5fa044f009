"""Ports and paths of the embedded stack."""

from pathlib import Path

import pytest

from stack.layout import MOST_TRANSCODERS, PORTS_TAKEN, Layout, StackError

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
    ports = Layout(STATE, 28000, MOST_TRANSCODERS).ports
    assert len(set(ports.values())) == len(ports)
    assert all(28000 <= port < 28000 + PORTS_TAKEN for port in ports.values())


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
    ("port_base", "transcoders", "named"),
    [
        (80, 1, "PORT_BASE"),
        (65500, 1, "PORT_BASE"),
        (28000, -1, "TRANSCODERS"),
        (28000, MOST_TRANSCODERS + 1, "TRANSCODERS"),
    ],
)
def test_a_choice_out_of_range_is_refused_by_its_name(port_base: int, transcoders: int, named: str) -> None:
    with pytest.raises(StackError, match=named):
        Layout(STATE, port_base, transcoders)
