"""The alert rules, judged by Prometheus' own tool."""

import subprocess
from pathlib import Path

from tests.support.prometheus import FOLDER, program


def test_the_rules_are_rules() -> None:
    done = promtool("check", "rules", "--lint=all", "--lint-fatal", str(FOLDER / "alerts.yaml"))
    assert done.returncode == 0, done.stderr


def test_each_alert_fires_when_it_has_to_and_not_otherwise() -> None:
    done = promtool("test", "rules", str(FOLDER / "alerts_test.yaml"))
    assert done.returncode == 0, done.stdout + done.stderr


def test_the_configuration_of_compose_is_one(tmp_path: Path) -> None:
    config = tmp_path / "prometheus.yml"
    config.write_text((FOLDER / "prometheus.yml").read_text().replace("/etc/prometheus/", f"{FOLDER}/"))
    done = promtool("check", "config", str(config))
    assert done.returncode == 0, done.stdout + done.stderr


def promtool(*arguments: str) -> "subprocess.CompletedProcess[str]":
    return subprocess.run([program("promtool"), *arguments], capture_output=True, text=True, check=False, timeout=60)
