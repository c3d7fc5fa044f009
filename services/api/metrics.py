"""What the api tells. What concerns all jobs or the whole bus only the leader tells, so that nothing is counted twice."""

from collections.abc import Iterable, Mapping

from prometheus_client import Counter, Gauge, Histogram

from shared.errors import ERRORS
from shared.events import Cancelled, Completed, Created, Failed, Recorded
from shared.job import Job
from shared.metrics import JOB_SECONDS, OTHER, REGISTRY, error_label

REQUESTS = Counter(
    "millrace_http_requests_total",
    "Requests answered, by route and status",
    ["method", "route", "status"],
    registry=REGISTRY,
)
REQUEST_SECONDS = Histogram(
    "millrace_http_request_seconds",
    "How long requests took, without event streams",
    ["method", "route"],
    buckets=(0.005, 0.025, 0.1, 0.25, 1, 2.5, 10),
    registry=REGISTRY,
)
LISTENERS = Gauge("millrace_event_listeners", "Clients that follow a job by server-sent events", registry=REGISTRY)
LEADER = Gauge("millrace_leader", "1 where this replica leads, else 0", registry=REGISTRY)

CREATED = Counter("millrace_jobs_created_total", "Jobs that were created", registry=REGISTRY)
ENDED = Counter(
    "millrace_jobs_ended_total",
    "Jobs that ended: completed, failed or cancelled; of failed ones the error code, else none",
    ["end", "code"],
    registry=REGISTRY,
)
STAGE_SECONDS = Histogram(
    "millrace_job_stage_seconds",
    "How long a stage of a job took, told when the job has ended",
    ["stage"],
    buckets=JOB_SECONDS,
    registry=REGISTRY,
)
TOTAL_SECONDS = Histogram(
    "millrace_job_seconds", "From the creation of a job to its completion", buckets=JOB_SECONDS, registry=REGISTRY
)
FILM_SECONDS = Counter("millrace_film_seconds_total", "Duration of the sources of completed jobs", registry=REGISTRY)

JOBS = Gauge(
    "millrace_jobs", "Jobs that have not ended: waiting for admission, or running", ["state"], registry=REGISTRY
)
JOBS_OLDEST = Gauge(
    "millrace_jobs_oldest_waiting_seconds",
    "Age of the oldest job that waits for admission",
    ["queue"],
    registry=REGISTRY,
)
PLACES = Gauge("millrace_job_places", "Jobs that may run at the same time", ["queue"], registry=REGISTRY)
HELD_UP = Gauge(
    "millrace_jobs_held_up",
    "Running jobs that wait for a source, a storage or room in the work space, by error code",
    ["code"],
    registry=REGISTRY,
)
QUEUE_MESSAGES = Gauge(
    "millrace_queue_messages", "Messages of a consumer that were never delivered", ["consumer"], registry=REGISTRY
)
QUEUE_OLDEST = Gauge(
    "millrace_queue_oldest_seconds",
    "Age of the oldest message that was never delivered",
    ["consumer"],
    registry=REGISTRY,
)
QUEUE_UNSETTLED = Gauge(
    "millrace_queue_unsettled_messages",
    "Messages of a consumer that were delivered and neither acknowledged nor given up: worked on, or to come again",
    ["consumer"],
    registry=REGISTRY,
)
QUEUE_REDELIVERED = Gauge(
    "millrace_queue_redelivered_messages",
    "Those among them that were delivered more than once",
    ["consumer"],
    registry=REGISTRY,
)
QUEUE_PULLS = Gauge(
    "millrace_queue_idle_pulls",
    "Slots that ask for a message of a consumer and have none",
    ["consumer"],
    registry=REGISTRY,
)
STREAM_MESSAGES = Gauge("millrace_stream_messages", "Messages in a stream", ["stream"], registry=REGISTRY)
STREAM_BYTES = Gauge("millrace_stream_bytes", "Bytes that a stream takes on the disk", ["stream"], registry=REGISTRY)
PROJECTION_LAG = Gauge(
    "millrace_projection_lag_messages",
    "Messages of a stream that are not in Postgres yet",
    ["stream"],
    registry=REGISTRY,
)
PROJECTION_LAG_SECONDS = Gauge(
    "millrace_projection_lag_seconds",
    "Age of the oldest message that is not in Postgres yet",
    ["stream"],
    registry=REGISTRY,
)

LEADERS = (
    *(
        JOBS,
        JOBS_OLDEST,
        PLACES,
        HELD_UP,
        QUEUE_MESSAGES,
        QUEUE_OLDEST,
        QUEUE_UNSETTLED,
        QUEUE_REDELIVERED,
        QUEUE_PULLS,
    ),
    *(STREAM_MESSAGES, STREAM_BYTES, PROJECTION_LAG, PROJECTION_LAG_SECONDS),
)
"""What the leader has seen. A replica that does not lead any more has no such series: they would be of the past."""

WAITED_FOR = ("input_unreachable", "input_timeout", "output_unreachable", "workspace_full", "workspace_unreachable")
"""The codes of what jobs wait for, which :data:`HELD_UP` has also where no job does."""

_METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})
# How long a stream takes says nothing.
_STREAM = "/events/"
_ENDS = {"completed": "completed", "error": "failed", "cancelled": "cancelled"}


def begin() -> None:
    """Have the series begin at zero, so that the first of anything is an increase."""
    for end in ("completed", "cancelled"):
        ENDED.labels(end, "")
    for code in (*ERRORS, OTHER):
        ENDED.labels("failed", code)


def answered(method: str, route: str, status: int, seconds: float) -> None:
    """A request was answered.

    Args:
        route: as it was registered, not as it was asked for.
        status: 0 where the client left before it had an answer.
    """
    # A client may send any word as a method.
    method = method if method in _METHODS else OTHER
    REQUESTS.labels(method, route, str(status)).inc()
    if not route.endswith(_STREAM):
        REQUEST_SECONDS.labels(method, route).observe(seconds)


def projected(events: Iterable[Recorded], states: Mapping[str, Job]) -> None:
    """Events were brought into Postgres.

    Args:
        states: of their jobs afterwards; one may be missing.
    """
    for recorded in events:
        event = recorded.event
        CREATED.inc(isinstance(event, Created))
        if isinstance(event, Completed | Failed | Cancelled) and (job := states.get(event.job)):
            _ended(job)


def _ended(job: Job) -> None:
    failed = job.status == "error"
    ENDED.labels(_ENDS[job.status], error_label(job.error_code or "") if failed else "").inc()
    for stage, seconds in job.timings.items():
        if seconds is not None:
            # What happened on different hosts may seem to go backwards.
            STAGE_SECONDS.labels(stage).observe(max(0.0, seconds))
    if job.status == "completed" and job.end_time:
        TOTAL_SECONDS.observe(max(0.0, (job.end_time - job.created).total_seconds()))
        FILM_SECONDS.inc(job.video_duration or 0)


def forget() -> None:
    """Tell nothing of the whole: another replica leads now, or it cannot be seen at present."""
    for gauge in LEADERS:
        gauge.clear()
