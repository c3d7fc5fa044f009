"""Signed addresses of outputs: who has one may play a job's output until it expires."""

import hmac

from services.api.drm.signed_addresses import has_expired, in_future, read_instant
from shared.sealing import Sealer

_PURPOSE = "addresses of playback"


class PlaybackSignatures:
    """Signs and checks with keys that follow from the sealing keys, so that all replicas know them and a new one ends nothing."""

    def __init__(self, sealer: Sealer) -> None:
        self._keys = sealer.derived(_PURPOSE)

    def query(self, org: str, job: str, seconds: int) -> tuple[str, int]:
        """The query of a signed address, and when it expires, as seconds since 1970."""
        expires = in_future(seconds)
        return self.until(org, job, expires), expires

    def until(self, org: str, job: str, expires: int) -> str:
        """The query of a signed address that expires then."""
        return f"expires={expires}&signature={_signature(self._keys[0], org, job, expires)}"

    def is_good(self, org: str, job: str, expires: str, given: str) -> bool:
        """Whether an address was signed by us, and has not expired."""
        instant = read_instant(expires)
        if instant is None:
            return False
        signed = [
            hmac.compare_digest(given.encode(), _signature(key, org, job, instant).encode()) for key in self._keys
        ]
        return any(signed) and not has_expired(instant)


def _signature(key: bytes, org: str, job: str, expires: int) -> str:
    return hmac.digest(key, f"{org} {job} until {expires}".encode(), "sha256").hex()
