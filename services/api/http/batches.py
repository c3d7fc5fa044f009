"""The edge to HTTP for several jobs at once."""

import asyncio

from aiohttp import web

from services.api.accounts.accounts import Identity
from services.api.contract.json_body import Members, parse_items
from services.api.contract.models import MAX_METADATA_BYTES, MOST_IN_A_BATCH, BatchRequest, CancelRequest, JobRequest
from services.api.contract.validation import validate, validate_items
from services.api.http.answers import json_answer
from services.api.http.authorized import Runtime, Services, authorized
from services.api.http.body import read_body
from services.api.http.handlers import idempotency_key
from services.api.intake.submission import Submission
from shared.addresses import AddressPolicy

MOST_BYTES = MOST_IN_A_BATCH * (MAX_METADATA_BYTES + 2048)
"""As many jobs as there may be, each with as much metadata as it may have, and addresses as they usually are."""


class BatchHandlers:
    """Creates and cancels jobs in batches."""

    def __init__(self, runtime: Runtime, *, policy: AddressPolicy) -> None:
        self._runtime = runtime
        self._policy = policy

    def routes(self) -> list[web.RouteDef]:
        """The routes, to be registered ahead of those of single jobs, whose ids these names are not."""
        batch = "/api/v1/{org}/transcoding_jobs/batch/"
        return [
            web.post(batch, authorized(self._runtime, self.create_jobs)),
            web.post(batch + "cancel/", authorized(self._runtime, self.cancel_jobs)),
        ]

    async def create_jobs(self, request: web.Request, services: Services, identity: Identity) -> web.StreamResponse:
        """Accept all jobs of a batch, or none."""
        body, members = await read_body(request, most=MOST_BYTES)
        validate(BatchRequest, members, policy=self._policy)
        key = idempotency_key(request)
        # A hundred jobs are more to read than an event loop should stand still for.
        submissions = await asyncio.to_thread(self._submissions, members, b"batch: " + body, key)
        accepted = await services.intake.accept_all(identity.org, submissions)
        headers = {"Idempotent-Replayed": "true"} if accepted[0].replayed else {}
        shown = await services.jobs.shown_all(identity.org, [one.job for one in accepted])
        return json_answer(f'{{"results": [{", ".join(shown)}]}}', 201, headers)

    def _submissions(self, members: Members, body: bytes, key: str | None) -> list[Submission]:
        items = parse_items(members.texts["jobs"])
        requests = validate_items(JobRequest, items, policy=self._policy)
        return [
            Submission(wanted, item.texts.get("client_metadata"), body, key)
            for wanted, item in zip(requests, items, strict=True)
        ]

    async def cancel_jobs(self, request: web.Request, services: Services, identity: Identity) -> web.StreamResponse:
        """Cancel the jobs of a batch; those that have ended stay as they are."""
        _, members = await read_body(request)
        wanted = validate(CancelRequest, members, policy=self._policy)
        return json_answer({"results": await services.jobs.cancel_all(identity.org, wanted.ids)})
