"""Jobs in the middle, as version 0.1.0 left them when it was stopped: read from tests/data/upgrade, loaded into fresh servers.

What is what in that folder says its README; ``record.py`` beside it is how it was made.
"""

import json
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import asyncpg
from nats.aio.client import Client
from pydantic import SecretStr

from shared.sealing import Sealer
from shared.settings import decode_keys
from stack.program import postgres_command
from tests.support.api import SEAL_KEY, Account
from tests.support.s3 import S3Server
from tests.support.servers import PostgresServer

FOLDER = Path(__file__).resolve().parents[1] / "data" / "upgrade"

# The names of that version, whatever they are now.
JOBS, DELIVERIES, WEBHOOKS = "JOBS", "DELIVERIES", "WEBHOOKS"
HOOKS, LANES, SECRETS = "hooks", "webhook-lanes", "secrets"
MESSAGES = {JOBS: "events.jsonl", DELIVERIES: "deliveries.jsonl", WEBHOOKS: "webhooks.jsonl"}
"""The streams whose messages are kept, each with its file."""

BUCKET = "films"
ACCOUNT = Account("before", "before", "be4" * 21 + "0")
STARTED, FETCHED, UNDER_WAY, UPLOADED = "jobStarted2", "jobFetched2", "jobUnderWay", "jobUpLoaded"
BEFORE_JOBS = (STARTED, FETCHED, UNDER_WAY, UPLOADED)


@dataclass(frozen=True)
class Kept:
    """A message of a stream: ``data`` as it was, byte for byte."""

    sequence: int
    subject: str
    headers: dict[str, str]
    data: bytes


def kept(stream: str) -> Iterator[Kept]:
    """The messages that a stream held."""
    for line in (FOLDER / MESSAGES[stream]).read_text().splitlines():
        found = json.loads(line)
        yield Kept(found["sequence"], found["subject"], found["headers"], compact(found["data"]))


def compact(value: Any) -> bytes:
    """JSON as every service of that version wrote it."""
    return json.dumps(value, ensure_ascii=False, separators=(",", ":")).encode()


def told(job: str) -> list[str]:
    """The statuses of a job that the webhook had accepted."""
    facts = [json.loads(message.data) for message in kept(DELIVERIES)]
    return [fact["status"] for fact in facts if fact["job"] == job and fact["outcome"] == "delivered"]


def files(kind: str) -> dict[str, Path]:
    """What lay in the ``workspace`` or the ``bucket``, by path below it."""
    root = FOLDER / kind
    return {path.relative_to(root).as_posix(): path for path in sorted(root.rglob("*")) if path.is_file()}


async def restore_bus(client: Client, *, settled: bool = True) -> None:
    """Make the streams, buckets and consumers as they were configured, with the messages where they were in JOBS.

    Args:
        settled: messages that had been settled are; otherwise all of them come again, as when consumers are made anew.
    """
    bus = json.loads((FOLDER / "bus.json").read_text())
    for config in bus["streams"]:
        await ask(client, f"STREAM.CREATE.{config['name']}", config)
    for consumer in bus["consumers"]:
        stream, config = consumer["stream"], consumer["config"]
        request = {"stream_name": stream, "config": config}
        await ask(client, f"CONSUMER.DURABLE.CREATE.{stream}.{config['durable_name']}", request)
    for name in MESSAGES:
        for message in kept(name):
            ack = await client.jetstream().publish(
                message.subject, message.data, stream=name, headers=dict(message.headers)
            )
            assert name == WEBHOOKS or ack.seq == message.sequence, message
    for consumer in bus["consumers"]:
        if settled and "unsettled" in consumer:
            await _settle(client, consumer["stream"], consumer["config"]["durable_name"], consumer["unsettled"])


async def restore_keys(client: Client, s3: S3Server, hook_url: str) -> None:
    """Fill the buckets of keys and values; what was sealed is sealed anew, for this storage and this receiver."""
    values, sealer = json.loads((FOLDER / "kv.json").read_text()), Sealer(decode_keys(SecretStr(SEAL_KEY)))
    known = {"endpoint": s3.endpoint, "access_key": s3.access_key, "secret_key": s3.secret_key}
    lanes, hooks, secrets = [await client.jetstream().key_value(name) for name in (LANES, HOOKS, SECRETS)]
    for key, value in values[LANES].items():
        await lanes.put(key, compact(value))
    for key, found in values[HOOKS].items():
        text = json.dumps([hook | {"url": hook_url} for hook in found])
        await hooks.put(key, sealer.seal(text, f"hooks of {key}"))
    for key, addresses in values[SECRETS].items():
        text = json.dumps([addresses[name].format(**known) for name in ("input_url", "output_path")])
        await secrets.put(key, sealer.seal(text, f"addresses of {key}"))


async def restore_database(postgres: PostgresServer, hook_url: str) -> str:
    """A database as it was, but for the address of the webhook; its address."""
    url = postgres.new_database()
    argv = [postgres_command("psql"), "--quiet", "--no-psqlrc", "--set", "ON_ERROR_STOP=1", "--dbname", url]
    done = subprocess.run([*argv, "--file", str(FOLDER / "database.sql")], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    connection = await asyncpg.connect(url)
    await connection.execute("update webhooks set url = $1", hook_url)
    await connection.close()
    return url


async def restore_files(root: Path, s3: S3Server) -> None:
    """Fill the work space at ``root`` and the bucket."""
    for path, file in files("workspace").items():
        (root / path).parent.mkdir(parents=True, exist_ok=True)
        (root / path).write_bytes(file.read_bytes())
    s3.new_bucket(BUCKET)
    async with s3.client() as client:
        for path, file in files("bucket").items():
            await client.put_object(Bucket=BUCKET, Key=path, Body=file.read_bytes())


async def ask(client: Client, api: str, request: dict[str, Any] | None = None) -> dict[str, Any]:
    """What the server's own API answers."""
    data = json.dumps(request).encode() if request else b""
    answer: dict[str, Any] = json.loads((await client.request(f"$JS.API.{api}", data, timeout=5)).data)
    assert "error" not in answer, (api, answer["error"])
    return answer


async def _settle(client: Client, stream: str, consumer: str, unsettled: list[int]) -> None:
    subscription = await client.jetstream().pull_subscribe_bind(durable=consumer, stream=stream)
    left = int((await subscription.consumer_info()).num_pending or 0)
    open_ones = []
    while left:
        for message in await subscription.fetch(left, timeout=5):
            left -= 1
            if message.metadata.sequence.stream in unsettled:
                open_ones.append(message)
            else:
                await message.ack_sync(timeout=5)
    # Not before: they would come again at once.
    for message in open_ones:
        await message.nak()
    await client.flush()
    await subscription.unsubscribe()
