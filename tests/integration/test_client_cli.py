"""The command line ``millrace`` against a real api: in a pseudo-terminal as people see it, and through pipes as scripts do."""

import asyncio
import json
import os
import pty
import re
import signal
import stat
import subprocess
import sys
import threading
from collections.abc import AsyncIterator, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from uuid import uuid4

import nats
import pytest
from nats.aio.client import Client
from typer.testing import CliRunner

import millrace_client as mc
from millrace_client.cli.root import app
from shared.bus.joblog import JobLog
from tests.support.api import PASSWORD, Account, ApiProcess, Caller, job_body
from tests.support.bus import until
from tests.support.receiver import WebhookReceiver
from tests.support.samples import completed, failed
from tests.support.servers import REPOSITORY

COMMAND = [sys.executable, "-m", "millrace_client.cli"]
STORAGE = "s3://stored-bucket/?access_key=AKSTORED&secret_key=SKSTORED&region=eu-west-1"


@pytest.fixture(scope="module")
def api(nats_url: str, database_url: str) -> Iterator[ApiProcess]:
    with ApiProcess(nats_url=nats_url, database_url=database_url) as process:
        yield process


@pytest.fixture
async def client(nats_url: str, api: ApiProcess) -> AsyncIterator[Client]:
    """A connection that leaves the streams as the api made them."""
    client = await nats.connect(nats_url)
    yield client
    await client.close()


@pytest.fixture(scope="module")
def account(api: ApiProcess) -> Account:
    return api.account("customer", STORAGE)


@pytest.fixture
def bare(tmp_path: Path) -> dict[str, str]:
    """An environment without settings."""
    return {
        "PATH": os.environ["PATH"], "HOME": str(tmp_path), "PYTHONPATH": str(REPOSITORY / "client/src"), "TERM": "xterm",
        "COLUMNS": "120",
    }  # fmt: skip


@pytest.fixture
def settings(bare: dict[str, str], api: ApiProcess, account: Account) -> dict[str, str]:
    return bare | {"MILLRACE_API_URL": api.url, "MILLRACE_ORG": account.org, "MILLRACE_TOKEN": account.token}


@pytest.fixture
def stranger() -> Iterator[str]:
    """Address of a server that is no Millrace."""

    class Hello(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(200)
            self.end_headers()
            self.wfile.write(b"<h1>Hello</h1>")

        def log_message(self, *_: object) -> None:
            """Nothing."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Hello) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()
        thread.join()


async def run(environment: dict[str, str], *arguments: str, given: str = "") -> subprocess.CompletedProcess[str]:
    """A command through pipes, in this process: most of a command's time goes into starting Python."""

    def invoke() -> subprocess.CompletedProcess[str]:
        # What is in the environment of the tests is not meant.
        unset = dict.fromkeys(name for name in os.environ if name.startswith("MILLRACE_"))
        done = CliRunner().invoke(app, list(arguments), input=given, prog_name="millrace", env=unset | environment)
        return subprocess.CompletedProcess(arguments, done.exit_code, done.stdout, done.stderr)

    return await asyncio.to_thread(invoke)


class Terminal:
    """A command in a pseudo-terminal."""

    def __init__(self, environment: dict[str, str], *arguments: str) -> None:
        self._master, slave = pty.openpty()
        self._process = subprocess.Popen(
            [*COMMAND, *arguments], env=environment, stdin=slave, stdout=slave, stderr=slave, start_new_session=True
        )
        os.close(slave)
        self.text = ""
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def _read(self) -> None:
        # At the end of the program Linux answers EIO.
        try:
            while piece := os.read(self._master, 65536):
                self.text += piece.decode(errors="replace")
        except OSError:
            return

    async def shows(self, pattern: str) -> None:
        """Return when it has shown something."""

        async def found() -> bool:
            return re.search(pattern, self.text) is not None

        await until(found, seconds=60, what=pattern)

    def interrupt(self) -> None:
        """As Ctrl-C does."""
        self._process.send_signal(signal.SIGINT)

    def type(self, line: str) -> None:
        os.write(self._master, f"{line}\n".encode())

    async def end(self) -> int:
        """The exit code."""
        code = await asyncio.to_thread(self._process.wait, 60)
        await asyncio.to_thread(self._reader.join, 60)
        os.close(self._master)
        return code


async def test_log_in_and_submit_in_a_terminal(
    bare: dict[str, str], api: ApiProcess, account: Account, caller: Caller, log: JobLog, tmp_path: Path
) -> None:
    login = Terminal(bare, "login")
    for question, answer in (
        ("Username", account.username), ("Address", api.url), ("Code", account.org), ("Password", PASSWORD)
    ):  # fmt: skip
        await login.shows(question)
        login.type(answer)
    assert await login.end() == 0, login.text
    assert PASSWORD not in login.text
    kept = tmp_path / ".config/millrace/config.json"
    assert stat.S_IMODE(kept.stat().st_mode) == 0o600
    assert json.loads(kept.read_text())["token"] not in login.text

    submit = Terminal(bare, "submit", "https://example.com/a.mp4", "--output", "s3://stored-bucket/terminal/", "--wait")
    await submit.shows("queued")
    (job,) = (await caller.call("GET", "transcoding_jobs/")).body["results"]
    await log.append(failed(job["id"], account.org))
    assert await submit.end() == 1, submit.text
    assert f"{job['id']} error" in submit.text
    assert f"Try: millrace retry {job['id']}" in submit.text

    # The token that was kept is for that server and organization alone.
    elsewhere = await run(bare | {"MILLRACE_ORG": "zzzzzz"}, "get", job["id"])
    assert (elsewhere.returncode, "token is missing" in elsewhere.stderr) == (2, True)
    assert (await run(bare, "logout")).returncode == 0
    assert not kept.exists()


async def test_a_terminal_shows_a_job_to_its_end(
    settings: dict[str, str], account: Account, caller: Caller, log: JobLog
) -> None:
    submit = Terminal(settings, "submit", "https://example.com/my film.mp4?v=1", "--wait")
    await submit.shows("queued")
    (job,) = (await caller.call("GET", "transcoding_jobs/?search=film")).body["results"]
    # Where nothing was said, into the storage of the organization.
    assert re.fullmatch(r"s3://stored-bucket/my-film-[0-9-]+-[0-9a-f]{4}/", job["output_path"])
    await log.append(completed(job["id"], account.org))
    assert await submit.end() == 0, submit.text
    assert "100 %" in submit.text
    assert f"{job['id']} completed: s3://" in submit.text


async def test_whoever_stops_looking_stops_no_job(settings: dict[str, str], caller: Caller) -> None:
    job = (await caller.call("POST", "transcoding_jobs/", job_body())).body["id"]
    watch = Terminal(settings, "watch", job)
    await watch.shows("queued")
    watch.interrupt()
    assert await watch.end() == 130, watch.text
    assert "a job goes on" in watch.text
    assert (await caller.job(job))["status"] == "Queued"


async def test_scripts_get_json_and_exit_codes(settings: dict[str, str], account: Account, log: JobLog) -> None:
    body = job_body()
    given = json.dumps({"output_path": body["output_path"], "client_metadata": {"mark": 1}})
    submitted = await run(
        settings, "submit", body["input_url"], "--resolutions", "240p,480p", "--stdin", "--json", given=given
    )
    assert submitted.returncode == 0, submitted.stderr
    job = json.loads(submitted.stdout)
    assert (job["status"], job["resolutions"], job["client_metadata"]) == ("Queued", ["240p", "480p"], {"mark": 1})
    listed = await run(settings, "list", "--search", job["id"])
    assert listed.stdout.split("\t")[:2] == [job["id"], "queued"]

    await log.append(completed(job["id"], account.org))
    watched = await run(settings, "watch", job["id"], "--json")
    assert (watched.returncode, json.loads(watched.stdout.splitlines()[-1])["status"]) == (0, "completed")
    shown = await run(settings, "get", job["id"])
    assert shown.stdout.startswith(f"{job['id']} completed: s3://")
    assert (await run(settings, "cancel", job["id"])).stdout == "Job is already completed.\n"


async def test_errors_say_what_to_do(bare: dict[str, str], settings: dict[str, str], stranger: str) -> None:
    for environment, arguments, code, said in (
        (bare, ("list",), 2, "Try: millrace login"),
        (settings, ("submit", "film.mp4", "--output", "s3://stored-bucket/x/"), 2, "film.mp4 is no file"),
        (
            settings,
            ("submit", "https://e.com/a", "--output", "s3://stored-bucket/x/", "--resolutions", "9p"),
            2,
            "Choose from",
        ),
        (settings, ("get",), 2, "Missing argument"),
        (settings, ("get", "5KQfnXCg8Qh"), 3, "Try: millrace list"),
        (settings, ("watch", "5KQfnXCg8Qh"), 3, "Try: millrace list"),
        (settings, ("webhooks", "deliveries", "5KQfnXCg8Qh"), 3, "Try: millrace webhooks list"),
        (settings, ("storage", "set", "s3://b/?secret_key=x", "--access-key", "a"), 2, "no place on a command line"),
        (settings | {"MILLRACE_ORG": "zzzzzz"}, ("list",), 3, "MILLRACE_ORG"),
        # Nobody listens there, and somebody who is no Millrace.
        (settings | {"MILLRACE_API_URL": "http://127.0.0.1:1"}, ("list",), 3, "Try: ./millrace up"),
        (settings | {"MILLRACE_API_URL": stranger}, ("list",), 3, "set MILLRACE_API_URL"),
        (settings | {"MILLRACE_TOKEN": "wrong"}, ("list",), 3, "Try: millrace login"),
    ):
        done = await run(environment, *arguments)
        assert (done.returncode, said in done.stderr, done.stdout) == (code, True, ""), done.stderr


async def test_changes_are_forwarded_as_webhooks_are(
    settings: dict[str, str], caller: Caller, account: Account, log: JobLog
) -> None:
    async with WebhookReceiver() as receiver:
        secret = "s3cret of mine"
        listen = Terminal(
            settings | {"MILLRACE_WEBHOOK_SECRET": secret}, "webhooks", "listen", "--forward-to", receiver.url + "/hook"
        )
        await listen.shows("listening")
        first = await caller.created(output_path=f"s3://stored-bucket/listen-{uuid4()}/")
        payloads = await receiver.wait_for(1, seconds=60, where=lambda payload: payload.job["id"] == first)
        await log.append(failed(first, account.org))
        payloads = await receiver.wait_for(2, seconds=60, where=lambda payload: payload.job["id"] == first)
        assert [payload.status for payload in payloads] == ["queued", "error"]
        for payload in payloads:
            assert payload.path == "/hook"
            message = mc.verify({**payload.headers}, payload.body, secret)
            assert message.event == f"transcoding_job.{payload.status}"
            assert payload.job["error_code"] == message.job.error_code
        await listen.shows(f"{first} error 200")
        listen.interrupt()
        assert await listen.end() == 130
        assert secret not in listen.text


async def test_webhooks(settings: dict[str, str]) -> None:
    made = await run(settings, "webhooks", "create", "https://example.com/hook", "--json")
    hook = json.loads(made.stdout)
    assert (await run(settings, "webhooks", "list")).stdout == f"{hook['id']}\t{hook['url']}\n"
    assert (await run(settings, "webhooks", "deliveries", hook["id"], "--json")).stdout == ""
    assert "queued" in (await run(settings, "webhooks", "test", hook["id"])).stdout
    assert (await run(settings, "webhooks", "rotate", hook["id"], "--leaked")).stdout.startswith("whsec_")
    assert (await run(settings, "webhooks", "delete", hook["id"])).returncode == 0


async def test_who_and_where_one_is(settings: dict[str, str], api: ApiProcess, account: Account) -> None:
    told = await run(settings, "whoami")
    assert (told.returncode, api.url in told.stdout, account.org in told.stdout) == (0, True, True), told
    known = json.loads((await run(settings, "whoami", "--json")).stdout)
    assert (known["org"], known["organization"]) == (account.org, account.username)
    assert account.token not in told.stdout + json.dumps(known)
    listed = json.loads((await run(settings, "tokens", "list", "--json")).stdout.splitlines()[0])
    assert listed["id"] == known["token"]["id"]
    renamed = await run(settings, "tokens", "rename", listed["id"], "build server")
    assert renamed.stdout == f"{listed['id']} build server\n"
    organizations = [json.loads(line) for line in (await run(settings, "orgs", "--json")).stdout.splitlines()]
    assert [each["uuid"] for each in organizations] == [account.org]
    assert not any("key" in name for name in organizations[0])


async def test_what_has_happened_to_a_job(
    settings: dict[str, str], account: Account, caller: Caller, log: JobLog
) -> None:
    job = (await caller.call("POST", "transcoding_jobs/", job_body())).body["id"]
    opened = await run(settings, "open", job, "--print")
    assert opened.stdout == f"{settings['MILLRACE_API_URL']}/console/{account.org}/jobs/{job}\n"
    await log.append(completed(job, account.org))
    # The log is read, which may be a moment behind.
    told = await run(settings, "timeline", job)
    assert (told.returncode, told.stdout.split("\t")[0]) == (0, "queued"), told
    assert json.loads((await run(settings, "timeline", job, "--json")).stdout)["stages"][0]["stage"] == "queued"
    terminal = Terminal(settings, "timeline", job)
    assert await terminal.end() == 0
    assert "stage" in terminal.text


async def test_the_stack_of_a_folder_needs_no_login(
    bare: dict[str, str], api: ApiProcess, account: Account, tmp_path: Path
) -> None:
    (tmp_path / "env").write_text(
        f"API_URL={api.url}\nORG_ID={account.org}\nAPI_TOKEN='{account.token}'\nS3_BUCKET=b\n"
    )
    told = await run(bare | {"STATE_DIR": str(tmp_path)}, "whoami", "--json")
    assert (told.returncode, json.loads(told.stdout)["org"]) == (0, account.org), told.stderr
