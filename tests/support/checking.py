"""The fetcher's trial write, with a client of its own."""

from services.fetcher.output_check import check_output
from shared.locations import S3Location
from shared.s3_clients import S3Clients
from tests.support.policies import LOOPBACK


async def check_alone(location: S3Location) -> None:
    """Try an output on this machine; raises what the job would fail with."""
    clients = S3Clients(LOOPBACK)
    try:
        await check_output(location, clients)
    finally:
        await clients.close()
