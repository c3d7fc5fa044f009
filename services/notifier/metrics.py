"""What the notifier tells beside what all workers do."""

from typing import get_args

from prometheus_client import Counter, Histogram

from shared.deliveries import DeliveryAttempted, Outcome
from shared.metrics import REGISTRY

ATTEMPTS = Counter("millrace_webhook_attempts_total", "Attempts at webhooks by outcome", ["outcome"], registry=REGISTRY)
REQUEST_SECONDS = Histogram(
    "millrace_webhook_request_seconds",
    "How long receivers took to answer, or not to",
    buckets=(0.01, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30),
    registry=REGISTRY,
)


def begin() -> None:
    """Have the series begin at zero, so that the first of anything is an increase."""
    for outcome in get_args(Outcome):
        ATTEMPTS.labels(outcome)


def attempted(fact: DeliveryAttempted) -> None:
    """An attempt was made or given up."""
    ATTEMPTS.labels(fact.outcome).inc()
    # Without a request, as where the webhook was removed, there is no time that it took.
    if fact.duration_ms:
        REQUEST_SECONDS.observe(fact.duration_ms / 1000)
