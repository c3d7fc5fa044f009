"""Bodies as clients really send them: compressed, broken, with a byte order mark; and what the answers look like."""

import asyncio
import gzip
import json
import zlib
from collections.abc import AsyncIterator, Iterator

import pytest

from tests.support.api import ApiProcess, Caller, job_body

BODY_LIMIT = 20_000


@pytest.fixture(scope="module")
def api(nats_url: str, database_url: str) -> Iterator[ApiProcess]:
    with ApiProcess(nats_url=nats_url, database_url=database_url, body_limit=BODY_LIMIT) as process:
        yield process


def gzipped(data: bytes) -> bytes:
    # The same at any time: workers of the tests compare the names of what they are to run.
    return gzip.compress(data, mtime=0)


def raw_deflate(data: bytes) -> bytes:
    return zlib.compress(data)[2:-4]


@pytest.mark.parametrize(
    ("encoding", "compress"),
    [
        ("gzip", gzip.compress), ("GZIP", gzip.compress), ("x-gzip", gzip.compress), ("deflate", zlib.compress),
        ("deflate", raw_deflate), ("identity", bytes), ("", bytes),
    ],
)  # fmt: skip
async def test_compressed_bodies_are_taken(caller: Caller, encoding: str, compress: "type[bytes]") -> None:
    body = compress(json.dumps(job_body()).encode())
    answer = await caller.call("POST", "transcoding_jobs/", body, headers={"Content-Encoding": encoding})
    assert answer.status == 201, answer.text


@pytest.mark.parametrize(
    ("encoding", "body", "status"),
    [
        ("gzip", b"{}", 400),
        ("gzip", b"\x1f\x8b", 400),
        ("gzip", gzipped(b"{}")[:-3], 400),
        ("gzip", gzipped(b"{}") + b"more", 400),
        ("gzip", b"", 400),
        ("deflate", b"{}", 400),
        ("deflate", zlib.compress(b'{"a": 1}')[:-1], 400),
        ("deflate", raw_deflate(b'{"a": 1}')[:-1], 400),
        ("gzip", gzipped(b" " * (BODY_LIMIT + 1)), 413),
        ("gzip", gzipped(b" " * 5_000_000), 413),
        ("deflate", raw_deflate(b" " * 5_000_000)[: BODY_LIMIT // 2], 413),
        ("br", b"\x0b\x02\x80{}\x03", 415),
        ("zstd", b"\x28\xb5\x2f\xfd", 415),
        ("gzip, gzip", gzipped(gzipped(b"{}")), 415),
        ("rot13", b"{}", 415),
    ],
)
@pytest.mark.parametrize("chunked", [False, True])
async def test_what_cannot_be_decompressed_is_told(
    caller: Caller, encoding: str, body: bytes, status: int, chunked: bool
) -> None:
    async def pieces() -> AsyncIterator[bytes]:
        yield body

    headers = {"Content-Encoding": encoding}
    sent = pieces() if chunked else body
    async with caller._session.post(
        f"{caller._process.url}/api/v1/{caller.account.org}/webhooks/",
        data=sent,
        headers=headers | {"Authorization": f"Token {caller.account.token}", "Content-Type": "application/json"},
    ) as response:
        answered = await response.json()
        assert response.status == status, answered
        if not body:
            # Nothing is nothing, however it is compressed.
            assert answered == {"url": ["This field is required."]}
            return
        assert list(answered) == ["detail"]
        if status == 415:
            assert f'"{encoding}"' in answered["detail"]
            assert "gzip, deflate, identity" in answered["detail"]
            assert response.headers["Accept-Encoding"] == "gzip, deflate, identity"


async def test_a_body_whose_chunks_are_broken(caller: Caller, api: ApiProcess) -> None:
    reader, writer = await asyncio.open_connection("127.0.0.1", api.api_port)
    head = f"POST /api/v1/{caller.account.org}/webhooks/ HTTP/1.1\r\nHost: x\r\nAuthorization: Token {caller.account.token}\r\n"
    writer.write(f"{head}Transfer-Encoding: chunked\r\n\r\n2\r\n{{}}\r\nzz\r\n".encode())
    assert b" 400 " in await asyncio.wait_for(reader.readline(), 20)
    writer.close()
    assert "request failed" not in api.log()


async def test_a_byte_order_mark(caller: Caller) -> None:
    body = b"\xef\xbb\xbf" + json.dumps(job_body()).encode()
    assert (await caller.call("POST", "transcoding_jobs/", body)).status == 201
    twice = await caller.call("POST", "transcoding_jobs/", b"\xef\xbb\xbf" + body)
    assert (twice.status, list(twice.body)) == (400, ["detail"])


async def test_answers_spell_letters_as_they_are(caller: Caller) -> None:
    url = "https://example.com/größe-映画-🎬.mp4"
    created = await caller.create(input_url=url)
    assert created.status == 201
    listed = await caller.call("GET", "transcoding_jobs/?page_size=1")
    for answer in (created, await caller.call("GET", f"transcoding_jobs/{created.body['id']}/"), listed):
        assert url in answer.text
    wrong = await caller.create(priority="größer")
    assert "größer" in wrong.text
    # Half a surrogate pair cannot be spelt.
    half = await caller.call("POST", "transcoding_jobs/", b'{"resolutions": ["\\ud83c"], "\\udfac": 1}')
    assert half.status == 400
    assert '"\\udfac": ["Unknown field.' in half.text


async def test_a_wrong_choice_is_told_the_right_ones(caller: Caller) -> None:
    wrong = await caller.create(resolutions=["999p", "1p"], priority="urgent")
    assert wrong.body["priority"] == ['"urgent" is not a valid choice.', "Choose from low, normal, high."]
    first, choices, second = wrong.body["resolutions"]
    assert (first, second) == ('"999p" is not a valid choice.', '"1p" is not a valid choice.')
    assert "240p, 360p, 480p" in choices and "audio" in choices
    listed = await caller.call("GET", "transcoding_jobs/?status=done&ordering=size")
    assert listed.body["ordering"][1] == "Choose from created, -created."
    assert "transcoding" in listed.body["status"][1]


@pytest.mark.parametrize("header", ["Bearer {token}", "bearer", "{token}", "Basic YTpi"])
async def test_another_scheme_is_told_the_right_one(caller: Caller, header: str) -> None:
    answer = await caller.call("GET", "webhooks/", headers={"Authorization": header.format(token=caller.account.token)})
    assert (answer.status, answer.headers["WWW-Authenticate"]) == (401, "Token")
    assert answer.body == {"detail": "Invalid token. Send it as: Authorization: Token <token>"}
