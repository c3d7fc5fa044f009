"""Dead letters as services write them."""

from nats.aio.client import Client

from shared.bus.subjects import dead_subject
from shared.bus.topology import DEAD


async def bury(client: Client, service: str, org: str, job: str, subject: str, body: bytes, reason: str) -> int:
    """Give up on a message; returns the number of the dead letter."""
    headers = {"Millrace-Reason": reason, "Millrace-Subject": subject}
    ack = await client.jetstream().publish(dead_subject(service, org, job), body, stream=DEAD, headers=headers)
    return int(ack.seq)
