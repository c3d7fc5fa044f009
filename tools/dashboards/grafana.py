"""Panels and dashboards, and their JSON as Grafana (10 or newer) imports and provisions it."""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Literal

Unit = Literal["short", "s", "bytes", "Bps", "percentunit", "reqps", "ops", "none", "x"]
"""Grafana's names of units; ``x`` is a plain factor."""

SCHEMA = 39
_SOURCE = {"type": "prometheus", "uid": "${datasource}"}
_WIDTH, _ROW_HEIGHT, _STAT_HEIGHT = 24, 8, 4


@dataclass(frozen=True)
class Query:
    """A query and what its lines are called, in Grafana's template language."""

    expr: str
    legend: str = ""


@dataclass(frozen=True)
class Panel:
    """A graph, or a single number.

    Attributes:
        about: what a reader has to know to judge it.
        stat: the number now, instead of its course.
        stacked: lines that add up to a whole.
    """

    title: str
    queries: tuple[Query, ...]
    unit: Unit = "short"
    about: str = ""
    stat: bool = False
    stacked: bool = False


@dataclass(frozen=True)
class Board:
    """A dashboard: rows of panels that share the width.

    Attributes:
        uid: what it is called in addresses, and the name of its file.
    """

    uid: str
    title: str
    rows: tuple[tuple[Panel, ...], ...]


def graph(title: str, *queries: tuple[str, str], unit: Unit = "short", about: str = "", stacked: bool = False) -> Panel:
    """A graph of queries with their legends."""
    return Panel(title, tuple(Query(*query) for query in queries), unit, about, stacked=stacked)


def number(title: str, expr: str, *, unit: Unit = "short", about: str = "") -> Panel:
    """A single number."""
    return Panel(title, (Query(expr),), unit, about, stat=True)


def board_json(board: Board) -> str:
    """The file's text."""
    document = {
        "uid": board.uid,
        "title": board.title,
        "tags": ["millrace"],
        "schemaVersion": SCHEMA,
        "version": 1,
        "editable": True,
        "refresh": "30s",
        "time": {"from": "now-3h", "to": "now"},
        "timezone": "browser",
        "links": [{"type": "dashboards", "title": "Millrace", "tags": ["millrace"], "asDropdown": False}],
        "templating": {
            "list": [{"name": "datasource", "label": "Data source", "type": "datasource", "query": "prometheus"}]
        },
        "panels": list(_panels(board)),
    }
    return json.dumps(document, indent=1) + "\n"


def _panels(board: Board) -> Iterator[dict[str, Any]]:
    number_of, top = 0, 0
    for row in board.rows:
        height = _STAT_HEIGHT if all(panel.stat for panel in row) else _ROW_HEIGHT
        width = _WIDTH // len(row)
        for place, panel in enumerate(row):
            number_of += 1
            yield _panel(panel, number_of, {"x": place * width, "y": top, "w": width, "h": height})
        top += height


def _panel(panel: Panel, identity: int, place: dict[str, int]) -> dict[str, Any]:
    targets = [
        {
            "refId": chr(ord("A") + number),
            "datasource": _SOURCE,
            "editorMode": "code",
            "expr": query.expr,
            "legendFormat": query.legend or "__auto",
            "range": not panel.stat,
            "instant": panel.stat,
        }
        for number, query in enumerate(panel.queries)
    ]
    defaults: dict[str, Any] = {"unit": "none" if panel.unit == "x" else panel.unit, "min": 0}
    options: dict[str, Any] = {"reduceOptions": {"calcs": ["lastNotNull"]}, "colorMode": "none"}
    if not panel.stat:
        stacking = {"mode": "normal" if panel.stacked else "none"}
        defaults["custom"] = {"fillOpacity": 20 if panel.stacked else 0, "stacking": stacking, "showPoints": "never"}
        options = {"legend": {"displayMode": "list", "placement": "bottom"}, "tooltip": {"mode": "multi"}}
    return {
        "id": identity,
        "type": "stat" if panel.stat else "timeseries",
        "title": panel.title,
        "description": panel.about,
        "datasource": _SOURCE,
        "gridPos": place,
        "fieldConfig": {"defaults": defaults, "overrides": []},
        "options": options,
        "targets": targets,
    }
