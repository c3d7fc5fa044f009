"""Settings from the environment: one frozen, described model for each service.

Fields of :class:`CommonSettings` are read from ``MILLRACE_<NAME>``, a service's own fields from
``MILLRACE_<SERVICE>_<NAME>``, but for those of :data:`UNPREFIXED`. What is secret may instead lie in a file, which the same
name with :data:`FILE` behind it names. A variable that starts with ``MILLRACE_`` and means
nothing stops the start: a misspelt setting must never be silently ignored. Variables of the other services are let pass,
so that one env file can serve all.
"""

import base64
import binascii
import os
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, ClassVar, Self, TypeVar, get_args
from urllib.parse import urlsplit

from pydantic import (
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    SecretStr,
    ValidationError,
    ValidationInfo,
    field_validator,
)

from shared.addresses import AddressPolicy
from shared.bus.servers import parse_servers
from shared.bus.tls import Tls
from shared.cage import CageMode
from shared.environ import keep_secrets
from shared.locations import parse_s3
from shared.sealing import Sealer
from shared.system import why_no_service

S = TypeVar("S", bound="CommonSettings")

PREFIX = "MILLRACE_"
SERVICES = ("api", "fetcher", "transcoder", "uploader", "notifier")
UNPREFIXED = frozenset({"lease_seconds", "seal_keys"})
"""Fields that not every service has, and whose variable lacks the name of one: what they set holds for several."""
CLIENT_VARIABLES = frozenset(
    {"MILLRACE_API_URL", "MILLRACE_ORG", "MILLRACE_TOKEN", "MILLRACE_PASSWORD", "MILLRACE_S3_SECRET_KEY"}
)
"""Settings of the Python client and its command line. They may be in the environment in which a stack is started; no service
has any use for them."""

FILE = "_FILE"
"""Behind the variable of a secret: the path of a file that holds its value, as containers are given secrets."""

_REPLACED = {
    "MILLRACE_ALLOW_PRIVATE_ADDRESSES": "use MILLRACE_ALLOWED_HOSTS, a list of networks and hosts such as 10.0.0.0/8,minio"
}

# An env file can only leave a value empty, not out: empty means "the default".
OptionalPath = Annotated[Path | None, BeforeValidator(lambda value: value or None)]
OptionalSecret = Annotated[SecretStr | None, BeforeValidator(lambda value: value or None)]


class SettingsError(Exception):
    """The environment does not fit; the text has one line for each variable and says what to change."""


class CommonSettings(BaseModel):
    """Settings of every service."""

    model_config = ConfigDict(frozen=True, extra="forbid", validate_default=True)
    service: ClassVar[str]

    nats_url: SecretStr = Field(
        SecretStr("nats://127.0.0.1:4222"),
        description="The NATS server, or several of one cluster, comma separated; with user and password, or with a token, if "
        "they want them: nats://user:password@nats-1:4222,nats-2:4222,nats-3:4222",
    )
    nats_tls_ca: OptionalPath = Field(
        None,
        description="CAs that NATS's certificate may be signed by, a PEM file; by default those that the system trusts",
    )
    nats_tls_cert: OptionalPath = Field(
        None, description="Certificate that a service shows to NATS, a PEM file, where NATS wants one (`verify`)"
    )
    nats_tls_key: OptionalPath = Field(None, description="The private key of that certificate, a PEM file")
    nats_tls_first: bool = Field(
        False,
        description="Begin with TLS, so that nobody in between can turn it off. NATS needs `handshake_first` for it: `auto` or "
        "`true`",
    )
    workspace_url: SecretStr = Field(
        SecretStr("file:///var/lib/millrace/workspace"),
        description="The work space all workers share: file:///an/absolute/folder, or, for workers on several hosts,"
        " s3://bucket/prefix?region=…&endpoint=…&path_style=…&access_key=…&secret_key=…; without keys those of the host or of its"
        " role",
    )
    scratch: Path = Field(
        Path("/var/lib/millrace/scratch"),
        description="With a work space in S3, a folder of the host for what its workers need on a disk",
    )
    scratch_bytes: int = Field(100 * 2**30, ge=2**26, description="What may be in that folder at the most")
    log_level: str = Field("info", description="debug, info, warning or error", pattern="^(debug|info|warning|error)$")
    allowed_hosts: str = Field(
        "",
        description="Networks, addresses and host names, comma separated, that sources, buckets and webhooks may be on although"
        " they are loopback, private or otherwise inner ones: 10.1.0.0/16, minio.internal",
    )
    outage_seconds: float = Field(
        3600,
        ge=0,
        # What is known of a message is kept for a week.
        le=6 * 24 * 3600,
        description="How long a job waits for a source, storage or work space that is out of order before it fails",
    )
    otlp_endpoint: OptionalSecret = Field(
        None,
        description="Where spans of traces are sent to, by OTLP over HTTP: http://collector:4318. Without it, none are recorded",
    )
    trace_ratio: float = Field(1.0, ge=0, le=1, description="The share of all traces that is recorded")
    cage: CageMode = Field(
        "on",
        description="What holds ffmpeg and ffprobe: on, as much of the cage as the kernel has; require, no start where some is"
        " missing; off, limits alone",
    )
    nats_replicas: int = Field(1, ge=1, le=5, description="Copies of each stream, on a NATS cluster")
    ffmpeg: OptionalPath = Field(
        None, description="ffmpeg to use; by default the one of the wheel, else the one on PATH"
    )
    ffprobe: OptionalPath = Field(
        None, description="ffprobe to use; by default the one of the wheel, else the one on PATH"
    )

    @field_validator("nats_url")
    @classmethod
    def _servers_are_servers(cls, value: SecretStr) -> SecretStr:
        parse_servers(value.get_secret_value())
        return value

    @field_validator("workspace_url")
    @classmethod
    def _workspace_is_one(cls, value: SecretStr) -> SecretStr:
        check_workspace(value.get_secret_value())
        return value

    @field_validator("nats_tls_ca")
    @classmethod
    def _is_a_ca(cls, value: Path | None) -> Path | None:
        Tls(ca=value).check()
        return value

    @field_validator("nats_tls_key")
    @classmethod
    def _is_a_pair(cls, value: Path | None, info: ValidationInfo) -> Path | None:
        Tls(cert=info.data.get("nats_tls_cert"), key=value).check()
        return value

    @field_validator("otlp_endpoint")
    @classmethod
    def _endpoint_is_http(cls, value: SecretStr | None) -> SecretStr | None:
        parts = urlsplit(value.get_secret_value()) if value else None
        if parts and (parts.scheme not in ("http", "https") or not parts.hostname or parts.query or parts.fragment):
            raise ValueError("must be an address such as http://collector:4318")
        return value

    @field_validator("allowed_hosts")
    @classmethod
    def _hosts_are_hosts(cls, value: str) -> str:
        AddressPolicy.parse(value)
        return value

    @property
    def nats_tls(self) -> Tls:
        """How TLS with NATS is done, where it or the address asks for it."""
        return Tls(self.nats_tls_ca, self.nats_tls_cert, self.nats_tls_key, first=self.nats_tls_first)

    @property
    def address_policy(self) -> AddressPolicy:
        """Where a customer's word may lead the service."""
        return AddressPolicy.parse(self.allowed_hosts)

    @classmethod
    def from_environment(cls, environ: Mapping[str, str] | None = None) -> Self:
        """Read the settings.

        Raises:
            SettingsError: a variable is missing, malformed or unknown.
        """
        environ = os.environ if environ is None else environ
        names, files = variables(cls), {name + FILE: name for name in secret_variables(cls)}
        unknown = [
            name
            for name in environ
            if _is_ours(name)
            and name not in names
            and name not in files
            and name not in CLIENT_VARIABLES
            and not _belongs_to_another(name, cls.service)
        ]
        if unknown:
            raise SettingsError(
                "\n".join(f"{name}: {_REPLACED.get(name, 'no such setting')}" for name in sorted(unknown))
            )
        given = {name: environ[name] for name in names if name in environ}
        given |= {
            files[name]: _read_secret(name, given.get(files[name]), environ[name])
            for name in files
            if environ.get(name)
        }
        try:
            return cls.model_validate({names[name]: value for name, value in given.items()})
        except ValidationError as error:
            by_field = {field: name for name, field in names.items()}
            lines = [f"{by_field.get(str(item['loc'][0]), item['loc'])}: {item['msg']}" for item in error.errors()]
            # The values stay out of the message: one of them may be a secret.
            raise SettingsError("\n".join(lines)) from None


class SealingSettings(CommonSettings):
    """Further settings of every service that seals or opens secrets.

    The transcoder, which runs ffmpeg on strangers' films, is none of them.
    """

    seal_keys: SecretStr = Field(
        description="Keys that seal credentials: base64 of 32 bytes each, comma separated; the first one seals, all of them"
        " open. The transcoder has no use for it"
    )

    @field_validator("seal_keys")
    @classmethod
    def _keys_are_keys(cls, value: SecretStr) -> SecretStr:
        decode_keys(value)
        return value

    @property
    def sealer(self) -> Sealer:
        """Seals and opens with these keys."""
        return Sealer(decode_keys(self.seal_keys))


class WorkerSettings(CommonSettings):
    """Further settings of every service that takes work off the bus."""

    health_port: int = Field(
        0, ge=0, le=65535, description="Port of /health/live, /health/ready and /metrics; 0 for none"
    )
    health_host: str = Field("0.0.0.0", description="Address of the health port")  # noqa: S104
    slots: int = Field(2, ge=1, le=256, description="How many pieces of work run at the same time")
    grace_seconds: float = Field(
        10, ge=0, le=3600, description="After SIGTERM, how long running work may go on before it is handed back"
    )


def variables(settings: type[CommonSettings]) -> dict[str, str]:
    """Names of the environment variables of a settings model, each with the field that it sets."""
    common = CommonSettings.model_fields
    own = f"{PREFIX}{settings.service.upper()}_"
    return {
        (PREFIX if field in common or field in UNPREFIXED else own) + field.upper(): field
        for field in settings.model_fields
    }


def secret_variables(settings: type[CommonSettings]) -> list[str]:
    """Names of those of its variables that hold secrets."""
    return [name for name, field in variables(settings).items() if _is_secret(settings.model_fields[field].annotation)]


def _is_secret(annotation: Any) -> bool:
    return annotation is SecretStr or SecretStr in get_args(annotation)


def _read_secret(name: str, beside: str | None, path: str) -> str:
    if beside:
        raise SettingsError(f"{name}: {name.removesuffix(FILE)} is set as well")
    try:
        return Path(path).read_text().strip()
    except (OSError, ValueError) as error:
        raise SettingsError(f"{name}: the file cannot be read: {type(error).__name__}") from None


def decode_keys(keys: SecretStr) -> list[bytes]:
    """The sealing keys as bytes.

    Raises:
        ValueError: one of them is not base64 of 32 bytes.
    """
    decoded: list[bytes] = []
    for text in keys.get_secret_value().split(","):
        try:
            key = base64.b64decode(text.strip(), validate=True)
        except binascii.Error:
            key = b""
        if len(key) != 32:
            raise ValueError("every key must be base64 of 32 bytes; make one with: openssl rand -base64 32")
        decoded.append(key)
    return decoded


def check_workspace(url: str) -> None:
    """Raises: ValueError: this is no address of a work space."""
    if url.startswith("s3://"):
        parse_s3(url, is_prefix=True)
        return
    parts = urlsplit(url)
    if parts.scheme != "file" or parts.netloc or not parts.path.startswith("/"):
        raise ValueError("the work space must be file:///an/absolute/folder or s3://bucket/prefix?…")


def settings_or_exit(settings: type[S]) -> S:
    """The settings of this process, or the end of it with the reasons on standard error.

    Its environment holds none of their secrets afterwards, and nothing that was meant for other services.
    """
    if reason := why_no_service():
        print(reason, file=sys.stderr)
        raise SystemExit(2)
    try:
        found = settings.from_environment()
    except SettingsError as error:
        print(f"{settings.service} cannot start:\n{error}", file=sys.stderr)
        raise SystemExit(2) from None
    own = variables(settings).keys()
    keep_secrets([*secret_variables(settings), *(name for name in os.environ if _is_ours(name) and name not in own)])
    return found


def _is_ours(name: str) -> bool:
    return name.startswith(PREFIX)


def _belongs_to_another(name: str, service: str) -> bool:
    if name.removeprefix(PREFIX).removesuffix(FILE).lower() in UNPREFIXED:
        return True
    return any(name.startswith(f"{PREFIX}{other.upper()}_") for other in SERVICES if other != service)
