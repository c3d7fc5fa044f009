"""Is it up? Small blocking questions to a port, answered within a second or counted as no."""

import http.client
import socket
import struct

_PROTOCOL_3 = 196608


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


def postgres_accepts(port: int, timeout: float = 1.0) -> bool:
    """Whether PostgreSQL takes connections: it answers a start-up message by asking for a password.

    While it starts or stops it answers with an error instead, so an open port says nothing.
    """
    parameters = b"user\0millrace\0database\0millrace\0\0"
    message = struct.pack(">II", 8 + len(parameters), _PROTOCOL_3) + parameters
    try:
        with socket.create_connection(("127.0.0.1", port), timeout=timeout) as connection:
            connection.sendall(message)
            # All of the answer is read: closing on unread data would reset the connection, which the server logs.
            return connection.recv(1024)[:1] == b"R"
    except OSError:
        return False


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
