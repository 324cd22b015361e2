"""The journal of drafts: nothing public moves when drafts are written, and nobody sees when others write theirs."""

from __future__ import annotations

import asyncio
import json
import re
import time
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field
from typing import Any

import asyncpg
import httpx
import pytest
import sqlalchemy as sa

from mmptf_catalog.programmes.examples import DRAFT
from mmptf_common.storage import migrations
from mmptf_common.storage.journal import Author, begin_write
from mmptf_common.storage.writing import writing as transaction
from mmptf_common.writes import drafts
from tests.conftest import RunningApp, running_app
from tests.contract.contracts import AT_SERVICES, Operation
from tests.integration.marked import ILO, IOM, Markers, Who, answers, errors, programme
from tests.integration.older_schema import migrate_to
from tests.integration.programme_writes import state
from tests.tokens import bearer, writing

Sent = dict[str, Any]
# What passes with time, or belongs to one request.
PASSING = {"date", "x-request-id"}
CODE = re.compile(r"D-[0-9A-HJKMNP-TV-Z]{8}")


@dataclass(frozen=True)
class Drafting:
    """A service, and what begins and changes a draft there.

    elsewhere: what is otherwise in a draft that the ILO begins, so that the IOM has no part in it
    """

    running: RunningApp
    begun: Sent
    amendment: Sent
    elsewhere: Sent = field(default_factory=dict)

    @property
    def path(self) -> str:
        return f"/{self.running.name}/v1/drafts"

    async def begin(self, who: Who = IOM, **members: Any) -> httpx.Response:
        headers = writing(who.client, who.organization)
        begun = {**self.begun, **(self.elsewhere if who == ILO else {}), **members}
        answer = await self.running.client.post(self.path, json=begun, headers=headers)
        assert answer.status_code == 201, answer.text
        return answer

    async def change(self, method: str, draft: httpx.Response, who: Who = IOM, rest: str = "") -> httpx.Response:
        headers = writing(who.client, who.organization, match="*")
        sent = self.amendment if method == "PATCH" else None
        path = f"{draft.headers['location']}{rest}"
        answer = await self.running.client.request(method, path, json=sent, headers=headers)
        assert answer.status_code < 300, answer.text
        return answer

    async def get(self, path: str, who: Who | None = IOM, **headers: str) -> httpx.Response:
        token = bearer(who.client, who.organization) if who else {}
        return await self.running.client.get(path, headers={**token, **headers})


@pytest.fixture(scope="module", params=["catalog", "markers"])
async def drafting(request: pytest.FixtureRequest, new_database: Callable[[str], str]) -> AsyncIterator[Drafting]:
    async with running_app(request.param, new_database(request.param), None) as running:
        if running.name == "catalog":
            yield Drafting(running, DRAFT, {"title": "Another title"})
            return
        markers = Markers(running)
        await markers.copy(programme("MARK-A", organizations=[]), programme("MARK-B", organizations=[]))
        await markers.copy(programme("MARK-C", lead_organization="ILO", organizations=[]))
        dated = {"programme": "MARK-A", "stage": "programme_document", "document_date": "2022-06-30"}
        begun = {**dated, "answers": answers(3)}
        # Something public, so that lists are not empty.
        await markers.submitted("MARK-A", stage="concept_note")
        yield Drafting(running, begun, {"declared_grade": "A"}, {"programme": "MARK-C"})


# --- the public ----------------------------------------------------------------------------------------------------


async def public_answers(drafting: Drafting) -> dict[str, Any]:
    """Every answer that is no draft's, with its headers: to anybody, and of the audit."""
    found: dict[str, Any] = {}
    for operation in AT_SERVICES:
        if operation.api == drafting.running.name and operation.is_read and operation.is_open:
            for query in queries(operation):
                found[f"{operation.path}{query}"] = await answer_of(drafting, f"{operation.path}{query}", None)
    audit = f"/{drafting.running.name}/v1/audit?limit=1000"
    found[audit] = await answer_of(drafting, audit, Who("admin"))
    assert sum(answer[0] == 200 for answer in found.values()) > 40, {path: a[0] for path, a in found.items()}
    return found


def queries(operation: Operation) -> list[str]:
    if operation.is_list:
        return ["", "?limit=1000&sort=-updated", "?format=csv", "?format=ndjson", "?as_of=1"]
    return ["", "?after=1&limit=1000"] if "after" in operation.query else [""]


async def answer_of(drafting: Drafting, path: str, who: Who | None) -> tuple[int, dict[str, str], bytes]:
    answer = await drafting.get(path, who)
    headers = {name: text for name, text in answer.headers.items() if name not in PASSING}
    body = re.sub(rb'"request_id":"[^"]*"|"age_seconds":[0-9]+', b"", answer.content)
    return answer.status_code, headers, body


async def next_code(drafting: Drafting) -> Any:
    """The code that the next assessment would get; None for programmes, which organizations name."""
    if drafting.running.name == "catalog":
        return None
    sent = {
        "programme": "MARK-A", "marker": "human_rights", "stage": "final_report", "grade": "B", "date": "2022-06-30",
        "organization": "IOM", "source": "A page",
    }  # fmt: skip
    declared = await drafting.running.client.post(
        "/markers/v1/declarations?dry_run=true", json=sent, headers=writing("management-unit")
    )
    return declared.json()["code"]


async def test_nothing_that_is_public_moves_when_drafts_are_written(drafting: Drafting) -> None:
    before, code = await public_answers(drafting), await next_code(drafting)
    first, second = await drafting.begin(), await drafting.begin(ILO)
    assert await public_answers(drafting) == before
    for draft, who in ((first, IOM), (second, ILO)):
        await drafting.change("PATCH", draft, who)
    assert await public_answers(drafting) == before
    for draft, who in ((first, IOM), (second, ILO)):
        await drafting.change("DELETE", draft, who)
    after = await public_answers(drafting)
    assert after == before
    assert await next_code(drafting) == code
    for path, (status, headers, _) in before.items():
        if status == 200 and "etag" in headers:
            again = await drafting.get(path, None, **{"if-none-match": headers["etag"]})
            assert again.status_code == 304, path


async def test_a_draft_wakes_nobody_who_waits_for_a_change(drafting: Drafting) -> None:
    feed = f"/{drafting.running.name}/v1/changes"
    last = (await drafting.get(f"{feed}?limit=1000", None)).json()["revision"]
    began = time.monotonic()
    waiting = asyncio.create_task(drafting.get(f"{feed}?after={last}&wait=2", None))
    await asyncio.sleep(0.3)
    draft = await drafting.begin()
    await drafting.change("DELETE", draft)
    page = (await waiting).json()
    assert time.monotonic() - began > 2
    assert (page["items"], page["last"], page["revision"]) == ([], last, last)


# --- a submission --------------------------------------------------------------------------------------------------


async def test_a_submission_is_one_write_of_both_journals(drafting: Drafting) -> None:
    name = drafting.running.name
    status = await drafting.get(f"/{name}/v1/status", None)
    other = {"programme_code": "KEN-UGA-09"} if name == "catalog" else {"programme": "MARK-B"}
    draft = await drafting.begin(**other)
    submitted = await drafting.change("POST", draft, rest="/submission")
    drafted = (await drafting.get(f"/{name}/v1/audit/drafts?limit=1000", Who("admin"))).json()
    after = status.json()["revision"]
    public = (await drafting.get(f"/{name}/v1/audit?after={after}", Who("admin"))).json()
    created, *others = public["items"]
    assert [each["entity"] for each in others] == ([] if name == "catalog" else ["restricted_content"])
    assert (created["seq"], created["action"], created["reason"]) == (after + 1, "create", "submitted")
    ended = drafted["items"][-1]
    code = submitted.json()["code"]
    assert (ended["key"], ended["action"]) == (draft.json()["code"], "delete")
    assert ended["reason"] == f"submitted as {code}"
    assert (created["key"], created["entity"]) == (code, "programme" if name == "catalog" else "assessment")
    for member in ("at", "request_id", "actor"):
        assert ended[member] == created[member]
    # Page by page the audit of drafts is the same.
    pages, after = [], 0
    while True:
        page = (await drafting.get(f"/{name}/v1/audit/drafts?after={after}&limit=2", Who("admin"))).json()
        assert page["next"] == f"/{name}/v1/audit/drafts?after={page['last']}&limit=2"
        pages += page["items"]
        after = page["last"]
        if not page["more"]:
            break
    assert pages == drafted["items"]
    assert after == page["revision"] == drafted["revision"]
    beyond = await drafting.get(f"/{name}/v1/audit/drafts?after={after + 1}", Who("admin"))
    assert (beyond.status_code, beyond.json()["code"]) == (409, "beyond_last_change")


@pytest.mark.parametrize("service", ["catalog", "markers"])
@pytest.mark.parametrize("table", ["revision", "draft_revision"])
@pytest.mark.parametrize(
    ("last_act", "status"),
    [
        ("RAISE EXCEPTION 'refused at commit'", 500),
        ("PERFORM pg_terminate_backend(pg_backend_pid())", 503),
    ],
)
async def test_a_submission_that_is_not_committed_is_in_neither_journal(
    new_database: Callable[[str], str], service: str, table: str, last_act: str, status: int
) -> None:
    url = new_database(service)
    connection = await asyncpg.connect(url)
    async with running_app(service, url, None) as running:
        assessment = {"programme": "MARK-A", "stage": "concept_note", "document_date": "2022-01-15"}
        begun = DRAFT if service == "catalog" else assessment
        if service == "markers":
            await Markers(running).copy(programme("MARK-A"))
            begun = {**begun, "answers": answers(3, "concept_note")}
        it = Drafting(running, begun, {})
        draft = await it.begin()
        # A deferred trigger runs at COMMIT itself, when both journals are written.
        await connection.execute(
            f"""
            CREATE FUNCTION at_commit() RETURNS trigger LANGUAGE plpgsql AS
            $$ BEGIN {last_act}; RETURN NULL; END $$;
            CREATE CONSTRAINT TRIGGER at_commit AFTER INSERT ON {table} DEFERRABLE INITIALLY DEFERRED
            FOR EACH ROW EXECUTE FUNCTION at_commit();
            """
        )
        before = await state(connection)
        headers = writing("agency", match="*")
        path = f"{draft.headers['location']}/submission"
        lost = await running.client.post(path, headers=headers)
        assert lost.status_code == status
        assert await state(connection) == before
        assert (await it.get(draft.headers["location"])).content == draft.content
        await connection.execute(f"DROP TRIGGER at_commit ON {table}")
        again = await running.client.post(path, headers=headers)
        assert again.status_code == 201, again.text
        ended = (
            "SELECT action, owner FROM draft_change JOIN draft_revision ON seq BETWEEN first AND number ORDER BY seq"
        )
        owner = {"catalog": "IOM", "markers": "MARK-A"}[service]
        assert [tuple(row) for row in await connection.fetch(ended)] == [("create", owner), ("delete", owner)]
    await connection.close()


# --- other organizations -------------------------------------------------------------------------------------------


async def test_what_an_organization_sees_of_its_drafts_does_not_move_with_those_of_others(drafting: Drafting) -> None:
    mine = await drafting.begin(ILO)
    lists = [f"{drafting.path}{query}" for query in ("", "?format=csv", "?format=ndjson", "?sort=-updated", "?as_of=9")]
    paths = [*lists, mine.headers["location"], f"{mine.headers['location']}/history"]
    before = {path: await answer_of(drafting, path, ILO) for path in paths}
    theirs = await drafting.begin()
    await drafting.change("PATCH", theirs)
    await drafting.change("DELETE", theirs)
    assert {path: await answer_of(drafting, path, ILO) for path in paths} == before
    page = (await drafting.get(drafting.path, ILO)).json()
    history = (await drafting.get(f"{mine.headers['location']}/history", ILO)).json()
    newest = history["items"][-1]["seq"]
    assert page["revision"] == history["revision"] == history["last"] == newest
    everything = (await drafting.get(f"/{drafting.running.name}/v1/audit/drafts", Who("admin"))).json()
    assert everything["revision"] > newest
    for asked, where in ((everything["revision"], drafting.path), (newest + 1, mine.headers["location"])):
        unknown = await drafting.get(f"{where}?as_of={asked}", ILO)
        assert unknown.status_code == 422
        assert unknown.json()["errors"][0]["allowed"] == [f"0 to {newest}"]
    assert (await drafting.get(drafting.path, Who("admin"))).json()["revision"] == everything["revision"]
    await drafting.change("DELETE", mine, ILO)


async def test_drafts_are_read_as_they_were(drafting: Drafting) -> None:
    draft = await drafting.begin(ILO)
    path = draft.headers["location"]
    amended = await drafting.change("PATCH", draft, ILO)
    await drafting.change("DELETE", draft, ILO)
    made, changed, gone = (await drafting.get(f"{path}/history", ILO)).json()["items"]
    # The last number of each is that before the next write.
    for entry, expected, last in ((made, draft, changed["seq"] - 1), (changed, amended, gone["seq"] - 1)):
        for as_of in (entry["seq"], entry["revision"], entry["at"], last):
            found = await drafting.get(f"{path}?as_of={as_of}", ILO)
            assert (found.status_code, found.content) == (200, expected.content), as_of
        page = (await drafting.get(f"{drafting.path}?as_of={entry['seq']}", ILO)).json()
        assert (page["items"], page["total"], page["revision"]) == ([expected.json()], 1, entry["revision"])
    for as_of in (made["seq"] - 1, gone["seq"], 0):
        assert (await drafting.get(f"{path}?as_of={as_of}", ILO)).status_code == 404
    # The number of a public revision says nothing of drafts.
    assert (await drafting.get(f"{drafting.path}?as_of=3", ILO)).json()["items"] == []


async def test_a_code_is_random_and_never_given_twice(drafting: Drafting, monkeypatch: pytest.MonkeyPatch) -> None:
    first = await drafting.begin(ILO)
    code = first.json()["code"]
    assert CODE.fullmatch(code)
    await drafting.change("DELETE", first, ILO)
    given = iter([code, code, "D-00000001"])
    monkeypatch.setattr(drafts, "random_code", lambda: next(given))
    second = await drafting.begin()
    assert second.json()["code"] == "D-00000001"
    await drafting.change("DELETE", second)


async def test_a_code_in_another_case_leads_to_the_draft(drafting: Drafting) -> None:
    draft = await drafting.begin(ILO)
    path = draft.headers["location"]
    in_small = f"{drafting.path}/{draft.json()['code'].lower()}"
    moved = await drafting.get(in_small, ILO)
    assert (moved.status_code, moved.headers["location"]) == (308, path)
    assert (moved.headers["cache-control"], moved.headers["vary"]) == ("private, no-cache", "Authorization")
    assert (await drafting.get(in_small)).status_code == 404
    await drafting.change("DELETE", draft, ILO)


# --- numbers -------------------------------------------------------------------------------------------------------


async def test_writes_of_one_millisecond_have_numbers_that_follow_one_another(drafting: Drafting) -> None:
    """Also several writes of one transaction, and one with several changes."""
    columns = {
        "catalog": ("organization, words", "'IOM', '{}'"),
        "markers": ("organization, programme, stage", "'IOM', 'MARK-A', 'concept_note'"),
    }
    names, values = columns[drafting.running.name]
    async with transaction(drafting.running.app.state.database) as session:
        for n in range(3):
            await begin_write(session, Author("test"), f"write {n}", drafts=True)
            for k in range(2):
                await session.execute(
                    sa.text(
                        f"INSERT INTO draft (code, updated, record, {names}) VALUES (:code, now(), :record, {values})"
                    ),
                    {"code": f"MANY-{n}{k}", "record": json.dumps({"code": f"MANY-{n}{k}", "organization": "IOM"})},
                )
    connection = await asyncpg.connect(drafting.running.database_url)
    try:
        rows = await connection.fetch(
            "SELECT first, number, at, (SELECT array_agg(seq ORDER BY seq) FROM draft_change"
            " WHERE seq BETWEEN first AND number) AS seqs FROM draft_revision ORDER BY number DESC LIMIT 3"
        )
        for row in rows:
            assert row["seqs"] == [row["first"], row["number"]]
            assert row["number"] == row["first"] + 1
        third, second, first = rows
        assert first["number"] < second["first"]
        assert second["number"] < third["first"]
        assert first["first"] == int(first["at"].timestamp() * 1000)
        # As when the clock was set back: the next write is later than the last one, by number and moment.
        await connection.execute(
            "UPDATE draft_revision SET at = at + interval '1 hour' WHERE first = $1", third["first"]
        )
        draft = await drafting.begin()
        newest = await connection.fetchrow("SELECT * FROM draft_revision ORDER BY number DESC LIMIT 1")
        assert (newest["at"] - third["at"]).total_seconds() > 3600
        assert newest["first"] >= third["number"] + 3_599_000
        await drafting.change("DELETE", draft)
        async with transaction(drafting.running.app.state.database) as session:
            await begin_write(session, Author("test"))
            with pytest.raises(sa.exc.DBAPIError, match="outside a write"):
                await session.execute(sa.text("DELETE FROM draft WHERE code LIKE 'MANY-%'"))
    finally:
        await connection.close()


# --- databases of before -------------------------------------------------------------------------------------------

BEGIN = (
    "SELECT set_config('mmptf.first', first::text, true), set_config('mmptf.write', json_build_object('at', at,"
    " 'actor', '{actor}', 'organization', '{organization}', 'reason', '{reason}', 'request_id', 'request-1')::text,"
    " true) FROM (SELECT greatest(clock_timestamp(), (SELECT max(at) FROM revision) + interval '1 microsecond') AS at,"
    " (SELECT coalesce(max(seq), 0) + 1 FROM change) AS first) AS next"
)


@dataclass
class Before:
    """A database of the version before, and what its journal had."""

    url: str
    connection: asyncpg.Connection

    async def write(self, organization: str, reason: str, *statements: str) -> None:
        async with self.connection.transaction():
            begin = BEGIN.format(actor=f"{organization} officer", organization=organization, reason=reason)
            await self.connection.execute(begin)
            for statement in statements:
                await self.connection.execute(statement)

    async def journal(self) -> list[Any]:
        changes = await self.connection.fetch("SELECT *, before::text, after::text FROM change ORDER BY seq")
        return [*changes, *await self.connection.fetch("SELECT * FROM revision ORDER BY number")]


@pytest.fixture
async def before(
    request: pytest.FixtureRequest, postgres: Any, new_database: Callable[[str], str]
) -> AsyncIterator[Before]:
    service, version = request.param
    url = postgres.create_database(f"{service}_with_drafts")
    await migrate_to(url, service, version)
    connection = await asyncpg.connect(url)
    yield Before(url, connection)
    await connection.close()
    postgres.drop_database(f"{service}_with_drafts")


def draft_record(code: str, organization: str, title: str | None) -> str:
    content: Sent = {name: None for name in ("title", "summary", "thematic_area", "duration", "budget")}
    lists: Sent = {name: [] for name in ("objectives", "places", "organizations", "budget_lines")}
    moment = "2026-01-01T00:00:00Z"
    record = {"code": code, "organization": organization, **content, **lists, "title": title, "updated": moment}
    return json.dumps(record)


def listed(code: str) -> str:
    record = json.dumps({"code": code, "name": code, "kind": "un_organization", "updated": "2026-01-01T00:00:00Z"})
    return f"INSERT INTO organization (code, name, updated, record) VALUES ('{code}', '{code}', now(), '{record}')"


def drafted(code: str, organization: str, title: str) -> str:
    return (
        "INSERT INTO draft (code, organization, words, updated, record) VALUES"
        f" ('{code}', '{organization}', '{{}}', '2026-01-01', '{draft_record(code, organization, title)}')"
    )


@pytest.mark.parametrize("before", [("catalog", "catalog_0012")], indirect=True)
async def test_drafts_of_programmes_of_before_are_read_and_go_on(before: Before) -> None:
    await before.write("seed", "listed", listed("IOM"), listed("ILO"))
    await before.write("IOM", "drafted", drafted("KEN-01", "IOM", "First"))
    amended = draft_record("KEN-01", "IOM", "Second")
    await before.write("IOM", "amended", f"UPDATE draft SET record = '{amended}' WHERE code = 'KEN-01'")
    # Discarded, and another organization took the code.
    await before.write("IOM", "discarded", "DELETE FROM draft WHERE code = 'KEN-01'")
    await before.write("ILO", "drafted", drafted("KEN-01", "ILO", "Theirs"))
    await before.write("IOM", "drafted", drafted("UGA-01", "IOM", "Ours"))
    await before.write("seed", "listed", listed("WHO"))
    journal = await before.journal()
    assert [row["seq"] for row in journal if "seq" in row and row["entity"] == "draft"] == [3, 4, 5, 6, 7]
    await migrations.migrate(before.url, "mmptf_catalog")
    assert await before.journal() == journal
    async with running_app("catalog", before.url, None) as running:
        it = Drafting(running, DRAFT, {"title": "Third"})
        feed = (await it.get("/catalog/v1/changes", None)).json()
        assert [(item["seq"], item["key"]) for item in feed["items"]] == [(1, "IOM"), (2, "ILO"), (8, "WHO")]
        assert feed["revision"] == 8
        audit = (await it.get("/catalog/v1/audit", Who("admin"))).json()["items"]
        assert [item["seq"] for item in audit] == [1, 2, 8]
        audit = (await it.get("/catalog/v1/audit/drafts", Who("admin"))).json()["items"]
        assert [(item["seq"], item["actor"]) for item in audit] == [
            (3, "IOM officer"), (4, "IOM officer"), (5, "IOM officer"), (6, "ILO officer"), (7, "IOM officer"),
        ]  # fmt: skip
        # Each organization reads its own history, under the numbers of before.
        path = f"{it.path}/KEN-01/history"
        ours = (await it.get(path)).json()
        seen = [(i["seq"], i["revision"], i["reason"], (i["after"] or i["before"])["title"]) for i in ours["items"]]
        assert seen == [(3, 3, "drafted", "First"), (4, 4, "amended", "Second"), (5, 5, "discarded", "Second")]
        assert (ours["last"], ours["revision"]) == (7, 7)
        theirs = (await it.get(path, ILO)).json()
        assert [(i["seq"], i["after"]["title"]) for i in theirs["items"]] == [(6, "Theirs")]
        # As of a number that another write had, what was there then.
        for as_of, titles in ((2, []), (3, ["First"]), (4, ["Second"]), (5, []), (6, []), (7, ["Ours"])):
            page = (await it.get(f"{it.path}?as_of={as_of}")).json()
            assert [draft["title"] for draft in page["items"]] == titles, as_of
        # The draft has its code still, and proposes it for its programme.
        (draft,) = (await it.get(it.path)).json()["items"]
        assert (draft["code"], draft["programme_code"], draft["title"]) == ("UGA-01", "UGA-01", "Ours")
        one = await it.get(f"{it.path}/UGA-01")
        assert (one.json(), one.headers["etag"].split("-")[0]) == (draft, '"7')
        rows = (await it.get(f"{it.path}?format=csv&fields=code,programme_code")).text
        assert rows == "code,programme_code\nUGA-01,UGA-01\n"
        assert (await it.get(f"{it.path}/UGA-01?as_of=7")).json() == draft
        amended_now = await it.change("PATCH", httpx.Response(200, headers={"location": f"{it.path}/UGA-01"}))
        assert amended_now.json() == {**draft, "title": "Third", "updated": amended_now.json()["updated"]}
        newest = (await it.get(f"{it.path}/UGA-01/history")).json()["items"][-1]
        assert newest["seq"] > 1_700_000_000_000
        assert newest["changed"] == ["title"]
        assert (await it.get("/catalog/v1/changes", None)).json() == feed
        # What another organization proposes is free as long as it is no programme.
        sent = {"programme_code": "KEN-01", "title": "Again"}
        again = await running.client.post(it.path, json=sent, headers=writing("agency", "IOM"))
        assert again.status_code == 201, again.text
        assert CODE.fullmatch(again.json()["code"])


@pytest.mark.parametrize("before", [("markers", "markers_0015")], indirect=True)
async def test_drafts_of_assessments_of_before_are_read_and_submitted(
    before: Before, new_database: Callable[[str], str]
) -> None:
    """With a draft that a service of today has made, so that it is complete."""
    async with running_app("markers", new_database("markers"), None) as running:
        markers = Markers(running)
        await markers.copy(programme("MARK-A"), programme("MARK-B"))
        made = [(await markers.draft(code, answers=answers(3))).json() for code in ("MARK-A", "MARK-B")]
        for draft in made:
            draft.pop("document_date", None)
        records = [json.dumps({**draft, "code": f"A-{n:06}"}).replace("'", "''") for n, draft in enumerate(made, 1)]
        submitted = await markers.submitted("MARK-A", stage="concept_note")
        stored = {**submitted.json(), "code": "A-000003"}
        for name in ("document_date", "assessed_on", "positions"):
            del stored[name]
        assessment = json.dumps(stored).replace("'", "''")
        connection = await asyncpg.connect(running.database_url)
        copied = await connection.fetch("SELECT * FROM programme")
        rubrics = await connection.fetch("SELECT * FROM rubric")
        await connection.close()

    def insert(table: str, row: asyncpg.Record) -> str:
        members = {**row, "record": json.loads(row["record"])}
        columns = ", ".join(name for name in members if name not in ("revised", "superseded", "lead_organization"))
        text = json.dumps(members, default=str).replace("'", "''")
        return f"INSERT INTO {table} ({columns}) SELECT {columns} FROM json_populate_record(NULL::{table}, '{text}')"

    await before.write(
        "seed",
        "copied",
        *(insert("rubric", row) for row in rubrics),
        *(insert("programme", row) for row in copied),
    )
    start = len(rubrics) + len(copied)
    new_draft = "INSERT INTO draft (code, organization, programme, stage, updated, record) VALUES"
    for n, record in enumerate(records, 1):
        await before.write(
            "IOM", "drafted", f"{new_draft} ('A-{n:06}', 'IOM', 'MARK-{'AB'[n - 1]}', 'programme_document', now(),"
            f" '{record}')",
        )  # fmt: skip
    third = records[0].replace("A-000001", "A-000003")
    await before.write("IOM", "drafted", f"{new_draft} ('A-000003', 'IOM', 'MARK-A', 'concept_note', now(), '{third}')")
    rubric = submitted.json()["rubric"]
    await before.write(
        "IOM",
        "submitted",
        "DELETE FROM draft WHERE code = 'A-000003'",
        "INSERT INTO assessment (code, programme, marker, stage, version, organization, rubric, status, grade, updated,"
        f" record) VALUES ('A-000003', 'MARK-A', 'human_rights', 'concept_note', 1, 'IOM',"
        f" '{rubric['code']}.{rubric['version']}', 'submitted', 'A', now(), '{assessment}')",
    )
    journal = await before.journal()
    await migrations.migrate(before.url, "mmptf_markers")
    # But for the assessments, of which evidence and due diligence are restricted since, by a write of the migration.
    last = max(row.get("seq", 0) for row in journal)
    journals = [
        [row for row in rows if row.get("entity") != "assessment" and row.get("seq", row.get("number")) <= last]
        for rows in (journal, await before.journal())
    ]
    assert journals[0] == journals[1]
    async with running_app("markers", before.url, None) as running:
        markers = Markers(running)
        history = (await markers.get("/markers/v1/drafts/A-000003/history", IOM))["items"]
        # The submission was one write: its number is that of its last change, the assessment.
        expected = [(start + 3, start + 3, "create"), (start + 4, start + 5, "delete")]
        assert [(item["seq"], item["revision"], item["action"]) for item in history] == expected
        page = await markers.get("/markers/v1/drafts", IOM)
        assert [draft["code"] for draft in page["items"]] == ["A-000001", "A-000002"]
        # Whoever wrote the draft does not review it, whichever code it has now.
        path = "/markers/v1/assessments/A-000003"
        before_dates = await markers.get(path)
        assert (before_dates["document_date"], before_dates["assessed_on"]) == (None, before_dates["submitted"])
        author = Who("reviewer", "OHCHR", "IOM officer", "markers:assess markers:review")
        review = {"decision": "accept", "comment": "Read."}
        assert (await markers.send("POST", f"{path}/review", author, review, match="*")).status_code == 403
        other = Who("reviewer")
        claim = {"interest": "None at all."}
        assert (await markers.send("POST", f"{path}/claim", other, claim)).status_code == 201
        assert (await markers.send("POST", f"{path}/review", other, review, match="*")).status_code == 200
        # Its submission has the next code of an assessment.
        status = await markers.revision()
        draft = "/markers/v1/drafts/A-000002"
        assert (await markers.get(draft, IOM))["document_date"] is None
        asked = await markers.send("POST", f"{draft}/submission", IOM, match="*")
        assert errors(asked) == [("missing_member", "/document_date")]
        await markers.send("PATCH", draft, IOM, {"document_date": "2021-12-01"}, match="*")
        done = await markers.send("POST", f"{draft}/submission", IOM, match="*")
        assert (done.status_code, done.json()["code"]) == (201, "A-000004"), done.text
        assert (done.json()["assessed_on"], done.json()["document_date"]) == ("2021-12-01", "2021-12-01")
        assert await markers.revision() == status + 2
        refused = await markers.send(
            "POST", "/markers/v1/assessments/A-000004/review", author, review, match=done.headers["etag"]
        )
        assert refused.status_code == 403
        begun = await markers.draft("MARK-B", stage="concept_note")
        assert CODE.fullmatch(begun.json()["code"])
