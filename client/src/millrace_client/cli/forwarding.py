"""Requests to a receiver as the server makes them to webhooks."""

import time
from types import TracebackType
from typing import Self

import httpx

from millrace_client.models import Job
from millrace_client.signature import sign

_SECONDS = 15.0
"""As long as the server waits for an answer."""


class Forwarder:
    """Tells a receiver of jobs. Use it as a context manager."""

    def __init__(self, url: str, secret: str) -> None:
        self._url = url
        self._secret = secret
        self._http = httpx.Client(timeout=_SECONDS)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._http.close()

    def tell(self, job: Job) -> str:
        """Make one request; the status of the answer, or why there was none."""
        body, message_id, timestamp = job.text.encode(), f"msg_{job.id}_{job.status}_listen", int(time.time())
        headers = {
            "Content-Type": "application/json",
            "User-Agent": "Millrace",
            "x-streams-token": self._secret,
            "x-streams-event": f"transcoding_job.{job.status}",
            "webhook-id": message_id,
            "webhook-timestamp": str(timestamp),
            "webhook-signature": sign(self._secret, message_id, timestamp, body),
        }
        try:
            return str(self._http.post(self._url, content=body, headers=headers).status_code)
        except httpx.HTTPError as error:
            return f"no answer: {error or type(error).__name__}"
