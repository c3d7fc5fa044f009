"""Claims on output locations: two unfinished jobs of one organization never write to the same place. Pure."""

from hashlib import sha256
from urllib.parse import urlsplit

from shared.locations import parse_s3

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


def _endpoint(endpoint: str | None) -> str:
    if endpoint is None:
        return ""
    parts = urlsplit(endpoint)
    host = parts.hostname or ""
    if host.endswith(".amazonaws.com"):
        return ""
    default = {"http": 80, "https": 443}[parts.scheme]
    port = "" if parts.port in (None, default) else f":{parts.port}"
    return f"{parts.scheme}://{host}{port}{parts.path.rstrip('/')}"
