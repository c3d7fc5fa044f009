"""The SQL of the list of jobs: a page of it, and how many there are in all.

Only the conditions that are asked for stand in it. One such as ``$2 is null or status = any($2)`` would keep a plan that is
made for all values from using an index.
"""

from dataclasses import dataclass

from services.api.contract.listing import JobFilter, Window


@dataclass(frozen=True)
class Query:
    """SQL with its values."""

    sql: str
    values: tuple[object, ...]


def count_query(org: str, wanted: JobFilter) -> Query:
    """How many jobs of an organization there are: counted where a search or a span of time is asked for, else known."""
    arguments = _Arguments(org)
    source, count = _counted(wanted, arguments)
    return Query(f"select {count} from {source}", arguments.values)  # noqa: S608 - our own text


def status_counts_query(org: str, wanted: JobFilter) -> Query:
    """How many jobs of each status there are, as rows of ``status`` and ``jobs``; a status without jobs may be missing."""
    arguments = _Arguments(org)
    source, count = _counted(wanted, arguments, by_status=True)
    return Query(f"select status, {count} as jobs from {source} group by status", arguments.values)  # noqa: S608 - our own text


def page_query(org: str, wanted: JobFilter, window: Window) -> Query:
    """The ``state`` of each job of a page, in its order.

    Of each status that is asked for no more rows are read than the page could need, by the index that has them in order:
    so it makes no difference whether a status is rare or common. The states themselves are read for the page alone.
    What a search finds is all read, by the index of words, to be put in order.
    """
    arguments = _Arguments(org)
    order = "created desc, id desc" if wanted.newest_first else "created, id"
    if wanted.search is not None:
        rows = f"select id, created from {_found(wanted, arguments)}"  # noqa: S608 - our own text
    elif wanted.statuses:
        others = _others(wanted, arguments)
        statuses = arguments.add(list(wanted.statuses), "text[]")
        most = arguments.add(window.offset + window.size, "bigint")
        rows = (
            f"select first.id, first.created from unnest({statuses}) as wanted (status) cross join lateral ("  # noqa: S608
            f"select id, created from jobs where org = $1 and jobs.status = wanted.status{others}"
            f" order by {order} limit {most}) as first"
        )
    else:
        rows = f"select id, created from jobs where org = $1{_others(wanted, arguments)}"  # noqa: S608 - our own text
    size, offset = arguments.add(window.size, "bigint"), arguments.add(window.offset, "bigint")
    sql = (
        f"select (select state from jobs where id = page.id) as state"  # noqa: S608 - our own text
        f" from ({rows} order by {order} limit {size} offset {offset}) as page order by {order}"
    )
    return Query(sql, arguments.values)


def _counted(wanted: JobFilter, arguments: "_Arguments", *, by_status: bool = False) -> tuple[str, str]:
    """What to count from, with its conditions, and how."""
    if wanted.search is not None:
        return _found(wanted, arguments, with_jobs=by_status), "count(*)"
    conditions = f"where org = $1{_of_status(wanted, arguments)}{_others(wanted, arguments)}"
    if wanted.created_from is None and wanted.created_to is None:
        return f"job_counts {conditions}", "coalesce(sum(jobs), 0)::bigint"
    return f"jobs {conditions}", "count(*)"


def _found(wanted: JobFilter, arguments: "_Arguments", *, with_jobs: bool = False) -> str:
    """What a search finds. The rows of jobs, which are long, are looked at only where more is asked of them than when."""
    query = arguments.add(wanted.search, "text")
    # Materialized, or the server might go through all jobs for a word that it takes to be common.
    conditions = f"words @@ search_query($1, {query}){_span(wanted, arguments)}"
    listed = f"select job as id, created from job_words where {conditions}"  # noqa: S608 - our own text
    words = f"(with found as materialized ({listed}) select * from found) as found"  # noqa: S608 - our own text
    if not (with_jobs or wanted.statuses or wanted.enable_drm is not None):
        return words
    # Row by row: where the server takes more to be found than is, it would go through all jobs once.
    conditions = f"{_of_status(wanted, arguments)}{_of_drm(wanted, arguments)}"
    job = f"(select status from jobs where jobs.id = found.id{conditions} limit 1)"  # noqa: S608 - our own text
    return f"{words} cross join lateral {job} as job"


def _of_status(wanted: JobFilter, arguments: "_Arguments") -> str:
    return f" and status = any({arguments.add(list(wanted.statuses), 'text[]')})" if wanted.statuses else ""


def _others(wanted: JobFilter, arguments: "_Arguments") -> str:
    return _of_drm(wanted, arguments) + _span(wanted, arguments)


def _of_drm(wanted: JobFilter, arguments: "_Arguments") -> str:
    return f" and enable_drm = {arguments.add(wanted.enable_drm, 'boolean')}" if wanted.enable_drm is not None else ""


def _span(wanted: JobFilter, arguments: "_Arguments") -> str:
    conditions = ""
    if wanted.created_from is not None:
        conditions += f" and created >= {arguments.add(wanted.created_from, 'timestamptz')}"
    if wanted.created_to is not None:
        conditions += f" and created <= {arguments.add(wanted.created_to, 'timestamptz')}"
    return conditions


class _Arguments:
    def __init__(self, org: str) -> None:
        self.values: tuple[object, ...] = (org,)

    def add(self, value: object, kind: str) -> str:
        """Returns the placeholder of a further value."""
        self.values += (value,)
        return f"${len(self.values)}::{kind}"
