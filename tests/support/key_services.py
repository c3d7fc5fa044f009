"""Stand-ins for key services, made from their documents: TPStreams' drm_encryption_keys, and a server that speaks SPEKE 2.0.

async with key_service() as service:
    service.tpstreams, service.speke        # providers that ask it
    service.manner = late                   # what it does from now on in place of its answer
    service.asked                           # what came, in order

Neither shares code with what asks it: the one opens the signature, the other reads the document as XML.
"""

import base64
import hashlib
import hmac
import json
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from uuid import UUID
from xml.etree import ElementTree

from aiohttp import web
from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes

from shared.encryption.providers import Speke, TpStreams

SIGNING_KEY, SIGNING_IV = (
    "1239d18e02b9e8ebf5ef131a9f564e729e0b95e6bb8a78ddb88cfe15d7904723",
    "90a541d5cc608da12dee470fb654413c",
)
ORGANIZATION, API_KEY = "k7w9x2", "speke-api-key-of-tests"

_CPIX, _PSKC = "{urn:dashif:org:cpix}", "{urn:ietf:params:xml:ns:keyprov:pskc}"
_WIDEVINE, _PLAYREADY = "edef8ba9-79d6-4ace-a3c8-27dcd51d21ed", "9a04f079-9840-4286-ab92-e65be0885f95"

_FORMATS = {
    _WIDEVINE: f"urn:uuid:{_WIDEVINE}",
    _PLAYREADY: "com.microsoft.playready",
    "94ce86fb-07ff-4f43-adb8-93d2fa968ca2": "com.apple.streamingkeydelivery",
}

Manner = Callable[[web.Request, bytes], Awaitable[web.StreamResponse | None]]


@dataclass
class KeyServer:
    """What it knows and does.

    Attributes:
        asked: paths with bodies, in order. manner: what it answers in place of keys; None where it answers with keys.
        round: counts up to have it give other keys for the same content, as a service does that keeps none.
    """

    port: int = 0
    asked: list[tuple[str, bytes]] = field(default_factory=list)
    manner: Manner | None = None
    round: int = 0

    @property
    def tpstreams(self) -> TpStreams:
        """The provider of an organization with its keys at TPStreams."""
        return TpStreams(
            url=f"http://127.0.0.1:{self.port}",
            organization=ORGANIZATION,
            signing_key=SIGNING_KEY,
            signing_iv=SIGNING_IV,
        )

    @property
    def speke(self) -> Speke:
        """The provider of an organization with its keys at a service that speaks SPEKE."""
        return Speke(url=f"http://127.0.0.1:{self.port}/speke", header="x-api-key", value=API_KEY)

    def secret(self, what: str, kid: str) -> bytes:
        """16 bytes that the service makes of an id."""
        return hashlib.sha256(f"{what} {kid} {self.round}".encode()).digest()[:16]

    def skd(self, kid: str) -> str:
        """What the service calls a key towards FairPlay: an id of its own."""
        return f"skd://{self.secret('skd', kid).hex()}"

    async def answer(self, request: web.Request) -> web.StreamResponse:
        """The handler of every request."""
        body = await request.read()
        self.asked.append((request.path, body))
        if self.manner and (told := await self.manner(request, body)):
            return told
        if request.path == "/speke":
            return self._speke(request, body)
        return self._tpstreams(request, body)

    def _tpstreams(self, request: web.Request, body: bytes) -> web.Response:
        if request.path != f"/api/v1/{ORGANIZATION}/drm_encryption_keys/":
            return web.json_response({"detail": "Not found."}, status=404)
        given = json.loads(body)
        text = base64.b64decode(given["request"], validate=True)
        opened = Cipher(algorithms.AES(bytes.fromhex(SIGNING_KEY)), modes.CBC(bytes.fromhex(SIGNING_IV))).decryptor()
        digest = opened.update(base64.b64decode(given["signature"], validate=True)) + opened.finalize()
        if not hmac.compare_digest(digest, hashlib.sha1(text).digest() + b"\x0c" * 12):
            return web.json_response({"detail": "Invalid signature."}, status=403)
        content = UUID(json.loads(text)["content_id"]).hex
        key, iv = self.secret("key", content).hex(), self.secret("iv", content).hex()
        return web.json_response({"content_id": content, "key": key, "iv": iv, "uri": self.skd(content)})

    def _speke(self, request: web.Request, body: bytes) -> web.Response:
        if request.headers.get("x-api-key") != API_KEY:
            return web.Response(status=403)
        if request.headers.get("X-Speke-Version") != "2.0" or request.content_type != "application/xml":
            return web.Response(status=400)
        document = ElementTree.fromstring(body)
        if document.get("version") != "2.3" or not document.get("contentId"):
            return web.Response(status=422)
        for key in document.iter(f"{_CPIX}ContentKey"):
            secret = ElementTree.SubElement(ElementTree.SubElement(key, f"{_CPIX}Data"), f"{_PSKC}Secret")
            value = ElementTree.SubElement(secret, f"{_PSKC}PlainValue")
            value.text = base64.b64encode(self.secret("key", key.attrib["kid"])).decode()
        for system in document.iter(f"{_CPIX}DRMSystem"):
            self._fill(system, UUID(system.attrib["kid"]).hex, system.attrib["systemId"])
        return web.Response(
            body=ElementTree.tostring(document, xml_declaration=True, encoding="utf-8"), content_type="application/xml"
        )

    def _fill(self, system: ElementTree.Element, kid: str, system_id: str) -> None:
        box = pssh(system_id, b"data of the service for " + kid.encode())
        uri = f"data:text/plain;base64,{box}" if system_id in (_WIDEVINE, _PLAYREADY) else self.skd(kid)
        for child in system:
            match child.tag.removeprefix(_CPIX), child.get("playlist"):
                case "PSSH", _:
                    child.text = box
                case "ContentProtectionData", _:
                    child.text = _base64(f'<pssh xmlns="urn:mpeg:cenc:2013">{box}</pssh><!-- of the service -->')
                case "HLSSignalingData", playlist:
                    tag = "#EXT-X-KEY" if playlist == "media" else "#EXT-X-SESSION-KEY"
                    attributes = f'METHOD=SAMPLE-AES,URI="{uri}",KEYFORMAT="{_FORMATS[system_id]}",X-SERVICE="{kid}"'
                    child.text = _base64(f"{tag}:{attributes}\n")


def pssh(system_id: str, data: bytes) -> str:
    """A box with data of a service's own, base64."""
    body = bytes(4) + UUID(system_id).bytes + len(data).to_bytes(4) + data
    return base64.b64encode((8 + len(body)).to_bytes(4) + b"pssh" + body).decode()


def _base64(text: str) -> str:
    return base64.b64encode(text.encode()).decode()


@asynccontextmanager
async def key_service() -> AsyncIterator[KeyServer]:
    """A key service on loopback for the time of a block."""
    server = KeyServer()
    app = web.Application()
    app.router.add_route("*", "/{path:.*}", server.answer)
    runner = web.AppRunner(app, shutdown_timeout=0.1)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    server.port = runner.addresses[0][1]
    try:
        yield server
    finally:
        await runner.cleanup()
