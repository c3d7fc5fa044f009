"""The edge to HTTP of playing outputs: for tokens and browser sessions, and for players with a signed address."""

from collections.abc import Sequence
from datetime import UTC, datetime

import structlog
from aiohttp import web

from services.api.accounts.accounts import Identity
from services.api.contract.errors import Conflict, Forbidden
from services.api.contract.peers import Network
from services.api.contract.playback import Playback
from services.api.drm.signed_addresses import in_future
from services.api.http.answers import json_answer
from services.api.http.authorized import Runtime, Services, authorized, client_of
from services.api.http.links import Links
from services.api.playback.playback import Leads, Output
from services.api.playback.signatures import PlaybackSignatures
from shared.media.layout import CUES, DASH, MULTIVARIANT

PLAYBACK = "/api/v1/{org}/transcoding_jobs/{job}/playback/"
PLAYED_PATH = PLAYBACK + "{path:.+}"
"""What players in browsers call."""

# So that a player that goes back does not ask again; never longer than the address works.
_MOST_REDIRECT_SECONDS = 300


class PlaybackHandlers:
    """Their part of the REST API.

    Args:
        seconds: that a signed address works. proxies: who may say where a request comes from.
    """

    def __init__(
        self,
        runtime: Runtime,
        links: Links,
        signatures: PlaybackSignatures,
        *,
        seconds: int,
        proxies: Sequence[Network] = (),
    ) -> None:
        self._runtime = runtime
        self._links = links
        self._signatures = signatures
        self._seconds = seconds
        self._proxies = proxies

    def routes(self) -> list[web.RouteDef]:
        """All of their routes, but for what browsers ask before."""
        return [
            web.get(PLAYBACK, authorized(self._runtime, self.addresses)),
            web.get(PLAYED_PATH, self.play),
        ]

    async def addresses(self, request: web.Request, services: Services, identity: Identity) -> web.StreamResponse:
        """Addresses for players."""
        org, job = identity.org, request.match_info["job"]
        found = await services.jobs.require(org, job)
        outputs = found.outputs
        if outputs is None and (found.finished or found.playable_at is None):
            raise Conflict("Job has no output yet. Wait for its end." if not found.finished else "Job has no output.")
        output = await services.player.output(org, job)
        query, expires = self._signatures.query(org, job, self._seconds)
        begin = self._links.address(request)

        def address(path: str) -> str:
            return output.public(path) or f"{begin}{path}?{query}"

        shown = Playback(
            hls=address(MULTIVARIANT),
            dash=address(DASH) if outputs and outputs.dash else None,
            sprite=address(CUES) if outputs and outputs.sprite else None,
            expires_at=None if output.base else datetime.fromtimestamp(expires, UTC),
        )
        return json_answer(shown.model_dump_json())

    async def play(self, request: web.Request) -> web.StreamResponse:
        """What lies below the prefix of an output."""
        if "signature" not in request.query:
            return await authorized(self._runtime, self._played_by_member)(request)
        services, org, job = self._runtime.started, request.match_info["org"], request.match_info["job"]
        address = client_of(request, self._proxies)
        services.playback_rate.begin(org, address)
        expires = request.query.get("expires", "")
        if not self._signatures.is_good(org, job, expires, request.query["signature"]):
            raise Forbidden("The signature does not fit, or has expired. Ask for another address.")
        services.playback_rate.is_good(org, address)
        with structlog.contextvars.bound_contextvars(organization=org):
            output = await services.player.output(org, job)
            return await self._given(request, services, output, org, int(expires))

    async def _played_by_member(
        self, request: web.Request, services: Services, identity: Identity
    ) -> web.StreamResponse:
        output = await services.player.output(identity.org, request.match_info["job"])
        return await self._given(request, services, output, identity.org, in_future(self._seconds))

    async def _given(
        self, request: web.Request, services: Services, output: Output, org: str, expires: int
    ) -> web.StreamResponse:
        query = self._signatures.until(org, request.match_info["job"], expires)
        given = await services.player.give(org, output, request.match_info["path"], query=query, expires=expires)
        if isinstance(given, Leads):
            seconds = min(_MOST_REDIRECT_SECONDS, max(0, expires - in_future(0)))
            headers = {"Location": given.address, "Cache-Control": f"private, max-age={seconds}"}
            return web.Response(status=302, headers=headers)
        return web.Response(text=given.text, content_type=given.content_type, charset="utf-8")
