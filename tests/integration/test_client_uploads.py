"""Uploads and addresses for players with the Python client and the command line, against a real api and a real storage."""

import asyncio
import os
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest
from typer.testing import CliRunner

import millrace_client as mc
from millrace_client.cli.root import app
from tests.integration.test_client import Program, program
from tests.support.api import Account, ApiProcess
from tests.support.s3 import S3Server

MIB = 1024 * 1024
FILM = os.urandom(11 * MIB + 5)


@pytest.fixture(scope="module")
def bucket(s3: S3Server) -> str:
    return s3.new_bucket()


@pytest.fixture(scope="module")
def api(nats_url: str, database_url: str) -> Iterator[ApiProcess]:
    with ApiProcess(nats_url=nats_url, database_url=database_url) as process:
        yield process


@pytest.fixture(scope="module")
def account(api: ApiProcess, s3: S3Server, bucket: str) -> Account:
    return api.account("uploader", s3.address(bucket, "mine/"))


@pytest.fixture
def film(tmp_path: Path) -> Path:
    file = tmp_path / "Lesson 4.mp4"
    file.write_bytes(FILM)
    return file


@pytest.fixture(params=["blocking", "asynchronous"])
async def user(request: pytest.FixtureRequest, api: ApiProcess, account: Account) -> AsyncIterator[Program]:
    async with program(str(request.param), api.url, account) as user:
        yield user


@pytest.mark.parametrize("part_size", [None, 5 * MIB])
async def test_a_file_is_uploaded_and_given_to_a_job(
    user: Program, film: Path, part_size: int | None, s3: S3Server, bucket: str
) -> None:
    uploads, jobs, told = user.millrace.uploads, user.millrace.jobs, []
    done = await user.do(
        uploads.upload, film, part_size=part_size, progress=lambda sent, size: told.append((sent, size))
    )
    assert (done.state, done.filename) == ("completed", "Lesson 4.mp4")
    assert done.input_url.endswith("/Lesson-4.mp4")
    assert s3.files(bucket)[done.input_url.removeprefix(f"s3://{bucket}/")].read_bytes() == FILM
    assert told == sorted(told)
    assert len(told) > 10
    assert told[-1] == (len(FILM), len(FILM))
    assert (await user.do(uploads.get, done)) == done
    assert done.id in [found.id for found in await user.all_of(uploads.list)]

    output = f"s3://{bucket}/mine/out-{done.id}/"
    job = await user.do(jobs.create, input_url=done.input_url, output_path=output, resolutions=["240p"])
    with pytest.raises(mc.Conflict, match="Cancel it first"):
        await user.do(uploads.give_up, done)
    with pytest.raises(mc.Conflict, match="no output yet"):
        await user.do(jobs.playback, job)
    some = await user.do(jobs.get, job, fields=["input_url"])
    assert (some.id, some.input_url, some.output_path) == (job.id, done.input_url, "")
    [listed] = [found for found in await user.all_of(jobs.list, fields=["progress"]) if found.id == job.id]
    assert (listed.progress, listed.input_url, listed.created is not None) == (0, "", True)
    await user.do(jobs.cancel, job)
    states = await user.all_of(jobs.follow, job, fields=["status"])
    assert (states[-1].status, states[-1].input_url) == (mc.Status.CANCELLED, "")
    await user.do(uploads.give_up, done)


async def test_what_cannot_be_uploaded_leaves_nothing_behind(user: Program, film: Path, tmp_path: Path) -> None:
    uploads = user.millrace.uploads
    with pytest.raises(FileNotFoundError):
        await user.do(uploads.upload, tmp_path / "none.mp4")
    (tmp_path / "empty.mp4").touch()
    with pytest.raises(mc.InvalidRequest) as raised:
        await user.do(uploads.upload, tmp_path / "empty.mp4")
    assert raised.value.fields.keys() == {"size"}


async def test_addresses_of_keys(user: Program, bucket: str) -> None:
    output = f"s3://{bucket}/mine/encrypted-{os.urandom(4).hex()}/"
    job = await user.do(
        user.millrace.jobs.create,
        input_url="https://example.com/a.mp4",
        output_path=output,
        resolutions=["240p"],
        enable_drm=True,
    )
    content = await user.do(user.millrace.keys.get, job.drm_content_id)
    assert content.keys[0].key
    assert content.keys[0].key not in repr(content)
    [listed] = [one for one in await user.all_of(user.millrace.keys.list) if one.content_id == job.drm_content_id]
    assert (listed.keys[0].kid, listed.keys[0].key) == (content.keys[0].kid, None)
    signed = await user.do(user.millrace.keys.sign_address, job.drm_content_id, seconds=60)
    assert job.drm_content_id in signed.url
    with pytest.raises(mc.NotFound):
        await user.do(user.millrace.keys.get, "0" * 32)


async def test_the_command_line_uploads_a_file_first(
    api: ApiProcess, account: Account, film: Path, s3: S3Server, bucket: str
) -> None:
    settings = {"MILLRACE_API_URL": api.url, "MILLRACE_ORG": account.org, "MILLRACE_TOKEN": account.token}

    def run(*arguments: str) -> tuple[int, str, str]:
        done = CliRunner().invoke(app, arguments, prog_name="millrace", env=settings)
        return done.exit_code, done.stdout, done.stderr

    output = f"s3://{bucket}/mine/by-command/"
    code, stdout, stderr = await asyncio.to_thread(run, "submit", str(film), "--output", output)
    assert code == 0, stderr
    assert "uploaded 100 %" in stderr
    job = stdout.split()[0]
    async with mc.AsyncMillrace(api.url, account.org, account.token) as millrace:
        found = await millrace.jobs.get(job)
    assert s3.files(bucket)[found.input_url.removeprefix(f"s3://{bucket}/")].read_bytes() == FILM
    code, _, stderr = await asyncio.to_thread(run, "submit", "none.mp4", "--output", output)
    assert (code, "is no file, and no address" in stderr) == (2, True)
