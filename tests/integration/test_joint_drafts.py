"""Joint drafts: all that take part in a programme write one draft, the lead submits it, and nobody else finds it."""

from __future__ import annotations

import asyncio
import json
import re
from collections.abc import Callable
from typing import Any

import asyncpg

from mmptf_common.storage import migrations
from tests.conftest import running_app
from tests.integration.assessments import BOTH, CODES, history, named, twin
from tests.integration.marked import (
    ADMIN,
    ASSESSMENTS,
    DRAFTS,
    FUND,
    ILO,
    IOM,
    OHCHR,
    WHO,
    Markers,
    Who,
    answer,
    answers,
    at,
    made,
    programme,
    refused,
)
from tests.integration.test_migrations import migrate_to

UNDP = Who("agency", "UNDP")


# --- one draft -------------------------------------------------------------------------------------------------------


async def test_all_that_take_part_write_the_one_draft(marker_service: Markers) -> None:
    code = await marker_service.copied(organizations=named("IOM", "ILO", "WHO"))
    draft = await marker_service.draft(code, ILO, answers={CODES[0]: answer(2)})
    path = at(draft)
    for n, who in enumerate((IOM, WHO, ILO), 1):
        (listed,) = (await marker_service.get(DRAFTS, who, programme=code))["items"]
        assert listed == draft.json()
        draft = made(await marker_service.patch(draft, who, answers={CODES[n]: answer(n % 3)}), 200)
    assert sorted(draft.json()["answers"]) == sorted(CODES[:4])
    assert draft.json()["organization"] == "ILO"
    written = [item["organization"] for item in await history(marker_service, path, WHO)]
    assert written == ["ILO", "IOM", "WHO", "ILO"]


async def test_one_organization_does_not_take_an_assessment_over(marker_service: Markers) -> None:
    """It has begun the draft and answered everything, and neither submits nor discards it against the lead."""
    code = await marker_service.copied()
    draft = await marker_service.draft(code, ILO, answers=answers(3))
    for refusal in (
        await marker_service.submit(draft, ILO),
        await marker_service.send("DELETE", at(draft), ILO, match="*"),
        await marker_service.send("POST", f"{at(draft)}/submission?dry_run=true", ILO, match="*"),
        # With the scope of an administrator, too, it is the organization that it is.
        await marker_service.submit(draft, Who("admin", "ILO")),
    ):
        assert refused(refusal) == (403, "forbidden")
        assert f"IOM leads {code}" in refusal.json()["detail"]
    assert (await marker_service.get(ASSESSMENTS, programme=code))["total"] == 0
    assert (await marker_service.send("GET", at(draft), IOM)).headers["etag"] == draft.headers["etag"]
    submitted = made(await marker_service.submit(draft, IOM)).json()
    assert (submitted["organization"], submitted["positions"]) == ("IOM", [])
    assert submitted["sources"][0]["note"] == "Stated by IOM."


async def test_an_answer_of_another_is_not_overwritten_unseen(marker_service: Markers) -> None:
    draft = await marker_service.draft(await marker_service.copied())
    theirs, ours = {CODES[0]: answer(1)}, {CODES[0]: answer(3), CODES[1]: answer(2)}
    done = await asyncio.gather(
        marker_service.patch(draft, ILO, answers=theirs), marker_service.patch(draft, IOM, answers=ours)
    )
    assert sorted(each.status_code for each in done) == [200, 412]
    late, sent = (IOM, ours) if done[0].status_code == 200 else (ILO, theirs)
    now = await marker_service.send("GET", at(draft), late)
    assert now.json()["answers"] in (theirs, ours)
    made(await marker_service.patch(now, late, answers=sent), 200)
    # What the first one wrote is in the history still.
    _, *written = await history(marker_service, at(draft), IOM)
    assert {item["after"]["answers"][CODES[0]]["answer"] for item in written} == {1, 3}


async def test_any_that_takes_part_submits_where_no_lead_is_named(marker_service: Markers) -> None:
    code = await marker_service.copied(lead_organization=None)
    draft = await marker_service.draft(code, IOM, answers=answers(3))
    assert made(await marker_service.submit(draft, ILO)).json()["organization"] == "ILO"
    other = await marker_service.draft(code, IOM, stage="concept_note")
    assert (await marker_service.send("DELETE", at(other), ILO, match="*")).status_code == 204


async def test_the_lead_of_the_day_submits(marker_service: Markers) -> None:
    document = programme()
    await marker_service.copy(document)
    draft = await marker_service.draft(document["code"], answers=answers(3))
    await marker_service.copy({**document, "lead_organization": "ILO"})
    assert refused(await marker_service.submit(draft, IOM)) == (403, "forbidden")
    # One that leads without being among the organizations takes part, too.
    await marker_service.copy({**document, "lead_organization": "UNDP"})
    assert refused(await marker_service.submit(draft, ILO)) == (403, "forbidden")
    assert made(await marker_service.submit(draft, UNDP)).json()["organization"] == "UNDP"


async def test_an_administrator_acts_for_who_would(marker_service: Markers) -> None:
    code = await marker_service.copied()
    draft = await marker_service.draft(code, ILO, answers=answers(3))
    assert made(await marker_service.submit(draft, Who("admin", "OHCHR"))).json()["organization"] == "IOM"
    code = await marker_service.copied(lead_organization=None)
    draft = await marker_service.draft(code, ILO, answers=answers(3))
    assert made(await marker_service.submit(draft, ADMIN)).json()["organization"] == "ILO"


async def test_who_wrote_a_part_for_another_organization_does_not_review(marker_service: Markers) -> None:
    code = await marker_service.copied()
    draft = await marker_service.draft(code, answers=answers(3))
    draft = made(await marker_service.patch(draft, Who("agency", "ILO", "part"), answers={CODES[0]: answer(2)}), 200)
    submitted = made(await marker_service.submit(draft))
    assert refused(await marker_service.review(submitted, Who("reviewer", "OHCHR", "part", BOTH))) == (403, "forbidden")


# --- who sees it -----------------------------------------------------------------------------------------------------


async def answered(markers: Markers, who: Who, programme: str, code: str) -> dict[str, Any]:
    """What an organization is answered of a draft, by request, without its code."""
    queries = ("", "?format=csv", "?format=ndjson", f"?programme={programme}", "?sort=-updated", "?as_of=1")
    draft = f"{DRAFTS}/{code}"
    asked = [("GET", f"{DRAFTS}{query}") for query in queries]
    asked += [("GET", path) for path in (draft, f"{draft}/history", f"{DRAFTS}/{code.lower()}", f"{draft}?as_of=1")]
    asked += [("PATCH", draft), ("DELETE", draft), ("POST", f"{draft}/submission")]
    found: dict[str, Any] = {}
    for method, path in asked:
        given = await markers.send(method, path, who, {} if method == "PATCH" else None, match="*")
        text = re.sub(
            code, "CODE", f"{given.status_code} {given.headers.get('etag')} {given.text}", flags=re.IGNORECASE
        )
        request = re.sub(code, "CODE", f"{method} {path}", flags=re.IGNORECASE)
        found[request] = text.replace(given.headers["x-request-id"], "")
    return found


async def test_a_stranger_finds_nothing(marker_service: Markers) -> None:
    code = await marker_service.copied()
    # One of their own, so that their lists are not empty.
    own = await marker_service.draft(await marker_service.copied(lead_organization="WHO", organizations=[]), WHO)
    before = await answered(marker_service, WHO, code, "D-NEVER000")
    draft = await marker_service.draft(code, answers={CODES[0]: answer(2, justification="Unheard-of plans.")})
    await marker_service.patch(draft, ILO, answers={CODES[1]: answer(1)})
    other = draft.json()["code"]
    assert await answered(marker_service, WHO, code, other) == before
    assert {text[:3] for text in before.values()} == {"200", "404"}
    # No number and no moment of theirs is one of the stranger's.
    newest = (await marker_service.get(DRAFTS, IOM))["revision"]
    mine = (await marker_service.get(DRAFTS, WHO))["revision"]
    assert mine < newest
    beyond = await marker_service.send("GET", f"{DRAFTS}?as_of={newest}", WHO)
    assert beyond.json()["errors"][0]["allowed"] == [f"0 to {mine}"]
    # A code in another case is looked up among what the caller sees.
    in_small = f"{DRAFTS}/{other.lower()}"
    assert (await marker_service.send("GET", in_small, ILO)).headers["location"] == at(draft)
    assert refused(await marker_service.send("GET", in_small, WHO)) == (404, "not_found")
    assert refused(await marker_service.begin(code, WHO)) == (403, "forbidden")
    for who in (None, WHO, FUND, OHCHR):
        audit = await marker_service.send("GET", "/markers/v1/audit/drafts", who)
        assert audit.status_code in (401, 403)
    assert (await marker_service.send("GET", at(own), WHO)).status_code == 200


async def test_whoever_joins_sees_the_draft_and_whoever_leaves_does_not(marker_service: Markers) -> None:
    document = programme(organizations=named("IOM", "ILO"))
    await marker_service.copy(document)
    # Written last, so that the number of the list is the same before and after.
    draft = await marker_service.draft(document["code"], ILO, answers={CODES[0]: answer(2)})
    own = await marker_service.draft(await marker_service.copied(lead_organization="UNDP", organizations=[]), UNDP)
    before = await marker_service.send("GET", DRAFTS, UNDP)
    assert [item["code"] for item in before.json()["items"]] == [own.json()["code"]]
    await marker_service.copy({**document, "organizations": named("IOM", "UNDP")})
    headers = {**UNDP.headers(), "if-none-match": before.headers["etag"]}
    joined = await marker_service.running.client.get(DRAFTS, headers=headers)
    assert joined.status_code == 200, "the list is another one, though nobody has written a draft"
    assert {item["code"] for item in joined.json()["items"]} == {own.json()["code"], draft.json()["code"]}
    assert joined.json()["revision"] == before.json()["revision"]
    made(await marker_service.patch(draft, UNDP, answers={CODES[1]: answer(1)}), 200)
    # It began the draft, and takes part no more.
    first = (await history(marker_service, at(draft), UNDP))[0]["seq"]
    for path in (at(draft), f"{at(draft)}/history", f"{at(draft)}?as_of={first}"):
        assert (await marker_service.send("GET", path, ILO)).status_code in (404, 422)
    assert draft.json()["code"] not in (await marker_service.send("GET", DRAFTS, ILO)).text
    assert refused(await marker_service.patch(draft, ILO, answers={})) == (404, "not_found")
    await marker_service.copy(document)
    headers = {**UNDP.headers(), "if-none-match": joined.headers["etag"]}
    left = await marker_service.running.client.get(DRAFTS, headers=headers)
    assert left.status_code == 200
    assert [item["code"] for item in left.json()["items"]] == [own.json()["code"]]
    assert left.headers["etag"] == before.headers["etag"]


# --- drafts of before ------------------------------------------------------------------------------------------------


async def test_several_drafts_of_the_same_stay_readable(marker_service: Markers) -> None:
    """Databases have them in which each organization had a draft of its own."""
    code = await marker_service.copied()
    draft = await marker_service.draft(code, answers=answers(3))
    older = await twin(marker_service, draft)
    for who in (IOM, ILO):
        assert (await marker_service.get(DRAFTS, who, programme=code))["total"] == 2
    assert refused(await marker_service.begin(code, ILO)) == (409, "draft_exists")
    made(await marker_service.submit(older, IOM))
    assert refused(await marker_service.submit(draft, IOM)) == (409, "draft_outdated")
    assert (await marker_service.send("DELETE", at(draft), IOM, match="*")).status_code == 204


async def test_the_writes_of_before_belong_to_the_programmes(postgres: Any, new_database: Callable[[str], str]) -> None:
    async with running_app("markers", new_database("markers"), None) as running:
        markers = Markers(running)
        await markers.copy(programme("MARK-A", lead_organization=None))
        record = json.dumps((await markers.draft("MARK-A", answers=answers(3))).json())
        copied = await markers.running.client.get("/markers/v1/copies")
        assert copied.status_code == 200
        source = await asyncpg.connect(running.database_url)
        (document,) = await source.fetch("SELECT record::text FROM programme")
        rubric = await source.fetchrow("SELECT code, rubric, version, status, hash, record::text FROM rubric")
        await source.close()
    url = postgres.create_database("markers_of_organizations")
    await migrate_to(url, "markers", "markers_0021")
    connection = await asyncpg.connect(url)
    begin = (
        "SELECT set_config('mmptf.first', ((SELECT coalesce(max(seq), 0) FROM change) + 1)::text, true),"
        " set_config('mmptf.draft_first', greatest(floor(extract(epoch FROM at) * 1000)::bigint,"
        " (SELECT max(number) + 1 FROM draft_revision))::text, true),"
        " set_config('mmptf.write', json_build_object('at', at, 'actor', $1::text, 'organization', $1::text)::text,"
        " true) FROM (SELECT greatest(clock_timestamp(), (SELECT max(at) FROM revision) + interval '1 microsecond',"
        " (SELECT max(at) FROM draft_revision) + interval '1 microsecond') AS at) AS given"
    )
    async with connection.transaction():
        await connection.execute(begin, "seed")
        await connection.execute(
            "INSERT INTO rubric (code, rubric, version, status, hash, updated, record)"
            " VALUES ($1, $2, $3, $4, $5, now(), $6)", *rubric.values(),
        )  # fmt: skip
        await connection.execute(
            "INSERT INTO programme (code, stage, organizations, countries, updated, record)"
            " VALUES ('MARK-A', 'funded', '{IOM,ILO}', '{KEN}', now(), $1)", document["record"],
        )  # fmt: skip
    for n, organization in enumerate(("IOM", "ILO"), 1):
        theirs = json.dumps({**json.loads(record), "code": f"D-BEFORE0{n}", "organization": organization})
        async with connection.transaction():
            await connection.execute(begin, organization)
            await connection.execute(
                "INSERT INTO draft (code, organization, programme, stage, updated, record)"
                " VALUES ($1, $2, 'MARK-A', 'programme_document', now(), $3)", f"D-BEFORE0{n}", organization, theirs,
            )  # fmt: skip
    assert [row[0] for row in await connection.fetch("SELECT owner FROM draft_revision ORDER BY number")] == [
        "IOM",
        "ILO",
    ]
    await migrations.migrate(url, "mmptf_markers")
    assert {row[0] for row in await connection.fetch("SELECT owner FROM draft_revision")} == {"MARK-A"}
    await connection.close()
    async with running_app("markers", url, None) as running:
        markers = Markers(running)
        for who in (IOM, ILO):
            page = await markers.get(DRAFTS, who)
            assert [(item["code"], item["organization"]) for item in page["items"]] == [
                ("D-BEFORE01", "IOM"), ("D-BEFORE02", "ILO"),
            ]  # fmt: skip
            for item in page["items"]:
                assert [h["action"] for h in await history(markers, f"{DRAFTS}/{item['code']}", who)] == ["create"]
        assert (await markers.get(DRAFTS, WHO))["items"] == []
        submitted = made(await markers.send("POST", f"{DRAFTS}/D-BEFORE01/submission", ILO, match="*"))
        assert submitted.json()["organization"] == "ILO"
    postgres.drop_database("markers_of_organizations")
