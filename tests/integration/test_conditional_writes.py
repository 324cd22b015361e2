"""Changes need the ETag of what they change; a dry run answers like the write and leaves nothing."""

from __future__ import annotations

import asyncio
from typing import Any

import asyncpg
import httpx
import pytest

from mmptf_catalog.code_lists.routes import ORGANIZATION
from mmptf_catalog.programmes.examples import CONTENT, EXTENSION
from tests.integration.programme_writes import DECIDED, DRAFTS, PROGRAMMES, drafted, moved, new_draft, state, submitted
from tests.tokens import bearer, writing

# A tag as services give them, of no state of a record.
STALE = '"1-000000000000000000"'


# --- what a change is made of --------------------------------------------------------------------------------------


async def test_a_change_says_what_it_changes(client: httpx.AsyncClient, reader: asyncpg.Connection) -> None:
    draft, note = await drafted(client), await submitted(client)
    funded = await moved(client, await submitted(client), "pipeline", "approved")
    path, code, agreed = draft.headers["location"], note.json()["code"], funded.json()["code"]
    status = {"status": "pipeline", "date": "2026-01-31", **DECIDED}
    changes: list[tuple[str, str, str, Any]] = [
        ("PATCH", path, "agency", {"title": "Other"}),
        ("DELETE", path, "agency", None),
        ("POST", f"{path}/submission", "agency", None),
        ("PATCH", f"{PROGRAMMES}/{code}", "agency", {"reason": "A reason.", "title": "Other"}),
        ("POST", f"{PROGRAMMES}/{code}/status", "management-unit", status),
        ("POST", f"{PROGRAMMES}/{agreed}/extensions", "management-unit", EXTENSION),
    ]
    before = await state(reader)
    for method, where, who, body in changes:
        silent = await client.request(method, where, json=body, headers=writing(who))
        assert (silent.status_code, silent.json()["code"]) == (428, "precondition_required"), (method, where)
        stale = await client.request(method, where, json=body, headers=writing(who, match=STALE))
        assert (stale.status_code, stale.json()["code"]) == (412, "precondition_failed"), (method, where)
        shown = await client.get("/".join(where.split("/")[:5]), headers=bearer("agency"))
        assert stale.headers["etag"] == shown.headers["etag"]
        assert stale.headers["content-type"] == "application/problem+json"
    assert await state(reader) == before


@pytest.mark.parametrize(
    ("match", "status"),
    [
        ("*", 200),
        (" * ", 200),
        ("{tag}", 200),
        ('"other", {tag}', 200),
        ('{tag},"other"', 200),
        ('W/"other" , {tag}', 200),
        # As nginx, Apache, Caddy and Jetty send on a tag whose answer they compress.
        ("W/{tag}", 200),
        ('W/{tag}, "other"', 200),
        ('"{bare}-gzip"', 200),
        ('W/"{bare}-br"', 200),
        ('"{bare}-zstd", "{bare}--gzip"', 200),
        ('"1-000000000000000000"', 412),
        ('W/"1-000000000000000000-gzip"', 412),
        ('"other"', 400),
        ('"{bare}-other"', 400),
        ('""', 400),
        ("", 400),
        ("{bare}", 400),
        ('"{bare}', 400),
        ("{tag} {tag}", 400),
        ("**", 400),
        ('"*"', 400),
    ],
)
async def test_a_change_is_refused_only_for_a_record_that_has_changed(
    client: httpx.AsyncClient, match: str, status: int
) -> None:
    draft = await drafted(client)
    tag = draft.headers["etag"]
    headers = writing("agency", match=match.format(tag=tag, bare=tag.strip('"')))
    answer = await client.patch(draft.headers["location"], json={"title": "Other"}, headers=headers)
    assert answer.status_code == status
    now = await client.get(draft.headers["location"], headers=bearer("agency"))
    if status == 400:
        assert answer.json()["code"] == "not_an_etag"
    else:
        assert now.headers["etag"] == answer.headers["etag"]
    assert now.json()["title"] == ("Other" if status == 200 else CONTENT["title"])


async def test_nothing_is_matched_where_nothing_is(client: httpx.AsyncClient) -> None:
    answer = await client.patch(f"{DRAFTS}/NO-SUCH-01", json={"title": "Other"}, headers=writing("agency", match="*"))
    assert (answer.status_code, answer.json()["code"]) == (404, "not_found")


async def test_the_second_of_two_changes_reads_and_merges(client: httpx.AsyncClient) -> None:
    note = await submitted(client)
    path = f"{PROGRAMMES}/{note.json()['code']}"
    both = [await client.get(path) for _ in range(2)]
    assert {read.headers["etag"] for read in both} == {note.headers["etag"]}

    async def amend(tag: str, **members: Any) -> httpx.Response:
        body = {"reason": "A correction.", **members}
        return await client.patch(path, json=body, headers=writing("agency", match=tag))

    objectives = [o["code"] for o in both[0].json()["objectives"]]
    first = await amend(both[0].headers["etag"], objectives=[*objectives, "21"], title="The first's title")
    assert first.status_code == 200
    second = await amend(both[1].headers["etag"], objectives=[*objectives, "23"])
    assert second.status_code == 412
    read = await client.get(path)
    assert read.headers["etag"] == second.headers["etag"] == first.headers["etag"]
    merged = await amend(read.headers["etag"], objectives=[*(o["code"] for o in read.json()["objectives"]), "23"])
    assert [o["code"] for o in merged.json()["objectives"]] == [*objectives, "21", "23"]
    assert merged.json()["title"] == "The first's title"


async def test_of_parallel_changes_of_one_state_one_is_made(client: httpx.AsyncClient) -> None:
    draft = await drafted(client)
    path, tag = draft.headers["location"], draft.headers["etag"]
    answers = await asyncio.gather(
        *(client.patch(path, json={"title": f"Title {n}"}, headers=writing("agency", match=tag)) for n in range(10))
    )
    (made,) = [answer for answer in answers if answer.status_code == 200]
    assert [a.status_code for a in answers if a is not made] == [412] * 9
    assert {a.headers["etag"] for a in answers} == {made.headers["etag"]}
    assert (await client.get(path, headers=bearer("agency"))).json() == made.json()


async def test_what_is_answered_is_what_is_read(client: httpx.AsyncClient) -> None:
    async def is_read(answer: httpx.Response, path: str) -> None:
        read = await client.get(path, headers=bearer("agency"))
        assert (read.content, read.headers["etag"]) == (answer.content, answer.headers["etag"]), path
        known = {**bearer("agency"), "if-none-match": answer.headers["etag"]}
        assert (await client.get(path, headers=known)).status_code == 304

    draft = await drafted(client)
    await is_read(draft, path := draft.headers["location"])
    amended = await client.patch(path, json={"title": "B"}, headers=writing("agency", match=draft.headers["etag"]))
    await is_read(amended, path)
    note = await client.post(f"{path}/submission", headers=writing("agency", match=amended.headers["etag"]))
    await is_read(note, path := note.headers["location"])
    assert path == f"{PROGRAMMES}/{draft.json()['programme_code']}"
    body = {"reason": "A reason.", "title": "C"}
    amended = await client.patch(path, json=body, headers=writing("agency", match=note.headers["etag"]))
    await is_read(amended, path)
    approved = await moved(client, amended, "pipeline", "approved")
    await is_read(approved, path)
    headers = writing("management-unit", match=approved.headers["etag"])
    await is_read(await client.post(f"{path}/extensions", json=EXTENSION, headers=headers), path)
    listed = await client.post(
        "/catalog/v1/organizations", json={"code": "UNFPA", "name": "UNFPA"}, headers=writing("management-unit")
    )
    await is_read(listed, listed.headers["location"])


async def test_a_tag_does_not_change_while_other_records_are_written(client: httpx.AsyncClient) -> None:
    draft, note = await drafted(client), await submitted(client)
    await moved(client, await submitted(client), "pipeline")
    await drafted(client)
    for record, path in ((draft, draft.headers["location"]), (note, note.headers["location"])):
        assert (await client.get(path, headers=bearer("agency"))).headers["etag"] == record.headers["etag"]
    assert (await moved(client, note, "pipeline")).status_code == 200


# --- dry runs --------------------------------------------------------------------------------------------------------


async def test_a_dry_run_answers_and_writes_nothing(client: httpx.AsyncClient, reader: asyncpg.Connection) -> None:
    draft, note = await drafted(client), await submitted(client)
    funded = await moved(client, await submitted(client), "pipeline", "approved")
    path, code, agreed = draft.headers["location"], note.json()["code"], funded.json()["code"]
    today = note.json()["status_history"][-1]["date"]
    status = {"status": "pipeline", "date": today, **DECIDED}
    row = {"programme": code, "etag": note.headers["etag"], **status}
    writes: list[tuple[str, str, str, str, Any, int]] = [
        ("POST", DRAFTS, "", "agency", new_draft(), 201),
        ("PATCH", path, draft.headers["etag"], "agency", {"title": "Other"}, 200),
        ("DELETE", path, draft.headers["etag"], "agency", None, 204),
        ("POST", f"{path}/submission", draft.headers["etag"], "agency", None, 201),
        ("PATCH", f"{PROGRAMMES}/{code}", note.headers["etag"], "agency", {"reason": "Why", "title": "Other"}, 200),
        ("POST", f"{PROGRAMMES}/{code}/status", note.headers["etag"], "management-unit", status, 200),
        ("POST", f"{PROGRAMMES}/{agreed}/extensions", funded.headers["etag"], "management-unit", EXTENSION, 200),
        ("POST", "/catalog/v1/status-changes", "", "management-unit", {"changes": [row]}, 200),
        ("POST", "/catalog/v1/organizations", "", "management-unit", ORGANIZATION, 201),
    ]
    before = await state(reader)
    feed = (await client.get("/catalog/v1/audit?limit=1", headers=bearer("admin"))).json()["revision"]
    dry_runs = []
    for method, where, tag, who, body, expected in writes:
        headers = writing(who, match=tag or None)
        dry_run = await client.request(method, f"{where}?dry_run=true", json=body, headers=headers)
        assert dry_run.status_code == expected, (method, where, dry_run.text)
        dry_runs.append(dry_run)
    assert await state(reader) == before
    assert (await client.get("/catalog/v1/audit?limit=1", headers=bearer("admin"))).json()["revision"] == feed
    assert dry_runs[1].json()["title"] == "Other"
    assert dry_runs[5].json()["status"] == "pipeline"
    assert dry_runs[7].json()["dry_run"] is True
    # A dry_run says what the write says afterwards, but for when it was, and for the draft's code, which is random.
    written = await client.post(DRAFTS, json=writes[0][4], headers=writing("agency"))
    differing = {"code": None, "updated": None}
    assert {**written.json(), **differing} == {**dry_runs[0].json(), **differing}
    for answer in (written, dry_runs[0]):
        assert answer.headers["location"] == f"{DRAFTS}/{answer.json()['code']}"


async def test_a_dry_run_is_rejected_like_the_write(client: httpx.AsyncClient, reader: asyncpg.Connection) -> None:
    draft, note = await drafted(client), await submitted(client)
    before = await state(reader)
    taken = new_draft(programme_code=note.json()["code"])
    assert (await client.post(f"{DRAFTS}?dry_run=true", json=taken, headers=writing("agency"))).status_code == 409
    unknown = new_draft(thematic_area="9")
    assert (await client.post(f"{DRAFTS}?dry_run=true", json=unknown, headers=writing("agency"))).status_code == 422
    path = f"{draft.headers['location']}?dry_run=true"
    assert (await client.patch(path, json={"title": "B"}, headers=writing("agency", match=STALE))).status_code == 412
    assert (await client.post(f"{DRAFTS}?dry_run=true", json=new_draft(), headers=bearer("agency"))).status_code == 400
    assert (await client.post(f"{DRAFTS}?dry_run=1", json=new_draft(), headers=writing("agency"))).status_code == 422
    assert await state(reader) == before
