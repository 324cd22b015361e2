"""The life of an assessment over HTTP: drafted in private, submitted for good, reviewed by others, corrected."""

from __future__ import annotations

import asyncio
import json
import uuid
from collections.abc import AsyncIterator, Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import pytest
import sqlalchemy as sa

from mmptf_common.storage.journal import Author, begin_write
from mmptf_markers.engine.rubric import NOT_APPLICABLE, criteria_at
from tests.conftest import RunningApp, running_app
from tests.integration.marked import (
    ADMIN,
    API,
    ASSESSMENTS,
    DECLARATIONS,
    DRAFTS,
    FUND,
    ILO,
    IOM,
    OHCHR,
    RUBRIC,
    RUBRIC_CODE,
    WHO,
    Facts,
    Markers,
    Who,
    answer,
    answers,
    at,
    errors,
    made,
    programme,
    refused,
)
from tests.unit.markers.rubrics import small

CODES = [criterion.code for criterion in criteria_at(RUBRIC, "programme_document")]
RISK = {"risk": "Data could reach enforcement.", "people": "Migrants", "measure": "Firewalls.", "owner": "Team"}
BOTH = "markers:assess markers:review"
NOBODYS = Who("admin", None, "somebody", BOTH)


@pytest.fixture(scope="module")
async def running(new_database: Callable[[str], str]) -> AsyncIterator[RunningApp]:
    async with running_app("markers", new_database("markers"), None) as app:
        yield app


@pytest.fixture
def markers(running: RunningApp) -> Markers:
    return Markers(running)


async def stored(markers: Markers, assessment: httpx.Response) -> Facts:
    return await markers.get(at(assessment))


async def history(markers: Markers, path: str, who: Who | None = None) -> list[Facts]:
    found: list[Facts] = (await markers.get(f"{path}/history", who))["items"]
    return found


# --- drafts ----------------------------------------------------------------------------------------------------------


async def test_a_draft_begins_empty_and_says_what_is_missing(markers: Markers) -> None:
    code = await markers.copied()
    draft = await markers.draft(code)
    said = draft.json()
    assert draft.headers["location"] == at(draft)
    assert {**said, "code": None, "updated": None, "rubric": said["rubric"]["hash"]} == {
        "code": None,
        "organization": "IOM",
        "programme": code,
        "stage": "programme_document",
        "year": None,
        "version": 1,
        "corrects": None,
        "rubric": RUBRIC.hash,
        "answers": {},
        "due_diligence": [],
        "declared_grade": None,
        "grade": None,
        "missing": CODES,
        "updated": None,
    }


async def test_answers_are_merged_one_by_one_and_null_takes_one_back(markers: Markers) -> None:
    draft = await markers.draft(await markers.copied(), answers={CODES[0]: answer(2), CODES[1]: answer(1)})
    evidence = [{"title": "Report", "url": "https://example.org/a", "document": None, "locator": None}]
    changed = made(
        await markers.patch(draft, answers={CODES[1]: answer(3, evidence=evidence), CODES[2]: answer(0)}), 200
    )
    assert {c: a["answer"] for c, a in changed.json()["answers"].items()} == {CODES[0]: 2, CODES[1]: 3, CODES[2]: 0}
    assert changed.json()["answers"][CODES[1]]["evidence"] == evidence
    back = made(await markers.patch(changed, answers={CODES[0]: None, CODES[5]: None}), 200)
    assert sorted(back.json()["answers"]) == sorted(CODES[1:3])
    assert back.json()["missing"] == [CODES[0], *CODES[3:]]
    full = made(await markers.patch(back, answers=answers(3), due_diligence=[RISK], declared_grade="B"), 200)
    assert (full.json()["missing"], full.json()["grade"], full.json()["declared_grade"]) == ([], "A", "B")
    assert full.json()["due_diligence"] == [{**RISK, "due": None}]
    cleared = made(await markers.patch(full, due_diligence=[], declared_grade=None), 200)
    assert (cleared.json()["due_diligence"], cleared.json()["declared_grade"]) == ([], None)
    assert cleared.json()["answers"] == full.json()["answers"]


async def test_two_sections_saved_one_after_the_other_lose_nothing(markers: Markers) -> None:
    draft = await markers.draft(await markers.copied())
    await markers.patch(draft, answers={CODES[0]: answer(2)})
    late = await markers.patch(draft, answers={CODES[1]: answer(1)})
    assert refused(late) == (412, "precondition_failed")
    again = await markers.send("GET", at(draft), IOM)
    assert late.headers["etag"] == again.headers["etag"]
    both = made(await markers.patch(again, answers={CODES[1]: answer(1)}), 200)
    assert {c: a["answer"] for c, a in both.json()["answers"].items()} == {CODES[0]: 2, CODES[1]: 1}
    # Saved side by side, whatever the other has saved before: `*` says so.
    sections = [markers.send("PATCH", at(draft), IOM, {"answers": {c: answer(3)}}, match="*") for c in CODES[2:8]]
    assert {a.status_code for a in await asyncio.gather(*sections)} == {200}
    assert sorted((await markers.get(at(draft), IOM))["answers"]) == sorted(CODES[:8])


async def test_a_change_names_what_it_changes(markers: Markers) -> None:
    draft = await markers.draft(await markers.copied(), answers=answers(3))
    for method, path, sent in (
        ("PATCH", at(draft), {"declared_grade": "A"}),
        ("POST", f"{at(draft)}/submission", None),
        ("DELETE", at(draft), None),
    ):
        assert refused(await markers.send(method, path, IOM, sent)) == (428, "precondition_required")
        assert refused(await markers.send(method, path, IOM, sent, match='"0-x"')) == (412, "precondition_failed")
    assert (await markers.send("GET", at(draft), IOM)).headers["etag"] == draft.headers["etag"]
    submitted = made(await markers.submit(draft))
    path = f"{at(submitted)}/review"
    sent = {"decision": "accept", "comment": "Read."}
    assert refused(await markers.send("POST", path, OHCHR, sent)) == (428, "precondition_required")
    assert refused(await markers.send("POST", path, OHCHR, sent, match='"0-x"')) == (412, "precondition_failed")


async def test_saving_what_is_there_already_writes_nothing(markers: Markers) -> None:
    draft = await markers.draft(await markers.copied(), answers={CODES[0]: answer(2)})
    before = await markers.revision()
    same = made(await markers.patch(draft, answers={CODES[0]: answer(2)}), 200)
    assert (same.json(), same.headers["etag"]) == (draft.json(), draft.headers["etag"])
    assert await markers.revision() == before


async def test_drafts_are_seen_by_their_organization_alone(markers: Markers) -> None:
    code = await markers.copied()
    before = await markers.revision()
    draft = await markers.draft(code, answers={CODES[0]: answer(2, justification="Unheard-of plans.")})
    path, own = at(draft), draft.json()["code"]
    assert await markers.get(path, IOM) == draft.json()
    assert own in {d["code"] for d in (await markers.get(DRAFTS, ADMIN))["items"]}
    mine = await markers.send("GET", f"{DRAFTS}?programme={code}", IOM)
    assert [d["code"] for d in mine.json()["items"]] == [own]
    assert mine.headers["cache-control"] == "private, no-cache"
    assert "authorization" in mine.headers["vary"].lower()
    for form in ("csv", "ndjson"):
        assert own in (await markers.send("GET", f"{DRAFTS}?format={form}", IOM)).text
    # ILO takes part in the programme and WHO does not: neither is shown it.
    for who in (ILO, WHO):
        unknown = await markers.send("GET", f"{DRAFTS}/A-999999", who)
        hidden = await markers.send("GET", path, who)
        assert refused(hidden) == refused(unknown) == (404, "not_found")
        assert hidden.json()["detail"].replace(own, "X") == unknown.json()["detail"].replace("A-999999", "X")
        assert refused(await markers.send("GET", f"{path}/history", who)) == (404, "not_found")
        for form in ("json", "csv", "ndjson"):
            assert own not in (await markers.send("GET", f"{DRAFTS}?format={form}", who)).text
        for method, where, sent in (
            ("PATCH", path, {"declared_grade": "A"}), ("DELETE", path, None), ("POST", f"{path}/submission", None),
        ):  # fmt: skip
            assert refused(await markers.send(method, where, who, sent, match="*")) == (404, "not_found")
    # Who writes for no organization has no drafts.
    assert (await markers.get(DRAFTS, NOBODYS))["total"] == 0
    assert refused(await markers.send("GET", path, NOBODYS)) == (404, "not_found")
    for where in (path, DRAFTS, f"{path}/history"):
        assert refused(await markers.send("GET", where, None)) == (401, "token_missing")
        assert refused(await markers.send("GET", where, OHCHR)) == (403, "insufficient_scope")
    assert refused(await markers.send("GET", f"{ASSESSMENTS}/{own}", None)) == (404, "not_found")
    assert refused(await markers.send("GET", f"{ASSESSMENTS}/{own}/history", None)) == (404, "not_found")
    assert (await markers.get(f"{API}/changes", after=before))["items"] == []
    assert (await markers.send("GET", f"{API}/changes?entity=draft", None)).status_code == 422
    assert [(h["action"], h["key"]) for h in await history(markers, path, IOM)] == [("create", own)]


async def test_a_discarded_draft_leaves_its_code_to_nobody(markers: Markers) -> None:
    code = await markers.copied()
    draft = await markers.draft(code)
    gone = await markers.send("DELETE", at(draft), IOM, match=draft.headers["etag"])
    assert (gone.status_code, gone.content) == (204, b"")
    assert refused(await markers.send("GET", at(draft), IOM)) == (404, "not_found")
    again = await markers.draft(code)
    assert again.json()["code"] > draft.json()["code"]
    assert [h["action"] for h in await history(markers, at(draft), IOM)] == ["create", "delete"]


async def test_one_draft_of_the_same_at_a_time(markers: Markers) -> None:
    code = await markers.copied()
    draft = await markers.draft(code)
    again = await markers.send("POST", DRAFTS, IOM, {"programme": code, "stage": "programme_document"})
    assert refused(again) == (409, "draft_exists")
    assert draft.json()["code"] in again.json()["detail"]
    theirs = await markers.draft(code, ILO)
    assert theirs.json()["organization"] == "ILO"
    for stage, year in (("concept_note", None), ("annual_report", 2024), ("annual_report", 2025)):
        assert (await markers.draft(code, stage=stage, year=year)).json()["version"] == 1


async def test_a_draft_under_another_marker_is_another_draft(markers: Markers) -> None:
    code = await markers.copied()
    first = await markers.draft(code)
    gender = await markers.publish(graded("gender-draft", {"type": "manual"}))
    second = await markers.draft(code, rubric=gender)
    assert second.json()["rubric"]["marker"] == "gender-draft"
    twice = await markers.send(
        "POST", DRAFTS, IOM, {"programme": code, "stage": "programme_document", "rubric": gender}
    )
    assert refused(twice) == (409, "draft_exists")
    assert second.json()["code"] in twice.json()["detail"] and first.json()["code"] not in twice.json()["detail"]


# --- what is refused, and what is said about it ----------------------------------------------------------------------


@pytest.mark.parametrize(
    ("members", "error", "allowed", "suggestion"),
    [
        ({"programme": "MARC-KNOWN"}, ("unknown_code", "/programme"), "MARK-KNOWN", "MARK-KNOWN"),
        ({"rubric": "hr-marker-illustrativ.1"}, ("unknown_code", "/rubric"), RUBRIC_CODE, RUBRIC_CODE),
        ({"answers": {"equalty": answer(1)}}, ("unknown_criterion", "/answers/equalty"), "equality", "equality"),
        ({"answers": {"equality": answer(4)}}, ("unknown_level", "/answers/equality"), "3", None),
        ({"answers": {"equality": answer("2")}}, ("unknown_level", "/answers/equality"), "2", None),
        ({"answers": {"equality": answer(NOT_APPLICABLE)}},
         ("not_applicable_refused", "/answers/equality"), "0", None),
        ({"stage": "concept_note", "answers": {"sustainability": answer(1)}},
         ("wrong_stage", "/answers/sustainability"), "equality", None),
        ({"declared_grade": "D"}, ("unknown_code", "/declared_grade"), "A", None),
        ({"stage": "annual_report"}, ("missing", "/year"), None, None),
        ({"year": 2024}, ("not_applicable", "/year"), None, None),
        ({"stage": "concept-note"}, ("invalid_body", "/stage"), "concept_note", "concept_note"),
    ],
)  # fmt: skip
async def test_what_is_not_known_is_named_with_what_is_allowed(
    markers: Markers, members: Facts, error: tuple[str, str], allowed: str | None, suggestion: str | None
) -> None:
    await markers.copy(programme("MARK-KNOWN"))
    before = await markers.revision()
    sent = {"programme": "MARK-KNOWN", "stage": "programme_document", **members}
    refusal = await markers.send("POST", DRAFTS, IOM, sent)
    assert errors(refusal) == [error]
    (error,) = refusal.json()["errors"]
    assert allowed is None or allowed in error["allowed"]
    assert error["suggestion"] == suggestion
    assert await markers.revision() == before


@pytest.mark.parametrize("given", [1.0, True, None, "1", "", [1], {"answer": 1}, -1, 10**30, "x" * 5000, "a\0b"])
async def test_an_answer_is_a_level_of_the_scale_and_nothing_like_one(markers: Markers, given: Any) -> None:
    code = await markers.copied()
    begun = await markers.send(
        "POST", DRAFTS, IOM, {"programme": code, "stage": "concept_note", "answers": {"equality": answer(given)}}
    )
    assert begun.status_code == 422, begun.text
    draft = await markers.draft(code)
    refusal = await markers.patch(draft, answers={"equality": answer(given)})
    assert refusal.status_code == 422, refusal.text
    assert all(error["pointer"].startswith("/answers/equality") for error in refusal.json()["errors"])


async def test_every_error_of_the_answers_is_told_at_once(markers: Markers) -> None:
    sent = {"equality": answer(9), "nobody": answer(1), "participation": answer(NOT_APPLICABLE)}
    refusal = await markers.send(
        "POST", DRAFTS, IOM, {"programme": await markers.copied(), "stage": "programme_document", "answers": sent}
    )
    assert sorted(errors(refusal)) == [
        ("not_applicable_refused", "/answers/participation"),
        ("unknown_criterion", "/answers/nobody"),
        ("unknown_level", "/answers/equality"),
    ]


HOSTILE = ["a\0b", "\x1b[0m", "", "   ", "\u200b", "x" * 4001, 1, True, [], {}, ["x"]]
HARMLESS = [
    "'; DROP TABLE draft; --",
    "%s {} {0} ${1}",
    "\\u0041 \\n",
    "x" * 4000,
    "\U0001f600 \u202e\u0301",
    "a\nb\tc",
]


@pytest.mark.parametrize("text", HOSTILE)
async def test_texts_that_say_nothing_or_cannot_be_kept_are_refused(markers: Markers, text: Any) -> None:
    code = await markers.copied()
    given = answer(1, justification=text)
    begun = await markers.send(
        "POST", DRAFTS, IOM, {"programme": code, "stage": "concept_note", "answers": {"equality": given}}
    )
    assert errors(begun) == [("invalid_body", "/answers/equality/justification")]
    submitted = await markers.submitted(code)
    commented = await markers.review(submitted, comment=text)
    assert errors(commented) == [("invalid_body", "/comment")]
    declared = await markers.declare(code, stage="concept_note", source=text)
    assert errors(declared) == [("invalid_body", "/source")]


@pytest.mark.parametrize("text", HARMLESS)
async def test_other_texts_come_back_as_they_were_sent(markers: Markers, text: str) -> None:
    code = await markers.copied()
    said = answers(3, equality=answer(2, justification=text))
    reviewed = await markers.reviewed(await markers.submitted(code, answers=said), comment=text)
    kept = await stored(markers, reviewed)
    assert kept["answers"]["equality"]["justification"] == kept["reviewed"]["comment"] == text


async def test_the_name_of_a_character_is_a_text_like_any_other(markers: Markers) -> None:
    # Six characters, and not the one that they stand for in JSON, which no database takes.
    named = "a \\u0000 in a file"
    draft = await markers.draft(await markers.copied(), answers={"equality": answer(1, justification=named)})
    assert draft.json()["answers"]["equality"]["justification"] == named


@pytest.mark.parametrize(
    "body",
    [
        b"", b"null", b"[]", b"1", b"\xff", b"{", b"[" * 5000, b'{"a":' * 3000, b"9" * 6000,
        b'{"programme": "\\ud800", "stage": "concept_note"}',
        b'{"programme": "MARK-KNOWN", "stage": "concept_note", "answers": {"\\ud800": {"answer": 1}}}',
        b'{"programme": "MARK-KNOWN", "stage": "concept_note", "answers": {"equality": {"answer": "\\ud800"}}}',
        b'{"programme": "MARK-KNOWN", "stage": "annual_report", "year": 1e400}',
        b'{"programme": "MARK-KNOWN", "stage": "annual_report", "year": NaN}',
        b'{"programme": "MARK-KNOWN", "stage": "annual_report", "year": 99999999999999999999}',
        b'{"programme": "MARK-KNOWN", "stage": "concept_note", "answers": {"equality": '
        + b'{"answer": ' * 500 + b"1" + b"}" * 500 + b"}}",
    ],
)  # fmt: skip
async def test_a_body_that_is_none_is_refused_everywhere(markers: Markers, body: bytes) -> None:
    await markers.copy(programme("MARK-KNOWN"))
    submitted = await markers.submitted(await markers.copied())
    draft = await markers.draft(await markers.copied())
    before = await markers.revision()
    headers = {"idempotency-key": str(uuid.uuid4()), "content-type": "application/json", "if-match": "*"}
    for method, path, who in (
        ("POST", DRAFTS, IOM),
        ("PATCH", at(draft), IOM),
        ("POST", f"{at(submitted)}/review", OHCHR),
        ("POST", DECLARATIONS, FUND),
    ):
        refusal = await markers.running.client.request(method, path, content=body, headers={**headers, **who.headers()})
        assert refusal.status_code in (400, 422), refusal.text
        assert refusal.headers["content-type"] == "application/problem+json"
    assert await markers.revision() == before


@pytest.mark.parametrize(
    "code", ["A-000000", "A", "x" * 64, "x" * 65, "A-1'--", "%00", "A%2F1", "A-000001%0A", "ä", "*"]
)
async def test_strange_codes_are_not_found_or_not_valid(markers: Markers, code: str) -> None:
    for method, path, who in (
        ("GET", f"{ASSESSMENTS}/{code}", None),
        ("GET", f"{ASSESSMENTS}/{code}/history", None),
        ("GET", f"{ASSESSMENTS}/{code}/score", None),
        ("GET", f"{ASSESSMENTS}/{code}/comparison", None),
        ("GET", f"{DRAFTS}/{code}", IOM),
        ("GET", f"{DRAFTS}/{code}/history", IOM),
        ("DELETE", f"{DRAFTS}/{code}", IOM),
        ("POST", f"{DRAFTS}/{code}/submission", IOM),
    ):
        assert (await markers.send(method, path, who, match="*")).status_code in (404, 422)


async def test_a_member_that_nobody_asked_for_is_refused(markers: Markers) -> None:
    draft = await markers.draft(await markers.copied())
    for members in ({"grade": "A"}, {"version": 2}, {"organization": "ILO"}, {"rubric": RUBRIC_CODE}, {"stage": "x"}):
        (found,) = errors(await markers.patch(draft, **members))
        assert found == ("invalid_body", f"/{next(iter(members))}")
    assert errors(await markers.patch(draft, answers=None)) == [("invalid_body", "/answers")]


# --- submission ------------------------------------------------------------------------------------------------------


async def test_a_draft_is_told_all_that_it_lacks(markers: Markers) -> None:
    bare = answer(2)
    del bare["justification"]
    draft = await markers.draft(await markers.copied(), answers={CODES[3]: bare, CODES[1]: answer(1)})
    refusal = await markers.submit(draft)
    missing = [("missing", f"/answers/{c}") for c in CODES if c not in (CODES[1], CODES[3])]
    assert errors(refusal) == [*missing, ("missing", f"/answers/{CODES[3]}/justification")]
    still = await markers.send("GET", at(draft), IOM)
    assert still.headers["etag"] == draft.headers["etag"]


async def test_a_submitted_version_is_seen_by_everybody(markers: Markers) -> None:
    code = await markers.copied(title="Safe pathways")
    before = await markers.revision()
    draft = await markers.draft(
        code, answers=answers(3, equality=1, due_diligence=2), due_diligence=[RISK], declared_grade="A"
    )
    submitted = made(await markers.submit(draft))
    said = submitted.json()
    path = f"{ASSESSMENTS}/{draft.json()['code']}"
    assert submitted.headers["location"] == path
    public = await markers.send("GET", path, None)
    assert (public.json(), public.headers["etag"]) == (said, submitted.headers["etag"])
    expected = {
        "programme": code, "title": "Safe pathways", "marker": "human_rights", "version": 1, "corrects": None,
        "organization": "IOM", "status": "submitted", "grade": "B", "basis": "derived", "answered": True,
        "declared_grade": "A", "reviewed": None, "differences": ["declared_derived"],
        "answers": draft.json()["answers"], "due_diligence": draft.json()["due_diligence"],
        "submitted": datetime.now(UTC).date().isoformat(),
    }  # fmt: skip
    assert {name: said[name] for name in expected} == expected
    copy, _ = (await markers.get(f"{API}/copies"))["copies"]
    assert all(said["catalogue"][name] == copy[name] for name in ("reached", "caught_up"))
    # A gate keeps from A what the share alone would give.
    assert (said["derived"]["grade"], said["derived"]["before_gates"]) == ("B", "A")
    assert said["rubric"] == {
        "code": RUBRIC.code, "version": "1", "hash": RUBRIC.hash, "status": "illustrative", "marker": "human_rights",
    }  # fmt: skip
    assert said["sources"][0]["locator"].startswith(f"{path}/history?after=")
    assert [h["action"] for h in (await markers.get(said["sources"][0]["locator"]))["items"]] == ["create"]
    feed = (await markers.get(f"{API}/changes", after=before))["items"]
    assert [(c["entity"], c["action"], c["organization"]) for c in feed] == [("assessment", "create", "IOM")]
    assert refused(await markers.send("GET", at(draft), IOM)) == (404, "not_found")
    assert [h["action"] for h in await history(markers, at(draft), IOM)] == ["create", "delete"]


async def test_no_route_changes_what_was_submitted(markers: Markers) -> None:
    submitted = await markers.submitted(await markers.copied())
    path = at(submitted)
    draft = path.replace(ASSESSMENTS, DRAFTS)
    for who in (IOM, OHCHR, FUND, ADMIN):
        for method in ("PATCH", "PUT", "DELETE", "POST"):
            refusal = await markers.send(method, path, who, {"answers": answers(1)}, match="*")
            assert refused(refusal) == (405, "method_not_allowed")
    for who in (IOM, ADMIN):
        for method, where in (("PATCH", draft), ("DELETE", draft), ("POST", f"{draft}/submission")):
            assert refused(await markers.send(method, where, who, {}, match="*")) == (404, "not_found")
    assert await stored(markers, submitted) == submitted.json()


async def test_the_journal_shows_what_a_review_changes_and_nothing_else(markers: Markers) -> None:
    submitted = await markers.submitted(await markers.copied(), 3, due_diligence=[RISK], declared_grade="A")
    # In between the copy of the catalogue has gone on.
    async with markers.running.app.state.database.sessions() as session, session.begin():
        await session.execute(
            sa.text(
                "INSERT INTO followed VALUES ('catalog', 77, 77, now(), now())"
                " ON CONFLICT (service) DO UPDATE SET last = followed.last + 1"
            )
        )
    reviewed = await markers.reviewed(submitted, answers={"equality": {"answer": 1, "reason": "No data by sex."}})
    created, amended = await history(markers, at(submitted))
    assert (created["action"], created["after"]) == ("create", submitted.json())
    assert (amended["action"], amended["before"], amended["after"]) == ("amend", submitted.json(), reviewed.json())
    assert amended["changed"] == ["basis", "differences", "grade", "reviewed", "status"]
    assert amended["reason"] == "Read and discussed."


async def test_a_draft_begun_before_another_submission_is_refused(markers: Markers) -> None:
    code = await markers.copied()
    ours = await markers.draft(code, answers=answers(3))
    theirs = await markers.submitted(code, 2, ILO)
    refusal = await markers.submit(ours)
    assert refused(refusal) == (409, "under_review")
    assert theirs.json()["code"] in refusal.json()["detail"]
    begun = await markers.send("POST", DRAFTS, WHO, {"programme": code, "stage": "programme_document"})
    assert refused(begun) == (403, "forbidden")
    await markers.send("DELETE", at(ours), IOM, match="*")
    again = await markers.send("POST", DRAFTS, IOM, {"programme": code, "stage": "programme_document"})
    assert refused(again) == (409, "under_review")
    assert theirs.json()["code"] in again.json()["detail"]
    # Another stage of the same programme is another assessment.
    assert (await markers.submitted(code, 1, stage="concept_note")).json()["version"] == 1


async def test_of_two_submissions_at_once_one_is_first(markers: Markers) -> None:
    code = await markers.copied()
    drafts = [(await markers.draft(code, who, answers=answers(3)), who) for who in (IOM, ILO)]
    done = await asyncio.gather(*(markers.submit(draft, who) for draft, who in drafts))
    assert sorted(answer.status_code for answer in done) == [201, 409]
    assert (await markers.get(ASSESSMENTS, programme=code))["total"] == 1


# --- review ----------------------------------------------------------------------------------------------------------


async def test_the_reviewer_wrote_nothing_of_it(markers: Markers) -> None:
    one, other, third = (Who("agency", "IOM", subject) for subject in ("one", "other", "third"))
    code = await markers.copied()
    draft = await markers.draft(code, one)
    draft = made(await markers.patch(draft, other, answers=answers(3)), 200)
    submitted = made(await markers.submit(draft, third))
    for who in (one, other, third):
        # The same person with both scopes, now of an organization that takes no part.
        reviewer = Who("reviewer", "OHCHR", who.subject, BOTH)
        assert refused(await markers.review(submitted, reviewer)) == (403, "forbidden")
        assert refused(await markers.review(submitted, Who("admin", None, who.subject))) == (403, "forbidden")
    done = made(await markers.review(submitted, Who("reviewer", "OHCHR", "fourth", BOTH)), 200)
    assert done.json()["status"] == "accepted"


async def test_who_wrote_what_a_correction_goes_on_with_does_not_review_it(markers: Markers) -> None:
    one, other = Who("agency", "IOM", "one"), Who("agency", "IOM", "other")
    code = await markers.copied()
    first = await markers.submitted(code, 3, one)
    returned = await markers.reviewed(first, decision="return")
    second = await markers.submitted(code, 3, other, answers={})
    assert second.json()["answers"] == returned.json()["answers"]
    assert refused(await markers.review(second, Who("reviewer", "OHCHR", "one", BOTH))) == (403, "forbidden")
    assert made(await markers.review(second), 200).json()["version"] == 2


@pytest.mark.parametrize("organization", ["IOM", "ILO", "UNDP"])
async def test_the_reviewer_belongs_to_none_that_takes_part(markers: Markers, organization: str) -> None:
    # The lead takes part, though it is not among the organizations.
    submitted = await markers.submitted(await markers.copied(lead_organization="UNDP"))
    refusal = await markers.review(submitted, Who("reviewer", organization))
    assert refused(refusal) == (403, "forbidden")
    assert organization in refusal.json()["detail"]


async def test_who_assessed_does_not_review_after_leaving_the_programme(markers: Markers) -> None:
    document = programme()
    await markers.copy(document)
    submitted = await markers.submitted(document["code"], 3, ILO)
    await markers.copy({**document, "organizations": [{"code": "IOM", "name": "IOM"}]})
    assert refused(await markers.review(submitted, Who("reviewer", "ILO"))) == (403, "forbidden")
    assert (await markers.review(submitted, Who("reviewer", "UNDP"))).status_code == 200


@pytest.mark.parametrize("organization", ["Human Rights Office", "x" * 65, "ö", "a/b"])
async def test_a_reviewer_whose_organization_is_no_code_is_refused(markers: Markers, organization: str) -> None:
    submitted = await markers.submitted(await markers.copied())
    assert refused(await markers.review(submitted, Who("reviewer", organization))) == (403, "forbidden")


async def test_own_answers_of_the_reviewer_give_the_reviewed_grade(markers: Markers) -> None:
    submitted = await markers.submitted(await markers.copied(), 3, declared_grade="A")
    own = {"due-diligence": {"answer": 0, "reason": "No measure."}, "equality": {"answer": 1, "reason": "No data."}}
    said = (await markers.reviewed(submitted, answers=own)).json()
    assert (said["declared_grade"], said["derived"]["grade"], said["reviewed"]["grade"]) == ("A", "A", "C")
    assert (said["grade"], said["basis"], said["status"]) == ("C", "reviewed", "accepted")
    assert said["differences"] == ["derived_reviewed", "declared_reviewed", "answers"]
    assert said["reviewed"]["answers"] == {c: {**a, "instead_of": 3} for c, a in own.items()}
    assert said["reviewed"]["derived"]["before_gates"] == "A"
    assert (said["reviewed"]["organization"], said["reviewed"]["decision"]) == ("OHCHR", "accept")
    assert said["answers"] == submitted.json()["answers"]


async def test_an_own_answer_is_another_one_to_a_criterion_that_was_asked(markers: Markers) -> None:
    submitted = await markers.submitted(
        await markers.copied(), stage="concept_note", answers=answers(3, "concept_note")
    )

    def own(**given: Any) -> Facts:
        return {code.replace("_", "-"): {"answer": value, "reason": "x"} for code, value in given.items()}

    for given, expected in (
        (own(equality=3), ("not_another", "/answers/equality")),
        (own(equality=4), ("unknown_level", "/answers/equality")),
        (own(equality=NOT_APPLICABLE), ("not_applicable_refused", "/answers/equality")),
        (own(equalty=1), ("unknown_criterion", "/answers/equalty")),
        (own(sustainability=1), ("wrong_stage", "/answers/sustainability")),
    ):
        assert errors(await markers.review(submitted, answers=given)) == [expected]
    refusal = await markers.review(submitted, grade="A")
    assert errors(refusal) == [("not_applicable", "/grade")]
    assert await stored(markers, submitted) == submitted.json()


async def test_a_second_review_is_refused(markers: Markers) -> None:
    for decision, status in (("accept", "accepted"), ("return", "returned")):
        reviewed = await markers.reviewed(await markers.submitted(await markers.copied()), decision=decision)
        assert reviewed.json()["status"] == status
        again = await markers.review(reviewed, FUND, decision="return")
        assert refused(again) == (409, "not_reviewable")
        assert status in again.json()["detail"]
    declared = made(await markers.declare(await markers.copied()))
    assert refused(await markers.review(declared)) == (409, "not_reviewable")


@pytest.mark.parametrize("decision", ["return", "accept"])
async def test_a_correction_is_begun_with_the_answers_and_is_the_next_version(markers: Markers, decision: str) -> None:
    code = await markers.copied()
    first = await markers.submitted(code, 2, due_diligence=[RISK], declared_grade="B")
    reviewed = await markers.reviewed(first, decision=decision)
    draft = await markers.draft(code, ILO, answers={"equality": answer(3), "participation": None}, declared_grade=None)
    said = draft.json()
    assert (said["version"], said["corrects"], said["organization"]) == (2, first.json()["code"], "ILO")
    kept = {**first.json()["answers"], "equality": answer(3)}
    del kept["participation"]
    assert (said["answers"], said["due_diligence"]) == (kept, first.json()["due_diligence"])
    assert (said["missing"], said["declared_grade"]) == (["participation"], None)
    full = made(await markers.patch(draft, ILO, answers={"participation": answer(3)}), 200)
    second = made(await markers.submit(full, ILO))
    assert (second.json()["version"], second.json()["corrects"]) == (2, first.json()["code"])
    assert await stored(markers, first) == reviewed.json()
    assert (await markers.draft(code, stage="concept_note")).json()["corrects"] is None


async def test_a_correction_under_another_version_of_the_rubric_begins_empty(markers: Markers) -> None:
    code = await markers.copied()
    rubric = await markers.publish(graded("moved", {"type": "manual"}))
    said = {c: answer(2) for c in ("c0", "c1", "c2")}
    first = await markers.submitted(code, rubric=rubric, answers=said, declared_grade="A")
    await markers.reviewed(first, grade="B")
    newer = await markers.publish({**graded("moved", {"type": "manual"}), "version": "2"}, rubric)
    draft = await markers.draft(code, rubric=newer)
    begun = draft.json()
    assert (begun["version"], begun["corrects"], begun["answers"]) == (2, first.json()["code"], {})
    assert begun["rubric"]["version"] == "2"
    # The version that gave way is still what the earlier one is explained by.
    assert (await markers.get(f"{at(first)}/score"))["rubric"]["version"] == "1"


async def test_annual_reports_are_told_apart_by_their_year(markers: Markers) -> None:
    code = await markers.copied()
    for year in (2024, 2025):
        said = await markers.accepted(code, stage="annual_report", year=year, answers=answers(3, "annual_report"))
        assert (said["year"], said["version"], said["corrects"]) == (year, 1, None)
    again = await markers.draft(code, stage="annual_report", year=2024)
    assert (again.json()["version"], again.json()["year"]) == (2, 2024)


# --- other rubrics ---------------------------------------------------------------------------------------------------


def graded(marker: str, rule: Facts, grades: list[str] | None = None, **members: Any) -> Facts:
    """A rubric of a marker of its own, with three criteria on a scale from 0 to 2."""
    return {**small(rule, grades or ["A", "B", "C"], [1, 1, 1]), "code": marker, "marker": marker, **members}


async def test_a_manual_rubric_needs_a_declared_grade_and_the_reviewers(markers: Markers) -> None:
    rubric = await markers.publish(graded("manual", {"type": "manual"}))
    code = await markers.copied()
    draft = await markers.draft(code, rubric=rubric, answers={c: answer(2) for c in ("c0", "c1", "c2")})
    refusal = await markers.submit(draft)
    assert errors(refusal) == [("missing", "/declared_grade")]
    assert refusal.json()["errors"][0]["allowed"] == ["A", "B", "C"]
    draft = made(await markers.patch(draft, declared_grade="B"), 200)
    submitted = made(await markers.submit(draft))
    said = submitted.json()
    assert (said["grade"], said["basis"], said["answered"], said["derived"]["grade"]) == ("B", "declared", True, None)
    assert errors(await markers.review(submitted)) == [("missing", "/grade")]
    assert errors(await markers.review(submitted, grade="D")) == [("unknown_code", "/grade")]
    reviewed = (await markers.reviewed(submitted, grade="C")).json()
    assert (reviewed["grade"], reviewed["basis"], reviewed["differences"]) == ("C", "reviewed", ["declared_reviewed"])


async def test_a_count_rubric_has_grades_of_its_own(markers: Markers) -> None:
    bands = [{"grade": str(3 - n), "minimum": 3 - n} for n in range(4)]
    rubric = await markers.publish(
        graded("counted", {"type": "count", "level": 2, "bands": bands}, ["3", "2", "1", "0"])
    )
    for met in range(4):
        code = await markers.copied()
        said = {f"c{n}": answer(2 if n < met else 1) for n in range(3)}
        submitted = await markers.submitted(code, rubric=rubric, answers=said)
        assert (submitted.json()["grade"], submitted.json()["marker"]) == (str(met), "counted")
    wrong = await markers.send(
        "POST", DRAFTS, IOM,
        {"programme": await markers.copied(), "stage": "programme_document", "rubric": rubric, "declared_grade": "A"},
    )  # fmt: skip
    assert errors(wrong) == [("unknown_code", "/declared_grade")]
    assert wrong.json()["errors"][0]["allowed"] == ["3", "2", "1", "0"]
    reviewed = await markers.reviewed(submitted, answers={"c2": {"answer": 0, "reason": "x"}})
    assert reviewed.json()["grade"] == "2"
    elsewhere = await markers.send(
        "POST", DRAFTS, IOM, {"programme": code, "stage": "final_report", "rubric": rubric, "answers": {}}
    )
    assert errors(elsewhere)[0][0] == "stage_not_covered"


# --- declared grades -------------------------------------------------------------------------------------------------


async def test_a_declared_grade_counts_and_has_no_answers(markers: Markers) -> None:
    code = await markers.copied(title="Older")
    declared = made(await markers.declare(code, "B", organization="ILO"))
    said = declared.json()
    assert declared.headers["location"] == at(declared)
    expected = {
        "status": "accepted", "grade": "B", "basis": "declared", "answered": False, "rubric": None,
        "declared_grade": "B", "derived": None, "reviewed": None, "differences": [], "answers": {},
        "organization": "ILO", "submitted": "2022-06-30", "title": "Older", "version": 1, "corrects": None,
    }  # fmt: skip
    assert {name: said[name] for name in expected} == expected
    assert said["sources"][0]["note"] == "Cover page"
    for path in ("score", "score?answers=reviewer", "comparison"):
        assert (await markers.send("GET", f"{at(declared)}/{path}", None)).status_code == 409
    draft = await markers.draft(code)
    assert (draft.json()["version"], draft.json()["corrects"], draft.json()["answers"]) == (2, said["code"], {})


async def test_a_declared_grade_gives_way_to_what_is_there(markers: Markers) -> None:
    code = await markers.copied()
    begun = await markers.draft(code, answers=answers(3))
    declared = made(await markers.declare(code, "C"))
    assert refused(await markers.submit(begun)) == (409, "under_review")
    twice = await markers.declare(code, "A")
    assert refused(twice) == (409, "already_assessed")
    assert declared.json()["code"] in twice.json()["detail"]
    assert (await markers.declare(code, "A", stage="final_report")).status_code == 201
    other = await markers.submitted(await markers.copied())
    assert refused(await markers.declare(other.json()["programme"])) == (409, "already_assessed")


@pytest.mark.parametrize(
    ("members", "error"),
    [
        ({"programme": "NOBODY"}, ("unknown_code", "/programme")),
        ({"marker": "human_right"}, ("unknown_code", "/marker")),
        ({"grade": "D"}, ("unknown_code", "/grade")),
        ({"stage": "annual_report"}, ("missing", "/year")),
        ({"year": 2022}, ("not_applicable", "/year")),
        ({"date": (datetime.now(UTC).date() + timedelta(days=1)).isoformat()}, ("in_the_future", "/date")),
        ({"date": "2023-02-29"}, ("invalid_body", "/date")),
        ({"organization": "a b"}, ("invalid_body", "/organization")),
        ({"organization": "NOBODY"}, ("unknown_code", "/organization")),
    ],
)
async def test_a_declared_grade_is_of_something_known(markers: Markers, members: Facts, error: tuple[str, str]) -> None:
    sent = {"programme": await markers.copied(), **members}
    assert errors(await markers.declare(**sent)) == [error]


# --- who may do what -------------------------------------------------------------------------------------------------


async def test_every_wrong_role_is_refused(markers: Markers) -> None:
    code = await markers.copied()
    draft = await markers.draft(code)
    submitted = await markers.submitted(await markers.copied())
    review = {"decision": "accept", "comment": "Read."}
    begun = {"programme": code, "stage": "final_report"}
    for method, path, sent, wrong in (
        ("POST", DRAFTS, begun, (OHCHR, FUND, Who("agent"))),
        ("PATCH", at(draft), {}, (OHCHR, FUND, Who("agent"))),
        ("DELETE", at(draft), None, (OHCHR, FUND, Who("agent"))),
        ("POST", f"{at(draft)}/submission", None, (OHCHR, FUND, Who("agent"))),
        ("POST", f"{at(submitted)}/review", review, (IOM, WHO, Who("agent"))),
        ("POST", DECLARATIONS, {}, (IOM, Who("agent"))),
    ):
        assert refused(await markers.send(method, path, None, sent, match="*")) == (401, "token_missing")
        for who in wrong:
            assert refused(await markers.send(method, path, who, sent, match="*")) == (403, "insufficient_scope")
    assert refused(await markers.declare(code, who=OHCHR)) == (403, "forbidden")
    for who in (WHO, Who("agency", "iom"), Who("admin", "WHO"), ADMIN, NOBODYS):
        assert refused(await markers.send("POST", DRAFTS, who, begun)) == (403, "forbidden")
    nobody = await markers.copied(lead_organization=None, organizations=[])
    refusal = await markers.send("POST", DRAFTS, IOM, {**begun, "programme": nobody})
    assert refused(refusal) == (403, "forbidden")
    assert "no organization" in refusal.json()["detail"]
    assert (await markers.send("GET", at(draft), IOM)).headers["etag"] == draft.headers["etag"]
    assert await stored(markers, submitted) == submitted.json()


async def test_who_has_left_the_programme_submits_no_more(markers: Markers) -> None:
    document = programme()
    await markers.copy(document)
    draft = await markers.draft(document["code"], ILO, answers=answers(3))
    await markers.copy({**document, "organizations": [{"code": "IOM", "name": "IOM"}]})
    assert refused(await markers.submit(draft, ILO)) == (403, "forbidden")
    assert (await markers.send("GET", at(draft), ILO)).headers["etag"] == draft.headers["etag"]


async def test_an_administrator_may_save_and_submit_for_others(markers: Markers) -> None:
    draft = await markers.draft(await markers.copied())
    draft = made(await markers.patch(draft, ADMIN, answers=answers(2)), 200)
    submitted = made(await markers.submit(draft, ADMIN))
    assert submitted.json()["organization"] == "IOM"
    # Who saved it has written it, whatever scope allowed that.
    assert refused(await markers.review(submitted, ADMIN)) == (403, "forbidden")


async def test_nothing_public_names_a_person(markers: Markers) -> None:
    before = await markers.revision()
    author, reviewer = (
        Who("agency", "IOM", "person-one@example.org"),
        Who("reviewer", "OHCHR", "person-two@example.org"),
    )
    code = await markers.copied()
    draft = made(await markers.patch(await markers.draft(code, author), author, answers=answers(3)), 200)
    submitted = made(await markers.submit(draft, author))
    reviewed = made(await markers.review(submitted, reviewer, answers={"equality": {"answer": 1, "reason": "x"}}), 200)
    declared = made(
        await markers.declare(code, who=Who("management-unit", None, "person-three@example.org"), stage="final_report")
    )
    told = [answer.text for answer in (draft, submitted, reviewed, declared)]
    for path in (
        at(reviewed), f"{at(reviewed)}/history", f"{at(reviewed)}/score", f"{at(declared)}/history",
        f"{ASSESSMENTS}?limit=1000", f"{ASSESSMENTS}?format=csv", f"{ASSESSMENTS}?format=ndjson",
        f"{API}/standings?limit=1000", f"{API}/indicator", f"{API}/criteria", f"{API}/actions",
        f"{API}/changes?after={before}&limit=1000",
    ):  # fmt: skip
        answered = await markers.send("GET", path, None)
        assert answered.status_code == 200
        told.append(answered.text)
    assert all(reviewed.json()["code"] in told[n] for n in (4, 8, 15))
    assert not [text for text in told if "person-" in text]
    audit = await markers.get(f"{API}/audit", ADMIN, after=before, limit=1000)
    assert {"person-one@example.org", "person-two@example.org", "person-three@example.org"} <= {
        item["actor"] for item in audit["items"]
    }


# --- trials and retries ----------------------------------------------------------------------------------------------


async def test_a_trial_answers_and_leaves_nothing(markers: Markers) -> None:
    code = await markers.copied()
    before = await markers.revision()
    begun = {"programme": code, "stage": "programme_document"}
    tried = made(await markers.send("POST", f"{DRAFTS}?dry_run=true", IOM, begun))
    assert (await markers.send("GET", at(tried), IOM)).status_code == 404
    draft = await markers.draft(code, answers=answers(3))
    assert draft.json()["code"] == tried.json()["code"]
    tried = made(await markers.send("POST", f"{at(draft)}/submission?dry_run=true", IOM, match="*"))
    assert (tried.json()["status"], (await markers.send("GET", at(tried), None)).status_code) == ("submitted", 404)
    submitted = made(await markers.submit(draft))
    sent = {"decision": "accept", "comment": "Read."}
    tried = made(await markers.send("POST", f"{at(submitted)}/review?dry_run=true", OHCHR, sent, match="*"), 200)
    assert tried.json()["status"] == "accepted"
    assert await stored(markers, submitted) == submitted.json()
    assert await markers.revision() == before + 3


async def test_a_write_sent_again_is_carried_out_once(markers: Markers) -> None:
    code = await markers.copied()
    begun = {"programme": code, "stage": "programme_document", "answers": answers(3)}
    before, keys = await markers.revision(), [str(uuid.uuid4()) for _ in range(3)]
    first, *others = await asyncio.gather(*(markers.send("POST", DRAFTS, IOM, begun, key=keys[0]) for _ in range(4)))
    assert {(a.status_code, a.text) for a in others} == {(201, first.text)}
    path, match = f"{at(first)}/submission", first.headers["etag"]
    submitted, again = [made(await markers.send("POST", path, IOM, match=match, key=keys[1])) for _ in range(2)]
    assert (again.text, again.headers["idempotency-replayed"]) == (submitted.text, "true")
    sent = {"decision": "return", "comment": "Read."}
    path, match = f"{at(submitted)}/review", submitted.headers["etag"]
    once, twice = [made(await markers.send("POST", path, OHCHR, sent, match=match, key=keys[2]), 200) for _ in range(2)]
    assert (once.text, once.headers["etag"]) == (twice.text, twice.headers["etag"])
    # A draft, its end with the assessment, and the review.
    assert await markers.revision() == before + 4
    reused = await markers.send("POST", path, OHCHR, {**sent, "decision": "accept"}, match="*", key=keys[2])
    assert refused(reused) == (422, "idempotency_key_reused")
    headers = {**IOM.headers(), "content-type": "application/json"}
    missing = await markers.running.client.post(DRAFTS, content=json.dumps(begun), headers=headers)
    assert refused(missing) == (400, "idempotency_key_missing")


async def test_codes_go_on_behind_a_million(new_database: Callable[[str], str]) -> None:
    async with running_app("markers", new_database("markers"), None) as running:
        markers = Markers(running)
        async with running.app.state.database.sessions() as session, session.begin():
            await begin_write(session, Author("test"), "a test")
            for n in (999999, 1000000):
                await session.execute(
                    sa.text(
                        "INSERT INTO draft (code, document, updated, organization, programme, stage)"
                        " VALUES (:code, '{\"organization\": \"WHO\"}', now(), 'WHO', 'X', 'concept_note')"
                    ),
                    {"code": f"A-{n:06}"},
                )
        code = await markers.copied()
        assert (await markers.draft(code)).json()["code"] == "A-1000001"
        assert (await markers.draft(code, ILO)).json()["code"] == "A-1000002"


# --- how a grade came about, and what has changed --------------------------------------------------------------------


async def test_the_score_is_computed_anew_from_either_answers(markers: Markers) -> None:
    submitted = await markers.submitted(await markers.copied(), 3, answers=answers(3, equality=2))
    score = f"{at(submitted)}/score"
    assert refused(await markers.send("GET", f"{score}?answers=reviewer", None)) == (409, "not_reviewed")
    before = (await markers.get(f"{API}/status"))["revision"]
    assessor = await markers.send("GET", score, None)
    reviewed = await markers.reviewed(submitted, answers={"equality": {"answer": 1, "reason": "x"}})
    for which, own in (("assessor", {}), ("reviewer", {"equality": 1})):
        given = {c: a["answer"] for c, a in submitted.json()["answers"].items()} | own
        sent = {"rubric": RUBRIC.code, "version": "1", "stage": "programme_document", "answers": given}
        expected = (await markers.running.client.post(f"{API}/score", json=sent)).json()
        told = await markers.send("GET", f"{score}?answers={which}", None)
        assert told.json() == expected
        kept = reviewed.json()["derived"] if which == "assessor" else reviewed.json()["reviewed"]["derived"]
        assert (kept["grade"], kept["share"], kept["reason"]) == (
            expected["grade"],
            expected["share"],
            expected["reason"],
        )
        same = await markers.running.client.get(
            f"{score}?answers={which}", headers={"if-none-match": told.headers["etag"]}
        )
        assert (same.status_code, same.content) == (304, b"")
    # As of then, nobody had reviewed it.
    then = await markers.send("GET", f"{score}?as_of={before}", None)
    assert (then.status_code, then.json()) == (200, assessor.json())
    assert refused(await markers.send("GET", f"{score}?as_of={before}&answers=reviewer", None)) == (409, "not_reviewed")
    assert (await markers.send("GET", f"{score}?as_of=0", None)).status_code == 404
    moment = reviewed.json()["updated"].replace("+", "%2B")
    assert (await markers.send("GET", f"{score}?as_of={moment}&answers=reviewer", None)).status_code == 200


async def test_an_assessment_is_compared_with_the_one_before_it(markers: Markers) -> None:
    code = await markers.copied()
    alone = await markers.accepted(code, stage="concept_note", answers=answers(2, "concept_note"))
    nothing = await markers.send("GET", f"{ASSESSMENTS}/{alone['code']}/comparison", None)
    assert refused(nothing) == (409, "nothing_earlier")
    returned = await markers.submitted(code, 1)
    await markers.reviewed(returned, decision="return")
    later = await markers.submitted(
        code, answers=answers(2, equality=3, participation=1, national_institutions=NOT_APPLICABLE)
    )
    # What counts is what the reviewer found.
    reviewed = await markers.reviewed(later, answers={"due-diligence": {"answer": 1, "reason": "x"}})
    path = f"{at(later)}/comparison"
    answered = await markers.send("GET", path, None)
    found = answered.json()
    change = {c["criterion"]: c["change"] for c in found["criteria"]}
    assert (found["earlier"], found["later"], found["same_rubric"]) == (alone["code"], later.json()["code"], True)
    assert (found["earlier_grade"], found["later_grade"]) == ("B", reviewed.json()["grade"])
    assert change == {
        "obligations-analysis": "same", "due-diligence": "fell", "equality": "improved", "participation": "fell",
        "rights-holders-capacity": "same", "duty-bearers-capacity": "same", "accountability-remedy": "only_later",
        "disaggregated-monitoring": "only_later", "national-institutions": "not_comparable",
        "sustainability": "only_later",
    }  # fmt: skip
    assert found["counts"] == {c: list(change.values()).count(c) for c in sorted(set(change.values()))}
    again = await markers.running.client.get(path, headers={"if-none-match": answered.headers["etag"]})
    assert again.status_code == 304
    named = await markers.get(path, earlier=returned.json()["code"])
    assert (named["earlier"], named["earlier_grade"]) == (returned.json()["code"], "C")
    assert "only_later" not in named["counts"]
    before = (await history(markers, at(later)))[1]["seq"] - 1
    assert (await markers.get(path, as_of=before))["counts"]["fell"] == 1
    other = (await markers.accepted(await markers.copied()))["code"]
    for code in (other, "A-000000"):
        refusal = await markers.send("GET", f"{path}?earlier={code}", None)
        assert (refusal.status_code, refusal.json()["errors"][0]["parameter"]) == (422, "earlier")
    # What is later is no earlier one, and nothing is earlier than itself.
    for code in (later.json()["code"], alone["code"]):
        backwards = await markers.send("GET", f"{ASSESSMENTS}/{alone['code']}/comparison?earlier={code}", None)
        assert refused(backwards) == (409, "nothing_earlier")


async def test_assessments_under_different_scales_are_not_compared(markers: Markers) -> None:
    code = await markers.copied()
    document = graded("scales", {"type": "manual"})
    rubrics = [await markers.publish(document)]
    wider = small({"type": "manual"}, ["A", "B", "C"], [1, 1, 1], values=[0, 1, 2, 3])["scale"]
    rubrics.append(await markers.publish({**document, "version": "2", "scale": wider}))
    fewer = {**document, "version": "3", "criteria": document["criteria"][:2]}
    rubrics.append(await markers.publish(fewer))
    found = []
    for rubric, count in zip(rubrics, (3, 3, 2), strict=True):
        submitted = await markers.submitted(
            code, rubric=rubric, answers={f"c{n}": answer(2) for n in range(count)}, declared_grade="A"
        )
        found.append((await markers.reviewed(submitted, grade="A")).json()["code"])
    for later, earlier, counts in ((1, 0, {"not_comparable": 3}), (2, 0, {"same": 2, "only_earlier": 1})):
        told = await markers.get(f"{ASSESSMENTS}/{found[later]}/comparison", earlier=found[earlier])
        assert (told["same_rubric"], told["counts"]) == (False, counts)


async def test_assessments_are_filtered_and_exported(markers: Markers) -> None:
    code = await markers.copied()
    accepted = await markers.accepted(code, 3)
    submitted = (
        await markers.submitted(code, who=ILO, stage="concept_note", answers=answers(1, "concept_note"))
    ).json()
    declared = made(await markers.declare(code, "B", stage="final_report")).json()

    async def codes(**query: Any) -> list[str]:
        found = await markers.get(ASSESSMENTS, programme=code, **query)
        return [item["code"] for item in found["items"]]

    both = [accepted["code"], submitted["code"]]
    assert await codes() == [*both, declared["code"]]
    assert await codes(sort="-code") == [declared["code"], *reversed(both)]
    assert await codes(status=["accepted", "returned"]) == [accepted["code"], declared["code"]]
    assert await codes(grade=["A", "B"]) == [accepted["code"], declared["code"]]
    assert await codes(rubric=RUBRIC_CODE) == both
    assert await codes(organization="ILO", stage="concept_note", marker="human_rights") == [submitted["code"]]
    table = await markers.send("GET", f"{ASSESSMENTS}?programme={code}&format=csv", None)
    assert [line.split(",")[0] for line in table.text.splitlines()] == ["code", *both, declared["code"]]
    for query in (
        "status=draft",
        "grade=D",
        "organization=NOBODY",
        "programme=NOBODY",
        "rubric=x",
        "marker=x",
        "stage=x",
    ):
        assert refused(await markers.send("GET", f"{ASSESSMENTS}?{query}", None)) == (422, "unknown_code")
    assert (await markers.get(at_code(accepted), as_of=await markers.revision()))["status"] == "accepted"


def at_code(assessment: Facts) -> str:
    return f"{ASSESSMENTS}/{assessment['code']}"
