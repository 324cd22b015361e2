"""A client of the marker service for tests, with programmes and assessments for it."""

from __future__ import annotations

import json
import uuid
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from itertools import count
from typing import Any

import httpx
import sqlalchemy as sa

from mmptf_common.storage.journal import Author, begin_write
from mmptf_common.storage.writing import writing
from mmptf_markers.engine.loading import load_rubric
from mmptf_markers.engine.rubric import AssessmentStage, criteria_at
from mmptf_markers.replication import allocation_row, place_row, programme_row
from mmptf_markers.rubrics.commands import publish_rubric
from tests.conftest import RunningApp
from tests.tokens import bearer
from tests.unit.markers.rubrics import CONTENT, loaded

Json = dict[str, Any]

API = "/markers/v1"
DRAFTS, ASSESSMENTS, DECLARATIONS = f"{API}/drafts", f"{API}/assessments", f"{API}/declarations"
CURRENT_GRADES, INDICATOR, ACTIONS = f"{API}/standings", f"{API}/indicator", f"{API}/actions"
RUBRIC = load_rubric(CONTENT)
RUBRIC_CODE = f"{RUBRIC.code}.{RUBRIC.version}"
# What an official rubric states beside its questions, and one with those of the packaged rubric.
OF_OFFICIAL: Json = {
    "status": "official",
    "source_document": {"title": "Marker", "edition": "2024", "url": None, "sha256": "0" * 64},
    "endorsement": {"body": "Steering Committee", "date": "2024-01-01", "reference": None},
}
OFFICIAL: Json = {**json.loads(CONTENT), **OF_OFFICIAL, "code": "hr-marker", "version": "2024", "hash": None}
OFFICIAL_CODE = "hr-marker.2024"
NUMBERS = count(1)


@dataclass(frozen=True)
class Who:
    """One of the issuer's clients, for an organization; `subject` and `scope` where they are others than its own."""

    client: str
    organization: str | None = None
    subject: str | None = None
    scope: str | None = None

    def headers(self) -> dict[str, str]:
        claims = {"sub": self.subject, "scope": self.scope}
        return bearer(self.client, self.organization, **{name: said for name, said in claims.items() if said})


IOM, ILO, WHO = Who("agency", "IOM"), Who("agency", "ILO"), Who("agency", "WHO")
OHCHR, FUND, ADMIN = Who("reviewer"), Who("management-unit"), Who("admin")


def programme(code: str | None = None, **members: Any) -> Json:
    """A programme as the catalogue describes it: funded, led by IOM with ILO, unless it is said otherwise."""
    return {
        "code": code or f"MARK-{next(NUMBERS):03}",
        "title": "Fair recruitment",
        "place_label": "Kenya",
        "status": "implementation",
        "stage": "funded",
        "thematic_area": {"code": "4", "name": "Facilitating regular migration"},
        "places": [{"code": "KEN", "name": "Kenya"}],
        "lead_organization": "IOM",
        "organizations": [{"code": "IOM", "name": "IOM"}, {"code": "ILO", "name": "ILO"}],
        "duration": {"start": "2024-07-01", "end": "2026-06-30"},
        "budget": {"amount": "1500000.00", "currency": "USD", "stage": "allocation"},
        "updated": "2026-01-01T00:00:00Z",
        **members,
    }


def place(code: str, *regions: str) -> Json:
    """A country as the catalogue describes it, in a region, a subregion and an intermediate region."""
    names = ("region", "subregion", "intermediate_region")
    within = dict(zip(names, (*regions, None, None, None), strict=False))
    return {"code": code, "kind": "country", "name": code, **within, "updated": "2026-01-01T00:00:00Z"}


def region(code: str) -> Json:
    return {**place(code), "kind": "region"}


def allocation(programme: str, amount: str) -> Json:
    """An allocation as the ledger has it."""
    return {
        "code": f"L-{next(NUMBERS):06}",
        "kind": "allocation",
        "programme": programme,
        "sum": {"amount": amount, "currency": "USD"},
        "reference": "Decision of the Steering Committee",
        "updated": "2026-01-01T00:00:00Z",
    }


def answer(level: Any, **members: Any) -> Json:
    return {"answer": level, "justification": "As the document says.", "evidence": [], "actions": [], **members}


def answers(level: int, stage: AssessmentStage = "programme_document", **changed: Any) -> dict[str, Json]:
    """The same answer to every criterion of a stage; `changed` gives some another one, with _ for - in their codes."""
    found = {criterion.code: answer(level) for criterion in criteria_at(RUBRIC, stage)}
    others = {code.replace("_", "-"): given for code, given in changed.items()}
    assert others.keys() <= found.keys()
    return {**found, **{code: given if isinstance(given, dict) else answer(given) for code, given in others.items()}}


# The days of the documents that are assessed, unless others are stated.
DOCUMENT_DATES = {"concept_note": "2022-01-15", "programme_document": "2022-06-30", "final_report": "2026-06-30"}
# What one and the same answer to every criterion gives under the packaged rubric.
LEVEL_OF = {"A": 3, "B": 2, "C": 1}


@dataclass(frozen=True)
class Markers:
    """A marker service with a database of its own, and requests to it."""

    running: RunningApp

    async def copy(self, *documents: Json, places: Iterable[Json] = ()) -> None:
        """Store programmes and places as if they had been replicated."""
        async with writing(self.running.app.state.database) as session:
            write = await begin_write(session, Author("test"), "followed")
            for row in [*(place_row(p, write.at) for p in places), *(programme_row(d, write.at) for d in documents)]:
                await session.merge(row)

    async def allocate(self, programme: str, amount: str) -> None:
        """Store an allocation as if it had been replicated."""
        async with writing(self.running.app.state.database) as session:
            write = await begin_write(session, Author("test"), "followed")
            session.add(allocation_row(allocation(programme, amount), write.at))

    async def copied(self, **members: Any) -> str:
        """The code of a replicated programme without an assessment."""
        document = programme(**members)
        await self.copy(document)
        return str(document["code"])

    async def publish(self, document: Mapping[str, Any], supersedes: str | None = None) -> str:
        async with writing(self.running.app.state.database) as session:
            write = await begin_write(session, Author("test"), "published")
            return await publish_rubric(write, loaded(dict(document)), supersedes)

    async def send(
        self,
        method: str,
        path: str,
        who: Who | None,
        sent: Any = None,
        *,
        match: str | None = None,
        key: str | None = None,
    ) -> httpx.Response:
        """The answer to one request; a new idempotency key, unless one is given."""
        headers = {"idempotency-key": key or str(uuid.uuid4()), **(who.headers() if who else {})}
        headers |= {"if-match": match} if match else {}
        content = None if sent is None else json.dumps(sent)
        headers |= {} if sent is None else {"content-type": "application/json"}
        return await self.running.client.request(method, path, content=content, headers=headers)

    async def get(self, path: str, who: Who | None = None, **query: Any) -> Json:
        answer = await self.running.client.get(path, params=query or None, headers=who.headers() if who else None)
        assert answer.status_code == 200, answer.text
        found: Json = answer.json()
        return found

    async def begin(self, programme: str, who: Who = IOM, **members: Any) -> httpx.Response:
        """The answer to a new draft, whether it is made or refused."""
        stage = members.get("stage", "programme_document")
        dated = {"document_date": DOCUMENT_DATES[stage]} if stage in DOCUMENT_DATES else {}
        sent = {"programme": programme, "stage": stage, **dated, **members}
        return await self.send("POST", DRAFTS, who, sent)

    async def draft(self, programme: str, who: Who = IOM, **members: Any) -> httpx.Response:
        return made(await self.begin(programme, who, **members))

    async def patch(self, draft: httpx.Response, who: Who = IOM, **members: Any) -> httpx.Response:
        return await self.send("PATCH", at(draft), who, members, match=draft.headers["etag"])

    async def submit(self, draft: httpx.Response, who: Who = IOM) -> httpx.Response:
        return await self.send("POST", f"{at(draft)}/submission", who, match=draft.headers["etag"])

    async def submitted(self, programme: str, level: int = 3, who: Who = IOM, **members: Any) -> httpx.Response:
        """A new version, every answer the same unless `answers` says otherwise."""
        stage = members.get("stage", "programme_document")
        draft = await self.draft(programme, who, **{"answers": answers(level, stage), **members})
        return made(await self.submit(draft, who))

    async def claim(self, assessment: httpx.Response, who: Who = OHCHR, **members: Any) -> httpx.Response:
        """The answer to a claim of the review that an assessment needs next, whether it is granted or refused."""
        sent = {"interest": "None: I have not worked for the programme.", **members}
        return await self.send("POST", f"{at(assessment)}/claim", who, sent)

    async def decide(self, assessment: httpx.Response, who: Who = OHCHR, **members: Any) -> httpx.Response:
        """The answer to a review by somebody who may have claimed it, whether it is stored or refused."""
        sent = {"decision": "accept", "comment": "Read and discussed.", **members}
        return await self.send("POST", f"{at(assessment)}/review", who, sent, match=assessment.headers["etag"])

    async def review(self, assessment: httpx.Response, who: Who = OHCHR, **members: Any) -> httpx.Response:
        """The answer to a review after a claim, which is refused where the review is."""
        await self.claim(assessment, who)
        return await self.decide(assessment, who, **members)

    async def reviewed(self, assessment: httpx.Response, **members: Any) -> httpx.Response:
        return made(await self.review(assessment, **members), 200)

    async def accepted(self, programme: str, level: int = 3, **members: Any) -> Json:
        reviewed = await self.reviewed(await self.submitted(programme, level, **members))
        found: Json = reviewed.json()
        return found

    async def declare(self, programme: str, grade: str = "B", who: Who = FUND, **members: Any) -> httpx.Response:
        sent = {
            "programme": programme,
            "marker": "human_rights",
            "stage": "programme_document",
            "grade": grade,
            "date": "2022-06-30",
            "organization": "IOM",
            "source": {"document": "Joint programme document", "locator": "Cover page"},
            **members,
        }
        return await self.send("POST", DECLARATIONS, who, sent)

    async def revision(self) -> int:
        return int((await self.get(f"{API}/status"))["revision"])


def at(answer: httpx.Response) -> str:
    """Where the record is that a draft's, a submission's or a review's answer has."""
    found = answer.json()
    return f"{ASSESSMENTS if 'status' in found else DRAFTS}/{found['code']}"


def made(answer: httpx.Response, status: int = 201) -> httpx.Response:
    assert answer.status_code == status, answer.text
    return answer


def refused(answer: httpx.Response) -> tuple[int, str]:
    return answer.status_code, answer.json()["code"]


def errors(answer: httpx.Response) -> list[tuple[str, str | None]]:
    assert answer.status_code == 422, answer.text
    return [(error["code"], error["pointer"]) for error in answer.json()["errors"]]


async def changed(markers: Markers, code: str, record: str) -> None:
    """Store another record of an assessment, as another time or an earlier release has left it; record: SQL."""
    async with writing(markers.running.app.state.database) as session:
        await begin_write(session, Author("test"), "a test")
        await session.execute(sa.text(f"UPDATE assessment SET record = {record} WHERE code = :code"), {"code": code})
