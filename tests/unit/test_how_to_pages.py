"""The commands of the tutorial and the how-tos, as far as can be told without running them."""

import json
import re
import subprocess
from pathlib import Path

import pytest

from tests.support.pages import PAGES, Steps, steps

# What cannot be run everywhere: each page says so above the commands.
LEFT_OUT = {"docker": 1, "gpu": 1, "kubernetes": 1}


@pytest.fixture(scope="module")
def followed() -> dict[str, Steps]:
    """What each page says to do."""
    return {page.stem: steps(page) for page in PAGES}


def test_commands_that_no_test_runs_are_few_and_said_to_be(followed: dict[str, Steps]) -> None:
    assert {page: len(found.left_out) for page, found in followed.items() if found.left_out} == LEFT_OUT
    assert all(found.commands or found.left_out for found in followed.values())


def test_all_of_them_are_commands_of_a_shell(followed: dict[str, Steps]) -> None:
    texts = [text for found in followed.values() for text in (*found.commands, *found.left_out)]
    texts += [text for found in followed.values() for name, text in found.files.items() if name.endswith(".sh")]
    for text in texts:
        checked = subprocess.run(["bash", "-n"], input=text, capture_output=True, text=True, check=False)
        assert (checked.returncode, checked.stderr) == (0, ""), text


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_what_is_to_be_pasted_elsewhere_is_well_formed(page: Path) -> None:
    for text in re.findall(r"(?ms)^```json\n(.*?)^```$", page.read_text()):
        json.loads(text)
    for name, text in steps(page).files.items():
        if name.endswith(".py"):
            compile(text, name, "exec")
