"""The commands for operators on call: what is stuck, what was given up, who works, and what is left over."""

import json
from datetime import UTC, datetime, timedelta
from typing import Annotated

import typer
from nats.aio.client import Client

from services.api.accounts.directory import NotPossible
from services.api.admin.app import command
from services.api.admin.arguments import (
    AnyLetters,
    Json,
    Letter,
    Letters,
    Limit,
    OneJob,
    OneOrganization,
    OneService,
    WholeJob,
)
from services.api.admin.context import AdminContext
from services.api.admin.showing import Row, show, tell
from services.api.contract.key_addresses import KeyAddresses
from services.api.contract.peers import parse_codes
from services.api.drm.encryption import Encryptions
from services.api.intake.intake import Intake
from services.api.intake.quotas import JobQuotas
from services.api.intake.reservations import Reservations
from services.api.jobs.jobs import Jobs
from services.api.jobs.live import LiveProgress
from services.api.operator import drain as draining
from services.api.operator.dead_letters import DeadLetter, DeadLetters, Wanted
from services.api.operator.durations import duration
from services.api.operator.left_overs import LeftOvers
from services.api.operator.replay import NotReplayable, Replay
from services.api.operator.unfinished import Caps, UnfinishedJob, UnfinishedJobs
from services.api.uploads.uses import UploadUses
from shared.bus.beginnings import Beginnings
from shared.bus.joblog import JobLog
from shared.bus.roster import Worker
from shared.bus.vault import Vault
from shared.workspace.opening import opened_workspace

_MOST_DROPPED = 10_000


@command("stuck-jobs")
async def stuck_jobs(
    context: AdminContext,
    seconds: Annotated[float, typer.Option(help="That they have not got on for.")] = 600,
    organization: OneOrganization = None,
    job: OneJob = None,
    limit: Limit = 100,
    as_json: Json = False,
) -> None:
    """List unfinished jobs that have not got on for a while, with what each waits for. Those under way first, then the queue."""
    settings = context.settings
    caps = Caps(settings.max_active_jobs, settings.max_active_per_organization)
    async with context.bus() as client:
        found = await UnfinishedJobs(client, context.database, JobLog(client), caps).stuck(
            timedelta(seconds=seconds), org=organization, job=job
        )
    shown = found[:limit]
    if as_json:
        show([_job(one) for one in shown], (), as_json=True)
        return
    rows = [row for one in shown for row in _job_rows(one)]
    columns = ("org", "job", "stage", "idle", "work", "waits_for")
    nothing = f"every unfinished job has got on within the last {duration(seconds)}"
    show(rows, columns, as_json=False, nothing=nothing)
    if len(found) > len(shown):
        print(f"and {len(found) - len(shown)} more")


@command("dead-letters")
async def dead_letters(
    context: AdminContext,
    limit: Limit = 50,
    organization: OneOrganization = None,
    job: OneJob = None,
    service: OneService = None,
    as_json: Json = False,
) -> None:
    """List the newest messages that services have given up on."""
    async with context.bus() as client:
        letters = DeadLetters(client)
        found = await letters.newest(Wanted(job=job, org=organization, service=service), limit)
        count = await letters.count()
    columns = ("number", "at", "service", "org", "job", "message", "reason")
    show([_letter(letter) for letter in found], columns, as_json=as_json)
    if not as_json:
        print(f"{count} in all")


@command("show-dead-letter")
async def show_dead_letter(context: AdminContext, number: Letter, as_json: Json = False) -> None:
    """Show a dead letter with the message that is in it."""
    async with context.bus() as client:
        letter = await _find(DeadLetters(client), number)
    try:
        body = json.loads(letter.body)
    except ValueError:
        body = letter.body.decode(errors="replace")
    row = {**_letter(letter), "body": body}
    if as_json:
        show([row], (), as_json=True)
        return
    for name, value in row.items():
        text = json.dumps(value, indent=2, ensure_ascii=False) if isinstance(value, dict) else value
        print(f"{name}: {text}")


@command("replay-dead-letters")
async def replay_dead_letters(context: AdminContext, numbers: Letters, as_json: Json = False) -> None:
    """Have what was given up on done once more, and drop the dead letters of which that works."""
    refused = 0
    async with context.bus() as client:
        letters, replay = DeadLetters(client), _replay(context, client)
        for number in numbers:
            letter = await _find(letters, number)
            try:
                replayed = await replay(letter)
            except NotReplayable as reason:
                refused += 1
                row: Row = {"number": number, "replayed": False, "what": str(reason), "job": None}
                tell(row, f"{number}: not replayed: {reason}", as_json=as_json)
                continue
            await letters.drop([letter])
            row = {"number": number, "replayed": True, "what": replayed.what, "job": replayed.job}
            tell(row, f"{number}: {replayed.what}", as_json=as_json)
    if refused:
        raise NotPossible(f"{refused} of {len(numbers)} were not replayed")


@command("drop-dead-letters")
async def drop_dead_letters(context: AdminContext, numbers: AnyLetters = None, job: WholeJob = None) -> None:
    """Remove dead letters for good: those with the numbers, or all of a job."""
    if not numbers and not job:
        raise NotPossible("name the numbers of the dead letters, or a job")
    async with context.bus() as client:
        letters = DeadLetters(client)
        found = [letter for number in numbers or () if (letter := await letters.find(number))]
        if job:
            found += await letters.newest(Wanted(job=job), _MOST_DROPPED)
        print(f"{await letters.drop(found)} dropped")


@command("workers")
async def workers(context: AdminContext, as_json: Json = False) -> None:
    """List the worker processes that are alive, with what they are at."""
    async with context.bus() as client:
        found = await draining.living_workers(client)
    if as_json:
        show([worker.model_dump(mode="json") for worker in found], (), as_json=True)
        return
    columns = ("worker", "service", "host", "pid", "slots", "up", "state", "work", "for", "delivery")
    show(
        [row for worker in found for row in _worker_rows(worker)], columns, as_json=False, nothing="no worker is alive"
    )


@command("drain")
async def drain(
    context: AdminContext,
    names: Annotated[
        list[str],
        typer.Argument(metavar="WORKER", help="As workers shows it, or a service for all of its workers."),
    ],
    host: Annotated[str | None, typer.Option(help="Only workers on this host.")] = None,
    stay: Annotated[bool, typer.Option("--stay", help="Let them stay without work, until they are stopped.")] = False,
    no_wait: Annotated[bool, typer.Option("--no-wait", help="Return as soon as they are told.")] = False,
    as_json: Json = False,
) -> None:
    """Make workers take no new work, and end when their own is done. Shows how far they are; to stop looking stops nothing."""
    async with context.bus() as client:
        try:
            chosen = await draining.choose_workers(client, names, host)
        except draining.NoSuchWorker as error:
            raise NotPossible(str(error)) from None
        lost: tuple[Worker, ...] = ()
        async for state in draining.drain(client, chosen, stay=stay):
            lost = state.lost
            running = sum(len(worker.running) for worker in state.left)
            row = {name: [one.id for one in getattr(state, name)] for name in ("left", "drained", "lost")}
            know = sum(worker.draining for worker in state.left)
            left = f"{len(state.left)} left, of which {know} know of it, with {running} pieces of work"
            sentence = f"{len(state.drained)} drained, {left}"
            tell(row | {"running": running}, sentence, as_json=as_json)
            if no_wait:
                return
    if lost:
        raise NotPossible(f"{', '.join(worker.id for worker in lost)} died, or cannot reach the bus")


@command("left-overs")
async def left_overs(
    context: AdminContext,
    remove: Annotated[bool, typer.Option("--remove", help="Remove what is listed.")] = False,
    as_json: Json = False,
) -> None:
    """List rows, entries and files that belong to no job any more; with --remove, remove them."""
    async with context.bus() as client, opened_workspace(context.settings) as space:
        things = LeftOvers(client, context.database, JobLog(client), space)
        found = await things.find()
        rows = [{"kind": one.kind, "place": one.place, "org": one.org, "job": one.job, "why": one.why} for one in found]
        columns = ("kind", "place", "org", "job", "why")
        show(rows, columns, as_json=as_json, nothing="nothing is left over")
        if remove:
            for one in found:
                await things.remove(one)
            tell({"removed": len(found)}, f"{len(found)} removed", as_json=as_json)


async def _find(letters: DeadLetters, number: int) -> DeadLetter:
    letter = await letters.find(number)
    if letter is None:
        raise NotPossible(f"there is no dead letter {number}")
    return letter


def _replay(context: AdminContext, client: Client) -> Replay:
    settings, log = context.settings, JobLog(client)
    vault = Vault(client, settings.sealer)
    quotas = JobQuotas(
        settings.max_unfinished_jobs,
        settings.max_jobs_per_hour,
        settings.max_source_minutes_per_day,
        settings.max_source_gigabytes_per_day,
    )
    reservations = Reservations(context.database, log, vault, quotas)
    encryptions = Encryptions(
        context.database,
        settings.sealer,
        KeyAddresses(settings.public_url, parse_codes(settings.clear_key_organizations or "")),
        settings.provider_rules,
    )
    uploads = UploadUses(context.database, keep_days=settings.keep_uploads_days)
    intake = Intake(
        context.database, log, Beginnings(client), vault, context.storages, reservations, encryptions, uploads
    )
    jobs = Jobs(context.database, log, LiveProgress(client))
    return Replay(client, log, context.database, jobs, intake, settings.address_policy)


def _letter(letter: DeadLetter) -> dict[str, object]:
    return {
        "number": letter.number,
        "at": letter.at,
        "service": letter.service,
        "org": letter.org,
        "job": letter.job,
        "message": letter.subject,
        "reason": letter.reason,
    }


def _job(one: UnfinishedJob) -> Row:
    reasons = [{"kind": reason.kind, "work": reason.work, "text": reason.text} for reason in one.reasons]
    idle = round((datetime.now(UTC) - one.since).total_seconds())
    return {
        "org": one.org,
        "job": one.job,
        "stage": one.stage,
        "since": one.since,
        "idle_seconds": idle,
        "reasons": reasons,
    }


def _job_rows(one: UnfinishedJob) -> list[Row]:
    """A line for each reason; what they have in common stands in the first."""
    idle = duration((datetime.now(UTC) - one.since).total_seconds())
    first: dict[str, object] = {"org": one.org, "job": one.job, "stage": one.stage, "idle": idle}
    rows: list[Row] = []
    for reason in one.reasons:
        rows.append({**(dict.fromkeys(first, "") if rows else first), "work": reason.work, "waits_for": reason.text})
    return rows


def _worker_rows(worker: Worker) -> list[Row]:
    """A line for each piece of work, one for a worker without any."""
    now = datetime.now(UTC)
    about: dict[str, object] = {
        "worker": worker.id,
        "service": worker.service,
        "host": worker.host,
        "pid": worker.pid,
        "slots": worker.slots,
        "up": duration((now - worker.started).total_seconds()),
        "state": "draining" if worker.draining else "working" if worker.running else "idle",
    }
    rows: list[Row] = []
    for work in worker.running:
        since = duration((now - work.since).total_seconds())
        rows.append({**about, "work": work.subject, "for": since, "delivery": work.delivery})
    return rows or [about]
