"""What is written before the contracts are walked, so that every operation has something to answer with."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime

import httpx

from mmptf_catalog.programmes import examples as programmes
from mmptf_funding.ledger import schemas as ledger
from tests.tokens import writing

ETHIOPIA = {"programme": "ETH-01", "organization": "ILO"}
ENTRIES = (
    ("agent", {"kind": "commitment", "date": "2026-01-15", "amount": "1000000.00", "contributor": "DEU"}),
    ("agent", {**ledger.DEPOSIT, "follows": "L-000001"}),
    (
        "management-unit",
        {"kind": "allocation", "date": "2026-03-10", "amount": "300000.00", "programme": "ETH-01", "reference": "SC-1"},
    ),
    ("agent", {"kind": "transfer", "date": "2026-03-20", "amount": "200000.00", **ETHIOPIA, "tranche": 1}),
    ("agent", {"kind": "expenditure", "date": "2026-06-30", "amount": "150000.00", **ETHIOPIA, "category": "supplies"}),
)


def prepare(urls: Mapping[str, str]) -> None:
    """Drafts, a concept note, an approved programme, and a ledger that was paid into and out of."""
    catalog = f"{urls['catalog']}/catalog/v1"
    for code in ("KEN-UGA-01", "KEN-UGA-03", "KEN-01", "UGA-01"):
        drafted = httpx.post(f"{catalog}/drafts", json={**programmes.DRAFT, "code": code}, headers=writing("agency"))
        drafted.raise_for_status()
    for code in ("KEN-01", "UGA-01"):
        approved = httpx.post(f"{catalog}/drafts/{code}/submission", headers=writing("agency", match="*"))
    today = f"{datetime.now(UTC):%Y-%m-%d}"
    for status in ("pipeline", "approved"):
        approved = httpx.post(
            f"{catalog}/programmes/UGA-01/status",
            json={**programmes.STATUS, "status": status, "date": today},
            headers=writing("management-unit", match=approved.headers["etag"]),
        )
        approved.raise_for_status()
    for client, entry in ENTRIES:
        entered = httpx.post(f"{urls['funding']}/funding/v1/ledger", json=entry, headers=writing(client))
        entered.raise_for_status()
