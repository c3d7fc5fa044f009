"""What a process shows of its environment after it has read its secrets."""

import os
import subprocess
import sys
from pathlib import Path

REPOSITORY = Path(__file__).resolve().parents[2]

# Made readable again, or only root could look.
SCRIPT = """
import ctypes, os, subprocess
from pathlib import Path
from shared.environ import keep_secrets

before = Path("/proc/self/environ").read_bytes()
{keep}
dumpable = ctypes.CDLL(None).prctl(3)
ctypes.CDLL(None).prctl(4, 1)
after = Path("/proc/self/environ").read_bytes()
child = subprocess.run(["env"], capture_output=True).stdout
print([b"hunter2" in text for text in (before, after, child)], [b"plain" in text for text in (before, after, child)])
print(os.environ.get("SECRET"), os.environ["OTHER"], os.getenv("PATH") == os.environ["PATH"], dumpable)
"""


def run(keep: str, **more: str) -> list[str]:
    variables = {"SECRET": "hunter2", "OTHER": "plain", "PATH": os.environ["PATH"], "PYTHONPATH": str(REPOSITORY)}
    done = subprocess.run(
        [sys.executable, "-c", SCRIPT.format(keep=keep)],
        env=variables | more,
        check=False,
        capture_output=True,
        text=True,
    )
    assert not done.stderr
    return done.stdout.splitlines()


def test_secrets_are_gone_and_everything_else_is_there_for_children_but_not_in_proc() -> None:
    shown, left = run('keep_secrets(["SECRET", "MISSING"])')
    assert shown == "[True, False, False] [True, False, True]"
    assert left == "None plain True 0"


def test_without_it_they_are_there() -> None:
    shown, left = run("")
    assert shown == "[True, True, True] [True, True, True]"
    assert left == "hunter2 plain True 1"


def test_a_transcoder_keeps_nothing_that_was_meant_for_others() -> None:
    from_settings = """
from shared.settings import settings_or_exit
from services.transcoder.settings import TranscoderSettings
settings_or_exit(TranscoderSettings)
"""
    shown, _ = run(from_settings, SECRET="", MILLRACE_SEAL_KEYS="hunter2", MILLRACE_API_DATABASE_URL="hunter2")
    assert shown == "[True, False, False] [True, False, True]"
