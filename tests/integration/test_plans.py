"""With many rows no answer reads what it need not: the plans of the statements that the services carry out.

Every GET of the contracts is asked, and each statement that the service has sent then is explained with its values.
What counts is how many rows the steps of a plan hand on or throw away, which does not depend on the machine.
"""

from __future__ import annotations

import asyncio
import http.client
import json
import os
import re
import sys
import time
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, closing, contextmanager
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, timedelta
from typing import Any

import asyncpg
import httpx
import pytest

from bench import processes
from mmptf_common.lists.exports import export_statement
from mmptf_common.lists.listing import Listing
from mmptf_common.storage.as_of import PLANNING
from mmptf_common.storage.connections import SERVER_SETTINGS
from mmptf_common.storage.engines import READS
from mmptf_local.postgres import Postgres
from mmptf_local.processes import LOOPBACK, Child, answers_ready, free_port, wait_until
from tests.conftest import RunningApp, running_app, serving_url
from tests.integration.grown import grow
from tests.integration.lookups import listings
from tests.integration.plans import Sent, explained, read
from tests.suite import FOLDERS, SERVICES
from tests.tokens import bearer

# Rows of the largest tables, 100,000 in `make longer`. What reads too much of them does so of a tenth, too.
ROWS = int(os.environ.get("PLAN_ROWS", "5000"))
# Rows from which each filter is tried in every order, and not in the first one alone.
EVERY_ORDER = 100_000
pytestmark = pytest.mark.tries_more
LIMIT = 20
# The most rows in all steps of a plan: for a page, a record or a card, beside the count of a page's total (of a page by
# a filter, rows of a table alone); and for all else, times the rows of the largest table. A comparison of each row with
# each would be ten times as many or more.
BOUNDED = 50 * LIMIT
LINEAR = 200
# The most seconds for which an answer may keep all others waiting.
LOOP_SECONDS = 0.1
# Answers that read more than a page, and why.
DERIVED = {
    "/catalog/v1/pipeline": "a count of all programmes",
    "/funding/v1/statement": "a statement is a sum of all entries",
    "/funding/v1/period-statements": "a sum of all entries by month and party",
    "/funding/v1/periods/{code}/figures": "a sum of all entries by day",
    "/funding/v1/capitalization": "a sum of all entries by day",
    "/funding/v1/progress": "a sum of all contributions",
    "/funding/v1/editions/{edition}/reconciliation": "a sum of all requirements of an edition",
    "/funding/v1/editions/{edition}/frameworks": "a framework is answered with all of its items",
    "/funding/v1/totals": "a sum of all rows",
    "/markers/v1/indicator": "a count of all programmes",
    "/markers/v1/criteria": "a count of all answers",
    "/markers/v1/report": "counts of all programmes, assessments and answers",
    "/markers/v1/results-progress": "all indicators and their values",
    "/markers/v1/reviews/agreement": "a count of all answers that two have given",
    "earmark=": "the area of money is that of its programme or deposit, which no index of entries has",
    "/totals": "a sum of all rows",
    "/facets": "a count of all rows",
    "/changes": "changes of records that are not given are passed over, once, since `last` is behind them",
    "as_of=": "as of an earlier revision the rows of two tables are put together, and some are derived",
}
# A record of each list in paths; lists that have few rows are left out.
CODES = {
    "/catalog/v1/programmes": "MANY-77", "/catalog/v1/cards/programmes": "MANY-77", "/catalog/v1/drafts": "DRAFT-100",
    "/catalog/v1/organizations": "ORG-7", "/funding/v1/cards/programmes": "MANY-8", "/funding/v1/ledger": "L-000074",
    "/funding/v1/requirements": "MANY-77", "/funding/v1/contributors": "GIVER-7",
    "/funding/v1/contributions": "GIFT-77", "/markers/v1/assessments": "A-000077", "/markers/v1/drafts": "A-900100",
    "/markers/v1/cards/programmes": "MANY-77", "/markers/v1/actions": "ACT-000077", "/markers/v1/reviews": "R-000077",
    "/markers/v1/results-indicators": "IND-77", "/markers/v1/reported-values": "RV-000077",
}  # fmt: skip
# A value of each filter of the lists with many rows, one that few of them have; where a list has facets, the rarest
# value of the others is read there.
_MOMENT = f"{datetime.now(UTC) + timedelta(days=1):%Y-%m-%d}"
FEW = {
    "/catalog/v1/programmes": {
        "code": "many-77,NO-SUCH-77", "organization": "ORG-7", "q": "w77", "budget_stage": "programme_budget",
        "budget_min": f"{995 + ROWS // 5}", "budget_max": "1010", "updated_since": _MOMENT, "status": "cancelled",
        "status_on": "2030-01-01",
    },
    "/catalog/v1/organizations": {"code": "org-7"},
    "/catalog/v1/drafts": {"q": "w77"},
    "/funding/v1/ledger": {
        "programme": "MANY-8", "contributor": "GIVER-7", "flag": "expenditure_exceeds_transfers", "reversal": "true",
        "date_from": "2026-03-10", "date_to": "2019-05-08", "organization": "not_stated", "account": "ACCOUNT-7",
        "bank_reference": "reference 72", "decision": "SC-7", "corrects": "L-000011", "value_date_from": "2026-03-10",
        "value_date_to": "2019-05-08", "earmark": "4",
    },
    "/funding/v1/requirements": {
        "q": "unheard", "amount_min": "900000000", "amount_max": "1000", "updated_since": _MOMENT,
    },
    "/funding/v1/contributions": {
        "contributor": "GIVER-7", "amount_min": f"{ROWS // 5 - 5}", "amount_max": "5", "updated_since": _MOMENT,
        "country": "ISL",
    },
    "/funding/v1/contributors": {"contributor_type": "foundation", "country": "ISL"},
    "/markers/v1/assessments": {
        "programme": "MANY-77", "organization": "ORG-7", "marker": "human_rights", "stage": "final_report",
        "status": "returned", "grade": "A", "rubric": "hr-marker-illustrative.1",
    },
    "/markers/v1/standings": {
        "programme": "MANY-77", "thematic_area": "not_stated", "country": "ISL", "region": "009",
        "organization": "ORG-7", "grade": "A", "rubric": "not_stated", "assessed_stage": "final_report",
        "assessed": "false", "due_for": "2024", "marker": "human_rights", "stage": "closed",
    },
    "/markers/v1/drafts": {"programme": "MANY-100"},
    "/markers/v1/actions": {
        "programme": "MANY-77", "marker": "human_rights", "assessment": "A-000077", "criterion": "not_stated",
        "organization": "ORG-7", "kind": "measure", "state": "dropped", "due_before": "2020-01-02",
    },
    "/markers/v1/reviews": {
        "programme": "MANY-77", "assessment": "A-000077", "round": "second", "state": "open",
        "due_before": "2024-01-20",
    },
    "/markers/v1/results-indicators": {
        "code": "ind-77,NO-SUCH-77", "scope": "fund", "programme": "MANY-77", "level": "impact", "unit": "yes_no",
        "organization": "ORG-7", "computed": "true", "reported": "false",
    },
    "/markers/v1/reported-values": {
        "indicator": "IND-77", "programme": "MANY-77", "organization": "ORG-7", "status": "withdrawn",
        "date_from": f"{date(2000, 1, 1) + timedelta(days=30_000)}", "date_to": "2000-03-01",
    },
}  # fmt: skip
# Patterns of the answers for which a table with many rows is read row by row, and why; the decision record has them.
SCANS = {
    r"/catalog/v1/programmes/(facets|totals)\?": "an index holds no lists of codes of any length beside one another",
    r"/catalog/v1/programmes\?.*status_on=": "the status of any day is in no index",
    r"/catalog/v1/programmes\?.*objective=not_stated": "no index of single codes finds rows without any",
    r"/catalog/v1/(programmes|organizations)\?.*as_of=": "`total` counts the rows that are old enough",
    r"/markers/v1/drafts\?.*as_of=": "the programmes of an organization are joined to the rows of two tables",
    r"/funding/v1/requirements\?country=": "PostgreSQL expects more rows of a rare value than there are",
    r"/funding/v1/ledger\?.*earmark=": "the area of money is that of its programme or deposit",
    r"/markers/v1/standings\?.*as_of=": "grades of earlier revisions are derived from all assessments of then",
    r"/markers/v1/results-indicators\?reported=": "whether anything is reported is in no index of indicators",
    r"/markers/v1/standings\?(assessed|due_for)=": "what a programme lacks is in no index of what it has",
    r"/markers/v1/standings\?(organization|region)=": "the order is that of one table, the filter is of another",
}
# Patterns of the pages whose rows an index has in their order, so that not even entries of it are passed over.
IN_ORDER = r"/funding/v1/requirements\?(edition|region|area|place|status)=[^&,]*&sort=code"
# The steps of a plan that read rows of a table themselves.
OF_TABLES = ("Seq Scan", "Index Scan", "Bitmap Heap Scan")


@pytest.fixture(scope="module", params=SERVICES)
async def grown(
    request: pytest.FixtureRequest, new_database: Callable[[str], str], postgres: Postgres
) -> AsyncIterator[RunningApp]:
    url = new_database(request.param)
    await grow(postgres.admin_url(url.rpartition("/")[2]), request.param, ROWS)
    with pytest.MonkeyPatch.context() as patch:
        # A busy machine is no finding.
        for kind, limits in READS.items():
            patch.setitem(READS, kind, replace(limits, seconds=10 * limits.seconds))
        async with running_app(request.param, url, None) as running:
            yield running


@pytest.fixture
async def explaining(grown: RunningApp) -> AsyncIterator[asyncpg.Connection]:
    connection = await asyncpg.connect(grown.database_url, server_settings=SERVER_SETTINGS)
    yield connection
    await connection.close()


def asking(question: str) -> dict[str, str]:
    """The token for a question: of who sees few rows of a list, and by a filter of who sees all.

    Of the agencies one has a hundredth of the drafts, and another takes part in as many programmes.
    """
    if question.startswith("/funding/v1/transfer-"):
        return bearer("agent")
    if not question.startswith("/markers/v1/reviews"):
        return bearer("agency", "ORG-100" if question.startswith("/markers/v1/drafts") else "IOM")
    return bearer("management-unit" if is_filtered(question) or "/reviewers" in question else "reviewer")


def paths(service: str) -> Iterator[tuple[str, dict[str, Any]]]:
    """The paths of a contract that read the tables which have many rows, with the schemas of their parameters."""
    contract = json.loads((FOLDERS[service] / "openapi.json").read_text())
    for path, operations in contract["paths"].items():
        base = path.partition("/{code}")[0]
        of_a_list = path.count("/") > 2 and "status" not in path and "template" not in path and "audit" not in path
        # The grown database has no bank accounts.
        of_a_list = of_a_list and "/bank-" not in path and "/reconciliation/" not in path
        of_one_record = "{code}" not in path or (
            base in CODES and not path.endswith(("/score", "/comparison", "/matrix"))
        )
        if "get" in operations and of_a_list and of_one_record:
            given = operations["get"].get("parameters", ())
            yield path, {each["name"]: _values(contract, each["schema"]) for each in given if each["in"] == "query"}


def _values(contract: dict[str, Any], schema: dict[str, Any]) -> list[str]:
    """The values that a parameter takes, where the contract lists them."""
    items = schema.get("items", schema)
    if "$ref" in items:
        items = contract["components"]["schemas"][items["$ref"].rpartition("/")[2]]
    found: list[str] = items.get("enum", [])
    return found


async def of_few(client: httpx.AsyncClient, path: str, listed: Listing) -> dict[str, str]:
    """A value of each filter of a list that few rows have."""
    found: dict[str, str] = {}
    if listed.facets:
        facets = (await client.get(f"{path}/facets")).json()["facets"]
        found = {name: [v["value"] or "not_stated" for v in values][-1] for name, values in facets.items()}
    return {**found, **FEW[path]}


async def questions(client: httpx.AsyncClient, revision: int, service: str) -> AsyncIterator[str]:
    """Every page and answer of a service: in each order, further on, by each dimension, of few rows, as of before."""
    lists = {listed.path: listed for listed in listings(service)}
    for path, parameters in paths(service):
        base = path.partition("/{code}")[0]
        asked = path.replace("{edition}", "MI-2015").replace("{code}", CODES.get(base, ""))
        variants = [f"by={by}" for by in parameters["by"]] if "by" in parameters else [""]
        if "cursor" in parameters:
            for sort in parameters["sort"]:
                first = await client.get(f"{asked}?limit=1000&sort={sort}", headers=asking(asked))
                following = first.json()["next"]
                variants.append(f"limit={LIMIT}&sort={sort}")
                if following:
                    cursor = httpx.URL(following).params["cursor"]
                    variants.append(f"limit={LIMIT}&sort={sort}&cursor={cursor}")
        if path in FEW:
            few = await of_few(client, path, lists[path])
            assert set(lists[path].filters) <= set(few) <= set(parameters), path
            orders = parameters["sort"] if ROWS >= EVERY_ORDER else parameters["sort"][:1]
            variants += [f"{name}={value}&sort={sort}&limit={LIMIT}" for name, value in few.items() for sort in orders]
        for variant in variants:
            yield f"{asked}?{variant}"
        if "as_of" in parameters:
            # Drafts have numbers of their own; as of now those of the last write are nearly all.
            moment = f"{datetime.now(UTC):%Y-%m-%d}" if "/drafts" in path else revision
            then = f"as_of={moment}"
            yield f"{asked}?{variants[0]}{'&' if variants[0] else ''}{then}"
            if "cursor" in parameters:
                # A page of many rows, and one further on.
                first = await client.get(f"{asked}?limit=1000&{then}", headers=asking(asked))
                yield f"{asked}?limit=1000&{then}"
                if following := first.json()["next"]:
                    yield f"{asked}?limit={LIMIT}&{then}&cursor={httpx.URL(following).params['cursor']}"


def read_without_totals(plan: dict[str, Any], of: Callable[[dict[str, Any]], float] = read) -> float:
    """The same, without the count of the total of a page."""
    counts = [each for each in plan.get("Plans", ()) if each.get("Parent Relationship") == "InitPlan"]
    return of(plan) - sum(of(each) for each in counts if each["Node Type"] == "Aggregate")


def read_of_tables(plan: dict[str, Any]) -> float:
    """The rows that are read themselves, and not in an index that has all that is asked for."""
    own = read({**plan, "Plans": ()}) if plan["Node Type"] in OF_TABLES else 0.0
    return own + sum(map(read_of_tables, plan.get("Plans", ())))


def is_filtered(question: str) -> bool:
    """Whether it asks for a page by the value of a filter."""
    path, _, asked = question.partition("?")
    return path in FEW and "&sort=" in asked and not asked.startswith("limit=")


def most_of_page(question: str) -> int:
    """The most rows of a page: more where the rarest value of a filter may have a fiftieth of all rows."""
    path, _, asked = question.partition("?")
    is_rarest = is_filtered(question) and not asked.startswith(tuple(f"{name}=" for name in FEW[path]))
    return 3 * BOUNDED if is_rarest else BOUNDED


def scanned(plan: dict[str, Any], most: int) -> set[str]:
    """The tables of which a plan reads more than `most` rows themselves, and not in an index that has all it needs."""
    found = set().union(*(scanned(below, most) for below in plan.get("Plans", ())))
    removed = sum(value for name, value in plan.items() if name.startswith("Rows Removed by"))
    if plan["Node Type"] in OF_TABLES:
        # A table with few rows may be read as a whole for each value that is looked up.
        rows = plan["Actual Rows"] + removed if plan["Node Type"] == "Seq Scan" else removed * plan["Actual Loops"]
        if rows > most:
            found.add(plan["Relation Name"])
    return found


def is_of_a_list(question: str) -> bool:
    """Whether it asks for a page of a list, its facets or its totals."""
    path = question.partition("?")[0].removesuffix("/facets").removesuffix("/totals")
    return path in FEW or path == "/funding/v1"


async def test_an_answer_reads_what_it_needs(grown: RunningApp, explaining: asyncpg.Connection, sent: Sent) -> None:
    revision = await explaining.fetchval("SELECT max(first) - 1 FROM revision")
    wrong, scans, seen = [], [], 0
    async for question in questions(grown.client, revision, grown.name):
        sent.clear()
        answer = await grown.client.get(question, headers=asking(question))
        assert answer.status_code == 200, (question, answer.text)
        statements = list(sent)
        assert statements, question
        linear = any(part.replace("{edition}", "MI-2015") in question for part in DERIVED)
        linear = linear or any(re.search(pattern, question) for pattern in SCANS)
        await explaining.execute(PLANNING if "as_of=" in question else "RESET ALL")
        page = most_of_page(question)
        for sql, values in statements:
            plan = await explained(explaining, sql, *values)
            seen += 1
            # In an index with all that its filters and its order compare, a page may pass over most entries.
            of = read_of_tables if is_filtered(question) and not re.search(IN_ORDER, question) else read
            page = 10 * LIMIT if re.search(IN_ORDER, question) else page
            rows, most = (read(plan), LINEAR * ROWS) if linear else (read_without_totals(plan, of), page)
            if rows > most or read(plan) > LINEAR * ROWS:
                wrong.append((question, int(rows), " ".join(sql.split())[:100]))
            if scanned(plan, page) and "limit=1000" not in question and is_of_a_list(question):
                if ROWS < EVERY_ORDER:
                    # A table with few rows may be read where an index is there.
                    await explaining.execute("SET enable_seqscan = off")
                    plan = await explained(explaining, sql, *values)
                    await explaining.execute("SET enable_seqscan = on")
                # Facets and totals add up a rollup as a whole, as a page may not for its total.
                scans += [(question, t) for t in scanned(plan, page) if not (linear and "_rollup" in t)]
    wrong += [scan for scan in scans if not any(re.search(pattern, scan[0]) for pattern in SCANS)]
    assert not wrong, "\n".join(map(str, wrong))
    assert seen > 100


async def test_an_export_reads_each_row_once(grown: RunningApp, explaining: asyncpg.Connection) -> None:
    revision = await explaining.fetchval("SELECT max(first) - 1 FROM revision")
    wrong = []
    for listed in listings(grown.name):
        if listed.fixed or "{" in listed.path or listed.path.endswith("/drafts"):
            continue
        for representation in ("csv", "ndjson"):
            export = export_statement(listed, listed.query.model_validate({}), representation)
            earlier = grown.app.state.as_of_tables.at(revision)
            # Each row is one in every step of the plan, and so is each entry of the lists in its record.
            for sql, times in ((export.sql, 14), (earlier.statement(export.sql), LINEAR)):
                await explaining.execute(PLANNING if times == LINEAR else "RESET ALL")
                rows = read(await explained(explaining, sql, *export.values))
                if rows > times * ROWS:
                    wrong.append((listed.path, representation, int(rows), "as of" if times == LINEAR else "now"))
    assert not wrong, "\n".join(map(str, wrong))


class Loop:
    """The most seconds of CPU that the event loop's thread has spent between two turns of a task that always waits."""

    def __init__(self) -> None:
        self.most = 0.0

    @asynccontextmanager
    async def watched(self) -> AsyncIterator[None]:
        watching = asyncio.create_task(self._watch())
        await asyncio.sleep(0.01)
        self.most = 0.0
        try:
            yield
            await asyncio.sleep(0.01)
        finally:
            watching.cancel()

    async def _watch(self) -> None:
        last = time.thread_time()
        while True:
            await asyncio.sleep(0.002)
            now = time.thread_time()
            self.most = max(self.most, now - last)
            last = now


@pytest.mark.longer
async def test_no_answer_keeps_the_event_loop(grown: RunningApp, explaining: asyncpg.Connection) -> None:
    """In CPU of its thread, so that a busy machine is no finding."""
    revision = await explaining.fetchval("SELECT max(first) - 1 FROM revision")
    loop, wrong = Loop(), []
    asked = [question async for question in questions(grown.client, revision, grown.name)]
    contract = json.loads((FOLDERS[grown.name] / "openapi.json").read_text())["paths"]
    tables = [
        f"{question}&format=csv"
        for question in asked
        if "text/csv" in str(contract.get(question.partition("?")[0], "")) and not re.search("limit=|cursor=", question)
    ]
    assert len(tables) > 10
    for question in [*asked, *tables]:
        async with loop.watched():
            answer = await grown.client.get(question, headers=asking(question))
        assert answer.status_code == 200, (question, answer.text)
        if loop.most > LOOP_SECONDS:
            wrong.append((question, round(loop.most, 3), len(answer.content)))
    assert not wrong, "\n".join(map(str, wrong))


@dataclass
class Spent:
    """What the exports of one kind took: rows, seconds, and seconds of CPU of the service and of PostgreSQL."""

    rows: int = 0
    seconds: float = 0.0
    service: float = 0.0
    database: float = 0.0


@pytest.mark.longer
@pytest.mark.parametrize("grown", ["funding"], indirect=True)
def test_ndjson_has_half_the_rows_per_second_of_csv_or_more(grown: RunningApp, postgres: Postgres) -> None:
    """Over HTTP from a process of its own, in turns; so many bytes more are sent for each row."""
    spent = {"csv": Spent(), "ndjson": Spent()}
    with serving("funding", serving_url(grown.database_url)) as (child, port):
        pids = child.process.pid, postgres.child.process.pid
        for number in range(3):
            for form in sorted(spent, reverse=bool(number % 2)):
                before, began = [processes.cpu(pid) for pid in pids], time.perf_counter()
                rows = exported_rows(port, f"/funding/v1/ledger?format={form}")
                spent[form].seconds += time.perf_counter() - began
                service, database = (processes.cpu(pid) - was for pid, was in zip(pids, before, strict=True))
                spent[form].service += service
                spent[form].database += database
                spent[form].rows += rows - (form == "csv")
    csv, ndjson = spent["csv"], spent["ndjson"]
    print(csv, ndjson)
    assert csv.rows == ndjson.rows >= 3 * ROWS
    for figure in ("seconds", "service"):
        ratio = (ndjson.rows / getattr(ndjson, figure)) / (csv.rows / getattr(csv, figure))
        assert ratio >= 0.5, (figure, ratio, spent)


@contextmanager
def serving(service: str, url: str) -> Iterator[tuple[Child, int]]:
    """A service in a process of its own, and its port."""
    port = free_port()
    env = {**os.environ, "HOST": LOOPBACK, "PORT": str(port), "DATABASE_URL": url}
    with Child(service, [sys.executable, "-m", f"mmptf_{service}", "serve"], env=env) as child:
        wait_until(lambda: answers_ready(f"http://{LOOPBACK}:{port}/health/ready"), child, seconds=60)
        yield child, port


def exported_rows(port: int, path: str) -> int:
    """The lines of an export; a body that breaks off raises IncompleteRead."""
    with closing(http.client.HTTPConnection(LOOPBACK, port, timeout=600)) as connection:
        connection.request("GET", path)
        response = connection.getresponse()
        assert response.status == 200
        lines = 0
        while piece := response.read(65_536):
            lines += piece.count(b"\n")
    return lines
