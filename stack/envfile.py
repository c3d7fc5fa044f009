"""``<state>/env``: how to reach a running stack, for people, scripts and tests."""

import shlex
from pathlib import Path

from stack.credentials import Credentials, write_private
from stack.layout import BUCKET, REGION, Layout, StackError


def variables(layout: Layout, credentials: Credentials, org_id: str) -> dict[str, str]:
    """The contents of the file."""
    return {
        "API_URL": layout.api_url,
        "ORG_ID": org_id,
        "API_TOKEN": credentials.api_token,
        "API_USERNAME": credentials.api_username,
        "API_PASSWORD": credentials.api_password,
        "S3_ENDPOINT": layout.s3_endpoint,
        "S3_ACCESS_KEY": credentials.s3_access_key,
        "S3_SECRET_KEY": credentials.s3_secret_key,
        "S3_REGION": REGION,
        "S3_BUCKET": BUCKET,
        "NATS_URL": credentials.nats_url(layout),
        "BUS_URL": credentials.bus_url(layout),
        "DATABASE_URL": credentials.database_url(layout),
        "PLAYBACK_URL": layout.playback_url,
    } | ({"NATS_CA": str(layout.nats_ca)} if layout.nats_ca else {})


def write(path: Path, values: dict[str, str]) -> None:
    """Write ``KEY=value`` lines that a shell can source, readable by the owner alone."""
    write_private(path, "".join(f"{name}={shlex.quote(value)}\n" for name, value in values.items()))


def read(path: Path) -> dict[str, str]:
    """Read what :func:`write` wrote.

    Raises:
        StackError: there is no such file, so no stack was ever brought up there.
    """
    try:
        lines = path.read_text().splitlines()
    except FileNotFoundError:
        raise StackError(f"{path} is not there: bring the stack up first, with `make up`") from None
    pairs = (line.partition("=") for line in lines if line)
    return {name: "".join(shlex.split(value)) for name, _, value in pairs}
