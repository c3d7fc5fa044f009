"""The replay of dead letters: what was given up is done once more, by whoever does such things.

What that takes depends on the message. Work of a job that has not ended is put before its consumers again. A job that has ended
cannot go on: it is run again as a new one, as a client could have it done. What webhooks were to be told they are told.
"""

from dataclasses import dataclass

from nats.aio.client import Client
from nats.js.errors import APIError, NotFoundError

from services.api.contract.errors import ApiError
from services.api.contract.json_body import parse_members
from services.api.contract.models import JobRequest
from services.api.contract.retries import retry_members
from services.api.contract.validation import validate
from services.api.database.pool import Database
from services.api.intake.intake import Intake
from services.api.intake.submission import Submission
from services.api.jobs.jobs import Jobs
from services.api.operator.dead_letters import DeadLetter
from shared.addresses import AddressPolicy
from shared.bus.errors import bus_calls
from shared.bus.joblog import WRONG_LAST_SEQUENCE, JobLog
from shared.bus.parsing import REPEATS, FutureEvent, parse_event
from shared.bus.subjects import job_subject, split_job_subject
from shared.bus.topology import JOBS, WEBHOOKS
from shared.deliveries import WebhookAttempt
from shared.events import Admitted, Completed, Event, PartRequested, PartTranscoded, PartUploaded
from shared.job import TOLD_AFTER

_WORK = (Admitted, PartRequested, PartTranscoded)
_PUBLISH_SECONDS = 5.0


class NotReplayable(Exception):
    """It cannot be replayed; the text says why, and what can be done instead."""


@dataclass(frozen=True)
class Replayed:
    """What has become of a dead letter: a sentence, and the job that runs an ended one again."""

    what: str
    job: str | None = None


class Replay:
    """Replays dead letters. All calls raise ``BusUnavailable`` or ``DatabaseDown`` while one of them is out of reach."""

    def __init__(
        self, client: Client, log: JobLog, database: Database, jobs: Jobs, intake: Intake, policy: AddressPolicy
    ) -> None:
        self._js = client.jetstream(timeout=_PUBLISH_SECONDS)
        self._log = log
        self._database = database
        self._jobs = jobs
        self._intake = intake
        self._policy = policy

    async def __call__(self, letter: DeadLetter) -> Replayed:
        """Replay one. It stays where it is; whoever has replayed it drops it.

        Raises:
            NotReplayable: nothing was done.
        """
        if letter.subject.startswith("webhooks.attempt."):
            await self._publish(letter.subject, letter.body)
            return Replayed("the attempt is in line again")
        event = _event(letter)
        if letter.service == "notifier":
            return Replayed(await self._tell(event, letter))
        end = await self._log.end_of(letter.org, letter.job)
        if end is None:
            return Replayed(await self._repeat(event, letter))
        if isinstance(end.event, Completed):
            raise NotReplayable("its job has completed meanwhile; drop it")
        if event.token().startswith("end."):
            raise NotReplayable("what an ended job has left is removed by itself; see left-overs, and drop it")
        return await self._run_again(letter)

    @bus_calls()
    async def _publish(self, subject: str, body: bytes) -> None:
        await self._js.publish(subject, body, stream=WEBHOOKS)

    async def _tell(self, event: Event, letter: DeadLetter) -> str:
        """Have the organization's webhooks told what the event has made of the job, unless they know something newer."""
        status = TOLD_AFTER.get(type(event))
        recorded = await self._log.last(letter.subject)
        if status is None or recorded is None:
            raise NotReplayable("the log does not have this event any more; drop it")
        async with self._database.connection() as connection:
            rows = await connection.fetch("select id from webhooks where org = $1 and enabled", letter.org)
        for row in rows:
            attempt = WebhookAttempt(
                org=letter.org, job=letter.job, hook=str(row["id"]), status=status, sequence=recorded.sequence
            )
            await self._publish(attempt.subject, attempt.model_dump_json().encode())
        return f"{len(rows)} webhooks are told that the job is {status}"

    async def _repeat(self, event: Event, letter: DeadLetter) -> str:
        """Put the event before its consumers once more: it is repeated in the log, where it changes nothing."""
        if not isinstance(event, _WORK):
            raise NotReplayable("no service works on such an event; drop it")
        if await self._is_done(event):
            raise NotReplayable("the work has been done meanwhile; drop it")
        whole_job = job_subject(letter.org, letter.job, ">")
        async with bus_calls(2 * _PUBLISH_SECONDS):
            while True:
                try:
                    stored = await self._js.get_last_msg(JOBS, letter.subject)
                    head = await self._js.get_last_msg(JOBS, whole_job)
                except NotFoundError:
                    raise NotReplayable("the log does not know this job any more; drop it") from None
                headers = {name: text for name, text in (stored.headers or {}).items() if not name.startswith("Nats-")}
                # Of a repetition the first one counts.
                headers.setdefault(REPEATS, str(stored.seq))
                headers["Nats-Expected-Last-Subject-Sequence"] = str(head.seq)
                headers["Nats-Expected-Last-Subject-Sequence-Subject"] = whole_job
                try:
                    await self._js.publish(letter.subject, stored.data or b"", stream=JOBS, headers=headers)
                except APIError as error:
                    if error.err_code not in WRONG_LAST_SEQUENCE:
                        raise
                    # The job has gone on; perhaps it has ended.
                    if await self._log.end_of(letter.org, letter.job):
                        raise NotReplayable("its job has ended in this moment") from error
                    continue
                return "the work is in line again"

    async def _is_done(self, event: Event) -> bool:
        following = {Admitted: "fetched", PartRequested: PartTranscoded.subject, PartTranscoded: PartUploaded.subject}
        part = getattr(event, "part", None)
        token = following[type(event)] + (f".{part}" if part else "")
        return await self._log.last(job_subject(event.org, event.job, token)) is not None

    async def _run_again(self, letter: DeadLetter) -> Replayed:
        """Run the job again as a new one, with the credentials of its organization."""
        try:
            ended = await self._jobs.require_ended(letter.org, letter.job)
            members = retry_members(ended, parse_members(b"{}"))
            wanted = validate(JobRequest, members, policy=self._policy)
            submission = Submission(
                wanted, members.texts.get("client_metadata"), b"", retry_of=ended.id, keys_from=ended.keys_from
            )
            accepted = await self._intake.accept(letter.org, submission)
        except ApiError as refusal:
            raise NotReplayable(f"its job cannot be run again from here: {_text(refusal)}") from refusal
        return Replayed(f"the job runs again as {accepted.job.id}", accepted.job.id)


def _event(letter: DeadLetter) -> Event:
    try:
        split_job_subject(letter.subject)
        return parse_event(letter.body)
    except FutureEvent as future:
        raise NotReplayable(f"it is {future}, which this version does not know: update first") from future
    except ValueError as error:
        raise NotReplayable("it is not an event of Millrace; drop it") from error


def _text(refusal: ApiError) -> str:
    return str(refusal.body.get("detail") or "; ".join(f"{name}: {said}" for name, said in refusal.body.items()))
