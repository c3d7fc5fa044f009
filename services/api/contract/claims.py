"""Which addresses mean the same place. Pure.

Two unfinished jobs of one organization never write to the same place, so each claims its own; and a retry reads and writes
where the job did that it runs again.
"""

from hashlib import sha256
from urllib.parse import SplitResult, urlsplit

from shared.locations import parse_http, parse_s3

# An entry of a Postgres index holds about 2,700 bytes; what is longer than this is claimed by its hash.
_LONGEST = 1500


def claim_of(output_path: str) -> str:
    """What ``output_claims.location`` holds for an output path: ``<endpoint>|<bucket>|<prefix>``.

    Credentials and region do not count, so an address and its masked form claim the same place; nor do the ways to
    write an endpoint (case of the host, default port, AWS spelled out).

    Raises:
        ValueError: it is no S3 prefix.
    """
    location = parse_s3(output_path, is_prefix=True)
    claim = f"{_endpoint(location.endpoint)}|{location.bucket}|{location.key}"
    return claim if len(claim.encode()) <= _LONGEST else f"sha256|{sha256(claim.encode()).hexdigest()}"


def source_place(text: str) -> str:
    """The place that an input is read from: like :func:`claim_of`, and for http without user, query and fragment.

    Raises:
        ValueError: it is no address of an input.
    """
    if text.startswith("s3://"):
        location = parse_s3(text, is_prefix=False)
        return f"{_endpoint(location.endpoint)}|{location.bucket}|{location.key}"
    parse_http(text)
    parts = urlsplit(text)
    return f"{_origin(parts)}{parts.path}"


def _endpoint(endpoint: str | None) -> str:
    if endpoint is None:
        return ""
    parts = urlsplit(endpoint)
    if (parts.hostname or "").endswith(".amazonaws.com"):
        return ""
    return f"{_origin(parts)}{parts.path.rstrip('/')}"


def _origin(parts: SplitResult) -> str:
    default = {"http": 80, "https": 443}[parts.scheme]
    port = "" if parts.port in (None, default) else f":{parts.port}"
    return f"{parts.scheme}://{parts.hostname or ''}{port}"
