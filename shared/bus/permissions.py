"""Who may do what on the bus: one table, from which the users of NATS are made (:mod:`stack.bus_users`).

Each service has a user of its own, which may do what the service does and nothing else: publish the events that it is the
author of, pull from its own consumers, read what it needs. Only the api may provision. Replies go to subjects that a user has
for itself, so that none can read what another one is answered.

What a service does further, it has to be allowed here first. NATS refuses the rest and says so, which the client logs.
"""

import re
from dataclasses import dataclass

from shared.bus.subjects import replay_subject
from shared.bus.topology import (
    ATTEMPTS_BUCKET,
    BUCKETS,
    DEAD,
    DELIVERIES,
    DURABLES,
    FETCHER,
    HEALTH_BUCKET,
    HOOKS_BUCKET,
    JANITOR,
    JOBS,
    NOTIFIER,
    PROGRESS,
    QUEUES_BUCKET,
    SECRETS_BUCKET,
    TRANSCODER,
    UPLOADER,
    WEBHOOK_ATTEMPTS,
    WEBHOOKS,
    WORKERS_BUCKET,
    Durable,
)

OPERATOR = "millrace"
"""The user that may do everything. For the operator, and for services in whose address nobody else stands."""

SYSTEM = "api-system"
"""The user of the system account with which the api looks after the connections of bus users."""
CALLOUT_SUBJECT = "$SYS.REQ.USER.AUTH"
"""Where NATS asks who somebody is that its configuration does not know."""
ASK_ALL_CONNECTIONS = "$SYS.REQ.SERVER.PING.CONNZ"
"""Where all servers are asked for their connections."""

_API = "$JS.API"
_CALLOUT_REPLIES = "$SYS._INBOX.>"
_BUS_USERS_INBOXES = "_INBOX.>"
_PLAIN_NAME = re.compile(r"[A-Za-z0-9_-]+")
_ENDS = "feed.jobs.*.*.end.*"
_STREAMS = (JOBS, DELIVERIES, WEBHOOKS, DEAD, PROGRESS)


@dataclass(frozen=True)
class Permissions:
    """Subjects that a user may publish and subscribe to. What it may never publish goes before what it may."""

    publish: tuple[str, ...]
    subscribe: tuple[str, ...]
    never_publish: tuple[str, ...] = ()


@dataclass(frozen=True)
class Access:
    """What a service does on the bus.

    Attributes:
        appends: the events that it is the author of, by the end of their subjects: ``part_requested.*``.
        publishes: further subjects.
        hears: subjects that it subscribes to.
        takes: the consumers that it pulls work from.
        watches: further consumers whose state it asks for.
        reads: streams out of which it reads single messages.
        tails: streams that it follows by consumers of its own, which the server forgets.
        purges: streams out of which it removes messages, by subjects. deletes: one by one.
        keeps: buckets that it reads, each with the keys that it writes, if any.
        provisions: it makes all streams, buckets and durable consumers.
    """

    appends: tuple[str, ...] = ()
    publishes: tuple[str, ...] = ()
    hears: tuple[str, ...] = ()
    takes: tuple[Durable, ...] = ()
    watches: tuple[Durable, ...] = ()
    reads: tuple[str, ...] = (JOBS,)
    tails: tuple[str, ...] = ()
    purges: tuple[str, ...] = ()
    deletes: tuple[str, ...] = ()
    keeps: tuple[tuple[str, tuple[str, ...]], ...] = ()
    provisions: bool = False

    @property
    def durables(self) -> tuple[Durable, ...]:
        """The consumers that have to be there."""
        return self.takes + self.watches

    @property
    def buckets(self) -> tuple[str, ...]:
        """The buckets that have to be there."""
        return tuple(bucket for bucket, _ in self.keeps)


def _worker(
    service: str,
    *takes: Durable,
    appends: tuple[str, ...] = (),
    publishes: tuple[str, ...] = (),
    watches: tuple[Durable, ...] = (),
    purges: tuple[str, ...] = (),
    keeps: tuple[tuple[str, tuple[str, ...]], ...] = (),
) -> Access:
    """What all workers do, beside what one does: take work under a lease, give it up, and show what it waits for."""
    # Side work never waits for an outage.
    waiting = [subject for durable in takes if durable in _MAIN_WORK for subject in durable.filters]
    attempts = tuple(f"{durable.name}.*" for durable in takes)
    return Access(
        appends=(*appends, "end.failed") if appends else (),
        publishes=(
            f"dead.{service}.*.*",
            *(subject.replace("jobs.", "waiting.", 1) for subject in waiting),
            *publishes,
        ),
        hears=(_ENDS,),
        takes=takes,
        watches=watches,
        purges=purges,
        keeps=(
            (HEALTH_BUCKET, (service,)),
            (ATTEMPTS_BUCKET, attempts),
            (WORKERS_BUCKET, (f"worker.{service}.*", f"drain.{service}.*")),
            *keeps,
        ),
    )


_MAIN_WORK = (FETCHER, TRANSCODER, UPLOADER)
_SEARCHED = (SECRETS_BUCKET, ATTEMPTS_BUCKET, QUEUES_BUCKET, WORKERS_BUCKET)

ACCESS: dict[str, Access] = {
    "api": Access(
        appends=("created", "admitted", "end.cancelled"),
        # The operator's command, which runs as the api, repeats events of others, and removes what is left over.
        publishes=(
            "webhooks.attempt.>",
            *(subject for durable in _MAIN_WORK for subject in durable.filters),
            _CALLOUT_REPLIES,
            _BUS_USERS_INBOXES,
        ),
        hears=("feed.jobs.>", "progress.*.*.>", "waiting.*.*.>", CALLOUT_SUBJECT, replay_subject("*")),
        reads=(JOBS, WEBHOOKS, DEAD, DELIVERIES, PROGRESS),
        tails=(JOBS, DELIVERIES, PROGRESS, *(f"KV_{bucket}" for bucket in _SEARCHED)),
        purges=(JOBS, f"KV_{SECRETS_BUCKET}", f"KV_{QUEUES_BUCKET}"),
        deletes=(DEAD,),
        keeps=(
            (HEALTH_BUCKET, ("api",)),
            (SECRETS_BUCKET, (">",)),
            (HOOKS_BUCKET, (">",)),
            (ATTEMPTS_BUCKET, (">",)),
            (QUEUES_BUCKET, (">",)),
            (WORKERS_BUCKET, ("drain.>",)),
        ),
        provisions=True,
    ),
    "fetcher": _worker(
        "fetcher",
        FETCHER,
        appends=("started", "fetched", "part_requested.*"),
        publishes=("progress.*.*.fetch",),
        watches=(TRANSCODER,),
        # It keeps the content keys that it has asked for. The transcoder, which runs ffmpeg, reads nothing of this bucket.
        keeps=((SECRETS_BUCKET, ("*.*.keys",)),),
    ),
    "transcoder": _worker("transcoder", TRANSCODER, appends=("part_transcoded.*",), publishes=("progress.*.*.*",)),
    "uploader": _worker(
        "uploader",
        UPLOADER,
        JANITOR,
        appends=("part_uploaded.*", "part_requested.*", "playable", "playback_extended.*", "end.completed"),
        watches=(TRANSCODER,),
        # The janitor removes the credentials of a job that has ended.
        keeps=((SECRETS_BUCKET, (">",)),),
    ),
    "notifier": _worker(
        "notifier",
        NOTIFIER,
        WEBHOOK_ATTEMPTS,
        publishes=("webhooks.attempt.>", "webhooks.schedule.>", "deliveries.>"),
        purges=(WEBHOOKS,),
        keeps=((HOOKS_BUCKET, ()), (QUEUES_BUCKET, (">",))),
    ),
}
"""What each service does, by its name, which is also the name of its user."""


def inbox_prefix(user: str | None) -> str:
    """The beginning of the subjects that the replies to a user go to; the server lets no other user subscribe to them."""
    return f"_INBOX_{user}" if user and _PLAIN_NAME.fullmatch(user) else "_INBOX"


def bus_user_inbox(username: str) -> str:
    """The same for a bus user. Beside those of the services, since the api publishes replies here."""
    return f"_INBOX.{username}"


def bus_user_permissions(org: str, username: str) -> Permissions:
    """What a bus user may do: listen to its organization, and ask the api for what has been. No JetStream."""
    return Permissions(
        publish=(replay_subject(org),),
        subscribe=(f"feed.jobs.{org}.>", f"progress.{org}.>", f"waiting.{org}.>", f"{bus_user_inbox(username)}.>"),
    )


def system_permissions() -> Permissions:
    """What the api may do in the system account: see who is connected, and disconnect."""
    return Permissions(
        publish=(ASK_ALL_CONNECTIONS, "$SYS.REQ.SERVER.*.CONNZ", "$SYS.REQ.SERVER.*.KICK"),
        subscribe=(f"{inbox_prefix(SYSTEM)}.>",),
    )


def permissions_of(service: str) -> Permissions:
    """What the user of a service may do."""
    access = ACCESS[service]
    publish = [f"{_API}.INFO"]
    publish += [f"jobs.*.*.{token}" for token in access.appends]
    publish += access.publishes
    for durable in access.takes:
        publish += [
            f"{_API}.CONSUMER.MSG.NEXT.{durable.stream}.{durable.name}",
            f"$JS.ACK.{durable.stream}.{durable.name}.>",
        ]
    publish += [f"{_API}.CONSUMER.INFO.{durable.stream}.{durable.name}" for durable in access.durables]
    for stream in access.reads:
        publish += [f"{_API}.STREAM.INFO.{stream}", f"{_API}.STREAM.MSG.GET.{stream}", f"{_API}.DIRECT.GET.{stream}"]
    for stream in access.tails:
        publish += [
            f"{_API}.CONSUMER.CREATE.{stream}",
            f"{_API}.CONSUMER.MSG.NEXT.{stream}.*",
            f"{_API}.CONSUMER.DELETE.{stream}.*",
        ]
    publish += [f"{_API}.STREAM.PURGE.{stream}" for stream in access.purges]
    publish += [f"{_API}.STREAM.MSG.DELETE.{stream}" for stream in access.deletes]
    for bucket, keys in access.keeps:
        publish += [f"{_API}.STREAM.INFO.KV_{bucket}", f"{_API}.STREAM.MSG.GET.KV_{bucket}"]
        publish += [f"$KV.{bucket}.{key}" for key in keys]
    if access.provisions:
        publish += _provisioning()
    return Permissions(
        publish=tuple(dict.fromkeys(publish)),
        subscribe=(f"{inbox_prefix(service)}.>", *access.hears),
        # Consumers of its own have names by chance, so that it may pull from any; and yet it takes no work from others.
        never_publish=tuple(
            f"{_API}.CONSUMER.{verb}.{durable.stream}.{durable.name}"
            for durable in DURABLES
            if durable.stream in access.tails
            for verb in ("MSG.NEXT", "DELETE")
        ),
    )


def _provisioning() -> list[str]:
    streams = (*_STREAMS, *(f"KV_{bucket}" for bucket in BUCKETS))
    subjects = [f"{_API}.STREAM.{verb}.{stream}" for stream in streams for verb in ("INFO", "CREATE", "UPDATE")]
    for durable in DURABLES:
        place = f"{durable.stream}.{durable.name}"
        subjects += [f"{_API}.CONSUMER.{verb}.{place}" for verb in ("INFO", "DURABLE.CREATE", "CREATE")]
        subjects.append(f"{_API}.CONSUMER.CREATE.{place}.>")
    return subjects
