"""A storage in memory with the peculiarities of real services, in the process of the test.

async with OddStorage(virtual_only=True) as storage:
    location = storage.location("bucket", "films/one", host="storage.test")
    storage.objects                                     # bodies, by what the storage takes for their key
"""

import hashlib
from base64 import b64encode
from typing import Self
from urllib.parse import parse_qs
from xml.sax.saxutils import escape

from aiohttp import web
from pydantic import SecretStr

from shared.locations import S3Location

ACCESS_KEY, SECRET_KEY = "AKODDSTORAGE", "odd/secret+key"
_LIST = '<ListBucketResult xmlns="http://s3.amazonaws.com/doc/2006-03-01/"><IsTruncated>false</IsTruncated>{}</ListBucketResult>'


class OddStorage:
    """One bucket of any name.

    Args:
        virtual_only: wants the bucket in the host name, and gives this as status, code and message otherwise.
        object_lock: takes no object without a digest of its body.
        single_bucket: is the address of one bucket: the whole path is the key. lists: lets the bucket be listed.
        lists_anyway: lists its one bucket whatever the path says.
        below: path that the API lies below.
        refusal: status, code and message of every answer.
        gives_leave: answers ``Expect: 100-continue``, which no proxy of HTTP/1.0 does.
    """

    def __init__(
        self,
        *,
        virtual_only: tuple[int, str, str] | None = None,
        object_lock: bool = False,
        single_bucket: bool = False,
        lists: bool = True,
        lists_anyway: bool = False,
        below: str = "",
        refusal: tuple[int, str, str] | None = None,
        gives_leave: bool = True,
    ) -> None:
        self._virtual_only = virtual_only
        self._object_lock = object_lock
        self._single_bucket = single_bucket
        self._lists = lists
        self._lists_anyway = lists_anyway
        self._below = below
        self._refusal = refusal
        self._gives_leave = gives_leave
        self.objects: dict[str, bytes] = {}
        self.requests: list[str] = []
        self.port = 0

    def location(self, bucket: str, key: str = "", *, host: str = "127.0.0.1", **more: bool | None) -> S3Location:
        """An object or a prefix in this storage."""
        endpoint = f"http://{host}:{self.port}{self._below}"
        return S3Location(
            bucket=bucket,
            key=key,
            access_key=ACCESS_KEY,
            secret_key=SecretStr(SECRET_KEY),
            endpoint=endpoint,
            **more,
        )

    async def __aenter__(self) -> Self:
        app = web.Application(client_max_size=2**26)
        expect = None if self._gives_leave else _give_no_leave
        app.router.add_route("*", "/{path:.*}", self._handle, expect_handler=expect)
        self._runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.1)
        await self._runner.setup()
        site = web.TCPSite(self._runner, "127.0.0.1", 0)
        await site.start()
        self.port = int(self._runner.addresses[0][1])
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._runner.cleanup()

    async def _handle(self, request: web.Request) -> web.Response:
        body = await request.read()
        self.requests.append(f"{request.method} {request.host.partition(':')[0]}{request.path}")
        if self._refusal:
            return _error(*self._refusal)
        if not request.path.startswith(f"{self._below}/"):
            return _error(404, "NoSuchRoute", "not the S3 API")
        path = request.path[len(self._below) + 1 :]
        if self._virtual_only:
            bucket = request.host.removesuffix(f".storage.test:{self.port}")
            if bucket == request.host:
                return _error(*self._virtual_only)
            path = f"{bucket}/{path}"
        query = parse_qs(request.query_string, keep_blank_values=True)
        if "list-type" in query and (self._lists_anyway or not self._single_bucket):
            return self._list(query["prefix"][0])
        if self._single_bucket:
            return self._object(request, path, body)
        return self._object(request, path.partition("/")[2], body)

    def _list(self, prefix: str) -> web.Response:
        if not self._lists:
            return _error(403, "AccessDenied", "Access Denied")
        found = ((key, body) for key, body in sorted(self.objects.items()) if key.startswith(prefix))
        items = (f"<Contents><Key>{escape(key)}</Key><Size>{len(body)}</Size></Contents>" for key, body in found)
        return web.Response(text=_LIST.format("".join(items)), content_type="application/xml")

    def _object(self, request: web.Request, key: str, body: bytes) -> web.Response:
        if request.method == "PUT":
            digest = request.headers.get("Content-MD5")
            if self._object_lock and not digest:
                return _error(400, "InvalidRequest", "Content-MD5 HTTP header is required for Object Lock parameters")
            if digest and digest != b64encode(hashlib.md5(body).digest()).decode():
                return _error(400, "InvalidDigest", "The Content-MD5 you specified is not valid")
            self.objects[key] = body
            return web.Response(headers={"ETag": '"x"'})
        if request.method == "DELETE":
            self.objects.pop(key, None)
            return web.Response(status=204)
        if key not in self.objects:
            return _error(404, "NoSuchKey", "The specified key does not exist.")
        return web.Response(body=self.objects[key], headers={"ETag": '"x"'})


def _error(status: int, code: str, message: str) -> web.Response:
    text = f"<Error><Code>{code}</Code><Message>{escape(message)}</Message></Error>"
    return web.Response(status=status, text=text, content_type="application/xml")


async def _give_no_leave(_: web.Request) -> None:
    """Let the client wait for a leave to send the body."""
