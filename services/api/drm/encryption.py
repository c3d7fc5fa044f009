"""How the output of a new job is encrypted: what its request and its organization's key provider come to together."""

from dataclasses import dataclass
from hashlib import sha256
from uuid import UUID

from services.api.contract.errors import Conflict, Invalid
from services.api.contract.key_addresses import KeyAddresses
from services.api.contract.models import JobRequest
from services.api.database.pool import Database
from services.api.drm.contents import Contents
from services.api.drm.providers import KeyProviders, ProviderRules
from shared.encryption.keys import ContentKey, KeySet
from shared.encryption.protection import Protection, Scheme
from shared.encryption.providers import KeyProvider, SealedStore, StaticKeys
from shared.encryption.request import DEFAULT_SYSTEMS, TRACKS, EncryptionRequest
from shared.encryption.signalling import protected_key
from shared.sealing import Sealer

_OTHER_PROVIDER = (
    "The keys of this organization come from elsewhere now than when the job ran, so its content would get others under the same "
    "ids. Create a new job."
)


@dataclass(frozen=True)
class Order:
    """How a job's output is to be encrypted, and where its keys come from.

    Attributes:
        content_id: that the client has given; None for one of our making.
    """

    request: EncryptionRequest
    provider: KeyProvider
    content_id: str | None

    def content_of(self, org: str, job: str) -> str:
        """The content's id, the same however often it is asked for: a job that is accepted on the second try has no other one."""
        return self.content_id or UUID(bytes=sha256(f"content of {org}.{job}".encode()).digest()[:16], version=4).hex


class Encryptions:
    """Decides how jobs are encrypted, and brings the keys that are known at once.

    Args:
        rules: which key providers organizations may have.
    """

    def __init__(self, database: Database, sealer: Sealer, addresses: KeyAddresses, rules: ProviderRules) -> None:
        self._providers = KeyProviders(database, sealer)
        self._contents = Contents(database, sealer)
        self._addresses = addresses
        self._rules = rules

    async def order(self, org: str, request: JobRequest, *, keys_from: str | None = None) -> Order | None:
        """How a job's output is to be encrypted; None for not at all.

        Args:
            keys_from: identity of the provider whose keys the content has been encrypted with already.

        Raises:
            Invalid: it cannot be, and what to change. Conflict: the content has keys of another provider.
            Unavailable: the organization's provider cannot be read.
        """
        if request.encrypted == "none":
            return None
        wanted, provider = self._wanted(org, request, request.encrypted), await self._providers.get(org)
        if problems := provider.refusals(wanted):
            raise Invalid(problems)
        if refusal := self._rules.refusal(provider):
            raise Invalid({"encryption": [f"The keys of this organization come from {provider.kind}. {refusal}"]})
        content_id = request.drm.content_id if request.drm else None
        if content_id and keys_from not in (None, provider.identity):
            # A second key under an id that players may have a first one of.
            raise Conflict(_OTHER_PROVIDER)
        if content_id and isinstance(provider, SealedStore):
            await self._check_content(org, content_id, wanted)
        return Order(wanted, provider, content_id)

    async def keys(self, org: str, order: Order, content_id: str) -> KeySet | None:
        """The keys of a content, made now if it has none; None where the key service is asked later.

        Raises:
            Invalid: the content was given keys for other tracks, or another scheme, meanwhile.
            Unavailable: they cannot be read. DatabaseDown.
        """
        match order.provider:
            case SealedStore():
                keys = await self._contents.content_keys(org, content_id, order.request.tracks)
                _check_tracks(keys, order.request)
                _check_scheme(await self._contents.claim(org, content_id, order.request.scheme), order.request.scheme)
            case StaticKeys():
                keys = order.provider.content_keys
            case _:
                return None
        return key_set(keys, order.request, content_id).from_provider(order.provider.identity)

    def _wanted(self, org: str, request: JobRequest, scheme: Scheme) -> EncryptionRequest:
        """What is asked for, with all that may be left out."""
        options = request.drm
        if scheme == "aes-128":
            address = (options and options.key_uri) or self._addresses.key_of(org)
            if not address:
                message = "key_uri: Say where players fetch the key. This server does not know its own address to give it out."
                raise Invalid({"drm": [message]})
            return EncryptionRequest(scheme=scheme, key_uri=address)
        systems = tuple(options.systems) if options and options.systems else DEFAULT_SYSTEMS
        return EncryptionRequest(
            scheme=scheme,
            systems=systems,
            keys=(options and options.keys) or "shared",
            licence_url=self._addresses.licence_of(org) if "clearkey" in systems else None,
        )

    async def _check_content(self, org: str, content_id: str, wanted: EncryptionRequest) -> None:
        """Raises: Invalid: the content has keys that are for other tracks, or for another scheme."""
        if content := await self._contents.read(org, content_id):
            _check_tracks(content.keys, wanted)
            _check_scheme(content.scheme, wanted.scheme)


def _check_tracks(keys: tuple[ContentKey, ...], wanted: EncryptionRequest) -> None:
    """Raises: Invalid: these are keys for other tracks."""
    tracks = tuple(key.tracks for key in keys)
    if tracks != wanted.tracks:
        use = next((name for name, each in TRACKS.items() if each == tracks), "others")
        message = f'keys: The keys of this content are "{use}". Ask for the same, or for another content.'
        raise Invalid({"drm": [message]})


def _check_scheme(kept: Scheme | None, wanted: Scheme) -> None:
    """Raises: Invalid: the keys of the content are for another scheme."""
    if kept not in (None, wanted):
        message = (
            f"content_id: The keys of this content are for {kept}. Use another content for {wanted}: a key of AES-128 is "
            "given out more freely than one for DRM."
        )
        raise Invalid({"drm": [message]})


def key_set(keys: tuple[ContentKey, ...], request: EncryptionRequest, content_id: str) -> KeySet:
    """Keys with what players are told of them, where no key service says it."""
    protected = tuple(protected_key(key, request, content_id) for key in keys)
    return KeySet(Protection(scheme=request.scheme, content_id=content_id, keys=protected), keys)
