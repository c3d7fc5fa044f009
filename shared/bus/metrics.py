"""What the workers tell of the work that they take from the bus, by consumer."""

import time
from datetime import UTC, datetime
from typing import Literal, get_args

from faststream.message import StreamMessage
from faststream.nats.prometheus.provider import NatsMetricsSettingsProvider
from faststream.prometheus import ConsumeAttrs
from faststream.prometheus.middleware import PrometheusMiddleware
from nats.aio.msg import Msg
from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram

from shared.metrics import JOB_SECONDS, REGISTRY, error_label

Outcome = Literal["done", "failed", "handed_back", "interrupted", "ended", "lease_lost", "put_off"]
"""How a delivery ended. ``ended``: its job had ended before; ``put_off``: it was not its turn, so that nothing was begun."""

OutOfTurn = Literal["share", "urgency", "suspect"]
"""Why work was put off: another organization is next, more urgent work is, or what runs or comes may be what kills workers."""

Verdict = Literal["tried_again", "waits", "given_up"]
"""What becomes of work that failed; ``waits``: for the end of an outage."""

_BUCKETS = (0.05, 0.25, *JOB_SECONDS)

SLOTS = Gauge(
    "millrace_slots", "Pieces of work that this process does at the same time", ["consumer"], registry=REGISTRY
)
SLOTS_BUSY = Gauge("millrace_slots_busy", "Pieces of work under way", ["consumer"], registry=REGISTRY)
DELIVERIES = Counter(
    "millrace_work_total",
    "Deliveries of work that are over, by their outcome",
    ["consumer", "outcome"],
    registry=REGISTRY,
)
REDELIVERIES = Counter(
    "millrace_redeliveries_total",
    "Deliveries of work that had been delivered before: it was put off, failed or interrupted, or its worker died",
    ["consumer"],
    registry=REGISTRY,
)
PUT_OFF = Counter(
    "millrace_work_put_off_total",
    "Deliveries of work that came out of turn, by what had to go first",
    ["consumer", "reason"],
    registry=REGISTRY,
)
WORK_SECONDS = Histogram(
    "millrace_work_seconds",
    "How long a piece of work took that was done, or failed",
    ["consumer"],
    buckets=_BUCKETS,
    registry=REGISTRY,
)
WAIT_SECONDS = Histogram(
    "millrace_work_wait_seconds",
    "Age of a message when work on it began; with what was tried or interrupted before, if anything was",
    ["consumer"],
    buckets=_BUCKETS,
    registry=REGISTRY,
)
FAILURES = Counter(
    "millrace_work_failures_total",
    "Failures of work by error code, and what became of it",
    ["code", "verdict"],
    registry=REGISTRY,
)
DEAD_LETTERS = Counter(
    "millrace_dead_letters_total", "Messages given up on and kept for the operator", registry=REGISTRY
)


def serves(consumer: str, slots: int) -> None:
    """Messages of a consumer will come. All its series begin now, at zero, so that the first of anything is an increase."""
    SLOTS.labels(consumer).set(slots)
    for metric in (SLOTS_BUSY, REDELIVERIES, WORK_SECONDS, WAIT_SECONDS):
        metric.labels(consumer)
    for outcome in get_args(Outcome):
        DELIVERIES.labels(consumer, outcome)
    for reason in get_args(OutOfTurn):
        PUT_OFF.labels(consumer, reason)


def failed(code: str, verdict: Verdict) -> None:
    """Work has failed."""
    FAILURES.labels(error_label(code), verdict).inc()


class Delivery:
    """A delivery, from when it comes until it is over.

    Attributes:
        outcome: how it ends; to be set before it is over.
    """

    def __init__(self, message: Msg) -> None:
        self.outcome: Outcome = "failed"
        self._consumer = message.metadata.consumer
        self._published = message.metadata.timestamp
        self._begun: float | None = None
        if message.metadata.num_delivered > 1:
            REDELIVERIES.labels(self._consumer).inc()

    def begins(self) -> None:
        """It has a slot."""
        # Clocks of hosts differ.
        waited = max(0.0, (datetime.now(UTC) - self._published).total_seconds())
        WAIT_SECONDS.labels(self._consumer).observe(waited)
        SLOTS_BUSY.labels(self._consumer).inc()
        self._begun = time.monotonic()

    def is_put_off(self, reason: OutOfTurn) -> None:
        """It has come out of turn."""
        self.outcome = "put_off"
        PUT_OFF.labels(self._consumer, reason).inc()

    def over(self) -> None:
        """It is settled."""
        DELIVERIES.labels(self._consumer, self.outcome).inc()
        if self._begun is None:
            return
        SLOTS_BUSY.labels(self._consumer).dec()
        if self.outcome in ("done", "failed"):
            WORK_SECONDS.labels(self._consumer).observe(time.monotonic() - self._begun)


class _ByConsumer(NatsMetricsSettingsProvider):
    """Has FastStream's metrics name the consumer where they would name the subject, which is another one for every message."""

    def get_consume_attrs_from_message(self, msg: StreamMessage[Msg]) -> ConsumeAttrs:
        attributes = super().get_consume_attrs_from_message(msg)
        return {**attributes, "destination_name": msg.raw_message.metadata.consumer}


def handler_metrics(service: str, registry: CollectorRegistry = REGISTRY) -> PrometheusMiddleware:
    """FastStream's own metrics, of messages and of what the handlers did with them, as a middleware for the broker."""
    return PrometheusMiddleware(
        settings_provider_factory=lambda _: _ByConsumer(),
        registry=registry,
        app_name=service,
        metrics_prefix="millrace_handler",
        received_messages_size_buckets=(256, 1024, 4096, 16_384, 65_536, 262_144, 1_048_576),
    )
