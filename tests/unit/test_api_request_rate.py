"""Requests of an organization are counted by a rate."""

import pytest

from services.api.accounts.request_rate import MOST_KEYS, AddressRate, RequestRate
from services.api.contract.errors import QuotaExceeded, TooManyRequests


class Clock:
    now = 1000.0

    def __call__(self) -> float:
        return self.now


def wait(rate: RequestRate, org: str, own: int | None = None) -> int:
    """Seconds to wait for the next request; 0 if it is answered, which counts it."""
    try:
        rate.count(org, own)
    except QuotaExceeded as error:
        return error.retry_after
    return 0


@pytest.mark.parametrize("limit", [1, 3, 7, 600])
def test_a_minutes_requests_at_once_and_then_by_the_rate(limit: int) -> None:
    clock = Clock()
    rate = RequestRate(limit, clock)
    assert [wait(rate, "acme00") for _ in range(limit)] == [0] * limit
    first = wait(rate, "acme00")
    assert first == -(-60 // limit)
    # What is refused is not counted.
    assert wait(rate, "acme00") == first
    clock.now += 60 / limit
    assert wait(rate, "acme00") == 0
    assert wait(rate, "acme00")
    clock.now += 600
    assert [wait(rate, "acme00") for _ in range(limit)] == [0] * limit
    assert wait(rate, "acme00")


def test_organizations_do_not_meet_and_have_quotas_of_their_own() -> None:
    rate = RequestRate(1, Clock())
    assert wait(rate, "acme00") == 0
    assert wait(rate, "acme00")
    assert wait(rate, "globex") == 0
    assert [wait(rate, "bigone", 3) for _ in range(4)] == [0, 0, 0, 20]
    assert not any(wait(rate, "nolimt", 0) for _ in range(100))
    assert not any(wait(RequestRate(0, Clock()), "acme00") for _ in range(100))


def test_the_refusal_names_the_quota_and_its_value() -> None:
    rate = RequestRate(2, Clock())
    with pytest.raises(QuotaExceeded) as caught:
        for _ in range(3):
            rate.count("acme00", None)
    assert caught.value.body == {
        "detail": "This organization may send 2 requests a minute. Try again in 30 seconds.",
        "quota": "requests_per_minute",
        "limit": 2,
        "retry_after": 30,
    }


def test_memory_is_bounded() -> None:
    rate = RequestRate(1, Clock())
    for number in range(MOST_KEYS + 1):
        rate.count(f"{number:06}", None)
    assert wait(rate, "000000") == 0
    assert wait(rate, f"{MOST_KEYS:06}")


def refused(rate: AddressRate, org: str, address: str) -> bool:
    try:
        rate.begin(org, address)
    except TooManyRequests:
        return True
    return False


def test_good_requests_of_an_address_are_counted_for_each_organization() -> None:
    rate = AddressRate(1, Clock())
    for org, address in (("acme00", "192.0.2.1"), ("acme00", "192.0.2.2"), ("globex", "192.0.2.1")):
        rate.begin(org, address)
        rate.is_good(org, address)
        with pytest.raises(TooManyRequests, match="60 seconds"):
            rate.begin(org, address)
    unlimited = AddressRate(0, Clock())
    for _ in range(100):
        unlimited.begin("acme00", "192.0.2.1")
        unlimited.is_good("acme00", "192.0.2.1")


def test_all_others_of_an_address_are_counted_together() -> None:
    clock = Clock()
    rate = AddressRate(3, clock)
    assert [refused(rate, org, "192.0.2.1") for org in ("n0b001", "n0b002", "n0b003", "n0b004")] == [False] * 3 + [True]
    assert refused(rate, "acme00", "192.0.2.1"), "a guesser is not asked which organization he means"
    assert not refused(rate, "acme00", "192.0.2.2")
    clock.now += 20
    assert not refused(rate, "acme00", "192.0.2.1")


def test_nobody_drives_counts_of_others_out_of_memory() -> None:
    rate = AddressRate(1, Clock())
    rate.begin("acme00", "192.0.2.1")
    rate.is_good("acme00", "192.0.2.1")
    for number in range(MOST_KEYS + 1):
        rate.begin("n0b0dy", f"2001:db8:{number:x}::/48")
    assert refused(rate, "acme00", "192.0.2.1")
