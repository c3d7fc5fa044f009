"""The api as a process on a bus and a database of a test, and a client that sends what it is told to, right or wrong."""

import base64
import contextlib
import io
import json
import secrets
import sys
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Any, Self
from unittest.mock import patch

import aiohttp

from services.api.admin.all_commands import app as admin
from services.api.settings import ApiSettings
from tests.support.bus import until
from tests.support.ports import free_port
from tests.support.service import Service

SEAL_KEY = base64.b64encode(b"k" * 32).decode()
PASSWORD = "correct horse battery staple"


class ApiProcess(Service):
    """``python -m services.api``, ready when the block begins."""

    def __init__(self, *, nats_url: str, database_url: str, **settings: object) -> None:
        self.api_port = free_port()
        own = {"nats_url": nats_url, "database_url": database_url, "seal_keys": SEAL_KEY, "host": "127.0.0.1"}
        # The samples tell of jobs that ended long ago.
        own |= {"keep_jobs_days": "0", "processes": "1"}
        super().__init__("api", **(own | {"port": self.api_port} | settings))

    @property
    def url(self) -> str:
        """Where it listens."""
        return f"http://127.0.0.1:{self.api_port}"

    def account(self, username: str, storage_url: str | None = None) -> "Account":
        """An organization with a user and a token, made by the admin command."""
        given = {"org_name": username, "username": username, "password": PASSWORD, "token": secrets.token_hex(32)}
        printed = self.admin("bootstrap", text=json.dumps(given | {"storage_url": storage_url}))
        return Account(json.loads(printed)["org_id"], username, given["token"])

    def admin(self, *arguments: str, text: str = "") -> str:
        """Do an admin command with the process's settings; what it prints.

        Raises:
            SystemExit, Exception: it fails.
        """
        # On a thread, because the caller may have an event loop running.
        with ThreadPoolExecutor(1) as thread:
            return thread.submit(self._admin, arguments, text).result()

    def _admin(self, arguments: tuple[str, ...], text: str) -> str:
        settings = ApiSettings.from_environment(self.environment())
        outer, sys.stdin = sys.stdin, io.StringIO(text)
        try:
            # The logs of this process are for the tests to read.
            with contextlib.redirect_stdout(io.StringIO()) as printed, patch("services.api.admin.app.configure_logs"):
                admin(list(arguments), obj=settings)
        except SystemExit as ended:
            # What has gone wrong, and not the sentence that the command makes of it.
            if ended.code:
                raise (ended.__cause__ or ended) from None
        finally:
            sys.stdin = outer
        return printed.getvalue()

    def environment(self) -> dict[str, str]:
        """The settings as environment variables."""
        argv = self.argv()
        return dict(item.split("=", 1) for item in argv[1 : argv.index("-m") - 1])


@dataclass(frozen=True)
class Account:
    """Who calls."""

    org: str
    username: str
    token: str


@dataclass(frozen=True)
class Answer:
    """A response: ``text`` is the body as received, ``body`` what it means (None if empty)."""

    status: int
    headers: Mapping[str, str]
    text: str
    body: Any = field(init=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "body", json.loads(self.text) if self.text else None)


class Caller:
    """Calls the api for an account. A path that begins with a slash is absolute, any other lies below the organization."""

    def __init__(self, process: ApiProcess, account: Account) -> None:
        self._process = process
        self.account = account
        # Cookies are sent by those tests alone that are about them.
        self._session = aiohttp.ClientSession(cookie_jar=aiohttp.DummyCookieJar())

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._session.close()

    async def call(
        self,
        method: str,
        path: str,
        body: Any = None,
        *,
        headers: Mapping[str, str] | None = None,
        token: str | None = None,
        anonymous: bool = False,
    ) -> Answer:
        """Call. A ``body`` of bytes is sent as it is, any other as JSON. ``anonymous``: without any token."""
        address = path if path.startswith("/") else f"/api/v1/{self.account.org}/{path}"
        data = body if body is None or isinstance(body, bytes) else json.dumps(body).encode()
        sent = {} if anonymous else {"Authorization": f"Token {token or self.account.token}"}
        if data is not None:
            sent["Content-Type"] = "application/json"
        sent |= headers or {}
        async with self._session.request(
            method, self._process.url + address, data=data, headers=sent, allow_redirects=False
        ) as response:
            return Answer(response.status, response.headers, await response.text())

    async def call_raw(self, method: str, path: str, headers: Mapping[str, str] | None = None) -> str:
        """All that a call brings until its end, as text; it has to be a success."""
        sent = {"Authorization": f"Token {self.account.token}"} | dict(headers or {})
        address = f"{self._process.url}/api/v1/{self.account.org}/{path}"
        async with self._session.request(method, address, headers=sent) as response:
            assert response.status == 200
            return await response.text()

    async def create(self, **members: Any) -> Answer:
        """Post a job that is right but for the members given; None leaves a member out."""
        body = job_body() | members
        return await self.call(
            "POST", "transcoding_jobs/", {name: value for name, value in body.items() if value is not None}
        )

    async def created(self, **members: Any) -> str:
        """Post a job that has to be accepted; its id."""
        answer = await self.create(**members)
        assert answer.status == 201, answer.text
        return str(answer.body["id"])

    async def job(self, job: str) -> Any:
        """A job as GET shows it."""
        answer = await self.call("GET", f"transcoding_jobs/{job}/")
        assert answer.status == 200, answer.text
        return answer.body

    async def until_status(self, job: str, status: str, seconds: float = 10) -> Any:
        """The job as soon as it has a status."""

        async def shown() -> Any:
            found = await self.job(job)
            return found if found["status"] == status else None

        return await until(shown, seconds=seconds, what=f"status {status}")


def job_body() -> dict[str, Any]:
    """A body that is accepted, with an output path of its own."""
    return {
        "input_url": "https://example.com/input-video.mp4",
        "output_path": f"s3://example-bucket/{secrets.token_hex(8)}/?access_key=AKIDEXAMPLE&secret_key=wJalrXUtnFEMI&region=us-east-1",
        "resolutions": ["240p", "480p"],
    }
