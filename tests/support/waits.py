"""What jobs are shown to wait for, as it stands on the bus."""

from nats.aio.client import Client
from nats.js.errors import NotFoundError

from shared.bus.subjects import waiting_subject
from shared.bus.topology import PROGRESS
from shared.waiting import Waiting


async def waiting(client: Client, org: str, job: str, token: str = ">") -> Waiting | None:
    """What a piece of work (of any, the one that told of itself last) waits for; None if for nothing."""
    try:
        message = await client.jetstream().get_last_msg(PROGRESS, waiting_subject(org, job, token))
    except NotFoundError:
        return None
    return Waiting.model_validate_json(message.data) if message.data else None
