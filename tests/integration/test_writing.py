"""Writes that are sent again, made of what is stale, tried, made in batches, or lost at the last moment."""

from __future__ import annotations

import asyncio
import uuid
from collections.abc import AsyncIterator, Callable
from itertools import count
from typing import Any

import asyncpg
import httpx
import pytest

from mmptf_catalog.programmes.examples import CONTENT, EXTENSION, ORGANIZATION
from tests.conftest import RunningApp, running_app
from tests.tokens import bearer, writing

DRAFTS, PROGRAMMES = "/catalog/v1/drafts", "/catalog/v1/programmes"
NUMBERS = count(1)
DECIDED = {"reason": "As the committee decided.", "decision": "Steering Committee, 30 June 2026"}


@pytest.fixture(scope="module")
async def running(new_database: Callable[[str], str]) -> AsyncIterator[RunningApp]:
    async with running_app("catalog", new_database("catalog"), None) as app:
        yield app


@pytest.fixture(scope="module")
async def reader(running: RunningApp) -> AsyncIterator[asyncpg.Connection]:
    connection = await asyncpg.connect(running.database_url)
    yield connection
    await connection.close()


@pytest.fixture
def client(running: RunningApp) -> httpx.AsyncClient:
    return running.client


def new_draft(**members: Any) -> dict[str, Any]:
    """The body of a draft under a code that nobody has."""
    return {**CONTENT, "code": f"TRY-{next(NUMBERS):03}", **members}


async def drafted(client: httpx.AsyncClient, **members: Any) -> httpx.Response:
    answer = await client.post(DRAFTS, json=new_draft(**members), headers=writing("agency"))
    assert answer.status_code == 201, answer.text
    return answer


async def submitted(client: httpx.AsyncClient, **members: Any) -> httpx.Response:
    draft = await drafted(client, **members)
    path = f"{draft.headers['location']}/submission"
    answer = await client.post(path, headers=writing("agency", match=draft.headers["etag"]))
    assert answer.status_code == 201, answer.text
    return answer


async def moved(client: httpx.AsyncClient, programme: httpx.Response, *statuses: str) -> httpx.Response:
    """The programme after the Fund gave it one status after the other, today."""
    day = programme.json()["status_history"][-1]["date"]
    for status in statuses:
        programme = await client.post(
            f"{PROGRAMMES}/{programme.json()['code']}/status",
            json={"status": status, "date": day, **DECIDED},
            headers=writing("management-unit", match=programme.headers["etag"]),
        )
        assert programme.status_code == 200, programme.text
    return programme


async def state(reader: asyncpg.Connection) -> dict[str, str | None]:
    """What every table holds, journal and keys included."""
    tables = await reader.fetch("SELECT tablename FROM pg_tables WHERE schemaname = 'public'")
    return {
        name: await reader.fetchval(f"SELECT md5(string_agg(t::text, '|' ORDER BY t::text)) FROM \"{name}\" AS t")
        for (name,) in tables
    }


async def entries(reader: asyncpg.Connection, code: str) -> list[str]:
    """What the journal says was done to a draft."""
    found = await reader.fetch("SELECT action FROM change WHERE entity = 'draft' AND key = $1 ORDER BY seq", code)
    return [row[0] for row in found]


async def keys(reader: asyncpg.Connection, key: str) -> int:
    return int(await reader.fetchval("SELECT count(*) FROM idempotency_key WHERE key = $1", key))


def with_key(key: str, client: str = "agency", organization: str | None = None, **claims: object) -> dict[str, str]:
    return {**bearer(client, organization, **claims), "idempotency-key": key}


def is_replayed(answer: httpx.Response) -> bool:
    replayed: str | None = answer.headers.get("idempotency-replayed")
    return replayed == "true"


def told(answer: httpx.Response) -> tuple[object, ...]:
    """All of an answer that the second one has to have as well."""
    headers = (answer.headers.get(name) for name in ("etag", "location", "content-type"))
    return (answer.status_code, answer.content, *headers)


# --- keys ----------------------------------------------------------------------------------------------------------


async def test_a_write_without_a_key_is_refused(client: httpx.AsyncClient, reader: asyncpg.Connection) -> None:
    before = await state(reader)
    answer = await client.post(DRAFTS, json=new_draft(), headers=bearer("agency"))
    assert (answer.status_code, answer.json()["code"]) == (400, "idempotency_key_missing")
    assert await state(reader) == before


@pytest.mark.parametrize("key", ["", '""', "two words", "a,b", "semi;colon", "x" * 129, "tab\there", '"a""b"'])
async def test_a_key_that_is_none_is_refused(client: httpx.AsyncClient, reader: asyncpg.Connection, key: str) -> None:
    before = await state(reader)
    answer = await client.post(DRAFTS, json=new_draft(), headers=with_key(key))
    assert (answer.status_code, answer.json()["code"]) == (400, "idempotency_key_invalid")
    assert await state(reader) == before


@pytest.mark.parametrize("second", ["another", "the-same"])
async def test_two_keys_are_refused(client: httpx.AsyncClient, reader: asyncpg.Connection, second: str) -> None:
    before = await state(reader)
    headers = [*with_key("the-same").items(), ("idempotency-key", second)]
    answer = await client.post(DRAFTS, json=new_draft(), headers=headers)
    assert (answer.status_code, answer.json()["code"]) == (400, "idempotency_key_invalid")
    assert await state(reader) == before


@pytest.mark.parametrize("key", ["x", "y" * 128, "AZaz09._:~+/=-"])
async def test_every_allowed_key_is_taken(client: httpx.AsyncClient, key: str) -> None:
    first = await client.post(DRAFTS, json=(body := new_draft()), headers=with_key(key))
    assert first.status_code == 201
    assert is_replayed(await client.post(DRAFTS, json=body, headers=with_key(key)))


async def test_a_retry_is_told_the_same_and_done_once(client: httpx.AsyncClient, reader: asyncpg.Connection) -> None:
    body, key = new_draft(), str(uuid.uuid4())
    first = await client.post(DRAFTS, json=body, headers=with_key(key))
    assert first.status_code == 201
    assert not is_replayed(first)
    after = await state(reader)
    for sent in (key, f'"{key}"', key):
        again = await client.post(DRAFTS, json=body, headers=with_key(sent))
        assert told(again) == told(first)
        assert is_replayed(again)
    assert await state(reader) == after
    assert await entries(reader, body["code"]) == ["create"]


async def test_a_retry_is_told_what_was_answered_then(client: httpx.AsyncClient, reader: asyncpg.Connection) -> None:
    body, key = new_draft(title="Café — Straße “quoted”"), str(uuid.uuid4())
    first = await client.post(DRAFTS, json=body, headers=with_key(key))
    path = first.headers["location"]
    amended = await client.patch(path, json={"title": "New"}, headers=writing("agency", match=first.headers["etag"]))
    again = await client.post(DRAFTS, json=body, headers=with_key(key))
    assert told(again) == told(first)
    assert (await client.get(path, headers=bearer("agency"))).json() == amended.json()
    discarded = await client.delete(path, headers={**bearer("agency"), "if-match": "*"})
    assert discarded.status_code == 204
    assert told(await client.post(DRAFTS, json=body, headers=with_key(key))) == told(first)
    assert await entries(reader, body["code"]) == ["create", "amend", "delete"]


async def test_a_key_stands_for_one_write(client: httpx.AsyncClient, reader: asyncpg.Connection) -> None:
    body, key = new_draft(), str(uuid.uuid4())
    first = await client.post(DRAFTS, json=body, headers=with_key(key))
    path = first.headers["location"]
    before = await state(reader)
    match = {**with_key(key), "if-match": first.headers["etag"]}
    others = {
        "another body": await client.post(DRAFTS, json=new_draft(), headers=with_key(key)),
        "another member": await client.post(DRAFTS, json={**body, "title": "Other"}, headers=with_key(key)),
        "another query": await client.post(f"{DRAFTS}?dry_run=false", json=body, headers=with_key(key)),
        "another path": await client.post(f"{path}/submission", headers=match),
        "another method": await client.patch(path, json={"title": "Other"}, headers=match),
        "without a body": await client.delete(path, headers=match),
    }
    for name, answer in others.items():
        assert (answer.status_code, answer.json()["code"]) == (422, "idempotency_key_reused"), name
        assert answer.json()["errors"][0]["parameter"] == "Idempotency-Key"
    assert await state(reader) == before


async def test_a_key_belongs_to_who_sent_it(client: httpx.AsyncClient, reader: asyncpg.Connection) -> None:
    key = str(uuid.uuid4())
    one, other = new_draft(title="One"), new_draft(title="Other")
    mine = await client.post(DRAFTS, json=one, headers=with_key(key, sub="one"))
    theirs = await client.post(DRAFTS, json=other, headers=with_key(key, organization="ILO", sub="other"))
    assert (mine.status_code, theirs.status_code) == (201, 201)
    assert await keys(reader, key) == 2
    # Nobody is answered somebody else's write.
    again = await client.post(DRAFTS, json=one, headers=with_key(key, organization="ILO", sub="third"))
    assert (again.status_code, again.json()["code"]) == (409, "code_taken")
    assert told(await client.post(DRAFTS, json=one, headers=with_key(key, sub="one"))) == told(mine)


async def test_a_refusal_is_judged_anew(client: httpx.AsyncClient, reader: asyncpg.Connection) -> None:
    taken = await drafted(client)
    key, body = str(uuid.uuid4()), new_draft(code=taken.json()["code"], title="The second")
    refused = await client.post(DRAFTS, json=body, headers=with_key(key))
    assert (refused.status_code, refused.json()["code"]) == (409, "code_taken")
    assert await keys(reader, key) == 0
    await client.delete(taken.headers["location"], headers={**bearer("agency"), "if-match": "*"})
    written = await client.post(DRAFTS, json=body, headers=with_key(key))
    assert (written.status_code, written.json()["title"]) == (201, "The second")
    assert not is_replayed(written)
    assert is_replayed(await client.post(DRAFTS, json=body, headers=with_key(key)))


async def test_a_refused_body_is_judged_anew(client: httpx.AsyncClient, reader: asyncpg.Connection) -> None:
    key, body = str(uuid.uuid4()), new_draft(organizations=["IOM", "UNHCR"])
    refused = await client.post(DRAFTS, json=body, headers=with_key(key))
    assert (refused.status_code, refused.json()["code"]) == (422, "unknown_code")
    assert await keys(reader, key) == 0
    listed = {"code": "UNHCR", "name": "Office of the United Nations High Commissioner for Refugees"}
    await client.post("/catalog/v1/organizations", json=listed, headers=writing("management-unit"))
    assert (await client.post(DRAFTS, json=body, headers=with_key(key))).status_code == 201


async def test_a_trial_neither_takes_nor_uses_a_key(client: httpx.AsyncClient, reader: asyncpg.Connection) -> None:
    body, key = new_draft(), str(uuid.uuid4())
    tried = await client.post(f"{DRAFTS}?dry_run=true", json=body, headers=with_key(key))
    assert tried.status_code == 201
    assert await keys(reader, key) == 0
    written = await client.post(DRAFTS, json=body, headers=with_key(key))
    assert (written.status_code, is_replayed(written)) == (201, False)
    other = await client.post(f"{DRAFTS}?dry_run=true", json=new_draft(), headers=with_key(key))
    assert (other.status_code, is_replayed(other)) == (201, False)
    same = await client.post(f"{DRAFTS}?dry_run=true", json=body, headers=with_key(key))
    assert (same.status_code, same.json()["code"]) == (409, "code_taken")


@pytest.mark.parametrize(("age", "known"), [("29 days 23 hours", True), ("30 days 1 second", False)])
async def test_an_answer_is_kept_for_thirty_days(
    client: httpx.AsyncClient, reader: asyncpg.Connection, age: str, known: bool
) -> None:
    body, key = new_draft(), str(uuid.uuid4())
    first = await client.post(DRAFTS, json=body, headers=with_key(key))
    await client.delete(first.headers["location"], headers={**bearer("agency"), "if-match": "*"})
    await reader.execute(f"UPDATE idempotency_key SET at = at - interval '{age}' WHERE key = $1", key)
    again = await client.post(DRAFTS, json=body, headers=with_key(key))
    assert (again.status_code, is_replayed(again)) == (201, known)
    assert (again.headers["etag"] == first.headers["etag"]) is known
    assert await entries(reader, body["code"]) == (["create", "delete"] if known else ["create", "delete", "create"])
    assert await keys(reader, key) == 1


async def test_what_is_too_old_is_forgotten_by_whoever_writes_next(
    client: httpx.AsyncClient, reader: asyncpg.Connection
) -> None:
    await client.post(DRAFTS, json=new_draft(), headers=with_key(key := str(uuid.uuid4())))
    await reader.execute("UPDATE idempotency_key SET at = at - interval '31 days' WHERE key = $1", key)
    await drafted(client)
    assert await keys(reader, key) == 0


async def test_a_change_with_a_key_is_answered_again_though_its_tag_is_stale(
    client: httpx.AsyncClient, reader: asyncpg.Connection
) -> None:
    draft = await drafted(client)
    path, headers = draft.headers["location"], writing("agency", match=draft.headers["etag"])
    first = await client.patch(path, json={"title": "Amended"}, headers=headers)
    again = await client.patch(path, json={"title": "Amended"}, headers=headers)
    assert (first.status_code, is_replayed(first), is_replayed(again)) == (200, False, True)
    assert told(again) == told(first)
    headers = writing("agency", match=first.headers["etag"])
    gone = [await client.delete(path, headers=headers) for _ in range(2)]
    assert [(a.status_code, a.content, is_replayed(a)) for a in gone] == [(204, b"", False), (204, b"", True)]
    assert await entries(reader, draft.json()["code"]) == ["create", "amend", "delete"]


async def test_a_change_without_a_key_is_not_remembered(client: httpx.AsyncClient) -> None:
    draft = await drafted(client)
    headers = {**bearer("agency"), "if-match": draft.headers["etag"]}
    first, again = [
        await client.patch(draft.headers["location"], json={"title": "Once"}, headers=headers) for _ in range(2)
    ]
    assert (first.status_code, again.status_code) == (200, 412)
    assert again.headers["etag"] == first.headers["etag"]


async def test_parallel_duplicates_are_done_once(client: httpx.AsyncClient, reader: asyncpg.Connection) -> None:
    body, headers = new_draft(), writing("agency")
    answers = await asyncio.gather(*(client.post(DRAFTS, json=body, headers=headers) for _ in range(20)))
    assert len({told(answer) for answer in answers}) == 1
    assert answers[0].status_code == 201
    assert sorted(map(is_replayed, answers)) == [False] + [True] * 19
    assert await entries(reader, body["code"]) == ["create"]
    assert await keys(reader, headers["idempotency-key"]) == 1


async def test_of_parallel_writes_with_one_key_one_is_carried_out(
    client: httpx.AsyncClient, reader: asyncpg.Connection
) -> None:
    bodies, headers = [new_draft() for _ in range(8)], writing("agency")
    answers = await asyncio.gather(*(client.post(DRAFTS, json=body, headers=headers) for body in bodies))
    assert sorted(a.status_code for a in answers) == [201] + [422] * 7
    assert {a.json()["code"] for a in answers if a.status_code == 422} == {"idempotency_key_reused"}
    assert [await entries(reader, body["code"]) for body in bodies].count(["create"]) == 1
    assert [await entries(reader, body["code"]) for body in bodies].count([]) == 7


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
        stale = await client.request(method, where, json=body, headers=writing(who, match='"1-000000000000000000"'))
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
        ("W/{tag}", 412),
        ('W/{tag}, "other"', 412),
        ('"other"', 412),
        ('""', 412),
        ("", 412),
        ("{bare}", 412),
        ('"{bare}', 412),
        ("**", 412),
        ('"*"', 412),
    ],
)
async def test_tags_are_compared_strongly(client: httpx.AsyncClient, match: str, status: int) -> None:
    draft = await drafted(client)
    tag = draft.headers["etag"]
    headers = writing("agency", match=match.format(tag=tag, bare=tag.strip('"')))
    answer = await client.patch(draft.headers["location"], json={"title": "Other"}, headers=headers)
    assert answer.status_code == status
    now = await client.get(draft.headers["location"], headers=bearer("agency"))
    assert now.headers["etag"] == answer.headers["etag"]
    assert now.json()["title"] == ("Other" if status == 200 else CONTENT["title"])


async def test_nothing_is_matched_where_nothing_is(client: httpx.AsyncClient) -> None:
    answer = await client.patch(f"{DRAFTS}/NO-SUCH-01", json={"title": "Other"}, headers=writing("agency", match="*"))
    assert (answer.status_code, answer.json()["code"]) == (404, "not_found")


async def test_whoever_comes_second_reads_and_merges(client: httpx.AsyncClient) -> None:
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
    assert path == f"{PROGRAMMES}/{draft.json()['code']}"
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


async def test_a_record_keeps_its_tag_while_others_are_written(client: httpx.AsyncClient) -> None:
    draft, note = await drafted(client), await submitted(client)
    await moved(client, await submitted(client), "pipeline")
    await drafted(client)
    for record, path in ((draft, draft.headers["location"]), (note, note.headers["location"])):
        assert (await client.get(path, headers=bearer("agency"))).headers["etag"] == record.headers["etag"]
    assert (await moved(client, note, "pipeline")).status_code == 200


# --- trials --------------------------------------------------------------------------------------------------------


async def test_a_trial_answers_and_leaves_nothing(client: httpx.AsyncClient, reader: asyncpg.Connection) -> None:
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
    trials = []
    for method, where, tag, who, body, expected in writes:
        headers = writing(who, match=tag or None)
        trial = await client.request(method, f"{where}?dry_run=true", json=body, headers=headers)
        assert trial.status_code == expected, (method, where, trial.text)
        trials.append(trial)
    assert await state(reader) == before
    assert (await client.get("/catalog/v1/audit?limit=1", headers=bearer("admin"))).json()["revision"] == feed
    assert trials[1].json()["title"] == "Other"
    assert trials[5].json()["status"] == "pipeline"
    assert trials[7].json()["dry_run"] is True
    # A trial says what the write says afterwards, but for when it was.
    written = await client.post(DRAFTS, json=writes[0][4], headers=writing("agency"))
    assert {**written.json(), "updated": None} == {**trials[0].json(), "updated": None}
    assert written.headers["location"] == trials[0].headers["location"]


async def test_a_trial_is_refused_like_the_write(client: httpx.AsyncClient, reader: asyncpg.Connection) -> None:
    draft = await drafted(client)
    before = await state(reader)
    taken = new_draft(code=draft.json()["code"])
    assert (await client.post(f"{DRAFTS}?dry_run=true", json=taken, headers=writing("agency"))).status_code == 409
    unknown = new_draft(thematic_area="9")
    assert (await client.post(f"{DRAFTS}?dry_run=true", json=unknown, headers=writing("agency"))).status_code == 422
    path = f"{draft.headers['location']}?dry_run=true"
    assert (await client.patch(path, json={"title": "B"}, headers=writing("agency", match='"x"'))).status_code == 412
    assert (await client.post(f"{DRAFTS}?dry_run=true", json=new_draft(), headers=bearer("agency"))).status_code == 400
    assert (await client.post(f"{DRAFTS}?dry_run=1", json=new_draft(), headers=writing("agency"))).status_code == 422
    assert await state(reader) == before


# --- batches -------------------------------------------------------------------------------------------------------

BATCH = "/catalog/v1/status-changes"


def row_of(programme: httpx.Response, status: str, **members: Any) -> dict[str, Any]:
    """A row that gives a programme a status on the day of its present one."""
    record = programme.json()
    day = record["status_history"][-1]["date"]
    return {
        "programme": record["code"], "etag": programme.headers["etag"], "status": status, "date": day, **DECIDED,
        **members,
    }  # fmt: skip


async def batch(client: httpx.AsyncClient, rows: list[dict[str, Any]], query: str = "") -> httpx.Response:
    return await client.post(f"{BATCH}{query}", json={"changes": rows}, headers=writing("management-unit"))


async def status_of(client: httpx.AsyncClient, *programmes: httpx.Response) -> list[str]:
    return [(await client.get(f"{PROGRAMMES}/{p.json()['code']}")).json()["status"] for p in programmes]


async def test_a_batch_is_written_as_one(client: httpx.AsyncClient, reader: asyncpg.Connection) -> None:
    notes = [await submitted(client) for _ in range(3)]
    statuses = ["pipeline", "not_selected", "withdrawn"]
    rows = [row_of(note, status) for note, status in zip(notes, statuses, strict=True)]
    headers = writing("management-unit")
    answer = await client.post(BATCH, json={"changes": rows}, headers=headers)
    codes = [note.json()["code"] for note in notes]
    assert answer.status_code == 200
    assert answer.json() == {
        "dry_run": False,
        "written": 3,
        "refused": 0,
        "outcomes": [
            {"row": n, "outcome": "written", "code": code, "status": 200, "errors": []} for n, code in enumerate(codes)
        ],
    }
    assert await status_of(client, *notes) == statuses
    newest = await reader.fetchrow("SELECT * FROM revision ORDER BY number DESC LIMIT 1")
    changed = await reader.fetch("SELECT key FROM change WHERE seq >= $1 ORDER BY seq", newest["first"])
    assert [row[0] for row in changed] == codes
    after = await state(reader)
    again = await client.post(BATCH, json={"changes": rows}, headers=headers)
    assert told(again) == told(answer)
    assert is_replayed(again)
    assert await state(reader) == after


async def test_a_batch_is_all_or_nothing(client: httpx.AsyncClient, reader: asyncpg.Connection) -> None:
    good, stale, wrong, last = [await submitted(client) for _ in range(4)]
    rows = [
        row_of(good, "pipeline"),
        row_of(stale, "pipeline", etag='"1-stale"'),
        row_of(wrong, "implementation"),
        row_of(last, "pipeline", decision=None, date="2099-01-01"),
        {**row_of(last, "pipeline"), "programme": "NO-SUCH-01"},
    ]
    before = await state(reader)
    answer = await batch(client, rows)
    assert answer.status_code == 422
    assert [(error["pointer"], error["code"]) for error in answer.json()["errors"]] == [
        ("/changes/1", "precondition_failed"),
        ("/changes/2/status", "transition_not_allowed"),
        ("/changes/3/date", "in_the_future"),
        ("/changes/3/decision", "missing"),
        ("/changes/4", "unknown_code"),
    ]
    assert await state(reader) == before


async def test_a_partial_batch_writes_what_is_right(client: httpx.AsyncClient, reader: asyncpg.Connection) -> None:
    first, wrong, last = [await submitted(client) for _ in range(3)]
    rows = [row_of(first, "pipeline"), row_of(wrong, "approved"), row_of(last, "not_selected")]
    tried = await batch(client, rows, "?partial=true&dry_run=true")
    assert (tried.json()["dry_run"], tried.json()["written"]) == (True, 2)
    assert await status_of(client, first, wrong, last) == ["concept_note"] * 3
    answer = await batch(client, rows, "?partial=true")
    assert answer.status_code == 200
    report = answer.json()
    assert {**report, "dry_run": True} == tried.json()
    assert (report["written"], report["refused"]) == (2, 1)
    assert [(o["row"], o["outcome"], o["status"]) for o in report["outcomes"]] == [
        (0, "written", 200),
        (1, "refused", 409),
        (2, "written", 200),
    ]
    (error,) = report["outcomes"][1]["errors"]
    assert (error["pointer"], error["code"]) == ("/changes/1/status", "transition_not_allowed")
    assert error["allowed"] == ["pipeline", "not_selected", "withdrawn"]
    assert await status_of(client, first, wrong, last) == ["pipeline", "concept_note", "not_selected"]
    unmoved = await client.get(wrong.headers["location"])
    assert unmoved.headers["etag"] == wrong.headers["etag"]
    assert await reader.fetchval("SELECT count(*) FROM change WHERE key = $1", wrong.json()["code"]) == 3


async def test_a_programme_named_twice_is_stale_the_second_time(client: httpx.AsyncClient) -> None:
    note = await submitted(client)
    rows = [row_of(note, "pipeline"), row_of(note, "not_selected")]
    refused = await batch(client, rows)
    assert [(e["pointer"], e["code"]) for e in refused.json()["errors"]] == [("/changes/1", "precondition_failed")]
    assert await status_of(client, note) == ["concept_note"]
    partial = await batch(client, rows, "?partial=true")
    assert [(o["outcome"], o["status"]) for o in partial.json()["outcomes"]] == [("written", 200), ("refused", 412)]
    assert await status_of(client, note) == ["pipeline"]


async def test_a_batch_of_which_nothing_is_right_writes_nothing(
    client: httpx.AsyncClient, reader: asyncpg.Connection
) -> None:
    note = await submitted(client)
    before = await reader.fetchval("SELECT max(number) FROM revision")
    answer = await batch(client, [row_of(note, "approved")] * 2, "?partial=true")
    assert (answer.status_code, answer.json()["written"], answer.json()["refused"]) == (200, 0, 2)
    assert await reader.fetchval("SELECT max(number) FROM revision") == before


async def test_an_organization_withdraws_its_own_in_a_batch(client: httpx.AsyncClient) -> None:
    mine, other = await submitted(client), await submitted(client)
    theirs = await moved(client, other, "pipeline")
    rows = [row_of(mine, "withdrawn", decision=None), row_of(theirs, "approved")]
    answer = await client.post(f"{BATCH}?partial=true", json={"changes": rows}, headers=writing("agency"))
    assert [(o["outcome"], o["status"]) for o in answer.json()["outcomes"]] == [("written", 200), ("refused", 403)]
    assert await status_of(client, mine, theirs) == ["withdrawn", "pipeline"]
    strange = await client.post(f"{BATCH}?partial=true", json={"changes": rows}, headers=writing("agency", "ILO"))
    assert [o["status"] for o in strange.json()["outcomes"]] == [412, 403]


# --- what is lost at the last moment -------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("last_act", "status", "code"),
    [
        ("RAISE EXCEPTION 'refused at commit'", 500, "internal_error"),
        ("PERFORM pg_terminate_backend(pg_backend_pid())", 503, "unavailable"),
    ],
)
async def test_what_is_not_committed_is_not_told_and_not_remembered(
    new_database: Callable[[str], str], last_act: str, status: int, code: str
) -> None:
    url = new_database("catalog")
    connection = await asyncpg.connect(url)
    # A deferred trigger runs at COMMIT itself, when the answer and its key are written already.
    await connection.execute(
        f"""
        CREATE FUNCTION at_commit() RETURNS trigger LANGUAGE plpgsql AS
        $$ BEGIN IF NEW.code LIKE 'DOOMED%' THEN {last_act}; END IF; RETURN NULL; END $$;
        CREATE CONSTRAINT TRIGGER at_commit AFTER INSERT ON draft DEFERRABLE INITIALLY DEFERRED
        FOR EACH ROW EXECUTE FUNCTION at_commit();
        """
    )
    async with running_app("catalog", url, None) as running:
        before = await state(connection)
        body, headers = new_draft(code="DOOMED-01"), writing("agency")
        lost = await running.client.post(DRAFTS, json=body, headers=headers)
        assert (lost.status_code, lost.json()["code"]) == (status, code)
        assert lost.headers["content-type"] == "application/problem+json"
        assert ("retry-after" in lost.headers) is (status == 503)
        assert await state(connection) == before
        fine = await drafted(running.client)
        assert fine.status_code == 201
        await connection.execute("DROP TRIGGER at_commit ON draft")
        again = await running.client.post(DRAFTS, json=body, headers=headers)
        assert (again.status_code, is_replayed(again)) == (201, False)
        assert await entries(connection, "DOOMED-01") == ["create"]
    await connection.close()
