"""Figures of the gateway: what it keeps, and the requests that it sends to the services."""

from __future__ import annotations

from collections.abc import Iterable

from mmptf_common.process.metrics import Figure
from mmptf_gateway.answers import Answers
from mmptf_gateway.revisions import Revisions
from mmptf_gateway.upstreams import Upstream


def figures_of(upstreams: Iterable[Upstream], answers: Answers, revisions: Revisions) -> list[Figure]:
    """The figures now."""
    budgets = [(each.name, kind, budget) for each in upstreams for kind, budget in each.budgets.items()]
    under_way = [({"upstream": name, "length": kind}, budget.used) for name, kind, budget in budgets]
    most = [({"upstream": name, "length": kind}, budget.limit) for name, kind, budget in budgets]
    open_ = [({"upstream": each.name}, float(each.open_since is not None)) for each in upstreams]
    reads = [({"result": result}, n) for result, n in answers.reads.items()]
    found = [
        Figure("gauge", "mmptf_upstream_requests_in_flight", "Requests under way to a service.", under_way),
        Figure("gauge", "mmptf_upstream_requests_max", "Most requests under way to a service.", most),
        Figure("gauge", "mmptf_upstream_breaker_open", "Whether a service gets hardly any requests.", open_),
        Figure("counter", "mmptf_cache_reads", "Public reads that were looked for among those kept.", reads),
        Figure("gauge", "mmptf_kept_bytes", "Bytes of memory of the answers that are kept.", [({}, answers.bytes)]),
    ]
    if revisions.is_heard is not None:
        used = float(revisions.is_heard)
        found.append(Figure("gauge", "mmptf_cache_up", "Whether Redis is used.", [({}, used)]))
    return found
