"""The edge to HTTP: each handler reads the request, calls the use case and words the answer."""

from collections.abc import Sequence
from urllib.parse import urljoin

from aiohttp import web

from services.api.accounts.accounts import Identity
from services.api.contract.listing import (
    read_count_query,
    read_fields,
    read_followed,
    read_job_query,
    read_window,
)
from services.api.contract.models import JobRequest, LoginRequest, RetryRequest
from services.api.contract.peers import Network
from services.api.contract.retries import retry_members
from services.api.contract.validation import validate
from services.api.http.answers import json_answer
from services.api.http.authorized import (
    Runtime,
    Services,
    authorized,
    client_of,
    identify,
    query_of,
)
from services.api.http.body import read_body
from services.api.http.browser import forget_session, session_secret
from services.api.http.event_response import send_events
from services.api.http.links import Links
from services.api.http.list_events import send_list_events
from services.api.http.resource import ResourceHandlers
from services.api.intake.reservations import check_key
from services.api.intake.submission import Accepted, Submission
from shared.addresses import AddressPolicy
from shared.payload import json_text, timestamp, waiting_json


class Handlers(ResourceHandlers):
    """The REST API.

    Args:
        proxies: who may say where a request comes from.
    """

    def __init__(
        self, runtime: Runtime, links: Links, *, policy: AddressPolicy, proxies: Sequence[Network] = ()
    ) -> None:
        super().__init__(runtime, links, policy=policy)
        self._proxies = proxies

    def routes(self) -> list[web.RouteDef]:
        """Their routes."""
        jobs = "/api/v1/{org}/transcoding_jobs/"
        job = jobs + "{job}/"
        runtime = self._runtime
        return [
            web.post("/api/auth/login/", self.login),
            web.post("/api/auth/logout/", self.logout),
            web.post(jobs, authorized(runtime, self.create_job)),
            web.get(jobs, authorized(runtime, self.list_jobs)),
            # Ahead of the jobs, whose ids these names are not.
            web.get(jobs + "counts/", authorized(runtime, self.count_jobs)),
            web.get(jobs + "events/", authorized(runtime, self.follow_jobs), allow_head=False),
            web.get(job, authorized(runtime, self.retrieve_job)),
            web.delete(job, authorized(runtime, self.cancel_job)),
            web.get(job + "timeline/", authorized(runtime, self.show_timeline)),
            web.post(job + "retry/", authorized(runtime, self.retry_job)),
            web.get(job + "events/", authorized(runtime, self.follow_job), allow_head=False),
        ]

    async def login(self, request: web.Request) -> web.StreamResponse:
        """A token for a user name, a password and an organization."""
        _, members = await read_body(request)
        wanted = validate(LoginRequest, members, policy=self._policy)
        issued = await self._runtime.started.accounts.login(wanted, client_of(request, self._proxies))
        return json_answer({"token": issued.token, "expiry": timestamp(issued.expiry)})

    async def logout(self, request: web.Request) -> web.StreamResponse:
        """Revoke the token that the request carries, or end its browser session."""
        services, site = self._runtime.started, self._runtime.site
        await services.accounts.logout(await identify(request, services, site))
        response = web.Response(status=204)
        if session_secret(request):
            forget_session(response, secure=site.is_secure(request))
        return response

    async def create_job(self, request: web.Request, services: Services, identity: Identity) -> web.StreamResponse:
        """Accept a job."""
        body, members = await read_body(request)
        wanted = validate(JobRequest, members, policy=self._policy)
        submission = Submission(wanted, members.texts.get("client_metadata"), body, idempotency_key(request))
        accepted = await services.intake.accept(identity.org, submission)
        return await _created(services, accepted, self._links.address(request))

    async def retry_job(self, request: web.Request, services: Services, identity: Identity) -> web.StreamResponse:
        """Run a job again that has ended without success."""
        body, given = await read_body(request)
        validate(RetryRequest, given, policy=self._policy)
        ended = await services.jobs.require_ended(identity.org, request.match_info["job"])
        members = retry_members(ended, given)
        wanted = validate(JobRequest, members, policy=self._policy)
        asked, key = f"retry of {ended.id}: ".encode() + body, idempotency_key(request)
        submission = Submission(
            wanted, members.texts.get("client_metadata"), asked, key, retry_of=ended.id, keys_from=ended.keys_from
        )
        accepted = await services.intake.accept(identity.org, submission)
        return await _created(services, accepted, urljoin(self._links.address(request), "../../"))

    async def list_jobs(self, request: web.Request, services: Services, identity: Identity) -> web.StreamResponse:
        """A page of the organization's jobs."""
        wanted, window, fields = read_job_query(query_of(request))
        found = await services.jobs.list(identity.org, wanted, window, fields)
        return json_answer(self._page(request, window, found.items, found.count))

    async def count_jobs(self, request: web.Request, services: Services, identity: Identity) -> web.StreamResponse:
        """How many of the organization's jobs have each status."""
        counts = await services.jobs.counts(identity.org, read_count_query(query_of(request)))
        return json_answer({"count": sum(counts.values()), "by_status": counts})

    async def retrieve_job(self, request: web.Request, services: Services, identity: Identity) -> web.StreamResponse:
        """One job."""
        fields = read_fields(query_of(request))
        return json_answer(await services.jobs.retrieve(identity.org, request.match_info["job"], fields))

    async def show_timeline(self, request: web.Request, services: Services, identity: Identity) -> web.StreamResponse:
        """What has happened to a job, with a page of its parts."""
        window = read_window(query_of(request))
        found = await services.jobs.timeline(identity.org, request.match_info["job"])
        names = list(found.parts)[window.offset : window.offset + window.size]
        parts = [json_text(part) for part in found.page(names)]
        page = self._page(request, window, parts, len(found.parts))
        waiting = [
            {"work": work, **waiting_json(waits)} for work, waits in sorted(services.jobs.waiting(found.job).items())
        ]
        beside = {"stages": found.stages(), "fetch": found.fetch(), "finish": found.finish(), "waiting": waiting}
        return json_answer(f"{json_text(beside)[:-1]}, {page[1:]}")

    async def cancel_job(self, request: web.Request, services: Services, identity: Identity) -> web.StreamResponse:
        """Cancel a job; one that has ended stays as it is."""
        return json_answer({"message": await services.jobs.cancel(identity.org, request.match_info["job"])})

    async def follow_job(self, request: web.Request, services: Services, identity: Identity) -> web.StreamResponse:
        """A job's states as server-sent events."""
        fields = read_fields(query_of(request))
        job = await services.jobs.require(identity.org, request.match_info["job"])
        with services.sessions.hold(identity) as session:
            return await send_events(services.stream, request, identity.org, job.id, session, fields)

    async def follow_jobs(self, request: web.Request, services: Services, identity: Identity) -> web.StreamResponse:
        """Several jobs' states, and that the list has changed, as server-sent events."""
        ids, fields = read_followed(query_of(request))
        with services.sessions.hold(identity) as session:
            return await send_list_events(services.stream, request, identity.org, ids, session, fields)


async def _created(services: Services, accepted: Accepted, jobs: str) -> web.Response:
    """The answer that shows a new job. ``jobs``: the address of the list of jobs."""
    headers = {"Location": f"{jobs}{accepted.job.id}/"}
    if accepted.replayed:
        headers["Idempotent-Replayed"] = "true"
    return json_answer(await services.jobs.shown(accepted.job, new=not accepted.replayed), 201, headers)


def idempotency_key(request: web.Request) -> str | None:
    """The key in the header of a request, if it has one.

    Raises:
        BadRequest: it is malformed.
    """
    key = request.headers.get("Idempotency-Key")
    return None if key is None else check_key(key)
