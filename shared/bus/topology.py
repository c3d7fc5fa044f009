"""The streams, buckets and durable consumers, in one place.

The api provisions them when it starts (create, or update in what stands here); all others wait until they are there.
Services then bind to them by name: a client that declares as it subscribes would overwrite settings with its own
defaults, and the last starter would win.
"""

import asyncio
from collections.abc import Collection
from dataclasses import dataclass
from typing import Any

import structlog
from nats.errors import Error as NatsError
from nats.js import JetStreamContext, api
from nats.js.errors import NotFoundError

from shared.bus.upkeep import AGE_KEY, kept_consumer, kept_stream
from shared.logs import Repetition

VERSION = "1"
_VERSION_KEY = "millrace-topology"

JOBS = "JOBS"
DELIVERIES = "DELIVERIES"
WEBHOOKS = "WEBHOOKS"
DEAD = "DEAD"
PROGRESS = "PROGRESS"
HOOKS_BUCKET = "hooks"
SECRETS_BUCKET = "secrets"
QUEUES_BUCKET = "webhook-lanes"
ATTEMPTS_BUCKET = "attempts"
HEALTH_BUCKET = "health"
WORKERS_BUCKET = "workers"
BUCKETS: dict[str, float | None] = {
    HOOKS_BUCKET: None,
    SECRETS_BUCKET: None,
    # Where each webhook stands with each job. A queue is written at every attempt, and two attempts are a day apart at most.
    QUEUES_BUCKET: 14 * 24 * 3600,
    # What befell a message that is not settled yet (shared/bus/attempts.py).
    ATTEMPTS_BUCKET: 7 * 24 * 3600,
    # Written again and again to see whether the server can (shared/bus/write_check.py).
    HEALTH_BUCKET: 24 * 3600,
    # Who works, and who shall leave (shared/bus/roster.py).
    WORKERS_BUCKET: 3600,
}
"""The key-value buckets, each with the seconds after which an untouched entry goes."""


@dataclass(frozen=True)
class Durable:
    """A durable pull consumer: work that is shared by all who pull from it. Its filters stand here and nowhere else."""

    stream: str
    name: str
    filters: tuple[str, ...]

    def config(self, lease_seconds: float) -> api.ConsumerConfig:
        """The consumer as the server shall have it.

        ``max_deliver`` is unlimited because a redelivery after SIGTERM or SIGKILL is no failure of the work; the tries of
        failing work are counted where the failure is understood. No ``backoff``: it would replace ``ack_wait``.
        """
        return api.ConsumerConfig(
            durable_name=self.name,
            filter_subjects=list(self.filters),
            deliver_policy=api.DeliverPolicy.ALL,
            ack_policy=api.AckPolicy.EXPLICIT,
            ack_wait=lease_seconds,
            max_deliver=-1,
            max_ack_pending=20_000,
        )


FETCHER = Durable(JOBS, "fetcher", ("jobs.*.*.admitted",))
TRANSCODER = Durable(JOBS, "transcoder", ("jobs.*.*.part_requested.*",))
UPLOADER = Durable(JOBS, "uploader", ("jobs.*.*.part_transcoded.*",))
JANITOR = Durable(JOBS, "janitor", ("jobs.*.*.end.*",))
NOTIFIER = Durable(JOBS, "notifier", ("jobs.*.*.created", "jobs.*.*.started", "jobs.*.*.playable", "jobs.*.*.end.*"))
WEBHOOK_ATTEMPTS = Durable(WEBHOOKS, "webhook-attempts", ("webhooks.attempt.>",))
DURABLES = (FETCHER, TRANSCODER, UPLOADER, JANITOR, NOTIFIER, WEBHOOK_ATTEMPTS)


DAY = 24 * 3600.0


@dataclass(frozen=True)
class Ages:
    """Seconds after which messages go by themselves; 0 keeps them for ever. The log itself has no such age."""

    deliveries: float = 0
    dead: float = 0


def streams(replicas: int, ages: Ages = Ages()) -> tuple[api.StreamConfig, ...]:
    """All streams. ``jobs.>`` is republished below ``feed.`` for listeners outside of JetStream."""
    file: dict[str, Any] = {
        "storage": api.StorageType.FILE,
        "num_replicas": replicas,
        "metadata": {_VERSION_KEY: VERSION},
    }

    def aged(seconds: float) -> dict[str, Any]:
        return file | {"max_age": seconds, "metadata": {_VERSION_KEY: VERSION, AGE_KEY: f"{seconds:.0f}"}}

    return (
        api.StreamConfig(
            name=JOBS,
            description="The log: every fact of every job",
            subjects=["jobs.*.*.>"],
            retention=api.RetentionPolicy.LIMITS,
            allow_direct=True,
            allow_atomic=True,
            republish=api.RePublish(src="jobs.>", dest="feed.jobs.>"),
            **file,
        ),
        api.StreamConfig(
            name=DELIVERIES,
            description="Facts about webhook deliveries",
            subjects=["deliveries.>"],
            retention=api.RetentionPolicy.LIMITS,
            allow_direct=True,
            **aged(ages.deliveries),
        ),
        api.StreamConfig(
            name=WEBHOOKS,
            description="Webhook attempts to make, now or at a time",
            subjects=["webhooks.attempt.>", "webhooks.schedule.>"],
            retention=api.RetentionPolicy.WORK_QUEUE,
            allow_msg_schedules=True,
            allow_direct=True,
            **file,
        ),
        api.StreamConfig(
            name=DEAD,
            description="Messages given up on",
            subjects=["dead.>"],
            retention=api.RetentionPolicy.LIMITS,
            allow_direct=True,
            **aged(ages.dead),
        ),
        api.StreamConfig(
            name=PROGRESS,
            description="The newest progress of what is under way, and what it waits for",
            subjects=["progress.>", "waiting.>"],
            retention=api.RetentionPolicy.LIMITS,
            storage=api.StorageType.MEMORY,
            max_msgs_per_subject=1,
            max_age=6 * 3600,
            allow_direct=True,
            num_replicas=replicas,
        ),
    )


async def provision(js: JetStreamContext, *, lease_seconds: float, replicas: int = 1, ages: Ages = Ages()) -> None:
    """Create what is missing, and bring what is there up to date: only in what Millrace owns (:mod:`shared.bus.upkeep`).

    Safe to run again and by several at once.
    """
    for config in streams(replicas, ages):
        await _provide_stream(js, config)
    for bucket, ttl in BUCKETS.items():
        await _provide_bucket(js, bucket, ttl, replicas)
    for durable in DURABLES:
        await _provide_consumer(js, durable, lease_seconds)


async def _provide_stream(js: JetStreamContext, wanted: api.StreamConfig) -> None:
    try:
        current = (await js.stream_info(str(wanted.name))).config
    except NotFoundError:
        await js.add_stream(wanted)
        return
    kept = kept_stream(current, wanted)
    if kept != current:
        await js.update_stream(kept)


async def _provide_bucket(js: JetStreamContext, bucket: str, ttl: float | None, replicas: int) -> None:
    try:
        current = (await js.stream_info(f"KV_{bucket}")).config
    except NotFoundError:
        await js.create_key_value(api.KeyValueConfig(bucket=bucket, history=1, ttl=ttl, replicas=replicas))
        current = (await js.stream_info(f"KV_{bucket}")).config
    # A bucket is a stream; which entries are stored together is nothing that it has a word for.
    wanted = {"num_replicas": replicas, "allow_atomic": bucket == SECRETS_BUCKET or current.allow_atomic}
    if any(getattr(current, name) != value for name, value in wanted.items()):
        await js.update_stream(current.evolve(**wanted))


async def _provide_consumer(js: JetStreamContext, durable: Durable, lease_seconds: float) -> None:
    wanted = durable.config(lease_seconds)
    try:
        current = (await js.consumer_info(durable.stream, durable.name)).config
    except NotFoundError:
        await js.add_consumer(durable.stream, wanted)
        return
    kept = kept_consumer(current, wanted)
    if kept != current:
        await js.add_consumer(durable.stream, kept)


async def wait_until_provisioned(
    js: JetStreamContext, durables: Collection[Durable] = DURABLES, buckets: Collection[str] = tuple(BUCKETS)
) -> None:
    """Return once the log is there in the version that this code binds to, and all of these consumers and buckets."""
    repetition = Repetition()
    while not await _is_provisioned(js, durables, buckets):
        if repetition.is_due():
            await structlog.get_logger().ainfo("waiting for the bus to be provisioned by the api")
        await asyncio.sleep(0.2)


async def _is_provisioned(js: JetStreamContext, durables: Collection[Durable], buckets: Collection[str]) -> bool:
    try:
        info = await js.stream_info(JOBS)
        if (info.config.metadata or {}).get(_VERSION_KEY) != VERSION:
            return False
        for durable in durables:
            await js.consumer_info(durable.stream, durable.name)
        for bucket in buckets:
            await js.key_value(bucket)
    except (NatsError, TimeoutError):
        # Not there, or there and without a leader yet.
        return False
    return True
