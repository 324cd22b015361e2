"""What the processes of the suite say to Prometheus, and the dashboards and alert rules that are made of it."""

from __future__ import annotations

import json
import socket
import time
import uuid
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import promql_parser
import pytest
import yaml
from prometheus_client.parser import text_string_to_metric_families

from mmptf_catalog.programmes.examples import STATUS
from mmptf_common.process.build import build_of
from mmptf_local.suite import Suite
from tests.suite import NAMES, ROOT, SERVICES

OPERATIONS = {
    operation["operationId"]
    for name in SERVICES
    for path in json.loads((ROOT / f"services/{name}/openapi.json").read_text())["paths"].values()
    for operation in path.values()
}
# What Prometheus adds to each sample, and the figure that it makes of each scrape.
ADDED = {"job": "mmptf", "instance": "catalog:9464"}
CHANGES = {"changes": [{"programme": f"NONE-{n:02}", "etag": "*", **STATUS} for n in range(3)]}


@dataclass(frozen=True)
class Sample:
    name: str
    labels: dict[str, str]
    value: float


Scrape = list[Sample]


def scraped(suite: Suite, name: str) -> Scrape:
    answer = httpx.get(suite.metrics_urls[name])
    assert answer.headers["content-type"].startswith("text/plain")
    families = text_string_to_metric_families(answer.raise_for_status().text)
    return [Sample(each.name, each.labels, each.value) for family in families for each in family.samples]


def value(scrape: Scrape, name: str, **labels: str) -> float:
    """The sum of the samples with these labels."""
    return sum(each.value for each in scrape if each.name == name and labels.items() <= each.labels.items())


def token(suite: Suite, client: str) -> str:
    form = {"grant_type": "client_credentials", "client_id": client}
    granted: str = httpx.post(f"{suite.urls['issuer']}/token", data=form).json()["access_token"]
    return granted


@pytest.fixture(scope="module")
def gateway(suite: Suite) -> Iterator[httpx.Client]:
    with httpx.Client(base_url=suite.urls["gateway"]) as client:
        yield client


@pytest.fixture(scope="module")
def before(suite: Suite) -> dict[str, Scrape]:
    return {name: scraped(suite, name) for name in NAMES}


@pytest.fixture(scope="module")
def scrapes(suite: Suite, gateway: httpx.Client, before: dict[str, Scrape]) -> dict[str, Scrape]:
    """What all processes say after requests of each kind."""
    while "hit" not in gateway.get("/catalog/v1/programmes?limit=3").headers["cache-status"]:
        time.sleep(0.05)
    assert gateway.head("/catalog/v1/programmes/SRB-01").status_code == 200
    assert gateway.get("/catalog/v1/programmes/NONE-01").status_code == 404
    assert gateway.get("/catalog/v1/nothing").status_code == 404
    assert gateway.get("/funding/v1/contributions/totals").status_code == 200
    for each in "markers", "funding":
        while any(copy["caught_up"] is None for copy in gateway.get(f"/{each}/v1/copies").json()["copies"]):
            time.sleep(0.05)
    headers = {"authorization": f"Bearer {token(suite, 'management-unit')}", "idempotency-key": str(uuid.uuid4())}
    batch = gateway.post("/catalog/v1/status-changes?partial=true", json=CHANGES, headers=headers)
    assert batch.status_code == 200, batch.text
    assert gateway.get("/status").status_code == 200
    with socket.create_connection((suite.urls["gateway"].rpartition(":")[0][7:], gateway.base_url.port)) as raw:
        raw.sendall(b"no request\r\n\r\n")
        assert b" 400 " in raw.recv(1000)
    return {name: scraped(suite, name) for name in NAMES}


def test_requests_are_counted_by_operation_and_status(scrapes: dict[str, Scrape], before: dict[str, Scrape]) -> None:
    def more(service: str, **labels: str) -> float:
        name = "mmptf_requests_total"
        return value(scrapes[service], name, service=service, **labels) - value(before[service], name, **labels)

    assert more("catalog", operation="list_programmes", status="200") >= 1
    assert more("catalog", operation="get_programme", status="200") == 1
    assert more("catalog", operation="get_programme", status="404") == 1
    assert more("catalog", operation="none", status="404") == 1
    assert more("funding", operation="get_contribution_totals", status="200") == 1
    assert more("gateway", operation="catalog", status="200") >= 3
    assert more("gateway", operation="catalog", status="404") == 2
    assert more("gateway", operation="get_suite_status", status="200") == 1
    assert more("gateway", operation="none", status="400") == 1
    for name in SERVICES:
        found = {each.labels["operation"] for each in scrapes[name] if "operation" in each.labels}
        assert found <= OPERATIONS | {"none", "contract"}, name


def test_a_histogram_counts_each_request_once(scrapes: dict[str, Scrape]) -> None:
    for name in NAMES:
        requests: dict[str, float] = defaultdict(float)
        for each in scrapes[name]:
            if each.name == "mmptf_requests_total":
                requests[each.labels["operation"]] += each.value
        assert requests
        for operation, number in requests.items():
            assert value(scrapes[name], "mmptf_request_seconds_count", operation=operation) == number
            buckets = [
                each.value
                for each in scrapes[name]
                if each.name == "mmptf_request_seconds_bucket" and each.labels["operation"] == operation
            ]
            assert buckets == sorted(buckets) and buckets[-1] == number
            assert value(scrapes[name], "mmptf_request_seconds_sum", operation=operation) > 0 or operation == "none"


def test_the_state_of_each_service(scrapes: dict[str, Scrape], gateway: httpx.Client) -> None:
    status = {each["service"]: each for each in gateway.get("/status").json()["services"]}
    for name in SERVICES:
        found = scrapes[name]
        assert value(found, "mmptf_revision") == status[name]["revision"]
        assert value(found, "mmptf_build_info", build=build_of(f"mmptf-{name}"), version=status[name]["version"]) == 1
        assert value(found, "mmptf_database_up") == 1
        assert value(found, "mmptf_database_read_only") == 0
        assert value(found, "mmptf_cache_up") == 1
        assert value(found, "mmptf_database_connections_max", kind="page") == 10
        # The scrape's own question.
        assert value(found, "mmptf_database_connections", kind="probe") <= 1
        kinds = {each.labels["kind"] for each in found if each.name == "mmptf_database_connections"}
        assert kinds == {"page", "computed", "export", "probe", "write"}
        lags = {each.labels["source"]: each.value for each in found if each.name == "mmptf_replication_lag_seconds"}
        assert set(lags) == {"catalog": set(), "funding": {"catalog"}, "markers": {"catalog", "funding"}}[name]
        assert all(0 <= lag < 120 for lag in lags.values())
    assert value(scrapes["funding"], "mmptf_cache_reads_total", result="miss") >= 1
    assert value(scrapes["gateway"], "mmptf_cache_reads_total", result="hit") >= 1
    assert value(scrapes["gateway"], "mmptf_kept_bytes") > 0
    assert value(scrapes["gateway"], "mmptf_requests_in_flight") == 0


def test_problems_and_batches(scrapes: dict[str, Scrape], before: dict[str, Scrape]) -> None:
    for name, labels, expected in (
        ("mmptf_problems_total", {"code": "not_found"}, 1),
        ("mmptf_problems_total", {"code": "unknown_path"}, 0),
    ):
        assert value(scrapes["catalog"], name, **labels) >= expected
    assert value(scrapes["catalog"], "mmptf_batch_rows_sum", member="changes") == 3
    assert value(scrapes["catalog"], "mmptf_batch_rows_count", member="changes") == 1
    assert value(scrapes["gateway"], "mmptf_problems_total", code="bad_request") >= 1
    assert value(before["catalog"], "mmptf_problems_total", code="overloaded") == 0


def expressions(file: Path) -> Iterator[tuple[str, str]]:
    """The expressions of a dashboard or of alert rules, each with a name for it."""
    if file.suffix == ".json":
        dashboard = json.loads(file.read_text())
        for panel in dashboard["panels"]:
            for target in panel.get("targets", ()):
                yield panel["title"], target["expr"]
    else:
        for group in yaml.safe_load(file.read_text())["groups"]:
            for rule in group["rules"]:
                assert rule.keys() <= {"alert", "expr", "for", "labels", "annotations"}, rule
                assert rule["labels"]["severity"] in ("page", "ticket")
                assert rule["annotations"].keys() == {"summary", "action"}
                yield rule["alert"], rule["expr"]


def selectors(expression: Any, by: frozenset[str] = frozenset()) -> Iterator[tuple[Any, frozenset[str]]]:
    """The selectors in an expression, each with the labels by which its values are grouped."""
    match expression:
        case promql_parser.VectorSelector():
            yield expression, by
        case promql_parser.MatrixSelector():
            yield expression.vector_selector, by
        case promql_parser.AggregateExpr():
            own = frozenset(expression.modifier.labels) if expression.modifier else frozenset()
            yield from selectors(expression.expr, by | own)
        case promql_parser.Call():
            for each in expression.args:
                yield from selectors(each, by)
        case promql_parser.BinaryExpr():
            yield from selectors(expression.lhs, by)
            yield from selectors(expression.rhs, by)
        case promql_parser.ParenExpr() | promql_parser.UnaryExpr() | promql_parser.SubqueryExpr():
            yield from selectors(expression.expr, by)
        case promql_parser.NumberLiteral() | promql_parser.StringLiteral():
            return
        case other:
            raise AssertionError(f"{type(other)} is not looked into")


FILES = (*sorted((ROOT / "deploy/grafana").glob("*.json")), ROOT / "deploy/prometheus/alerts.yml")


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.name)
def test_what_dashboards_and_rules_name_is_there(file: Path, scrapes: dict[str, Scrape]) -> None:
    """Each name, each label, and each value that a label has to equal occurs in what the processes say."""
    known: dict[str, dict[str, set[str]]] = defaultdict(lambda: defaultdict(set))
    for each in [Sample("up", {}, 1), *(sample for scrape in scrapes.values() for sample in scrape)]:
        for label, text in (each.labels | ADDED).items():
            known[each.name][label].add(text)
    found = list(expressions(file))
    assert found
    for title, text in found:
        plain = text.replace("$__rate_interval", "5m").replace("$service", ".+")
        names = list(selectors(promql_parser.parse(plain)))
        assert names, title
        for selector, grouped_by in names:
            assert selector.name in known, f"{title}: {selector.name}"
            labels = known[selector.name]
            assert grouped_by <= labels.keys(), f"{title}: {grouped_by - labels.keys()} of {selector.name}"
            for matcher in selector.matchers.matchers:
                assert matcher.name in labels, f"{title}: {matcher.name} of {selector.name}"
                if matcher.op == promql_parser.MatchOp.Equal:
                    assert matcher.value in labels[matcher.name], f"{title}: {matcher.value} of {matcher.name}"


def test_the_variables_of_the_dashboard_and_the_places_of_its_panels() -> None:
    dashboard = json.loads((ROOT / "deploy/grafana/suite.json").read_text())
    (service,) = (each for each in dashboard["templating"]["list"] if each["name"] == "service")
    assert service["query"]["query"] == "label_values(mmptf_build_info, service)"
    panels = dashboard["panels"]
    assert len({panel["id"] for panel in panels}) == len(panels)
    places = {
        (panel["gridPos"]["x"] + x, panel["gridPos"]["y"] + y)
        for panel in panels
        for x in range(panel["gridPos"]["w"])
        for y in range(panel["gridPos"]["h"])
    }
    assert len(places) == sum(panel["gridPos"]["w"] * panel["gridPos"]["h"] for panel in panels), "they overlap"


def test_prometheus_is_told_every_process_and_the_rules() -> None:
    config = yaml.safe_load((ROOT / "deploy/prometheus/prometheus.yml").read_text())
    (job,) = config["scrape_configs"]
    compose = yaml.safe_load((ROOT / "compose.external.yaml").read_text())
    chosen = {name: compose["services"][name]["environment"]["METRICS_PORT"] for name in NAMES}
    ports = {name: port.removeprefix("${METRICS_PORT:-").removesuffix("}") for name, port in chosen.items()}
    (targets,) = job["static_configs"]
    assert sorted(targets["targets"]) == sorted(f"{name}:{port}" for name, port in ports.items())
    assert job["job_name"] == ADDED["job"]
    assert all((ROOT / "deploy/prometheus" / file).exists() for file in config["rule_files"])
