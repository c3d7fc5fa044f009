"""The command line as a whole: what it lists, what it imports, and what it says where parts are missing."""

import subprocess
import sys

import pytest
from typer.testing import CliRunner

from millrace_client.cli.root import app, load
from millrace_client.cli.table import TABLE, Entry
from tests.support.servers import REPOSITORY


def run(*arguments: str) -> tuple[int, str]:
    """Exit status and all that was said."""
    done = CliRunner().invoke(app, list(arguments), prog_name="millrace")
    return done.exit_code, done.output


@pytest.mark.parametrize("entry", TABLE.values(), ids=TABLE.keys())
def test_a_command_is_listed_by_the_first_sentence_of_its_help(entry: Entry) -> None:
    told = (load(entry).help or "").partition("\n\n")[0]
    assert " ".join(told.split()).partition(". ")[0].rstrip(".") + "." == entry.text


def test_a_list_of_commands_imports_none_of_them() -> None:
    code = f"""
import sys
sys.path[:0] = ["client/src"]
from millrace_client.cli.root import app
try:
    app(["--help"], prog_name="millrace")
except SystemExit as ended:
    assert ended.code == 0
modules = {sorted({entry.module for entry in TABLE.values()} | {"stack.lifecycle", "asyncpg", "nats"})}
assert not set(modules) & set(sys.modules)
"""
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=REPOSITORY, capture_output=True, text=True, check=False, timeout=60
    )
    assert (done.returncode, done.stderr) == (0, "")
    assert all(f" {name} " in done.stdout for name in TABLE)


def test_without_the_server_a_sentence_says_where_its_commands_are(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "stack.commands", None)
    code, said = run("up", "--transcoders", "2")
    assert code == 2
    assert said.count("\n") == 1
    assert "in a checkout of Millrace, run ./millrace up" in said


def test_a_shell_that_completes_is_told_nothing_of_what_is_missing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "stack.commands", None)
    done = CliRunner().invoke(
        app,
        [],
        prog_name="millrace",
        env={"_MILLRACE_COMPLETE": "complete_bash", "COMP_WORDS": "millrace up --", "COMP_CWORD": "2"},
    )
    assert (done.exit_code, done.stderr) == (0, "")


@pytest.mark.parametrize(
    ("words", "offered"),
    [
        ("millrace wa", "watch"),
        ("millrace webhooks de", "deliveries"),
        ("millrace submit --res", "--resolutions"),
        ("millrace admin list-t", "list-tokens"),
    ],
)
def test_shells_complete_commands_and_options(words: str, offered: str) -> None:
    place = str(len(words.split()) - 1)
    variables = {"_MILLRACE_COMPLETE": "complete_bash", "COMP_WORDS": words, "COMP_CWORD": place}
    done = CliRunner().invoke(app, [], prog_name="millrace", env=variables)
    assert offered in done.stdout.split()


def test_a_mistyped_command_names_those_that_are_meant() -> None:
    code, said = run("sumbit")
    assert code == 2
    assert "submit" in said


def test_the_checker_answers_by_its_exit_status() -> None:
    code, said = run("check", "/nowhere/video.m3u8")
    assert code == 2
    assert "/nowhere/video.m3u8" in said
