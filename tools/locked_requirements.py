"""``python -m tools.locked_requirements [extra …]``: the part of requirements.lock that an image needs.

Prints the pinned and hashed requirements of the base and of the extras named, with everything that they need in turn, for
``pip install --require-hashes``. Uses only the standard library, since it runs before anything is installed.
"""

import re
import sys
import tomllib
from collections import deque
from collections.abc import Iterable
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
_NAME = re.compile(r"[A-Za-z0-9._-]+")


def requirements_of(extras: Iterable[str], *, pyproject: str, lock: str) -> str:
    """The blocks of the lock that the project's base and ``extras`` lead to, in the lock's order.

    Args:
        pyproject: text of pyproject.toml. lock: text of requirements.lock, with the comments that say who needs what.

    Raises:
        KeyError: there is no such extra, or the lock lacks something that pyproject.toml names.
    """
    project = tomllib.loads(pyproject)["project"]
    wanted = list(project["dependencies"])
    for extra in extras:
        wanted += project["optional-dependencies"][extra]
    blocks = _blocks(lock)
    needs = _needs(blocks)
    found: set[str] = set()
    left = deque(_normal(requirement) for requirement in wanted)
    while left:
        name = left.popleft()
        if name not in blocks:
            raise KeyError(f"{name} is not in requirements.lock: run `make lock`")
        if name not in found:
            found.add(name)
            left.extend(needs.get(name, ()))
    return "".join(block for name, block in blocks.items() if name in found)


def _blocks(lock: str) -> dict[str, str]:
    """Each package's lines: ``name==version``, its hashes, and the comment that says who needs it."""
    pieces = re.split(r"(?m)^(?=[A-Za-z0-9])", lock)
    return {_normal(piece): piece for piece in pieces if "==" in piece}


def _needs(blocks: dict[str, str]) -> dict[str, list[str]]:
    """Whom each package needs, turned round from the comments ``# via …``, on one line or on several."""
    needs: dict[str, list[str]] = {}
    for name, block in blocks.items():
        for parent in re.findall(r"(?m)^    #(?: via|  ) +(\S+)", block):
            needs.setdefault(_normal(parent), []).append(name)
    return needs


def _normal(requirement: str) -> str:
    match = _NAME.match(requirement)
    if not match:
        raise KeyError(f"not a requirement: {requirement[:80]}")
    return re.sub(r"[-_.]+", "-", match.group()).lower()


if __name__ == "__main__":
    sys.stdout.write(
        requirements_of(
            sys.argv[1:],
            pyproject=(ROOT / "pyproject.toml").read_text(),
            lock=(ROOT / "requirements.lock").read_text(),
        )
    )
