"""Signatures that any Standard Webhooks library verifies."""

import base64
import hashlib
import hmac

import pytest

from services.notifier.signature import sign, sign_with_all, signing_key


def test_the_example_of_the_specification_verifies() -> None:
    # The test vector of the reference libraries.
    token, message_id = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw", "msg_p5jXN8AQM9LWM0D4loKWxJek"
    signature = sign(token, message_id, 1614265330, b'{"test": 2432232314}')
    assert signature == "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="


def test_several_secrets_sign_side_by_side() -> None:
    assert (
        sign_with_all(["new", "old"], "msg_1", 12, b"{}")
        == f"{sign('new', 'msg_1', 12, b'{}')} {sign('old', 'msg_1', 12, b'{}')}"
    )


def test_a_plain_token_is_its_own_key() -> None:
    expected = hmac.new(b"s3cr\xc3\xa9t", b"msg_1.12.{}", hashlib.sha256).digest()
    assert sign("s3crét", "msg_1", 12, b"{}") == "v1," + base64.b64encode(expected).decode()


@pytest.mark.parametrize("token", ["whsec_not base64!", "whsec_é", "whsec_", "plain"])
def test_what_is_not_base64_stands_for_itself(token: str) -> None:
    assert signing_key(token) == token.encode()


def test_the_body_is_signed_as_bytes() -> None:
    assert sign("k", "id", 1, b'{"a": 1}') != sign("k", "id", 1, b'{"a":1}')
