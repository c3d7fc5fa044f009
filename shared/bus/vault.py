"""The secrets of running jobs, credentials and content keys: sealed, apart from the log, and gone when the job has ended."""

import json
from collections.abc import Sequence
from dataclasses import dataclass

from nats.aio.client import Client
from nats.js.errors import KeyNotFoundError, KeyWrongLastSequenceError
from pydantic import ValidationError

from shared.bus.errors import bus_calls, meaning_of
from shared.bus.together import Together, publish_each
from shared.bus.topology import SECRETS_BUCKET
from shared.coalescing import Coalescer
from shared.encryption.keys import ContentKey, KeySet
from shared.encryption.providers import PROVIDERS, KeyProvider
from shared.errors import PermanentError
from shared.locations import HttpLocation, S3Location, parse_http, parse_s3
from shared.sealing import SealBroken, Sealer

_PUT_SECONDS = 5.0


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
    """Keeps the secrets of running jobs, sealed. All calls raise ``BusUnavailable`` while the bus is out of reach.

    A job has an entry with its addresses, and one with its keys where its output is encrypted. Of such a job the first entry
    has a third member, so that workers from before there was encryption cannot read it: they would upload it in clear.
    """

    def __init__(self, client: Client, sealer: Sealer) -> None:
        self._nc = client
        self._js = client.jetstream()
        self._sealer = sealer
        self._together = Coalescer(self._store)

    async def put(self, org: str, job: str, addresses: JobAddresses, provider: KeyProvider | None = None) -> None:
        """Keep a job's addresses. Done before the job is created, so that a job never lacks them.

        Args:
            provider: of the keys that its output is encrypted with; None where it is not encrypted.
        """
        texts: list[object] = [addresses.input_url, addresses.output_path]
        if provider:
            texts.append(PROVIDERS.dump_python(provider, mode="json"))
        sealed = self._sealer.seal(json.dumps(texts), _purpose(org, job))
        await self._together.do(Together(f"$KV.{SECRETS_BUCKET}.{org}.{job}", sealed))

    @bus_calls()
    async def get(self, org: str, job: str) -> JobAddresses:
        """A job's addresses.

        Raises:
            PermanentError: ``credentials_lost``.
        """
        input_url, output_path, *_ = await self._entry(org, job)
        return JobAddresses(input_url, output_path)

    @bus_calls()
    async def provider(self, org: str, job: str) -> KeyProvider | None:
        """Where a job's keys come from; None where its output is not encrypted.

        Raises:
            PermanentError: ``credentials_lost``.
        """
        _, _, *more = await self._entry(org, job)
        try:
            return PROVIDERS.validate_python(more[0]) if more else None
        except ValidationError as error:
            raise PermanentError(
                "credentials_lost", "the provider of keys is of a kind that is not known here"
            ) from error

    @bus_calls()
    async def put_keys(self, org: str, job: str, keys: KeySet) -> KeySet:
        """Keep a job's keys, unless there are some: whoever comes first decides.

        Returns:
            those that are kept now.

        Raises:
            PermanentError: ``credentials_lost``: there are some that cannot be opened.
        """
        bucket = await self._js.key_value(SECRETS_BUCKET)
        try:
            await bucket.create(_keys_of(org, job), self._sealer.seal(keys.text(), _keys_purpose(org, job)))
        except KeyWrongLastSequenceError:
            return await self.key_set(org, job) or keys
        return keys

    @bus_calls()
    async def key_set(self, org: str, job: str) -> KeySet | None:
        """A job's keys with what is public of them; None where it has none, or none yet.

        Raises:
            PermanentError: ``credentials_lost``.
        """
        bucket = await self._js.key_value(SECRETS_BUCKET)
        try:
            entry = await bucket.get(_keys_of(org, job))
            return KeySet.parse(self._sealer.open(entry.value or b"", _keys_purpose(org, job)))
        except KeyNotFoundError:
            return None
        except SealBroken as error:
            raise PermanentError("credentials_lost", str(error)) from error

    async def keys(self, org: str, job: str) -> tuple[ContentKey, ...]:
        """A job's keys.

        Raises:
            PermanentError: ``credentials_lost``.
        """
        found = await self.key_set(org, job)
        if found is None:
            raise PermanentError("credentials_lost", "the job has no keys")
        return found.keys

    @bus_calls()
    async def forget(self, org: str, job: str) -> None:
        """Remove all that is kept of a job, every revision of it."""
        bucket = await self._js.key_value(SECRETS_BUCKET)
        try:
            await bucket.get(_keys_of(org, job))
        except KeyNotFoundError:
            # Purging leaves a marker, which most jobs can do without.
            pass
        else:
            await bucket.purge(_keys_of(org, job))
        await bucket.purge(f"{org}.{job}")

    async def _store(self, entries: Sequence[Together]) -> list[int | Exception]:
        """Put entries into the bucket, whose keys are subjects of a stream."""
        outcomes = await publish_each(self._nc, entries, seconds=_PUT_SECONDS)
        return [meaning_of(one) if isinstance(one, Exception) else one for one in outcomes]

    async def _entry(self, org: str, job: str) -> list[str]:
        bucket = await self._js.key_value(SECRETS_BUCKET)
        try:
            entry = await bucket.get(f"{org}.{job}")
            texts: list[str] = json.loads(self._sealer.open(entry.value or b"", _purpose(org, job)))
        except (KeyNotFoundError, SealBroken) as error:
            raise PermanentError("credentials_lost", str(error)) from error
        return texts


def _purpose(org: str, job: str) -> str:
    return f"addresses of {org}.{job}"


def _keys_of(org: str, job: str) -> str:
    return f"{org}.{job}.keys"


def _keys_purpose(org: str, job: str) -> str:
    return f"keys of {org}.{job}"
