"""The clients of :mod:`tools.measure_intake`, in a process of their own: they send jobs and wait for each answer.

Reads a :class:`Load` as JSON on standard input, and writes an :class:`Outcome` as JSON on standard output. It speaks just as much
HTTP as it takes, so that it takes little of the processors that the measured servers need.
"""

import asyncio
import json
import secrets
import sys
import time
from collections.abc import Awaitable, Callable
from dataclasses import asdict, dataclass, field

_METADATA = {"lesson": 4711, "course": "b7c1d7e0-2f0e-4a53-9d53-0c4ff1f0a1c9", "title": "Überblick", "tags": ["a", "b"]}


@dataclass(frozen=True)
class Load:
    """What the clients do.

    Attributes:
        clients: how many there are; each sends its next job when it has the answer to the one before.
        seconds: for how long they send.
        keys: whether each job comes with an ``Idempotency-Key``.
        look_every: after so many jobs of all clients one is looked for by GET.
    """

    port: int
    org: str
    token: str
    clients: int
    seconds: float
    keys: bool = False
    look_every: int = 20


@dataclass
class Outcome:
    """What came of it, times in seconds.

    Attributes:
        answered: how long each job took to be accepted. visible: from its acceptance until GET has shown a job.
        refused: answers to POST other than 201, by status. wall: from the first request to the last answer.
        cpu: what this process has used meanwhile.
    """

    answered: list[float] = field(default_factory=list)
    visible: list[float] = field(default_factory=list)
    refused: dict[int, int] = field(default_factory=dict)
    wall: float = 0.0
    cpu: float = 0.0


class Connection:
    """One connection that is kept."""

    def __init__(self, load: Load) -> None:
        self._load = load
        self._streams: tuple[asyncio.StreamReader, asyncio.StreamWriter] | None = None

    async def open(self) -> None:
        """Connect."""
        self._streams = await asyncio.open_connection("127.0.0.1", self._load.port)

    async def call(self, method: str, path: str, body: bytes = b"", more: str = "") -> tuple[int, bytes]:
        """Send a request below the organization; the status and body of its answer."""
        if self._streams is None:
            raise ConnectionError("not open")
        reader, writer = self._streams
        head = (
            f"{method} /api/v1/{self._load.org}/{path} HTTP/1.1\r\nHost: 127.0.0.1\r\n"
            f"Authorization: Token {self._load.token}\r\nContent-Type: application/json\r\n"
            f"Content-Length: {len(body)}\r\n{more}\r\n"
        )
        writer.write(head.encode() + body)
        answer = await reader.readuntil(b"\r\n\r\n")
        length = answer.lower().partition(b"content-length:")[2].partition(b"\r\n")[0]
        return int(answer[9:12]), await reader.readexactly(int(length))


def job_body() -> bytes:
    """A job as clients send them, with an output path of its own."""
    place = f"s3://example-bucket/courses/{secrets.token_hex(8)}/?access_key=AKIDEXAMPLE&secret_key=wJalrXUtnFEMI&region=us-east-1"
    body = {
        "input_url": f"https://media.example.com/films/{secrets.token_hex(8)}.mp4?signature={secrets.token_hex(16)}",
        "output_path": place,
        "resolutions": ["240p", "480p", "720p", "1080p"],
        "client_metadata": _METADATA,
    }
    return json.dumps(body).encode()


async def run(load: Load) -> Outcome:
    """Send for as long as the load says."""
    outcome = Outcome()
    connections = [Connection(load) for _ in range(load.clients)]
    for connection in connections:
        await connection.open()
    cpu, begun = time.process_time(), time.perf_counter()
    await asyncio.gather(*(_send(load, outcome, connection, begun + load.seconds) for connection in connections))
    outcome.wall, outcome.cpu = time.perf_counter() - begun, time.process_time() - cpu
    return outcome


async def _send(load: Load, outcome: Outcome, connection: Connection, until: float) -> None:
    while (begun := time.perf_counter()) < until:
        more = f"Idempotency-Key: {secrets.token_hex(16)}\r\n" if load.keys else ""
        status, answer = await connection.call("POST", "transcoding_jobs/", job_body(), more)
        answered = time.perf_counter()
        if status != 201:
            outcome.refused[status] = outcome.refused.get(status, 0) + 1
            continue
        outcome.answered.append(answered - begun)
        if len(outcome.answered) % load.look_every == 0:
            job = json.loads(answer)["id"]
            await _until_found(lambda job=job: connection.call("GET", f"transcoding_jobs/{job}/"))  # type: ignore[misc]
            outcome.visible.append(time.perf_counter() - answered)


async def _until_found(look: Callable[[], Awaitable[tuple[int, bytes]]]) -> None:
    while (await look())[0] != 200:
        pass


if __name__ == "__main__":
    print(json.dumps(asdict(asyncio.run(run(Load(**json.load(sys.stdin)))))))
