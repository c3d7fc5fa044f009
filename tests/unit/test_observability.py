"""The alert rules, the dashboards and what runs them: they ask for what there is, and lead somewhere."""

import json
import re
from pathlib import Path
from typing import Any

import pytest
import yaml  # type: ignore[import-untyped]

from services.api.settings import ApiSettings
from shared.settings import SERVICES, variables
from tests.support.prometheus import alerts, panels, queries
from tools.documents.metrics import metric_names

ROOT = Path(__file__).resolve().parents[2]
FOLDER = ROOT / "deploy/observability"
_OWN = re.compile(r"\b(?:millrace|process)_[a-z_]+\b")
# What a query may name besides metrics: a label's value in a filter.
_FILTER = re.compile(r"\{[^}]*\}")


@pytest.mark.parametrize("expr", queries())
def test_a_query_names_metrics_that_there_are(expr: str) -> None:
    named = set(_OWN.findall(_FILTER.sub("", expr)))
    assert named or "up" in expr
    assert named <= metric_names()


def test_panels_are_complete_and_have_a_place_of_their_own() -> None:
    for name, board in _boards():
        places: set[tuple[int, int]] = set()
        for panel in board["panels"]:
            assert panel["title"] and panel["targets"], name
            place = panel["gridPos"]
            assert place["x"] + place["w"] <= 24
            cells = {
                (x, y)
                for x in range(place["x"], place["x"] + place["w"])
                for y in range(place["y"], place["y"] + place["h"])
            }
            assert not cells & places, (name, panel["title"])
            places |= cells
        titles = [panel["title"] for panel in board["panels"]]
        assert len(set(titles)) == len(titles), name
        assert [panel["id"] for panel in board["panels"]] == list(range(1, len(titles) + 1))


def test_every_metric_that_the_leader_or_a_worker_tells_is_shown_or_watched() -> None:
    asked = " ".join(queries())
    # What only says which process this is, and FastStream's own beyond the one that is shown.
    unasked = {"millrace_service"} | {
        name for name in metric_names() if name.startswith(("millrace_handler_", "process_"))
    }
    base = {re.sub(r"_(bucket|sum|count)$", "", name) for name in metric_names() - unasked}
    assert [name for name in sorted(base) if name not in asked] == []


def test_every_alert_leads_to_its_section_and_says_what_is_wrong() -> None:
    headings = set(re.findall(r"(?m)^### (\w+)$", (ROOT / "docs/operations.md").read_text()))
    for alert in alerts():
        assert alert["annotations"]["runbook_url"] == f"docs/operations.md#{alert['alert'].lower()}"
        assert alert["alert"] in headings
        assert alert["labels"]["severity"] in ("critical", "warning")
        assert alert["annotations"]["summary"]
    assert {name for name in headings if name.startswith("Millrace")} == {alert["alert"] for alert in alerts()}


def test_critical_is_said_of_the_same_alerts_in_rules_and_runbook() -> None:
    sections = re.findall(r"(?ms)^### (Millrace\w+)\n\n(.*?)(?=^##|\Z)", (ROOT / "docs/operations.md").read_text())
    said = {name for name, text in sections if text.startswith("Critical.")}
    assert said == {alert["alert"] for alert in alerts() if alert["labels"]["severity"] == "critical"}


def test_every_alert_has_a_case_in_which_it_fires_and_one_in_which_it_does_not() -> None:
    cases = [
        case
        for group in yaml.safe_load((FOLDER / "alerts_test.yaml").read_text())["tests"]
        for case in group["alert_rule_test"]
    ]
    fire = {case["alertname"] for case in cases if case["exp_alerts"]}
    assert fire == {alert["alert"] for alert in alerts()}


def test_prometheus_in_compose_asks_every_service_on_its_health_port() -> None:
    compose = yaml.safe_load((ROOT / "docker-compose.yml").read_text())["services"]
    scraped = yaml.safe_load((FOLDER / "prometheus.yml").read_text())["scrape_configs"]
    ports = {}
    for each in scraped:
        (found,) = each["dns_sd_configs"]
        (service,) = found["names"]
        assert each["job_name"] == f"millrace-{service}"
        ports[service] = found["port"]
    port_of_api = compose["api"]["environment"]["MILLRACE_API_HEALTH_PORT"]
    assert "MILLRACE_API_HEALTH_PORT" in variables(ApiSettings)
    assert ports == dict.fromkeys(SERVICES, 8080) | {"api": port_of_api}
    assert not [port for port in compose["api"]["ports"] if port.endswith(f":{port_of_api}")]
    mounted = {volume.split(":")[0] for name in ("prometheus", "grafana") for volume in compose[name]["volumes"]}
    assert all((ROOT / path).exists() for path in mounted if path.startswith("./"))


def _boards() -> list[tuple[str, dict[str, Any]]]:
    found = [(path.name, json.loads(path.read_text())) for path in sorted(FOLDER.glob("dashboards/*.json"))]
    assert [board["uid"] for _, board in found] == [name.removesuffix(".json") for name, _ in found]
    assert len(list(panels())) == sum(len(board["panels"]) for _, board in found)
    return found
