"""TLS with NATS: a service and a bus connection over it, and what is said where the certificates do not fit."""

import asyncio
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
from pydantic import SecretStr
from structlog.testing import capture_logs

from shared.bus import connection
from shared.bus.connection import connect, connect_broker, make_broker
from shared.bus.tls import Tls
from stack.certificates import CA, CERTIFICATE, KEY, make_certificates
from tests.support.api import SEAL_KEY, ApiProcess
from tests.support.guarded_bus import GuardedBus
from tests.support.service import Service


class SecureBus(GuardedBus):
    """NATS with TLS only; ``verify`` makes it want a certificate of its clients too."""

    def __init__(self, certificates: Path, first: str = "auto", *, verify: bool = False) -> None:
        super().__init__()
        self._certificates = certificates
        self._first = first
        self._verify = verify

    def configuration(self) -> str:
        files = self._certificates
        more = f'ca_file: "{files / CA}", verify: true' if self._verify else ""
        return f"""{super().configuration()}
tls {{ cert_file: "{files / CERTIFICATE}", key_file: "{files / KEY}", handshake_first: {self._first}, {more} }}
"""


@pytest.fixture(scope="module")
def certificates(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("certificates")
    make_certificates(folder)
    return folder


@pytest.fixture(scope="module")
def others(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Certificates of another CA."""
    folder = tmp_path_factory.mktemp("others")
    make_certificates(folder)
    return folder


@pytest.fixture(scope="module")
def bus(certificates: Path) -> Iterator[SecureBus]:
    with SecureBus(certificates) as server:
        yield server


@pytest.mark.parametrize("first", [False, True])
async def test_a_connection_over_tls(bus: SecureBus, certificates: Path, first: bool) -> None:
    tls = Tls(ca=certificates / CA, first=first)
    client = await connect(SecretStr(bus.url_of("millrace")), "test", tls=tls)
    assert await client.jetstream().account_info()
    await client.close()
    broker = make_broker(SecretStr(bus.url_of("millrace")), "test", tls=tls)
    await broker.start()
    assert await broker.ping(5)
    await broker.stop()


async def test_a_failed_handshake_is_tried_again(
    bus: SecureBus, certificates: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The client would wait for ever for the end of that connection."""
    monkeypatch.setattr(connection, "ATTEMPT_SECONDS", 3)
    connections = 0

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal connections
        connections += 1
        if connections <= 2:
            writer.write(b'INFO {"server_id": "x", "tls_required": true, "max_payload": 1048576}\r\n')
            await reader.read(1)
            writer.write(b"-ERR 'Secure Connection - TLS Required'\r\n")
            await writer.drain()
            writer.close()
            return
        there, back = await asyncio.open_connection("127.0.0.1", bus.port)
        await asyncio.gather(_pass_on(reader, back), _pass_on(there, writer))

    tls = Tls(ca=certificates / CA)
    async with await asyncio.start_server(serve, "127.0.0.1", 0) as spoiling:
        url = SecretStr(bus.url_of("millrace").replace(str(bus.port), str(spoiling.sockets[0].getsockname()[1])))
        async with asyncio.timeout(60):
            client = await connect(url, "test", tls=tls)
            broker = make_broker(url, "test", tls=tls)
            await connect_broker(broker)
        assert client.is_connected and await broker.ping(5)
        await broker.stop()
        await client.close()


async def _pass_on(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    with suppress(ConnectionError):
        while piece := await reader.read(65536):
            writer.write(piece)
            await writer.drain()
    writer.close()


async def refusal(url: str, **more: Any) -> str:
    """What is logged of the first attempt to connect, which goes on and on."""
    with capture_logs() as lines:
        connecting = asyncio.create_task(connect(SecretStr(url), "test", **more))
        async with asyncio.timeout(30):
            while not (found := [line for line in lines if line["event"] == "no bus yet"]):
                await asyncio.sleep(0.02)
        connecting.cancel()
    return str(found[0]["error"])


@pytest.mark.parametrize("first", [False, True])
async def test_a_certificate_of_another_ca_is_refused_with_a_sentence(
    bus: SecureBus, others: Path, first: bool
) -> None:
    said = await refusal(bus.url_of("millrace"), tls=Tls(ca=others / CA, first=first))
    assert "the certificate of NATS is not good" in said
    assert "MILLRACE_NATS_TLS_CA" in said


async def test_a_certificate_for_another_host_is_refused_with_a_sentence(tmp_path: Path) -> None:
    make_certificates(tmp_path, ("nats.example.com",))
    with SecureBus(tmp_path) as bus:
        said = await refusal(bus.url_of("millrace"), tls=Tls(ca=tmp_path / CA))
    assert "the certificate of NATS is not good" in said
    assert "127.0.0.1" in said


async def test_without_tls_nobody_is_let_in(bus: SecureBus) -> None:
    assert "the certificate of NATS is not good" in await refusal(bus.url_of("millrace"))


async def test_who_begins_with_tls_tells_a_server_without_it_nothing(certificates: Path) -> None:
    heard: list[bytes] = []

    async def listen(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        # As somebody in between would, to be told the password in the clear.
        writer.write(b'INFO {"server_id":"x","version":"2.12.0","max_payload":1048576,"headers":true}\r\n')
        heard.append(await reader.read(4096))
        writer.close()

    server = await asyncio.start_server(listen, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    said = await refusal(f"nats://millrace:secret@127.0.0.1:{port}", tls=Tls(ca=certificates / CA, first=True))
    assert said
    assert heard
    assert not any(b"secret" in data for data in heard)
    server.close()


async def test_a_certificate_of_ones_own_where_nats_wants_one(certificates: Path) -> None:
    own = Tls(certificates / CA, certificates / CERTIFICATE, certificates / KEY)
    with SecureBus(certificates, verify=True) as bus:
        client = await connect(SecretStr(bus.url_of("millrace")), "test", tls=own)
        assert client.is_connected
        await client.close()


def test_services_over_tls(bus: SecureBus, certificates: Path, database_url: str, tmp_path: Path) -> None:
    tls: dict[str, object] = {"nats_tls_ca": certificates / CA, "nats_tls_first": "true"}
    with (
        ApiProcess(nats_url=bus.url_of("api"), database_url=database_url, **tls),
        Service(
            "uploader",
            nats_url=bus.url_of("uploader"),
            workspace_url=tmp_path.as_uri(),
            seal_keys=SEAL_KEY,
            **tls,
        ) as uploader,
    ):
        assert uploader.running
