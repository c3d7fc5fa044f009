"""Playing a job's output out of the organization's storage."""

import asyncio
from dataclasses import dataclass
from urllib.parse import quote

from services.api.accounts.organizations import Storage, Storages
from services.api.accounts.storage_errors import refusal_of
from services.api.contract.addresses import located
from services.api.contract.errors import Conflict, NotFound, StorageRefused
from services.api.contract.key_addresses import KeyAddresses
from services.api.contract.playback import (
    MOST_BYTES,
    LeadsOutside,
    TooManyReferences,
    check_path,
    is_rewritten,
    rewritten,
)
from services.api.drm import signed_addresses
from services.api.drm.contents import Contents
from services.api.jobs.jobs import Jobs
from services.api.playback.slots import Slots
from shared.addresses import AddressPolicy
from shared.locations import S3Location, object_key, parse_s3
from shared.media.layout import content_type, uri
from shared.presigning import Presigner, presigner
from shared.remembered import Remembered
from shared.s3_clients import S3Clients
from shared.storage import STORAGE_ERRORS, problem_of

_BUCKET = "{bucket}"
# Segments of one output are asked for one after the other; what an operator changes counts after so long.
_REMEMBERED_SECONDS = 60.0
_MOST_REMEMBERED = 1_000
# For all of a playlist: a storage that sends a byte now and then would keep its place for ever.
_READ_SECONDS = 20.0
# Playlists that are in memory at the same time, and those of one organization: its storage may be slow.
_AT_ONCE, _AT_ONCE_EACH = 16, 4


@dataclass(frozen=True)
class Output:
    """Where a job's output is.

    Attributes:
        location: the prefix, with the credentials of the organization's storage. signer: of addresses there.
        base: below which it can be played without signatures; None where there is no such address.
        content_id: of an encrypted one.
    """

    location: S3Location
    signer: Presigner | None
    base: str | None
    content_id: str | None

    def public(self, path: str) -> str | None:
        """The address without signature of something at a path, if it has one."""
        return f"{self.base}/{uri(object_key(self.location, path))}" if self.base else None


@dataclass(frozen=True)
class Leads:
    """The answer is at another address."""

    address: str


@dataclass(frozen=True)
class Text:
    """The answer itself."""

    text: str
    content_type: str


class Player:
    """Gives out what players ask for.

    Args:
        addresses: of keys, as they stand in playlists.
    """

    def __init__(
        self,
        jobs: Jobs,
        storages: Storages,
        contents: Contents,
        addresses: KeyAddresses,
        clients: S3Clients,
        *,
        policy: AddressPolicy,
    ) -> None:
        self._jobs = jobs
        self._storages = storages
        self._contents = contents
        self._addresses = addresses
        self._clients = clients
        self._policy = policy
        self._slots = Slots(_AT_ONCE, _AT_ONCE_EACH)
        self._outputs = Remembered(self._find, seconds=_REMEMBERED_SECONDS, most=_MOST_REMEMBERED)

    async def output(self, org: str, job: str) -> Output:
        """Where a job's output is.

        Raises:
            NotFound: there is no such job. Conflict: it lies elsewhere than in the organization's storage.
        """
        return await self._outputs.of((org, job))

    async def give(self, org: str, output: Output, path: str, *, query: str, expires: int) -> Leads | Text:
        """What lies at a path below the output's prefix.

        Args:
            query: that lets its reader in here. expires: when it stops doing so (seconds since 1970), and what is signed now.

        Raises:
            NotFound: nothing lies there. StorageRefused, Unavailable: the storage does not give it.
        """
        try:
            check_path(path)
        except LeadsOutside:
            raise NotFound() from None
        if address := output.public(path):
            return Leads(address)
        assert output.signer is not None, "an output without a public address has a signer"  # noqa: S101
        signer = output.signer.lasting(max(1, expires - signed_addresses.in_future(0)))

        def sign(other: str) -> str:
            return signer.address("GET", object_key(output.location, other))

        if not is_rewritten(path):
            return Leads(sign(path))
        async with self._slots.of(org):
            text = await self._read(output.location, path)
            keys = await self._keys(org, output, text, expires)
            try:
                # The playlist of a film of a day leads to thousands of segments.
                led = await asyncio.to_thread(rewritten, path, text, sign=sign, query=query, keys=keys)
            except LeadsOutside as error:
                raise StorageRefused(
                    f"{path} in the bucket refers to something that is not of this output: {error}"
                ) from None
            except TooManyReferences as error:
                raise StorageRefused(f"{path} in the bucket is none that this server writes: it has {error}.") from None
        return Text(led, content_type(path))

    async def _find(self, asked: tuple[str, str]) -> Output:
        org, _ = asked
        job = await self._jobs.require(*asked)
        storage = await self._storages.whole(org)
        given = parse_s3(job.output_path, is_prefix=True)
        base = storage.playback_base_url
        if base and (_BUCKET in base or storage.location is None or storage.location.bucket == given.bucket):
            return Output(given, None, base.replace(_BUCKET, given.bucket), job.drm_content_id)
        location = _readable(given, storage)
        # For how long, each answer says by itself.
        signer = await presigner(location, policy=self._policy, seconds=1, public_endpoint=storage.public_endpoint)
        return Output(location, signer, None, job.drm_content_id)

    async def _read(self, location: S3Location, path: str) -> str:
        try:
            async with (
                asyncio.timeout(_READ_SECONDS),
                self._clients.of(location, read_timeout=_READ_SECONDS, attempts=2) as client,
            ):
                found = await client.get_object(Bucket=location.bucket, Key=object_key(location, path))
                async with found["Body"] as body:
                    if found["ContentLength"] > MOST_BYTES:
                        raise StorageRefused(f"{path} in the bucket is larger than any that this server writes.")
                    read: bytes = await body.read()
        except STORAGE_ERRORS as error:
            if problem_of(error) == "missing_key":
                raise NotFound("The output of this job has no such file.") from None
            raise refusal_of(error, location) from error
        return read.decode("utf-8", "replace")

    async def _keys(self, org: str, output: Output, text: str, expires: int) -> dict[str, str]:
        """Signed addresses of the AES-128 keys that a playlist names, by those in it. Other keys are asked for with a licence."""
        template = self._addresses.key_of(org)
        if template is None or output.content_id is None:
            return {}
        address = template.replace("{content_id}", output.content_id)
        if address not in text:
            return {}
        content = await self._contents.read(org, output.content_id)
        if content is None:
            return {}
        query = signed_addresses.parameters(org, content.content_id, expires, content.keys)
        asked = {address: f"{address}?{query}"}
        for key in content.keys:
            asked[f"{address}?kid={key.kid.hex()}"] = f"{address}?kid={key.kid.hex()}&{query}"
        return asked


def _readable(given: S3Location, storage: Storage) -> S3Location:
    """The place of an output with the credentials of the organization's storage, whatever credentials it was written with.

    Raises:
        Conflict: it is not in that storage.
    """
    endpoint = f"?endpoint={quote(given.endpoint, safe='')}" if given.endpoint else ""
    try:
        return located(f"s3://{given.bucket}/{uri(given.key)}{endpoint}", is_prefix=True, storage=storage.location)
    except ValueError:
        raise Conflict(
            "The output of this job is not in the organization's storage, and the credentials that it was written with are not "
            "kept. Play it from its bucket, or have the operator say where players find it: admin set-public-addresses "
            "--playback-url."
        ) from None
