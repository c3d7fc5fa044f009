"""What operators see and do. Every function is a flow; :mod:`millrace_client` has them as methods of ``client.server``.

All of them raise ``Forbidden`` where the token is no operator's.
"""

from millrace_client import json_text
from millrace_client.core import Core, Repeat, nothing
from millrace_client.listing import each
from millrace_client.server_models import DeadLetter, DeadLetterDetail, Queue, Requeued, Worker
from millrace_client.steps import Feed, Flow

LETTERS = "dead_letters"


def workers(core: Core) -> Feed[Worker]:
    """The workers that were heard of within the last hour, and have not ended in order."""
    yield from each(core, Worker, ("workers",), lambda worker: worker.id, below=core.server_address)


def drain(core: Core, worker: Worker | str, *, stay: bool = False) -> Flow[Worker]:
    """Have a worker take no new work, and end when its own is done.

    Args:
        stay: without ending, so that nothing starts another in its place.

    Raises:
        NotFound: no such worker is alive.
    """
    name = worker.id if isinstance(worker, Worker) else worker
    request = core.request("POST", core.server_address("workers", name, "drain"), {"stay": json_text.write(stay)})
    return (yield from core.call(request, Worker.from_json))


def queues(core: Core) -> Feed[Queue]:
    """What waits for admission and for each service."""
    yield from each(core, Queue, ("queues",), lambda queue: queue.name, below=core.server_address)


def dead_letters(
    core: Core, *, organization: str | None = None, job: str | None = None, service: str | None = None
) -> Feed[DeadLetter]:
    """What services have given up on, newest first; only what fits all that is given."""
    given = (("organization", organization), ("job", job), ("service", service))
    query = [(name, value) for name, value in given if value is not None]
    yield from each(core, DeadLetter, (LETTERS,), lambda letter: letter.id, query, below=core.server_address)


def dead_letter(core: Core, letter: DeadLetter | int) -> Flow[DeadLetterDetail]:
    """A dead letter with the message that is in it.

    Raises:
        NotFound: there is none.
    """
    request = core.request("GET", core.server_address(LETTERS, _id(letter)))
    return (yield from core.call(request, DeadLetterDetail.from_json))


def requeue(core: Core, letter: DeadLetter | int) -> Flow[Requeued]:
    """Have done once more what was given up. Not sent again where it may have been done.

    Raises:
        NotFound: there is none. Conflict: ``detail`` says why it cannot be done; the dead letter stays.
    """
    request = core.request("POST", core.server_address(LETTERS, _id(letter), "requeue"))
    return (yield from core.call(request, Requeued.from_json, repeat=Repeat.NEVER))


def drop(core: Core, letter: DeadLetter | int) -> Flow[None]:
    """Remove a dead letter for good.

    Raises:
        NotFound: there is none.
    """
    yield from core.call(core.request("DELETE", core.server_address(LETTERS, _id(letter))), nothing, settled=(404,))


def _id(letter: DeadLetter | int) -> str:
    return str(letter.id if isinstance(letter, DeadLetter) else letter)
