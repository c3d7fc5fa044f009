"""A real S3 server for tests: rclone out of its wheel, on a free loopback port, with buckets in a folder of its own.

    with s3_server() as s3:                    # or: async with
        bucket = s3.new_bucket()
        location = s3.location(bucket, "films/one")
        async with s3.client() as client: ...
        s3.files(bucket)                       # what lies in it, by key

It checks signatures, lists with paging, keeps content types (in memory: after a restart they are guessed from the names),
and an object appears only when it is whole.
"""

import os
import secrets
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import botocore.session
from pydantic import SecretStr

from shared.locations import S3Location
from shared.storage import s3_client
from stack.probes import http_answers
from stack.program import installed
from tests.support.policies import LOOPBACK
from tests.support.servers import Server
from tests.support.walk import below

if TYPE_CHECKING:
    from types_aiobotocore_s3 import S3Client

REGION = "us-east-1"


class S3Server(Server):
    """rclone's S3 server over a folder: a bucket is a folder, an object a file."""

    def __init__(self) -> None:
        super().__init__()
        self.access_key = "AK" + secrets.token_hex(8).upper()
        self.secret_key = secrets.token_hex(20)

    @property
    def endpoint(self) -> str:
        """Its address."""
        return f"http://127.0.0.1:{self.port}"

    def prepare(self) -> None:
        (self.folder / "buckets").mkdir()

    def argv(self) -> list[str]:
        keys = f"{self.access_key},{self.secret_key}"
        where = ["--addr", f"127.0.0.1:{self.port}", "--config", os.devnull, "--cache-dir", str(self.folder / "cache")]
        return [installed("rclone"), "serve", "s3", *where, "--auth-key", keys, str(self.folder / "buckets")]

    def ready(self) -> bool:
        return http_answers(self.port)

    def new_bucket(self, name: str = "") -> str:
        """Make an empty bucket; returns its name."""
        name = name or f"bucket-{secrets.token_hex(4)}"
        # Not as a folder on the disk: the server keeps what it has seen of directories for minutes. (With
        # --dir-cache-time 0s it would see everything at once, but takes seconds of CPU for each object.)
        session = botocore.session.get_session()
        client: Any = session.create_client(
            "s3",
            region_name=REGION,
            endpoint_url=self.endpoint,
            aws_access_key_id=self.access_key,
            aws_secret_access_key=self.secret_key,
        )
        client.create_bucket(Bucket=name)
        client.close()
        return name

    def location(self, bucket: str, key: str = "", *, endpoint: str = "") -> S3Location:
        """An object or a prefix on this server (or on a proxy before it), with the right credentials."""
        return S3Location(
            bucket=bucket,
            key=key,
            access_key=self.access_key,
            secret_key=SecretStr(self.secret_key),
            region=REGION,
            endpoint=endpoint or self.endpoint,
        )

    def address(self, bucket: str, key: str = "", *, endpoint: str = "") -> str:
        """The same as a client would write it in ``input_path`` or, with a slash at the end of the key, ``output_path``."""
        keys = f"access_key={self.access_key}&secret_key={self.secret_key}"
        return f"s3://{bucket}/{key}?{keys}&region={REGION}&endpoint={endpoint or self.endpoint}"

    @asynccontextmanager
    async def client(self) -> "AsyncIterator[S3Client]":
        """A client with the right credentials."""
        async with s3_client(self.location("any"), policy=LOOPBACK) as client:
            yield client

    def files(self, bucket: str) -> dict[str, Path]:
        """The objects of a bucket as they lie on disk, by key. Unfinished uploads are not among them."""
        root = self.folder / "buckets" / bucket
        found = (path for path in below(root) if path.is_file() and not path.name.startswith(".rclone_temp"))
        return {str(path.relative_to(root)): path for path in sorted(found)}


def s3_server() -> S3Server:
    """An S3 server for a ``with`` or ``async with`` block."""
    return S3Server()
