"""The Helm chart, rendered, and what it renders held against the schemas of Kubernetes and of the operators that read it."""

import json
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any

import helm_python
import kubernetes_validate  # type: ignore[import-untyped]
import yaml  # type: ignore[import-untyped]
from jsonschema import Draft202012Validator  # type: ignore[import-untyped]

ROOT = Path(__file__).resolve().parents[2]
CHART = ROOT / "deploy/chart"
VALUES = {path.name.removesuffix("-values.yaml"): path for path in sorted(CHART.glob("ci/*-values.yaml"))}
SCHEMAS = ROOT / "tests/data/schemas"
RELEASE, NAMESPACE = "millrace", "video"

Object = dict[str, Any]


def values_of(name: str) -> Object:
    """The values of one of the files in ``ci``."""
    found = yaml.safe_load(VALUES[name].read_text())
    assert isinstance(found, dict)
    return found


def render(values: Object) -> list[Object]:
    """All objects of Kubernetes that the chart makes of these values, hooks included.

    Raises:
        helm_python.HelmError: the values do not fit the schema, or a template refuses them.
    """
    with helm_python.Chart.load(CHART) as chart:
        files = chart.render(values, name=RELEASE, namespace=NAMESPACE)
    texts = [text for name, text in sorted(files.items()) if not name.endswith(".txt")]
    return [document for text in texts for document in yaml.safe_load_all(text) if document]


def notes(values: Object) -> str:
    """What ``helm install`` prints."""
    with helm_python.Chart.load(CHART) as chart:
        return chart.render(values, name=RELEASE, namespace=NAMESPACE)[f"{RELEASE}/templates/NOTES.txt"]


def of_kind(objects: list[Object], kind: str) -> dict[str, Object]:
    """The objects of a kind by their names, without that of the release."""
    return {each["metadata"]["name"].removeprefix(f"{RELEASE}-"): each for each in objects if each["kind"] == kind}


def container(deployment: Object) -> Object:
    """The one container of a Deployment's pods."""
    [found] = deployment["spec"]["template"]["spec"]["containers"]
    assert isinstance(found, dict)
    return found


def environment(deployment: Object) -> dict[str, Any]:
    """Environment variables of a Deployment's pods: text, or where it comes from."""
    variables = container(deployment)["env"]
    assert len({each["name"] for each in variables}) == len(variables), "a variable is set twice"
    return {each["name"]: each.get("value", each.get("valueFrom")) for each in variables}


def validate(document: Object, kubernetes: str) -> None:
    """Hold an object against the schema of its kind; members that are not in it are errors.

    Args:
        kubernetes: the version, such as 1.30.

    Raises:
        jsonschema.ValidationError: it does not fit.
    """
    kind = document["kind"].lower()
    if (SCHEMAS / f"{kind}.json").exists():
        _custom(kind).validate(document)
    else:
        kubernetes_validate.validate(document, kubernetes, strict=True)


@cache
def _custom(kind: str) -> Draft202012Validator:
    schema = json.loads((SCHEMAS / f"{kind}.json").read_text())
    schema["properties"]["metadata"] = {"type": "object", "required": ["name", "labels"]}
    return Draft202012Validator(_strict(schema))


def _strict(schema: Any) -> Any:
    # The API server drops members that it does not know, or warns of them; here they are mistakes.
    if isinstance(schema, list):
        return [_strict(each) for each in schema]
    if not isinstance(schema, Mapping):
        return schema
    strict = {name: _strict(each) for name, each in schema.items()}
    if "properties" in schema and not schema.get("x-kubernetes-preserve-unknown-fields"):
        strict.setdefault("additionalProperties", False)
    return strict
