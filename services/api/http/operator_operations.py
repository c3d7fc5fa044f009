"""The operations of operators as the OpenAPI document describes them."""

from services.api.contract.operator_models import (
    DeadLetterDetail,
    DeadLetterPage,
    DrainRequest,
    QueuePage,
    Requeued,
    Worker,
    WorkerPage,
)
from services.api.http.operation import Operation

_TAG = "Server"
_SERVER = "/api/v1/operator/"
_LETTERS = _SERVER + "dead_letters/"
_LETTER = _LETTERS + "{letter}/"
_PAGE = ("page", "page_size")
OPERATOR_OPERATIONS = (
    Operation(
        "get",
        _SERVER + "workers/",
        "listWorkers",
        _TAG,
        "List workers, with what they are at",
        200,
        WorkerPage,
        query=_PAGE,
        errors=(400, 404),
        description="Those that were heard of within the last hour, and have not ended in order.",
        role="operator",
    ),
    Operation(
        "post",
        _SERVER + "workers/{worker}/drain/",
        "drainWorker",
        _TAG,
        "Drain a worker",
        202,
        Worker,
        request=DrainRequest,
        errors=(400, 413, 415),
        description="It takes no new work, finishes what it is at, however long that takes, and ends. It hears of that within "
        "five seconds. The body may be left out.",
        role="operator",
    ),
    Operation(
        "get",
        _SERVER + "queues/",
        "listQueues",
        _TAG,
        "List queues",
        200,
        QueuePage,
        query=_PAGE,
        errors=(400, 404),
        description="On the way of a job: admission first, then what each service takes its work from.",
        role="operator",
    ),
    Operation(
        "get",
        _LETTERS,
        "listDeadLetters",
        _TAG,
        "List dead letters, newest first",
        200,
        DeadLetterPage,
        query=("organization", "job of dead letters", "service", *_PAGE),
        errors=(400, 404),
        description="What services have given up on, for a reason that only the operator can mend.",
        role="operator",
    ),
    Operation(
        "get",
        _LETTER,
        "retrieveDeadLetter",
        _TAG,
        "Retrieve a dead letter with its message",
        200,
        DeadLetterDetail,
        role="operator",
    ),
    Operation(
        "post",
        _LETTER + "requeue/",
        "requeueDeadLetter",
        _TAG,
        "Have done once more what was given up",
        200,
        Requeued,
        errors=(409,),
        description="Work of a job that has not ended is put in line again; a job that has failed is run again as a new one; "
        "what webhooks were to be told they are told. Then the dead letter is gone. 409 says why that is not possible.",
        role="operator",
    ),
    Operation(
        "delete",
        _LETTER,
        "dropDeadLetter",
        _TAG,
        "Remove a dead letter for good",
        204,
        None,
        role="operator",
    ),
)
