"""The Helm chart, rendered by Helm itself: what is deployed, who reaches whom, and that Kubernetes accepts it."""

from __future__ import annotations

import importlib.util
import io
import json
import os
import platform
import shutil
import subprocess
import tarfile
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any
from zipfile import ZipFile

import pytest
import yaml

from mmptf_common.process.settings import ServerSettings, ServiceSettings
from mmptf_gateway.settings import GatewaySettings
from tests.conftest import service_of
from tests.suite import DEPLOYABLES, NAMES, ROOT, SERVICES

CHART = ROOT / "deploy" / "chart"
VALUES = sorted((CHART / "ci").glob("*-values.yaml"))
SETTINGS: dict[str, type[ServerSettings]] = {
    "gateway": GatewaySettings,
    **{name: service_of(name).settings for name in SERVICES},
}
ASKS = {each.name: set(each.asks) for each in DEPLOYABLES} | {"gateway": set(SERVICES)}
NEEDS = {each.name: each.needs for each in DEPLOYABLES}
# The values with which every process has all that it may need.
ALL = ("--values", str(CHART / "ci" / "external-values.yaml"))
SECRETS = {
    "DATABASE_URL": "postgresql://role:password@host/database",
    "MIGRATION_DATABASE_URL": "postgresql://owner:password@host/database",
    "REDIS_URL": "redis://:password@host:6379/0",
}
Document = dict[str, Any]
Helm = Callable[..., subprocess.CompletedProcess[str]]


@pytest.fixture(scope="module")
def helm(tmp_path_factory: pytest.TempPathFactory) -> Helm:
    """Run Helm with these arguments: the one of the machine, or that of a wheel."""
    program = shutil.which("helm") or helm_of_the_wheel(tmp_path_factory.mktemp("helm") / "helm")
    if program is None:
        pytest.skip("Helm is not installed (on x86-64: make .venv/longer)")
    home = tmp_path_factory.mktemp("home")
    environment = {**os.environ, "HOME": str(home), "HELM_CACHE_HOME": str(home)}

    def run(*arguments: str) -> subprocess.CompletedProcess[str]:
        command = [program, *arguments]
        return subprocess.run(command, env=environment, capture_output=True, text=True, timeout=60, check=False)

    return run


def helm_of_the_wheel(program: Path) -> str | None:
    """Helm as a file, out of an archive in an archive in the package of its wheel; None where it is not installed."""
    spec = importlib.util.find_spec("aws_cdk")
    folders = spec.submodule_search_locations if spec else None
    found = [path for folder in folders or () for path in Path(folder).glob("lambda_layer_kubectl_*/_jsii/*.tgz")]
    if not found or platform.machine() != "x86_64":
        return None
    with tarfile.open(found[0]) as package:
        layer = package.extractfile("package/lib/layer.zip")
        assert layer is not None
        with ZipFile(io.BytesIO(layer.read())) as files:
            program.write_bytes(files.read("helm/helm"))
    program.chmod(0o755)
    return str(program)


def render(helm: Helm, *arguments: str, release: str = "mmptf") -> list[Document]:
    done = helm("template", release, str(CHART), *arguments)
    assert done.returncode == 0, done.stderr
    return [document for document in yaml.safe_load_all(done.stdout) if document]


def of_kind(documents: Iterable[Document], kind: str) -> dict[str, Document]:
    """Name -> document of a kind, of which each name has one."""
    found = [document for document in documents if document["kind"] == kind]
    named = {document["metadata"]["name"]: document for document in found}
    assert len(named) == len(found)
    return named


def pods(documents: Iterable[Document]) -> list[Document]:
    return [document["spec"]["template"] for document in documents if document["kind"] in {"Deployment", "Job"}]


def containers(pod: Document) -> list[Document]:
    return [*pod["spec"].get("initContainers", []), *pod["spec"]["containers"]]


def environment_of(container: Document) -> dict[str, str]:
    """The variables as the process gets them, with an example in the place of a secret."""
    return {each["name"]: each["value"] if "value" in each else SECRETS[each["name"]] for each in container["env"]}


def component(peer: Document) -> str:
    """The component of the suite that a peer is, and nothing else is."""
    assert set(peer) == {"podSelector"}
    labels = peer["podSelector"]["matchLabels"]
    assert labels["app.kubernetes.io/part-of"] == "mmptf"
    assert set(labels) == {"app.kubernetes.io/part-of", "app.kubernetes.io/component"}
    return str(labels["app.kubernetes.io/component"])


@pytest.mark.longer
@pytest.mark.parametrize("values", [None, *VALUES], ids=lambda values: values.stem if values else "none")
def test_helm_has_nothing_to_object_to(helm: Helm, values: Path | None) -> None:
    done = helm("lint", "--strict", "--quiet", str(CHART), *(("--values", str(values)) if values else ()))
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


@pytest.mark.longer
@pytest.mark.parametrize("values", VALUES, ids=lambda values: values.stem)
def test_kubernetes_accepts_what_is_rendered_in_its_newest_three_versions(helm: Helm, values: Path) -> None:
    kubernetes_validate = pytest.importorskip("kubernetes_validate", reason="it is not installed (make .venv/longer)")
    documents = render(helm, "--values", str(values))
    assert documents
    newest = sorted({tuple(map(int, each.split(".")[:2])) for each in kubernetes_validate.utils.all_versions()})[-3:]
    assert newest[-1] >= (1, 37)
    for major, minor in newest:
        for document in documents:
            kubernetes_validate.validate(document, f"{major}.{minor}", strict=True)


@pytest.mark.longer
def test_network_policies_are_what_the_map_says(helm: Helm) -> None:
    documents = render(helm, *ALL)
    policies = of_kind(documents, "NetworkPolicy")
    assert set(policies) == {
        *(f"mmptf-{name}" for name in NAMES),
        *(f"mmptf-{name}-migrate" for name in NAMES if "database" in NEEDS[name]),
    }
    databases = {
        "catalog": ("192.0.2.21/32", 5432),
        "funding": ("192.0.2.22/32", 5432),
        "markers": ("192.0.2.23/32", 6432),
    }
    for name in NAMES:
        spec = policies[f"mmptf-{name}"]["spec"]
        assert spec["policyTypes"] == ["Ingress", "Egress"]
        assert component({"podSelector": spec["podSelector"]}) == name
        (entering,) = spec["ingress"]
        assert entering["ports"] == [{"protocol": "TCP", "port": 8000}]
        if name == "gateway":
            assert entering["from"] == [
                {"namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": "ingress-nginx"}}}
            ]
        else:
            assert {component(peer) for peer in entering["from"]} == {other for other in NAMES if name in ASKS[other]}
        dns, *leaving = spec["egress"]
        assert {(port["protocol"], port["port"]) for port in dns["ports"]} == {("UDP", 53), ("TCP", 53)}
        asked = {component(to) for rule in leaving for to in rule["to"] if "podSelector" in to}
        assert asked == ASKS[name]
        blocks = {
            (to["ipBlock"]["cidr"], port["port"])
            for rule in leaving
            for to in rule["to"]
            for port in rule["ports"]
            if "ipBlock" in to
        }
        expected = {databases[name]} if "database" in NEEDS[name] else set()
        expected |= {("192.0.2.10/32", 6380)} if "cache" in NEEDS[name] else set()
        expected |= {("0.0.0.0/0", 443), ("::/0", 443)} if "identity" in NEEDS[name] else set()
        assert blocks == expected
    for name in SERVICES:
        spec = policies[f"mmptf-{name}-migrate"]["spec"]
        assert component({"podSelector": spec["podSelector"]}) == f"{name}-migrate"
        assert spec["ingress"] == []
        _, (to,) = (rule["to"] for rule in spec["egress"])
        assert (to["ipBlock"]["cidr"], spec["egress"][1]["ports"][0]["port"]) == databases[name]


@pytest.mark.longer
def test_a_suite_without_redis_and_identity_provider_reaches_neither(helm: Helm) -> None:
    policies = of_kind(render(helm), "NetworkPolicy")
    for name in NAMES:
        reached = [to for rule in policies[f"mmptf-{name}"]["spec"]["egress"] for to in rule["to"]]
        assert len(reached) == 1 + len(ASKS[name]) + ("database" in NEEDS[name])


@pytest.mark.longer
def test_who_is_no_member_is_neither_reached_nor_lets_anybody_in(helm: Helm) -> None:
    members = "members={catalog,funding,gateway}"
    documents = render(helm, "--set", members, "--set", "deploys={catalog,funding,gateway}")
    assert "markers" not in json.dumps(documents)


@pytest.mark.longer
def test_releases_of_one_process_each_are_the_suite_as_one_release(helm: Helm) -> None:
    def without_the_release(documents: Iterable[Document]) -> dict[tuple[str, str], Any]:
        text = [(d["kind"], d["metadata"]["name"], json.dumps(d, sort_keys=True)) for d in documents]
        return {(kind, name): json.loads(it.replace('instance": "of-', 'instance": "')) for kind, name, it in text}

    whole = render(helm, *ALL, "--set", "suite=mmptf", release="whole")
    apart = [
        document
        for name in NAMES
        for document in render(helm, *ALL, "--set", "suite=mmptf", "--set", f"deploys={{{name}}}", release="of-whole")
    ]
    assert without_the_release(apart) == without_the_release(whole)


@pytest.mark.longer
@pytest.mark.parametrize("values", VALUES, ids=lambda values: values.stem)
def test_every_process_accepts_its_settings(helm: Helm, values: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    documents = render(helm, "--values", str(values))
    stated = yaml.safe_load(values.read_text())
    members = stated.get("members", NAMES)
    for deployment in of_kind(documents, "Deployment").values():
        (container,) = containers(deployment["spec"]["template"])
        name = container["name"]
        environment = environment_of(container)
        assert set(environment) <= {field.upper() for field in SETTINGS[name].model_fields}
        with monkeypatch.context() as patched:
            for variable, value in environment.items():
                patched.setenv(variable, value)
            settings = SETTINGS[name]()
        addresses = {other: f"http://mmptf-{other}:8000" for other in ASKS[name] & set(members)}
        if isinstance(settings, GatewaySettings):
            assert settings.services == addresses
        else:
            found = {field.removesuffix("_url"): getattr(settings, field) for field in type(settings).model_fields}
            assert {other: found[other] for other in ASKS[name] if found[other]} == addresses
        assert settings.base_path == stated.get("basePath", "")
        assert settings.drain_seconds == stated.get("drainSeconds", 10)
        spec = deployment["spec"]["template"]["spec"]
        assert spec["terminationGracePeriodSeconds"] == settings.drain_seconds + 25


@pytest.mark.longer
def test_only_the_migration_knows_the_owner(helm: Helm) -> None:
    documents = render(helm, *ALL)
    jobs = of_kind(documents, "Job")
    assert set(jobs) == {f"mmptf-{name}-migrate" for name in SERVICES}
    for name in SERVICES:
        job = jobs[f"mmptf-{name}-migrate"]
        assert job["metadata"]["annotations"]["helm.sh/hook"] == "pre-install,pre-upgrade"
        before = of_kind(documents, "NetworkPolicy")[f"mmptf-{name}-migrate"]["metadata"]["annotations"]
        assert int(before["helm.sh/hook-weight"]) < int(job["metadata"]["annotations"]["helm.sh/hook-weight"])
        first, then = containers(job["spec"]["template"])
        assert (first["args"], then["args"]) == (["migrate"], ["seed"])
        assert {each["name"] for each in first["env"]} == {"DATABASE_URL", "MIGRATION_DATABASE_URL"}
        assert {each["name"] for each in then["env"]} == {"DATABASE_URL"}
        # Each of its own database.
        assert {each["valueFrom"]["secretKeyRef"]["name"] for each in first["env"]} == {
            f"{name}-database",
            f"{name}-database-owner",
        }
    serving = json.dumps(list(of_kind(documents, "Deployment").values()))
    assert "-owner" not in serving
    assert "MIGRATION_DATABASE_URL" not in serving


@pytest.mark.longer
@pytest.mark.parametrize("values", VALUES, ids=lambda values: values.stem)
def test_no_container_has_more_rights_than_it_needs(helm: Helm, values: Path) -> None:
    for pod in pods(render(helm, "--values", str(values))):
        spec = pod["spec"]
        assert spec["securityContext"] == {
            "runAsNonRoot": True,
            "runAsUser": 10001,
            "runAsGroup": 10001,
            "seccompProfile": {"type": "RuntimeDefault"},
        }
        assert spec["automountServiceAccountToken"] is spec["enableServiceLinks"] is False
        for container in containers(pod):
            assert container["securityContext"] == {
                "allowPrivilegeEscalation": False,
                "readOnlyRootFilesystem": True,
                "capabilities": {"drop": ["ALL"]},
            }
            assert {"cpu", "memory"} == set(container["resources"]["limits"])
            # What is secret comes from a Secret.
            assert not {each["name"] for each in container["env"] if "value" in each} & set(SECRETS)


@pytest.mark.longer
def test_two_of_each_serve_unless_load_says_otherwise(helm: Helm) -> None:
    documents = render(helm)
    assert not of_kind(documents, "HorizontalPodAutoscaler")
    deployments = of_kind(documents, "Deployment")
    assert {name: each["spec"]["replicas"] for name, each in deployments.items()} == {f"mmptf-{n}": 2 for n in NAMES}
    for name, each in deployments.items():
        (container,) = containers(each["spec"]["template"])
        probes = {
            probe: container[f"{probe}Probe"]["httpGet"]["path"] for probe in ("startup", "liveness", "readiness")
        }
        assert probes == {"startup": "/health/live", "liveness": "/health/live", "readiness": "/health/ready"}
        labels = each["spec"]["template"]["metadata"]["labels"].items()
        selectors = [
            each["spec"]["selector"]["matchLabels"],
            of_kind(documents, "Service")[name]["spec"]["selector"],
            of_kind(documents, "PodDisruptionBudget")[name]["spec"]["selector"]["matchLabels"],
            of_kind(documents, "NetworkPolicy")[name]["spec"]["podSelector"]["matchLabels"],
        ]
        assert all(selector.items() <= labels for selector in selectors)
        jobs = of_kind(documents, "Job").values()
        for job in jobs:
            others = job["spec"]["template"]["metadata"]["labels"].items()
            assert not any(selector.items() <= others for selector in selectors), "no request is sent to a job"
    scaled = render(helm, "--values", str(CHART / "ci" / "autoscaled-values.yaml"))
    bounds = {
        name: (each["spec"]["minReplicas"], each["spec"]["maxReplicas"])
        for name, each in of_kind(scaled, "HorizontalPodAutoscaler").items()
    }
    assert bounds == {f"mmptf-{name}": (2, 6) for name in NAMES} | {"mmptf-catalog": (3, 12)}
    assert not any("replicas" in each["spec"] for each in of_kind(scaled, "Deployment").values())


@pytest.mark.longer
def test_only_the_gateway_is_led_to_below_its_path(helm: Helm) -> None:
    (ingress,) = of_kind(render(helm, *ALL), "Ingress").values()
    (rule,) = ingress["spec"]["rules"]
    (path,) = rule["http"]["paths"]
    assert (rule["host"], path["path"], path["pathType"]) == ("figures.example.org", "/api", "Prefix")
    assert path["backend"]["service"] == {"name": "mmptf-gateway", "port": {"name": "http"}}
    assert not of_kind(render(helm), "Ingress")
    assert {each["spec"].get("type", "ClusterIP") for each in of_kind(render(helm), "Service").values()} == {
        "ClusterIP"
    }


@pytest.mark.longer
@pytest.mark.parametrize(
    ("setting", "said"),
    [
        ("settings.COLOUR=3", "invalid propertyName 'COLOUR'"),
        ("settings.DATABASE_URL=postgresql://role:password@host/name", "invalid propertyName 'DATABASE_URL'"),
        ("processes.gateway.settings.DATABASE_POOL=3", "invalid propertyName 'DATABASE_POOL'"),
        ("processes.catalog.replicas=0", "at '/processes/catalog/replicas': minimum: got 0, want 1"),
        ("basePath=api/", "at '/basePath': 'api/' does not match pattern"),
        ("identity.issuer=https://login.example.org", "at '/identity/audience': minLength: got 0, want 1"),
        ("ingress.tlsSecret=tls", "at '/ingress/host': minLength: got 0, want 1"),
        ("members={catalog}", "no items match contains schema"),
        ("members={catalog,gateway}", "deploys: funding is to be deployed and no member of the suite (members)"),
        ("image.tags=1", "additional properties 'tags' not allowed"),
        ("processes.catalog.database.peers=null", "'/processes/catalog/database': missing property 'peers'"),
    ],
)
def test_values_that_are_wrong_say_what_is_allowed(helm: Helm, setting: str, said: str) -> None:
    done = helm("template", "mmptf", str(CHART), "--set", setting)
    assert done.returncode != 0
    assert said in done.stderr


def test_the_schema_names_every_setting_that_the_chart_does_not_set_itself() -> None:
    schema = json.loads((CHART / "values.schema.json").read_text())["properties"]
    by_values = {"port", "drain_seconds", "base_path", "redis_url", "metrics_port", "otel_exporter_otlp_endpoint"}
    of_all = set(ServerSettings.model_fields) - by_values
    assert set(schema["settings"]["propertyNames"]["enum"]) == {name.upper() for name in of_all}
    by_values |= {"services", "database_url", "migration_database_url", "database_direct_url", "database_read_url"}
    by_values |= {name for name in ServiceSettings.model_fields if name.startswith("identity_")}
    by_values |= {f"{name}_url" for name in SERVICES}
    for name in NAMES:
        stated = schema["processes"]["properties"][name]["properties"]["settings"]["propertyNames"]["enum"]
        assert set(stated) == {field.upper() for field in set(SETTINGS[name].model_fields) - by_values}


def test_a_pod_has_what_a_container_of_compose_has() -> None:
    processes = yaml.safe_load((CHART / "values.yaml").read_text())["processes"]
    compose = yaml.safe_load((ROOT / "compose.external.yaml").read_text())
    assert set(processes) == set(NAMES)
    for name in NAMES:
        container = compose["services"][name]
        limits = container["deploy"]["resources"]["limits"]
        (temporary,) = container["tmpfs"]
        assert processes[name]["temporary"] == temporary.partition("=")[2].removesuffix("m") + "Mi"
        assert processes[name]["resources"]["limits"]["memory"] == limits["memory"].removesuffix("M") + "Mi"
        assert float(processes[name]["resources"]["limits"]["cpu"]) == float(limits["cpus"])
