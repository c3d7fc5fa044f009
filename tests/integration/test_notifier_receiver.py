"""One HTTP request to receivers that behave, misbehave, or are none."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest
from standardwebhooks import Webhook, WebhookVerificationError

from services.api.webhooks.webhooks import new_secret
from services.notifier.payload import WebhookPayload
from services.notifier.receiver import Answer, Receiver
from shared.addresses import AddressPolicy
from shared.deliveries import ResponseHeader
from tests.support.policies import LOOPBACK
from tests.support.ports import free_port
from tests.support.receiver import Reply, WebhookReceiver

LETTER = WebhookPayload("msg_1", "transcoding_job.queued", b'{"id": "5KQfnXCg8Qh", "status": "queued"}')


@asynccontextmanager
async def raw_server(reply: bytes | None) -> AsyncIterator[str]:
    """A server that sends these bytes to whoever connects; None keeps silent."""

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read(100)
        if reply is None:
            await reader.read()
        else:
            writer.write(reply)
        writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    try:
        yield f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/hook"
    finally:
        server.close()


async def post(url: str, *, secret_token: str = "t", policy: AddressPolicy = LOOPBACK, timeout: float = 0.5) -> Answer:
    async with Receiver(timeout=timeout, policy=policy) as receiver:
        return await receiver.post(url, [secret_token], LETTER)


@pytest.mark.parametrize(
    ("reply", "sentence"),
    [
        (None, "No answer within 0.5 seconds."),
        (b"", "The connection was closed before an answer came."),
        (b"SSH-2.0-OpenSSH_9.6\r\n", "The answer is not valid HTTP."),
        (b"HTTP/1.1 200 OK\r\nX: " + b"y" * 1_000_000 + b"\r\n\r\n", "The answer is not valid HTTP."),
        (b"HTTP/1.1 500 No\r\nContent-Length: 0\r\n\r\n", "The answer was 500."),
        (b"HTTP/1.1 100 Continue\r\n\r\n" * 3, "The connection was closed before an answer came."),
    ],
)
async def test_what_went_wrong_is_said_in_a_sentence(reply: bytes | None, sentence: str) -> None:
    async with raw_server(reply) as url:
        answer = await post(url)
    assert answer.error == sentence


@pytest.mark.parametrize(
    "headers", [b"Content-Security-Policy: " + b"y" * 100_000 + b"\r\n", b"Set-Cookie: a=" + b"b" * 400 + b"\r\n"]
)
async def test_the_status_alone_decides_however_much_comes_after_it(headers: bytes) -> None:
    async with raw_server(b"HTTP/1.1 200 OK\r\n" + headers * (200 if len(headers) < 1000 else 1) + b"\r\n") as url:
        answer = await post(url, timeout=5)
    assert (answer.status, answer.error) == (200, None)


async def test_the_secret_that_the_server_makes_verifies_with_the_library() -> None:
    token = new_secret()
    async with WebhookReceiver() as receiver:
        await post(receiver.url, secret_token=token)
        (payload,) = receiver.payloads
    assert payload.headers["x-streams-token"] == token
    assert Webhook(token).verify(payload.body, dict(payload.headers)) == payload.job
    with pytest.raises(WebhookVerificationError):
        Webhook(new_secret()).verify(payload.body, dict(payload.headers))


async def test_the_status_alone_decides_even_if_the_body_never_ends() -> None:
    async with raw_server(b"HTTP/1.1 202 Fine\r\nContent-Length: 1000000\r\n\r\nx") as url:
        answer = await post(url, secret_token="s3cret")
    assert (answer.status, answer.error, answer.uncertain) == (202, None, False)
    assert answer.head
    assert answer.head.headers == (ResponseHeader(name="Content-Length", value="1000000"),)
    assert answer.head.truncated


async def test_a_body_that_does_not_come_changes_nothing_about_the_outcome() -> None:
    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read(100)
        writer.write(b"HTTP/1.1 500 No\r\nContent-Length: 10\r\n\r\nbecause")
        await reader.read()
        writer.close()

    async with await asyncio.start_server(serve, "127.0.0.1", 0) as server:
        answer = await post(f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/", timeout=5)
    assert (answer.error, answer.silent, answer.uncertain) == ("The answer was 500.", False, False)
    assert answer.head
    assert (answer.head.body, answer.head.truncated) == ("because", True)
    assert answer.seconds < 1, "the time of the body is not the receiver's time to answer"


async def test_the_beginning_of_the_answer_is_kept_without_the_secret() -> None:
    echo = b"HTTP/1.1 422 No\r\nSet-Cookie: a=b\r\n\r\nwrong token: s3cret/1 " + b"." * 100_000
    async with raw_server(echo) as url:
        answer = await post(url, secret_token="s3cret/1")
    assert answer.head
    assert answer.head.headers == (ResponseHeader(name="Set-Cookie", value="<hidden>"),)
    assert answer.head.truncated
    assert len(answer.head.body) <= 4096
    assert answer.head.body.startswith("wrong token: <hidden> ..")


@pytest.mark.parametrize(
    ("url", "sentence"),
    [
        (f"http://127.0.0.1:{free_port()}/", "The connection was refused."),
        ("http://nothing.invalid/", "The host's name cannot be resolved."),
        ("http://[::1/", "The address is malformed."),
        ("ftp://127.0.0.1/", "The address is malformed."),
        ("http://127.0.0.1\\@example.com/", "The address is malformed."),
    ],
    ids=["refused", "no such name", "broken literal", "other scheme", "backslash"],
)
async def test_a_request_that_cannot_be_made_leaves_no_doubt(url: str, sentence: str) -> None:
    answer = await post(url, timeout=5)
    assert (answer.error, answer.uncertain) == (sentence, False)


async def test_a_lost_answer_leaves_doubt() -> None:
    async with raw_server(b"") as url:
        assert (await post(url)).uncertain
    async with raw_server(None) as url:
        assert (await post(url)).uncertain


async def test_a_token_that_would_make_another_header_is_not_sent() -> None:
    async with WebhookReceiver() as receiver:
        answer = await post(receiver.url, secret_token="a\r\nx-evil: 1")
        assert receiver.payloads == []
    assert answer.error == "The address or the secret token cannot be sent in an HTTP request."


async def test_proxies_of_the_environment_are_not_used(monkeypatch: pytest.MonkeyPatch) -> None:
    async with WebhookReceiver() as proxy, WebhookReceiver() as receiver:
        for name in ("http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY"):
            monkeypatch.setenv(name, proxy.url)
        assert (await post(receiver.url)).status == 200
        assert proxy.payloads == []


async def test_cookies_are_not_kept() -> None:
    async with WebhookReceiver() as receiver, Receiver(timeout=1, policy=LOOPBACK) as sender:
        receiver.replies = [Reply(200, {"Set-Cookie": "a=b"})]
        for _ in range(2):
            await sender.post(receiver.url, ["t"], LETTER)
        assert "Cookie" not in receiver.payloads[1].headers
