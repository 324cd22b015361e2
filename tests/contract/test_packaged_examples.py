"""The examples of the contract, asked of a suite that has nothing but the packaged data."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any
from urllib.parse import urlencode

import httpx
import pytest

from mmptf_common.http.openapi import NOT_PACKAGED
from tests.contract.asking import rows
from tests.contract.contracts import OWN, Operation

READS = [operation for operation in OWN if operation.is_read]
# The lists of what is only ever written, their facets and totals, and what is computed from them.
WRITTEN = (
    "/catalog/v1/drafts", "/funding/v1/ledger", "/funding/v1/closings", "/funding/v1/statement/", "/funding/v1/periods",
    *(f"/funding/v1/period-statements/{what}" for what in ("contributors", "organizations", "programmes", "thematic")),
    "/markers/v1/drafts",
    "/markers/v1/assessments", "/markers/v1/assessors", "/markers/v1/actions", "/markers/v1/translations",
    "/markers/v1/reported-values",
    "/funding/v1/bank-", "/funding/v1/transfer-", "/catalog/v1/calls", "/catalog/v1/meetings", "/catalog/v1/decisions",
)  # fmt: skip
# Other reads without rows as long as nothing is written; those of drafts have no tag.
ALSO_WRITTEN = {"list_reviews", "get_programme_draft_audit", "get_assessment_draft_audit"}
# Filters whose examples find nothing in the packaged data: where, and the parameter.
NOT_PACKAGED_FILTERS = (
    # The packaged documents state no objectives of programmes.
    ("/catalog/v1/programmes", "objective"),
    # No call for proposals, meeting or decision is packaged.
    *(("/catalog/v1/decisions", name) for name in ("meeting", "call")),
    # No assessment is packaged, and no translation of a rubric.
    *((("/markers/v1/standings", "/markers/v1/indicator", "/markers/v1/criteria"), name)
      for name in ("grade", "rubric", "assessed_stage")),
    (("/markers/v1/rubrics", "/markers/v1/translations"), "language"),
    ("/markers/v1/actions", "assessment"),
    ("/markers/v1/reviews", "assessment"),
    # No reported value is packaged.
    ("/markers/v1/reported-values", "indicator"),
    # No accounting period is packaged.
    ("/funding/v1/period-statements", "period"),
    # No bank account is packaged, nor what is said of it.
    *(("/funding/v1/bank-", name) for name in ("account", "statement", "bank_entry", "ledger_entry")),
    *(("/funding/v1/transfer-proposals", name) for name in ("programme", "organization")),
    # The ledger knows the programmes, organizations, areas, accounts and decisions that its entries name.
    *(
        ("/funding/v1/ledger", name)
        for name in ("programme", "organization", "thematic_area", "account", "decision", "corrects")
    ),
)  # fmt: skip


def parameters(operation: Operation, place: str) -> list[dict[str, Any]]:
    return [p for p in operation.contract.get("parameters", ()) if p["in"] == place]


@pytest.mark.parametrize("operation", READS, ids=str)
def test_the_examples_are_of_the_packaged_data(packaged: Mapping[str, httpx.Client], operation: Operation) -> None:
    client = packaged[operation.api]
    codes, filters = parameters(operation, "path"), parameters(operation, "query")
    unheard_of = {name for paths, name in NOT_PACKAGED_FILTERS if operation.path.startswith(paths)}
    examples = [(name, value) for name, value in operation.filters.items() if name not in unheard_of]
    assert not any("example" in p or "examples" in p for p in filters), "a filter nobody chose would be sent"
    assert not any("example" in p["schema"] for p in filters), "a filter nobody chose would be sent"
    if any(p["description"].endswith(NOT_PACKAGED) for p in codes):
        answer = client.get(operation.path, headers=operation.headers)
        assert answer.status_code == 404, answer.text
        return
    unfiltered = client.get(operation.path, headers=operation.headers)
    assert unfiltered.status_code == 200, unfiltered.text
    assert (rows(unfiltered) == 0) == (
        (operation.path.startswith(WRITTEN) and operation.is_versioned) or operation.id in ALSO_WRITTEN
    )
    for name in unheard_of & operation.filters.keys():
        query = urlencode({name: operation.filters[name]}, doseq=True)
        found = client.get(operation.path, params=query, headers=operation.headers)
        assert found.status_code == 422 or not rows(found), f"{name} finds something"
    for query in (list(operation.filled_in.items()), *([example] for example in examples), examples):
        answer = client.get(operation.path, params=urlencode(query, doseq=True), headers=operation.headers)
        assert answer.status_code == 200, (query, answer.text)
        assert rows(answer) != 0 or rows(unfiltered) == 0, query


@pytest.mark.parametrize("operation", [o for o in OWN if not o.is_read and o.code], ids=str)
def test_a_code_of_a_record_that_is_written_first_says_so(
    packaged: Mapping[str, httpx.Client], operation: Operation
) -> None:
    (code,) = parameters(operation, "path")
    record = "/".join(operation.path.split("/")[:5])
    found = packaged[operation.api].get(record, headers=operation.headers)
    assert (found.status_code == 404) == code["description"].endswith(NOT_PACKAGED)
