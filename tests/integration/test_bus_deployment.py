"""The configuration of NATS for docker-compose.yml is one, with and without TLS, and lets each service in with its password."""

import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import nats
import pytest
from nats.errors import Error
from pydantic import SecretStr

from shared.bus.connection import connect
from shared.bus.permissions import OPERATOR
from shared.bus.tls import Tls
from stack.bus_users import USERS
from stack.program import installed
from tests.support.guarded_bus import ISSUER, violations
from tests.support.servers import REPOSITORY, NatsServer

PASSWORDS = {user: f"{number}{user[::-1]}" for number, user in enumerate(USERS)}


class DeployedBus(NatsServer):
    """NATS with the files of deploy/, which lie in its folder as compose mounts them."""

    def __init__(self, *, tls: bool) -> None:
        super().__init__()
        deploy = REPOSITORY / "deploy"
        self._tls = tls
        for name, mounted in (("nats.conf", "millrace.conf"), ("nats-users.conf", "nats-users.conf")):
            self._mount(deploy / name, mounted)
        if tls:
            self._mount(deploy / "nats-tls.conf", "nats-tls.conf")

    def _mount(self, file: Path, name: str) -> None:
        text = file.read_text().replace("/data", str(self.folder / "store")).replace("/etc/nats", str(self.folder))
        (self.folder / name).write_text(text)

    def argv(self) -> list[str]:
        variables = {f"NATS_{user.upper().replace('-', '_')}_PASSWORD": word for user, word in PASSWORDS.items()}
        variables["NATS_PASSWORD"] = variables.pop(f"NATS_{OPERATOR.upper()}_PASSWORD")
        given = [f'{name}="{password}"' for name, password in variables.items()]
        configuration = self.folder / ("nats-tls.conf" if self._tls else "millrace.conf")
        where = ["--addr", "127.0.0.1", "--port", str(self.port), "--http_port", str(self.http_port)]
        server = [installed("nats-server"), *where, "--config", str(configuration)]
        return ["/usr/bin/env", *given, f"NATS_ISSUER={ISSUER.name}", *server]

    def address_of(self, user: str) -> SecretStr:
        return SecretStr(self.url.replace("//", f"//{user}:{PASSWORDS[user]}@"))


@pytest.fixture(scope="module")
def plain() -> Iterator[DeployedBus]:
    with DeployedBus(tls=False) as server:
        yield server


@pytest.mark.parametrize("user", USERS)
async def test_everybody_in_it_is_let_in(plain: DeployedBus, user: str) -> None:
    client = await connect(plain.address_of(user), "test")
    assert user == OPERATOR or await violations(client, publishes=["anything"]) == {"anything"}
    await client.close()


async def test_the_passwords_are_those_of_the_environment(plain: DeployedBus) -> None:
    with pytest.raises(Error, match="Authorization Violation"):
        await nats.connect(plain.url, user="fetcher", password=PASSWORDS["api"], allow_reconnect=False)


async def test_with_the_certificates_that_the_script_makes(tmp_path: Path) -> None:
    shutil.copy(REPOSITORY / "deploy/new-certificates", tmp_path)
    script = [str(tmp_path / "new-certificates"), "nats.example.com", "192.0.2.7", "2001:db8::7"]
    subprocess.run(script, check=True, capture_output=True)
    assert subprocess.run(script, check=False, capture_output=True).returncode != 0
    files = tmp_path / "tls"
    assert {file.name for file in files.iterdir()} == {"ca.pem", "nats.pem", "nats.key"}
    assert (files / "nats.key").stat().st_mode & 0o077 == 0
    shown = subprocess.run(
        ["openssl", "x509", "-in", files / "nats.pem", "-noout", "-ext", "subjectAltName"],
        check=True,
        capture_output=True,
        text=True,
    ).stdout
    for name in ("DNS:nats", "DNS:nats.example.com", "IP Address:192.0.2.7", "IP Address:2001:DB8:0:0:0:0:0:7"):
        assert name in shown
    bus = DeployedBus(tls=True)
    shutil.copytree(files, bus.folder / "tls")
    with bus:
        client = await connect(bus.address_of("fetcher"), "test", tls=Tls(ca=files / "ca.pem", first=True))
        assert await client.jetstream().account_info()
        await client.close()
