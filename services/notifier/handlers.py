"""The bus edge of the notifier."""

import asyncio

from services.notifier import metrics
from services.notifier.announce import Announcer
from services.notifier.concurrency import ConcurrencyLimits
from services.notifier.deliver import Deliverer
from services.notifier.hooks import Hooks
from services.notifier.publisher import Publisher
from services.notifier.queue_store import DeliveryQueues
from services.notifier.receiver import Receiver
from services.notifier.settings import NotifierSettings
from shared.bus.patience import until_done
from shared.bus.topology import NOTIFIER, WEBHOOK_ATTEMPTS
from shared.deliveries import WebhookAttempt
from shared.events import Cancelled, Completed, Created, Failed, Playable, Started
from shared.health import Check
from shared.worker import Bus, StreamSequence

# Announcing takes a few milliseconds, so a few slots keep up with any number of jobs.
_ANNOUNCING_SLOTS = 4


async def register(bus: Bus, settings: NotifierSettings, receiver: Receiver) -> dict[str, Check]:
    """Build the use cases and let them take work."""
    metrics.begin()
    sealer = settings.sealer
    hooks = await until_done(lambda: Hooks.open(bus.client, sealer), "webhooks")
    queues = await until_done(lambda: DeliveryQueues.open(bus.client), "delivery queues")
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

    async def on_status(
        event: Created | Started | Playable | Completed | Failed | Cancelled, sequence: StreamSequence
    ) -> None:
        await announcer.announce(event, sequence)

    async def on_attempt(attempt: WebhookAttempt) -> None:
        await deliverer.deliver(attempt)

    bus.take(NOTIFIER, min(_ANNOUNCING_SLOTS, settings.slots), on_status)
    bus.take(WEBHOOK_ATTEMPTS, settings.slots, on_attempt)
    return {}
