"""Where an organization's content keys come from, as the operator has chosen. Most of these are secrets, to be sealed. Pure."""

from hashlib import sha256
from ipaddress import ip_address
from typing import Annotated, ClassVar, Literal, get_args

from pydantic import BaseModel, ConfigDict, Field, StringConstraints, TypeAdapter, field_validator, model_validator
from yarl import URL

from shared.encryption.keys import ContentKey
from shared.encryption.protection import Hex128, Scheme, Tracks
from shared.encryption.request import EncryptionRequest, System

_ALL_SYSTEMS = frozenset(get_args(System))
_ALL_SCHEMES: frozenset[Scheme] = frozenset({"cbcs", "aes-128"})

_Hex256 = Annotated[str, StringConstraints(pattern="^[0-9a-f]{64}$")]
_HeaderName = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9-]{1,100}$")]
_HeaderValue = Annotated[str, StringConstraints(pattern=r"^[!-~]([ -~]{0,4000}[!-~])?$")]
_Text = Annotated[str, StringConstraints(min_length=1, max_length=1000)]


class _Provider(BaseModel):
    """What all providers have.

    Attributes:
        schemes, systems: what it can give keys for. separate: whether it can give more than one key to a content.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)
    kind: str
    schemes: ClassVar[frozenset[Scheme]] = frozenset({"cbcs"})
    systems: ClassVar[frozenset[System]] = _ALL_SYSTEMS
    separate: ClassVar[bool] = True

    @property
    def keys_travel_openly(self) -> bool:
        """Whether whoever is between its service and us could read the keys."""
        return False

    @property
    def identity(self) -> str:
        """What tells it from other providers of keys, and no secret: two of the same identity know the same keys."""
        return self.kind

    def refusals(self, request: EncryptionRequest) -> dict[str, list[str]]:
        """What of a request it cannot do: from each member to sentences that say what to change."""
        whence = f'Keys of this organization come from "{self.kind}", which'
        if request.scheme not in self.schemes:
            others = ", ".join(sorted(self.schemes))
            return {"encryption": [f"{whence} gives none for {request.scheme}. Choose from {others}."]}
        problems = []
        if unknown := sorted(set(request.systems) - self.systems):
            problems.append(f"systems: {whence} knows nothing of {', '.join(unknown)}. Leave that out.")
        if request.keys == "separate" and not self.separate:
            problems.append(f'keys: {whence} has one key for a content. Let it be "shared".')
        return {"drm": problems} if problems else {}


# What keys have to be for together, so that each track has one.
_WHOLE: tuple[frozenset[Tracks], ...] = (
    frozenset({"all"}),
    frozenset({"audio", "video"}),
    frozenset({"audio", "sd", "hd"}),
)


class SealedStore(_Provider):
    """Our own store, which makes keys and keeps them sealed (``services/api/drm``)."""

    kind: Literal["sealed"] = "sealed"
    schemes: ClassVar[frozenset[Scheme]] = _ALL_SCHEMES


class StaticKey(BaseModel):
    """A key that everybody knows."""

    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)
    tracks: Tracks = "all"
    kid: Hex128
    iv: Hex128
    key: Hex128 = Field(repr=False)


class StaticKeys(_Provider):
    """The same keys for each content. For tests alone."""

    kind: Literal["static"] = "static"
    schemes: ClassVar[frozenset[Scheme]] = _ALL_SCHEMES
    keys: tuple[StaticKey, ...] = Field(min_length=1, max_length=8)

    @model_validator(mode="after")
    def _leave_nothing_out(self) -> "StaticKeys":
        known = {key.tracks for key in self.keys}
        if not any(needed <= known for needed in _WHOLE):
            raise ValueError(
                "some tracks would have no key: give one for all, or for audio and video, or for audio, sd and hd"
            )
        return self

    @property
    def identity(self) -> str:
        """By the keys, which are no secret."""
        return _identity(self.kind, *(f"{key.kid} {key.key}" for key in self.keys))

    @property
    def content_keys(self) -> tuple[ContentKey, ...]:
        """The keys."""
        return tuple(ContentKey.from_json(key.model_dump()) for key in self.keys)


class _Service(_Provider):
    """What all have that are asked over HTTP. ``url``: of the service."""

    url: str

    @property
    def keys_travel_openly(self) -> bool:
        """By plain HTTP, unless it is on this host."""
        url = URL(self.url)
        return url.scheme == "http" and not _is_loopback(url.host or "")

    @field_validator("url")
    @classmethod
    def _is_http(cls, value: str) -> str:
        return _http_address(value)


class TpStreams(_Service):
    """The key service of TPStreams, which knows one key of each content, for Widevine and FairPlay.

    Attributes:
        url: of the service, without a path. organization: its code there.
        signing_key, signing_iv: with which the organization signs its requests; as its call ``organizations/`` shows them.
    """

    kind: Literal["tpstreams"] = "tpstreams"
    systems: ClassVar[frozenset[System]] = frozenset({"widevine", "fairplay"})
    separate: ClassVar[bool] = False
    url: str = "https://app.tpstreams.com"
    organization: Annotated[str, StringConstraints(pattern="^[a-z0-9]{1,40}$")]
    signing_key: _Hex256 = Field(repr=False)
    signing_iv: Hex128 = Field(repr=False)

    @property
    def identity(self) -> str:
        """By the organization there."""
        return _identity(self.kind, self.url, self.organization)


class Speke(_Service):
    """A service that speaks SPEKE 2.0: CPIX documents over HTTP.

    Attributes:
        url: that documents are posted to.
        username, password: for Basic authentication. header, value: a header by which the service knows us, such as an API key.
    """

    kind: Literal["speke"] = "speke"
    systems: ClassVar[frozenset[System]] = frozenset({"widevine", "fairplay", "playready"})
    username: _Text | None = None
    password: Annotated[str, StringConstraints(max_length=1000)] | None = Field(None, repr=False)
    header: _HeaderName | None = None
    value: _HeaderValue | None = Field(None, repr=False)

    @property
    def identity(self) -> str:
        """By its address. What we are known by there may be changed."""
        return _identity(self.kind, self.url)

    @model_validator(mode="after")
    def _credentials_are_whole(self) -> "Speke":
        if (self.username is None) != (self.password is None) or (self.header is None) != (self.value is None):
            raise ValueError("a user name needs a password, and a header a value")
        if self.username is None and self.header is None:
            raise ValueError("how does the service know us? Give username and password, or header and value")
        if self.username and ":" in self.username:
            raise ValueError("a user name of Basic authentication has no colon")
        return self


KeyProvider = Annotated[SealedStore | StaticKeys | TpStreams | Speke, Field(discriminator="kind")]
KeyService = TpStreams | Speke
"""Those that have to be asked."""

PROVIDERS: TypeAdapter[KeyProvider] = TypeAdapter(KeyProvider, config=ConfigDict(hide_input_in_errors=True))
"""Reads and writes them as JSON."""


def _is_loopback(host: str) -> bool:
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def _identity(kind: str, *what: str) -> str:
    # A digest: the address of a service is the operator's affair, and this stands in events, which customers read.
    return f"{kind} {sha256(' '.join(what).encode()).hexdigest()[:16]}"


def _http_address(value: str) -> str:
    """Raises: ValueError: it is no address that requests can be sent to."""
    url = URL(value)
    if url.scheme not in ("http", "https") or not url.host:
        raise ValueError("must be an address such as https://keys.example.com/speke")
    if url.user or url.password or url.fragment:
        raise ValueError("user, password and fragment do not belong into the address")
    return value
