"""Settings of the api: ``MILLRACE_API_…`` beside what all services share."""

from collections.abc import Callable
from typing import Annotated, ClassVar
from urllib.parse import urlsplit

from pydantic import BeforeValidator, Field, SecretStr, ValidationInfo, field_validator

from services.api.contract.drm_models import LICENCE_PLACES, MOST_SECONDS
from services.api.contract.models import MOST_OVERLAP_SECONDS
from services.api.contract.peers import check_template, parse_codes, parse_hosts, parse_networks, parse_origins
from services.api.contract.quotas import MOST_QUOTA
from services.api.drm.providers import ProviderRules
from services.api.feed.signing import Issuer
from shared.bus.servers import parse_servers
from shared.presigning import MOST_SECONDS as MOST_SECONDS_SIGNED
from shared.settings import SealingSettings

OptionalSecret = Annotated[SecretStr | None, BeforeValidator(lambda value: value or None)]
OptionalText = Annotated[str | None, BeforeValidator(lambda value: value or None)]
_LISTS: dict[str, Callable[[str], object]] = {
    "trusted_proxies": parse_networks,
    "host_names": parse_hosts,
    "player_origins": parse_origins,
    "clear_key_organizations": parse_codes,
}
"""What reads the settings that are lists, and refuses those that are none."""


class ApiSettings(SealingSettings):
    """Settings of the api."""

    service: ClassVar[str] = "api"

    host: str = Field("0.0.0.0", description="Address that the REST API listens on")  # noqa: S104
    port: int = Field(
        8080, ge=1, le=65535, description="Port of the REST API; /health/live and /health/ready are served there too"
    )
    public_url: OptionalText = Field(
        None,
        description="Address in the links of answers, such as https://video.example.com. Without it they begin with what "
        "the Host header says if that names this server, and are relative otherwise",
    )
    host_names: OptionalText = Field(
        None,
        description="Where there is no public URL, names in the Host header that are this server's, comma separated, such as "
        "video.lan or video.lan:8080; localhost and the address of the connection always are",
    )
    health_port: int = Field(
        0,
        ge=0,
        le=65535,
        description="A further port for /health/live and /health/ready, and the one for /metrics; 0 for none",
    )
    health_host: str = Field("0.0.0.0", description="Address of the further health port")  # noqa: S104
    grace_seconds: float = Field(10, ge=0, le=3600, description="After SIGTERM, how long requests under way may take")

    processes: int = Field(
        0,
        ge=0,
        le=64,
        description="Processes that answer requests on the same port, each with connections and limits of its own; 0 for one of "
        "every two cores that the api may use, four at the most",
    )

    database_url: SecretStr = Field(description="The PostgreSQL database: postgresql://user:password@host:port/name")
    database_connections: int = Field(
        10, ge=2, le=500, description="Connections to PostgreSQL at most of each process, the leader's included"
    )

    max_connections: int = Field(
        4_000,
        ge=10,
        le=100_000,
        description="Connections to the REST API that each process has at the same time; further ones get 503",
    )
    max_connections_per_address: int = Field(
        1_000, ge=1, le=100_000, description="Those among them that may come from one address, trusted proxies excepted"
    )
    head_seconds: float = Field(
        10, gt=0, le=3600, description="How long a connection may take to send the head of its first request"
    )
    body_limit: int = Field(64 * 1024, ge=16 * 1024, le=900 * 1024, description="Largest request body in bytes")
    token_days: float = Field(30, gt=0, le=3650, description="How many days a token from login lives")
    session_idle_hours: float = Field(
        12, gt=0, le=8760, description="Hours without a request after which a browser session ends"
    )
    session_days: float = Field(7, gt=0, le=365, description="Days after which a browser session ends in any case")
    tokens_per_organization: int = Field(
        20,
        ge=1,
        le=100_000,
        description="Live tokens that an organization may have; beyond it the oldest from a login gives way",
    )
    login_failures_per_minute: int = Field(
        10, ge=1, le=1000, description="Failed logins within a minute for a user name from one address, before 429"
    )
    login_failures_per_address: int = Field(
        30,
        ge=1,
        le=100_000,
        description="Failed logins within a minute from one address, for any user names, before 429",
    )
    trusted_proxies: OptionalText = Field(
        None,
        description="Addresses and networks of the proxies before the api, comma separated: of them, the client's address is "
        "taken from X-Forwarded-For. Without it, all who come through a proxy share its address",
    )

    lease_seconds: float = Field(
        30,
        ge=1,
        le=600,
        description="How long a worker may be silent before its message goes to another. The workers read it from NATS",
    )
    max_active_jobs: int = Field(
        8, ge=1, le=10_000, description="Jobs that may be under way at the same time, all organizations together"
    )
    max_active_per_organization: int = Field(
        4,
        ge=1,
        le=10_000,
        description="Jobs of one organization that may be under way at the same time; admin set-quotas sets it for one alone",
    )

    max_unfinished_jobs: int = Field(
        10_000,
        ge=0,
        le=MOST_QUOTA,
        description="Jobs that have not ended which an organization may have; 0 for no limit. "
        "This quota and the next four can be set for one organization: admin set-quotas",
    )
    max_jobs_per_hour: int = Field(
        10_000, ge=0, le=MOST_QUOTA, description="Jobs that an organization may create within an hour; 0 for no limit"
    )
    max_source_minutes_per_day: int = Field(
        0,
        ge=0,
        le=MOST_QUOTA,
        description="Minutes of film fetched within a day (UTC) after which an organization may create no jobs; 0 for no limit",
    )
    max_source_gigabytes_per_day: int = Field(
        0,
        ge=0,
        le=MOST_QUOTA,
        description="Gigabytes fetched within a day (UTC) after which an organization may create no jobs; 0 for no limit",
    )
    max_requests_per_minute: int = Field(
        6_000,
        ge=0,
        le=MOST_QUOTA,
        description="Requests of an organization within a minute that each process of the api answers; 0 for no limit",
    )

    webhook_overlap_seconds: int = Field(
        86_400,
        ge=0,
        le=MOST_OVERLAP_SECONDS,
        description="How long the secret of a webhook goes on signing after its rotation, beside the new one, where the request "
        "does not say; 0 for not at all",
    )

    max_upload_gigabytes: int = Field(
        200,
        ge=1,
        le=5_000,
        description="Gigabytes that a file may have which is uploaded into the storage of an organization",
    )
    max_open_uploads: int = Field(
        100,
        ge=0,
        le=MOST_QUOTA,
        description="Uploads of an organization that were begun and are neither completed nor used nor expired",
    )
    upload_address_seconds: int = Field(
        86_400, ge=60, le=MOST_SECONDS_SIGNED, description="How long the addresses of an upload work"
    )
    keep_uploads_days: int = Field(
        7,
        ge=0,
        le=36_500,
        description="Days after which an upload is removed from the storage, since it expired or was last given to a job; never "
        "before that job has ended. 0 keeps what jobs have used for ever",
    )

    playback_address_seconds: int = Field(
        43_200,
        ge=60,
        le=MOST_SECONDS_SIGNED,
        description="How long the addresses work at which a job's output is played out of a private bucket",
    )
    playback_requests_per_minute: int = Field(
        3_000,
        ge=0,
        le=MOST_QUOTA,
        description="Requests of players with signed addresses within a minute for an organization from one address that each "
        "process of the api answers; 0 for no limit",
    )

    keep_jobs_days: int = Field(
        90, ge=0, le=36_500, description="Days after its end that a job is kept, with its events; 0 keeps them for ever"
    )
    keep_deliveries_days: int = Field(
        90, ge=0, le=36_500, description="Days that the record of a webhook delivery is kept; 0 keeps them for ever"
    )
    keep_dead_letters_days: int = Field(
        90, ge=0, le=36_500, description="Days that a dead letter is kept; 0 keeps them for ever"
    )

    bus_issuer_seed: OptionalSecret = Field(
        None,
        description="Key of a NATS account, SA…, that bus users are signed with; the configuration of NATS has its public half "
        "as issuer. admin new-bus-keys makes both. Without it there are no bus users",
    )
    bus_system_url: OptionalSecret = Field(
        None,
        description="MILLRACE_NATS_URL with the user api-system, who sees and ends the connections of bus users",
    )
    bus_users_per_organization: int = Field(
        10, ge=0, le=1000, description="Users of the bus that an organization may have"
    )
    bus_connections_per_user: int = Field(
        10, ge=1, le=1000, description="Connections to the bus that one of them may have at the same time"
    )

    signed_key_requests: bool = Field(
        True,
        description="Whether content keys and licences are given to requests that are signed as TPStreams has it. Such a request "
        "can be sent again by whoever has seen it; without this, keys are given to tokens and to signed addresses alone",
    )
    key_requests_per_minute: int = Field(
        600,
        ge=0,
        le=MOST_QUOTA,
        description="Requests for keys and licences within a minute from one address that each process of the api answers: good "
        "ones for each organization, and refused ones in all; 0 for no limit",
    )
    key_address_seconds: float = Field(
        3600,
        ge=1,
        le=MOST_SECONDS,
        description="How long a signed address of an AES-128 key works where its request does not say",
    )
    licence_server_url: OptionalSecret = Field(
        None,
        description="Where drm_license/ passes requests for Widevine and FairPlay licences on to, with {organization}, "
        "{content_id} and {drm_type} filled in: https://licences.example.com/{drm_type}. Without it, drm_license/ answers 501",
    )
    clear_key_organizations: OptionalText = Field(
        None,
        description="Codes of the organizations, comma separated, whose keys anybody may have who knows their ids: W3C's Clear "
        "Key, for trials",
    )
    player_origins: str = Field(
        "*",
        description="Origins of the pages whose players may fetch keys and licences, comma separated, such as "
        "https://video.example.com; * for any",
    )
    static_keys: bool = Field(
        False,
        description="Whether organizations may have the key provider `static`, whose keys everybody knows: for tests alone",
    )

    plain_key_services: bool = Field(
        False,
        description="Whether key services of organizations may be asked by http://, which shows the keys to whoever is on the"
        " way. One on this host always may",
    )

    @property
    def provider_rules(self) -> ProviderRules:
        """Which key providers organizations may have."""
        return ProviderRules(static=self.static_keys, plain_http=self.plain_key_services)

    @field_validator("bus_issuer_seed")
    @classmethod
    def _is_seed(cls, value: SecretStr | None) -> SecretStr | None:
        if value:
            Issuer(value)
        return value

    @field_validator("bus_system_url")
    @classmethod
    def _is_given_with_the_seed(cls, value: SecretStr | None, info: ValidationInfo) -> SecretStr | None:
        if value:
            parse_servers(value.get_secret_value())
        elif info.data.get("bus_issuer_seed"):
            raise ValueError("is needed where MILLRACE_API_BUS_ISSUER_SEED is set")
        return value

    @field_validator(*_LISTS)
    @classmethod
    def _is_list(cls, value: str | None, info: ValidationInfo) -> str | None:
        _LISTS[str(info.field_name)](value or "")
        return value

    @field_validator("licence_server_url")
    @classmethod
    def _is_address(cls, value: SecretStr | None) -> SecretStr | None:
        if value:
            check_template(value.get_secret_value(), LICENCE_PLACES)
        return value

    @field_validator("public_url")
    @classmethod
    def _is_base(cls, value: str | None) -> str | None:
        if value is None:
            return None
        parts = urlsplit(value)
        if parts.scheme not in ("http", "https") or not parts.hostname or parts.query or parts.fragment:
            raise ValueError("must be an address such as https://video.example.com")
        return value.rstrip("/")
