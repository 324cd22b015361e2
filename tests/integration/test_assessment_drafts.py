"""Drafts of assessments: saved step by step, private to their organization, validated on every write."""

from __future__ import annotations

import asyncio
import uuid
from typing import Any

import pytest

from mmptf_markers.engine.rubric import NOT_APPLICABLE
from tests.integration.assessments import CODES, NOBODYS, RISK, STATED_RISK, graded, history, stored
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
    Json,
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

# --- drafts ----------------------------------------------------------------------------------------------------------


async def test_a_draft_begins_empty_and_says_what_is_missing(marker_service: Markers) -> None:
    code = await marker_service.copied()
    draft = await marker_service.draft(code)
    said = draft.json()
    assert draft.headers["location"] == at(draft)
    assert {**said, "code": None, "updated": None, "rubric": said["rubric"]["hash"]} == {
        "code": None,
        "organization": "IOM",
        "programme": code,
        "stage": "programme_document",
        "year": None,
        "document_date": "2022-06-30",
        "version": 1,
        "corrects": None,
        "rubric": RUBRIC.hash,
        "answers": {},
        "due_diligence": [],
        "earlier_actions": [],
        "declared_grade": None,
        "grade": None,
        "missing": CODES,
        "updated": None,
    }


async def test_answers_are_merged_one_by_one_and_null_takes_one_back(marker_service: Markers) -> None:
    draft = await marker_service.draft(
        await marker_service.copied(), answers={CODES[0]: answer(2), CODES[1]: answer(1)}
    )
    evidence = [
        {
            **{
                "title": "Report",
                "kind": "report",
                "url": "https://example.org/a",
                "document": None,
                "locator": "p. 1",
            },
            "visibility": "public",
        }
    ]
    changed = made(
        await marker_service.patch(draft, answers={CODES[1]: answer(3, evidence=evidence), CODES[2]: answer(0)}), 200
    )
    assert {c: a["answer"] for c, a in changed.json()["answers"].items()} == {CODES[0]: 2, CODES[1]: 3, CODES[2]: 0}
    assert changed.json()["answers"][CODES[1]]["evidence"] == evidence
    back = made(await marker_service.patch(changed, answers={CODES[0]: None, CODES[5]: None}), 200)
    assert sorted(back.json()["answers"]) == sorted(CODES[1:3])
    assert back.json()["missing"] == [CODES[0], *CODES[3:]]
    full = made(await marker_service.patch(back, answers=answers(3), due_diligence=[RISK], declared_grade="B"), 200)
    assert (full.json()["missing"], full.json()["grade"], full.json()["declared_grade"]) == ([], "A", "B")
    assert full.json()["due_diligence"] == [STATED_RISK]
    cleared = made(await marker_service.patch(full, due_diligence=[], declared_grade=None), 200)
    assert (cleared.json()["due_diligence"], cleared.json()["declared_grade"]) == ([], None)
    assert cleared.json()["answers"] == full.json()["answers"]


async def test_two_sections_saved_one_after_the_other_lose_nothing(marker_service: Markers) -> None:
    draft = await marker_service.draft(await marker_service.copied())
    await marker_service.patch(draft, answers={CODES[0]: answer(2)})
    late = await marker_service.patch(draft, answers={CODES[1]: answer(1)})
    assert refused(late) == (412, "precondition_failed")
    again = await marker_service.send("GET", at(draft), IOM)
    assert late.headers["etag"] == again.headers["etag"]
    both = made(await marker_service.patch(again, answers={CODES[1]: answer(1)}), 200)
    assert {c: a["answer"] for c, a in both.json()["answers"].items()} == {CODES[0]: 2, CODES[1]: 1}
    # Saved side by side, whatever the other has saved before: `*` says so.
    sections = [
        marker_service.send("PATCH", at(draft), IOM, {"answers": {c: answer(3)}}, match="*") for c in CODES[2:8]
    ]
    assert {a.status_code for a in await asyncio.gather(*sections)} == {200}
    assert sorted((await marker_service.get(at(draft), IOM))["answers"]) == sorted(CODES[:8])


async def test_a_change_names_what_it_changes(marker_service: Markers) -> None:
    draft = await marker_service.draft(await marker_service.copied(), answers=answers(3))
    for method, path, sent in (
        ("PATCH", at(draft), {"declared_grade": "A"}),
        ("POST", f"{at(draft)}/submission", None),
        ("DELETE", at(draft), None),
    ):
        assert refused(await marker_service.send(method, path, IOM, sent)) == (428, "precondition_required")
        outdated = await marker_service.send(method, path, IOM, sent, match='"0-000000000000000000"')
        assert refused(outdated) == (412, "precondition_failed")
    assert (await marker_service.send("GET", at(draft), IOM)).headers["etag"] == draft.headers["etag"]
    submitted = made(await marker_service.submit(draft))
    path = f"{at(submitted)}/review"
    sent = {"decision": "accept", "comment": "Read."}
    assert refused(await marker_service.send("POST", path, OHCHR, sent)) == (428, "precondition_required")
    assert refused(await marker_service.send("POST", path, OHCHR, sent, match='"0-000000000000000000"')) == (
        412,
        "precondition_failed",
    )


async def test_saving_what_is_there_already_writes_nothing(marker_service: Markers) -> None:
    draft = await marker_service.draft(await marker_service.copied(), answers={CODES[0]: answer(2)})
    before = await marker_service.revision()
    same = made(await marker_service.patch(draft, answers={CODES[0]: answer(2)}), 200)
    assert (same.json(), same.headers["etag"]) == (draft.json(), draft.headers["etag"])
    assert await marker_service.revision() == before


async def test_drafts_are_seen_by_those_that_take_part_alone(marker_service: Markers) -> None:
    code = await marker_service.copied()
    before = await marker_service.revision()
    draft = await marker_service.draft(code, answers={CODES[0]: answer(2, justification="Unheard-of plans.")})
    path, own = at(draft), draft.json()["code"]
    assert await marker_service.get(path, IOM) == draft.json()
    assert own in {d["code"] for d in (await marker_service.get(DRAFTS, ADMIN))["items"]}
    mine = await marker_service.send("GET", f"{DRAFTS}?programme={code}", IOM)
    assert [d["code"] for d in mine.json()["items"]] == [own]
    assert mine.headers["cache-control"] == "private, no-cache"
    assert "authorization" in mine.headers["vary"].lower()
    for form in ("csv", "ndjson"):
        assert own in (await marker_service.send("GET", f"{DRAFTS}?format={form}", IOM)).text
    assert await marker_service.get(path, ILO) == draft.json()
    for who in (WHO, Who("agency", "UNDP")):
        unknown = await marker_service.send("GET", f"{DRAFTS}/A-999999", who)
        hidden = await marker_service.send("GET", path, who)
        assert refused(hidden) == refused(unknown) == (404, "not_found")
        assert hidden.json()["detail"].replace(own, "X") == unknown.json()["detail"].replace("A-999999", "X")
        assert refused(await marker_service.send("GET", f"{path}/history", who)) == (404, "not_found")
        for form in ("json", "csv", "ndjson"):
            assert own not in (await marker_service.send("GET", f"{DRAFTS}?format={form}", who)).text
        for method, where, sent in (
            ("PATCH", path, {"declared_grade": "A"}), ("DELETE", path, None), ("POST", f"{path}/submission", None),
        ):  # fmt: skip
            assert refused(await marker_service.send(method, where, who, sent, match="*")) == (404, "not_found")
    # Who writes for no organization has no drafts.
    assert (await marker_service.get(DRAFTS, NOBODYS))["total"] == 0
    assert refused(await marker_service.send("GET", path, NOBODYS)) == (404, "not_found")
    for where in (path, DRAFTS, f"{path}/history"):
        assert refused(await marker_service.send("GET", where, None)) == (401, "token_missing")
        assert refused(await marker_service.send("GET", where, OHCHR)) == (403, "insufficient_scope")
    assert refused(await marker_service.send("GET", f"{ASSESSMENTS}/{own}", None)) == (404, "not_found")
    assert refused(await marker_service.send("GET", f"{ASSESSMENTS}/{own}/history", None)) == (404, "not_found")
    assert (await marker_service.get(f"{API}/changes", after=before))["items"] == []
    assert (await marker_service.send("GET", f"{API}/changes?entity=draft", None)).status_code == 422
    assert [(h["action"], h["key"]) for h in await history(marker_service, path, IOM)] == [("create", own)]


async def test_the_code_of_a_discarded_draft_is_not_used_again(marker_service: Markers) -> None:
    code = await marker_service.copied()
    draft = await marker_service.draft(code)
    gone = await marker_service.send("DELETE", at(draft), IOM, match=draft.headers["etag"])
    assert (gone.status_code, gone.content) == (204, b"")
    assert refused(await marker_service.send("GET", at(draft), IOM)) == (404, "not_found")
    again = await marker_service.draft(code)
    assert again.json()["code"] != draft.json()["code"]
    assert [h["action"] for h in await history(marker_service, at(draft), IOM)] == ["create", "delete"]


async def test_one_draft_of_the_same_at_a_time(marker_service: Markers) -> None:
    code = await marker_service.copied()
    draft = await marker_service.draft(code)
    for who in (IOM, ILO):
        again = await marker_service.begin(code, who)
        assert refused(again) == (409, "draft_exists")
        assert draft.json()["code"] in again.json()["detail"]
    for stage, year in (("concept_note", None), ("annual_report", 2024), ("annual_report", 2025)):
        assert (await marker_service.draft(code, stage=stage, year=year)).json()["version"] == 1


async def test_a_draft_under_another_marker_is_another_draft(marker_service: Markers) -> None:
    code = await marker_service.copied()
    first = await marker_service.draft(code)
    gender = await marker_service.publish(graded("gender-draft", {"type": "manual"}))
    second = await marker_service.draft(code, rubric=gender)
    assert second.json()["rubric"]["marker"] == "gender-draft"
    twice = await marker_service.begin(code, rubric=gender)
    assert refused(twice) == (409, "draft_exists")
    assert second.json()["code"] in twice.json()["detail"] and first.json()["code"] not in twice.json()["detail"]


# --- what is refused, and what is said about it ----------------------------------------------------------------------


@pytest.mark.parametrize(
    ("members", "error", "allowed", "suggestion"),
    [
        ({"programme": "MARC-KNOWN"}, ("unknown_code", "/programme"), "see /catalog/v1/programmes", None),
        ({"programme": "MARK-KNOWNN"}, ("unknown_code", "/programme"), "see /catalog/v1/programmes", "MARK-KNOWN"),
        ({"programme": "mark-known"}, ("unknown_code", "/programme"), "see /catalog/v1/programmes", "MARK-KNOWN"),
        ({"rubric": "hr-marker-illustrativ.1"}, ("unknown_code", "/rubric"), RUBRIC_CODE, RUBRIC_CODE),
        ({"answers": {"equalty": answer(1)}}, ("unknown_criterion", "/answers/equalty"), "equality", "equality"),
        ({"answers": {"equality": answer(4)}}, ("unknown_level", "/answers/equality"), "3", None),
        ({"answers": {"equality": answer("2")}}, ("unknown_level", "/answers/equality"), "2", None),
        ({"answers": {"equality": answer(NOT_APPLICABLE)}},
         ("not_applicable_refused", "/answers/equality"), "0", None),
        ({"stage": "concept_note", "answers": {"sustainability": answer(1)}},
         ("wrong_stage", "/answers/sustainability"), "equality", None),
        ({"declared_grade": "D"}, ("unknown_code", "/declared_grade"), "A", None),
        ({"stage": "annual_report"}, ("missing_member", "/year"), None, None),
        ({"year": 2024}, ("not_applicable", "/year"), None, None),
        ({"stage": "concept-note"}, ("unknown_code", "/stage"), "concept_note", "concept_note"),
    ],
)  # fmt: skip
async def test_what_is_not_known_is_named_with_what_is_allowed(
    marker_service: Markers, members: Json, error: tuple[str, str], allowed: str | None, suggestion: str | None
) -> None:
    await marker_service.copy(programme("MARK-KNOWN"))
    before = await marker_service.revision()
    refusal = await marker_service.begin(**{"programme": "MARK-KNOWN", **members})
    assert errors(refusal) == [error]
    (error,) = refusal.json()["errors"]
    assert allowed is None or allowed in error["allowed"]
    assert error["suggestion"] == suggestion
    assert await marker_service.revision() == before


@pytest.mark.parametrize("given", [1.5, True, None, "1", "", [1], {"answer": 1}, -1, 10**30, "x" * 5000, "a\0b"])
async def test_an_answer_is_a_level_of_the_scale_and_nothing_like_one(marker_service: Markers, given: Any) -> None:
    code = await marker_service.copied()
    begun = await marker_service.begin(code, stage="concept_note", answers={"equality": answer(given)})
    assert begun.status_code == 422, begun.text
    draft = await marker_service.draft(code)
    refusal = await marker_service.patch(draft, answers={"equality": answer(given)})
    assert refusal.status_code == 422, refusal.text
    assert all(error["pointer"].startswith("/answers/equality") for error in refusal.json()["errors"])


async def test_an_answer_may_be_a_whole_number_with_a_point(marker_service: Markers) -> None:
    code = await marker_service.copied()
    begun = await marker_service.begin(code, stage="concept_note", answers={"equality": answer(1.0)})
    assert begun.status_code == 201, begun.text
    assert '"answer":1,' in begun.text


async def test_all_errors_of_the_answers_are_reported_at_once(marker_service: Markers) -> None:
    sent = {"equality": answer(9), "nobody": answer(1), "participation": answer(NOT_APPLICABLE)}
    refusal = await marker_service.begin(await marker_service.copied(), answers=sent)
    assert sorted(errors(refusal)) == [
        ("not_applicable_refused", "/answers/participation"),
        ("unknown_criterion", "/answers/nobody"),
        ("unknown_level", "/answers/equality"),
    ]


HOSTILE = ["a\0b", "a\u202eb", "\u2069", "\x1b[0m", "", "   ", "\u200b", "x" * 4001, 1, True, [], {}, ["x"]]
HARMLESS = [
    "'; DROP TABLE draft; --",
    "%s {} {0} ${1}",
    "\\u0041 \\n",
    "x" * 4000,
    "\U0001f600 \u200f\u0301",
    "a\nb\tc",
]


@pytest.mark.parametrize("text", HOSTILE)
async def test_texts_that_are_empty_or_cannot_be_stored_are_rejected(marker_service: Markers, text: Any) -> None:
    code = await marker_service.copied()
    given = answer(1, justification=text)
    kind = "invalid_value" if isinstance(text, str) else "invalid_type"
    begun = await marker_service.begin(code, stage="concept_note", answers={"equality": given})
    assert errors(begun) == [(kind, "/answers/equality/justification")]
    submitted = await marker_service.submitted(code)
    commented = await marker_service.review(submitted, comment=text)
    assert errors(commented) == [(kind, "/comment")]
    source = {"document": text, "locator": "p. 1"}
    declared = await marker_service.declare(code, stage="concept_note", source=source)
    assert errors(declared) == [(kind, "/source/document")]


@pytest.mark.parametrize("text", HARMLESS)
async def test_other_texts_come_back_as_they_were_sent(marker_service: Markers, text: str) -> None:
    code = await marker_service.copied()
    said = answers(3, equality=answer(2, justification=text))
    reviewed = await marker_service.reviewed(await marker_service.submitted(code, answers=said), comment=text)
    kept = await stored(marker_service, reviewed)
    assert kept["answers"]["equality"]["justification"] == kept["reviewed"]["comment"] == text


async def test_the_name_of_a_character_is_a_text_like_any_other(marker_service: Markers) -> None:
    # Six characters, and not the one that they stand for in JSON, which no database takes.
    named = "a \\u0000 in a file"
    draft = await marker_service.draft(
        await marker_service.copied(), answers={"equality": answer(1, justification=named)}
    )
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
async def test_a_body_that_is_none_is_refused_everywhere(marker_service: Markers, body: bytes) -> None:
    await marker_service.copy(programme("MARK-KNOWN"))
    submitted = await marker_service.submitted(await marker_service.copied())
    draft = await marker_service.draft(await marker_service.copied())
    before = await marker_service.revision()
    headers = {"idempotency-key": str(uuid.uuid4()), "content-type": "application/json", "if-match": "*"}
    for method, path, who in (
        ("POST", DRAFTS, IOM),
        ("PATCH", at(draft), IOM),
        ("POST", f"{at(submitted)}/review", OHCHR),
        ("POST", DECLARATIONS, FUND),
    ):
        refusal = await marker_service.running.client.request(
            method, path, content=body, headers={**headers, **who.headers()}
        )
        assert refusal.status_code in (400, 422), refusal.text
        assert refusal.headers["content-type"] == "application/problem+json"
    assert await marker_service.revision() == before


@pytest.mark.parametrize(
    "code", ["A-000000", "A", "x" * 64, "x" * 65, "A-1'--", "%00", "A%2F1", "A-000001%0A", "ä", "*"]
)
async def test_strange_codes_are_not_found_or_not_valid(marker_service: Markers, code: str) -> None:
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
        assert (await marker_service.send(method, path, who, match="*")).status_code in (404, 422)


async def test_evidence_names_what_a_reader_can_look_up(marker_service: Markers) -> None:
    """A title alone says nothing, nor does a document without the place in it."""
    code, where = await marker_service.copied(), "/answers/equality/evidence"
    title, page = {"title": "Minutes", "kind": "minutes"}, {"locator": "p. 2"}
    given = [{**title, **page, "document": "Annex 5"}, {**title, **page, "url": "https://example.org/a.pdf"}]
    draft = await marker_service.draft(code)
    for lacking, places in (
        ([*given, title, {**title, "document": "Annex 5"}], ["2/locator", "3/locator"]),
        ([*given, {**title, **page}], ["2/document"]),
    ):
        said = {"equality": answer(1, evidence=lacking)}
        expected = [("missing_member", f"{where}/{place}") for place in places]
        assert errors(await marker_service.begin(await marker_service.copied(), answers=said)) == expected
        assert errors(await marker_service.patch(draft, answers=said)) == expected
    kept = {"equality": answer(1, evidence=given)}
    assert len((await marker_service.patch(draft, answers=kept)).json()["answers"]["equality"]["evidence"]) == 2


async def test_an_unknown_member_is_rejected(marker_service: Markers) -> None:
    draft = await marker_service.draft(await marker_service.copied())
    for members in ({"grade": "A"}, {"version": 2}, {"organization": "ILO"}, {"rubric": RUBRIC_CODE}, {"stage": "x"}):
        (found,) = errors(await marker_service.patch(draft, **members))
        assert found == ("unknown_member", f"/{next(iter(members))}")
    assert errors(await marker_service.patch(draft, answers=None)) == [("invalid_type", "/answers")]
