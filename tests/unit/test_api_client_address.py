"""Whose request it is: what is connected, or whom a trusted proxy names."""

import pytest

from services.api.contract.peers import client_address, parse_networks

PROXIES = parse_networks("10.0.0.0/8, 127.0.0.1,fd00::/8")


@pytest.mark.parametrize(
    ("peer", "forwarded", "address"),
    [
        ("192.0.2.1", [], "192.0.2.1"),
        ("192.0.2.1", ["198.51.100.7"], "192.0.2.1"),  # anybody can write a header
        ("10.1.2.3", [], "10.1.2.3"),
        ("10.1.2.3", ["198.51.100.7"], "198.51.100.7"),
        (
            "10.1.2.3",
            ["6.6.6.6, 198.51.100.7"],
            "198.51.100.7",
        ),  # what the client wrote stands before what the proxy did
        ("10.1.2.3", ["6.6.6.6", "198.51.100.7 , 127.0.0.1"], "198.51.100.7"),
        ("10.1.2.3", ["10.9.9.9"], "10.9.9.9"),
        ("::ffff:10.1.2.3", ["198.51.100.7:5050"], "198.51.100.7"),
        ("fd00::1", ["[2001:db8:1:2:3::4]:443"], "2001:db8:1:2::/64"),
        ("2001:db8:1:2:ffff::9", [], "2001:db8:1:2::/64"),
        ("10.1.2.3", ["unknown"], "unknown"),
        ("10.1.2.3", [""], ""),
        ("", ["198.51.100.7"], ""),
    ],
)
def test_address(peer: str, forwarded: list[str], address: str) -> None:
    assert client_address(peer, forwarded, PROXIES) == address


def test_nobody_is_trusted_by_default() -> None:
    assert parse_networks("") == ()
    assert client_address("127.0.0.1", ["198.51.100.7"], ()) == "127.0.0.1"


@pytest.mark.parametrize("text", ["proxy.example.com", "10.0.0.1/8", "10.0.0.0/33"])
def test_what_is_no_network(text: str) -> None:
    with pytest.raises(ValueError, match=r"10\.0\.0|proxy"):
        parse_networks(text)
