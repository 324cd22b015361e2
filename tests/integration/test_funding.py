"""Funding on its packaged data: the sums are exact, and printed figures stand beside computed ones."""

from __future__ import annotations

import csv
import io
from decimal import Decimal

import httpx
import pytest

CONTRIBUTIONS = "/funding/v1/contributions"


async def test_contributions_sum_exactly_and_each_names_document_and_line(funding: httpx.AsyncClient) -> None:
    page = (await funding.get(CONTRIBUTIONS)).json()
    assert page["total"] == 22
    assert sum(Decimal(c["sum"]["amount"]) for c in page["items"]) == Decimal("57425741.00")
    for contribution in page["items"]:
        amounts = [source for source in contribution["sources"] if source["field"] == "amount"]
        assert {source["document"] for source in amounts} == {
            "mptf-europe-brochure-2024",
            "mptf-human-rights-brochure-2024",
        }
        whole_dollars = contribution["sum"]["amount"].removesuffix(".00")
        assert all(s["line"] and s["as_printed"].replace(",", "") == f"{whole_dollars} USD" for s in amounts)
        assert (contribution["stage"], contribution["basis"]) == ("contribution", "unspecified")


async def test_lines_follow_the_printed_list(funding: httpx.AsyncClient) -> None:
    # The printed list is in order of amount, one row a line: its lines are consecutive in both documents.
    page = (await funding.get(CONTRIBUTIONS, params={"sort": "-amount"})).json()["items"]
    for document, first in (("mptf-europe-brochure-2024", 142), ("mptf-human-rights-brochure-2024", 261)):
        lines = [s["line"] for c in page for s in c["sources"] if s["field"] == "amount" and s["document"] == document]
        assert lines == list(range(first, first + 22))


async def test_progress_is_exact(funding: httpx.AsyncClient) -> None:
    progress = (await funding.get("/funding/v1/progress")).json()["targets"]
    assert [p["target"]["code"] for p in progress] == ["IMRF-2026", "IMRF-2022"]
    now, earlier = progress
    assert now["target"]["sum"] == {"amount": "150000000.00", "currency": "USD"}
    assert {s["line"] for s in now["target"]["sources"] if s["field"] == "amount"} == {138, 257}
    (contributed,) = now["contributed"]
    assert contributed["sum"] == {"amount": "57425741.00", "currency": "USD"}
    assert contributed["share"] == {"numerator": "57425741", "denominator": "150000000", "per_cent": "38.28"}
    assert (contributed["rows"], contributed["after_due"]) == (22, False)
    assert (await funding.get(contributed["link"])).json()["total"] == 22
    assert contributed["ledger"]["deposits"]["amount"] == "0.00"
    assert contributed["ledger"]["difference"] == contributed["sum"]
    assert "The ledger has no deposits up to" in contributed["ledger"]["reason"]
    assert not earlier["target"]["verified"]
    assert earlier["contributed"][0]["after_due"]


async def test_printed_figures_stand_beside_computed_ones(funding: httpx.AsyncClient) -> None:
    facts = {fact["code"]: fact for fact in (await funding.get("/funding/v1/facts")).json()["items"]}
    mobilised = facts["contributions-mobilised"]
    assert (mobilised["printed"]["as_printed"], mobilised["printed"]["value"]) == ("USD 57.5M", "57500000.00")
    assert (mobilised["computed"]["value"], mobilised["computed"]["difference"]) == ("57425741", "74259")
    assert facts["contributing-member-states"]["computed"]["value"] == "20"
    assert facts["share-of-target-mobilised"]["computed"]["value"] == "38.28"
    for fact in facts.values():
        assert all(source["document"] and source["line"] for source in fact["sources"])
        if fact["computed"] and fact["computed"]["link"].startswith(CONTRIBUTIONS):
            assert (await funding.get(fact["computed"]["link"])).json()["total"] == fact["computed"]["rows"]


@pytest.mark.parametrize(
    ("query", "total"),
    [
        ("contributor=DEU", 1),
        ("contributor=DEU&contributor=UMCOR", 2),
        ("contributor_type=member_state", 20),
        ("contributor_type=foundation&contributor_type=non_governmental_organization", 2),
        ("country=TUR", 1),
        ("stage=contribution", 22),
        ("stage=deposit", 0),
        ("basis=unspecified&amount_min=1000000", 8),
        ("amount_max=10000.00", 2),
    ],
)
async def test_filters(funding: httpx.AsyncClient, query: str, total: int) -> None:
    assert (await funding.get(f"{CONTRIBUTIONS}?{query}")).json()["total"] == total
    rows = csv.DictReader(io.StringIO((await funding.get(f"{CONTRIBUTIONS}?{query}&format=csv")).text))
    assert len(list(rows)) == total


@pytest.mark.parametrize("by", ["contributor", "contributor_type", "stage", "basis"])
async def test_totals_are_proven_by_their_rows(funding: httpx.AsyncClient, by: str) -> None:
    (total,) = (await funding.get(f"{CONTRIBUTIONS}/totals", params={"by": by})).json()["totals"]
    assert (total["stage"], total["basis"], total["sum"]["amount"]) == ("contribution", "unspecified", "57425741.00")
    assert sum(Decimal(group["sum"]["amount"]) for group in total["groups"]) == Decimal("57425741.00")
    for group in total["groups"]:
        rows = (await funding.get(group["link"])).json()["items"]
        assert len(rows) == group["rows"]
        assert sum(Decimal(row["sum"]["amount"]) for row in rows) == Decimal(group["sum"]["amount"])


async def test_stages_of_money_are_explained(funding: httpx.AsyncClient) -> None:
    stages = (await funding.get("/funding/v1/money-stages")).json()["items"]
    assert [s["code"] for s in stages][:1] == ["requirement"]
    assert {"pledge", "commitment", "deposit", "allocation", "transfer", "expenditure"} <= {s["code"] for s in stages}
