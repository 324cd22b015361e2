"""After every seed the packaged data and the database agree: records, what is derived from them, and search words."""

from __future__ import annotations

import csv
import io
import json
import shutil
from collections.abc import AsyncIterator, Callable, Iterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path
from typing import Any

import asyncpg
import httpx
import pytest
from pydantic import SecretStr

import mmptf_common.storage.records
import mmptf_common.wire.places
import mmptf_funding.seed
import mmptf_markers.seed
from mmptf_common import cli
from mmptf_common.storage import migrations
from mmptf_common.wire.codes import RESERVED_CODES
from mmptf_common.wire.places import places
from mmptf_common.writes.bodies import XLSX
from mmptf_funding.imports.staging import search_words
from mmptf_local.postgres import Postgres
from tests.conftest import RunningApp, asyncio_run, pool_of, running_app, service_of
from tests.integration import editions
from tests.integration.programmes_client import FUND, amend, submitted
from tests.integration.replicas import Pair
from tests.suite import SERVICES

Change = Callable[[Any], None]
Rows = dict[tuple[str, str], Mapping[str, Any]]
PLACES = Path("wire/places.csv")


def of(code: str, **members: Any) -> Change:
    """Another value of some members of the entry with a code, or of the cells of a row."""

    def change(entries: list[dict[str, Any]]) -> None:
        (entry,) = (entry for entry in entries if entry["code"] == code)
        for name, value in members.items():
            assert entry[name] != value
            entry[name] = value

    return change


def renamed(column: str, old: str, new: str) -> Change:
    """Another name in every row that has it."""

    def change(rows: list[dict[str, str]]) -> None:
        found = [row for row in rows if row[column] == old]
        assert found
        for row in found:
            row[column] = new

    return change


def budget(entries: list[dict[str, Any]]) -> None:
    entries[0]["budget"]["amount"] = "1600000.00"


def placed_elsewhere(entries: list[dict[str, Any]]) -> None:
    entries[0]["places"] = [{"code": "SRB", "as_printed": "NORTH MACEDONIA", "share": None}]


def printed(entries: list[dict[str, Any]]) -> None:
    entries[0]["printed"] += 1


def all_of(*changes: Change) -> Change:
    """Several changes of one file."""

    def change(entries: list[dict[str, Any]]) -> None:
        for each in changes:
            each(entries)

    return change


def first(**members: Any) -> Change:
    """Another value of some members of the first entry."""
    return lambda entries: entries[0].update(members)


AFRICA = {"region": "002", "subregion": "202", "intermediate_region": "014"}
ASIA, HEALTH = ("Asia and the Pacific", "Asia and its ocean"), ("Migration Health", "Health of Migrants")
# Every packaged file -> facts of it that a release may correct: names, regions, notes, amounts.
CHANGES: dict[str, dict[str, Change]] = {
    "catalog": {
        "clusterings.json": of("mptf-thematic-areas", name="Another scheme"),
        "documents.json": of("mptf-human-rights-brochure-2024", title="Another title"),
        "guiding_principles.json": of("people-centred", name="For people"),
        "objectives.json": of("1", name="Another objective"),
        "organizations.json": of("ILO", name="Another name of the ILO"),
        "places.json": all_of(
            of("MKD", name="Another Macedonia", **AFRICA),
            of("XKX", footnote="Another footnote."),
            of("SRB", footnote="A new footnote."),
        ),
        "place_groups.json": first(name="Other champions"),
        # Answers read it from the package itself.
        "printed_counts.json": printed,
        "programmes.json": all_of(budget, placed_elsewhere),
        "thematic_areas.json": of("1", name="Another area"),
    },
    "funding": {
        "contributions.json": first(amount="1.25"),
        "contributors.json": all_of(first(name="Another name"), of("DEU", type="foundation", country=None)),
        "documents.json": of("migration-initiatives-2015", title="Another title", note="A note."),
        "facts.json": first(note="Another note"),
        "money_stages.json": of("pledge", definition="Another definition"),
        "targets.json": first(amount="70000001.00"),
        "MI-2015/edition.csv": of("MI-2015", name="Another name", note="Another note"),
        "MI-2015/initiatives.csv": first(name="Another initiative"),
        "MI-2015/partners.csv": first(name="Another partner"),
        "MI-2015/figures.csv": first(subject="Another subject"),
        "MI-2015/frameworks.csv": first(title="Another framework"),
        "MI-2015/framework-items.csv": first(text="Another item"),
        "MI-2015/offices.csv": first(name="Another office"),
        "MI-2015/groups.csv": first(name="Another group"),
        "MI-2015/acronyms.csv": first(expansion="Another expansion"),
        "MI-2015/printed-totals.csv": of("MI-2015.place.BDI", printed="9050001.00"),
        "MI-2015/requirements.csv": of("MI-2015-AFG-border", amount_usd="16000001.00", note="Another note"),
        "MI-2015/vocabulary.csv": all_of(
            renamed("name", *ASIA),
            renamed("name", *HEALTH),
            renamed("name", "Private sector", "Private firms"),
            of("BDI", footnote="A new footnote.", covers="RWA"),
        ),
    },
    "markers": {
        "documents.json": first(title="Another title"),
        "targets.json": of("human-rights-90", name="Another name"),
        "results_indicators.json": of("human-rights-90", name="Another name"),
        # Refused, as a test below shows: another version of a rubric has another code.
        "rubrics/hr-marker-illustrative-1.json": lambda rubric: None,
        # Published by operators, not by the seed.
        "rubrics/hr-marker-illustrative-2.json": lambda rubric: rubric.update(title="Another title", hash=None),
    },
}
# The file that repeats what another one states, so that both are corrected.
REPEATED = {
    "MI-2015/vocabulary.csv": {"MI-2015/requirements.csv": all_of(renamed("region", *ASIA), renamed("area", *HEALTH))}
}
UNSTORED = (
    "printed_counts.json",
    "rubrics/hr-marker-illustrative-1.json",
    "rubrics/hr-marker-illustrative-2.json",
)
# All files of a service corrected in one release, and in `make longer` each alone.
CASES = [pytest.param(service, tuple(changes), id=service) for service, changes in CHANGES.items()] + [
    pytest.param(service, (file,), id=file, marks=pytest.mark.longer)
    for service, changes in CHANGES.items()
    for file in changes
]


@dataclass
class Release:
    """Copies of the packaged data, which the seeds of this test read, and what it changes in them."""

    folder: Path

    def change(self, service: str, changes: Mapping[str, Change]) -> None:
        for name, change in changes.items():
            file = self.folder / f"mmptf_{service}" / "data" / name
            text = file.read_text("utf-8")
            if file.suffix == ".json":
                entries = json.loads(text)
                change(entries)
                file.write_text(json.dumps(entries), "utf-8")
            else:
                rows = list(csv.DictReader(io.StringIO(text)))
                change(rows)
                with file.open("w", encoding="utf-8", newline="") as opened:
                    writer = csv.DictWriter(opened, rows[0])
                    writer.writeheader()
                    writer.writerows(rows)

    def other_names(self, code: str, names: str) -> None:
        """Give a country other former and short names."""
        file = self.folder / "mmptf_common" / PLACES
        rows = list(csv.DictReader(io.StringIO(file.read_text("utf-8"))))
        of(code, other_names=names)(rows)
        with file.open("w", encoding="utf-8", newline="") as opened:
            writer = csv.DictWriter(opened, rows[0])
            writer.writeheader()
            writer.writerows(rows)
        places.cache_clear()
        search_words.cache_clear()


@pytest.fixture
def release(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Release]:
    """The packaged data of all services as the next release has them."""
    for service in SERVICES:
        shutil.copytree(str(files(f"mmptf_{service}") / "data"), tmp_path / f"mmptf_{service}" / "data")
    (tmp_path / "mmptf_common" / "wire").mkdir(parents=True)
    shutil.copy(str(files("mmptf_common") / "wire" / "places.csv"), tmp_path / "mmptf_common" / "wire")
    for module in (mmptf_common.storage.records, mmptf_common.wire.places, mmptf_funding.seed, mmptf_markers.seed):
        monkeypatch.setattr(module, "files", lambda package: tmp_path.joinpath(*package.split(".")))
    yield Release(tmp_path)
    monkeypatch.undo()
    places.cache_clear()
    search_words.cache_clear()


@pytest.fixture(scope="module")
def empty_database(postgres: Postgres) -> Callable[[str], str]:
    """Make a database of its own that is migrated and holds nothing; gives its URL."""
    made: dict[str, int] = {}

    def make(service: str) -> str:
        if service not in made:
            asyncio_run(migrations.migrate(postgres.create_database(f"unseeded_{service}"), f"mmptf_{service}"))
        made[service] = made.get(service, 0) + 1
        return postgres.create_database(f"unseeded_{service}_{made[service]}", template=f"unseeded_{service}")

    return make


async def seed(service: str, url: str) -> None:
    definition = service_of(service)
    await cli.seed(definition, definition.settings(database_url=SecretStr(url)))


@asynccontextmanager
async def connected(url: str) -> AsyncIterator[asyncpg.Connection]:
    connection = await asyncpg.connect(url)
    await connection.set_type_codec("jsonb", encoder=json.dumps, decoder=json.loads, schema="pg_catalog")
    try:
        yield connection
    finally:
        await connection.close()


async def tables_of(connection: asyncpg.Connection) -> list[str]:
    """The tables of records, and what triggers derive from them."""
    found = await connection.fetch(
        "SELECT table_name FROM information_schema.columns WHERE table_schema = 'public' AND column_name = 'updated'"
        " AND table_name NOT LIKE '%\\_past' ORDER BY 1"
    )
    return [row[0] for row in found]


async def rows_of(url: str) -> Rows:
    """Every column of every row, without the times and revisions of changes."""
    found: Rows = {}
    async with connected(url) as connection:
        for table in await tables_of(connection):
            for row in await connection.fetch(f"SELECT code, to_jsonb(r) AS r FROM {table} AS r"):
                members = {name: value for name, value in row["r"].items() if name not in ("updated", "revised")}
                members |= {"record": {k: v for k, v in members.get("record", {}).items() if k != "updated"}}
                found[table, row["code"]] = members
    return found


async def stored(url: str) -> list[Any]:
    """Where each row is stored, which any write of it changes, and the number of changes."""
    async with connected(url) as connection:
        found = [await connection.fetchval("SELECT count(*) FROM change")]
        for table in await tables_of(connection):
            found += await connection.fetch(f"SELECT ctid, xmin FROM {table} ORDER BY 1")
    return found


async def last_change(url: str) -> int:
    async with connected(url) as connection:
        return int(await connection.fetchval("SELECT max(seq) FROM change"))


async def changed_after(url: str, seq: int) -> list[tuple[str, str]]:
    """The entities and keys of the changes after one."""
    async with connected(url) as connection:
        return [
            tuple(row)
            for row in await connection.fetch("SELECT entity, key FROM change WHERE seq > $1 ORDER BY 1, 2", seq)
        ]


def different(before: Rows, after: Rows) -> list[tuple[str, str]]:
    """The entities and keys of what has other members, search words apart."""

    def read(row: Mapping[str, Any] | None) -> Mapping[str, Any] | None:
        return row and {**row, "words": None}

    entity = {"source_document": "document"}
    return sorted((entity.get(t, t), code) for t, code in before | after
                  if read(before.get((t, code))) != read(after.get((t, code))))  # fmt: skip


def test_every_packaged_file_is_changed_by_a_test() -> None:
    for service in SERVICES:
        folder = Path(str(files(f"mmptf_{service}") / "data"))
        found = {str(file.relative_to(folder)) for file in folder.rglob("*") if file.suffix in (".json", ".csv")}
        assert {file.suffix for file in folder.rglob("*") if file.is_file()} <= {".json", ".csv", ".md"}
        assert found == set(CHANGES[service])


@pytest.mark.parametrize(("service", "corrected"), CASES)
async def test_a_corrected_fact_reaches_everything_derived_from_it(
    service: str,
    corrected: tuple[str, ...],
    release: Release,
    new_database: Callable[[str], str],
    empty_database: Callable[[str], str],
) -> None:
    older, fresh = new_database(service), empty_database(service)
    before, seq = await rows_of(older), await last_change(older)
    for file in corrected:
        release.change(service, {file: CHANGES[service][file]})
        release.change(service, REPEATED.get(file, {}))
    await seed(service, older)
    await seed(service, fresh)
    after = await rows_of(older)
    assert after == await rows_of(fresh)
    assert (after != before) == (not set(corrected) <= set(UNSTORED))
    assert await changed_after(older, seq) == different(before, after)
    # What agrees is not written again.
    once = await stored(older)
    await seed(service, older)
    assert await stored(older) == once


@pytest.mark.parametrize("service", ["catalog", "funding"])
async def test_other_names_of_a_country_reach_the_search_words(
    service: str, release: Release, new_database: Callable[[str], str], empty_database: Callable[[str], str]
) -> None:
    older, fresh = new_database(service), empty_database(service)
    before = await rows_of(older)
    release.other_names("AFG", "Bactria")
    unchanged = await last_change(older)
    await seed(service, older)
    await seed(service, fresh)
    after = await rows_of(older)
    assert after == await rows_of(fresh)
    assert after != before
    # The same is read of the records, so there is no change of them.
    assert await last_change(older) == unchanged
    assert different(before, after) == []


async def test_a_rubric_that_is_published_never_changes(release: Release, new_database: Callable[[str], str]) -> None:
    url = new_database("markers")
    before = await rows_of(url)

    def retitle(rubric: dict[str, Any]) -> None:
        rubric.update(title="Another title", hash=None)

    release.change("markers", {"rubrics/hr-marker-illustrative-1.json": retitle})
    with pytest.raises(Exception, match="rubric"):
        await seed("markers", url)
    assert await rows_of(url) == before


async def test_what_an_organization_has_amended_stays_and_names_follow(
    release: Release, new_database: Callable[[str], str]
) -> None:
    url = new_database("catalog")
    async with running_app("catalog", url, None) as service:
        client = service.client
        found = await client.get("/catalog/v1/programmes/MKD-01")
        answer = await amend(client, found, FUND, title="An amended title", objectives=["1"], organizations=["ILO"])
        assert answer.status_code == 200, answer.text
        draft = await submitted(client, places=[{"code": "MKD", "share": "100.00"}], thematic_area="1")
        own = draft.json()["code"]
    seq = await last_change(url)
    release.change(
        "catalog",
        {
            "objectives.json": of("1", name="Another objective"),
            "organizations.json": of("ILO", name="Another name of the ILO"),
            "places.json": of("MKD", name="Another Macedonia", footnote="A footnote.", **AFRICA),
            "thematic_areas.json": of("1", name="Another area"),
            "programmes.json": of("MKD-01", title="A corrected title"),
        },
    )
    await seed("catalog", url)
    assert {("programme", "MKD-01"), ("programme", own)} <= set(await changed_after(url, seq))
    async with running_app("catalog", url, None) as service:
        client = service.client
        programme = (await client.get("/catalog/v1/programmes/MKD-01")).json()
        assert programme["title"] == "An amended title"
        assert programme["objectives"] == [{"code": "1", "name": "Another objective"}]
        assert programme["organizations"] == [{"code": "ILO", "name": "Another name of the ILO"}]
        for record in (programme, (await client.get(f"/catalog/v1/programmes/{own}")).json()):
            assert record["thematic_area"] == {"code": "1", "name": "Another area"}
            (place,) = record["places"]
            assert (place["name"], place["footnote"]) == ("Another Macedonia", "A footnote.")
        listed = (await client.get("/catalog/v1/programmes?region=014")).json()["items"]
        assert {"MKD-01", own} <= {item["code"] for item in listed}
        await _summed_in_africa(client, programme["budget"]["amount"])
    once = await stored(url)
    await seed("catalog", url)
    assert await stored(url) == once


async def _summed_in_africa(client: httpx.AsyncClient, amount: str) -> None:
    totals = (await client.get("/catalog/v1/programmes/totals?by=region&country=MKD&stage=funded")).json()["totals"]
    groups = {group["keys"][0]["value"]: group["sum"]["amount"] for total in totals for group in total["groups"]}
    assert groups["002"] == amount
    assert "150" not in groups


async def test_what_an_import_has_amended_stays_and_names_follow(
    release: Release, new_database: Callable[[str], str]
) -> None:
    url = new_database("funding")
    code = "MI-2015-AFG-border"
    async with running_app("funding", url, None) as service:
        edition = editions.packaged()
        of(code, note="A note of the unit")(edition["requirements"])
        renamed("name", "Burundi", "Burundi, renamed")(edition["vocabulary"])
        renamed("place", "Burundi", "Burundi, renamed")(edition["requirements"])
        answer = await editions.send(service, editions.workbook_of(edition), XLSX)
        assert answer.status_code == 200, answer.text
        assert await _printed_name(service, "BDI") == "Burundi, renamed"
    before = await stored(url)
    await seed("funding", url)
    assert await stored(url) == before
    rename = "Asia and the Pacific", "Asia and its ocean"
    release.change(
        "funding",
        {
            "MI-2015/vocabulary.csv": lambda rows: (renamed("name", *rename)(rows), of("AFG", footnote="New.")(rows)),
            "MI-2015/requirements.csv": lambda rows: (
                renamed("region", *rename)(rows),
                of(code, note="A note of the release")(rows),
            ),
        },
    )
    await seed("funding", url)
    async with running_app("funding", url, None) as service:
        record = (await service.client.get(f"/funding/v1/requirements/{code}")).json()
        assert record["note"] == "A note of the unit"
        assert record["region"]["name"] == "Asia and its ocean"
        assert record["place"]["footnote"] == "New."
        found = (await service.client.get("/funding/v1/requirements?q=ocean&country=AFG&area=border")).json()["items"]
        assert [item["code"] for item in found] == [code]
        assert await _printed_name(service, "asia-pacific") == "Asia and its ocean"
        assert await _printed_name(service, "BDI") == "Burundi, renamed"
        burundi = (await service.client.get("/funding/v1/requirements?country=BDI")).json()["items"]
        assert {item["place"]["name"] for item in burundi} == {"Burundi, renamed"}
    once = await stored(url)
    await seed("funding", url)
    assert await stored(url) == once


async def _printed_name(service: RunningApp, value: str) -> str:
    path = "/funding/v1/editions/MI-2015/printed-totals?limit=1000"
    items = (await service.client.get(path)).json()["items"]
    (name,) = {item["name"] for item in items if item["value"] == value}
    return str(name)


async def test_copies_follow_a_release(synced: Pair, release: Release) -> None:
    """The marker service copies places and programmes, and follows those that a seed has changed."""
    release.change(
        "catalog",
        {
            "places.json": of("MKD", name="Another Macedonia", **AFRICA),
            "thematic_areas.json": of("1", name="Another area"),
        },
    )
    await seed("catalog", synced.home.database_url)
    await synced.catch_up()
    copied = await synced.copied()
    programme = copied["programme", "MKD-01"]
    assert (programme["thematic_area"]["name"], programme["places"][0]["name"]) == ("Another area", "Another Macedonia")
    regions = await pool_of(synced.copy).fetchval("SELECT regions FROM place WHERE code = 'MKD'")
    assert regions == ["002", "202", "014"]


async def test_no_packaged_code_is_reserved(apps: Mapping[str, RunningApp]) -> None:
    for service in SERVICES:
        found = await rows_of(apps[service].database_url)
        codes = {code for _, code in found} | {row["term"] for (table, _), row in found.items() if table == "term"}
        assert not {code.lower() for code in codes} & RESERVED_CODES
