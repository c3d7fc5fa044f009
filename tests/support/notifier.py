"""A real notifier process for tests, and the bus around it with the api's part played by the test."""

import asyncio
import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any, Self

from nats.aio.client import Client
from nats.js.errors import NoKeysError, NotFoundError

from shared.bus.joblog import JobLog
from shared.bus.topology import DELIVERIES, HOOKS_BUCKET, QUEUES_BUCKET, WEBHOOKS, provision
from shared.deliveries import DeliveryAttempted, Hook, WebhookAttempt
from shared.events import Cancelled, Completed, Created, Event, Failed, Playable, Started
from shared.ids import new_job_id, new_org_code
from shared.media.result import Outputs
from shared.sealing import Sealer
from tests.support.ports import free_port
from tests.support.servers import REPOSITORY

SEAL_KEYS = "MDEyMzQ1Njc4OTAxMjM0NTY3ODkwMTIzNDU2Nzg5MDE="
LEASE_SECONDS = 2.0
OUTPUTS = Outputs(
    master="s3://bucket/out/video.m3u8", dash="s3://bucket/out/video.mpd", renditions=(), audio=(), bytes=12, segments=1
)


class NotifierProcess:
    """``python -m services.notifier`` with quick settings; further ones as ``retry_seconds="0,1"``.

    Settings that all services share are given by their whole names: ``MILLRACE_ALLOWED_HOSTS=""``.
    """

    def __init__(self, nats_url: str, folder: Path, **settings: str) -> None:
        self.health_port = free_port()
        self._log = folder / f"notifier-{self.health_port}.log"
        own = {"retry_seconds": "0,0.3,0.3,0.3", "timeout_seconds": "2", "grace_seconds": "3", "slots": "8"} | settings
        self._environment = {
            **{name: value for name, value in os.environ.items() if not name.startswith("MILLRACE_")},
            "MILLRACE_NATS_URL": nats_url,
            "MILLRACE_SEAL_KEYS": SEAL_KEYS,
            "MILLRACE_LEASE_SECONDS": str(LEASE_SECONDS),
            "MILLRACE_ALLOWED_HOSTS": "127.0.0.0/8,::1",
            "MILLRACE_NOTIFIER_HEALTH_PORT": str(self.health_port),
            "MILLRACE_NOTIFIER_HEALTH_HOST": "127.0.0.1",
        }
        for name, value in own.items():
            self._environment[name if name.startswith("MILLRACE_") else f"MILLRACE_NOTIFIER_{name.upper()}"] = value
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def log(self) -> str:
        """What it has logged."""
        return self._log.read_text()

    def start(self) -> None:
        """Start it; it may not be ready yet, which harms nothing."""
        with self._log.open("ab") as log:
            self._process = subprocess.Popen(
                [sys.executable, "-m", "services.notifier"],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                cwd=REPOSITORY,
                env=self._environment,
            )

    async def wait_until_ready(self, seconds: float = 20) -> None:
        """Return when it takes work."""
        deadline = time.monotonic() + seconds
        while '"ready"' not in self.log:
            assert self._process, "not started"
            assert self._process.poll() is None, self.log
            assert time.monotonic() < deadline, self.log
            await asyncio.sleep(0.05)

    def kill(self) -> None:
        """SIGKILL."""
        self._end(signal.SIGKILL)

    def stop(self) -> int:
        """SIGTERM, and wait for its end.

        Returns:
            its exit status.
        """
        return self._end(signal.SIGTERM)

    def _end(self, number: signal.Signals) -> int:
        assert self._process, "not started"
        self._process.send_signal(number)
        try:
            return self._process.wait(timeout=20)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait(timeout=5)
            raise

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        if self._process and self._process.poll() is None:
            self.kill()


class Scene:
    """An organization with webhooks, whose jobs go the way that the test wants."""

    def __init__(self, client: Client) -> None:
        self.org = new_org_code()
        self.log = JobLog(client)
        self._js = client.jetstream()
        self._sealer = Sealer([b"01234567890123456789012345678901"])

    @classmethod
    async def open(cls, client: Client) -> Self:
        """Provision the bus and take a new organization."""
        await provision(client.jetstream(), lease_seconds=LEASE_SECONDS)
        return cls(client)

    async def set_hooks(self, *hooks: Hook) -> None:
        """Write the organization's webhooks as the api does."""
        text = json.dumps([hook.model_dump(mode="json") for hook in hooks])
        bucket = await self._js.key_value(HOOKS_BUCKET)
        await bucket.put(self.org, self._sealer.seal(text, f"hooks of {self.org}"))

    async def create(self, **members: Any) -> str:
        """Append ``created``.

        Returns:
            the job's id.
        """
        job = new_job_id()
        address = "https://example.com/in.mp4"
        await self._append(
            Created(
                org=self.org,
                job=job,
                input_url=address,
                output_path="s3://bucket/out/",
                resolutions=("240p",),
                **members,
            )
        )
        return job

    async def start(self, job: str) -> int:
        """Append ``started``."""
        return await self._append(Started(org=self.org, job=job))

    async def play(self, job: str) -> int:
        """Append ``playable``."""
        return await self._append(Playable(org=self.org, job=job, master="s3://bucket/x/video.m3u8", segments=2))

    async def complete(self, job: str) -> int:
        """Append ``end.completed``."""
        return await self._append(Completed(org=self.org, job=job, outputs=OUTPUTS))

    async def fail(self, job: str) -> int:
        """Append ``end.failed``."""
        return await self._append(Failed(org=self.org, job=job, code="input_empty", message="The input is empty."))

    async def cancel(self, job: str) -> int:
        """Append ``end.cancelled``."""
        return await self._append(Cancelled(org=self.org, job=job))

    async def run_through(self) -> str:
        """A job's whole life as fast as it goes."""
        job = await self.create()
        await self.start(job)
        await self.complete(job)
        return job

    async def redeliver(self, fact: DeliveryAttempted, mark: str) -> None:
        """Ask for a redelivery as the api does."""
        attempt = WebhookAttempt(
            org=fact.org, job=fact.job, hook=fact.hook, status=fact.status, sequence=fact.sequence, redelivery=mark
        )
        await self._js.publish(attempt.subject, attempt.model_dump_json().encode(), stream=WEBHOOKS)

    async def try_hook(self, hook: Hook, mark: str) -> str:
        """Ask for a test as the api does.

        Returns:
            the sample job's id.
        """
        attempt = WebhookAttempt(
            org=self.org, job=new_job_id(), hook=hook.id, status="queued", sequence=0, redelivery=mark, test=True
        )
        await self._js.publish(attempt.subject, attempt.model_dump_json().encode(), stream=WEBHOOKS)
        return attempt.job

    async def queues(self, job: str) -> list[str]:
        """Keys of the delivery queues that are kept of a job."""
        bucket = await self._js.key_value(QUEUES_BUCKET)
        try:
            return [key for key in await bucket.keys() if key.startswith(f"{self.org}.{job}.")]
        except NoKeysError:
            return []

    async def deliveries(self, job: str = "*") -> list[DeliveryAttempted]:
        """The facts about deliveries so far."""
        facts: list[DeliveryAttempted] = []
        sequence = 1
        while True:
            try:
                message = await self._js.get_msg(
                    DELIVERIES, seq=sequence, subject=f"deliveries.{self.org}.{job}.>", next=True
                )
            except NotFoundError:
                return facts
            facts.append(DeliveryAttempted.model_validate_json(message.data or b""))
            sequence = int(message.seq or 0) + 1

    async def wait_for_deliveries(self, count: int, *, job: str = "*", seconds: float = 15) -> list[DeliveryAttempted]:
        """The facts, as soon as there are so many."""
        deadline = time.monotonic() + seconds
        while len(facts := await self.deliveries(job)) < count:
            assert time.monotonic() < deadline, f"{len(facts)} facts of {count}: {facts}"
            await asyncio.sleep(0.05)
        return facts

    async def wait_until_nothing_waits(self, seconds: float = 15) -> None:
        """Return when no attempt of this organization is queued or scheduled."""
        deadline = time.monotonic() + seconds
        while waiting := await self.waiting():
            assert time.monotonic() < deadline, waiting
            await asyncio.sleep(0.1)

    async def waiting(self) -> list[str]:
        """Subjects of the attempts that are queued or scheduled."""
        info = await self._js.stream_info(WEBHOOKS, subjects_filter=">")
        return [subject for subject in (info.state.subjects or {}) if subject.split(".")[2] == self.org]

    async def _append(self, event: Event) -> int:
        return (await self.log.append(event)).recorded.sequence


def new_hook(url: str, *, number: int = 1, secret_token: str = "s3cret", enabled: bool = True) -> Hook:
    """A webhook with an id like the api's."""
    return Hook(id=f"00000000-0000-4000-8000-{number:012d}", url=url, secret_token=secret_token, enabled=enabled)
