"""Publishing: a rubric as a whole or not at all, its status, and its texts in other languages."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path
from typing import Any, NamedTuple

import asyncpg
import pytest
import sqlalchemy as sa
from pydantic import SecretStr
from sqlalchemy.ext.asyncio import AsyncSession

from mmptf_common import cli
from mmptf_common.process.settings import ServiceSettings
from mmptf_common.storage.engines import write_engine
from mmptf_common.storage.journal import Author, begin_write
from mmptf_markers.__main__ import OWN, SERVICE
from mmptf_markers.engine.loading import load_rubric
from tests.conftest import RunningApp, running_app
from tests.unit.markers.rubrics import CONTENT, OFFICIAL

FIRST = "hr-marker-illustrative.1"
RUBRICS = "/markers/v1/rubrics"
SCORE = "/markers/v1/score"
TRANSLATIONS = "/markers/v1/translations"


class Ended(NamedTuple):
    code: int
    out: str
    err: str


Publish = Callable[..., Awaitable[Ended]]


@pytest.fixture
async def shelf(new_database: Callable[[str], str]) -> AsyncIterator[RunningApp]:
    """The marker service on a database of its own."""
    async with running_app("markers", new_database("markers"), None) as app:
        yield app


@pytest.fixture
def publish(
    shelf: RunningApp, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> Publish:
    """Run `mmptf-markers publish` on a document."""
    monkeypatch.setenv("DATABASE_URL", shelf.database_url)

    async def run(document: dict[str, Any] | bytes, *options: str) -> Ended:
        file = tmp_path / "file.json"
        file.write_bytes(document if isinstance(document, bytes) else json.dumps(document).encode())
        code = await asyncio.to_thread(cli.main, SERVICE, ["publish", str(file), *options], own=OWN)
        return Ended(code, *capsys.readouterr())

    return run


def version(number: str, **changes: Any) -> dict[str, Any]:
    """The shipped rubric as another version."""
    return {**json.loads(CONTENT), "version": number, "hash": None, **changes}


def asked(number: str | None, rubric: str = "hr-marker-illustrative") -> dict[str, Any]:
    return {"rubric": rubric, "version": number, "stage": "concept_note", "answers": {"equality": 3}}


async def revision(shelf: RunningApp) -> int:
    return int((await shelf.client.get("/markers/v1/status")).json()["revision"])


async def test_a_rubric_is_published_once_and_scores_from_then_on(shelf: RunningApp, publish: Publish) -> None:
    before = await revision(shelf)
    assert await publish(version("2")) == (0, f"hr-marker-illustrative.2: published, revision {before + 1}\n", "")
    published = (await shelf.client.get(f"{RUBRICS}/hr-marker-illustrative.2")).json()
    assert (published["status"], published["superseded_by"]) == ("illustrative", None)
    assert load_rubric(json.dumps(published["content"]).encode()).hash == published["hash"]
    used = (await shelf.client.post(SCORE, json=asked(None))).json()["rubric"]
    assert (used["version"], used["hash"]) == ("2", published["hash"])
    assert (await shelf.client.post(SCORE, json=asked("1"))).json()["rubric"]["version"] == "1"
    again = await publish(version("2"))
    assert (again.code, again.out) == (0, "hr-marker-illustrative.2: published already, nothing was written\n")
    assert await revision(shelf) == before + 1


async def test_every_error_is_said_and_nothing_is_written(shelf: RunningApp, publish: Publish) -> None:
    before = await revision(shelf)
    wrong = version("2", status="official", title="", language="English")
    wrong["criteria"][0]["weight"] = 0
    ended = await publish(wrong, "--supersedes", FIRST)
    assert (ended.code, ended.out) == (1, "")
    *lines, last = ended.err.splitlines()
    assert [line.split(": ")[1] for line in lines] == [
        "/title", "/language", "/source_document", "/source_document/sha256", "/endorsement/date",
        "/criteria/0/weight",
    ]  # fmt: skip
    assert last == "markers: publish failed: 6 errors"
    assert await revision(shelf) == before
    assert (await shelf.client.get(f"{RUBRICS}/{FIRST}")).json()["status"] == "illustrative"


async def test_another_content_under_a_published_version_is_refused(shelf: RunningApp, publish: Publish) -> None:
    before = await revision(shelf)
    ended = await publish(version("1", title="Another"))
    assert (ended.code, ended.out) == (1, "")
    assert f"{FIRST} is published with another content" in ended.err
    # The same two words with the stop elsewhere are the same code.
    ended = await publish(version("illustrative.1", code="hr-marker-illustrative.1"))
    assert ended.code == 0
    ended = await publish(version("1", code="hr-marker-illustrative.1.illustrative"))
    assert ended.code == 1 and "another content" in ended.err
    assert await revision(shelf) == before + 1


async def test_a_superseded_rubric_is_unchanged_and_is_not_chosen(shelf: RunningApp, publish: Publish) -> None:
    old = (await shelf.client.get(f"{RUBRICS}/{FIRST}")).json()
    before = await revision(shelf)
    assert (await publish(version("2"), "--supersedes", FIRST)).code == 0
    assert await revision(shelf) == before + 2
    now = (await shelf.client.get(f"{RUBRICS}/{FIRST}")).json()
    superseded = {"superseded": True, "superseded_by": "hr-marker-illustrative.2", "updated": now["updated"]}
    assert now == old | superseded and now["updated"] > old["updated"]
    listed = {
        asked: [item["code"] for item in (await shelf.client.get(f"{RUBRICS}?{asked}")).json()["items"]]
        for asked in ("status=illustrative", "status=official", "superseded=true", "superseded=false")
    }
    # What it is does not change with what replaces it.
    assert listed == {
        "status=illustrative": [FIRST, "hr-marker-illustrative.2"], "status=official": [], "superseded=true": [FIRST],
        "superseded=false": ["hr-marker-illustrative.2"],
    }  # fmt: skip
    assert (await shelf.client.get(f"{RUBRICS}/{FIRST}/answers-schema")).status_code == 200
    used = (await shelf.client.post(SCORE, json=asked("1"))).json()["rubric"]
    assert (used["version"], used["hash"], used["status"]) == ("1", old["hash"], "illustrative")
    assert (await shelf.client.post(SCORE, json=asked(None))).json()["rubric"]["version"] == "2"
    # Both changes are of one write, and the state before it can still be read.
    last = (await shelf.client.get(f"{RUBRICS}/{FIRST}/history")).json()["items"][-1]
    assert (last["action"], set(last["changed"])) == ("amend", {"superseded", "superseded_by"})
    new = (await shelf.client.get(f"{RUBRICS}/hr-marker-illustrative.2/history")).json()["items"]
    assert [change["revision"] for change in new] == [last["revision"]]
    then = await shelf.client.get(f"{RUBRICS}/{FIRST}", params={"as_of": before})
    assert then.json() == old
    # Said again nothing happens, and the packaged data of the next release change nothing either.
    assert (await publish(version("2"), "--supersedes", FIRST)).code == 0
    assert await cli.seed(SERVICE, ServiceSettings(database_url=SecretStr(shelf.database_url))) == before + 2
    assert (await shelf.client.get(f"{RUBRICS}/{FIRST}")).json() == now


async def test_what_cannot_be_superseded_is_refused_and_nothing_is_published(
    shelf: RunningApp, publish: Publish
) -> None:
    assert (await publish(version("2"), "--supersedes", FIRST)).code == 0
    before = await revision(shelf)
    second, third = "hr-marker-illustrative.2", "hr-marker-illustrative.3"
    for document, code, reason in (
        (version("3"), "hr-marker-ilustrative.2", f"did you mean {second}?"),
        (version("3"), third, "cannot supersede itself"),
        (version("3"), FIRST, f"{FIRST} is superseded already, by {second}"),
        (version("2"), second, "cannot supersede itself"),
        (CONTENT, second, f"{FIRST} is superseded by {second} and can supersede nothing"),
        (version("3", marker="gender"), second, f"{second} is of the marker human_rights"),
    ):
        ended = await publish(document, "--supersedes", code)
        assert (ended.code, ended.out) == (1, "") and reason in ended.err, reason
    assert await revision(shelf) == before


async def test_where_every_version_is_superseded_none_is_chosen(shelf: RunningApp, publish: Publish) -> None:
    official = version("2019", code="hr-marker", **OFFICIAL)
    assert (await publish(official, "--supersedes", FIRST)).code == 0
    answer = await shelf.client.post(SCORE, json=asked(None))
    assert answer.status_code == 422
    [error] = answer.json()["errors"]
    assert (error["code"], error["pointer"], error["allowed"]) == ("superseded", "/version", ["1"])
    assert "1 by hr-marker.2019" in error["detail"]
    assert (await shelf.client.post(SCORE, json=asked("1"))).json()["rubric"]["status"] == "illustrative"
    used = (await shelf.client.post(SCORE, json=asked(None, "hr-marker"))).json()["rubric"]
    assert (used["version"], used["status"]) == ("2019", "official")
    listed = (await shelf.client.get(RUBRICS, params={"status": "official"})).json()["items"]
    assert [item["code"] for item in listed] == ["hr-marker.2019"]


async def test_the_newest_version_is_the_one_published_last_whatever_was_amended_since(
    shelf: RunningApp, publish: Publish
) -> None:
    assert (await publish(version("2"))).code == 0
    await amend_as_seed(
        shelf,
        "UPDATE rubric SET updated = clock_timestamp(),"
        " record = jsonb_set(record::jsonb, '{answers_schema}', '\"/elsewhere\"')::json"
        f" WHERE code = '{FIRST}'",
    )
    rows = (await shelf.client.get(RUBRICS, params={"sort": "-updated"})).json()["items"]
    assert rows[0]["code"] == FIRST
    assert (await shelf.client.post(SCORE, json=asked(None))).json()["rubric"]["version"] == "2"


async def test_a_rubric_of_the_release_before_scores_and_gets_its_new_member(
    shelf: RunningApp, publish: Publish
) -> None:
    await amend_as_seed(shelf, "UPDATE rubric SET record = (record::jsonb - 'superseded_by')::json")
    assert (await shelf.client.post(SCORE, json=asked(None))).json()["rubric"]["version"] == "1"
    await cli.seed(SERVICE, ServiceSettings(database_url=SecretStr(shelf.database_url)))
    assert (await shelf.client.get(f"{RUBRICS}/{FIRST}")).json()["superseded_by"] is None


async def amend_as_seed(shelf: RunningApp, statement: str) -> None:
    """What the packaged data of another release might leave behind."""
    engine = write_engine(shelf.database_url, size=1)
    async with AsyncSession(engine) as session, session.begin():
        await begin_write(session, Author("seed"))
        await session.execute(sa.text(statement))
    await engine.dispose()


@pytest.mark.parametrize(
    "changed",
    [
        "record = jsonb_set(record::jsonb, '{content,title}', '\"Other\"')::json",
        "record = (record::jsonb - 'content')::json",
        "record = jsonb_set(record::jsonb, '{hash}', to_jsonb(repeat('0', 64)))::json",
        "status = 'official'",
    ],
)
async def test_the_database_rejects_changes_of_a_published_rubric(apps: dict[str, RunningApp], changed: str) -> None:
    connection = await asyncpg.connect(apps["markers"].database_url)
    try:
        with pytest.raises(asyncpg.RestrictViolationError, match="never changes"):
            await connection.execute(f"UPDATE rubric SET {changed}")
    finally:
        await connection.close()


async def test_a_superseded_rubric_stays_so(shelf: RunningApp, publish: Publish) -> None:
    assert (await publish(version("2"), "--supersedes", FIRST)).code == 0
    connection = await asyncpg.connect(shelf.database_url)
    try:
        with pytest.raises(asyncpg.RestrictViolationError, match="never changes"):
            await connection.execute(
                "UPDATE rubric SET record = jsonb_set(record::jsonb, '{superseded_by}', 'null')::json"
                f" WHERE code = '{FIRST}'"
            )
    finally:
        await connection.close()


async def test_two_who_publish_at_once_take_turns(
    shelf: RunningApp, publish: Publish, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    files = []
    for name, title in (("a", "First"), ("b", "Second"), ("c", "First")):
        files.append(tmp_path / f"{name}.json")
        files[-1].write_text(json.dumps(version("2", title=title)))
    before = await revision(shelf)
    ended = await asyncio.gather(
        *(asyncio.to_thread(cli.main, SERVICE, ["publish", str(file)], own=OWN) for file in files)
    )
    title = (await shelf.client.get(f"{RUBRICS}/hr-marker-illustrative.2")).json()["title"]
    assert ended == ([0, 1, 0] if title == "First" else [1, 0, 1])
    assert await revision(shelf) == before + 1
    assert capsys.readouterr().err.count("another content") == ended.count(1)


@pytest.mark.parametrize("missing", ["file", "database"])
async def test_a_publication_that_fails_prints_one_line(
    publish: Publish, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], missing: str
) -> None:
    if missing == "file":
        code = await asyncio.to_thread(cli.main, SERVICE, ["publish", "nothing.json"], own=OWN)
        ended = Ended(code, *capsys.readouterr())
    else:
        monkeypatch.setenv("DATABASE_URL", "postgresql://nobody@127.0.0.1:9/nothing")
        ended = await publish(version("2"))
    assert (ended.code, ended.out, ended.err.count("\n")) == (1, "", 1)
    assert ended.err.startswith("markers: publish failed: ")


def french(**changes: Any) -> dict[str, Any]:
    """A made-up translation of two texts of the shipped rubric."""
    return {
        "rubric": "hr-marker-illustrative",
        "version": "1",
        "hash": json.loads(CONTENT)["hash"],
        "language": "fr",
        "texts": {"/title": "Titre", "/criteria/0/question": "Question ?"},
        "source": None,
        "verified": False,
        **changes,
    }


async def test_a_translation_is_published_beside_its_rubric(shelf: RunningApp, publish: Publish) -> None:
    schema = f"{RUBRICS}/{FIRST}/answers-schema"
    original = await shelf.client.get(schema, params={"stage": "concept_note"})
    rubric = (await shelf.client.get(f"{RUBRICS}/{FIRST}")).json()
    assert original.headers["content-language"] == "en"
    assert (await publish(french())).out.startswith(f"{FIRST}.fr: published, revision ")
    assert (await publish(french())).out == f"{FIRST}.fr: published already, nothing was written\n"
    found = (await shelf.client.get(f"{TRANSLATIONS}/{FIRST}.fr")).json()
    assert (found["rubric"], found["language"], found["hash"]) == (FIRST, "fr", rubric["hash"])
    assert (found["verified"], found["source"], found["texts"]) == (False, None, french()["texts"])
    covered = found["coverage"]
    assert covered["translated"] == 2 and covered["texts"] == 2 + len(covered["missing"])
    listed = await shelf.client.get(TRANSLATIONS, params={"rubric": FIRST, "language": "fr"})
    assert listed.json()["items"] == [found]
    seen = await shelf.client.get(schema, params={"stage": "concept_note", "language": "fr"})
    assert seen.headers["content-language"] == "fr"
    assert seen.json()["title"].startswith("Titre")
    first, second, *_ = seen.json()["properties"].items()
    assert first[1]["title"] == "Question ?"
    assert second == list(original.json()["properties"].items())[1]
    for language in ({}, {"language": "en"}):
        same = await shelf.client.get(schema, params={"stage": "concept_note", **language})
        assert same.json() == original.json()
    assert (await shelf.client.get(f"{RUBRICS}/{FIRST}")).json() == rubric


async def test_a_corrected_translation_takes_the_place_of_the_one_before(shelf: RunningApp, publish: Publish) -> None:
    schema = f"{RUBRICS}/{FIRST}/answers-schema"
    assert (await publish(french())).code == 0
    before = await shelf.client.get(schema, params={"language": "fr"})
    tag = {"if-none-match": before.headers["etag"]}
    assert (await shelf.client.get(schema, params={"language": "fr"}, headers=tag)).status_code == 304
    assert (await publish(french(texts={"/title": "Intitulé"}, verified=True))).code == 0
    after = await shelf.client.get(schema, params={"language": "fr"}, headers=tag)
    assert after.status_code == 200 and after.json()["title"].startswith("Intitulé")
    history = (await shelf.client.get(f"{TRANSLATIONS}/{FIRST}.fr/history")).json()["items"]
    assert [change["action"] for change in history] == ["create", "amend"]


async def test_a_language_that_there_is_none_of_is_refused_with_those_there_are(
    shelf: RunningApp, publish: Publish
) -> None:
    schema = f"{RUBRICS}/{FIRST}/answers-schema"
    assert (await publish(french())).code == 0
    answer = await shelf.client.get(schema, params={"language": "fre"})
    assert answer.status_code == 422
    [error] = answer.json()["errors"]
    # Codes of two and three letters are too near to one another for a suggestion; the languages that there are follow.
    assert (error["parameter"], error["allowed"], error["suggestion"]) == ("language", ["en", "fr"], None)
    for wrong in ("FR", "fr\x00", ""):
        assert (await shelf.client.get(schema, params={"language": wrong})).status_code == 422
    unlisted = await shelf.client.get(TRANSLATIONS, params={"language": "es"})
    assert unlisted.status_code == 422


async def test_a_translation_that_does_not_fit_is_refused(shelf: RunningApp, publish: Publish) -> None:
    before = await revision(shelf)
    for document, options, reasons in (
        (french(version="2"), [], [f"'hr-marker-illustrative.2' is not published; published are {FIRST}"]),
        (french(version=2, rubric="a\0"), [], [": /rubric: ", ": /version: "]),
        (french(), ["--supersedes", FIRST], ["a translation supersedes no rubric"]),
        (
            french(hash="0" * 64, language="en", texts={"/titel": "T", "/criteria/0/weight": "2"}),
            [],
            [": /hash: ", ": /language: ", "did you mean '/title'?", "'/criteria/0/weight' is not a text"],
        ),
    ):
        ended = await publish(document, *options)
        assert (ended.code, ended.out) == (1, "")
        *lines, last = ended.err.splitlines()
        assert len(lines) == len(reasons) and all(r in line for r, line in zip(reasons, lines, strict=True)), ended.err
        assert last.startswith("markers: publish failed: ")
    assert await revision(shelf) == before
    assert (await shelf.client.get(TRANSLATIONS)).json()["total"] == 0
