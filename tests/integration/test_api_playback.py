"""Playing outputs out of a real, private storage: with a token, with a signed address, and not at all."""

from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass
from urllib.parse import parse_qs, urljoin, urlsplit
from uuid import uuid4

import aiohttp
import nats
import pytest
from nats.aio.client import Client
from yarl import URL

from services.api.contract.playback import Playback
from shared.bus.joblog import JobLog
from shared.events import Cancelled, Completed, Playable, Started
from shared.media.result import Outputs
from tests.support.api import Answer, ApiProcess, Caller
from tests.support.bus import until
from tests.support.s3 import S3Server

PUBLIC_URL = "https://video.example.com"
PREFIX = "customers/one/out"
FILES = {
    "video.m3u8": b'#EXTM3U\n#EXT-X-MEDIA:TYPE=AUDIO,URI="audio/en/audio.m3u8"\n#EXT-X-STREAM-INF:BANDWIDTH=1\n240p/video.m3u8\n',
    "240p/video.m3u8": b'#EXTM3U\n#EXT-X-MAP:URI="init.mp4"\n#EXTINF:6,\nvideo_00000.m4s\n#EXT-X-ENDLIST\n',
    "audio/en/audio.m3u8": b"#EXTM3U\n#EXTINF:6,\naudio_00000.m4s\n#EXT-X-ENDLIST\n",
    "240p/init.mp4": b"header",
    "240p/video_00000.m4s": b"pictures",
    "audio/en/audio_00000.m4s": b"sound",
    "video.mpd": b'<MPD><SegmentTemplate initialization="240p/init.mp4" media="240p/video_$Number%05d$.m4s"/></MPD>',
    "sprite/sprite.vtt": b"WEBVTT\n\n00:00.000 --> 00:06.000\nsprite_image.jpg#xywh=0,0,16,9\n",
    "sprite/sprite_image.jpg": b"tiles",
}
OUTPUTS = Outputs(
    master="s3://bucket/out/video.m3u8",
    dash="s3://bucket/out/video.mpd",
    renditions=(),
    audio=(),
    bytes=12,
    segments=1,
)


@dataclass(frozen=True)
class Cinema:
    """A job that is completed, and its output in a bucket that nobody may read but with credentials."""

    api: ApiProcess
    caller: Caller
    s3: S3Server
    bucket: str
    job: str

    @property
    def path(self) -> str:
        return f"transcoding_jobs/{self.job}/playback/"

    async def addresses(self) -> Playback:
        answer = await self.caller.call("GET", self.path)
        assert answer.status == 200, answer.text
        assert Playback.model_validate(answer.body)
        assert answer.body["hls"].startswith(f"{PUBLIC_URL}/api/v1/")
        return Playback.model_validate_json(self.here(answer.text))

    def here(self, text: str) -> str:
        """With addresses of this process in the place of its public ones."""
        return text.replace(PUBLIC_URL, self.api.url)


@dataclass(frozen=True)
class Got:
    """What came, at the end of all redirects."""

    status: int
    url: str
    body: bytes
    type: str
    origin: str | None


async def get(url: str, *, follow: bool = True) -> Got:
    """As a player does: without a token."""
    async with (
        aiohttp.ClientSession() as session,
        session.get(url, headers={"Origin": "https://page.example.com"}, allow_redirects=follow) as response,
    ):
        origin = response.headers.get("Access-Control-Allow-Origin")
        return Got(response.status, str(response.url), await response.read(), response.content_type, origin)


@pytest.fixture(scope="module")
def api(nats_url: str, database_url: str) -> Iterator[ApiProcess]:
    with ApiProcess(
        nats_url=nats_url, database_url=database_url, public_url=PUBLIC_URL, playback_requests_per_minute=120
    ) as process:
        yield process


@pytest.fixture
async def client(nats_url: str) -> AsyncIterator[Client]:
    client = await nats.connect(nats_url)
    yield client
    await client.close()


@pytest.fixture
async def cinema(api: ApiProcess, s3: S3Server, client: Client) -> AsyncIterator[Cinema]:
    bucket = s3.new_bucket()
    async with s3.client() as storage:
        for path, body in FILES.items():
            await storage.put_object(Bucket=bucket, Key=f"{PREFIX}/{path}", Body=body)
        await storage.put_object(Bucket=bucket, Key="customers/one/secret.mp4", Body=b"secret")
    async with Caller(api, api.account(f"user-{uuid4()}", s3.address(bucket, "customers/one/"))) as caller:
        yield Cinema(api, caller, s3, bucket, await completed(caller, client, f"s3://{bucket}/{PREFIX}/"))


async def completed(caller: Caller, client: Client, output: str, **members: object) -> str:
    """A job that is completed, as the log says."""
    job = await caller.created(output_path=output, **members)
    await JobLog(client).append(Completed(org=caller.account.org, job=job, outputs=OUTPUTS))
    await caller.until_status(job, "Completed")
    return job


def signed_part(text: bytes, word: str) -> str:
    """The first line, or attribute, with a word in it, as an address."""
    [line] = [piece for piece in text.decode().replace('"', "\n").splitlines() if word in piece][:1]
    return line


async def test_a_player_needs_nothing_but_the_address(cinema: Cinema) -> None:
    found = await cinema.addresses()
    assert found.sprite is None
    multivariant = await get(found.hls)
    assert (multivariant.status, multivariant.type) == (200, "application/vnd.apple.mpegurl")
    assert multivariant.origin == "*"
    for playlist, segment, body in (
        ("240p/video.m3u8", "video_00000.m4s", b"pictures"),
        ("audio/en/audio.m3u8", "audio_00000.m4s", b"sound"),
    ):
        media = await get(urljoin(found.hls, signed_part(multivariant.body, playlist)))
        assert media.status == 200
        address = signed_part(media.body, segment)
        assert address.startswith(f"{cinema.s3.endpoint}/{cinema.bucket}/{PREFIX}/")
        assert (await get(address)).body == body
        # Nobody else may read it.
        assert (await get(address.partition("?")[0])).status in (400, 403)
        assert 43_000 < int(parse_qs(urlsplit(address).query)["X-Amz-Expires"][0]) <= 43_200

    assert found.dash
    manifest = await get(found.dash)
    assert (manifest.status, manifest.type) == (200, "application/dash+xml")
    template = signed_part(manifest.body, "$Number").replace("&amp;", "&").replace("$Number%05d$", "00000")
    played = await get(urljoin(found.dash, template))
    assert (played.status, played.body) == (200, b"pictures")
    assert played.url.startswith(cinema.s3.endpoint)


async def test_browsers_may_ask_before_they_send(cinema: Cinema) -> None:
    address = f"{cinema.api.url}/api/v1/{cinema.caller.account.org}/{cinema.path}240p/video.m3u8"
    asked = {"Origin": "https://page.example.com", "Access-Control-Request-Method": "GET"}
    async with aiohttp.ClientSession() as session, session.options(address, headers=asked) as response:
        assert response.status == 204
        assert response.headers["Access-Control-Allow-Origin"] == "*"
        assert "GET" in response.headers["Access-Control-Allow-Methods"]


async def test_members_need_no_signature_and_what_they_get_has_one(cinema: Cinema) -> None:
    call = cinema.caller.call_raw
    media = signed_part((await call("GET", cinema.path + "video.m3u8")).encode(), "240p/video.m3u8")
    assert (await get(f"{cinema.api.url}/api/v1/{cinema.caller.account.org}/{cinema.path}{media}")).status == 200
    cues = await call("GET", cinema.path + "sprite/sprite.vtt")
    picture, _, piece = signed_part(cues.encode(), "xywh").partition("#")
    assert ((await get(picture)).body, piece) == (b"tiles", "xywh=0,0,16,9")
    assert await call("GET", cinema.path + "sprite/sprite_image.jpg") == "tiles"


async def test_nothing_outside_of_the_output_is_given(cinema: Cinema) -> None:
    base, query = (await cinema.addresses()).hls.split("video.m3u8")
    for path in ("../secret.mp4", "%2e%2e/secret.mp4", "..%2fsecret.mp4", "a/../../secret.mp4", "key.bin", "no.m4s/"):
        # As it is, without a client that tidies it up.
        found = await raw_get(base + path + query)
        assert found in (403, 404), path
    assert (await get(base + "240p/none.m3u8" + query)).status == 404
    async with cinema.s3.client() as storage:
        outward = b"#EXTM3U\n../../secret.mp4\n"
        await storage.put_object(Bucket=cinema.bucket, Key=f"{PREFIX}/240p/video.m3u8", Body=outward)
        await storage.put_object(
            Bucket=cinema.bucket, Key=f"{PREFIX}/large/video.m3u8", Body=b"#" * (16 * 1024 * 1024 + 1)
        )
    refused = await get(base + "240p/video.m3u8" + query)
    assert (refused.status, b"refers to something" in refused.body) == (409, True)
    assert (await get(base + "large/video.m3u8" + query)).status == 409


async def raw_get(url: str) -> int:
    """The status of a GET of exactly this address."""
    async with (
        aiohttp.ClientSession() as session,
        session.get(URL(url, encoded=True), allow_redirects=False) as response,
    ):
        return response.status


async def test_a_signature_is_for_one_job_and_some_hours(cinema: Cinema, client: Client) -> None:
    hls = (await cinema.addresses()).hls
    other = await completed(cinema.caller, client, f"s3://{cinema.bucket}/customers/one/other/")
    assert (await get(hls.replace(cinema.job, other))).status == 403
    expires = parse_qs(urlsplit(hls).query)["expires"][0]
    for wrong in (
        hls.replace(expires, str(int(expires) + 1)),
        hls.replace(expires, "x"),
        hls.replace(expires, "1"),
        hls[:-1],
    ):
        assert (await get(wrong)).status == 403
    assert (await get(hls.partition("?")[0])).status == 401
    async with Caller(cinema.api, cinema.api.account(f"user-{uuid4()}")) as caller:
        address = f"/api/v1/{cinema.caller.account.org}/{cinema.path}"
        for path in (address, address + "video.m3u8"):
            assert (await caller.call("GET", path)).status == 404
        assert (await get(hls.replace(cinema.caller.account.org, caller.account.org))).status == 403
    # Whoever tries many is held up, and not those who have a good one.
    refused = [await get(hls[:-1]) for _ in range(300)]
    assert refused[-1].status == 429


async def test_the_key_of_an_encrypted_output_is_asked_for_at_a_signed_address(cinema: Cinema, client: Client) -> None:
    job = await completed(
        cinema.caller, client, f"s3://{cinema.bucket}/customers/one/sealed/", encryption="aes-128", enable_drm=None
    )
    content = (await cinema.caller.job(job))["drm_content_id"]
    key = f"{PUBLIC_URL}/api/v1/{cinema.caller.account.org}/aes_key/{content}/"
    other = key.replace(content, "0" * 32)
    playlist = f'#EXTM3U\n#EXT-X-KEY:METHOD=AES-128,URI="{key}",IV=0x1\n#EXT-X-KEY:METHOD=AES-128,URI="{other}"\nvideo_00000.m4s\n'
    async with cinema.s3.client() as storage:
        await storage.put_object(
            Bucket=cinema.bucket, Key="customers/one/sealed/240p/video.m3u8", Body=playlist.encode()
        )
    shown = await cinema.caller.call_raw("GET", f"transcoding_jobs/{job}/playback/240p/video.m3u8")
    signed = signed_part(shown.encode(), f"{content}/?")
    given = await get(cinema.here(signed))
    assert (given.status, len(given.body)) == (200, 16)
    assert (await get(cinema.here(key))).status == 403
    # Of another content nothing is given out with it.
    assert f'URI="{other}"' in shown


async def test_an_output_elsewhere_is_played_where_the_operator_says(cinema: Cinema, client: Client) -> None:
    org = cinema.caller.account.org
    elsewhere = cinema.s3.address(cinema.s3.new_bucket(), "out/")
    job = await completed(cinema.caller, client, elsewhere)
    for path in ("", "video.m3u8"):
        refused = await cinema.caller.call("GET", f"transcoding_jobs/{job}/playback/{path}")
        assert (refused.status, "set-public-addresses" in refused.body["detail"]) == (409, True)
    # In the organization's own storage it does not matter what it was written with.
    mine = await completed(cinema.caller, client, cinema.s3.address(cinema.bucket, "customers/one/mine/"))
    assert (await cinema.caller.call("GET", f"transcoding_jobs/{mine}/playback/")).status == 200

    cinema.api.admin("set-public-addresses", org, "--playback-url", "https://cdn.example.com/{bucket}/")
    other = await completed(cinema.caller, client, cinema.s3.address(cinema.bucket, "customers/one/a b/"))
    shown = await cinema.caller.call("GET", f"transcoding_jobs/{other}/playback/")
    base = f"https://cdn.example.com/{cinema.bucket}/customers/one/a%20b/"
    assert shown.body == {"hls": f"{base}video.m3u8", "dash": f"{base}video.mpd", "sprite": None, "expires_at": None}
    led = await cinema.caller.call("GET", f"transcoding_jobs/{other}/playback/240p/video.m3u8")
    assert (led.status, led.headers["Location"]) == (302, f"{base}240p/video.m3u8")


async def test_a_job_that_is_playable_is_played_while_it_runs(cinema: Cinema, client: Client) -> None:
    output = f"s3://{cinema.bucket}/customers/one/early/"
    job = await cinema.caller.created(output_path=output, early_playback=True)
    path = f"transcoding_jobs/{job}/playback/"
    assert (await cinema.caller.call("GET", path)).status == 409
    log, org = JobLog(client), cinema.caller.account.org
    await log.append(Started(org=org, job=job))
    await log.append(Playable(org=org, job=job, master=f"{output}video.m3u8", segments=1))

    async def playable() -> Answer | None:
        answer = await cinema.caller.call("GET", path)
        return answer if answer.status == 200 else None

    shown = (await until(playable, what="addresses of a job that runs")).body
    assert (shown["dash"], shown["sprite"], shown["expires_at"] is not None) == (None, None, True)
    growing = b"#EXTM3U\n#EXT-X-PLAYLIST-TYPE:EVENT\n#EXTINF:6,\nvideo_00000.m4s\n"
    async with cinema.s3.client() as storage:
        for name, body in (("240p/video.m3u8", growing), ("240p/video_00000.m4s", b"first")):
            await storage.put_object(Bucket=cinema.bucket, Key=f"customers/one/early/{name}", Body=body)
    address = cinema.here(shown["hls"]).replace("video.m3u8", "240p/video.m3u8")
    twice = [await get(address) for _ in range(2)]
    assert twice[0].body == twice[1].body
    segment = await get(urljoin(address, signed_part(twice[0].body, "m4s")))
    assert (segment.status, segment.body) == (200, b"first")
    await log.append(Cancelled(org=org, job=job))

    async def gone() -> bool:
        return (await cinema.caller.call("GET", path)).status == 409

    await until(gone, what="a cancelled job without addresses")


async def test_a_job_without_an_output_says_so(cinema: Cinema) -> None:
    job = await cinema.caller.created(output_path=f"s3://{cinema.bucket}/customers/one/later/")
    answer: Answer = await cinema.caller.call("GET", f"transcoding_jobs/{job}/playback/")
    assert (answer.status, answer.body) == (409, {"detail": "Job has no output yet. Wait for its end."})
    assert (await cinema.caller.call("GET", f"transcoding_jobs/{job}/playback/video.m3u8")).status == 404
    assert (await cinema.caller.call("GET", "transcoding_jobs/5KQfnXCg8Qh/playback/")).status == 404
