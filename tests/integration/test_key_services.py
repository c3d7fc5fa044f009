"""Key services over real HTTP: what they give is kept as it came, and each way of failing has its meaning."""

import asyncio
import gzip
import traceback
from base64 import b64decode, b64encode
from collections.abc import AsyncIterator
from uuid import UUID

import pytest
from aiohttp import web

from services.fetcher.keys.http import MOST_BYTES
from services.fetcher.keys.services import KeyServices
from shared.encryption.keys import KeySet
from shared.encryption.providers import KeyService, Speke
from shared.encryption.request import EncryptionRequest
from shared.encryption.signalling import widevine_pssh
from shared.errors import MillraceError, Outage, PermanentError
from tests.support.key_services import KeyServer, Manner, key_service
from tests.support.policies import ANYWHERE, PUBLIC
from tests.support.ports import free_port

CONTENT = "8216dcdb90c34a4f8abf1671630a8817"
SHARED = EncryptionRequest(scheme="cbcs", systems=("widevine", "fairplay"))
SEPARATE = EncryptionRequest(scheme="cbcs", systems=("widevine", "fairplay", "playready"), keys="separate")


@pytest.fixture
async def server() -> AsyncIterator[KeyServer]:
    async with key_service() as running:
        yield running


async def ask(service: KeyService, request: EncryptionRequest = SHARED, *, seconds: float = 20) -> KeySet:
    return await KeyServices(ANYWHERE, seconds).ask(service, request, CONTENT)


async def test_tpstreams_gives_one_key_and_the_uri_of_its_own(server: KeyServer) -> None:
    found = await ask(server.tpstreams)
    (key,), (told,) = found.keys, found.protection.keys
    assert (key.tracks, key.kid.hex(), key.key) == ("all", CONTENT, server.secret("key", CONTENT))
    assert key.iv == server.secret("iv", CONTENT)
    assert (told.kid, told.iv, told.pssh) == (CONTENT, key.iv.hex(), (widevine_pssh(key.kid),))
    assert f'URI="{server.skd(CONTENT)}"' in told.media_lines[1]
    assert f'URI="{server.skd(CONTENT)}"' in told.session_lines[1]


async def test_speke_is_passed_on_verbatim(server: KeyServer) -> None:
    found = await ask(server.speke, SEPARATE)
    assert [key.tracks for key in found.keys] == ["audio", "sd", "hd"]
    assert len({key.key for key in found.keys}) == 3
    for key, told in zip(found.keys, found.protection.keys, strict=True):
        kid = key.kid.hex()
        assert key.key == server.secret("key", str(UUID(bytes=key.kid)))
        assert [b"data of the service for " + kid.encode() in box for box in told.pssh] == [True, True]
        assert len(told.media_lines) == len(told.session_lines) == 3
        assert all(line.endswith(f',X-SERVICE="{kid}"') for line in (*told.media_lines, *told.session_lines))
        key_format = "com.apple.streamingkeydelivery"
        fairplay = f'#EXT-X-KEY:METHOD=SAMPLE-AES,URI="{server.skd(kid)}",KEYFORMAT="{key_format}",X-SERVICE="{kid}"'
        assert told.media_lines[1] == fairplay
        assert all("</pssh><!-- of the service -->" in text for text in told.mpd)
        assert 'value="MSPR 2.0"' in told.mpd[1]
    # Asked again it is for the same ids, so that a service gives the same keys.
    assert await ask(server.speke, SEPARATE) == found
    (shared,) = (await ask(server.speke)).keys
    assert (shared.tracks, shared.kid.hex()) == ("all", CONTENT)


async def test_speke_by_password(server: KeyServer) -> None:
    async def check(request: web.Request, _: bytes) -> web.StreamResponse | None:
        scheme, pair = request.headers["Authorization"].split(" ")
        return web.Response(status=503 if (scheme, b64decode(pair)) == ("Basic", b"tenant:k:e:y") else 401)

    server.manner = check
    service = Speke(url=server.speke.url, username="tenant", password="k:e:y")
    with pytest.raises(Outage):
        await ask(service)
    with pytest.raises(PermanentError, match="401"):
        await ask(service.model_copy(update={"password": "wrong"}))


def answering(status: int = 200, body: bytes = b"", **headers: str) -> Manner:
    async def answer(_: web.Request, __: bytes) -> web.StreamResponse:
        return web.Response(
            status=status, body=body, headers={name.replace("_", "-"): v for name, v in headers.items()}
        )

    return answer


async def breaking_off(request: web.Request, _: bytes) -> web.StreamResponse:
    assert request.transport
    request.transport.abort()
    return web.Response()


async def endless(request: web.Request, _: bytes) -> web.StreamResponse:
    response = web.StreamResponse()
    await response.prepare(request)
    for _number in range(2 * MOST_BYTES // 65536):
        await response.write(bytes(65536))
    await asyncio.Event().wait()
    return response


async def slow(request: web.Request, _: bytes) -> web.StreamResponse:
    response = web.StreamResponse()
    await response.prepare(request)
    while True:
        await response.write(b" ")
        await asyncio.sleep(0.05)


UNAVAILABLE, REFUSED = "drm_key_unavailable", "drm_key_refused"
OTHERS = b'{"content_id": "%s", "key": "%s", "iv": "%s", "uri": "skd://a"}' % (b"0" * 32, b"1" * 32, b"2" * 32)
BOMB = b'<?xml version="1.0"?><!DOCTYPE a [<!ENTITY b "bbbbbbbbbb"><!ENTITY c "&b;&b;&b;&b;">]><a>&c;</a>'


@pytest.mark.parametrize(
    ("manner", "code", "word", "requests"),
    [
        (answering(500), UNAVAILABLE, "answered 500", 1),
        (answering(429, Retry_After="7"), UNAVAILABLE, "answered 429", 1),
        (answering(403), REFUSED, "answered 403", 1),
        (answering(422), REFUSED, "answered 422", 1),
        (answering(302, Location="/elsewhere"), REFUSED, "it leads to", 1),
        (answering(body=b"<html>Come back later</html>"), UNAVAILABLE, "", 1),
        (answering(body=b""), UNAVAILABLE, "", 1),
        (answering(body=OTHERS), None, "", 1),
        (answering(body=BOMB), UNAVAILABLE, "", 1),
        (answering(body=gzip.compress(bytes(10**7)), Content_Encoding="gzip"), UNAVAILABLE, "", 1),
        (endless, UNAVAILABLE, f"more than {MOST_BYTES}", 1),
        (slow, UNAVAILABLE, "not answered within", 1),
        (breaking_off, UNAVAILABLE, "3 times in a row", 3),
    ],
    ids=lambda value: value if isinstance(value, str) else None,
)
@pytest.mark.parametrize("kind", ["tpstreams", "speke"])
async def test_each_way_of_failing_has_its_meaning(
    server: KeyServer, kind: str, manner: Manner, code: str | None, word: str, requests: int
) -> None:
    server.manner = manner
    service: KeyService = server.tpstreams if kind == "tpstreams" else server.speke
    with pytest.raises(MillraceError) as caught:
        await ask(service, seconds=0.3 if manner is slow else 20)
    # The ids of another content: to one service the plain answer to another question, to the other no answer at all.
    assert caught.value.code == (code or (REFUSED if kind == "tpstreams" else UNAVAILABLE))
    assert isinstance(caught.value, PermanentError if caught.value.code == REFUSED else Outage)
    assert word in caught.value.detail
    assert len(server.asked) == requests
    if isinstance(caught.value, Outage) and "429" in word:
        assert caught.value.retry_after == 7


async def test_no_service_is_asked_where_no_source_is_fetched(server: KeyServer) -> None:
    with pytest.raises(PermanentError, match="private or loopback") as caught:
        await KeyServices(PUBLIC, 20).ask(server.tpstreams, SHARED, CONTENT)
    assert caught.value.code == REFUSED
    assert "MILLRACE_ALLOWED_HOSTS" in caught.value.message
    assert not server.asked
    nobody = server.tpstreams.model_copy(update={"url": f"http://127.0.0.1:{free_port()}"})
    with pytest.raises(Outage, match=UNAVAILABLE):
        await ask(nobody)


@pytest.mark.parametrize(
    "begin",
    [
        b"",
        b"HTTP/1.1 200 OK\r\n",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n",
        b"HTTP/1.1 503 ",
        b"HTTP/1.1 200 OK\r\nContent-Length: 500\r\n\r\n",
    ],
)
async def test_what_is_no_http_is_told_to_nobody(server: KeyServer, begin: bytes) -> None:
    key = "3ab60de900d64edf9cb25a76f81794e6"

    async def raw(request: web.Request, _: bytes) -> web.StreamResponse:
        assert request.transport
        request.transport.write(begin + f'{{"key":"{key}"}}\r\n\r\n'.encode())
        request.transport.close()
        return web.Response()

    server.manner = raw
    with pytest.raises(Outage) as caught:
        await ask(server.tpstreams)
    told = "".join(traceback.format_exception(caught.value))
    assert key not in told + repr(caught.value) + repr(caught.value.__cause__)


@pytest.mark.parametrize("uri", ["skd://{hex}", "skd://a/{HEX}", "skd://{base64}"])
async def test_no_key_gets_to_players_by_what_a_service_says_of_it(server: KeyServer, uri: str) -> None:
    key = server.secret("key", CONTENT)
    shown = uri.format(hex=key.hex(), HEX=key.hex().upper(), base64=b64encode(key).decode())

    async def careless(_: web.Request, __: bytes) -> web.StreamResponse:
        return web.json_response({"content_id": CONTENT, "key": key.hex(), "iv": "0" * 32, "uri": shown})

    server.manner = careless
    with pytest.raises(PermanentError, match="the key itself") as caught:
        await ask(server.tpstreams)
    assert caught.value.code == REFUSED
    assert key.hex() not in repr(caught.value)
