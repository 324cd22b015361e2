"""Erasure of a person: a pseudonym stands in every place where the subject stood, and nothing else has changed."""

from __future__ import annotations

import asyncio
import re
import uuid
from collections.abc import Callable
from typing import Any

import asyncpg
import pytest

from mmptf_catalog.programmes.examples import DRAFT
from mmptf_common import cli
from tests.conftest import RunningApp, running_app, service_of, serving_url
from tests.integration.marked import FUND, Markers, Who, at, made
from tests.tokens import bearer, writing

ORGANIZATIONS = "/catalog/v1/organizations"
SUBJECT, LIKE_IT = "jane.doe@example.org", "jane.doe@example.org.uk"
WITHOUT_PEOPLE = "SELECT first, number, at, organization, reason, request_id FROM revision ORDER BY first"


def writing_as(subject: str, client: str = "management-unit") -> dict[str, str]:
    return {**bearer(client, sub=subject), "idempotency-key": str(uuid.uuid4())}


async def fetch(url: str, query: str) -> list[tuple[Any, ...]]:
    connection = await asyncpg.connect(url)
    try:
        return [tuple(row) for row in await connection.fetch(query)]
    finally:
        await connection.close()


async def rows_of(url: str) -> dict[str, list[str]]:
    """Every row of every table as a text."""
    tables = "SELECT relname FROM pg_class WHERE relnamespace = 'public'::regnamespace AND relkind = 'r'"
    return {
        name: sorted(str(row) for (row,) in await fetch(url, f"SELECT t::text FROM {name} AS t"))
        for (name,) in await fetch(url, tables)
    }


@pytest.fixture
def erase(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Callable[..., Any]:
    """Run the verb as the owner of the tables; returns its exit code and what it printed."""

    async def run(running: RunningApp, subject: str, *, as_owner: bool = True) -> tuple[int, str]:
        monkeypatch.setenv("DATABASE_URL", serving_url(running.database_url))
        if as_owner:
            monkeypatch.setenv("MIGRATION_DATABASE_URL", running.database_url)
        code = await asyncio.to_thread(cli.main, service_of(running.name), ["erase-subject", subject])
        printed = capsys.readouterr()
        return code, printed.out + printed.err

    return run


async def test_a_subject_is_replaced_everywhere_and_all_else_stays(
    new_database: Callable[[str], str], erase: Callable[..., Any]
) -> None:
    async with running_app("catalog", new_database("catalog"), None) as running:
        url, client = running.database_url, running.client
        for n, subject in enumerate((SUBJECT, LIKE_IT, SUBJECT)):
            sent = {"code": f"NEW-{n}", "name": f"New {n}"}
            assert (await client.post(ORGANIZATIONS, json=sent, headers=writing_as(subject))).status_code == 201
        before, journal = await rows_of(url), await fetch(url, WITHOUT_PEOPLE)
        read = await client.get(f"{ORGANIZATIONS}/NEW-0")
        assert any(SUBJECT in row for rows in before.values() for row in rows)

        code, printed = await erase(running, SUBJECT)
        assert code == 0
        found = re.fullmatch(r"catalog: (erased-[0-9a-f]{16}) has 2 writes and 2 stored answers\n", printed)
        assert found is not None, printed
        pseudonym = found[1]
        after = await rows_of(url)
        assert await fetch(url, WITHOUT_PEOPLE) == journal
        changed = {name for name in after if after[name] != before[name]}
        assert changed == {"revision", "idempotency_key", "erasure"}
        assert not any(re.search(rf"{re.escape(SUBJECT)}(?!\.uk)", row) for rows in after.values() for row in rows)
        for name in ("revision", "idempotency_key"):
            replaced = sorted(re.sub(rf"{re.escape(SUBJECT)}(?!\.uk)", pseudonym, row) for row in before[name])
            assert after[name] == replaced
        assert await fetch(url, "SELECT pseudonym, writes, answers FROM erasure") == [(pseudonym, 2, 2)]
        # What was read before is the same, and so is its tag.
        again = await client.get(f"{ORGANIZATIONS}/NEW-0", headers={"if-none-match": read.headers["etag"]})
        assert again.status_code == 304
        audit = (await client.get("/catalog/v1/audit?limit=1000", headers=bearer("admin"))).json()["items"]
        assert [item["actor"] for item in audit[-3:]] == [pseudonym, LIKE_IT, pseudonym]
        assert await erase(running, SUBJECT) == (0, "catalog: nothing is held of this subject\n")
        assert await rows_of(url) == after


async def test_the_author_of_an_assessment_is_erased_and_it_can_be_reviewed(
    marker_service: Markers, erase: Callable[..., Any]
) -> None:
    """Its journal goes on, and so does every record."""
    submitted = await marker_service.submitted(await marker_service.copied())
    running = marker_service.running
    code, printed = await erase(running, "iom-officer")
    clients = {row[0] for row in await fetch(running.database_url, "SELECT DISTINCT actor FROM revision")}
    assert code == 0, printed
    assert "iom-officer" not in clients
    assert (await marker_service.reviewed(submitted)).json()["status"] == "accepted"


async def test_nobody_finds_the_reviews_of_a_reviewer_who_was_erased(
    marker_service: Markers, erase: Callable[..., Any]
) -> None:
    reviewer, asked = (Who("reviewer", "OHCHR", subject) for subject in (SUBJECT, LIKE_IT))
    submitted = await marker_service.submitted(await marker_service.copied())
    made(await marker_service.claim(submitted, reviewer))
    (review,) = (await marker_service.get("/markers/v1/reviews", reviewer))["items"]
    # Who was only asked has written nothing, and is named in a review, too.
    other = await marker_service.submitted(await marker_service.copied())
    sent = {"reviewer": LIKE_IT, "organization": "OHCHR"}
    made(await marker_service.send("POST", f"{at(other)}/reviewers", FUND, sent))
    url = marker_service.running.database_url
    for subject, said in ((SUBJECT, "1 writes and 1 stored answers"), (LIKE_IT, "0 writes and 0 stored answers")):
        code, printed = await erase(marker_service.running, subject)
        assert code == 0
        found = re.fullmatch(rf"markers: (erased-[0-9a-f]{{16}}) has {said}\n", printed)
        assert found is not None, printed
        assert await fetch(url, f"SELECT count(*) FROM pseudonym WHERE subject = '{found[1]}'") == [(1,)]
    assert not any(re.search(re.escape(SUBJECT), row) for rows in (await rows_of(url)).values() for row in rows)
    # The record is the same; whoever comes back is another person.
    kept = await marker_service.get(f"/markers/v1/reviews/{review['code']}", FUND)
    assert kept == review
    for who in (reviewer, asked):
        assert (await marker_service.get("/markers/v1/reviews", who))["items"] == []
    assert (await marker_service.decide(submitted, reviewer)).json()["code"] == "not_claimed"


async def test_a_subject_is_replaced_in_the_journal_of_drafts_too(
    new_database: Callable[[str], str], erase: Callable[..., Any]
) -> None:
    async with running_app("catalog", new_database("catalog"), None) as running:
        url, client = running.database_url, running.client
        who = writing_as(SUBJECT, "agency")
        draft = await client.post("/catalog/v1/drafts", json=DRAFT, headers=who)
        assert draft.status_code == 201, draft.text
        path = draft.headers["location"]
        match = {**bearer("agency", sub=LIKE_IT), "if-match": "*"}
        assert (await client.patch(path, json={"title": SUBJECT}, headers=match)).status_code == 200
        match = {**writing_as(SUBJECT, "agency"), "if-match": "*"}
        assert (await client.post(f"{path}/submission", headers=match)).status_code == 201
        code, printed = await erase(running, SUBJECT)
        # A submission is one write, though both journals have it.
        found = re.match(r"catalog: (erased-[0-9a-f]{16}) has 2 writes and 2 stored answers\n", printed)
        assert (code, bool(found)) == (1, True), printed
        assert f"still in texts, now or earlier: draft {draft.json()['code']}, programme {DRAFT['programme_code']}" in (
            printed
        )
        assert found is not None
        actors = "SELECT actor FROM draft_revision ORDER BY number"
        assert await fetch(url, actors) == [(found[1],), (LIKE_IT,), (found[1],)]
        assert await fetch(url, "SELECT actor FROM revision ORDER BY number DESC LIMIT 1") == [(found[1],)]
        audit = (await client.get("/catalog/v1/audit/drafts", headers=bearer("admin"))).json()["items"]
        assert [item["actor"] for item in audit] == [found[1], LIKE_IT, found[1]]


async def test_commands_keep_their_names_and_texts_that_name_a_person_are_told(
    new_database: Callable[[str], str], erase: Callable[..., Any]
) -> None:
    async with running_app("catalog", new_database("catalog"), None) as running:
        seeded = await fetch(running.database_url, "SELECT count(*) FROM revision WHERE actor = 'seed'")
        assert seeded != [(0,)]
        assert await erase(running, "seed") == (0, "catalog: nothing is held of this subject\n")
        assert await fetch(running.database_url, "SELECT count(*) FROM revision WHERE actor = 'seed'") == seeded
        sent = {"code": "NEW", "name": SUBJECT}
        headers = writing("management-unit")
        assert (await running.client.post(ORGANIZATIONS, json=sent, headers=headers)).status_code == 201
        code, printed = await erase(running, SUBJECT)
        assert (code, printed) == (
            1, "catalog: nothing is held of this subject\ncatalog: still in texts, now or earlier: organization NEW\n",
        )  # fmt: skip


async def test_the_role_that_serves_erases_nobody(
    new_database: Callable[[str], str], erase: Callable[..., Any]
) -> None:
    async with running_app("funding", new_database("funding"), None) as running:
        before = await rows_of(running.database_url)
        code, printed = await erase(running, SUBJECT, as_owner=False)
        assert code == 1
        assert "permission denied for table revision" in printed
        assert await rows_of(running.database_url) == before
