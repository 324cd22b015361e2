"""Submission of assessments: what a draft needs, who submits, dry runs and retries."""

from __future__ import annotations

import asyncio
import json
import uuid
from collections.abc import Callable
from datetime import UTC, datetime

import sqlalchemy as sa

from mmptf_common.storage.journal import Author, begin_write
from mmptf_common.storage.writing import writing
from tests.conftest import running_app
from tests.integration.assessments import CODES, NOBODYS, RISK, history, stored, twin
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
    WHO,
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

# --- submission ------------------------------------------------------------------------------------------------------


async def test_everything_that_a_draft_lacks_is_reported(marker_service: Markers) -> None:
    bare = answer(2)
    del bare["justification"]
    draft = await marker_service.draft(await marker_service.copied(), answers={CODES[3]: bare, CODES[1]: answer(1)})
    refusal = await marker_service.submit(draft)
    missing = [("missing_member", f"/answers/{c}") for c in CODES if c not in (CODES[1], CODES[3])]
    assert errors(refusal) == [*missing, ("missing_member", f"/answers/{CODES[3]}/justification")]
    still = await marker_service.send("GET", at(draft), IOM)
    assert still.headers["etag"] == draft.headers["etag"]


async def test_a_submitted_version_is_public(marker_service: Markers) -> None:
    code = await marker_service.copied(title="Safe pathways")
    before = await marker_service.revision()
    draft = await marker_service.draft(
        code, answers=answers(3, equality=1, due_diligence=2), due_diligence=[RISK], declared_grade="A"
    )
    submitted = made(await marker_service.submit(draft))
    said = submitted.json()
    path = f"{ASSESSMENTS}/{said['code']}"
    assert submitted.headers["location"] == path
    public = await marker_service.send("GET", path, None)
    assert (public.json(), public.headers["etag"]) == (said, submitted.headers["etag"])
    expected = {
        "programme": code, "title": "Safe pathways", "marker": "human_rights", "version": 1, "corrects": None,
        "organization": "IOM", "status": "submitted", "grade": "B", "basis": "derived", "answered": True,
        "declared_grade": "A", "reviewed": None, "differences": ["declared_derived"],
        "answers": draft.json()["answers"], "due_diligence": [], "due_diligence_restricted": 1, "earlier_actions": [],
        "submitted": datetime.now(UTC).date().isoformat(),
    }  # fmt: skip
    assert {name: said[name] for name in expected} == expected
    copy, _ = (await marker_service.get(f"{API}/copies"))["copies"]
    assert all(said["catalogue"][name] == copy[name] for name in ("reached", "caught_up"))
    # A gate keeps from A what the share alone would give.
    assert (said["derived"]["grade"], said["derived"]["before_gates"]) == ("B", "A")
    assert said["rubric"] == {
        "code": RUBRIC.code, "version": "1", "hash": RUBRIC.hash, "status": "illustrative", "marker": "human_rights",
    }  # fmt: skip
    assert said["sources"][0]["locator"].startswith(f"{path}/history?after=")
    assert [h["action"] for h in (await marker_service.get(said["sources"][0]["locator"]))["items"]] == ["create"]
    feed = (await marker_service.get(f"{API}/changes", after=before))["items"]
    assert [(c["entity"], c["action"], c["organization"]) for c in feed] == [
        ("assessment", "create", "IOM"), ("action", "create", "IOM"),
    ]  # fmt: skip
    assert refused(await marker_service.send("GET", at(draft), IOM)) == (404, "not_found")
    # From the draft its assessment is found.
    of_draft = [(h["action"], h["reason"]) for h in await history(marker_service, at(draft), IOM)]
    assert of_draft == [("create", "drafted"), ("delete", f"submitted as {said['code']}")]


async def test_no_route_changes_what_was_submitted(marker_service: Markers) -> None:
    begun = await marker_service.draft(await marker_service.copied(), answers=answers(3))
    submitted = made(await marker_service.submit(begun))
    path, draft = at(submitted), at(begun)
    for who in (IOM, OHCHR, FUND, ADMIN):
        for method in ("PATCH", "PUT", "DELETE", "POST"):
            refusal = await marker_service.send(method, path, who, {"answers": answers(1)}, match="*")
            assert refused(refusal) == (405, "method_not_allowed")
    for who in (IOM, ADMIN):
        for method, where in (("PATCH", draft), ("DELETE", draft), ("POST", f"{draft}/submission")):
            assert refused(await marker_service.send(method, where, who, {}, match="*")) == (404, "not_found")
    assert await stored(marker_service, submitted) == submitted.json()


async def test_the_journal_shows_what_a_review_changes_and_nothing_else(marker_service: Markers) -> None:
    submitted = await marker_service.submitted(
        await marker_service.copied(), 3, due_diligence=[RISK], declared_grade="A"
    )
    # In between the copy of the catalogue has gone on.
    async with writing(marker_service.running.app.state.database) as session:
        await session.execute(
            sa.text(
                "INSERT INTO replication VALUES ('catalog', 77, 77, now(), now())"
                " ON CONFLICT (service) DO UPDATE SET last = replication.last + 1"
            )
        )
    reviewed = await marker_service.reviewed(
        submitted, answers={"equality": {"answer": 1, "reason": "No data by sex."}}
    )
    created, amended = await history(marker_service, at(submitted))
    assert (created["action"], created["after"]) == ("create", submitted.json())
    assert (amended["action"], amended["before"], amended["after"]) == ("amend", submitted.json(), reviewed.json())
    assert amended["changed"] == ["basis", "differences", "grade", "reviewed", "status"]
    assert amended["reason"] == "Read and discussed."


async def test_a_draft_begun_before_another_submission_is_refused(marker_service: Markers) -> None:
    code = await marker_service.copied()
    ours = await marker_service.draft(code, answers=answers(3))
    theirs = made(await marker_service.submit(await twin(marker_service, ours)))
    refusal = await marker_service.submit(ours)
    assert refused(refusal) == (409, "draft_outdated")
    assert theirs.json()["code"] in refusal.json()["detail"]
    begun = await marker_service.begin(code, WHO)
    assert refused(begun) == (403, "forbidden")
    await marker_service.send("DELETE", at(ours), IOM, match="*")
    again = await marker_service.begin(code)
    assert refused(again) == (409, "under_review")
    assert theirs.json()["code"] in again.json()["detail"]
    # Another stage of the same programme is another assessment.
    assert (await marker_service.submitted(code, 1, stage="concept_note")).json()["version"] == 1


async def test_of_two_submissions_at_once_one_is_first(marker_service: Markers) -> None:
    code = await marker_service.copied(lead_organization=None)
    draft = await marker_service.draft(code, answers=answers(3))
    drafts = [(draft, IOM), (await twin(marker_service, draft), ILO)]
    done = await asyncio.gather(*(marker_service.submit(draft, who) for draft, who in drafts))
    assert sorted(answer.status_code for answer in done) == [201, 409]
    assert (await marker_service.get(ASSESSMENTS, programme=code))["total"] == 1


# --- who may do what -------------------------------------------------------------------------------------------------


async def test_every_wrong_role_is_refused(marker_service: Markers) -> None:
    code = await marker_service.copied()
    draft = await marker_service.draft(code)
    submitted = await marker_service.submitted(await marker_service.copied())
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
        assert refused(await marker_service.send(method, path, None, sent, match="*")) == (401, "token_missing")
        for who in wrong:
            assert refused(await marker_service.send(method, path, who, sent, match="*")) == (403, "insufficient_scope")
    assert refused(await marker_service.declare(code, who=OHCHR)) == (403, "forbidden")
    for who in (WHO, Who("agency", "who"), Who("admin", "WHO")):
        assert refused(await marker_service.send("POST", DRAFTS, who, begun)) == (403, "forbidden")
    for who in (ADMIN, NOBODYS):
        assert refused(await marker_service.send("POST", DRAFTS, who, begun)) == (403, "organization_not_known")
    nobody = await marker_service.copied(lead_organization=None, organizations=[])
    refusal = await marker_service.send("POST", DRAFTS, IOM, {**begun, "programme": nobody})
    assert refused(refusal) == (403, "forbidden")
    assert "no organization" in refusal.json()["detail"]
    assert (await marker_service.send("GET", at(draft), IOM)).headers["etag"] == draft.headers["etag"]
    assert await stored(marker_service, submitted) == submitted.json()


async def test_who_has_left_the_programme_submits_no_more(marker_service: Markers) -> None:
    document = programme()
    await marker_service.copy(document)
    draft = await marker_service.draft(document["code"], ILO, answers=answers(3))
    await marker_service.copy({**document, "organizations": [{"code": "IOM", "name": "IOM"}]})
    assert refused(await marker_service.submit(draft, ILO)) == (404, "not_found")
    assert (await marker_service.send("GET", at(draft), IOM)).headers["etag"] == draft.headers["etag"]


async def test_an_administrator_may_save_and_submit_for_others(marker_service: Markers) -> None:
    draft = await marker_service.draft(await marker_service.copied())
    draft = made(await marker_service.patch(draft, ADMIN, answers=answers(2)), 200)
    submitted = made(await marker_service.submit(draft, ADMIN))
    assert submitted.json()["organization"] == "IOM"
    # Who saved it has written it, whatever scope allowed that and for whom they act now.
    assert refused(await marker_service.review(submitted, Who("admin", "OHCHR"))) == (403, "forbidden")


async def test_the_organization_of_a_token_is_read_in_any_case(marker_service: Markers) -> None:
    draft = await marker_service.draft(await marker_service.copied(), Who("agency", "iom"))
    assert draft.json()["organization"] == "IOM"
    assert (await marker_service.get(at(draft), IOM))["code"] == draft.json()["code"]


async def test_nothing_public_names_a_person(marker_service: Markers) -> None:
    before = await marker_service.revision()
    author, reviewer = (
        Who("agency", "IOM", "person-one@example.org"),
        Who("reviewer", "OHCHR", "person-two@example.org"),
    )
    code = await marker_service.copied()
    draft = made(await marker_service.patch(await marker_service.draft(code, author), author, answers=answers(3)), 200)
    submitted = made(await marker_service.submit(draft, author))
    reviewed = made(
        await marker_service.review(submitted, reviewer, answers={"equality": {"answer": 1, "reason": "x"}}), 200
    )
    declared = made(
        await marker_service.declare(
            code, who=Who("management-unit", None, "person-three@example.org"), stage="final_report"
        )
    )
    texts = [answer.text for answer in (draft, submitted, reviewed, declared)]
    for path in (
        at(reviewed), f"{at(reviewed)}/history", f"{at(reviewed)}/score", f"{at(declared)}/history",
        f"{ASSESSMENTS}?limit=1000", f"{ASSESSMENTS}?format=csv", f"{ASSESSMENTS}?format=ndjson",
        f"{API}/standings?limit=1000", f"{API}/indicator", f"{API}/criteria", f"{API}/actions",
        f"{API}/changes?after={before}&limit=1000",
    ):  # fmt: skip
        answered = await marker_service.send("GET", path, None)
        assert answered.status_code == 200
        texts.append(answered.text)
    assert all(reviewed.json()["code"] in texts[n] for n in (4, 8, 15))
    assert not [text for text in texts if "person-" in text]
    audit = await marker_service.get(f"{API}/audit", ADMIN, after=before, limit=1000)
    assert {"person-one@example.org", "person-two@example.org", "person-three@example.org"} <= {
        item["actor"] for item in audit["items"]
    }


# --- dry runs and retries ---------------------------------------------------------------------------------------------


async def test_a_dry_run_answers_and_writes_nothing(marker_service: Markers) -> None:
    code = await marker_service.copied()
    before = await marker_service.revision()
    begun = {"programme": code, "stage": "programme_document"}
    tried = made(await marker_service.send("POST", f"{DRAFTS}?dry_run=true", IOM, begun))
    assert (await marker_service.send("GET", at(tried), IOM)).status_code == 404
    draft = await marker_service.draft(code, answers=answers(3))
    # A code that a draft never had may be given again, and none is kept free for one.
    assert draft.json()["code"] != tried.json()["code"]
    tried = made(await marker_service.send("POST", f"{at(draft)}/submission?dry_run=true", IOM, match="*"))
    assert tried.json()["status"] == "submitted"
    assert (await marker_service.send("GET", at(tried), None)).status_code == 404
    submitted = made(await marker_service.submit(draft))
    tried = made(
        await marker_service.send("POST", f"{at(submitted)}/claim?dry_run=true", OHCHR, {"interest": "None at all."})
    )
    missing = await marker_service.send("GET", f"{API}/reviews/{tried.json()['code']}", OHCHR)
    assert missing.status_code == 404
    made(await marker_service.claim(submitted))
    sent = {"decision": "accept", "comment": "Read."}
    tried = made(await marker_service.send("POST", f"{at(submitted)}/review?dry_run=true", OHCHR, sent, match="*"), 200)
    assert tried.json()["status"] == "accepted"
    assert await stored(marker_service, submitted) == submitted.json()
    # The assessment, what of it is restricted, and the claim of its review.
    assert await marker_service.revision() == before + 3


async def test_a_write_sent_again_is_carried_out_once(marker_service: Markers) -> None:
    code = await marker_service.copied()
    begun = {"programme": code, "stage": "programme_document", "document_date": "2022-06-30", "answers": answers(3)}
    before, keys = await marker_service.revision(), [str(uuid.uuid4()) for _ in range(3)]
    first, *others = await asyncio.gather(
        *(marker_service.send("POST", DRAFTS, IOM, begun, key=keys[0]) for _ in range(4))
    )
    assert {(a.status_code, a.text) for a in others} == {(201, first.text)}
    path, match = f"{at(first)}/submission", first.headers["etag"]
    submitted, again = [made(await marker_service.send("POST", path, IOM, match=match, key=keys[1])) for _ in range(2)]
    assert (again.text, again.headers["idempotency-replayed"]) == (submitted.text, "true")
    made(await marker_service.claim(submitted))
    sent = {"decision": "return", "comment": "Read."}
    path, match = f"{at(submitted)}/review", submitted.headers["etag"]
    once, twice = [
        made(await marker_service.send("POST", path, OHCHR, sent, match=match, key=keys[2]), 200) for _ in range(2)
    ]
    assert (once.text, once.headers["etag"]) == (twice.text, twice.headers["etag"])
    # The assessment, what of it is restricted, the claim of its review, and what the review changes: its own record and
    # the assessment.
    assert await marker_service.revision() == before + 5
    reused = await marker_service.send("POST", path, OHCHR, {**sent, "decision": "accept"}, match="*", key=keys[2])
    assert refused(reused) == (422, "idempotency_key_reused")
    headers = {**IOM.headers(), "content-type": "application/json"}
    missing = await marker_service.running.client.post(DRAFTS, content=json.dumps(begun), headers=headers)
    assert refused(missing) == (400, "idempotency_key_missing")


async def test_codes_go_on_behind_a_million(new_database: Callable[[str], str]) -> None:
    async with running_app("markers", new_database("markers"), None) as running:
        markers = Markers(running)
        async with writing(running.app.state.database) as session:
            await begin_write(session, Author("test"), "a test")
            for n in (999999, 1000000):
                await session.execute(
                    sa.text(
                        "INSERT INTO assessment"
                        " (code, record, updated, organization, programme, marker, stage, version, status)"
                        " VALUES (:code, '{\"organization\": \"WHO\"}', now(), 'WHO', 'X', 'human_rights',"
                        " 'concept_note', :n, 'submitted')"
                    ),
                    {"code": f"A-{n:06}", "n": n},
                )
        for n in (1000001, 1000002):
            # Drafts in between take no number.
            await markers.draft(await markers.copied())
            assert (await markers.submitted(await markers.copied())).json()["code"] == f"A-{n}"
