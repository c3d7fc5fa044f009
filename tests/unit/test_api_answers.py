"""Every refusal has a status, and the headers that go with it."""

import pytest

from services.api.contract import errors
from services.api.http.answers import STATUS, BodyTimeout, refusal


def _all_refusals(root: type[errors.ApiError]) -> set[type[errors.ApiError]]:
    below = {one for child in root.__subclasses__() for one in _all_refusals(child)}
    return below or {root}


def test_no_refusal_lacks_a_status() -> None:
    assert _all_refusals(errors.ApiError) == set(STATUS)


@pytest.mark.parametrize(
    ("error", "status", "header"),
    [
        (errors.InvalidToken(), 401, ("WWW-Authenticate", "Token")),
        (errors.TooManyRequests(7), 429, ("Retry-After", "7")),
        (errors.Unavailable("The database is out of reach."), 503, ("Retry-After", "5")),
        (BodyTimeout(), 408, ("Connection", "close")),
    ],
)
def test_headers(error: errors.ApiError, status: int, header: tuple[str, str]) -> None:
    answer = refusal(error)
    assert answer.status == status
    assert header in answer.headers.items()
