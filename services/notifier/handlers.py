"""The bus edge of the notifier."""

import asyncio

from faststream import AckPolicy
from faststream.nats.annotations import NatsMessage

from services.notifier.announce import Announcer
from services.notifier.concurrency import ConcurrencyLimits
from services.notifier.deliver import Deliverer
from services.notifier.hooks import Hooks
from services.notifier.publisher import Publisher
from services.notifier.queue_store import DeliveryQueues
from services.notifier.receiver import Receiver
from services.notifier.settings import NotifierSettings
from shared.bus.topology import JOBS, NOTIFIER, WEBHOOK_ATTEMPTS, WEBHOOKS
from shared.deliveries import WebhookAttempt
from shared.events import Cancelled, Completed, Created, Failed, Started
from shared.health import Check
from shared.sealing import Sealer
from shared.settings import decode_keys
from shared.worker import PULL, Bus, stream

# Announcing takes a few milliseconds, so a few slots keep up with any number of jobs.
ANNOUNCING_SLOTS = 4


async def register(bus: Bus, settings: NotifierSettings, receiver: Receiver) -> dict[str, Check]:
    """Wire the use cases and subscribe them."""
    hooks = await Hooks.open(bus.client, Sealer(decode_keys(settings.seal_keys)))
    queues = await DeliveryQueues.open(bus.client)
    publisher = Publisher(bus.client)
    room = {"host": max(1, settings.slots // 4), "organization": max(1, settings.slots // 2)}
    limits = ConcurrencyLimits(room, asyncio.get_running_loop().time)
    announcer = Announcer(bus.log, hooks, queues, publisher, first_delay=settings.delays[0])
    deliverer = Deliverer(
        bus.log,
        hooks,
        queues,
        publisher,
        receiver,
        limits,
        delays=settings.delays,
        timeout=settings.timeout_seconds,
    )
    for _ in range(min(ANNOUNCING_SLOTS, settings.slots)):
        _subscribe_announcer(bus, announcer)
    for _ in range(settings.slots):
        _subscribe_deliverer(bus, deliverer)
    return {}


def _subscribe_announcer(bus: Bus, announcer: Announcer) -> None:
    @bus.broker.subscriber("jobs.>", durable=NOTIFIER, stream=stream(JOBS), pull_sub=PULL, ack_policy=AckPolicy.MANUAL)
    async def on_status(event: Created | Started | Completed | Failed | Cancelled, message: NatsMessage) -> None:
        await announcer.announce(event, message.raw_message.metadata.sequence.stream)


def _subscribe_deliverer(bus: Bus, deliverer: Deliverer) -> None:
    @bus.broker.subscriber(
        "webhooks.attempt.>",
        durable=WEBHOOK_ATTEMPTS,
        stream=stream(WEBHOOKS),
        pull_sub=PULL,
        ack_policy=AckPolicy.MANUAL,
    )
    async def on_attempt(attempt: WebhookAttempt) -> None:
        await deliverer.deliver(attempt)
