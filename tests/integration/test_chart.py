"""The Helm chart: rendered, linted and validated for all kinds of values, and saying what the code says."""

import re
from copy import deepcopy
from pathlib import Path
from typing import Any

import helm_python
import jsonschema  # type: ignore[import-untyped]
import pytest
import yaml  # type: ignore[import-untyped]

from shared.bus.topology import DURABLES
from shared.settings import SERVICES, CommonSettings, variables
from tests.support.chart import (
    CHART,
    ROOT,
    VALUES,
    container,
    environment,
    notes,
    of_kind,
    render,
    validate,
    values_of,
)
from tests.support.prometheus import FOLDER, alerts
from tools.documents.settings import settings_models

KUBERNETES = ("1.30", "1.37")
TLS_FILES = {f"MILLRACE_NATS_TLS_{name}" for name in ("CA", "CERT", "KEY")}
BUS_USERS = {"MILLRACE_API_BUS_ISSUER_SEED", "MILLRACE_API_BUS_SYSTEM_URL"}
LICENCES = "MILLRACE_API_LICENCE_SERVER_URL"
BUCKET_KEYS = {"AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"}
WORKERS = tuple(service for service in SERVICES if service != "api")
FILLED = {
    "MILLRACE_SEAL_KEYS": "A" * 43 + "=",
    "MILLRACE_API_DATABASE_URL": "postgresql://millrace:x@127.0.0.1/millrace",
    "MILLRACE_NATS_URL": "nats://127.0.0.1:4222",
}


@pytest.mark.parametrize("name", VALUES)
def test_every_set_of_values_gives_what_kubernetes_takes(name: str) -> None:
    values = values_of(name)
    report = helm_python.lint(CHART, values, strict=True)
    assert report["errors"] == []
    assert [each["error"] for each in report["messages"]] == ["icon is recommended"]
    objects = render(values)
    assert set(of_kind(objects, "Deployment")) == set(SERVICES)
    for each in objects:
        for version in KUBERNETES:
            validate(each, version)
    named = [(each["kind"], each["metadata"]["name"]) for each in objects]
    assert len(set(named)) == len(named)


@pytest.mark.parametrize("name", VALUES)
def test_services_start_with_what_their_pods_are_given(name: str) -> None:
    for service, deployment in of_kind(render(values_of(name)), "Deployment").items():
        given = environment(deployment)
        secret = {variable for variable, value in given.items() if isinstance(value, dict)}
        texts = {variable: value for variable, value in given.items() if isinstance(value, str)} | {
            variable: FILLED[variable] for variable in secret if variable in FILLED
        }
        # Files of Secrets, which are not here.
        files = {variable: Path(texts.pop(variable)) for variable in list(texts) if variable in TLS_FILES}
        mounts = [Path(mount["mountPath"]) for mount in container(deployment)["volumeMounts"]]
        assert all(file.parent in mounts for file in files.values())
        settings = settings_models()[service].from_environment(texts)
        pod = deployment["spec"]["template"]["spec"]
        assert pod["terminationGracePeriodSeconds"] >= settings.model_dump()["grace_seconds"] + 30
        ports = {port["name"]: port["containerPort"] for port in container(deployment)["ports"]}
        assert ports["health"] == settings.model_dump()["health_port"]
        # No password stands in a manifest, and nobody has one who does not need it.
        database = {"MILLRACE_API_DATABASE_URL"} if service == "api" else set()
        optional = BUS_USERS | BUCKET_KEYS | {LICENCES}
        sealing = {"MILLRACE_SEAL_KEYS"} if service != "transcoder" else set()
        assert secret - optional == {"MILLRACE_NATS_URL"} | sealing | database
        assert service == "api" or not secret & (BUS_USERS | {LICENCES})
        # Kubernetes' own variables about a Service begin with the prefix of the settings.
        assert pod["enableServiceLinks"] is False


def test_every_setting_named_in_the_chart_exists() -> None:
    known = {name for model in settings_models().values() for name in variables(model)}
    for path in sorted(path for path in CHART.rglob("*") if path.is_file()):
        named = set(re.findall(r"MILLRACE_[A-Z]+(?:_[A-Z]+)*(?![A-Z_<…(])", path.read_text()))
        assert named <= known, path


@pytest.mark.parametrize("name", VALUES)
def test_pods_may_do_as_little_as_the_images_need(name: str) -> None:
    dockerfile = (ROOT / "Dockerfile").read_text()
    user, port = re.search(r"(?m)^USER (\d+):\1$", dockerfile), re.search(r"(?m)^EXPOSE (\d+)$", dockerfile)
    folder = re.search(r"install .* (/\S+/workspace)\b", dockerfile)
    assert user
    assert port
    assert folder
    for service, deployment in of_kind(render(values_of(name)), "Deployment").items():
        pod, own = deployment["spec"]["template"]["spec"], container(deployment)
        assert pod["securityContext"]["runAsNonRoot"] is True
        for who in ("runAsUser", "runAsGroup", "fsGroup"):
            assert pod["securityContext"][who] == int(user[1])
        assert pod["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}
        assert pod["automountServiceAccountToken"] is False
        assert own["securityContext"] == {
            "allowPrivilegeEscalation": False, "readOnlyRootFilesystem": True, "capabilities": {"drop": ["ALL"]}
        }  # fmt: skip
        assert own["image"].rpartition("/")[2].partition(":")[0] == f"millrace-{service}"
        assert int(port[1]) in [each["containerPort"] for each in own["ports"]]
        mounts = {mount["name"]: mount["mountPath"] for mount in own["volumeMounts"]}
        assert mounts.get("workspace", folder[1]) == folder[1]
        assert own["resources"]["limits"]["memory"]


def test_scalers_read_consumers_that_exist_and_every_consumer_of_a_service_is_read() -> None:
    objects = of_kind(render(values_of("s3")), "ScaledObject")
    assert set(objects) == set(WORKERS)
    read = {
        (trigger["metadata"]["stream"], trigger["metadata"]["consumer"])
        for each in objects.values()
        for trigger in each["spec"]["triggers"]
    }
    assert read == {(durable.stream, durable.name) for durable in DURABLES}


def test_nats_is_reached_by_tls_where_there_is_a_secret_for_it() -> None:
    for deployment in of_kind(render(values_of("s3")), "Deployment").values():
        given = environment(deployment)
        assert given["MILLRACE_NATS_TLS_FIRST"] == "true"
        assert {variable for variable in given if variable in TLS_FILES} == TLS_FILES
    for deployment in of_kind(render(changed("nats/tls", {"existingSecret": "ca-alone"})), "Deployment").values():
        assert environment(deployment).keys() & TLS_FILES == {"MILLRACE_NATS_TLS_CA"}
    for deployment in of_kind(render(values_of("gpu")), "Deployment").values():
        assert not any("TLS" in variable for variable in environment(deployment))


def test_only_the_api_knows_the_keys_of_bus_users() -> None:
    for service, deployment in of_kind(render(values_of("s3")), "Deployment").items():
        assert environment(deployment).keys() & BUS_USERS == (BUS_USERS if service == "api" else set())


def test_a_scaled_service_leaves_its_number_to_the_scaler() -> None:
    values = values_of("gpu")
    deployments = of_kind(render(values), "Deployment")
    assert "replicas" not in deployments["transcoder"]["spec"]
    assert deployments["uploader"]["spec"]["replicas"] == 2
    scaled = of_kind(render(values), "ScaledObject")["transcoder"]["spec"]
    assert (scaled["minReplicaCount"], scaled["maxReplicaCount"]) == (0, 8)
    # 80 % of three slots, rounded down, so that a fleet whose slots are all taken grows.
    [trigger] = scaled["triggers"]
    assert trigger["metadata"]["lagThreshold"] == "2"


def test_gpus_are_asked_for() -> None:
    transcoder = of_kind(render(values_of("gpu")), "Deployment")["transcoder"]
    pod = transcoder["spec"]["template"]["spec"]
    assert pod["runtimeClassName"] == "nvidia"
    assert pod["nodeSelector"] == {"nvidia.com/gpu.present": "true"}
    assert {"key": "nvidia.com/gpu", "operator": "Exists", "effect": "NoSchedule"} in pod["tolerations"]
    assert container(transcoder)["resources"]["limits"]["nvidia.com/gpu"] == 1
    assert environment(transcoder)["MILLRACE_TRANSCODER_ENCODER"] == "h264_nvenc"
    # There may be no GPU left for a further pod.
    assert transcoder["spec"]["strategy"]["rollingUpdate"]["maxSurge"] == 0


def test_a_bucket_takes_the_place_of_the_volume() -> None:
    objects = render(values_of("s3"))
    assert of_kind(objects, "PersistentVolumeClaim") == {}
    for service, deployment in of_kind(objects, "Deployment").items():
        uses = service in ("fetcher", "transcoder", "uploader")
        url = environment(deployment).get("MILLRACE_WORKSPACE_URL")
        assert url == ("s3://millrace-workspace/prod?region=eu-central-1" if uses else None)
        assert not any(name.startswith("AWS_") for name in environment(deployment))
        volumes = {each["name"]: each for each in deployment["spec"]["template"]["spec"]["volumes"]}
        assert not any("persistentVolumeClaim" in volume for volume in volumes.values())
        # The file system of the image cannot be written.
        mounts = {mount["name"]: mount["mountPath"] for mount in container(deployment)["volumeMounts"]}
        assert mounts.get("scratch") == (str(CommonSettings.model_fields["scratch"].default) if uses else None)
        if uses:
            assert environment(deployment)["MILLRACE_SCRATCH_BYTES"] == str(100 * 2**30)
            assert volumes["scratch"]["emptyDir"] == {"sizeLimit": "110Gi"}
        account = of_kind(objects, "ServiceAccount")[service]
        assert bool(account["metadata"].get("annotations")) == uses
    assert "scratch" not in str(render(values_of("gpu")))
    keyed = values_of("s3") | {"workspace": {"url": "s3://b/p", "existingSecret": "bucket"}}
    for service, deployment in of_kind(render(keyed), "Deployment").items():
        uses = service in ("fetcher", "transcoder", "uploader")
        assert ("AWS_SECRET_ACCESS_KEY" in environment(deployment)) == uses


def test_everything_off_leaves_deployments_and_services() -> None:
    kinds = {each["kind"] for each in render(values_of("bare"))}
    assert kinds == {"Deployment", "Service", "Pod"}


COLUMNS = {"NATS": {4222}, "PostgreSQL": {5432}, "work space": {443}}


@pytest.mark.parametrize("space", ["s3", "gpu"])
def test_network_policies_say_what_the_table_in_the_architecture_says(space: str) -> None:
    text = (ROOT / "docs/architecture.md").read_text().partition("## What each process may reach\n")[2]
    lines = (line for line in text.split("\n\n")[0].splitlines() if line.startswith("|"))
    rows = [[cell.strip() for cell in line.strip("|").split("|")] for line in lines]
    columns = rows[0][1:]
    assert {row[0] for row in rows[2:]} >= set(SERVICES)
    policies = of_kind(render(values_of(space)), "NetworkPolicy")
    assert set(policies) == set(SERVICES)
    for service, *cells in (row for row in rows if row[0] in SERVICES):
        reaches = {column for column, cell in zip(columns, cells, strict=True) if cell}
        expected = {frozenset({53})}
        expected |= {frozenset(ports) for column, ports in COLUMNS.items() if column in reaches}
        if space == "gpu":
            # A volume is mounted by the node.
            expected -= {frozenset({443})}
        if reaches & {"source", "bucket", "webhooks"}:
            expected |= {frozenset()}
        rules = policies[service]["spec"]["egress"]
        if space == "s3":
            # Traces, which are an addition of the values.
            assert [port["port"] for port in rules.pop()["ports"]] == [4318]
        assert {frozenset(port["port"] for port in rule.get("ports", ())) for rule in rules} == expected, service
        for rule in rules:
            # What customers name is on the internet, never inside.
            for peer in rule["to"] if not rule.get("ports") else ():
                assert {"10.0.0.0/8", "fc00::/7"} & set(peer["ipBlock"]["except"])


def test_rules_and_dashboards_are_those_of_the_observability_folder() -> None:
    values = changed("monitoring/rules/runbooks", "https://wiki.example.com/operations")
    objects, folder = render(values), ROOT / "deploy/observability"
    [rules] = of_kind(objects, "PrometheusRule").values()
    text = (folder / "alerts.yaml").read_text().replace("docs/operations.md", "https://wiki.example.com/operations")
    assert rules["spec"] == yaml.safe_load(text)
    assert "https://wiki.example.com/operations#" in str(rules)
    maps = of_kind(objects, "ConfigMap").values()
    data = {name: text for each in maps for name, text in each["data"].items()}
    assert data == {path.name: path.read_text() for path in folder.glob("dashboards/*.json")}
    assert all(each["metadata"]["labels"]["grafana_dashboard"] == "1" for each in maps)


def test_a_package_has_all_of_it(tmp_path: Path) -> None:
    archive = helm_python.package(CHART, destination=tmp_path, version="1.2.3", app_version="1.2.3")
    with helm_python.Chart.load(archive) as chart:
        files = chart.render(values_of("gpu"), name="millrace", namespace="video")
    assert 'image: "millrace-api:1.2.3"' in files["millrace/templates/deployments.yaml"]
    assert "kind: PrometheusRule" in files["millrace/templates/monitoring.yaml"]
    assert "kind: ConfigMap" in files["millrace/templates/monitoring.yaml"]


def test_series_have_the_names_of_jobs_that_rules_and_dashboards_look_for() -> None:
    [monitor] = of_kind(render(values_of("s3")), "ServiceMonitor").values()
    [endpoint] = monitor["spec"]["endpoints"]
    [relabeling] = endpoint["relabelings"]
    names = {relabeling["replacement"].replace("$1", service) for service in SERVICES}
    text = (ROOT / "deploy/observability/prometheus.yml").read_text()
    assert names == {each["job_name"] for each in yaml.safe_load(text)["scrape_configs"]}


def test_the_test_of_the_release_may_reach_the_api_where_not_everybody_may() -> None:
    objects = render(values_of("s3"))
    [pod] = of_kind(objects, "Pod").values()
    http, _health = of_kind(objects, "NetworkPolicy")["api"]["spec"]["ingress"]
    [own] = [peer["podSelector"]["matchLabels"] for peer in http["from"] if "podSelector" in peer]
    assert own.items() <= pod["metadata"]["labels"].items()
    # It is no target of the Services.
    for service in of_kind(objects, "Service").values():
        assert not service["spec"]["selector"].items() <= pod["metadata"]["labels"].items()


def changed(path: str, value: Any, name: str = "s3") -> dict[str, Any]:
    """Values of a file with one of them changed; the path has dots."""
    values: dict[str, Any] = deepcopy(values_of(name))
    *folders, last = path.split("/")
    place = values
    for folder in folders:
        place = place.setdefault(folder, {})
    place[last] = value
    return values


def test_alert_rules_and_dashboards_come_along() -> None:
    objects = render(values_of("s3"))
    (rules,) = of_kind(objects, "PrometheusRule").values()
    found = [rule for group in rules["spec"]["groups"] for rule in group["rules"]]
    assert found == alerts()
    boards = {name: text for each in of_kind(objects, "ConfigMap").values() for name, text in each["data"].items()}
    assert boards == {path.name: path.read_text() for path in FOLDER.glob("dashboards/*.json")}


@pytest.mark.parametrize(
    ("path", "value"),
    [
        ("transcodr", {}),
        ("transcoder/slot", 3),
        ("transcoder/slots", 0),
        ("transcoder/slots", None),
        ("transcoder/graceSeconds", 7200),
        ("transcoder/graceSeconds", "15m"),
        ("transcoder/autoscaling/max", 0),
        ("uploader/autoscaling/min", 0),
        ("sealKeys/existingSecret", ""),
        ("nats/keys", {"api": ""}),
        ("nats/monitoring/endpoint", "http://nats:8222"),
        ("nats/replicas", 7),
        ("settings/MILLRACE_SEAL_KEYS", "a secret in the open"),
        ("settings/log_level", "debug"),
        ("api/settings/MILLRACE_API_BUS_ISSUER_SEED", "a secret in the open"),
        ("settings/MILLRACE_API_LICENCE_SERVER_URL", "https://licences.example.com/?key=in-the-open"),
        ("api/settings/MILLRACE_API_LICENCE_SERVER_URL", "https://licences.example.com/?key=in-the-open"),
        ("transcoder/drainSeconds", -1),
        ("api/settings/MILLRACE_API_DATABASE_URL", "postgresql://millrace:x@db/millrace"),
        ("pods/env", [{"name": "MILLRACE_LOG_LEVEL", "value": "debug"}]),
        ("workspace/url", "file:///var/lib/millrace/workspace"),
        ("workspace/volume/accessModes", ["ReadOnlyMany"]),
        ("ingress/hosts", []),
        ("networkPolicy/customers/except", ["10.0.0.0"]),
        ("image/pullPolicy", "Sometimes"),
    ],
)
def test_values_that_do_not_fit_are_refused(path: str, value: Any) -> None:
    with pytest.raises(helm_python.HelmError):
        render(changed(path, value))


@pytest.mark.parametrize("variable", ["MILLRACE_TRANSCODER_SLOTS", "MILLRACE_TRANSCODER_GRACE_SECONDS"])
def test_what_the_chart_sets_is_not_set_beside_it(variable: str) -> None:
    with pytest.raises(helm_python.HelmRenderError, match=f"{variable} is set by the chart"):
        render(changed(f"transcoder/settings/{variable}", 5))


@pytest.mark.parametrize("name", VALUES)
def test_transcoders_finish_their_parts_before_their_pods_end(name: str) -> None:
    values = values_of(name)
    for service, deployment in of_kind(render(values), "Deployment").items():
        pod, hooks = deployment["spec"]["template"]["spec"], container(deployment).get("lifecycle", {})
        grace = pod["terminationGracePeriodSeconds"]
        if service != "transcoder":
            assert "exec" not in hooks.get("preStop", {})
        elif command := hooks.get("preStop", {}).get("exec", {}).get("command"):
            # Its end comes with that of the process, which waits for nothing else.
            given = re.fullmatch(r"kill -USR1 1 && sleep (\d+)", command[-1])
            assert given
            assert int(environment(deployment)["MILLRACE_TRANSCODER_GRACE_SECONDS"]) + int(given[1]) + 30 == grace
        else:
            assert name == "s3", "spot instances have no time for it"


def test_the_address_of_a_licence_server_comes_from_a_secret() -> None:
    given = environment(of_kind(render(values_of("s3")), "Deployment")["api"])[LICENCES]
    assert given == {"secretKeyRef": {"name": "millrace-licences", "key": "url"}}


def test_large_numbers_are_written_in_full() -> None:
    fetcher = of_kind(render(values_of("s3")), "Deployment")["fetcher"]
    assert environment(fetcher)["MILLRACE_FETCHER_MAX_BYTES"] == "53687091200"


def test_a_service_may_be_upgraded_before_the_others() -> None:
    deployments = of_kind(render(changed("api/image", "registry/millrace-api@sha256:1234")), "Deployment")
    assert container(deployments["api"])["image"] == "registry/millrace-api@sha256:1234"
    assert container(deployments["fetcher"])["image"] == "registry.example.com/video/millrace-fetcher:1.2.3"


def test_the_notes_name_the_secrets_and_the_first_steps() -> None:
    text = notes(values_of("gpu"))
    for word in ("millrace-seal-keys", "millrace-nats", "millrace-database", "bootstrap", "port-forward", "KEDA"):
        assert word in text
    assert "https://video.example.com/docs/" in notes(values_of("s3"))
    assert "MILLRACE_API_TRUSTED_PROXIES" not in notes(values_of("s3"))
    assert "MILLRACE_API_TRUSTED_PROXIES" in notes(changed("api/settings", {}))


def test_validation_would_notice_a_misspelt_member() -> None:
    for kind in ("Deployment", "ScaledObject"):
        each = deepcopy(of_kind(render(values_of("s3")), kind)["transcoder"])
        each["spec"]["replica"] = 1
        with pytest.raises(jsonschema.ValidationError):
            validate(each, KUBERNETES[0])
