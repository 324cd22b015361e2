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
from mmptf_common.writes.bodies import XLSX
from mmptf_common.writes.commands import Created
from mmptf_funding.imports import template
from mmptf_funding.ledger import schemas as ledger
from mmptf_local.suite import Suite
from mmptf_markers.assessments import schemas as marked
from mmptf_markers.assessments.commands import create_draft as create_assessment_draft
from mmptf_markers.assessments.schemas import AssessmentSent
from mmptf_markers.assessors.routes import PROGRAMME
from mmptf_markers.assessors.schemas import EXAMPLE_SETTLEMENT
from mmptf_markers.reviews.schemas import EXAMPLE_APPEAL, EXAMPLE_CLAIM
from mmptf_markers.seed import packaged_rubrics
from tests.conftest import asyncio_run
from tests.tokens import writing

RUBRIC = next(packaged_rubrics())
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
    # First, while the catalogue is as it was packaged: what is replicated of it later has no fixed order.
    urls = suite.urls
    publish(suite.database_urls["markers"], TRANSLATION)
    assess(client, f"{urls['markers']}/markers/v1")
    begun = AssessmentSent.model_validate({**marked.EXAMPLE_DRAFT, **DRAFTED})
    asyncio_run(draft(suite.database_urls["markers"], "D-7K3M9QWT", create_assessment_draft, begun))
    catalog = f"{urls['catalog']}/catalog/v1"
    for code, programme in (("D-7K3M9QWT", "KEN-UGA-01"), ("D-8V5N2XHB", "KEN-UGA-03")):
        begun = ProgrammeDraftSent.model_validate({**programmes.DRAFT, "programme_code": programme})
        asyncio_run(draft(suite.database_urls["catalog"], code, create_programme_draft, begun))
    for code in ("KEN-01", "UGA-01"):
        sent = {**programmes.DRAFT, "programme_code": code}
        drafted = client.post(f"{catalog}/drafts", json=sent, headers=writing("agency"))
        path = f"{urls['catalog']}{drafted.raise_for_status().headers['location']}"
        approved = client.post(f"{path}/submission", headers=writing("agency", match="*"))
    decide_on(client, catalog)
    today = f"{datetime.now(UTC):%Y-%m-%d}"
    for status in ("pipeline", "approved"):
        approved = client.post(
            f"{catalog}/programmes/UGA-01/status",
            json={**programmes.STATUS, "status": status, "date": today},
            headers=writing("management-unit", match=approved.headers["etag"]),
        )
        approved.raise_for_status()
    for author, entry in ENTRIES:
        entered = client.post(f"{urls['funding']}/funding/v1/ledger", json=entry, headers=writing(author))
        entered.raise_for_status()
    headers = {**writing("management-unit"), "content-type": XLSX}
    client.post(f"{urls['funding']}/funding/v1/imports", content=workbook(), headers=headers).raise_for_status()


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


def assess(client: httpx.Client, markers: str) -> None:
    """Assessments of each status, a declared grade, reviews, and settled assessors."""
    while any(copy["caught_up"] is None for copy in client.get(f"{markers}/copies").json()["copies"]):
        time.sleep(0.1)
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
