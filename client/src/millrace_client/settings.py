"""Where the server is and who asks: the only settings there are."""

import os
import re
from collections.abc import Mapping
from dataclasses import dataclass, field

from millrace_client.errors import SettingsError

_API = re.compile(r"(?P<root>https?://[^/?#\s]+(?:/[^?#\s]*?)?)(?:/api(?:/v1)?)?/*", re.IGNORECASE)
_ORG = re.compile(r"[A-Za-z0-9_-]{1,100}")
_TOKEN = re.compile(r"[!-~]{1,1000}")


@dataclass(frozen=True)
class Settings:
    """The settings.

    Attributes:
        api_url: of the server, without ``/api/v1`` and without a slash at its end.
        org: code of the organization.
        token: None before login.
    """

    api_url: str
    org: str
    token: str | None = field(default=None, repr=False)

    @classmethod
    def resolve(
        cls,
        api_url: str | None = None,
        org: str | None = None,
        token: str | None = None,
        environment: Mapping[str, str] | None = None,
    ) -> "Settings":
        """What was given; what was not, from MILLRACE_API_URL, MILLRACE_ORG and MILLRACE_TOKEN.

        Args:
            environment: another one than that of the process.

        Raises:
            SettingsError: something is missing or malformed.
        """
        variables = os.environ if environment is None else environment
        url = (api_url or variables.get("MILLRACE_API_URL", "")).strip()
        code = (org or variables.get("MILLRACE_ORG", "")).strip()
        secret = (token or variables.get("MILLRACE_TOKEN", "")).strip() or None
        for value, variable, argument in ((url, "MILLRACE_API_URL", "api_url"), (code, "MILLRACE_ORG", "org")):
            if not value:
                raise SettingsError(f"{argument} is missing: give it, or set {variable}.")
        found = _API.fullmatch(url)
        if not found:
            raise SettingsError(f"api_url is {url!r}; it looks like https://transcode.example.com.")
        if not _ORG.fullmatch(code):
            raise SettingsError(f"org is {code!r}; it is the code of an organization, such as a1b2c3.")
        if secret and not _TOKEN.fullmatch(secret):
            raise SettingsError("token has characters that no token has: was something else pasted?")
        return cls(found["root"].rstrip("/"), code, secret)
