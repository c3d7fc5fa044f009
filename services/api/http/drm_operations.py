"""The operations of the key API as the OpenAPI document describes them."""

from typing import Any

from pydantic import BaseModel

from services.api.contract.drm_models import (
    ClearKeyLicence,
    ClearKeyRequest,
    Content,
    ContentPage,
    EncryptionKeys,
    FairplayKey,
    KeyAddress,
    KeyAddressRequest,
    KeyRequest,
    WidevineKeyRequest,
    WidevineKeys,
)
from services.api.contract.key_addresses import AES_KEY, CLEAR_KEY_LICENCE, DRM_LICENCE
from services.api.http.operation import Operation

_TAG = "DRM"
_ORG = "/api/v1/{org}/"
_CONTENTS = _ORG + "drm_contents/"
_CONTENT = _CONTENTS + "{content_id}/"
_PAGE = ("page", "page_size")
_BODY = (400, 413, 415)
_SIGNED = "Needs no token: the signature vouches for the request. A content without keys is given some, which it keeps."
_OCTETS = "application/octet-stream"


def _signed(
    path: str,
    name: str,
    summary: str,
    answer: type[BaseModel],
    request: type[KeyRequest] = KeyRequest,
    *,
    description: str,
) -> Operation:
    return Operation(
        "post",
        f"{_ORG}{path}/",
        name,
        _TAG,
        summary,
        200,
        answer,
        request=request,
        errors=(403, 409, 429, *_BODY),
        description=f"{_SIGNED} {description}",
        role=None,
    )


DRM_OPERATIONS = (
    _signed(
        "drm_encryption_keys",
        "drmEncryptionKeys",
        "Get the key of a content, for Widevine and FairPlay alike",
        EncryptionKeys,
        description="409 for a content that has several keys.",
    ),
    _signed(
        "fairplay_key",
        "fairplayKey",
        "Get the key of a content for FairPlay",
        FairplayKey,
        description="409 for a content that has several keys.",
    ),
    _signed(
        "widevine_key",
        "widevineKey",
        "Get the keys of a content as Shaka Packager asks for them",
        WidevineKeys,
        WidevineKeyRequest,
        description="What `--key_server_url` is for. Where the content has a single key, all tracks get that one.",
    ),
    Operation(
        "post",
        DRM_LICENCE,
        "drmLicense",
        _TAG,
        "Get a Widevine or FairPlay licence",
        200,
        _OCTETS,
        query=("data",),
        errors=(400, 403, 413, 415, 429, 501),
        description="Passed on to the operator's licence server, body and all, and its answer passed back as it comes. 501 where "
        "there is none.",
        role=None,
    ),
    Operation(
        "post",
        CLEAR_KEY_LICENCE,
        "clearKeyLicense",
        _TAG,
        "Get a licence of W3C's Clear Key",
        200,
        ClearKeyLicence,
        request=ClearKeyRequest,
        errors=(400, 403, 413, 415, 429),
        description="For trials: whoever knows the id of a key, which stands in the output, gets it. 403 where the operator has "
        "not allowed that for the organization.",
        role=None,
    ),
    Operation(
        "get",
        AES_KEY,
        "aesKey",
        _TAG,
        "Get an AES-128 key at a signed address",
        200,
        _OCTETS,
        query=("expires", "signature", "kid"),
        errors=(403, 409, 429),
        description="The 16 bytes of the key, as HLS players fetch it.",
        role=None,
    ),
    Operation(
        "get",
        _CONTENTS,
        "listContents",
        _TAG,
        "List the contents that have keys, oldest first",
        200,
        ContentPage,
        query=_PAGE,
        errors=(400,),
        role="viewer",
    ),
    Operation(
        "get",
        _CONTENT,
        "retrieveContent",
        _TAG,
        "Retrieve a content with its keys",
        200,
        Content,
        role="admin",
    ),
    Operation(
        "post",
        _CONTENT + "aes_key_url/",
        "signKeyAddress",
        _TAG,
        "Get a signed address of the key of a content",
        201,
        KeyAddress,
        request=KeyAddressRequest,
        errors=_BODY,
        role="admin",
    ),
)

DRM_PARAMETERS: dict[str, dict[str, Any]] = {
    "content_id": {
        "in": "path",
        "description": "Id of the content: a UUID, with or without hyphens",
        "schema": {"type": "string"},
        "example": "8216dcdb90c34a4f8abf1671630a8817",
    },
    "data": {
        "in": "query",
        "description": 'Base64 of `{"content_data": "…", "signature": "…"}`. `content_data` is base64 of `{"content_id": "…", '
        '"download": false, "drm_type": "widevine"}`; its text, as it stands, is what is signed.',
        "required": True,
        "schema": {"type": "string"},
        "example": "eyJjb250ZW50X2RhdGEiOiAi4oCmIn0=",
    },
    "expires": {
        "in": "query",
        "description": "When the address stops working, in seconds since 1970",
        "required": True,
        "schema": {"type": "integer"},
        "example": 1785542400,
    },
    "signature": {
        "in": "query",
        "description": "As `aes_key_url/` has made it",
        "required": True,
        "schema": {"type": "string"},
        "example": "5f" * 32,
    },
    "kid": {
        "in": "query",
        "description": "Id of the key, 32 hexadecimal digits, of a content that has several",
        "schema": {"type": "string"},
        "example": "8216dcdb90c34a4f8abf1671630a8817",
    },
}
