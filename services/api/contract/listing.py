"""Query parameters of lists: filters, order and pages."""

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, time
from typing import get_args
from urllib.parse import urlencode

from services.api.contract.errors import Invalid, NotFound
from services.api.contract.responses import JobItem
from services.api.contract.validation import MOST_MESSAGES, is_not_a_choice, these_are_choices, unknown_name
from shared.deliveries import Outcome
from shared.job import Status
from shared.payload import json_text

Parameters = Sequence[tuple[str, str]]
"""Names and values in the order of the query string."""

DEFAULT_PAGE_SIZE = 20
MOST_PAGE_SIZE = 100
# Far beyond any list, and well inside what Postgres takes as an offset.
_MOST_PAGE = 1_000_000_000
PAGE_PARAMETERS = ("page", "page_size")
# What both the list and the counts take; of the list's own parameters the counts know nothing.
COUNT_PARAMETERS = ("search", "enable_drm", "created_from", "created_to")
FIELDS = "fields"
JOB_PARAMETERS = ("status", *COUNT_PARAMETERS, "ordering", FIELDS, *PAGE_PARAMETERS)
DELIVERY_PARAMETERS = ("job", "outcome", *PAGE_PARAMETERS)
MOST_SEARCH_CHARACTERS = 200
MOST_FOLLOWED = 100
ORDERINGS = ("created", "-created")
# As the database tells words apart: migrations/0012_search.sql.
_IN_A_WORD = re.compile(r"[0-9A-Za-z\x80-\U0010ffff]")
_JOB_ID = re.compile("[2-9A-HJ-NP-Za-km-z]{11}")
_SURROGATE = re.compile("[\ud800-\udfff]")
_DATE = re.compile(r"\d{4}-\d\d-\d\d")
_INSTANT = re.compile(r"\d{4}-\d\d-\d\d[Tt ]\d\d:\d\d.*")
# A + that was not escaped reaches us as a space.
_PLUS_LOST = re.compile(r"(\d{4}-\d\d-\d\d.\d\d:\d\d.*) (\d\d:?\d\d)")


@dataclass(frozen=True)
class Window:
    """Which page of a list, of what size."""

    page: int = 1
    size: int = DEFAULT_PAGE_SIZE

    @property
    def offset(self) -> int:
        """How many come before it."""
        return (self.page - 1) * self.size


@dataclass(frozen=True)
class JobFilter:
    """Which jobs to list. ``created_from`` and ``created_to`` belong to the span.

    Attributes:
        search: each of its words begins a word of the job's id, input or metadata.
    """

    statuses: tuple[Status, ...] = ()
    search: str | None = None
    enable_drm: bool | None = None
    created_from: datetime | None = None
    created_to: datetime | None = None
    newest_first: bool = True


@dataclass(frozen=True)
class DeliveryFilter:
    """Which deliveries of a webhook to list: of all jobs if none is named, of all outcomes if there are none."""

    job: str | None = None
    outcomes: tuple[Outcome, ...] = ()


def read_window(parameters: Parameters) -> Window:
    """The page of a list that has no filters.

    Raises:
        Invalid: naming each parameter that is unknown or malformed.
    """
    reader = ParameterReader(parameters, PAGE_PARAMETERS)
    window = reader.window()
    reader.finish()
    return window


def read_fields(parameters: Parameters) -> frozenset[str] | None:
    """The members of a job that are to be shown; None for all. Other parameters are nobody's business here.

    Raises:
        Invalid: one is unknown.
    """
    reader = ParameterReader([(name, value) for name, value in parameters if name == FIELDS], (FIELDS,))
    fields = reader.fields()
    reader.finish()
    return fields


def read_job_query(parameters: Parameters) -> tuple[JobFilter, Window, frozenset[str] | None]:
    """Filter, page and members to show of the list of jobs.

    Raises:
        Invalid: naming each parameter that is unknown or malformed.
    """
    reader = ParameterReader(parameters, JOB_PARAMETERS)
    wanted = replace(
        reader.filter(),
        statuses=reader.statuses(),
        newest_first=reader.choice("ordering", ORDERINGS, "-created") == "-created",
    )
    window, fields = reader.window(), reader.fields()
    reader.finish()
    return wanted, window, fields


def read_followed(parameters: Parameters) -> tuple[tuple[str, ...], frozenset[str] | None]:
    """Ids of the jobs to follow, each once, and the members of them to show.

    Raises:
        Invalid: naming each parameter that is unknown or malformed.
    """
    reader = ParameterReader(parameters, ("ids", FIELDS))
    ids, fields = reader.ids(), reader.fields()
    reader.finish()
    return ids, fields


def read_count_query(parameters: Parameters) -> JobFilter:
    """Which jobs are to be counted by their status.

    Raises:
        Invalid: naming each parameter that is unknown or malformed.
    """
    reader = ParameterReader(parameters, COUNT_PARAMETERS)
    wanted = reader.filter()
    reader.finish()
    return wanted


def read_delivery_query(parameters: Parameters) -> tuple[DeliveryFilter, Window]:
    """Filter and page of the list of a webhook's deliveries.

    Raises:
        Invalid: naming each parameter that is unknown or malformed.
    """
    reader = ParameterReader(parameters, DELIVERY_PARAMETERS)
    wanted = DeliveryFilter(
        reader.text("job", _JOB_ID, "Enter the id of a job, 11 letters and digits."), reader.outcomes()
    )
    window = reader.window()
    reader.finish()
    return wanted, window


def page_json(results: Sequence[str], *, count: int, window: Window, parameters: Parameters, base: str) -> str:
    """A page as JSON text.

    Args:
        results: the items as JSON text. base: absolute address of the list, without a query.

    Raises:
        NotFound: the page lies beyond the end.
    """
    if not results and window.page > 1:
        raise NotFound("Invalid page.")
    has_next = window.offset + len(results) < count
    following = _link(base, parameters, window.page + 1) if has_next else "null"
    previous = _link(base, parameters, window.page - 1) if window.page > 1 else "null"
    return f'{{"count": {count}, "next": {following}, "previous": {previous}, "results": [{", ".join(results)}]}}'


def _link(base: str, parameters: Parameters, page: int) -> str:
    kept = [(name, value) for name, value in parameters if name != "page"]
    return json_text(f"{base}?{urlencode([*kept, ('page', str(page))])}")


class ParameterReader:
    """Takes parameters one by one and collects what is wrong with them.

    Args:
        known: the names that there are.
    """

    def __init__(self, parameters: Parameters, known: Sequence[str]) -> None:
        self._values: dict[str, list[str]] = {}
        for name, value in parameters:
            self._values.setdefault(name, []).append(value)
        self._problems: dict[str, list[str]] = {
            name: [unknown_name(name, list(known), "parameter")] for name in self._values if name not in known
        }

    def finish(self) -> None:
        """Raises: Invalid: if anything was wrong."""
        if self._problems:
            raise Invalid(self._problems)

    def filter(self) -> JobFilter:
        """All but the status."""
        return JobFilter(
            search=self.search(),
            enable_drm=self.boolean("enable_drm"),
            created_from=self.instant("created_from", time.min),
            created_to=self.instant("created_to", time.max),
        )

    def search(self) -> str | None:
        """Words to search for."""
        value = self._single("search")
        if value is None:
            return None
        if len(value) > MOST_SEARCH_CHARACTERS:
            self.wrong("search", f"Ensure this parameter has no more than {MOST_SEARCH_CHARACTERS} characters.")
        if "\0" in value or _SURROGATE.search(value) or not _IN_A_WORD.search(value):
            self.wrong("search", "Enter words, or how they begin: letters and digits.")
        return value

    def fields(self) -> frozenset[str] | None:
        """The members of a job that are to be shown; None for all."""
        value = self._single(FIELDS)
        if value is None:
            return None
        names = frozenset(value.split(","))
        for name in sorted(names - JobItem.model_fields.keys()):
            self.wrong(FIELDS, f"{is_not_a_choice(name)} Choose from {', '.join(JobItem.model_fields)}.")
        return names

    def ids(self) -> tuple[str, ...]:
        """Ids of jobs, each once."""
        ids = tuple(dict.fromkeys(name for name in (self._single("ids") or "").split(",") if name))
        if len(ids) > MOST_FOLLOWED:
            self.wrong("ids", f"Ensure there are no more than {MOST_FOLLOWED}.")
        return ids

    def statuses(self) -> tuple[Status, ...]:
        """The statuses that are asked for, each once."""
        known = {str(status): status for status in get_args(Status)}
        given = self._values.get("status", [])
        for value in given:
            if value.lower() not in known:
                self._no_choice("status", value, list(known))
        return tuple(dict.fromkeys(known[value.lower()] for value in given if value.lower() in known))

    def outcomes(self) -> tuple[Outcome, ...]:
        """The outcomes of deliveries that are asked for, each once."""
        known = {str(outcome): outcome for outcome in get_args(Outcome)}
        given = self._values.get("outcome", [])
        for value in given:
            if value not in known:
                self._no_choice("outcome", value, list(known))
        return tuple(dict.fromkeys(known[value] for value in given if value in known))

    def text(self, name: str, pattern: "re.Pattern[str]", wrong: str) -> str | None:
        """A word of some pattern. ``wrong``: what to say of any other."""
        value = self._single(name)
        if value is not None and not pattern.fullmatch(value):
            self.wrong(name, wrong)
        return value

    def boolean(self, name: str) -> bool | None:
        """True or false; None if it is not given, as with all the others."""
        value = self._single(name)
        if value is None or value.lower() in ("true", "false"):
            return value.lower() == "true" if value else None
        self.wrong(name, "Must be true or false.")
        return None

    def day(self, name: str) -> date | None:
        """A date."""
        value = self._single(name)
        try:
            if value is None or _DATE.fullmatch(value):
                return date.fromisoformat(value) if value else None
        except ValueError:
            pass
        self.wrong(name, "Enter a date in ISO 8601, such as 2026-01-31.")
        return None

    def choice(self, name: str, choices: Sequence[str], default: str) -> str:
        """One of several words."""
        value = self._single(name)
        if value is not None and value not in choices:
            self._no_choice(name, value, choices)
        return value or default

    def instant(self, name: str, time_of_day: time) -> datetime | None:
        """A time in UTC. ``time_of_day``: of a date alone."""
        value = self._single(name)
        if value is None:
            return None
        try:
            return _instant(value, time_of_day)
        except (ValueError, OverflowError):
            self.wrong(name, "Enter a date or time in ISO 8601, such as 2026-01-31 or 2026-01-31T12:30:00Z.")
            return None

    def window(self) -> Window:
        """The page of the list."""
        return Window(self._number("page", 1, _MOST_PAGE), self._number("page_size", DEFAULT_PAGE_SIZE, MOST_PAGE_SIZE))

    def _number(self, name: str, default: int, most: int) -> int:
        value = self._single(name)
        if value is None:
            return default
        if not re.fullmatch(r"[0-9]{1,10}", value):
            self.wrong(name, "A valid integer is required.")
        elif not 1 <= int(value) <= most:
            self.wrong(name, f"Must be from 1 to {most}.")
        else:
            return int(value)
        return default

    def _single(self, name: str) -> str | None:
        values = self._values.get(name, [])
        if len(values) > 1:
            self.wrong(name, "This parameter is given more than once.")
        return values[0] if values else None

    def _no_choice(self, name: str, value: str, choices: Sequence[str]) -> None:
        self.wrong(name, is_not_a_choice(value))
        self.wrong(name, these_are_choices(choices))

    def wrong(self, name: str, message: str) -> None:
        """Take note of what is wrong with a parameter."""
        messages = self._problems.setdefault(name, [])
        if message not in messages and len(messages) < MOST_MESSAGES:
            messages.append(message)


def _instant(value: str, time_of_day: time) -> datetime:
    if _DATE.fullmatch(value):
        return datetime.combine(date.fromisoformat(value), time_of_day, UTC)
    if not _INSTANT.fullmatch(value):
        raise ValueError(value)
    lost = _PLUS_LOST.fullmatch(value)
    instant = datetime.fromisoformat(f"{lost[1]}+{lost[2]}" if lost else value)
    return instant.replace(tzinfo=UTC) if instant.tzinfo is None else instant.astimezone(UTC)
