"""The printable matrix of an assessment, and the score of a draft as it is filled in."""

from __future__ import annotations

import csv
import io

import pytest

from mmptf_markers.engine.rubric import NOT_APPLICABLE, criteria_at, level_text
from tests.integration.assessments import RISK
from tests.integration.indicator import action
from tests.integration.marked import (
    ADMIN,
    API,
    ASSESSMENTS,
    DRAFTS,
    ILO,
    IOM,
    OHCHR,
    RUBRIC,
    RUBRIC_CODE,
    WHO,
    Markers,
    answer,
    answers,
    at,
    made,
    refused,
)
from tests.integration.test_second_rubric import CODE, SECOND, STAGE, supported, translate

EVIDENCE = {
    **{"title": "Minutes", "kind": "minutes", "document": "Annex 5", "locator": "p. 2"},
    **{"url": "https://example.org/a.pdf", "visibility": "public"},
}
RESTRICTED = {**EVIDENCE, "title": "Interviews", "visibility": "restricted"}
FORMULA = '=HYPERLINK("https://example.org","x")'


async def test_the_matrix_has_what_was_asked_answered_and_found(marker_service: Markers) -> None:
    given = answers(
        3,
        equality=answer(
            2, justification="Reaches all.", evidence=[EVIDENCE, RESTRICTED], actions=[action("2030-01-31")]
        ),
        national_institutions=answer(NOT_APPLICABLE, justification="There is none."),
    )
    submitted = await marker_service.submitted(await marker_service.copied(title="Fair work"), answers=given)
    path = f"{at(submitted)}/matrix"
    before = await marker_service.send("GET", path, None)
    assert before.json()["head"]["reviewed_grade"] is None
    own = {"equality": {"answer": 1, "reason": "Status is asked for."}}
    reviewed = (await marker_service.reviewed(submitted, answers=own)).json()
    answered = await marker_service.send("GET", path, None)
    assert answered.headers["etag"] != before.headers["etag"]
    again = await marker_service.running.client.get(path, headers={"if-none-match": answered.headers["etag"]})
    assert again.status_code == 304
    matrix = answered.json()
    head = matrix["head"]
    assert {name: head[name] for name in ("assessment", "programme", "organization", "status", "grade", "basis")} == {
        name: reviewed[name if name != "assessment" else "code"]
        for name in ("assessment", "programme", "organization", "status", "grade", "basis")
    }
    assert (head["title"], head["stage"], head["year"], head["assessed_on"]) == (
        "Fair work", STAGE, None, reviewed["assessed_on"],
    )  # fmt: skip
    assert (head["rubric"], head["rubric_title"], head["rubric_status"], head["language"]) == (
        RUBRIC_CODE, RUBRIC.title, "illustrative", "en",
    )  # fmt: skip
    assert (head["derived_grade"], head["reviewed_grade"], head["declared_grade"]) == (
        reviewed["derived"]["grade"], reviewed["reviewed"]["grade"], None,
    )  # fmt: skip
    assert (head["reason"], head["comment"]) == (reviewed["reviewed"]["derived"]["reason"], "Read and discussed.")
    asked = criteria_at(RUBRIC, STAGE)
    assert [row["criterion"] for row in matrix["rows"]] == [criterion.code for criterion in asked]
    names = {principle.code: principle.name for principle in RUBRIC.principles}
    for row, criterion in zip(matrix["rows"], asked, strict=True):
        stated = reviewed["answers"][criterion.code]
        assert (row["question"], row["principle"], row["core"]) == (
            criterion.question, names[criterion.principle], criterion.core,
        )  # fmt: skip
        assert {name: row[name] for name in ("answer", "justification", "evidence", "actions")} == {
            name: stated[name] for name in ("answer", "justification", "evidence", "actions")
        }
        if stated["answer"] == NOT_APPLICABLE:
            assert (row["label"], row["text"]) == ("Not applicable", None)
        else:
            level = RUBRIC.scale.levels[stated["answer"]]
            assert (row["label"], row["text"]) == (level.label, level.description)
    rows = {row["criterion"]: row for row in matrix["rows"]}
    equality = rows.pop("equality")
    assert (equality["reviewer_answer"], equality["reviewer_label"], equality["reviewer_reason"]) == (
        1, RUBRIC.scale.levels[1].label, "Status is asked for.",
    )  # fmt: skip
    assert {row["reviewer_answer"] for row in rows.values()} == {None}


async def test_the_matrix_opens_in_a_spreadsheet(marker_service: Markers) -> None:
    """A row for each criterion, each with the head; what would be taken for a formula is text."""
    given = answers(2, equality=answer(2, evidence=[EVIDENCE, RESTRICTED], actions=[action("2030-01-31")]))
    submitted = await marker_service.submitted(await marker_service.copied(title=FORMULA), answers=given)
    path = f"{at(submitted)}/matrix"
    plain = await marker_service.running.client.get(path, params={"format": "csv"})
    sheet = await marker_service.running.client.get(path, params={"format": "csv-spreadsheet"})
    assert plain.headers["content-type"] == sheet.headers["content-type"] == "text/csv; charset=utf-8"
    assert len({plain.headers["etag"], sheet.headers["etag"], submitted.headers["etag"]}) == 3
    assert sheet.headers["content-disposition"] == f'inline; filename="{path.strip("/").replace("/", "-")}.csv"'
    rows = {row["criterion"]: row for row in csv.DictReader(io.StringIO(plain.text))}
    defused = {row["criterion"]: row for row in csv.DictReader(io.StringIO(sheet.content.decode("utf-8-sig")))}
    assert len(rows) == len(given) and rows.keys() == defused.keys()
    assert (rows["equality"]["title"], defused["equality"]["title"]) == (FORMULA, f"'{FORMULA}")
    assert {row["assessment"] for row in rows.values()} == {submitted.json()["code"]}
    assert rows["equality"]["evidence"] == "Minutes, Annex 5, p. 2, https://example.org/a.pdf"
    assert rows["equality"]["actions"] == "Agree on referral., Programme team, due 2030-01-31"


async def test_the_matrix_says_of_a_declared_grade_that_there_is_none(marker_service: Markers) -> None:
    declared = made(await marker_service.declare(await marker_service.copied()))
    assert refused(await marker_service.send("GET", f"{at(declared)}/matrix", None)) == (409, "not_answered")
    assert refused(await marker_service.send("GET", f"{ASSESSMENTS}/A-999999/matrix", None)) == (404, "not_found")


# --- under a rubric with texts of its own for each level -------------------------------------------------------------


@pytest.fixture(scope="module")
async def second(marker_service: Markers) -> Markers:
    await marker_service.publish(SECOND.model_dump(mode="json"))
    texts = {"/criteria/0/question": "Quelles obligations ?", "/criteria/0/levels/2/design": "Deux recommandations."}
    await translate(marker_service, texts)
    return marker_service


async def test_the_matrix_is_in_the_language_and_of_the_phase(second: Markers) -> None:
    submitted = await second.submitted(
        await second.copied(), rubric=CODE, answers=supported(2), due_diligence=[RISK | {"due": "2030-01-31"}]
    )
    english = (await second.get(f"{at(submitted)}/matrix"))["rows"]
    french = await second.get(f"{at(submitted)}/matrix", language="fr")
    assert (french["head"]["language"], french["rows"][0]["question"]) == ("fr", "Quelles obligations ?")
    assert french["rows"][0]["text"] == "Deux recommandations."
    assert english[0]["text"] == level_text(SECOND, SECOND.criteria[0], 2, STAGE)
    # What is not translated stays.
    assert french["rows"][1:] == english[1:]
    unknown = await second.running.client.get(f"{at(submitted)}/matrix", params={"language": "es"})
    assert (unknown.status_code, unknown.json()["errors"][0]["allowed"]) == (422, ["en", "fr"])


async def test_a_draft_says_what_to_do_next_as_it_is_filled_in(second: Markers) -> None:
    """Weakest core criteria first, by one level each, in the language that is asked for, while answers are missing."""
    draft = await second.draft(await second.copied(), rubric=CODE, answers={})
    path = f"{at(draft)}/score"
    empty = await second.get(path, IOM)
    assert (empty["complete"], empty["grade"], empty["next_steps"], len(empty["missing"])) == (False, None, [], 14)
    given = {"obligations-analysis": 1, "children": 0, "firewall": 0, "work": 3}
    full = supported(2)
    draft = made(
        await second.patch(draft, answers={code: full[code] | {"answer": level} for code, level in given.items()}), 200
    )
    said = await second.get(path, IOM)
    assert [step["criterion"] for step in said["next_steps"]] == ["firewall", "obligations-analysis", "children"]
    assert (said["complete"], said["provisional"]["answered"]) == (False, 4)
    french = await second.get(path, IOM, language="fr")
    step = next(step for step in french["next_steps"] if step["criterion"] == "obligations-analysis")
    assert (step["question"], step["text"]) == ("Quelles obligations ?", "Deux recommandations.")
    # As the same answers are scored without a draft.
    scored = await second.running.client.post(f"{API}/score", json={
        "rubric": SECOND.code, "version": SECOND.version, "stage": STAGE, "answers": given,
        "checks": {code: full[code]["checks"] for code in given if full[code]["checks"]},
    })  # fmt: skip
    assert scored.json() == said
    draft = made(await second.patch(draft, answers={"firewall": full["firewall"]}), 200)
    assert (await second.get(path, IOM))["next_steps"][0]["criterion"] == "obligations-analysis"


async def test_nobody_else_reads_the_score_of_a_draft(second: Markers) -> None:
    draft = await second.draft(await second.copied(), rubric=CODE)
    path = f"{at(draft)}/score"
    mine = await second.send("GET", path, IOM)
    assert (mine.headers["cache-control"], "Authorization" in mine.headers["vary"]) == ("private, no-cache", True)
    assert "cache-groups" not in mine.headers
    assert (await second.send("GET", path, ADMIN)).status_code == 200
    # The other organization of the programme writes it, too.
    assert (await second.send("GET", path, ILO)).status_code == 200
    assert refused(await second.send("GET", path, WHO)) == (404, "not_found")
    assert refused(await second.send("GET", path, OHCHR))[0] == 403
    assert (await second.send("GET", path, None)).status_code == 401
    changed = await second.send("GET", path, IOM)
    assert changed.headers["etag"] == mine.headers["etag"]
    # A translation changes the answer in its language alone.
    tags = {}
    for text in ("Quelles obligations ?", "Quels devoirs ?"):
        await translate(second, {"/criteria/0/question": text}, "it")
        for language in ("it", "en"):
            answered = await second.running.client.get(path, params={"language": language}, headers=IOM.headers())
            tags.setdefault(language, []).append(answered.headers["etag"])
    assert (len({*tags["it"]}), len({*tags["en"]})) == (2, 1)
    submitted = await second.send("DELETE", at(draft), IOM, match="*")
    assert submitted.status_code == 204
    assert (await second.send("GET", path, IOM)).status_code == 404


async def test_the_code_of_a_draft_in_another_case_leads_to_it(second: Markers) -> None:
    draft = await second.draft(await second.copied(), rubric=CODE)
    code = draft.json()["code"]
    for below in ("", "/score"):
        moved = await second.send("GET", f"{DRAFTS}/{code.lower()}{below}", IOM)
        assert (moved.status_code, moved.headers["location"]) == (308, f"{DRAFTS}/{code}{below}")
