"""Restricted evidence and due diligence are found by nobody but those who may read them, whatever is asked."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator
from typing import Any, NamedTuple

import asyncpg

from mmptf_common.storage import migrations
from mmptf_local.postgres import Postgres
from tests.conftest import running_app
from tests.integration.indicator import action
from tests.integration.marked import (
    ACTIONS,
    ADMIN,
    API,
    ASSESSMENTS,
    DRAFTS,
    FUND,
    ILO,
    IOM,
    OHCHR,
    RUBRIC_CODE,
    WHO,
    Json,
    Markers,
    Who,
    answer,
    answers,
    made,
    refused,
)
from tests.integration.older_schema import copy_rows, migrate_to
from tests.suite import FOLDERS

SECRET = "Unspoken"
HIDDEN = {"title": f"{SECRET} 1", "kind": "minutes", "document": f"{SECRET} 2", "locator": f"{SECRET} 3"}
SHOWN = {"title": "Statute", "kind": "procedure", "url": "https://example.org/a.pdf", "locator": "article 3"}
PUBLIC = {**SHOWN, "visibility": "public"}
RISK = {
    "risk": f"{SECRET} 4", "people": f"{SECRET} 5", "measure": f"{SECRET} 6", "owner": f"{SECRET} 7",
    "due": "2026-03-31", "likelihood": "likely", "severity": "grave", "residual": "unlikely",
    "suspends_when": f"{SECRET} 8",
}  # fmt: skip
OPEN_RISK = {
    **RISK,
    "risk": "Delay",
    "people": "All",
    "measure": "Plan ahead.",
    "owner": "Team",
    "visibility": "public",
}
OPEN_RISK["suspends_when"] = None
# Among them a reviewer who has claimed nothing.
OUTSIDERS = (
    *(None, WHO, Who("agency", "UNDP", "somebody", "markers:assess")),
    Who("reviewer", "UNHCR", "another", "markers:review"),
)


async def submitted(markers: Markers) -> tuple[str, Json]:
    """A programme, and its assessment with restricted and public evidence and risks."""
    code = await markers.copied()
    asked = answers(3, equality=answer(2, evidence=[HIDDEN, PUBLIC], actions=[action("2026-06-30")]))
    said = await markers.submitted(code, answers=asked, due_diligence=[RISK, OPEN_RISK])
    return code, said.json()


async def restricted_measure(markers: Markers, programme: str) -> str:
    """The code of the measure of a programme that is restricted."""
    measures = (await markers.get(ACTIONS, programme=programme, kind="measure"))["items"]
    (code,) = [each["code"] for each in measures if each["visibility"] == "restricted"]
    return str(code)


class Placed(NamedTuple):
    """Where restricted texts are.

    codes: by the path of their list; sent: the bodies with such texts by path, each with its Idempotency-Key; stale: an
    ETag that no record has any more
    """

    codes: dict[str, list[str]]
    sent: dict[str, tuple[str, Any]]
    stale: str


async def placed(markers: Markers) -> Placed:
    """Restricted texts in an assessment, a draft, a measure that was replaced, and the evidence of an action."""
    programme, said = await submitted(markers)
    begun = {"programme": programme, "stage": "annual_report", "year": 2025, "due_diligence": [RISK]}
    sent: dict[str, tuple[str, Any]] = {DRAFTS: (f"begin-{programme}", begun)}
    draft = made(await markers.send("POST", DRAFTS, IOM, begun, key=sent[DRAFTS][0]))
    found = {each["kind"]: each["code"] for each in (await markers.get(ACTIONS, programme=programme))["items"]}
    following = {"action": f"{SECRET} 10", "owner": f"{SECRET} 11", "due": "2026-09-30"}
    replaced = {"outcome": "replaced", "reason": f"{SECRET} 9", "replacement": following}
    done = {"outcome": "done", "done": "2026-05-31", "evidence": [HIDDEN, PUBLIC]}
    measure = await restricted_measure(markers, programme)
    for code, how in ((found["action"], done), (measure, replaced)):
        path = f"{ACTIONS}/{code}/end"
        sent[path] = (f"end-{code}", how)
        ended = made(await markers.send("POST", path, IOM, how, match="*", key=f"end-{code}"), 200)
    before = await markers.send("GET", f"{ASSESSMENTS}/{said['code']}", None)
    await markers.reviewed(before)
    _, waiting = await submitted(markers)
    reviews = (await markers.get(f"{API}/reviews", FUND, assessment=said["code"]))["items"]
    codes = {
        ASSESSMENTS: [said["code"], waiting["code"]],
        ACTIONS: [found["action"], measure, ended.json()["replaced_by"]],
        DRAFTS: [draft.json()["code"]], f"{API}/cards/programmes": [programme], f"{API}/rubrics": [RUBRIC_CODE],
        f"{API}/targets": ["funded"], f"{API}/translations": ["x"], f"{API}/reviews": [reviews[0]["code"]],
        f"{API}/assessors": [programme],
    }  # fmt: skip
    return Placed(codes, sent, before.headers["etag"])


def paths(method: str) -> Iterator[tuple[str, Json]]:
    """The operations of a method in the contract."""
    contract = json.loads((FOLDERS["markers"] / "openapi.json").read_text())
    for path, operations in contract["paths"].items():
        if method in operations:
            yield path, operations[method]


def urls(path: str, codes: dict[str, list[str]]) -> list[str]:
    """The addresses of a path, with each code of its list."""
    base = path.partition("/{")[0]
    return [
        path.replace("{code}", code).replace("{language}", "fr")
        for code in (codes.get(base, [""]) if "{code}" in path else [""])
    ]


async def test_nobody_else_finds_what_is_restricted(marker_service: Markers) -> None:
    """Every read of the contract, by those who may not read it, now and as of each revision, in every form."""
    where = await placed(marker_service)
    last = await marker_service.revision()
    variants: list[dict[str, Any]] = [{}, {"format": "csv"}, {"format": "ndjson"}, {"q": SECRET}]
    variants += [{"as_of": revision} for revision in range(max(1, last - 12), last + 1)]
    asked = 0
    for url in (url for path, _ in paths("get") for url in urls(path, where.codes)):
        is_public = False
        for who in OUTSIDERS:
            # What is public is the same for everybody.
            for variant in variants[:1] if is_public else variants:
                answer_ = await marker_service.running.client.get(
                    url, params=variant, headers=who.headers() if who else {}
                )
                asked += answer_.status_code == 200
                assert SECRET not in answer_.text, (url, variant, who)
                assert SECRET not in str(answer_.headers), (url, variant, who)
                is_public |= answer_.headers.get("cache-control", "").startswith("public")
    assert asked > 400


async def test_no_write_tells_others_what_is_restricted(marker_service: Markers) -> None:
    """Every write of the contract by those who may not read it: right and wrong, tried and meant, late and repeated."""
    where = await placed(marker_service)
    outcomes: Counter[int] = Counter()
    for method in ("post", "put", "patch", "delete"):
        for path, operation in paths(method):
            content = operation.get("requestBody", {}).get("content", {}).get("application/json", {})
            bodies = [each["value"] for each in content.get("examples", {}).values()] or [None]
            for url in urls(path, where.codes):
                key, sent = where.sent.get(url, (where.sent[DRAFTS][0], bodies[0]))
                # Those that are carried out, such as a claim, come last.
                for body, query, match, given in (
                    (bodies[0], "", None, None), (sent, "", "*", key), (bodies[0], "", where.stale, None),
                    ({"x": 1}, "", "*", None), ({}, "", "*", None), (bodies[0], "?dry_run=true", "*", None),
                    (bodies[0], "", "*", None),
                ):  # fmt: skip
                    for who in OUTSIDERS:
                        answer_ = await marker_service.send(
                            method.upper(), url + query, who, body, match=match, key=given
                        )
                        outcomes[answer_.status_code] += 1
                        assert SECRET not in answer_.text, (method, url, body, who)
                        assert SECRET not in str(answer_.headers), (method, url, body, who)
    assert outcomes.keys() >= {200, 201, 401, 403, 404, 409, 412, 422, 428} and max(outcomes) < 500, outcomes


async def test_those_who_take_part_review_or_manage_read_it(marker_service: Markers) -> None:
    code, said = await submitted(marker_service)
    path = f"{ASSESSMENTS}/{said['code']}/restricted"
    measure = await restricted_measure(marker_service, code)
    # A reviewer reads it once the review is claimed.
    assert refused(await marker_service.send("GET", path, OHCHR)) == (403, "forbidden")
    interest = {"interest": "None: nobody in it is known to me."}
    made(await marker_service.send("POST", f"{ASSESSMENTS}/{said['code']}/claim", OHCHR, interest))
    for who in (IOM, ILO, OHCHR, FUND, ADMIN):
        read = await marker_service.send("GET", path, who)
        assert read.headers["cache-control"] == "private, no-cache" and "Authorization" in read.headers["vary"]
        whole = read.json()
        assert whole["evidence"] == {"equality": [{**HIDDEN, "url": None, "visibility": "restricted"}]}
        assert whole["due_diligence"] == [{**RISK, "visibility": "restricted", "code": measure}]
        hidden = await marker_service.get(f"{ACTIONS}/{measure}/restricted", who)
        assert hidden["measure"] == whole["due_diligence"][0]
        again = await marker_service.running.client.get(
            path, headers={**who.headers(), "if-none-match": read.headers["etag"]}
        )
        assert again.status_code == 304
    # What everybody reads says how much more there is.
    public = await marker_service.get(f"{ASSESSMENTS}/{said['code']}")
    equality = public["answers"]["equality"]
    assert (equality["evidence"], equality["evidence_restricted"]) == ([{**PUBLIC, "document": None}], 1)
    assert [risk["risk"] for risk in public["due_diligence"]] == ["Delay"]
    assert public["due_diligence_restricted"] == 1
    assert refused(await marker_service.send("GET", path, None)) == (401, "token_missing")
    for outsider in OUTSIDERS[1:]:
        refusal = await marker_service.send("GET", path, outsider)
        assert refused(refusal) == (403, "forbidden")
        assert refused(await marker_service.send("GET", f"{ACTIONS}/{measure}/restricted", outsider)) == (
            403,
            "forbidden",
        )


async def test_the_next_draft_begins_with_what_is_restricted(marker_service: Markers) -> None:
    code, _ = await submitted(marker_service)
    (waiting,) = (await marker_service.get(ASSESSMENTS, programme=code))["items"]
    await marker_service.reviewed(
        await marker_service.send("GET", f"{ASSESSMENTS}/{waiting['code']}", None), decision="return"
    )
    draft = (await marker_service.draft(code, ILO)).json()
    evidence = draft["answers"]["equality"]["evidence"]
    assert sorted(each["title"] for each in evidence) == sorted([HIDDEN["title"], SHOWN["title"]])
    assert {each["action"] for each in draft["earlier_actions"]} == {
        "Agree on referral.", RISK["measure"], OPEN_RISK["measure"],
    }  # fmt: skip


def before(record: Json, risk: Json, planned: Json) -> Json:
    """A record of an assessment as it was stored when all of it was public."""
    old = {name: value for name, value in record.items() if name not in ("due_diligence_restricted", "earlier_actions")}
    evidence = [{"title": HIDDEN["title"], "url": None, "document": HIDDEN["document"], "locator": HIDDEN["locator"]}]
    stated = {
        criterion: {"answer": said["answer"], "justification": "So.", "evidence": evidence, "actions": [planned]}
        if criterion == "equality"
        else {"answer": said["answer"], "justification": "So.", "evidence": [], "actions": []}
        for criterion, said in old["answers"].items()
    }
    return {**old, "answers": stated, "due_diligence": [risk]}


async def write(url: str, reason: str, statement: str, *values: Any) -> None:
    """One write of the journal, as the version before the migration made it."""
    connection = await asyncpg.connect(url)
    async with connection.transaction():
        await connection.execute(
            "SELECT set_config('mmptf.first', ((SELECT coalesce(max(seq), 0) + 1 FROM change))::text, true),"
            " set_config('mmptf.write', json_build_object('at', greatest(clock_timestamp(),"
            " (SELECT max(at) FROM revision) + interval '1 microsecond'),"
            " 'actor', 'somebody', 'organization', 'IOM', 'reason', $1::text,"
            " 'request_id', 'r')::text, true)",
            reason,
        )
        await connection.execute(statement, *values)
    await connection.close()


async def test_what_was_public_before_is_restricted_and_every_plan_goes_on(
    marker_service: Markers, postgres: Postgres
) -> None:
    """Also in earlier states and in the journal; who follows the changes is told."""
    _, said = await submitted(marker_service)
    risk = {
        "risk": RISK["risk"],
        "people": RISK["people"],
        "measure": RISK["measure"],
        "owner": RISK["owner"],
        "due": None,
    }
    open_plan = {"action": "Agree.", "owner": "Team", "due": "2026-06-30", "done": None}
    first = before({**said, "code": "A-000001", "status": "submitted"}, risk, open_plan)
    returned = {**first, "status": "returned"}
    second = {**before(said, risk, {**open_plan, "done": "2026-05-31"}), "code": "A-000002", "version": 2}
    other = {**before(said, risk, {**open_plan, "action": "Train."}), "code": "A-000003", "stage": "concept_note"}
    url = postgres.create_database("markers_before_actions")
    await migrate_to(url, "markers", "markers_0021")
    await copy_rows(marker_service.running.database_url, url, ("source_document", "rubric", "target", "programme"))
    insert = (
        "INSERT INTO assessment (code, programme, marker, stage, year, version, organization, rubric, status, grade,"
        " updated, record) SELECT $1::json->>'code', $1::json->>'programme', $1::json->>'marker', $1::json->>'stage',"
        f" NULL, ($1::json->>'version')::int, 'IOM', '{RUBRIC_CODE}', $1::json->>'status', 'B', now(), $1::json"
    )
    await write(url, "submitted", insert, json.dumps(first))
    change = "UPDATE assessment SET status = 'returned', record = $1::json, updated = now() WHERE code = 'A-000001'"
    await write(url, "returned", change, json.dumps(returned))
    for record in (second, other):
        await write(url, "submitted", insert, json.dumps(record))
    connection = await asyncpg.connect(url)
    last = await connection.fetchval("SELECT max(seq) FROM change")
    await migrations.migrate(url, "mmptf_markers")
    for table, column in (
        ("assessment", "record"), ("assessment_past", "record"), ("change", "before"), ("change", "after"),
        ("action", "record"),
    ):  # fmt: skip
        of = "" if table != "change" else " AND entity <> 'restricted_content'"
        assert not await connection.fetchval(
            f"SELECT count(*) FROM {table} WHERE position('{SECRET}' IN {column}::text) > 0{of}"
        ), table
    await connection.close()
    async with running_app("markers", url, None) as running:
        migrated = Markers(running)
        found = (await migrated.get(ACTIONS))["items"]
        assert sorted(
            ((each["kind"], each["action"], each["state"], each["assessment"]) for each in found), key=str
        ) == [
            ("action", "Agree.", "done", "A-000001"),
            ("action", "Train.", "open", "A-000003"),
            ("measure", None, "open", "A-000001"),
        ]
        feed = (await migrated.get(f"{API}/changes", after=last))["items"]
        assert sorted((each["entity"], each["action"]) for each in feed) == [
            ("action", "create"), ("action", "create"), ("action", "create"),
            *[("assessment", "amend")] * 3,
        ]  # fmt: skip
        listed = (await migrated.get(ASSESSMENTS))["items"]
        for each in listed:
            (plan,) = each["answers"]["equality"]["actions"]
            assert plan["code"] in {one["code"] for one in found}
            assert (each["answers"]["equality"]["evidence_restricted"], each["due_diligence_restricted"]) == (1, 1)
            hidden = await migrated.get(f"{ASSESSMENTS}/{each['code']}/restricted", FUND)
            assert hidden["evidence"]["equality"][0]["title"] == HIDDEN["title"]
            assert hidden["due_diligence"][0]["measure"] == RISK["measure"]
        (measure,) = [each for each in found if each["kind"] == "measure"]
        whole = await migrated.get(f"{ACTIONS}/{measure['code']}/restricted", FUND)
        assert whole["measure"]["risk"] == RISK["risk"]
        # As it was read at the time, without what is restricted now.
        then = await migrated.get(f"{ASSESSMENTS}/A-000001", as_of=last - 3)
        assert (then["status"], then["due_diligence"], then["due_diligence_restricted"]) == ("submitted", [], 1)
