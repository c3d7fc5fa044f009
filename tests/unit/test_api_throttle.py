"""Failed logins are counted for a minute."""

from services.api.accounts.throttle import MOST_KEYS, FailureThrottle

KEY = ("admin", "192.0.2.1")


class Clock:
    now = 1000.0

    def __call__(self) -> float:
        return self.now


def test_the_failure_too_many_has_to_wait_until_the_first_is_a_minute_old() -> None:
    clock = Clock()
    throttle = FailureThrottle(3, clock)
    for second in range(3):
        assert throttle.wait_seconds(KEY) == 0
        throttle.failed(KEY)
        clock.now += 1
        assert second < 2 or throttle.wait_seconds(KEY) == 57
    assert throttle.wait_seconds(("admin", "192.0.2.2")) == 0
    assert throttle.wait_seconds(("root", "192.0.2.1")) == 0
    clock.now += 56.5
    assert throttle.wait_seconds(KEY) == 1
    clock.now += 0.5
    assert throttle.wait_seconds(KEY) == 0


def test_a_success_forgets() -> None:
    throttle = FailureThrottle(1, Clock())
    throttle.failed(KEY)
    assert throttle.wait_seconds(KEY)
    throttle.succeeded(KEY)
    assert throttle.wait_seconds(KEY) == 0


def test_ever_new_names_do_not_fill_the_memory() -> None:
    throttle = FailureThrottle(1, Clock())
    throttle.failed(KEY)
    for number in range(MOST_KEYS):
        throttle.failed((str(number), "192.0.2.1"))
    assert throttle.wait_seconds(KEY) == 0
    assert throttle.wait_seconds((str(MOST_KEYS - 1), "192.0.2.1"))
