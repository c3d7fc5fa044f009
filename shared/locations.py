"""Where a job's input comes from and where its output goes, and how such an address is shown without its secrets."""

import re
from collections.abc import Iterable
from typing import Annotated, Literal
from urllib.parse import parse_qsl, unquote, urlsplit, urlunsplit

from pydantic import BaseModel, ConfigDict, Field, SecretStr

S3_PARAMETERS = ("access_key", "secret_key", "region", "endpoint", "path_style")
# Signed addresses that carry a session token and a policy come near this.
MOST_CHARACTERS = 8192
_SHOWN_PARAMETERS = ("region", "endpoint", "path_style")
_BUCKET = re.compile(r"[a-zA-Z0-9][a-zA-Z0-9._-]{1,254}")
# What botocore takes for one.
_HOST = re.compile(r"(?i)((?!-)[a-z0-9-]{1,63}(?<!-)\.)*(?!-)[a-z0-9-]{1,63}(?<!-)\.?")


class S3Location(BaseModel):
    """An object or a prefix in a bucket of an S3 service.

    ``endpoint`` is None for AWS. Without ``access_key`` the organization's configured storage supplies the credentials.
    ``path_style`` says whether the bucket stands in the path of an address (True) or in its host (False); None leaves that
    to the client.
    """

    model_config = ConfigDict(frozen=True)
    kind: Literal["s3"] = "s3"
    bucket: str
    key: str
    access_key: str | None = None
    secret_key: SecretStr | None = None
    region: str | None = None
    endpoint: str | None = None
    path_style: bool | None = None


class HttpLocation(BaseModel):
    """A file behind http or https, with everything its query string carries."""

    model_config = ConfigDict(frozen=True)
    kind: Literal["http"] = "http"
    url: SecretStr


Location = Annotated[S3Location | HttpLocation, Field(discriminator="kind")]


def parse_s3(text: str, *, is_prefix: bool) -> S3Location:
    """Read ``s3://bucket/key?access_key=…&secret_key=…&region=…&endpoint=…``.

    A stray ``/`` between key and ``?``, as in the published sample, is not part of an object's key; further ones at its
    beginning are. A prefix keeps no slash at either end. ``path_style=false`` may come with an ``endpoint`` that already
    holds the bucket's name; the location has it without.

    Raises:
        ValueError: with a sentence that says what to change.
    """
    reject_control_characters(text)
    if not text.startswith("s3://"):
        raise ValueError("Must start with s3://, as in s3://bucket/path/?access_key=…&secret_key=…&region=…")
    address, _, query = text[len("s3://") :].partition("?")
    bucket, _, path = address.partition("/")
    if not _BUCKET.fullmatch(bucket):
        raise ValueError("The bucket name after s3:// is missing or malformed.")
    given: dict[str, str] = {}
    for name, value in _parameters(query):
        if name not in S3_PARAMETERS:
            raise ValueError(f"Unknown parameter “{name}”. Known are {_listed(S3_PARAMETERS)}.")
        if name in given:
            raise ValueError(f"The parameter “{name}” is given twice.")
        given[name] = value
    if bool(given.get("access_key")) != bool(given.get("secret_key")):
        raise ValueError("access_key and secret_key must be given together.")
    key = unquote(path).strip("/") if is_prefix else unquote(path).removesuffix("/")
    if not is_prefix and not key:
        raise ValueError("The key of the object is missing: s3://bucket/path/to/video.mp4")
    if any(piece in (".", "..") for piece in key.split("/")):
        raise ValueError("The path must not contain . or .. segments.")
    if len(key.encode()) > 900:
        raise ValueError("The path is too long.")
    style = given.get("path_style", "").lower()
    if style not in ("", "true", "false"):
        raise ValueError("path_style must be true or false.")
    path_style = style == "true" if style else None
    endpoint = given.get("endpoint", "").rstrip("/") or None
    if endpoint:
        _check_endpoint(endpoint)
        if path_style is False and holds_bucket(endpoint, bucket):
            parts = urlsplit(endpoint)
            endpoint = urlunsplit(parts._replace(netloc=parts.netloc[len(bucket) + 1 :]))
    return S3Location(
        bucket=bucket,
        key=key,
        access_key=given.get("access_key") or None,
        secret_key=SecretStr(given["secret_key"]) if given.get("secret_key") else None,
        region=given.get("region") or None,
        endpoint=endpoint,
        path_style=path_style,
    )


def holds_bucket(endpoint: str, bucket: str) -> bool:
    """Whether the host of an endpoint begins with the bucket's name, as the address of a single bucket does."""
    return (urlsplit(endpoint).hostname or "").startswith(f"{bucket.lower()}.")


def parse_http(text: str) -> HttpLocation:
    """Read an http or https address.

    Raises:
        ValueError: with a sentence that says what to change.
    """
    reject_control_characters(text)
    try:
        parts = urlsplit(text)
        _ = parts.port
    except ValueError:
        raise ValueError("Enter a valid URL.") from None
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise ValueError("Enter a valid URL: http://…, https://… or s3://…")
    return HttpLocation(url=SecretStr(text))


def object_key(prefix: S3Location, path: str) -> str:
    """Key of the object at a path below a prefix."""
    return f"{prefix.key}/{path}" if prefix.key else path


def mask(text: str) -> str:
    """An address without its secrets, as responses, events and logs show it.

    The value of each parameter reads as its name, as in ``access_key=<access_key>``; only ``region``, ``endpoint`` and
    ``path_style`` of an ``s3://`` address stay. User and password before ``@`` are taken out.
    """
    address, mark, query = text.partition("?")
    if "@" in address and "://" in address:
        scheme, _, rest = address.partition("://")
        host, slash, path = rest.partition("/")
        if "@" in host:
            address = f"{scheme}://<credentials>@{host.rpartition('@')[2]}{slash}{path}"
    if not mark:
        return address.partition("#")[0]
    query = query.partition("#")[0]
    shown = _SHOWN_PARAMETERS if address.startswith("s3://") else ()
    pieces = []
    for piece in query.split("&"):
        name, equals, value = piece.partition("=")
        plain = unquote(name)
        if plain in shown:
            pieces.append(f"{name}{equals}{_without_userinfo(value) if plain == 'endpoint' else value}")
        elif equals:
            pieces.append(f"{name}=<{plain}>")
        else:
            # A query may be nothing but a secret.
            pieces.append(piece and "<query>")
    return f"{address}?{'&'.join(pieces)}"


def is_masked(text: str) -> bool:
    """Whether an address holds what :func:`mask` writes in the place of a secret, so that it leads nowhere as it is."""
    address, _, query = text.partition("?")
    shown = _SHOWN_PARAMETERS if address.startswith("s3://") else ()
    for piece in query.split("&"):
        name, equals, value = piece.partition("=")
        plain = unquote(name)
        if plain not in shown and (value == f"<{plain}>" if equals else piece == "<query>"):
            return True
    return "://<credentials>@" in address


def reject_control_characters(text: str) -> None:
    """Raises: ValueError: the text has a character that can end a header or a log line."""
    if any(ord(character) < 32 or ord(character) == 127 for character in text):
        raise ValueError("Control characters are not allowed.")
    if len(text) > MOST_CHARACTERS:
        raise ValueError(f"Longer than {MOST_CHARACTERS} characters.")


def _parameters(query: str) -> list[tuple[str, str]]:
    # Keys often hold a raw + (base64), which a form decoder would turn into a space.
    return parse_qsl(query.replace("+", "%2B"), keep_blank_values=True)


def _listed(names: Iterable[str]) -> str:
    *most, last = names
    return f"{', '.join(most)} and {last}"


def _check_endpoint(endpoint: str) -> None:
    parts = urlsplit(endpoint)
    host = parts.hostname or ""
    named = ":" in host or _HOST.fullmatch(host)
    if parts.scheme not in ("http", "https") or not named or parts.username or parts.query or parts.fragment:
        raise ValueError("endpoint must be an address such as https://s3.example.com")


def _without_userinfo(value: str) -> str:
    parts = urlsplit(value)
    if "@" not in parts.netloc:
        return value
    return urlunsplit(parts._replace(netloc=parts.netloc.rpartition("@")[2]))
