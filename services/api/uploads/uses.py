"""Which jobs have uploads as their input, and how long uploads stay for them."""

from collections.abc import Sequence

from services.api.database.pool import Database

FOLDER = "uploads"
"""Below which all uploads of a storage lie."""

_FOLDER = f"/{FOLDER}/"

# A job that is about to be created has no row yet.
USED = """
    exists (
        select from upload_uses left join jobs on jobs.id = upload_uses.job where upload_uses.upload = uploads.id
        and (jobs.status in ('queued', 'transcoding') or (jobs.id is null and upload_uses.used > now() - interval '1 hour'))
    )
"""
"""Whether an unfinished job has an upload as its input."""

# Locked, so that the sweep does not take one of them at the same time.
_USE = """
    with found as (
        select uploads.id, wanted.job from unnest($2::text[], $3::text[]) as wanted (location, job)
        join uploads on uploads.location = wanted.location and uploads.org = $1 and uploads.state <> 'removing'
        order by uploads.id for no key update of uploads
    )
    insert into upload_uses (upload, job) select id, job from found on conflict do nothing
"""
_KEEP = """
    update uploads set remove_after =
        case when $3::integer > 0 then greatest(remove_after, now() + make_interval(days => $3)) else 'infinity' end
    where org = $1 and location = any($2::text[]) and state in ('open', 'completed')
"""


class UploadUses:
    """Writes down uses.

    Args:
        keep_days: after which an upload is removed that jobs have used; 0 for never.
    """

    def __init__(self, database: Database, *, keep_days: int) -> None:
        self._database = database
        self._keep_days = keep_days

    async def note(self, org: str, uses: Sequence[tuple[str, str]]) -> None:
        """Keep the uploads that jobs are about to read.

        Args:
            uses: the address of the input and the id of each job. What is no upload means nothing here.

        Raises:
            DatabaseDown: Postgres is out of reach.
        """
        wanted = [(text.partition("?")[0].removesuffix("/"), job) for text, job in uses if _FOLDER in text]
        if not wanted:
            return
        locations = [location for location, _ in wanted]
        async with self._database.transaction() as connection:
            await connection.execute(_USE, org, locations, [job for _, job in wanted])
            await connection.execute(_KEEP, org, locations, self._keep_days)
