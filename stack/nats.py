"""NATS: one server, or three that make a cluster."""

import shutil
from pathlib import Path

from stack.bus_users import USERS, authorization
from stack.certificates import CERTIFICATE, KEY, make_certificates
from stack.credentials import Credentials, write_private
from stack.layout import Layout, StackError
from stack.probes import http_ok, nats_writes
from stack.program import Program, installed, plain_environment

# Free space with which a server that cannot write is worth a restart.
_ENOUGH_BYTES = 16 << 20


def nats_programs(layout: Layout, credentials: Credentials) -> list[Program]:
    """All servers."""
    return [_program(name, layout, credentials) for name in layout.nats_nodes]


def prepare_nats(layout: Layout, credentials: Credentials) -> None:
    """Write the configuration of all servers.

    Raises:
        StackError: there is data of another number of servers, which these could not take over.
    """
    alone, first = (_data(name, layout) for name in ("nats", "nats-1"))
    other, count = (first, 3) if layout.nats == 1 else (alone, 1)
    if other.exists():
        raise StackError(
            f"{layout.state} has data of NATS_NODES={count}, which NATS_NODES={layout.nats} cannot take over. "
            f"Use `make up NATS_NODES={count}`, or another STATE_DIR"
        )
    if layout.nats_ca and not layout.nats_ca.exists():
        make_certificates(layout.nats_certificates)
    for name in layout.nats_nodes:
        write_private(_configuration(name, layout), _settings(name, layout, credentials))


def _program(name: str, layout: Layout, credentials: Credentials) -> Program:
    port, monitor = layout.ports[name], layout.ports[f"{name}-monitor"]
    others = [layout.ports[f"{other}-monitor"] for other in layout.nats_nodes if other != name]

    def healthy() -> bool:
        if not _answers(monitor):
            return False
        # After its disk was full it writes no more, until it is started again. Before there is space that would not help, nor
        # does it where others of the cluster are missing.
        can_write = _has_space(layout.state) and all(map(_answers, others))
        return not can_write or nats_writes(port, credentials.nats_password, layout.nats_ca)

    return Program(
        name=name,
        port=port,
        argv=(installed("nats-server"), "--config", str(_configuration(name, layout))),
        env=plain_environment(),
        # A member of a cluster is ready when it has met the others; its copies may be behind still.
        ready=lambda: http_ok(monitor, "/healthz?js-server-only=true" if others else "/healthz"),
        healthy=healthy,
    )


def _answers(monitor: int) -> bool:
    return http_ok(monitor, "/healthz?js-enabled-only=true")


def _has_space(folder: Path) -> bool:
    return shutil.disk_usage(folder).free > _ENOUGH_BYTES


def _configuration(name: str, layout: Layout) -> Path:
    return layout.state / f"{name}.conf"


def _data(name: str, layout: Layout) -> Path:
    return layout.state / name


def _authorization(credentials: Credentials) -> str:
    passwords = {user: f'"{credentials.nats_password_of(user)}"' for user in USERS}
    return authorization(passwords, credentials.bus_issuer)


def _tls(layout: Layout, more: str) -> str:
    if not layout.nats_tls:
        return ""
    certificate, key = layout.nats_certificates / CERTIFICATE, layout.nats_certificates / KEY
    return f'tls {{ cert_file: "{certificate}", key_file: "{key}", {more} }}\n'


def _settings(name: str, layout: Layout, credentials: Credentials) -> str:
    ports = layout.ports
    # sync_interval: an acknowledged event has to survive a power cut a millisecond later.
    text = f"""listen: "127.0.0.1:{ports[name]}"
http: "127.0.0.1:{ports[f"{name}-monitor"]}"
server_name: "{"millrace" if name == "nats" else name}"
jetstream {{ store_dir: "{_data(name, layout)}", sync_interval: always }}
{_tls(layout, "handshake_first: auto")}{_authorization(credentials)}"""
    if layout.nats == 1:
        return text
    # A password here too: whoever is taken for a member of the cluster may read everything.
    who = f"cluster:{credentials.nats_password}"
    routes = ", ".join(f'"nats-route://{who}@127.0.0.1:{ports[f"{node}-route"]}"' for node in layout.nats_nodes)
    return f"""{text}cluster {{
  name: "millrace"
  listen: "127.0.0.1:{ports[f"{name}-route"]}"
  authorization {{ user: "cluster", password: "{credentials.nats_password}" }}
  routes: [{routes}]
  {_tls(layout, f'ca_file: "{layout.nats_ca}", verify: true')}
}}
"""
