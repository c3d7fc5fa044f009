"""The credentials of running jobs: sealed, apart from the log, and gone when the job has ended."""

import json
from dataclasses import dataclass

from nats.aio.client import Client
from nats.js.errors import KeyNotFoundError

from shared.bus.errors import bus_calls
from shared.bus.topology import SECRETS_BUCKET
from shared.errors import PermanentError
from shared.locations import HttpLocation, S3Location, parse_http, parse_s3
from shared.sealing import SealBroken, Sealer


@dataclass(frozen=True)
class JobAddresses:
    """Input and output of a job as full texts, credentials included. Never to be logged; ``repr`` shows nothing."""

    input_url: str
    output_path: str

    def __repr__(self) -> str:
        return "JobAddresses(…)"

    @property
    def source(self) -> S3Location | HttpLocation:
        """Where the source is fetched from."""
        if self.input_url.startswith("s3://"):
            return parse_s3(self.input_url, is_prefix=False)
        return parse_http(self.input_url)

    @property
    def output(self) -> S3Location:
        """The prefix that the output goes to."""
        return parse_s3(self.output_path, is_prefix=True)


class Vault:
    """Keeps the addresses of running jobs, sealed. All calls raise ``BusUnavailable`` while the bus is out of reach."""

    def __init__(self, client: Client, sealer: Sealer) -> None:
        self._js = client.jetstream()
        self._sealer = sealer

    @bus_calls()
    async def put(self, org: str, job: str, addresses: JobAddresses) -> None:
        """Keep a job's addresses. Done before the job is created, so that a job never lacks them."""
        text = json.dumps([addresses.input_url, addresses.output_path])
        bucket = await self._js.key_value(SECRETS_BUCKET)
        await bucket.put(f"{org}.{job}", self._sealer.seal(text, _purpose(org, job)))

    @bus_calls()
    async def get(self, org: str, job: str) -> JobAddresses:
        """A job's addresses.

        Raises:
            PermanentError: ``credentials_lost``.
        """
        bucket = await self._js.key_value(SECRETS_BUCKET)
        try:
            entry = await bucket.get(f"{org}.{job}")
            input_url, output_path = json.loads(self._sealer.open(entry.value or b"", _purpose(org, job)))
        except (KeyNotFoundError, SealBroken) as error:
            raise PermanentError("credentials_lost", str(error)) from error
        return JobAddresses(input_url, output_path)

    @bus_calls()
    async def forget(self, org: str, job: str) -> None:
        """Remove a job's addresses, every revision of them."""
        bucket = await self._js.key_value(SECRETS_BUCKET)
        await bucket.purge(f"{org}.{job}")


def _purpose(org: str, job: str) -> str:
    return f"addresses of {org}.{job}"
