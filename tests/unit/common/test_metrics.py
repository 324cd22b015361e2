"""Figures for Prometheus: what is counted is what is told, over HTTP, on a port of its own."""

from __future__ import annotations

import asyncio

import httpx
import pytest
from prometheus_client.parser import text_string_to_metric_families

from mmptf_common.process import metrics
from mmptf_common.process.metrics import SECONDS, CannotListen, Counts, Exposition, Figure, Histogram
from mmptf_local.processes import LOOPBACK, free_port


@pytest.mark.parametrize(
    ("value", "bucket"), [(0.0, 0), (SECONDS[0], 0), (0.0011, 1), (SECONDS[-1], len(SECONDS) - 1), (31, len(SECONDS))]
)
def test_a_value_is_in_the_first_bucket_whose_bound_it_does_not_exceed(value: float, bucket: int) -> None:
    histogram = Histogram(SECONDS)
    histogram.observe(value)
    assert histogram.counts.index(1) == bucket
    assert histogram.buckets()[-1] == ("+Inf", 1)


async def test_figures_over_http(monkeypatch: pytest.MonkeyPatch) -> None:
    counts = Counts()
    monkeypatch.setattr(metrics, "counts", counts)
    counts.request_ended("list_programmes", 200, 0.004)
    counts.request_ended("list_programmes", 200, 40)
    counts.request_ended("list_programmes", 503, 0.0001)
    counts.problems["overloaded"] += 1
    counts.batch("entries", 7)
    counts.in_flight = 2
    exposition = Exposition("catalog", "1.2.3", "0123456789ab")

    async def asked() -> list[Figure]:
        return [Figure("gauge", "mmptf_revision", 'With "quotes".', [({}, 353)])]

    exposition.ask(asked)
    port = free_port()
    with exposition.served(LOOPBACK, port):
        async with httpx.AsyncClient() as client:
            answer = await client.get(f"http://{LOOPBACK}:{port}/metrics")
        other = Exposition("catalog", "1.2.3", "0123456789ab").served(LOOPBACK, port)
        taken = f"METRICS_PORT: nothing can listen on port {port} of 127.0.0.1: "
        with pytest.raises(CannotListen, match=taken), other:
            pass
    assert answer.status_code == 200
    families = {family.name: family for family in text_string_to_metric_families(answer.text)}
    found = {
        (sample.name, *sorted(sample.labels.items())): sample.value
        for family in families.values()
        for sample in family.samples
        if family.name.startswith("mmptf_")
    }
    own = ("service", "catalog")
    operation = ("operation", "list_programmes")
    assert found["mmptf_build_info", ("build", "0123456789ab"), own, ("version", "1.2.3")] == 1
    assert found["mmptf_requests_total", operation, own, ("status", "200")] == 2
    assert found["mmptf_requests_total", operation, own, ("status", "503")] == 1
    assert found["mmptf_request_seconds_count", operation, own] == 3
    assert found["mmptf_request_seconds_sum", operation, own] == pytest.approx(40.0041)
    assert found["mmptf_request_seconds_bucket", ("le", "0.001"), operation, own] == 1
    assert found["mmptf_request_seconds_bucket", ("le", "0.005"), operation, own] == 2
    assert found["mmptf_request_seconds_bucket", ("le", "30.0"), operation, own] == 2
    assert found["mmptf_request_seconds_bucket", ("le", "+Inf"), operation, own] == 3
    assert found["mmptf_problems_total", ("code", "overloaded"), own] == 1
    assert found["mmptf_problems_total", ("code", "busy"), own] == 0, "rules compare it before the first one"
    assert found["mmptf_batch_rows_sum", ("member", "entries"), own] == 7
    assert found["mmptf_requests_in_flight", own] == 2
    assert found["mmptf_revision", own] == 353
    assert {families[name].type for name in families if name.startswith("mmptf_req")} >= {"counter", "histogram"}
    assert families["process_open_fds"].samples[0].value > 0


async def test_a_process_that_stands_still_says_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    """The scrape fails, which Prometheus shows as `up` 0."""
    monkeypatch.setattr(metrics, "ANSWER_SECONDS", 0.1)
    exposition = Exposition("catalog", "1.2.3", "0123456789ab")

    async def asked() -> list[Figure]:
        await asyncio.sleep(60)
        return []

    exposition.ask(asked)
    port = free_port()
    with exposition.served(LOOPBACK, port):
        async with httpx.AsyncClient() as client:
            answer = await client.get(f"http://{LOOPBACK}:{port}/metrics")
    assert answer.status_code == 500
