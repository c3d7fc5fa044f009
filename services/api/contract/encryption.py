"""What clients ask for where the output is to be encrypted: the members, and what of them contradicts itself. Pure."""

import re
from collections.abc import Mapping
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, Field
from pydantic_core import PydanticCustomError
from yarl import URL

from services.api.contract.content_ids import parse_content_id
from services.api.contract.members import Omittable, Request, each_once, optional
from shared.encryption.request import DEFAULT_SYSTEMS, KeyUse, System

EncryptionName = Literal["none", "cbcs", "aes-128"]

KEY_URI_PLACES = ("{content_id}", "{kid}")
_MOST_KEY_URI = 2000
# What may stand between quotes in a playlist. Of braces, only those of the places.
_KEY_URI = re.compile(r"[!#-z|~]*")


def _content_id(value: str) -> str:
    try:
        return parse_content_id(value)
    except ValueError:
        raise PydanticCustomError("content_id", "Send a UUID, with or without hyphens.") from None


def _key_uri(value: str) -> str:
    bare = value
    for place in KEY_URI_PLACES:
        bare = bare.replace(place, "0")
    try:
        url = URL(bare)
    except ValueError:
        url = URL()
    if (
        len(value) > _MOST_KEY_URI
        or not _KEY_URI.fullmatch(bare)
        or url.scheme not in ("http", "https")
        or not url.host
    ):
        message = "Send an http or https address of at most {most} characters, in which {places} are filled in."
        raise PydanticCustomError("key_uri", message, {"most": _MOST_KEY_URI, "places": " and ".join(KEY_URI_PLACES)})
    return value


class DrmOptions(Request):
    """How an encrypted output gets its keys. All members may be left out."""

    content_id: Omittable[Annotated[str, AfterValidator(_content_id)]] = optional(
        "What key services know the content by, a UUID with or without hyphens: one of the organization's own contents, whose "
        "keys are used again, or a new one. Made by the server when left out.",
        examples=["cf6c30dd50c1492e82344ea3e139da1d"],
    )
    systems: Omittable[Annotated[list[System], Field(min_length=1), AfterValidator(each_once)]] = optional(
        f"What players are told of, with `cbcs`; {' and '.join(DEFAULT_SYSTEMS)} when left out. `clearkey` protects nothing and "
        "is for trials.",
        unique=True,
        examples=[["widevine", "fairplay", "playready"]],
    )
    keys: Omittable[KeyUse] = optional(
        "With `cbcs`: one key for sound and pictures (`shared`, when left out), or one each for sound, for pictures of up to "
        "1024x576 pixels, and for larger ones (`separate`).",
        examples=["separate"],
    )
    key_uri: Omittable[Annotated[str, AfterValidator(_key_uri)]] = optional(
        "With `aes-128`: where players fetch the key. `{content_id}` and `{kid}` are filled in. When left out, this server gives "
        "it out.",
        examples=["https://example.com/keys/{content_id}"],
    )


def encryption_of(values: Mapping[str, Any]) -> EncryptionName:
    """How the output shall be encrypted, by members that do not contradict each other."""
    named: EncryptionName | None = values.get("encryption")
    return named or ("cbcs" if values.get("enable_drm") is True else "none")


def contradictions(values: Mapping[str, Any]) -> dict[str, list[str]]:
    """What of the members contradicts others."""
    named, enabled = values.get("encryption"), values.get("enable_drm")
    if named is not None and isinstance(enabled, bool) and enabled != (named == "cbcs"):
        means = '"encryption": "cbcs"' if enabled else 'anything but "encryption": "cbcs"'
        return {"encryption": [f'"enable_drm": {str(enabled).lower()} means {means}. Leave one of the two out.']}
    given = values.get("drm")
    if not isinstance(given, dict):
        return {}
    match encryption_of(values):
        case "none":
            problem = 'The output is not encrypted. Send "enable_drm": true, or "encryption", or leave this out.'
            return {"drm": [problem]}
        case "cbcs":
            useless = {"key_uri": 'key_uri: It is for "aes-128". Leave it out: each system has its own way to the key.'}
        case "aes-128":
            useless = {
                "systems": 'systems: "aes-128" knows none. Leave it out, or let "encryption" be "cbcs".',
                "keys": 'keys: "aes-128" has one key for everything. Leave it out, or let "encryption" be "cbcs".',
            }
    problems = [text for name, text in useless.items() if name in given and (name, given[name]) != ("keys", "shared")]
    return {"drm": problems} if problems else {}
