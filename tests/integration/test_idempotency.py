"""Idempotency keys: a repeated write is answered again and carried out once."""

from __future__ import annotations

import asyncio
import uuid
from collections.abc import Callable

import asyncpg
import httpx
import pytest

from tests.conftest import running_app
from tests.integration.programme_writes import (
    DRAFTS,
    comparable,
    drafted,
    entries,
    is_replayed,
    keys,
    new_draft,
    state,
    with_key,
)
from tests.tokens import bearer, writing

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


async def test_a_retry_gets_the_same_answer_and_is_carried_out_once(
    client: httpx.AsyncClient, reader: asyncpg.Connection
) -> None:
    body, key = new_draft(), str(uuid.uuid4())
    first = await client.post(DRAFTS, json=body, headers=with_key(key))
    assert first.status_code == 201
    assert not is_replayed(first)
    after = await state(reader)
    for sent in (key, f'"{key}"', key):
        again = await client.post(DRAFTS, json=body, headers=with_key(sent))
        assert comparable(again) == comparable(first)
        assert is_replayed(again)
    assert await state(reader) == after
    assert await entries(reader, body["programme_code"]) == ["create"]


async def test_a_retry_gets_the_answer_of_the_first_time(client: httpx.AsyncClient, reader: asyncpg.Connection) -> None:
    body, key = new_draft(title="Café — Straße “quoted”"), str(uuid.uuid4())
    first = await client.post(DRAFTS, json=body, headers=with_key(key))
    path = first.headers["location"]
    amended = await client.patch(path, json={"title": "New"}, headers=writing("agency", match=first.headers["etag"]))
    again = await client.post(DRAFTS, json=body, headers=with_key(key))
    assert comparable(again) == comparable(first)
    assert (await client.get(path, headers=bearer("agency"))).json() == amended.json()
    discarded = await client.delete(path, headers={**bearer("agency"), "if-match": "*"})
    assert discarded.status_code == 204
    assert comparable(await client.post(DRAFTS, json=body, headers=with_key(key))) == comparable(first)
    assert await entries(reader, body["programme_code"]) == ["create", "amend", "delete"]


@pytest.mark.parametrize("query", ["?dry_run=false", "?dry_run=FALSE", "?dry_run=False&_=1700000000"])
async def test_a_retry_is_recognized_however_its_query_is_spelled(
    client: httpx.AsyncClient, reader: asyncpg.Connection, query: str
) -> None:
    draft = await drafted(client)
    path = draft.headers["location"]
    writes = {
        ("POST", DRAFTS): (new_draft(), None),
        ("PATCH", path): ({"title": "Other"}, draft.headers["etag"]),
        ("POST", f"{path}/submission"): (None, "*"),
    }
    for (method, where), (body, match) in writes.items():
        headers = {**with_key(str(uuid.uuid4())), **({"if-match": match} if match else {})}
        first = await client.request(method, where, json=body, headers=headers)
        assert first.status_code in (200, 201), first.text
        after = await state(reader)
        again = await client.request(method, f"{where}{query}", json=body, headers=headers)
        assert comparable(again) == comparable(first)
        assert is_replayed(again)
        assert await state(reader) == after


async def test_a_key_stands_for_one_write(client: httpx.AsyncClient, reader: asyncpg.Connection) -> None:
    body, key = new_draft(), str(uuid.uuid4())
    first = await client.post(DRAFTS, json=body, headers=with_key(key))
    path = first.headers["location"]
    before = await state(reader)
    match = {**with_key(key), "if-match": first.headers["etag"]}
    others = {
        "another body": await client.post(DRAFTS, json=new_draft(), headers=with_key(key)),
        "another member": await client.post(DRAFTS, json={**body, "title": "Other"}, headers=with_key(key)),
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
    assert (again.status_code, again.json()["organization"], is_replayed(again)) == (201, "ILO", False)
    assert again.json()["code"] != mine.json()["code"]
    assert comparable(await client.post(DRAFTS, json=one, headers=with_key(key, sub="one"))) == comparable(mine)


async def test_a_key_of_a_rejected_write_may_be_used_again(
    client: httpx.AsyncClient, reader: asyncpg.Connection
) -> None:
    key, body = str(uuid.uuid4()), new_draft(title="The second")
    taken = {**body, "programme_code": "MKD-01"}
    refused = await client.post(DRAFTS, json=taken, headers=with_key(key))
    assert (refused.status_code, refused.json()["code"]) == (409, "code_taken")
    assert await keys(reader, key) == 0
    written = await client.post(DRAFTS, json=body, headers=with_key(key))
    assert (written.status_code, written.json()["title"]) == (201, "The second")
    assert not is_replayed(written)
    assert is_replayed(await client.post(DRAFTS, json=body, headers=with_key(key)))


async def test_a_key_of_an_invalid_body_may_be_used_again(
    client: httpx.AsyncClient, reader: asyncpg.Connection
) -> None:
    key, body = str(uuid.uuid4()), new_draft(organizations=["IOM", "UNHCR"])
    refused = await client.post(DRAFTS, json=body, headers=with_key(key))
    assert (refused.status_code, refused.json()["code"]) == (422, "unknown_code")
    assert await keys(reader, key) == 0
    listed = {"code": "UNHCR", "name": "Office of the United Nations High Commissioner for Refugees"}
    await client.post("/catalog/v1/organizations", json=listed, headers=writing("management-unit"))
    assert (await client.post(DRAFTS, json=body, headers=with_key(key))).status_code == 201


async def test_a_dry_run_neither_stores_nor_uses_a_key(client: httpx.AsyncClient, reader: asyncpg.Connection) -> None:
    body, key = new_draft(), str(uuid.uuid4())
    tried = await client.post(f"{DRAFTS}?dry_run=true", json=body, headers=with_key(key))
    assert tried.status_code == 201
    assert await keys(reader, key) == 0
    written = await client.post(DRAFTS, json=body, headers=with_key(key))
    assert (written.status_code, is_replayed(written)) == (201, False)
    other = await client.post(f"{DRAFTS}?dry_run=true", json=new_draft(), headers=with_key(key))
    assert (other.status_code, is_replayed(other)) == (201, False)
    same = await client.post(f"{DRAFTS}?dry_run=true", json=body, headers=with_key(key))
    assert (same.status_code, is_replayed(same)) == (201, False)
    assert len({answer.json()["code"] for answer in (tried, written, same)}) == 3


@pytest.mark.parametrize(("age", "known"), [("29 days 23 hours", True), ("30 days 1 second", False)])
async def test_the_answer_of_a_key_is_stored_for_thirty_days(
    client: httpx.AsyncClient, reader: asyncpg.Connection, age: str, known: bool
) -> None:
    body, key = new_draft(), str(uuid.uuid4())
    first = await client.post(DRAFTS, json=body, headers=with_key(key))
    await client.delete(first.headers["location"], headers={**bearer("agency"), "if-match": "*"})
    await reader.execute(f"UPDATE idempotency_key SET at = at - interval '{age}' WHERE key = $1", key)
    again = await client.post(DRAFTS, json=body, headers=with_key(key))
    assert (again.status_code, is_replayed(again)) == (201, known)
    assert (again.headers["etag"] == first.headers["etag"]) is known
    assert await entries(reader, body["programme_code"]) == (
        ["create", "delete"] if known else ["create", "delete", "create"]
    )
    assert await keys(reader, key) == 1


async def test_the_next_write_deletes_keys_that_are_too_old(
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
    assert comparable(again) == comparable(first)
    headers = writing("agency", match=first.headers["etag"])
    gone = [await client.delete(path, headers=headers) for _ in range(2)]
    assert [(a.status_code, a.content, is_replayed(a)) for a in gone] == [(204, b"", False), (204, b"", True)]
    assert await entries(reader, draft.json()["programme_code"]) == ["create", "amend", "delete"]


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
    assert len({comparable(answer) for answer in answers}) == 1
    assert answers[0].status_code == 201
    assert sorted(map(is_replayed, answers)) == [False] + [True] * 19
    assert await entries(reader, body["programme_code"]) == ["create"]
    assert await keys(reader, headers["idempotency-key"]) == 1


async def test_of_parallel_writes_with_one_key_one_is_carried_out(
    client: httpx.AsyncClient, reader: asyncpg.Connection
) -> None:
    bodies, headers = [new_draft() for _ in range(8)], writing("agency")
    answers = await asyncio.gather(*(client.post(DRAFTS, json=body, headers=headers) for body in bodies))
    assert sorted(a.status_code for a in answers) == [201] + [422] * 7
    assert {a.json()["code"] for a in answers if a.status_code == 422} == {"idempotency_key_reused"}
    assert [await entries(reader, body["programme_code"]) for body in bodies].count(["create"]) == 1
    assert [await entries(reader, body["programme_code"]) for body in bodies].count([]) == 7


# --- what is lost at the last moment -------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("last_act", "status", "code"),
    [
        ("RAISE EXCEPTION 'refused at commit'", 500, "internal_error"),
        ("PERFORM pg_terminate_backend(pg_backend_pid())", 503, "unavailable"),
    ],
)
async def test_a_write_that_is_not_committed_is_not_answered_and_not_stored(
    new_database: Callable[[str], str], last_act: str, status: int, code: str
) -> None:
    url = new_database("catalog")
    connection = await asyncpg.connect(url)
    # A deferred trigger runs at COMMIT itself, when the answer and its key are written already.
    await connection.execute(
        f"""
        CREATE FUNCTION at_commit() RETURNS trigger LANGUAGE plpgsql AS
        $$ BEGIN IF NEW.record->>'title' LIKE 'DOOMED%' THEN {last_act}; END IF; RETURN NULL; END $$;
        CREATE CONSTRAINT TRIGGER at_commit AFTER INSERT ON draft DEFERRABLE INITIALLY DEFERRED
        FOR EACH ROW EXECUTE FUNCTION at_commit();
        """
    )
    async with running_app("catalog", url, None) as running:
        before = await state(connection)
        body, headers = new_draft(title="DOOMED", programme_code="DOOMED-01"), writing("agency")
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
