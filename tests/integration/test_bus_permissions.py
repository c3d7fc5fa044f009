"""Each service may do on the bus what it does, and nothing of what the others do: asked of a real server."""

import asyncio
from collections.abc import Iterator

import pytest

from shared.bus.permissions import ACCESS, bus_user_permissions, inbox_prefix, permissions_of
from tests.support.guarded_bus import GuardedBus, violations

ALL = set(ACCESS)
JOB = "abc123.5KQfnXCg8Qh"
ACK = "1.1.1.1700000000000000000.0"

PUBLISHES: dict[str, set[str]] = {
    # The facts of the log, each with its authors.
    f"jobs.{JOB}.created": {"api"},
    f"jobs.{JOB}.admitted": {"api"},
    f"jobs.{JOB}.end.cancelled": {"api"},
    f"jobs.{JOB}.started": {"fetcher"},
    f"jobs.{JOB}.fetched": {"fetcher"},
    # The api's operator has them repeated.
    f"jobs.{JOB}.part_requested.v0000": {"api", "fetcher", "uploader"},
    f"jobs.{JOB}.part_transcoded.v0000": {"api", "transcoder"},
    f"jobs.{JOB}.part_uploaded.v0000": {"uploader"},
    f"jobs.{JOB}.end.completed": {"uploader"},
    f"jobs.{JOB}.end.failed": {"fetcher", "transcoder", "uploader"},
    f"feed.jobs.{JOB}.end.completed": set(),
    # Beside the log.
    f"progress.{JOB}.fetch": {"fetcher", "transcoder"},
    f"progress.{JOB}.v0000": {"transcoder"},
    f"waiting.{JOB}.admitted": {"fetcher"},
    f"waiting.{JOB}.part_requested.v0000": {"transcoder"},
    f"waiting.{JOB}.part_transcoded.v0000": {"uploader"},
    f"dead.fetcher.{JOB}": {"fetcher"},
    f"dead.notifier.{JOB}": {"notifier"},
    f"webhooks.attempt.{JOB}.hook.completed": {"api", "notifier"},
    f"webhooks.schedule.{JOB}.hook.completed": {"notifier"},
    f"deliveries.{JOB}.hook.completed": {"notifier"},
    # Work, which is taken by those whose work it is.
    "$JS.API.CONSUMER.MSG.NEXT.JOBS.fetcher": {"fetcher"},
    "$JS.API.CONSUMER.MSG.NEXT.JOBS.transcoder": {"transcoder"},
    "$JS.API.CONSUMER.MSG.NEXT.JOBS.uploader": {"uploader"},
    "$JS.API.CONSUMER.MSG.NEXT.JOBS.janitor": {"uploader"},
    "$JS.API.CONSUMER.MSG.NEXT.JOBS.notifier": {"notifier"},
    "$JS.API.CONSUMER.MSG.NEXT.WEBHOOKS.webhook-attempts": {"notifier"},
    f"$JS.ACK.JOBS.fetcher.{ACK}": {"fetcher"},
    f"$JS.ACK.JOBS.transcoder.{ACK}": {"transcoder"},
    f"$JS.ACK.JOBS.uploader.{ACK}": {"uploader"},
    f"$JS.ACK.JOBS.janitor.{ACK}": {"uploader"},
    f"$JS.ACK.JOBS.notifier.{ACK}": {"notifier"},
    f"$JS.ACK.WEBHOOKS.webhook-attempts.{ACK}": {"notifier"},
    # Buckets.
    "$JS.API.STREAM.MSG.GET.KV_secrets": {"api", "fetcher", "uploader"},
    f"$JS.API.DIRECT.GET.KV_secrets.$KV.secrets.{JOB}": set(),
    f"$KV.secrets.{JOB}": {"api", "uploader"},
    f"$KV.secrets.{JOB}.keys": {"api", "fetcher", "uploader"},
    "$JS.API.STREAM.MSG.GET.KV_hooks": {"api", "notifier"},
    "$KV.hooks.abc123": {"api"},
    "$JS.API.STREAM.MSG.GET.KV_webhook-lanes": {"api", "notifier"},
    f"$KV.webhook-lanes.{JOB}": {"api", "notifier"},
    "$KV.attempts.fetcher.1": {"api", "fetcher"},
    "$KV.attempts.transcoder.1": {"api", "transcoder"},
    "$KV.attempts.janitor.1": {"api", "uploader"},
    "$KV.attempts.webhook-attempts.1": {"api", "notifier"},
    "$KV.workers.worker.fetcher.x": {"fetcher"},
    "$KV.workers.worker.notifier.x": {"notifier"},
    "$KV.workers.drain.fetcher.x": {"api", "fetcher"},
    "$KV.workers.drain.uploader.x": {"api", "uploader"},
    "$KV.health.api": {"api"},
    "$KV.health.uploader": {"uploader"},
    # Streams and consumers.
    "$JS.API.INFO": ALL,
    "$JS.API.STREAM.INFO.JOBS": ALL,
    "$JS.API.STREAM.MSG.GET.JOBS": ALL,
    "$JS.API.DIRECT.GET.JOBS": ALL,
    "$JS.API.STREAM.CREATE.JOBS": {"api"},
    "$JS.API.STREAM.UPDATE.KV_secrets": {"api"},
    "$JS.API.STREAM.CREATE.OWN": set(),
    "$JS.API.STREAM.DELETE.JOBS": set(),
    "$JS.API.STREAM.DELETE.KV_secrets": set(),
    "$JS.API.STREAM.PURGE.JOBS": {"api"},
    "$JS.API.STREAM.PURGE.WEBHOOKS": {"notifier"},
    "$JS.API.STREAM.MSG.DELETE.JOBS": set(),
    "$JS.API.STREAM.MSG.DELETE.DEAD": {"api"},
    "$JS.API.STREAM.SNAPSHOT.JOBS": set(),
    "$JS.API.STREAM.RESTORE.JOBS": set(),
    "$JS.API.STREAM.NAMES": set(),
    "$JS.API.STREAM.LIST": set(),
    "$JS.API.STREAM.MSG.GET.DEAD": {"api"},
    # How old the oldest message is that waits.
    "$JS.API.DIRECT.GET.DELIVERIES": {"api"},
    "$JS.API.DIRECT.GET.WEBHOOKS": {"api"},
    "$JS.API.CONSUMER.CREATE.JOBS": {"api"},
    "$JS.API.CONSUMER.CREATE.JOBS.own": set(),
    "$JS.API.CONSUMER.CREATE.KV_hooks": set(),
    "$JS.API.CONSUMER.DURABLE.CREATE.JOBS.fetcher": {"api"},
    "$JS.API.CONSUMER.DURABLE.CREATE.JOBS.own": set(),
    "$JS.API.CONSUMER.DELETE.JOBS.fetcher": set(),
    "$JS.API.CONSUMER.PAUSE.JOBS.fetcher": set(),
    "$JS.API.CONSUMER.INFO.JOBS.transcoder": {"api", "fetcher", "transcoder", "uploader"},
    # The server itself, and what others are answered.
    "$SYS.REQ.SERVER.PING": set(),
    "$SYS.REQ.USER.AUTH": set(),
    "$SYS._INBOX.x": {"api"},
    "_INBOX.abc123-0123456789.x": {"api"},
    "feed.replay.abc123": set(),
    **{f"{inbox_prefix(service)}.x": set() for service in ACCESS},
    "anything": set(),
}
"""Subjects, and who may publish to them."""

SUBSCRIBES: dict[str, set[str]] = {
    f"feed.jobs.{JOB}.end.completed": ALL,
    "feed.jobs.*.*.end.*": ALL,
    "feed.jobs.>": {"api"},
    "progress.*.*.>": {"api"},
    "waiting.*.*.>": {"api"},
    "$SYS.REQ.USER.AUTH": {"api"},
    "feed.replay.*": {"api"},
    **{f"{inbox_prefix(service)}.>": {service} for service in ACCESS},
    "_INBOX.>": set(),
    "*.>": set(),
    ">": set(),
    "jobs.>": set(),
    "deliveries.>": set(),
    "webhooks.>": set(),
    "dead.>": set(),
    "$KV.>": set(),
    f"$KV.secrets.{JOB}": set(),
    "$JS.>": set(),
    "$SYS.>": set(),
    "$JS.EVENT.ADVISORY.>": set(),
}
"""Subjects, and who may subscribe to them."""


@pytest.fixture(scope="module")
def bus() -> Iterator[GuardedBus]:
    with GuardedBus() as server:
        yield server


@pytest.mark.parametrize("service", ACCESS)
async def test_a_service_is_refused_what_is_not_its_own(bus: GuardedBus, service: str) -> None:
    client = await bus.connect_as(service)
    refused = await violations(client, publishes=PUBLISHES)
    assert refused == {subject.lower() for subject, who in PUBLISHES.items() if service not in who}
    refused = await violations(client, subscribes=SUBSCRIBES)
    assert refused == {subject.lower() for subject, who in SUBSCRIBES.items() if service not in who}
    await client.close()


async def test_nobody_connects_without_a_password_that_is_his(bus: GuardedBus) -> None:
    # The api, which does not run here, is asked in vain about whom the server does not know.
    strangers = (("", ""), ("fetcher", "api"), ("nobody", "nobody"))
    await asyncio.gather(*(bus.refuses(user, password) for user, password in strangers))


def example(pattern: str) -> str:
    """A subject that a pattern allows."""
    return ".".join({"*": "x", ">": "x.y"}.get(token, token) for token in pattern.split("."))


def matches(subject: str, pattern: str) -> bool:
    """Whether a pattern allows a subject, by NATS's rules."""
    tokens, wanted = subject.split("."), pattern.split(".")
    for number, token in enumerate(wanted):
        if token == ">":
            return len(tokens) > number
        if number >= len(tokens) or token not in ("*", tokens[number]):
            return False
    return len(tokens) == len(wanted)


@pytest.mark.parametrize("service", ACCESS)
async def test_nobody_may_do_anything_of_what_only_others_may(bus: GuardedBus, service: str) -> None:
    everything = [permissions_of(name) for name in ACCESS] + [bus_user_permissions("other0", "other0-0123456789")]
    own = permissions_of(service)

    def is_refused(subject: str, allowed: tuple[str, ...], denied: tuple[str, ...] = ()) -> bool:
        return any(matches(subject, one) for one in denied) or not any(matches(subject, one) for one in allowed)

    published = {example(subject) for permissions in everything for subject in permissions.publish}
    heard = {example(subject) for permissions in everything for subject in permissions.subscribe}
    client = await bus.connect_as(service)
    refused = await violations(client, publishes=published)
    foreign = {subject for subject in published if is_refused(subject, own.publish, own.never_publish)}
    assert refused == {subject.lower() for subject in foreign}
    assert len(foreign) > 30
    refused = await violations(client, subscribes=heard)
    assert refused == {subject.lower() for subject in heard if is_refused(subject, own.subscribe)}
    await client.close()
