"""The operations of the API as the OpenAPI document describes them."""

from services.api.contract.models import (
    BatchRequest,
    CancelRequest,
    JobRequest,
    RetryRequest,
)
from services.api.contract.responses import (
    Batch,
    Cancellations,
    Job,
    JobCounts,
    JobPage,
    Message,
)
from services.api.contract.timeline_models import TimelinePage
from services.api.contract.usage import Usage
from services.api.http.account_operations import ACCOUNT_OPERATIONS
from services.api.http.bus_user_operations import BUS_USER_OPERATIONS
from services.api.http.drm_operations import DRM_OPERATIONS
from services.api.http.operation import Operation
from services.api.http.operator_operations import OPERATOR_OPERATIONS
from services.api.http.playback_operations import PLAYBACK_OPERATIONS
from services.api.http.storage_operations import STORAGE_OPERATIONS
from services.api.http.upload_operations import UPLOAD_OPERATIONS
from services.api.http.webhook_operations import WEBHOOK_OPERATIONS

_JOBS = "/api/v1/{org}/transcoding_jobs/"
_PAGE = ("page", "page_size")
OPERATIONS = (
    *ACCOUNT_OPERATIONS,
    *STORAGE_OPERATIONS,
    Operation(
        "post",
        _JOBS,
        "createJob",
        "Transcoding jobs",
        "Create a job",
        201,
        Job,
        request=JobRequest,
        headers=("Idempotency-Key",),
        errors=(400, 409, 413, 415),
        role="member",
    ),
    Operation(
        "post",
        _JOBS + "batch/",
        "createJobs",
        "Transcoding jobs",
        "Create several jobs, all of them or none",
        201,
        Batch,
        request=BatchRequest,
        headers=("Idempotency-Key",),
        errors=(400, 409, 413, 415),
        description="The errors of single jobs stand in `jobs`, each with the place of its job, `item_index`, counted from 0, "
        "and its `errors` as for a single job. The body may have 1.2 MB. A batch is accepted as a whole or not "
        "at all, whatever happens meanwhile; where the answer is lost, the same batch with the same Idempotency-Key brings it "
        "back.",
        role="member",
    ),
    Operation(
        "post",
        _JOBS + "batch/cancel/",
        "cancelJobs",
        "Transcoding jobs",
        "Cancel several jobs",
        200,
        Cancellations,
        request=CancelRequest,
        errors=(400, 413, 415),
        description="Each as a single one is cancelled. Jobs that are not there are told of beside the others. Safe to repeat.",
        role="member",
    ),
    Operation(
        "get",
        _JOBS,
        "listJobs",
        "Transcoding jobs",
        "List jobs",
        200,
        JobPage,
        query=("status", "search", "enable_drm", "created_from", "created_to", "ordering", "fields", *_PAGE),
        errors=(400,),
        role="viewer",
    ),
    Operation(
        "get",
        _JOBS + "counts/",
        "countJobs",
        "Transcoding jobs",
        "Count jobs by status",
        200,
        JobCounts,
        query=("search", "enable_drm", "created_from", "created_to"),
        errors=(400,),
        role="viewer",
    ),
    Operation(
        "get",
        _JOBS + "{job}/",
        "retrieveJob",
        "Transcoding jobs",
        "Retrieve a job",
        200,
        Job,
        query=("fields",),
        errors=(400,),
        role="viewer",
    ),
    Operation(
        "delete",
        _JOBS + "{job}/",
        "cancelJob",
        "Transcoding jobs",
        "Cancel a job",
        200,
        Message,
        description="A job that has ended stays as it is, and the message says what it is.",
        role="member",
    ),
    Operation(
        "post",
        _JOBS + "{job}/retry/",
        "retryJob",
        "Transcoding jobs",
        "Run a job again that failed or was cancelled",
        201,
        Job,
        request=RetryRequest,
        headers=("Idempotency-Key",),
        errors=(400, 409, 413, 415),
        description="Creates a job with an id of its own and `retry_of`, which does the same; the source and finished parts that "
        "are still there and still valid are used again. Credentials are not "
        "kept after a job's end, so they have to come again, unless the organization's storage supplies them. 409 for a job "
        "that has not ended, is completed, by itself or by a retry, or is being run again already; and for an encrypted one "
        "where the organization has another key provider by now.",
        role="member",
    ),
    Operation(
        "get",
        _JOBS + "{job}/timeline/",
        "showTimeline",
        "Transcoding jobs",
        "Show what has happened to a job",
        200,
        TimelinePage,
        query=_PAGE,
        errors=(400,),
        description="Its stages, and who has fetched, encoded and uploaded its parts, when and at which attempt. The "
        "pages are of the parts, which a film of a day has a thousand of.",
        role="viewer",
    ),
    Operation(
        "get",
        _JOBS + "events/",
        "followJobs",
        "Transcoding jobs",
        "Follow several jobs, and the list of jobs",
        200,
        "text/event-stream",
        query=("ids", "fields"),
        errors=(400,),
        description="Server-sent events: `job` with each of the jobs now and whenever it changes, as `followJob` has it, its id "
        "among the members in any case; and `list`, once a second at most, after a job of the organization was created or has "
        "changed its status. Ids of jobs that are not there are passed over.",
        role="viewer",
    ),
    Operation(
        "get",
        _JOBS + "{job}/events/",
        "followJob",
        "Transcoding jobs",
        "Follow a job",
        200,
        "text/event-stream",
        query=("fields",),
        errors=(400,),
        description="Server-sent events: the job now and whenever status, stage or progress change, until it has ended or the "
        "token has been revoked. A change of `queue_position` alone sends nothing.",
        role="viewer",
    ),
    *WEBHOOK_OPERATIONS,
    Operation(
        "get",
        "/api/v1/{org}/usage/",
        "showUsage",
        "Usage",
        "Show what the organization's jobs have taken",
        200,
        Usage,
        query=("from", "to", "by", "format"),
        errors=(400,),
        description="Whatever a job has taken counts on the day on which it ended, so that a day that is over stays as it is. "
        "Jobs that are removed some time after their end stay counted. Also as CSV, which `Accept: text/csv` asks for, too.",
        other="text/csv",
        role="viewer",
    ),
    *BUS_USER_OPERATIONS,
    *UPLOAD_OPERATIONS,
    *PLAYBACK_OPERATIONS,
    *DRM_OPERATIONS,
    *OPERATOR_OPERATIONS,
)
