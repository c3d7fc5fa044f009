"""One call of the API as a flow: what is sent, what is tried again, and what is made of the answer."""

import platform
import time
import uuid
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import replace
from enum import Enum
from typing import TypeVar
from urllib.parse import quote, urlencode

from millrace_client import json_text
from millrace_client.answers import error_of
from millrace_client.backoff import RETRIED, Retries
from millrace_client.errors import ApiError, MillraceError, SettingsError, UnexpectedAnswer, Unreachable
from millrace_client.models import Job, Page, Resource
from millrace_client.settings import Settings
from millrace_client.steps import Answer, Flow, Pause, Request, send
from millrace_client.version import version

T = TypeVar("T")
R = TypeVar("R", bound=Resource)
Query = Sequence[tuple[str, str]]
NONE: frozenset[int] = frozenset()


class Repeat(Enum):
    """Whether a request may be sent again though it may have been done."""

    SAFE = "it changes nothing, or the same again"
    NEVER = "it would be done twice"


class Core:
    """What all calls share.

    Attributes:
        settings: the token in them changes with login and logout.
        clock: seconds that only differences are made of.
    """

    def __init__(self, settings: Settings, retries: Retries, clock: Callable[[], float] = time.monotonic) -> None:
        self.settings = settings
        self.retries = retries
        self.clock = clock
        self._agent = f"millrace-client/{version()} Python/{platform.python_version()}"

    def use_token(self, token: str | None) -> None:
        """Send another token from now on, or none."""
        self.settings = replace(self.settings, token=token)

    def address(self, *parts: str, query: Query = ()) -> str:
        """The address of something in the organization; every path ends in a slash."""
        return self.root_address(self.settings.org, *parts, query=query)

    def server_address(self, *parts: str, query: Query = ()) -> str:
        """The address of something that operators see."""
        return self.root_address("operator", *parts, query=query)

    def root_address(self, *parts: str, query: Query = ()) -> str:
        """The address of anything of this version of the API."""
        path = "".join(f"{quote(part, safe='')}/" for part in ("api", "v1", *parts))
        return f"{self.settings.api_url}/{path}" + (f"?{urlencode(query)}" if query else "")

    def request(
        self,
        method: str,
        url: str,
        body: Mapping[str, str] | None = None,
        *,
        key: str | None = None,
        public: bool = False,
        accept: str = "application/json",
    ) -> Request:
        """A request.

        Args:
            body: the members of a JSON object, each as JSON text. key: for ``Idempotency-Key``. public: needs no token.

        Raises:
            SettingsError: there is no token.
        """
        headers = {"Accept": accept, "User-Agent": self._agent}
        if not public:
            if not self.settings.token:
                raise SettingsError("token is missing: give it, set MILLRACE_TOKEN, or log in.")
            headers["Authorization"] = f"Token {self.settings.token}"
        if key is not None:
            headers["Idempotency-Key"] = key
        if body is None:
            return Request(method, url, headers)
        text = ", ".join(f"{json_text.write(name)}: {value}" for name, value in body.items())
        return Request(method, url, headers | {"Content-Type": "application/json"}, f"{{{text}}}".encode())

    def call(
        self,
        request: Request,
        read: Callable[[str], T],
        *,
        repeat: Repeat = Repeat.SAFE,
        settled: Collection[int] = NONE,
    ) -> Flow[T]:
        """What an answer says, after as many attempts as it takes.

        Args:
            settled: statuses that mean, on a second attempt, that the first was done though its answer was lost.

        Raises:
            ApiError, Unreachable: the last attempt has failed, too.
            UnexpectedAnswer: the answer makes no sense.
        """
        answer = yield from self.exchange(request, repeat=repeat, settled=settled)
        return read(answer.text)

    def exchange(self, request: Request, *, repeat: Repeat, settled: Collection[int] = NONE) -> Flow[Answer]:
        """The answer, for :meth:`call`."""
        failures, doubtful = 0, False
        while True:
            failure: MillraceError
            try:
                answer = yield from send(request)
            except Unreachable as error:
                failure, asked = error, None
                again, doubtful = repeat is Repeat.SAFE or not error.sent, doubtful or error.sent
            else:
                if answer.status < 300 or (doubtful and answer.status in settled):
                    return answer
                failure = error_of(answer)
                asked = failure.retry_after if isinstance(failure, ApiError) else None
                again = answer.status == 429 or (repeat is Repeat.SAFE and answer.status in RETRIED)
                doubtful = doubtful or answer.status in RETRIED
            failures += 1
            pause = self.retries.pause(failures, asked) if again else None
            if pause is None:
                raise failure
            yield Pause(pause)


def job_id(job: Job | str) -> str:
    """Of a job, or of whoever has the id alone."""
    return job.id if isinstance(job, Job) else job


def new_key() -> str:
    """An idempotency key that nobody else makes."""
    return uuid.uuid4().hex


def nothing(text: str) -> None:
    """Reads an answer that has no body."""


def page_of(kind: type[R]) -> Callable[[str], Page[R]]:
    """Reads a page of such items, each with its text."""

    def read(text: str) -> Page[R]:
        try:
            members = json_text.members(text)
            results = tuple(kind.from_json(item) for item in json_text.items(members["results"]))
            return Page[R](
                count=json_text.parse(members["count"]), more=members.get("next", "null") != "null", results=results
            )
        except (ValueError, KeyError) as error:
            raise UnexpectedAnswer(f"The answer is no page of Millrace: {error}.") from error

    return read
