"""Is it up? Small blocking questions to a port, answered within seconds or counted as no."""

import http.client
import json
import secrets
import socket
import ssl
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from stack.program import postgres_command


def http_ok(port: int, path: str, timeout: float = 1.0, token: str | None = None) -> bool:
    """Whether ``GET path`` answers 200, with a token of the api if one is given."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=timeout)
    try:
        connection.request("GET", path, headers={"Authorization": f"Token {token}"} if token else {})
        return connection.getresponse().status == 200
    except (OSError, http.client.HTTPException):
        return False
    finally:
        connection.close()


def http_answers(port: int, timeout: float = 1.0) -> bool:
    """Whether an HTTP server answers at all, be it with a refusal."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=timeout)
    try:
        connection.request("GET", "/")
        return connection.getresponse().status < 500
    except (OSError, http.client.HTTPException):
        return False
    finally:
        connection.close()


def postgres_accepts(port: int) -> bool:
    """Whether PostgreSQL takes connections. While it starts or stops it refuses them, so an open port says nothing."""
    asked = [postgres_command("pg_isready"), "--quiet", "--host=127.0.0.1", f"--port={port}", "--timeout=1"]
    return subprocess.run(asked, check=False).returncode == 0


def nats_writes(port: int, password: str, ca: Path | None = None, timeout: float = 5.0) -> bool:
    """Whether NATS writes: it acknowledges a value for the bucket that the services write to for the same reason.

    A server without that bucket counts as one that writes: the api has not provisioned it yet.

    Args:
        ca: a file with the CA of a server that wants TLS.
    """
    who = json.dumps({"user": "millrace", "pass": password, "verbose": False, "headers": True, "no_responders": True})
    # More than a page, or a full disk may still have room for it.
    value = bytes(8192)
    # Of its own, since the servers of a cluster are asked at the same time.
    inbox = f"_INBOX.{secrets.token_hex(8)}"
    put = f"PUB $KV.health.supervisor {inbox} {len(value)}\r\n".encode() + value
    try:
        with _connected(port, ca, timeout) as connection:
            connection.sendall(f"CONNECT {who}\r\nSUB {inbox} 1\r\n".encode() + put + b"\r\n")
            answer = b""
            while chunk := connection.recv(4096):
                answer += chunk
                if b'"seq"' in answer or b"NATS/1.0 503" in answer:
                    return True
                if b"-ERR" in answer or b'"error"' in answer:
                    return False
            return False
    except OSError:
        return False


@contextmanager
def _connected(port: int, ca: Path | None, timeout: float) -> Iterator[socket.socket]:
    with socket.create_connection(("127.0.0.1", port), timeout=timeout) as connection:
        if ca is None:
            yield connection
            return
        context = ssl.create_default_context(cafile=ca)
        with context.wrap_socket(connection, server_hostname="127.0.0.1") as secured:
            yield secured


def port_is_free(port: int) -> bool:
    """Whether a server could listen on the loopback port."""
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as listener:
        # As servers do: connections of the last run that linger in TIME_WAIT are no obstacle.
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            listener.bind(("127.0.0.1", port))
        except OSError:
            return False
    return True
