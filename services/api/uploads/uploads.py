"""Uploads of an organization: begun, looked at, completed, given up."""

import asyncio
import secrets
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID, uuid4

from services.api.accounts.organizations import Storages, lock_organization
from services.api.contract.addresses import located
from services.api.contract.errors import Conflict, Invalid, NotFound, NotSetUp
from services.api.contract.listing import Window
from services.api.contract.quotas import too_many_open_uploads
from services.api.contract.uploads import NewUpload, Upload, UploadPart, UploadRequest, clean_name, part_sizes
from services.api.database.pool import Connection, Database
from services.api.uploads.bucket import bucket_of
from services.api.uploads.uses import FOLDER, USED
from shared.addresses import AddressPolicy
from shared.locations import S3Location, object_key
from shared.media.layout import uri
from shared.presigning import Presigner, presigner
from shared.s3_clients import S3Clients

_COLUMNS = "id, location, file, size, part_size, multipart, state, created, expires, nullif(remove_after, 'infinity') as removed"
_INSERT = f"""
    insert into uploads (id, org, location, file, size, part_size, expires, remove_after)
    values ($1, $2, $3, $4, $5, $6, now() + make_interval(secs => $7), now() + make_interval(secs => $7, days => $8))
    returning {_COLUMNS}
"""  # noqa: S608 - our own text
_OPEN = """
    select count(*) as number, greatest(1, ceil(extract(epoch from min(expires) - now())))::integer as seconds
    from uploads where org = $1 and state = 'open' and expires > now()
    and not exists (select from upload_uses where upload = uploads.id)
"""
_MOST_NUMBERS = 10


@dataclass(frozen=True)
class UploadRules:
    """What holds for all uploads.

    Attributes:
        most_bytes: that a file may have. most_open: that an organization may have open at the same time.
        address_seconds: that an address works. unused_days: after so many more one is removed that no job has used.
    """

    most_bytes: int
    most_open: int
    address_seconds: int
    unused_days: int


class Uploads:
    """The uploads of all organizations."""

    def __init__(
        self, database: Database, storages: Storages, rules: UploadRules, clients: S3Clients, *, policy: AddressPolicy
    ) -> None:
        self._database = database
        self._storages = storages
        self._rules = rules
        self._clients = clients
        self._policy = policy

    async def begin(self, org: str, request: UploadRequest, address: str) -> NewUpload:
        """Say where a file is to be sent to.

        Args:
            address: of the list of uploads, below which this one will be.

        Raises:
            NotSetUp: the organization has no storage. Invalid: the file is too large. QuotaExceeded: too many are open.
            StorageRefused, Unavailable: the storage does not take it.
        """
        if request.size > self._rules.most_bytes:
            raise Invalid({"size": [f"Must be at most {self._rules.most_bytes} bytes, as the operator has set it."]})
        storage = await self._storages.whole(org)
        if storage.location is None:
            raise NotSetUp(
                "This organization has no storage that uploads could go to. Have one of its admins set it (PUT …/storage/, or "
                "millrace storage set), or give the job an input_url that can be read from here."
            )
        id_, key = uuid4(), _key(storage.location, request.filename)
        target = storage.location.model_copy(update={"key": key})
        row = await self._insert(org, id_, f"s3://{target.bucket}/{uri(key)}", request)
        headers = {"Content-Type": request.content_type} if request.content_type else {}
        try:
            signer = await presigner(
                storage.location,
                policy=self._policy,
                seconds=self._rules.address_seconds,
                public_endpoint=storage.public_endpoint,
            )
            multipart = await self._begin_parts(target, id_, request) if request.cut_into else None
        except BaseException:
            await self._forget(id_)
            raise
        parts = (
            await asyncio.to_thread(_parts, signer, key, multipart, part_sizes(request.size, request.cut_into))
            if multipart and request.cut_into
            else None
        )
        url = None if parts else signer.address("PUT", key, headers=headers | {"Content-Length": str(request.size)})
        return NewUpload(
            **_shown(row).model_dump(),
            method="PUT",
            headers={} if parts else headers,
            url=url,
            part_size=request.cut_into,
            parts=parts,
            complete_url=f"{address}{id_}/complete/",
        )

    async def page(self, org: str, window: Window) -> tuple[int, list[Upload]]:
        """How many uploads there are, and a page of them, newest first."""
        async with self._database.connection() as connection:
            count = await connection.fetchval("select count(*) from uploads where org = $1", org)
            rows = await connection.fetch(
                f"select {_COLUMNS} from uploads where org = $1"  # noqa: S608 - our own text
                " order by created desc, id limit $2 offset $3",
                org,
                window.size,
                window.offset,
            )
        return count, [_shown(row) for row in rows]

    async def read(self, org: str, upload: UUID) -> Upload:
        """An upload.

        Raises:
            NotFound: it is not there.
        """
        async with self._database.connection() as connection:
            return _shown(await _row(connection, org, upload))

    async def complete(self, org: str, upload: UUID) -> Upload:
        """Say that all of a file was sent, and have that verified. Doing it twice does no harm.

        Raises:
            NotFound: it is not there. Conflict: something is missing, or it is given up.
            StorageRefused, Unavailable: the storage does not say.
        """
        async with self._database.connection() as connection:
            row = await _row(connection, org, upload)
        if row["state"] == "completed":
            return _shown(row)
        if row["state"] != "open":
            raise Conflict("This upload was given up. Begin another one.")
        location = await self._location(org, row["location"])
        async with bucket_of(location, clients=self._clients) as bucket:
            if row["multipart"] and (parts := await bucket.parts(row["multipart"])) is not None:
                _check_parts(parts, part_sizes(row["size"], row["part_size"]))
                await bucket.complete(row["multipart"], parts)
            size = await bucket.size()
        if size is None:
            raise Conflict("The file has not come yet. PUT it to its address first.")
        if size != row["size"]:
            raise Conflict(f"The file has {size} bytes instead of {row['size']}. Begin another upload.")
        async with self._database.connection() as connection:
            await connection.execute("update uploads set state = 'completed' where id = $1 and state = 'open'", upload)
            return _shown(await _row(connection, org, upload))

    async def give_up(self, org: str, upload: UUID) -> None:
        """Have a file removed, as soon as nobody can send it any more.

        Raises:
            NotFound: it is not there. Conflict: a job is about to read it.
        """
        async with self._database.transaction() as connection:
            row = await _row(connection, org, upload, lock=True)
            if await connection.fetchval(f"select {USED} from uploads where id = $1", upload):  # noqa: S608 - our own text
                raise Conflict("A job that has not ended has this upload as its input. Cancel it first.")
            # Of one that comes in parts nothing can be sent any more as soon as it is aborted.
            await connection.execute(
                "update uploads set state = case when state = 'removing' then state else 'given_up' end,"
                " remove_after = case when $2 then now() else greatest(expires, now()) end where id = $1",
                upload,
                row["part_size"] is not None,
            )

    async def _insert(self, org: str, upload: UUID, location: str, request: UploadRequest) -> Any:
        async with self._database.transaction() as connection:
            await lock_organization(connection, org)
            (found,) = await connection.fetch(_OPEN, org)
            if found["number"] >= self._rules.most_open:
                raise too_many_open_uploads(self._rules.most_open, found["seconds"])
            return await connection.fetchrow(
                _INSERT,
                upload,
                org,
                location,
                request.filename,
                request.size,
                request.cut_into,
                float(self._rules.address_seconds),
                self._rules.unused_days,
            )

    async def _begin_parts(self, target: S3Location, upload: UUID, request: UploadRequest) -> str:
        async with bucket_of(target, clients=self._clients) as bucket:
            multipart = await bucket.begin(request.content_type)
        async with self._database.connection() as connection:
            await connection.execute("update uploads set multipart = $2 where id = $1", upload, multipart)
        return multipart

    async def _forget(self, upload: UUID) -> None:
        """Have the sweep remove what may be there, at once."""
        async with self._database.connection() as connection:
            await connection.execute(
                "update uploads set state = 'given_up', remove_after = now() where id = $1", upload
            )

    async def _location(self, org: str, text: str) -> S3Location:
        storage = await self._storages.get(org)
        try:
            return located(text, is_prefix=False, storage=storage)
        except ValueError:
            raise Conflict(
                "The storage of the organization is another one than when this upload was begun. Begin another one."
            ) from None


def _key(storage: S3Location, filename: str) -> str:
    return object_key(storage, f"{FOLDER}/{secrets.token_urlsafe(16)}/{clean_name(filename)}")


def _parts(signer: Presigner, key: str, multipart: str, sizes: Sequence[int]) -> list[UploadPart]:
    return [
        UploadPart(
            number=number,
            size=size,
            url=signer.address(
                "PUT",
                key,
                query={"partNumber": str(number), "uploadId": multipart},
                headers={"Content-Length": str(size)},
            ),
        )
        for number, size in enumerate(sizes, 1)
    ]


def _check_parts(parts: dict[int, tuple[int, str]], sizes: Sequence[int]) -> None:
    missing = [number for number, size in enumerate(sizes, 1) if parts.get(number, (0, ""))[0] != size]
    if missing:
        more = " …" if len(missing) > _MOST_NUMBERS else ""
        numbers = ", ".join(map(str, missing[:_MOST_NUMBERS]))
        raise Conflict(f"Parts that have not come yet: {numbers}{more}. PUT them first.")


async def _row(connection: Connection, org: str, upload: UUID, *, lock: bool = False) -> Any:
    locked = " for no key update" if lock else ""
    row = await connection.fetchrow(
        f"select {_COLUMNS} from uploads where org = $1 and id = $2{locked}",  # noqa: S608 - our own text
        org,
        upload,
    )
    if row is None:
        raise NotFound()
    return row


def _shown(row: Any) -> Upload:
    return Upload(
        id=row["id"],
        filename=row["file"],
        size=row["size"],
        state=row["state"],
        input_url=row["location"],
        created=row["created"],
        expires_at=row["expires"],
        removed_after=row["removed"],
    )
