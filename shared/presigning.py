"""Addresses of objects that whoever has them may use for a while: presigned, as S3 has it. Made without asking the service."""

from collections.abc import Mapping
from typing import Literal
from urllib.parse import urlencode

from botocore.auth import S3SigV4QueryAuth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials

from shared.addresses import AddressPolicy
from shared.locations import S3Location
from shared.media.layout import uri
from shared.storage import s3_client

MOST_SECONDS = 7 * 86_400
"""For longer no address is signed: https://docs.aws.amazon.com/AmazonS3/latest/userguide/using-presigned-url.html."""

_USUAL_REGION = "us-east-1"
_ANY_KEY = "key"


class Presigner:
    """Signs addresses of one bucket.

    Args:
        base: of all objects of the bucket, with a slash at its end. location: with credentials. seconds: that an address works.
    """

    def __init__(self, base: str, location: S3Location, seconds: int) -> None:
        assert location.access_key, "nothing can be signed without a key"  # noqa: S101
        assert location.secret_key, "nothing can be signed without a key"  # noqa: S101
        self._base = base
        self._location = location
        credentials = Credentials(location.access_key, location.secret_key.get_secret_value())
        self._signer = S3SigV4QueryAuth(credentials, "s3", location.region or _USUAL_REGION, expires=seconds)

    def lasting(self, seconds: int) -> "Presigner":
        """One whose addresses work so long."""
        return Presigner(self._base, self._location, seconds)

    def address(
        self,
        method: Literal["GET", "PUT"],
        key: str,
        *,
        query: Mapping[str, str] | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> str:
        """The address of an object. It takes some 50 µs; make hundreds in a thread.

        Args:
            headers: the request has to come with exactly these, ``Content-Length`` among them.
        """
        address = self._base + uri(key) + (f"?{urlencode(query)}" if query else "")
        request = AWSRequest(method, address, headers=headers)
        self._signer.add_auth(request)
        return str(request.url)


async def presigner(
    location: S3Location, *, policy: AddressPolicy, seconds: int, public_endpoint: str | None = None
) -> Presigner:
    """What signs addresses of the location's bucket.

    Args:
        location: with credentials. public_endpoint: how the service is called by those who get the addresses, where that is
            not as in the location.
    """
    seen = location.model_copy(update={"endpoint": public_endpoint}) if public_endpoint else location
    # The client knows where the bucket's name stands in an address.
    async with s3_client(seen, policy=policy) as client:
        address = await client.generate_presigned_url("get_object", Params={"Bucket": seen.bucket, "Key": _ANY_KEY})
    return Presigner(address.partition("?")[0].removesuffix(_ANY_KEY), location, seconds)
