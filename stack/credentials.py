"""The stack's own passwords and keys: made at the first start, kept in ``<state>/secrets.json`` for all later ones."""

import base64
import hmac
import json
import os
import secrets
from dataclasses import asdict, dataclass, field
from pathlib import Path
from urllib.parse import urlencode

import nkeys  # type: ignore[import-untyped]

from shared.bus.permissions import OPERATOR
from stack.layout import BUCKET, REGION, WORKSPACE_BUCKET, Layout


def _password() -> str:
    # Letters and digits only: fit for URLs, configuration files and shells without quoting.
    return secrets.token_hex(16)


def _seal_key() -> str:
    return base64.b64encode(secrets.token_bytes(32)).decode()


@dataclass(frozen=True, repr=False)
class Credentials:
    """What the programs of one stack prove themselves to each other with, and the account of its organization."""

    nats_password: str = field(default_factory=_password)
    postgres_password: str = field(default_factory=_password)
    s3_access_key: str = field(default_factory=lambda: f"MR{secrets.token_hex(9).upper()}")
    s3_secret_key: str = field(default_factory=lambda: secrets.token_hex(20))
    seal_key: str = field(default_factory=_seal_key)
    api_username: str = "admin"
    api_password: str = field(default_factory=_password)
    api_token: str = field(default_factory=lambda: secrets.token_hex(32))

    def nats_url(self, layout: Layout, user: str = OPERATOR) -> str:
        """Addresses of all servers of NATS with a user and his password, comma separated."""
        ports = (layout.ports[name] for name in layout.nats_nodes)
        who = f"{user}:{self.nats_password_of(user)}"
        return ",".join(f"nats://{who}@127.0.0.1:{port}" for port in ports)

    def bus_url(self, layout: Layout) -> str:
        """The same addresses for a user of one's own."""
        return ",".join(f"nats://127.0.0.1:{layout.ports[name]}" for name in layout.nats_nodes)

    def nats_password_of(self, user: str) -> str:
        """The password of a user of NATS; those of the services follow from the operator's, and do not give it away."""
        return self.nats_password if user == OPERATOR else self._derived(f"user {user}").hex()[:32]

    @property
    def bus_issuer_seed(self) -> str:
        """The key that bus users are signed with, as NATS writes it."""
        return str(nkeys.encode_seed(self._derived("issuer"), nkeys.PREFIX_BYTE_ACCOUNT).decode())

    @property
    def bus_issuer(self) -> str:
        """Its public half."""
        return str(nkeys.from_seed(self.bus_issuer_seed.encode()).public_key.decode())

    def _derived(self, purpose: str) -> bytes:
        return hmac.digest(self.nats_password.encode(), purpose.encode(), "sha256")

    def database_url(self, layout: Layout) -> str:
        """Address of the database with user and password."""
        return f"postgresql://millrace:{self.postgres_password}@127.0.0.1:{layout.ports['postgres']}/millrace"

    def workspace_url(self, layout: Layout) -> str:
        """Address of the work space."""
        return self._s3_url(layout, WORKSPACE_BUCKET) if layout.workspace_in == "s3" else layout.workspace.as_uri()

    def storage_url(self, layout: Layout) -> str:
        """The stack's bucket as an ``s3://`` address with everything that it takes to write there."""
        return self._s3_url(layout, BUCKET)

    def _s3_url(self, layout: Layout, bucket: str) -> str:
        access = {"access_key": self.s3_access_key, "secret_key": self.s3_secret_key}
        return f"s3://{bucket}/?" + urlencode(access | {"region": REGION, "endpoint": layout.s3_endpoint})


def load_or_create(state: Path) -> Credentials:
    """The credentials of the stack in ``state``, made if it has none."""
    path = state / "secrets.json"
    if path.exists():
        return Credentials(**json.loads(path.read_text()))
    created = Credentials()
    write_private(path, json.dumps(asdict(created), indent=1) + "\n")
    return created


def write_private(path: Path, text: str) -> None:
    """Write a file that only its owner can read, whole or not at all."""
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_name(f".{path.name}.partial")
    partial.unlink(missing_ok=True)
    with os.fdopen(os.open(partial, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())
    partial.replace(path)
