"""TLS on the way to NATS: whom a process trusts there, and what it shows of itself."""

import ssl
from dataclasses import dataclass
from pathlib import Path
from typing import Any


@dataclass(frozen=True)
class Tls:
    """The files, all PEM.

    Attributes:
        ca: certificates that NATS's own has to be signed by; None for those that the system trusts.
        cert, key: what this process shows, where NATS wants to see something. The key may stand in the first file.
        first: begin with TLS. Otherwise the server speaks first, in the clear, and says whether it wants TLS; whoever sits in
            between could say no in its place, and be told the password.
    """

    ca: Path | None = None
    cert: Path | None = None
    key: Path | None = None
    first: bool = False

    def check(self) -> None:
        """Raises: ValueError: what is wrong with which of the files."""
        if self.ca or self.cert or self.key:
            self._context()

    def options(self) -> dict[str, Any]:
        """Those of ``nats.connect``; none where the client's own defaults do, which are what the system trusts."""
        if self == NO_TLS:
            return {}
        return {"tls": self._context(), "tls_handshake_first": self.first}

    def _context(self) -> ssl.SSLContext:
        try:
            context = ssl.create_default_context(cafile=self.ca)
        except OSError as error:
            raise ValueError(f"{self.ca} cannot be read as certificates in PEM: {error.strerror or error}") from None
        if self.key and not self.cert:
            raise ValueError(f"{self.key} is a key to no certificate: MILLRACE_NATS_TLS_CERT is missing")
        if self.cert:
            try:
                context.load_cert_chain(self.cert, self.key)
            except OSError as error:
                raise ValueError(
                    f"{self.cert} and its key cannot be read as a pair in PEM: {error.strerror or error}"
                ) from None
        return context


NO_TLS = Tls()
"""Nothing of one's own: TLS where the servers want it, with what the system trusts."""


def tls_problem(error: BaseException) -> str | None:
    """What an error of a connection says about certificates, as a sentence; None where it is about something else."""
    if isinstance(error, ssl.SSLCertVerificationError):
        return (
            f"the certificate of NATS is not good: {error.verify_message}. It has to be for the host in MILLRACE_NATS_URL, and "
            "signed by MILLRACE_NATS_TLS_CA or by a CA that the system knows"
        )
    if isinstance(error, ssl.SSLError):
        return f"no TLS with NATS: {error.reason or error}. Look at MILLRACE_NATS_TLS_CERT and MILLRACE_NATS_TLS_FIRST"
    return None
