"""Writes before the contract tests, so that every operation has something to answer."""

from __future__ import annotations

import io
import json
import os
import subprocess
import sys
import time
from collections.abc import Awaitable, Callable, Mapping
from datetime import UTC, datetime
from tempfile import NamedTemporaryFile
from typing import Any
from unittest.mock import patch

import httpx
from openpyxl import load_workbook
from pydantic import BaseModel
from sqlalchemy.ext.asyncio import AsyncSession

from mmptf_catalog.decisions import examples as decisions
from mmptf_catalog.programmes import examples as programmes
from mmptf_catalog.programmes.commands import create_draft as create_programme_draft
from mmptf_catalog.programmes.schemas import ProgrammeDraftSent
from mmptf_common.http.identity import Identity
from mmptf_common.storage.engines import write_engine
from mmptf_common.storage.journal import Author, begin_write
from mmptf_common.writes.bodies import CSV, XLSX
from mmptf_common.writes.commands import Created
from mmptf_funding.approvals import schemas as approvals
from mmptf_funding.bank import schemas as bank
from mmptf_funding.closings import schemas as closings
from mmptf_funding.imports import template
from mmptf_funding.ledger import schemas as ledger
from mmptf_funding.periods import schemas as periods
from mmptf_local.suite import Suite
from mmptf_markers.assessments import schemas as marked
from mmptf_markers.assessments.commands import create_draft as create_assessment_draft
from mmptf_markers.assessments.schemas import AssessmentSent
from mmptf_markers.assessors.routes import PROGRAMME
from mmptf_markers.assessors.schemas import EXAMPLE_SETTLEMENT
from mmptf_markers.results import schemas as results
from mmptf_markers.reviews.schemas import EXAMPLE_APPEAL, EXAMPLE_CLAIM
from mmptf_markers.seed import packaged_rubrics
from tests.conftest import asyncio_run
from tests.tokens import bearer, writing

RUBRIC = next(packaged_rubrics())
ETHIOPIA = {"programme": "ETH-01", "organization": "ILO"}
ENTRIES = (
    (
        "agent",
        {
            "kind": "commitment",
            "date": "2026-01-15",
            "amount": "1085000.00",
            "contributor": "DEU",
            "original": {**ledger.DEPOSIT["original"], "amount": "1000000.00", "rate_date": "2026-01-15"},
        },
    ),
    ("agent", {**ledger.DEPOSIT, "follows": "L-000001"}),
    (
        "management-unit",
        {
            "kind": "allocation",
            "date": "2026-03-10",
            "amount": "300000.00",
            "programme": "ETH-01",
            "reference": "SC-1",
            "decision": "SC-1",
        },
    ),
    ("agent", {"kind": "transfer", "date": "2026-03-20", "amount": "200000.00", **ETHIOPIA, "tranche": 1}),
    ("agent", {"kind": "expenditure", "date": "2026-06-30", "amount": "150000.00", **ETHIOPIA, "category": "supplies"}),
)
# Of programmes whose activities end; the figures of the first are certified.
ENDED = {"programme": "TTO-01", "organization": "ILO"}, {"programme": "GMB-01", "organization": "ILO"}
SPENT = (
    ("management-unit", {"kind": "allocation", "date": "2026-03-10", "amount": "40000.00", "reference": "SC-1"}),
    ("agent", {"kind": "transfer", "date": "2026-03-20", "amount": "40000.00"}),
    ("agent", {"kind": "expenditure", "date": "2026-06-30", "amount": "38000.00", "category": "supplies"}),
)


ACCOUNT = {"code": "USD-MAIN", "name": "Main account", "currency": "USD", "number": "US-1000-1", "bank": "A bank"}
MATCHED = {"matches": [{"bank_entry": "B-000001", "ledger_entries": ["L-000002"]}]}
TRANSLATION = {
    **{"rubric": RUBRIC.code, "version": RUBRIC.version, "hash": RUBRIC.hash, "language": "fr"},
    "texts": {"/title": "Marqueur des droits humains : grille illustrative"},
    **{"source": None, "verified": False},
}
ANSWERS = {
    **marked.EXAMPLE_ANSWERS,
    **dict.fromkeys(("accountability-remedy", "disaggregated-monitoring", "sustainability"), marked.EXAMPLE_ANSWER),
}
ASSESSED = (
    ("ILO", {"programme": "ETH-01", "stage": "concept_note", "answers": marked.EXAMPLE_ANSWERS}),
    ("ILO", {"programme": "ETH-01", "stage": "programme_document", "answers": ANSWERS}),
)
DRAFTED = {"stage": "annual_report", "year": 2025, "document_date": None, "answers": ANSWERS}
IN_REGION = {"region_code": "east-horn-africa"}
# The edition whose requirements the example of an import brings, table by table.
EDITION: dict[template.TableName, list[dict[str, str]]] = {
    "edition": [
        {"code": "EX-2027", "name": "An example of an edition", "year": "2027", "document": "example-edition-2027",
         "currency": "USD"},
    ],
    "vocabulary": [
        {"edition": "EX-2027", **term}
        for term in (
            {"kind": "region", "code": "east-horn-africa", "name": "East and Horn of Africa"},
            {"kind": "area", "code": "health", "name": "Migration Health"},
            {"kind": "area", "code": "labour", "name": "Labour Migration and Human Development"},
            {"kind": "target_population", "code": "governments", "name": "Governments and regional bodies"},
            {"kind": "target_population", "code": "migrants", "name": "Migrants and vulnerable populations"},
            {"kind": "place", "code": "KEN", "name": "Kenya", **IN_REGION, "country_code": "KEN"},
            {"kind": "place", "code": "UGA", "name": "Uganda", **IN_REGION, "country_code": "UGA"},
        )
    ],
}  # fmt: skip


def prepare(suite: Suite) -> None:
    """An assessment of each status, drafts, a concept note, an approved programme, ledger entries, an edition."""
    # One client for all: each would load the certificates anew.
    with httpx.Client(timeout=30) as client:
        _prepare(suite, client)


def _prepare(suite: Suite, client: httpx.Client) -> None:
    # First, while the catalogue is as it was packaged: what is replicated of it later has no fixed order. Each change
    # of it that the closing makes is waited for.
    urls = suite.urls
    publish(suite.database_urls["markers"], TRANSLATION)
    assess(client, f"{urls['markers']}/markers/v1")
    measure(client, f"{urls['markers']}/markers/v1")
    begun = AssessmentSent.model_validate({**marked.EXAMPLE_DRAFT, **DRAFTED})
    asyncio_run(draft(suite.database_urls["markers"], "D-7K3M9QWT", create_assessment_draft, begun))
    catalog = f"{urls['catalog']}/catalog/v1"
    today = f"{datetime.now(UTC):%Y-%m-%d}"
    wait_for_copies(client, f"{urls['funding']}/funding/v1")
    for author, entry in ENTRIES:
        entered = client.post(f"{urls['funding']}/funding/v1/ledger", json=entry, headers=writing(author))
        entered.raise_for_status()
    decide_on(client, catalog)
    close(client, catalog, f"{urls['funding']}/funding/v1", today)
    account(client, f"{urls['funding']}/funding/v1/periods")
    reconcile(client, f"{urls['funding']}/funding/v1")
    propose(client, f"{urls['funding']}/funding/v1")
    for code, programme in (("D-7K3M9QWT", "KEN-UGA-01"), ("D-8V5N2XHB", "KEN-UGA-03")):
        begun = ProgrammeDraftSent.model_validate({**programmes.DRAFT, "programme_code": programme})
        asyncio_run(draft(suite.database_urls["catalog"], code, create_programme_draft, begun))
    for code in ("KEN-01", "UGA-01"):
        sent = {**programmes.DRAFT, "programme_code": code}
        drafted = client.post(f"{catalog}/drafts", json=sent, headers=writing("agency"))
        path = f"{urls['catalog']}{drafted.raise_for_status().headers['location']}"
        approved = client.post(f"{path}/submission", headers=writing("agency", match="*"))
    for status in ("pipeline", "approved"):
        approved = client.post(
            f"{catalog}/programmes/UGA-01/status",
            json={**programmes.STATUS, "status": status, "date": today},
            headers=writing("management-unit", match=approved.headers["etag"]),
        )
        approved.raise_for_status()
    headers = {**writing("management-unit"), "content-type": XLSX}
    client.post(f"{urls['funding']}/funding/v1/imports", content=workbook(), headers=headers).raise_for_status()


def account(client: httpx.Client, path: str) -> None:
    """Three accounting periods: one certified, one closed, one open, which the example of the next one follows."""
    for year in (2022, 2023, 2024):
        sent = {"code": f"{year}", "start": f"{year}-01-01", "end": f"{year}-12-31"}
        client.post(path, json=sent, headers=writing("agent")).raise_for_status()
    for year, step, sent in (
        (2022, "closing", periods.CLOSING),
        (2022, "certification", periods.CERTIFICATION),
        (2023, "closing", periods.CLOSING),
    ):
        headers = writing("agent", match="*")
        client.post(f"{path}/{year}/{step}", json=sent, headers=headers).raise_for_status()


def reconcile(client: httpx.Client, funding: str) -> None:
    """A bank account, its statement, and one of its two entries matched with the ledger."""
    client.post(f"{funding}/bank-accounts", json=ACCOUNT, headers=writing("agent")).raise_for_status()
    headers = {**writing("agent"), "content-type": CSV}
    client.post(f"{funding}/bank-statements", content=bank.STATEMENT, headers=headers).raise_for_status()
    client.post(f"{funding}/bank-matches", json=MATCHED, headers=writing("agent")).raise_for_status()


def propose(client: httpx.Client, funding: str) -> None:
    """The limit of transfers, and two proposed ones: of another person of the agent, and of the agent's own."""
    limit = client.post(f"{funding}/transfer-limits", json=approvals.LIMIT, headers=writing("management-unit"))
    limit.raise_for_status()
    for person in ("another-agent", "agent"):
        headers = {**writing("agent"), **bearer("agent", sub=person)}
        client.post(f"{funding}/transfer-proposals", json=approvals.PROPOSAL, headers=headers).raise_for_status()


def close(client: httpx.Client, catalog: str, funding: str, today: str) -> None:
    """End the activities of two programmes, and certify the final figures of the first."""
    for ended in ENDED:
        for author, entry in SPENT:
            sent = {**entry, **(ended if entry["kind"] != "allocation" else {"programme": ended["programme"]})}
            client.post(f"{funding}/ledger", json=sent, headers=writing(author)).raise_for_status()
        change = {**programmes.STATUS, "status": "operationally_closed", "date": today}
        path = f"{catalog}/programmes/{ended['programme']}/status"
        client.post(path, json=change, headers=writing("management-unit", match="*")).raise_for_status()
        while (
            client.get(f"{funding}/settlements/{ended['programme']}").raise_for_status().json()["status"]
            != change["status"]
        ):
            time.sleep(0.1)
    certificate = {**closings.CLOSING, "programme": ENDED[0]["programme"]}
    client.post(f"{funding}/closings", json=certificate, headers=writing("agent")).raise_for_status()


def decide_on(client: httpx.Client, catalog: str) -> None:
    """A call for proposals, a meeting, and a decision of it."""
    for path, sent in (
        ("calls", {**decisions.CALL, "code": "CALL-2026", "opens": "2026-01-15", "closes": "2026-03-31"}),
        ("meetings", {**decisions.MEETING, "code": "SC-2026-03", "date": "2026-06-30", "kind": "regular"}),
        ("decisions", {**decisions.DECISION, "code": "SC-2026-03-03", "number": "SC-2026-03/03", "kind": "other"}),
        ("decisions", {**decisions.DECISION, "code": "SC-2026-03-04", "number": "SC-2026-03/04"}),
    ):
        client.post(f"{catalog}/{path}", json=sent, headers=writing("management-unit")).raise_for_status()


def workbook() -> bytes:
    """The template of an import, filled with the tables of the example's edition."""
    book = load_workbook(io.BytesIO(template.TEMPLATE.workbook()))
    for table, rows in EDITION.items():
        for row in rows:
            book[table].append([row.get(column) for column in template.TEMPLATE.columns(table)])
    file = io.BytesIO()
    book.save(file)
    return file.getvalue()


def publish(database_url: str, document: Mapping[str, Any]) -> None:
    """Publish a document as an operator does."""
    with NamedTemporaryFile("w", suffix=".json") as file:
        json.dump(document, file)
        file.flush()
        environment = {**os.environ, "DATABASE_URL": database_url}
        command = [sys.executable, "-m", "mmptf_markers", "publish", file.name]
        subprocess.run(command, env=environment, check=True, capture_output=True)


async def draft(database_url: str, code: str, create: Callable[..., Awaitable[Created]], begun: BaseModel) -> None:
    """Create a draft of the IOM under a certain code, which is random otherwise."""
    who = Identity("agency", "IOM", frozenset(), frozenset())
    engine = write_engine(database_url, size=1)
    async with AsyncSession(engine) as session, session.begin():
        write = await begin_write(session, Author("agency", "IOM", "request-1"), "drafted", drafts=True)
        with patch("mmptf_common.writes.drafts.random_code", lambda: code):
            await create(write, who, begun)
    await engine.dispose()


def wait_for_copies(client: httpx.Client, url: str) -> None:
    """Return when a service has its first copies; url: of its API, up to the version."""
    while any(copy["caught_up"] is None for copy in client.get(f"{url}/copies").json()["copies"]):
        time.sleep(0.1)


def assess(client: httpx.Client, markers: str) -> None:
    """Assessments of each status, a declared grade, reviews, and settled assessors."""
    wait_for_copies(client, markers)
    for n, (organization, said) in enumerate(ASSESSED):
        submitted = submit(client, markers, organization, **said)
        if n < 1:
            decide(client, submitted, "reviewer")
    declared = {**marked.EXAMPLE_DECLARATION, "year": 2022, "date": "2023-03-31"}
    client.post(f"{markers}/declarations", json=declared, headers=writing("management-unit")).raise_for_status()
    review(client, markers)
    settled = {**EXAMPLE_SETTLEMENT, "programme": PROGRAMME}
    client.post(f"{markers}/assessors", json=settled, headers=writing("management-unit")).raise_for_status()
    # Of a programme in which several take part, one of which states its position.
    submit(client, markers, "WHO", stage="annual_report", year=2024, document_date=None)


def measure(client: httpx.Client, markers: str) -> None:
    """An indicator of a programme, and a value of an earlier year than that of the example."""
    for path, sent in (
        ("results-indicators", results.EXAMPLE_PROGRAMME_INDICATOR),
        ("reported-values", {**results.EXAMPLE_VALUE, "start": "2024-01-01", "end": "2024-12-31"}),
    ):
        client.post(f"{markers}/{path}", json=sent, headers=writing("agency", "ILO")).raise_for_status()


def submit(client: httpx.Client, markers: str, organization: str, **said: Any) -> str:
    """The URL of a new assessment of an organization."""
    agency = {"client": "agency", "organization": organization}
    drafted = {**marked.EXAMPLE_DRAFT, "answers": ANSWERS, **said}
    draft = client.post(f"{markers}/drafts", json=drafted, headers=writing(**agency)).raise_for_status()
    where = draft.headers["location"].partition("/markers/v1")[2]
    sent = client.post(f"{markers}{where}/submission", headers=writing(**agency, match="*")).raise_for_status()
    return f"{markers}{sent.headers['location'].partition('/markers/v1')[2]}"


def decide(client: httpx.Client, assessment: str, reviewer: str) -> None:
    """Claim the first review of an assessment, and make it."""
    client.post(f"{assessment}/claim", json=EXAMPLE_CLAIM, headers=writing(reviewer)).raise_for_status()
    headers = writing(reviewer, match="*")
    client.post(f"{assessment}/review", json=marked.EXAMPLE_REVIEW, headers=headers).raise_for_status()


def review(client: httpx.Client, markers: str) -> None:
    """A claim of what is submitted; an assessment that can be appealed against, one to claim, and an open appeal."""
    claimed = f"{markers}/assessments/A-000002/claim"
    client.post(claimed, json=EXAMPLE_CLAIM, headers=writing("reviewer")).raise_for_status()
    decide(client, submit(client, markers, "IOM", stage="programme_document"), "reviewer")
    report = {"programme": "ETH-01", "stage": "annual_report", "document_date": None}
    submit(client, markers, "ILO", **report, year=2024)
    appealed = submit(client, markers, "ILO", **report, year=2025)
    decide(client, appealed, "reviewer")
    appeal = client.post(f"{appealed}/appeal", json=EXAMPLE_APPEAL, headers=writing("agency", "ILO", match="*"))
    appeal.raise_for_status()
    client.post(f"{appealed}/claim", json=EXAMPLE_CLAIM, headers=writing("second-reviewer")).raise_for_status()
