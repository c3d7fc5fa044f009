"""A real Prometheus for tests, and what the repository has for it: alert rules and the queries of the dashboards.

``prometheus`` and ``promtool`` are not among the wheels; Debian has both in the package ``prometheus``.
"""

import json
import re
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlencode
from urllib.request import urlopen

import pytest
import yaml  # type: ignore[import-untyped]

from stack.probes import http_ok
from tests.support.servers import Server

FOLDER = Path(__file__).resolve().parents[2] / "deploy/observability"

# Between what is compared and joined. A comparison is true of nothing in good order, its two sides are always there.
_BETWEEN = re.compile(r"\s(?:==|!=|<=|>=|<|>|and|unless|or)\s(?:on \([a-z, ]+\)\s)?")


def program(name: str) -> str:
    """Path of ``prometheus`` or ``promtool``; skips the test on a machine that has none."""
    found = shutil.which(name)
    if found is None:
        pytest.skip(f"{name} is not installed (Debian: apt-get install prometheus)")
    return found


def alerts() -> list[dict[str, Any]]:
    """The alert rules."""
    groups = yaml.safe_load((FOLDER / "alerts.yaml").read_text())["groups"]
    return [rule for group in groups for rule in group["rules"]]


def panels() -> Iterator[dict[str, Any]]:
    """The panels of all dashboards."""
    for path in sorted(FOLDER.glob("dashboards/*.json")):
        yield from json.loads(path.read_text())["panels"]


def queries() -> list[str]:
    """The queries of all dashboards and alerts, each once."""
    shown = [target["expr"] for panel in panels() for target in panel["targets"]]
    return list(dict.fromkeys([*shown, *(alert["expr"] for alert in alerts())]))


def sides(expr: str) -> list[str]:
    """What a rule compares and joins, without numbers: what has to be there for it to work at all."""
    return [side for side in _BETWEEN.split(expr) if not re.fullmatch(r"[0-9.]+", side)]


class Prometheus(Server):
    """A Prometheus that evaluates the alert rules.

    Args:
        targets: a file for ``file_sd_configs``.
        scrape_seconds: how often it asks; the rules are evaluated as often.
    """

    def __init__(self, targets: Path, *, scrape_seconds: int = 1) -> None:
        super().__init__()
        self._binary = program("prometheus")
        self._targets = targets
        self._every = f"{scrape_seconds}s"

    def argv(self) -> list[str]:
        config = {
            "global": {"scrape_interval": self._every, "evaluation_interval": self._every},
            "rule_files": [str(FOLDER / "alerts.yaml")],
            "scrape_configs": [{"job_name": "millrace", "file_sd_configs": [{"files": [str(self._targets)]}]}],
        }
        path = self.folder / "prometheus.json"
        # JSON is YAML.
        path.write_text(json.dumps(config))
        data = f"--storage.tsdb.path={self.folder / 'data'}"
        return [self._binary, f"--config.file={path}", data, f"--web.listen-address=127.0.0.1:{self.port}"]

    def ready(self) -> bool:
        return http_ok(self.port, "/-/ready")

    def ask(self, expr: str) -> list[dict[str, Any]]:
        """What a query for a vector answers now.

        Raises:
            urllib.error.HTTPError: it is no query.
        """
        return list(self._get("query", query=expr)["result"])

    def rules(self) -> list[dict[str, Any]]:
        """The rules with their state and health."""
        return [rule for group in self._get("rules")["groups"] for rule in group["rules"]]

    def _get(self, what: str, **arguments: str) -> Any:
        with urlopen(f"http://127.0.0.1:{self.port}/api/v1/{what}?{urlencode(arguments)}", timeout=10) as answer:
            return json.load(answer)["data"]
