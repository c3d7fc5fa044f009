"""Transcoding jobs. Every function is a flow; :mod:`millrace_client` has them as methods of ``client.jobs``."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from millrace_client import json_text
from millrace_client.core import Core, job_id, new_key
from millrace_client.listing import PAGE_SIZE, Instant, each_job, fetch_page, moment
from millrace_client.models import Counts, Job, Message, Page, Playback, Status, Timeline, TimelinePart
from millrace_client.steps import Feed, Flow

JOBS = "transcoding_jobs"
Metadata = Mapping[str, Any] | str
"""An object, or its JSON as text, which is kept and given back exactly as it is written."""


def create(
    core: Core,
    *,
    output_path: str,
    resolutions: Sequence[str],
    input_url: str | None = None,
    input_path: str | None = None,
    client_metadata: Metadata | None = None,
    enable_drm: bool | None = None,
    encryption: str | None = None,
    drm: Mapping[str, Any] | None = None,
    early_playback: bool | None = None,
    priority: str | None = None,
    profile: str | None = None,
    idempotency_key: str | None = None,
    more: Mapping[str, Any] | None = None,
) -> Flow[Job]:
    """Create a job. Sent again where the answer is lost, under one idempotency key, so that there is never a second job.

    Args:
        input_url: ``http(s)://…`` or ``s3://…``. Exactly one of this and ``input_path`` is given.
        input_path: ``s3://bucket/key?access_key=…&secret_key=…&region=…``.
        output_path: ``s3://bucket/prefix/?access_key=…&secret_key=…&region=…``; credentials may be left out where the
            organization has storage configured.
        resolutions: such as ``["240p", "480p"]``, or ``["audio"]``.
        client_metadata: any object up to 10 KB, or the JSON text of one.
        encryption: ``cbcs``, which ``enable_drm`` asks for, too, or ``aes-128``.
        drm: how an encrypted output gets its keys, as the documentation of the API has it.
        early_playback: have the output playable while it is made.
        priority: ``low``, ``normal`` or ``high``.
        idempotency_key: for a job that must be one even if this program runs twice, such as the id of a row; made if left out.
        more: members of the request that this version of the library does not know.

    Raises:
        InvalidRequest: ``fields`` says what is wrong where.
        TooManyRequests: a quota is used up. Conflict: the key came with another job before.
    """
    given = _members(
        input_url,
        input_path,
        output_path,
        resolutions,
        client_metadata,
        enable_drm,
        encryption,
        drm,
        early_playback,
        priority,
        profile,
        more,
    )
    request = core.request("POST", core.address(JOBS), given, key=idempotency_key or new_key())
    return (yield from core.call(request, Job.from_json))


def retry(
    core: Core,
    job: Job | str,
    *,
    input_url: str | None = None,
    input_path: str | None = None,
    output_path: str | None = None,
    resolutions: Sequence[str] | None = None,
    client_metadata: Metadata | None = None,
    enable_drm: bool | None = None,
    encryption: str | None = None,
    drm: Mapping[str, Any] | None = None,
    early_playback: bool | None = None,
    priority: str | None = None,
    profile: str | None = None,
    idempotency_key: str | None = None,
    more: Mapping[str, Any] | None = None,
) -> Flow[Job]:
    """Run a job again that failed or was cancelled, as a new job that uses what is left of the old one's work.

    What is not given is as it was. Addresses that had secrets have to come again: these were deleted with the job's end.

    Raises:
        InvalidRequest: an address has to come again with its secrets, or is another place.
        Conflict: the job has not ended, is completed, or is being run again already.
    """
    given = _members(
        input_url,
        input_path,
        output_path,
        resolutions,
        client_metadata,
        enable_drm,
        encryption,
        drm,
        early_playback,
        priority,
        profile,
        more,
    )
    request = core.request("POST", core.address(JOBS, job_id(job), "retry"), given, key=idempotency_key or new_key())
    return (yield from core.call(request, Job.from_json))


def get(core: Core, job: Job | str, *, fields: Iterable[str] | None = None) -> Flow[Job]:
    """A job as it is now.

    Args:
        fields: the members to ask for, beside ``id`` and ``status``; others are as if they had not been set. None for all.

    Raises:
        NotFound: the organization has no such job. InvalidRequest: there is no such member.
    """
    url = core.address(JOBS, job_id(job), query=fields_query(fields))
    return (yield from core.call(core.request("GET", url), Job.from_json))


def playback(core: Core, job: Job | str) -> Flow[Playback]:
    """Addresses at which players without a token play a job's output, also out of a private bucket.

    Raises:
        NotFound: the organization has no such job. Conflict: it has no output, or one that the server cannot read.
    """
    request = core.request("GET", core.address(JOBS, job_id(job), "playback"))
    return (yield from core.call(request, Playback.from_json))


def cancel(core: Core, job: Job | str) -> Flow[str]:
    """Cancel a job; one that has ended stays as it is. Returns the server's sentence that says which.

    Raises:
        NotFound: the organization has no such job.
    """
    request = core.request("DELETE", core.address(JOBS, job_id(job)))
    return (yield from core.call(request, Message.from_json)).message


def list_all(
    core: Core,
    *,
    status: Status | str | Iterable[Status | str] = (),
    search: str | None = None,
    enable_drm: bool | None = None,
    created_from: Instant | None = None,
    created_to: Instant | None = None,
    newest_first: bool = True,
    fields: Iterable[str] | None = None,
    page_size: int = PAGE_SIZE,
) -> Feed[Job]:
    """All jobs that match, read page by page as they are asked for.

    Args:
        status: one or several, any of which will do.
        search: what the id, the input or the metadata has in it, as the documentation of the API has it.
        created_from, created_to: inclusive; a time without a zone is one in UTC, a date counts as a whole.
        fields: as in :func:`get`; ``created`` comes as well.

    Raises:
        InvalidRequest: ``fields`` of it names the filter that is wrong.
    """
    query = [*_filters(status, search, enable_drm, created_from, created_to), _ordering(newest_first)]
    # The next page begins where this one has ended.
    query += fields_query(fields if fields is None else [*fields, "created"])
    yield from each_job(core, (JOBS,), query, newest_first=newest_first, page_size=page_size)


def page(
    core: Core,
    *,
    number: int = 1,
    page_size: int = 20,
    status: Status | str | Iterable[Status | str] = (),
    search: str | None = None,
    enable_drm: bool | None = None,
    created_from: Instant | None = None,
    created_to: Instant | None = None,
    newest_first: bool = True,
    fields: Iterable[str] | None = None,
) -> Flow[Page[Job]]:
    """One page of the jobs that match, with ``count``, the number of all that do.

    Args:
        fields: as in :func:`get`.

    Raises:
        NotFound: the page lies beyond the end. InvalidRequest: ``fields`` of it names the filter that is wrong.
    """
    query = [*_filters(status, search, enable_drm, created_from, created_to), _ordering(newest_first)]
    query += fields_query(fields)
    return (yield from fetch_page(core, Job, (JOBS,), query, number, page_size))


def counts(
    core: Core,
    *,
    search: str | None = None,
    enable_drm: bool | None = None,
    created_from: Instant | None = None,
    created_to: Instant | None = None,
) -> Flow[Counts]:
    """How many jobs match, by status. The parameters are those of the list.

    Raises:
        InvalidRequest: ``fields`` names the filter that is wrong.
    """
    url = core.address(JOBS, "counts", query=_filters((), search, enable_drm, created_from, created_to))
    return (yield from core.call(core.request("GET", url), Counts.from_json))


def timeline(core: Core, job: Job | str) -> Flow[Timeline]:
    """What has happened to a job: its stages, and who fetched, encoded and uploaded what, when and at which attempt.

    Raises:
        NotFound: the organization has no such job.
    """
    parts: list[TimelinePart] = []
    number = 1
    while True:
        found = yield from timeline_page(core, job, number)
        parts += found.parts
        if not found.more:
            return found.model_copy(update={"parts": tuple(parts)})
        number += 1


def timeline_page(core: Core, job: Job | str, page: int = 1, page_size: int = PAGE_SIZE) -> Flow[Timeline]:
    """The timeline with the parts of one page alone; all else is on every page.

    Raises:
        NotFound: the organization has no such job, or there is no such page.
    """
    query = (("page", str(page)), ("page_size", str(page_size)))
    url = core.address(JOBS, job_id(job), "timeline", query=query)
    return (yield from core.call(core.request("GET", url), Timeline.from_json))


def fields_query(fields: Iterable[str] | None) -> list[tuple[str, str]]:
    """The parameter that asks for some members of jobs alone; a job is nothing without its id and status."""
    return [] if fields is None else [("fields", ",".join(sorted({"id", "status", *fields})))]


def _members(
    input_url: str | None,
    input_path: str | None,
    output_path: str | None,
    resolutions: Sequence[str] | None,
    client_metadata: Metadata | None,
    enable_drm: bool | None,
    encryption: str | None,
    drm: Mapping[str, Any] | None,
    early_playback: bool | None,
    priority: str | None,
    profile: str | None,
    more: Mapping[str, Any] | None,
) -> dict[str, str]:
    given = {
        "input_url": input_url,
        "input_path": input_path,
        "output_path": output_path,
        # A single string is a sequence of letters: sent as it is, the server says what is wrong with it.
        "resolutions": resolutions if resolutions is None or isinstance(resolutions, str) else list(resolutions),
        "enable_drm": enable_drm,
        "encryption": encryption,
        "drm": drm,
        "early_playback": early_playback,
        "priority": priority,
        "profile": profile,
        **(more or {}),
    }
    texts = json_text.texts(given)
    if client_metadata is not None:
        is_text = isinstance(client_metadata, str)
        texts["client_metadata"] = str(client_metadata) if is_text else json_text.write(client_metadata)
    return texts


def _filters(
    status: Status | str | Iterable[Status | str],
    search: str | None,
    enable_drm: bool | None,
    created_from: Instant | None,
    created_to: Instant | None,
) -> list[tuple[str, str]]:
    query = [("status", str(each)) for each in ([status] if isinstance(status, str) else status)]
    if search is not None:
        query.append(("search", search))
    if enable_drm is not None:
        query.append(("enable_drm", "true" if enable_drm else "false"))
    for name, instant in (("created_from", created_from), ("created_to", created_to)):
        if instant is not None:
            query.append((name, moment(instant)))
    return query


def _ordering(newest_first: bool) -> tuple[str, str]:
    return ("ordering", "-created" if newest_first else "created")
