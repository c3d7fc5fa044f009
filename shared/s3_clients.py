"""Clients for customers' storages, kept open so that the next job with the same keys need not make and connect one."""

from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from typing import TYPE_CHECKING

from shared.addresses import AddressPolicy
from shared.kept_open import KeptOpen
from shared.locations import S3Location
from shared.storage import s3_client

if TYPE_CHECKING:
    from types_aiobotocore_s3 import S3Client

IDLE_CLIENTS = 16
"""A client has half a megabyte."""

IDLE_SECONDS = 60.0


@dataclass(frozen=True)
class _Kind:
    """What clients differ in.

    Attributes:
        service: a location without bucket and key: endpoint, region, style, and both halves of the credentials.
    """

    service: S3Location
    read_timeout: float
    attempts: int


class S3Clients:
    """One client for each service and set of credentials that is in use, and for a while after. Close it at the end.

    A client serves those alone who have the same credentials, secret key included: what one job has never works for another.

    Args:
        policy: where a service may be.
    """

    def __init__(self, policy: AddressPolicy, *, idle: int = IDLE_CLIENTS, seconds: float = IDLE_SECONDS) -> None:
        self._policy = policy
        self._kept: KeptOpen[_Kind, S3Client] = KeptOpen(self._open, idle=idle, seconds=seconds)

    def of(
        self, location: S3Location, *, read_timeout: float, attempts: int
    ) -> "AbstractAsyncContextManager[S3Client]":
        """A client for the service that the location is on; see :func:`shared.storage.s3_client`."""
        service = location.model_copy(update={"bucket": "", "key": ""})
        return self._kept.of(_Kind(service, read_timeout, attempts))

    async def close(self) -> None:
        """Close every client."""
        await self._kept.close()

    def _open(self, kind: _Kind) -> "AbstractAsyncContextManager[S3Client]":
        return s3_client(kind.service, policy=self._policy, read_timeout=kind.read_timeout, attempts=kind.attempts)
