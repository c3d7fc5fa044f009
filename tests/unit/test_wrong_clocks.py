"""A storage that believes no signature because a clock is wrong is waited for, and not taken for one that refuses the customer."""

from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from typing import Any

import pytest
from botocore.exceptions import ClientError

from shared.http_dates import clocks_differ
from shared.storage import problem_of

NOW = datetime(2025, 3, 1, 12, 0, 0, tzinfo=UTC)


def refusal(code: str, theirs: datetime | None, *, status: int = 403, message: str = "words of its own") -> ClientError:
    headers = {"date": format_datetime(theirs)} if theirs else {}
    response: Any = {
        "Error": {"Code": code, "Message": message},
        "ResponseMetadata": {"HTTPStatusCode": status, "HTTPHeaders": headers},
    }
    return ClientError(response, "PutObject")


@pytest.mark.parametrize(
    ("date", "differ"),
    [
        ("Sat, 01 Mar 2025 12:13:00 GMT", False),
        ("Sat, 01 Mar 2025 11:47:00 GMT", False),
        ("Sat, 01 Mar 2025 12:15:00 GMT", True),
        ("Sat, 01 Mar 2025 11:00:00 GMT", True),
        ("Sat, 01 Mar 2025 11:00:00 -0000", True),
        ("", False),
        ("yesterday", False),
    ],
)
def test_the_date_of_an_answer_tells_whose_clock_is_wrong(date: str, differ: bool) -> None:
    assert clocks_differ(date, NOW) is differ


@pytest.mark.parametrize("hours", [-1, 1])
@pytest.mark.parametrize("status", [400, 403])
@pytest.mark.parametrize("code", ["RequestTimeTooSkewed", "AccessDenied", "SignatureDoesNotMatch", ""])
def test_a_refusal_by_another_clock_is_an_outage(code: str, status: int, hours: int) -> None:
    assert problem_of(refusal(code or str(status), datetime.now(UTC) + timedelta(hours=hours), status=status)) == "busy"


@pytest.mark.parametrize(
    ("code", "message"),
    [
        ("RequestTimeTooSkewed", ""),
        ("AccessDenied", "The difference between the request time and the server's time exceeds the maximum allowed."),
    ],
)
def test_a_clock_that_is_right_again_does_not_hide_it(code: str, message: str) -> None:
    assert problem_of(refusal(code, datetime.now(UTC), message=message)) == "busy"


@pytest.mark.parametrize("theirs", [None, datetime.now(UTC)])
def test_a_refusal_by_the_same_clock_is_the_customers(theirs: datetime | None) -> None:
    assert problem_of(refusal("AccessDenied", theirs)) == "denied"
    assert problem_of(refusal("SignatureDoesNotMatch", theirs)) == "credentials"


def test_what_is_no_refusal_has_nothing_to_do_with_clocks() -> None:
    assert problem_of(refusal("NoSuchBucket", datetime.now(UTC) + timedelta(hours=5), status=404)) == "missing_bucket"
