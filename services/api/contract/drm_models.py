"""What is asked of the key API, and what it answers, as models."""

from datetime import datetime
from typing import Annotated

from pydantic import Field, StringConstraints

from services.api.contract.members import Omittable, Request, optional
from services.api.contract.responses import Page, Response
from shared.encryption.protection import Hex128, Scheme, Tracks

LICENCE_PLACES = ("{organization}", "{content_id}", "{drm_type}")
"""What is filled in, in the address of a licence server."""

MOST_KIDS = 100
MOST_SECONDS = 366 * 24 * 3600
_LONGEST_REQUEST = 16 * 1024
_CONTENT_ID = "8216dcdb90c34a4f8abf1671630a8817"
_KEY, _IV = "0f1571c947d9e8590cb7add6af7f6798", "f70bce4094fd4612abac60d9809c5b0c"
_REQUEST = "eyJjb250ZW50X2lkIjoiODIxNmRjZGI5MGMzNGE0ZjhhYmYxNjcxNjMwYTg4MTcifQ=="
_SIGNATURE = "Bj9cxpxncL/6+0XS3nBIIYwrv2RkLc5uCs7Bd1J7Jco="
_URI = f"skd://{_CONTENT_ID}"

Base64Text = Annotated[str, StringConstraints(min_length=1, max_length=_LONGEST_REQUEST)]


class KeyRequest(Request):
    """A signed request for the keys of a content."""

    request: Base64Text = Field(
        description='Base64 of `{"content_id": "<UUID>"}`, in either alphabet, padded or not.', examples=[_REQUEST]
    )
    signature: Base64Text = Field(
        description="Base64 of the signature: the SHA-1 of what `request` holds, padded by PKCS#7 to 32 bytes, encrypted by "
        "AES-CBC with the organization's signing key and initialization vector.",
        examples=[_SIGNATURE],
    )


class WidevineKeyRequest(KeyRequest):
    """What Shaka Packager sends to its `--key_server_url`."""

    request: Base64Text = Field(
        description="Base64 of a request of Widevine's Common Encryption API: `content_id` (base64 of 16 bytes), `tracks`, "
        "`protection_scheme`.",
        examples=[
            "eyJjb250ZW50X2lkIjoiZ2hiYzI1RERTaytLdnhaeFl3cUlGdz09IiwidHJhY2tzIjpbeyJ0eXBlIjoiU0QifV0sInByb3RlY3Rpb25fc2NoZW1lIjoiQ0JDUyJ9"
        ],
    )
    signer: Omittable[Annotated[str, StringConstraints(max_length=255)]] = optional(
        "Whom the packager calls its signer; the signature alone counts."
    )


class KeyAddressRequest(Request):
    """For how long an address of a key is wanted."""

    seconds: Omittable[Annotated[int, Field(strict=True, ge=1, le=MOST_SECONDS)]] = optional(
        "How long it works; when left out, as long as the server usually lets it."
    )


class ClearKeyRequest(Request):
    """A licence request as browsers make it for W3C's Clear Key."""

    kids: Annotated[
        list[Annotated[str, StringConstraints(max_length=64)]], Field(min_length=1, max_length=MOST_KIDS)
    ] = Field(description="Ids of the keys, base64url without padding.", examples=[["ghbc25DDSk-KvxZxYwqIFw"]])
    type: str = Field("temporary", description="Of the session; no other than `temporary` is kept by us.")


class FairplayKey(Response):
    """The key of a content for FairPlay."""

    iv: Hex128 = Field(description="The initialization vector", examples=[_IV])
    key: Hex128 = Field(description="The key", examples=[_KEY])
    uri: str = Field(description="For `#EXT-X-KEY`", examples=[_URI])


class EncryptionKeys(FairplayKey):
    """The key of a content, for all systems."""

    content_id: Hex128 = Field(description="Also the id of the key", examples=[_CONTENT_ID])


class WidevineKeys(Response):
    """The answer of Widevine's Common Encryption API."""

    response: str = Field(
        description="Base64 of JSON: `status`, `drm`, `tracks` with `type`, `key_id`, `key`, `iv` and `pssh`, `already_used`",
        examples=["eyJzdGF0dXMiOiJPSyIsImRybSI6W10sInRyYWNrcyI6W10sImFscmVhZHlfdXNlZCI6ZmFsc2V9"],
    )


class KeyId(Response):
    """A key without the key."""

    tracks: Tracks = Field(
        description="What it is for; each track takes the first key that is for it", examples=["all"]
    )
    kid: Hex128 = Field(description="The id of the key", examples=[_CONTENT_ID])
    iv: Hex128 = Field(description="The constant initialization vector", examples=[_IV])


class Key(KeyId):
    """A key."""

    key: Hex128 = Field(description="The key", examples=[_KEY])
    uri: str = Field(description="What FairPlay calls it", examples=[_URI])


class ContentItem(Response):
    """A content whose keys are in the server's store."""

    content_id: Hex128 = Field(examples=[_CONTENT_ID])
    created: datetime = Field(description="When its keys were made")
    scheme: Scheme | None = Field(description="What its keys are for; null where no job has used them yet")
    keys: list[KeyId]
    problem: str | None = Field(
        description="Why the server cannot give its keys, of which there are none here then; null where it can"
    )


class Content(Response):
    """A content with its keys."""

    content_id: Hex128 = Field(examples=[_CONTENT_ID])
    created: datetime = Field(description="When its keys were made")
    scheme: Scheme | None = Field(description="What its keys are for; null where no job has used them yet")
    keys: list[Key]


class ContentPage(Page[ContentItem]):
    """A page of contents, oldest first."""


class KeyAddress(Response):
    """A signed address of a key."""

    url: str = Field(
        description="Answers the 16 bytes of the key until it expires. Of a content with several keys add `&kid=`.",
        examples=[
            f"https://video.example.com/api/v1/6dnpyx/aes_key/{_CONTENT_ID}/?expires=1785542400&signature={'5f' * 32}"
        ],
    )
    expires: datetime = Field(description="When it stops working")


class ClearKey(Response):
    """A key as a JSON Web Key (RFC 7517)."""

    kty: str = Field(examples=["oct"])
    kid: str = Field(description="Its id, base64url without padding", examples=["ghbc25DDSk-KvxZxYwqIFw"])
    k: str = Field(description="The key, base64url without padding", examples=["DxVxyUfZ6FkMt63Wr39nmA"])


class ClearKeyLicence(Response):
    """A licence of W3C's Clear Key."""

    keys: list[ClearKey]
    type: str = Field(examples=["temporary"])
