"""Addresses of the bus: one or several, with the credentials that all servers of a cluster take."""

import pytest

from services.transcoder.settings import TranscoderSettings
from shared.bus.servers import Servers, parse_servers
from shared.settings import SettingsError

KEY = "A" * 43 + "="


@pytest.mark.parametrize(
    ("text", "servers"),
    [
        ("nats://127.0.0.1:4222", Servers(("nats://127.0.0.1:4222",))),
        ("bus", Servers(("nats://bus:4222",))),
        ("bus:4333", Servers(("nats://bus:4333",))),
        (
            "nats://u:p@a:1, nats://u:p@b:2 ,nats://u:p@c",
            Servers(("nats://a:1", "nats://b:2", "nats://c:4222"), "u", "p"),
        ),
        ("nats://u:p@a,b,c:3", Servers(("nats://a:4222", "nats://b:4222", "nats://c:3"), "u", "p")),
        ("nats://u:p%2F%40%2C@a", Servers(("nats://a:4222",), "u", "p/@,")),
        ("nats://u:@a", Servers(("nats://a:4222",), "u", "")),
        ("tls://t0ken@a,tls://t0ken@b", Servers(("tls://a:4222", "tls://b:4222"), token="t0ken")),
        ("nats://[::1]:4222,nats://[fe80::1]", Servers(("nats://[::1]:4222", "nats://[fe80::1]:4222"))),
        ("wss://a/,ws://b:8080", Servers(("wss://a", "ws://b:8080"))),
    ],
)
def test_addresses_and_credentials_are_taken_apart(text: str, servers: Servers) -> None:
    assert parse_servers(text) == servers


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("", "the address is empty"),
        ("nats://a,,nats://b", "address 2 of 3 is empty"),
        ("nats://a,", "address 2 of 2 is empty"),
        ("http://secret@a", "the address must begin with nats://"),
        ("nats://a,nats://:4222", "address 2 of 2 must be like"),
        ("nats://a:port", "the address must be like"),
        ("nats://a:0", "the address must be like"),
        ("nats://a:99999", "the address must be like"),
        ("nats://u:secret/x@a", "must be like|must end after the port"),
        ("nats://a:4222/x", "must end after the port"),
        ("nats://u:secret@a,nats://u:other@b", "different credentials"),
        ("nats://secret@a,nats://u:secret@b", "different credentials"),
        ("nats://a,ws://b", "cannot stand beside"),
        ("nats://[::1", "the address"),
    ],
)
def test_what_is_no_address_is_told_without_its_secrets(text: str, complaint: str) -> None:
    with pytest.raises(ValueError, match=complaint) as error:
        parse_servers(text)
    assert "secret" not in str(error.value)


def test_the_setting_is_named_in_the_complaint() -> None:
    environment = {"MILLRACE_SEAL_KEYS": KEY, "MILLRACE_NATS_URL": "nats://u:secret@a;nats://u:secret@b"}
    with pytest.raises(SettingsError, match=r"^MILLRACE_NATS_URL: .*the address must") as error:
        TranscoderSettings.from_environment(environment)
    assert "secret" not in str(error.value)


def test_credentials_are_not_shown() -> None:
    assert "secret" not in repr(parse_servers("nats://u:secret@a")) + repr(parse_servers("nats://secret@a"))
