"""Jobs on a cluster of three NATS servers, whichever of them die: each ends once and rightly, and is told of."""

import asyncio
import signal
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from functools import partial
from pathlib import Path

from nats.errors import Error as NatsError
from nats.js.errors import NoKeysError
from pydantic import SecretStr

from shared.bus.connection import connect
from shared.bus.topology import JOBS, SECRETS_BUCKET
from shared.events import Completed
from stack.client import Client
from tests.support.bus import until
from tests.support.clips import made
from tests.support.jobs import Api
from tests.support.observe import job_events
from tests.support.receiver import WebhookReceiver
from tests.support.sources import source_server
from tests.support.stack import RunningStack, running_stack

NODES = ("nats-1", "nats-2", "nats-3")


def _tiny_clip() -> Path:
    """A second of 256×144."""
    picture = ("-f", "lavfi", "-i", "testsrc2=size=256x144:rate=10:duration=1")
    return made("tiny.mp4", *picture, "-c:v", "libx264", "-preset", "ultrafast", "-movflags", "+faststart")


class Customer:
    """Posts jobs one after the other, as long as it is let.

    Attributes:
        accepted: jobs that were answered with 201.
        refused: how often the answer was 503.
    """

    def __init__(self, env: dict[str, str], source: str) -> None:
        self._api = Api(env)
        self._output = f"s3://{env['S3_BUCKET']}/cluster"
        self._source = source
        self._number = 0
        self.accepted: list[str] = []
        self.refused = 0

    async def post(self) -> bool:
        """Post a job. Whether it was accepted."""
        self._number += 1
        body = {"input_url": self._source, "output_path": f"{self._output}/{self._number}/", "resolutions": ["144p"]}
        status, answer = await self._api.call("POST", "transcoding_jobs/", body)
        assert status in (201, 503), answer
        if status == 503:
            self.refused += 1
            return False
        self.accepted.append(str(answer["id"]))
        return True

    @asynccontextmanager
    async def posting(self) -> AsyncIterator[None]:
        """Post all the time while the block lasts."""

        async def post() -> None:
            while True:
                await self.post()
                await asyncio.sleep(1)

        task = asyncio.create_task(post())
        try:
            yield
            assert not task.done(), task.result()
        finally:
            task.cancel()
            await asyncio.wait({task})


async def test_every_job_completes_whichever_servers_die(tmp_path: Path) -> None:
    async with (
        running_stack(tmp_path, nats=3) as stack,
        WebhookReceiver() as receiver,
        source_server() as source,
    ):
        clip = _tiny_clip()
        customer = Customer(stack.env, source.host(clip.name, clip.read_bytes()))
        async with Client(stack.env) as client:
            await client.add_webhook(f"{receiver.url}/hook")
        await _with_two_gone(stack, customer)
        async with customer.posting():
            for node in NODES:
                await asyncio.to_thread(_restart, stack, node)
            await asyncio.to_thread(_restart, stack, await _leader_of_jobs(stack))

        for job in customer.accepted:
            await until(partial(_has_completed, stack, job), seconds=60, what=f"{job} ends")
        await until(partial(_all_told, receiver, customer.accepted), seconds=30, what="all webhooks have come")
        assert not receiver.overtaken
        for job in customer.accepted:
            messages = {payload.message_id for payload in receiver.payloads if payload.job["id"] == job}
            assert len(messages) == 3
        await until(partial(_vault_is_empty, stack), seconds=90, what="the vault is empty")
        for service in stack.layout.services:
            assert "work failed unexpectedly" not in stack.log(service)
            assert "Traceback" not in stack.log(service)


async def _with_two_gone(stack: RunningStack, customer: Customer) -> None:
    """Nothing is accepted while two servers do not answer, and everything again when one of them does."""
    assert await customer.post()
    gone = [stack.process(node) for node in NODES[1:]]
    for process in gone:
        process.send(signal.SIGSTOP)
    try:
        assert not await customer.post()
        gone[0].send(signal.SIGCONT)
        await until(customer.post, seconds=60, what="a job is accepted")
    finally:
        for process in gone:
            process.send(signal.SIGCONT)


def _restart(stack: RunningStack, node: str) -> None:
    stack.wait_restarted(node, stack.kill(node))


async def _leader_of_jobs(stack: RunningStack) -> str:
    bus = await connect(SecretStr(stack.env["NATS_URL"]), "test")

    async def leader() -> str | None:
        with suppress(NatsError, TimeoutError):
            info = await bus.jetstream().stream_info(JOBS)
            return info.cluster.leader if info.cluster else None
        return None

    try:
        return await until(leader, seconds=30, what="JOBS has a leader")
    finally:
        await bus.close()


async def _has_completed(stack: RunningStack, job: str) -> bool:
    try:
        events = await job_events(stack.env["NATS_URL"], stack.env["ORG_ID"], job)
    except NatsError:
        # It is electing its leaders.
        return False
    ends = [event for event in events if event.token().startswith("end.")]
    assert all(isinstance(end, Completed) for end in ends), ends
    assert len(ends) <= 1
    return bool(ends)


async def _all_told(receiver: WebhookReceiver, jobs: list[str]) -> bool:
    return all(receiver.told(job)[-1:] == ["completed"] for job in jobs)


async def _vault_is_empty(stack: RunningStack) -> bool:
    bus = await connect(SecretStr(stack.env["NATS_URL"]), "test")
    try:
        bucket = await bus.jetstream().key_value(SECRETS_BUCKET)
        return not await bucket.keys()
    except NoKeysError:
        return True
    except NatsError:
        return False
    finally:
        await bus.close()
