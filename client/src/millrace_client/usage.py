"""What the organization's jobs have taken. The function is a flow; :mod:`millrace_client` has it as a method of the client."""

from datetime import date

from millrace_client.core import Core
from millrace_client.models import Usage
from millrace_client.steps import Flow


def usage(
    core: Core, *, since: date | str | None = None, until: date | str | None = None, by: str | None = None
) -> Flow[Usage]:
    """What the jobs have taken that ended from one day to another, by day or by month.

    Args:
        since, until: days in UTC, both counted; the last 31 days, or 12 months, if they are left out.
        by: ``day``, the default, or ``month``; of months the whole counts.

    Raises:
        InvalidRequest: ``fields`` says what is wrong.
    """
    given = (("from", since), ("to", until), ("by", by))
    query = [(name, str(value)) for name, value in given if value is not None]
    request = core.request("GET", core.address("usage", query=query))
    return (yield from core.call(request, Usage.from_json))
