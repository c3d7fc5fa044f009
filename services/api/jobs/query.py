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
    """How many jobs of an organization there are: counted where a span of time is asked for, else known."""
    arguments = _Arguments(org)
    statuses = f" and status = any({arguments.add(list(wanted.statuses), 'text[]')})" if wanted.statuses else ""
    conditions = f"where org = $1{statuses}{_others(wanted, arguments)}"
    if wanted.created_from is None and wanted.created_to is None:
        sql = f"select coalesce(sum(jobs), 0)::bigint from job_counts {conditions}"  # noqa: S608 - our own text
    else:
        sql = f"select count(*) from jobs {conditions}"  # noqa: S608 - our own text
    return Query(sql, arguments.values)


def page_query(org: str, wanted: JobFilter, window: Window) -> Query:
    """The ``state`` of each job of a page, in its order.

    Of each status that is asked for no more rows are read than the page could need, by the index that has them in order:
    so it makes no difference whether a status is rare or common. The states themselves are read for the page alone.
    """
    arguments = _Arguments(org)
    order = "created desc, id desc" if wanted.newest_first else "created, id"
    others = _others(wanted, arguments)
    if wanted.statuses:
        statuses = arguments.add(list(wanted.statuses), "text[]")
        most = arguments.add(window.offset + window.size, "bigint")
        rows = (
            f"select first.id, first.created from unnest({statuses}) as wanted (status) cross join lateral ("  # noqa: S608
            f"select id, created from jobs where org = $1 and jobs.status = wanted.status{others}"
            f" order by {order} limit {most}) as first"
        )
    else:
        rows = f"select id, created from jobs where org = $1{others}"  # noqa: S608 - our own text
    size, offset = arguments.add(window.size, "bigint"), arguments.add(window.offset, "bigint")
    sql = (
        f"select (select state from jobs where id = page.id) as state"  # noqa: S608 - our own text
        f" from ({rows} order by {order} limit {size} offset {offset}) as page order by {order}"
    )
    return Query(sql, arguments.values)


def _others(wanted: JobFilter, arguments: "_Arguments") -> str:
    conditions = ""
    if wanted.enable_drm is not None:
        conditions += f" and enable_drm = {arguments.add(wanted.enable_drm, 'boolean')}"
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
