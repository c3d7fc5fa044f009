"""Accepting a job. Accepted is what stands in the log; nothing is answered before the log has it, and nothing half.

The order: reserve the name and the place in Postgres, keep the sealed keys and addresses, append ``created``, project it.
Whatever breaks in between leaves at most a reservation that runs out (see :mod:`services.api.intake.reservations`).
"""

import asyncio
from collections.abc import Sequence
from contextlib import suppress
from hashlib import sha256

import structlog
from nats.errors import Error as NatsError

from services.api.accounts.organizations import Storages
from services.api.contract.claims import claim_of
from services.api.contract.errors import ApiError, Invalid, OfItem, Unavailable
from services.api.contract.models import JobRequest
from services.api.database.pool import Database, DatabaseDown
from services.api.drm.encryption import Encryptions, Order
from services.api.intake.reservations import Reservations
from services.api.intake.reserving import IdempotencyKey, Reservation
from services.api.intake.submission import Accepted, Submission, completed, created_event
from services.api.projection.projection import refresh_job, show_created
from services.api.uploads.uses import UploadUses
from shared.bus.beginnings import Beginnings
from shared.bus.joblog import JobEnded, JobLog
from shared.bus.vault import JobAddresses, Vault
from shared.coalescing import Coalescer
from shared.encryption.providers import KeyProvider, SealedStore, StaticKeys
from shared.events import Created, Recorded
from shared.ids import new_job_id
from shared.job import Job, apply
from shared.tracing.spans import annotate, link_to, recording

BUS_SECONDS = 5.0
_LOOK_UP_SECONDS = 1.0
_BUS_TROUBLE = (NatsError, TimeoutError, OSError)


class Intake:
    """Accepts jobs."""

    def __init__(
        self,
        database: Database,
        log: JobLog,
        beginnings: Beginnings,
        vault: Vault,
        storages: Storages,
        reservations: Reservations,
        encryptions: Encryptions,
        uploads: UploadUses,
    ) -> None:
        self._database = database
        self._log = log
        self._beginnings = beginnings
        self._vault = vault
        self._storages = storages
        self._reservations = reservations
        self._encryptions = encryptions
        self._uploads = uploads
        self._shown = Coalescer(self._show, everybodys=(DatabaseDown,))

    async def accept(self, org: str, submission: Submission) -> Accepted:
        """Accept a job, once the log has it.

        Raises:
            Invalid, BadRequest, Conflict, QuotaExceeded: refused.
            Unavailable: not accepted, or (it says so) with its fate unknown. DatabaseDown: not accepted.
        """
        key = IdempotencyKey(submission.key, sha256(submission.body).digest()) if submission.key else None
        try:
            addresses = await self._addresses(org, submission.request)
            order = await self._encryptions.order(org, submission.request, keys_from=submission.keys_from)
        except ApiError:
            # What the operator has changed since does not undo a job.
            if key and (named := await self._reservations.named(org, key)) and (earlier := await self._find(named)):
                return Accepted(earlier, replayed=True)
            raise
        try:
            reservation = await self._reservations.make(
                org, new_job_id(), claim_of(addresses.output_path), key, submission.retry_of
            )
            if reservation.known:
                earlier = await self._find(reservation)
                if earlier:
                    return Accepted(earlier, replayed=True)
                await self._reservations.claim_again(reservation)
            if submission.retry_of and recording():
                link_to(await self._log.trace_of(org, submission.retry_of))
        except _BUS_TROUBLE as error:
            raise _not_accepted(error) from error
        annotate({"millrace.organization": org, "millrace.job": reservation.job})
        await self._uploads.note(org, [(addresses.input_url, reservation.job)])
        await self._keep(reservation, addresses, order)
        try:
            recorded = await self._begin(reservation, created_event(org, reservation.job, submission, order))
        except JobEnded:
            earlier = await self._find(reservation)
            if earlier is None:
                raise
            return Accepted(earlier, replayed=True)
        await self._project(recorded)
        return Accepted(apply(None, recorded.event), replayed=reservation.known)

    async def accept_all(self, org: str, submissions: Sequence[Submission]) -> list[Accepted]:
        """Accept several jobs, once the log has them: all of them or none.

        Args:
            submissions: with one key and one body, those of the whole request.

        Raises: as :meth:`accept`, and
            OfItem: some are refused; it says which ones.
        """
        first = submissions[0]
        key = IdempotencyKey(first.key, sha256(first.body).digest()) if first.key else None
        try:
            prepared = await self._prepared(org, submissions)
        except ApiError:
            items = (
                [await self._reservations.named(org, key.of_item(number)) for number in range(len(submissions))]
                if key
                else []
            )
            named = [one for one in items if one]
            if named and (found := await self._find_all(named)):
                return found
            raise
        wanted = [(new_job_id(), claim_of(addresses.output_path)) for addresses, _ in prepared]
        try:
            made = await self._reservations.make_all(org, wanted, key)
            if made[0].known:
                if earlier := await self._find_all(made):
                    return earlier
                await self._reservations.claim_all_again(made)
        except _BUS_TROUBLE as error:
            raise _not_accepted(error) from error
        annotate({"millrace.organization": org, "millrace.jobs": len(made)})
        uses = [(addresses.input_url, one.job) for one, (addresses, _) in zip(made, prepared, strict=True)]
        await self._uploads.note(org, uses)
        await self._keep_all(made, prepared)
        created = [
            created_event(org, one.job, submission, order)
            for one, submission, (_, order) in zip(made, submissions, prepared, strict=True)
        ]
        recorded = await self._begin_all(created)
        if recorded is None:
            # An earlier request with this key was on its way, and has arrived.
            return await self._find_all(made)
        await asyncio.gather(*map(self._project, recorded))
        return [Accepted(apply(None, one.event), replayed=made[0].known) for one in recorded]

    async def _prepared(self, org: str, submissions: Sequence[Submission]) -> list[tuple[JobAddresses, Order | None]]:
        """Addresses and encryption of each of several jobs."""
        prepared: list[tuple[JobAddresses, Order | None]] = []
        problems: dict[int, ApiError] = {}
        claimed: dict[str, int] = {}
        for number, submission in enumerate(submissions):
            try:
                addresses = await self._addresses(org, submission.request)
                other = claimed.setdefault(claim_of(addresses.output_path), number)
                if other != number:
                    raise Invalid({"output_path": [f"Item {other} of this batch writes there. Use another one."]})
                prepared.append((addresses, await self._encryptions.order(org, submission.request)))
            except Invalid as error:
                problems[number] = error
        if problems:
            raise OfItem(problems)
        return prepared

    async def _addresses(self, org: str, request: JobRequest) -> JobAddresses:
        """The addresses with the credentials that are to be used."""
        try:
            return completed(request, None)
        except Invalid:
            # Most jobs bring all that they need, and cost no query.
            return completed(request, await self._storages.get(org))

    async def _find(self, reservation: Reservation) -> Job | None:
        async with asyncio.timeout(BUS_SECONDS), self._database.connection() as connection:
            return await refresh_job(connection, self._log, reservation.org, reservation.job)

    async def _find_all(self, made: Sequence[Reservation]) -> list[Accepted]:
        """The jobs of a batch that was accepted before; none where it was not."""
        if await self._find(made[0]) is None:
            return []
        # Those that have been pruned since are missing.
        found = [await self._find(reservation) for reservation in made]
        return [Accepted(job, replayed=True) for job in found if job]

    async def _keep_all(
        self, made: Sequence[Reservation], prepared: Sequence[tuple[JobAddresses, Order | None]]
    ) -> None:
        """Keep the secrets of several jobs. What is kept of jobs that come to nothing is swept out of the vault later."""
        try:
            for reservation, (addresses, order) in zip(made, prepared, strict=True):
                await self._keep(reservation, addresses, order)
        except ApiError as error:
            for other in made:
                # What cannot be kept has been given back already.
                if other is not reservation:
                    await self._release(other)
            if isinstance(error, Invalid):
                raise OfItem({made.index(reservation): error}) from None
            raise

    async def _keep(self, reservation: Reservation, addresses: JobAddresses, order: Order | None) -> None:
        """Keep all secrets of a job, its keys first: who finds the addresses finds them too."""
        org, job = reservation.org, reservation.job
        try:
            if order and (keys := await self._encryptions.keys(org, order, order.content_of(org, job))):
                async with asyncio.timeout(BUS_SECONDS):
                    await self._vault.put_keys(org, job, keys)
            async with asyncio.timeout(BUS_SECONDS):
                await self._vault.put(org, job, addresses, _asked_later(order) if order else None)
        except _BUS_TROUBLE as error:
            await self._release(reservation)
            raise _not_accepted(error) from error
        except ApiError:
            await self._release(reservation)
            raise

    async def _begin_all(self, created: Sequence[Created]) -> list[Recorded] | None:
        try:
            async with asyncio.timeout(BUS_SECONDS):
                return await self._beginnings.begin_all(created)
        except _BUS_TROUBLE as error:
            await structlog.get_logger().awarning(
                "outcome of an append is unknown", job=created[0].job, jobs=len(created), error=repr(error)
            )
            raise Unavailable(
                "The jobs could not be confirmed: all of them are accepted, or none. Send them again; with the same "
                "Idempotency-Key they can never be accepted twice."
            ) from error

    async def _begin(self, reservation: Reservation, created: Created) -> Recorded:
        try:
            async with asyncio.timeout(BUS_SECONDS):
                # Of a job that an earlier request has named there may be something in the log by now.
                if not reservation.known and (recorded := await self._beginnings.begin(created)):
                    return recorded
                return (await self._log.append(created)).recorded
        except _BUS_TROUBLE as error:
            # It may have been stored all the same, or may be on its way still: the reservation stays until that is certain.
            with suppress(*_BUS_TROUBLE):
                async with asyncio.timeout(_LOOK_UP_SECONDS):
                    found = (await self._log.read(created.org, created.job))[:1]
                    if found:
                        return found[0]
            await structlog.get_logger().awarning("outcome of an append is unknown", job=created.job, error=repr(error))
            raise Unavailable(
                "The job could not be confirmed. Send it again; with the same Idempotency-Key it can never become two jobs."
            ) from error

    async def _release(self, reservation: Reservation) -> None:
        if reservation.known:
            # The outcome of the earlier request is not certain.
            return
        with suppress(DatabaseDown):
            await self._reservations.release(reservation)

    async def _project(self, recorded: Recorded) -> None:
        """Make a new job visible on every replica. What goes wrong here is made good by the projector."""
        try:
            await self._shown.do(recorded)
        except Exception as error:
            await structlog.get_logger().awarning(
                "a new job is projected late", job=recorded.event.job, error=repr(error)
            )

    async def _show(self, recorded: Sequence[Recorded]) -> Sequence[None]:
        async with self._database.connection() as connection:
            await show_created(connection, recorded)
        return [None] * len(recorded)


def _asked_later(order: Order) -> KeyProvider:
    """The provider as the vault keeps it: what gave the keys already has no secret that anybody needs."""
    return SealedStore() if isinstance(order.provider, StaticKeys) else order.provider


def _not_accepted(error: BaseException) -> ApiError:
    structlog.get_logger().warning("bus out of reach at intake", error=repr(error))
    return Unavailable("The message bus is out of reach. The job was not accepted; try again.")
