"""The storage of an organization: shown, set and tried, over HTTP and by the command line."""

from collections.abc import Iterator
from urllib.parse import urlencode

import pytest
from typer.testing import CliRunner

from millrace_client.cli.root import app
from tests.support.api import Account, ApiProcess, Caller, job_body
from tests.support.s3 import S3Server


@pytest.fixture(scope="module")
def api(nats_url: str, database_url: str) -> Iterator[ApiProcess]:
    with ApiProcess(nats_url=nats_url, database_url=database_url) as process:
        yield process


def address(s3: S3Server, bucket: str, **other: str) -> str:
    keys = {"access_key": s3.access_key, "secret_key": s3.secret_key, "region": "us-east-1", "endpoint": s3.endpoint}
    return f"s3://{bucket}/films/?{urlencode(keys | other)}"


async def test_show_set_and_try(api: ApiProcess, s3: S3Server) -> None:
    bucket = s3.new_bucket()
    async with Caller(api, api.account("stored")) as caller:
        assert (await caller.call("GET", "storage/")).body["configured"] is False
        assert (await caller.call("POST", "storage/test/")).status == 409
        answer = await caller.call("PUT", "storage/", {"url": address(s3, bucket)})
        assert answer.body == {
            "configured": True, "location": f"s3://{bucket}/films/", "region": "us-east-1", "endpoint": s3.endpoint,
            "access_key": s3.access_key,
        }  # fmt: skip
        assert (await caller.call("GET", "storage/")).body == answer.body
        assert s3.secret_key not in answer.text
        tried = await caller.call("POST", "storage/test/")
        assert tried.body == {
            "ok": True, "steps": [{"name": name, "ok": True, "message": None} for name in ("write", "read", "delete")]
        }  # fmt: skip
        # Jobs may leave the keys out from now on.
        body = job_body() | {"output_path": f"s3://{bucket}/films/1/"}
        assert (await caller.call("POST", "transcoding_jobs/", body)).status == 201


@pytest.mark.parametrize(
    ("bucket", "other", "said"),
    [("nowhere", {}, "no such bucket"), (None, {"secret_key": "wrong"}, "secret_key")],
)
async def test_a_trial_says_what_is_wrong(
    api: ApiProcess, s3: S3Server, bucket: str | None, other: dict[str, str], said: str
) -> None:
    async with Caller(api, api.account(f"trial-{said[:2]}")) as caller:
        url = address(s3, bucket or s3.new_bucket(), **other)
        assert (await caller.call("PUT", "storage/", {"url": url})).status == 200
        (step,) = (await caller.call("POST", "storage/test/")).body["steps"]
        assert (step["name"], step["ok"], said in step["message"]) == ("write", False, True), step


async def test_what_is_no_storage_is_refused(api: ApiProcess, s3: S3Server) -> None:
    async with Caller(api, api.account("refused")) as caller:
        for url, said in (
            ("https://example.com/", "Must start with s3://"),
            ("s3://bucket/?region=eu-west-1", "access_key and secret_key are missing"),
            ("s3://bucket/?access_key=a&secret_key=b&endpoint=http://10.0.0.1:9000", "private"),
        ):
            answer = await caller.call("PUT", "storage/", {"url": url})
            assert (answer.status, said in answer.body["url"][0]) == (400, True), answer.text
        assert (await caller.call("GET", "storage/")).body["configured"] is False
        reader = (await caller.call("POST", "tokens/", {"name": "reader", "role": "viewer"})).body["token"]
        assert (await caller.call("GET", "storage/", token=reader)).status == 200
        answer = await caller.call("PUT", "storage/", {"url": address(s3, "any")}, token=reader)
        assert (answer.status, "admin" in answer.body["detail"]) == (403, True)


def told(api: ApiProcess, account: Account, *arguments: str, given: str = "") -> tuple[int, str]:
    settings = {"MILLRACE_API_URL": api.url, "MILLRACE_ORG": account.org, "MILLRACE_TOKEN": account.token}
    done = CliRunner().invoke(app, list(arguments), input=given, prog_name="millrace", env=settings)
    return done.exit_code, done.output


def test_the_command_line_sets_and_tries_it(api: ApiProcess, s3: S3Server) -> None:
    account, bucket = api.account("typed"), s3.new_bucket()
    assert told(api, account, "storage", "show") == (0, "No storage is set. Try: millrace storage set s3://bucket/\n")
    options = ("--access-key", s3.access_key, "--endpoint", s3.endpoint)
    code, said = told(api, account, "storage", "set", f"s3://{bucket}/", *options, given=f"{s3.secret_key}\n")
    assert (code, f"s3://{bucket}/" in said, s3.secret_key in said) == (0, True, False), said
    assert told(api, account, "storage", "test") == (0, "ok     write\nok     read\nok     delete\n")
    told(api, account, "storage", "set", "s3://nowhere/", *options, given=f"{s3.secret_key}\n")
    code, said = told(api, account, "storage", "test")
    assert (code, said.startswith("failed write There is no such bucket.")) == (1, True)
    # A token for a program, which is all that stands on standard output.
    code, made = told(api, account, "tokens", "create", "build server", "--role", "viewer", "--json")
    assert (code, '"role": "viewer"' in made) == (0, True), made
