"""Names of subjects. All ids are validated (:mod:`shared.ids`) before they get here."""

from shared.events import Event


def job_subject(org: str, job: str, token: str) -> str:
    """Subject of an event of a job, or a filter over several of them: ``jobs.<org>.<job>.<token>``."""
    return f"jobs.{org}.{job}.{token}"


def event_subject(event: Event) -> str:
    """The one subject on which this event may be published."""
    return job_subject(event.org, event.job, event.token())


def split_job_subject(subject: str) -> tuple[str, str, str]:
    """Organization, job and the rest of a subject: ``jobs.…``, ``feed.jobs.…``, ``progress.…``, ``waiting.…``, ``webhooks.…``.

    Raises:
        ValueError: the subject is none of these.
    """
    pieces = subject.removeprefix("feed.").removeprefix("webhooks.").split(".", 3)
    if len(pieces) != 4:
        raise ValueError(f"not a subject of a job: {subject}")
    return pieces[1], pieces[2], pieces[3]


def feed_subject(org: str, job: str, token: str) -> str:
    """Where core NATS subscribers receive an event once the log has it: never a refused one, never one twice."""
    return f"feed.{job_subject(org, job, token)}"


def organization_subject(org: str) -> str:
    """A filter over all events of an organization in the log."""
    return f"jobs.{org}.>"


def replay_subject(org: str) -> str:
    """Where an organization's bus users ask for events of the past."""
    return f"feed.replay.{org}"


def progress_subject(org: str, job: str, what: str) -> str:
    """Where the fraction done of a part (or ``fetch``) is published; the newest value wins."""
    return f"progress.{org}.{job}.{what}"


def waiting_subject(org: str, job: str, token: str) -> str:
    """Where it is published what a piece of work waits for; the newest value wins, and an empty one says that it no longer does.

    Args:
        token: of the event that is the work.
    """
    return f"waiting.{org}.{job}.{token}"


def dead_subject(service: str, org: str, job: str) -> str:
    """Where a message goes that a service has given up on."""
    return f"dead.{service}.{org}.{job}"
