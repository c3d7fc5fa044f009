"""Lists as feeds of their items, page by page."""

from collections.abc import Callable
from datetime import UTC, date, datetime
from typing import TypeVar

from millrace_client.core import Core, Query, page_of
from millrace_client.models import Job, Page, Resource
from millrace_client.steps import Feed, Flow, Show

R = TypeVar("R", bound=Resource)
Instant = datetime | date | str
PAGE_SIZE = 100
"""The most that a page may have."""


def fetch_page(
    core: Core,
    kind: type[R],
    path: tuple[str, ...],
    query: Query,
    page: int,
    page_size: int,
    below: Callable[..., str] | None = None,
) -> Flow[Page[R]]:
    """One page of a list. ``below``: what makes its address, if it is not the organization's."""
    url = (below or core.address)(*path, query=[*query, ("page", str(page)), ("page_size", str(page_size))])
    return (yield from core.call(core.request("GET", url), page_of(kind)))


def each(
    core: Core,
    kind: type[R],
    path: tuple[str, ...],
    identity: Callable[[R], object],
    query: Query = (),
    *,
    below: Callable[..., str] | None = None,
) -> Feed[R]:
    """All items of a list, those once that new ones push from one page to the next while it is read.

    Addresses of pages are made here and not taken from ``next``, which may lead to another host: the token stays with this one.
    """
    before: set[object] = set()
    page = 1
    while True:
        found = yield from fetch_page(core, kind, path, query, page, PAGE_SIZE, below)
        for item in found.results:
            if identity(item) not in before:
                yield Show(item)
        if not found.more:
            return
        before = {identity(item) for item in found.results}
        page += 1


def each_job(core: Core, path: tuple[str, ...], query: Query, *, newest_first: bool, page_size: int) -> Feed[Job]:
    """All jobs that a query finds, each once, whatever is created meanwhile.

    Each page begins at the instant at which the one before has ended, so that none costs more than the first.
    """
    bound = "created_to" if newest_first else "created_from"
    limit: str | None = None
    seen: set[str] = set()
    page = 1
    while True:
        limits = [*(item for item in query if item[0] != bound), (bound, limit)] if limit else query
        found = yield from fetch_page(core, Job, path, limits, page, page_size)
        for job in found.results:
            if job.id not in seen:
                yield Show(job)
        if not found.more or not found.results:
            return
        last = found.results[-1].created
        if last is None or moment(last) == limit:
            # More jobs of one instant than a page has: go on behind them as other lists do.
            page += 1
            seen |= {job.id for job in found.results}
        else:
            page, limit = 1, moment(last)
            seen = {job.id for job in found.results if job.created == last}


def moment(value: Instant) -> str:
    """As the API takes it. A time without a zone is one in UTC."""
    if isinstance(value, datetime):
        aware = value.replace(tzinfo=UTC) if value.tzinfo is None else value.astimezone(UTC)
        return aware.strftime("%Y-%m-%dT%H:%M:%S.%fZ")
    return value if isinstance(value, str) else value.isoformat()
