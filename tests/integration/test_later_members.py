"""Records with members that a later version has added: processes of this one show them, and change none of them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator

import asyncpg
import httpx
import pytest
from pydantic import BaseModel, ConfigDict, ValidationError

from mmptf_common.wire.problems import ServiceUnavailable
from mmptf_common.wire.stored_records import read_record, whole_record
from mmptf_local.cache import Cache
from mmptf_local.suite import Suite
from tests.conftest import asyncio_run
from tests.contract.contracts import OWN
from tests.contract.examples import examples_of
from tests.contract.prelude import prepare
from tests.serving import packaged_suite
from tests.suite import SERVICES
from tests.tokens import identity

# What is computed from a record may depend on a member that this version does not know.
COMPUTED = {"get_assessment_draft_score"}
LATER = "A later version of this service has written the record"


class Part(BaseModel):
    model_config = ConfigDict(extra="forbid")

    name: str


class Whole(Part):
    parts: list[Part]


KNOWN = {"name": "a", "parts": [{"name": "b"}]}
ADDED: list[dict[str, object]] = [{**KNOWN, "added": 1}, {"name": "a", "parts": [{"name": "b", "added": 1}]}]


@pytest.mark.parametrize("record", ADDED)
def test_an_added_member_is_left_out_and_never_lost(record: dict[str, object]) -> None:
    assert read_record(Whole, record) == read_record(Whole, KNOWN) == whole_record(Whole, KNOWN)
    with pytest.raises(ServiceUnavailable, match=LATER):
        whole_record(Whole, record)


@pytest.mark.parametrize("record", [{"name": "a"}, {"name": 1, "parts": [], "added": 1}])
def test_a_record_that_is_wrong_otherwise_is_no_later_one(record: dict[str, object]) -> None:
    for read in (read_record, whole_record):
        with pytest.raises(ValidationError):
            read(Whole, record)


@pytest.fixture(scope="module")
def later_suite(new_database: Callable[[str], str], redis_server: Cache) -> Iterator[Suite]:
    """The suite on records of which each has a member more than this version knows."""
    owners: list[str] = []

    def database(service: str) -> str:
        owners.append(new_database(service))
        return owners[-1]

    with packaged_suite(database, redis_server.url, **identity()) as suite:
        prepare(suite)
        for owner in owners:
            asyncio_run(add_member(owner))
        yield suite


async def add_member(owner: str) -> None:
    """Add a member to each record, as a migration or a process of a later version would."""
    connection = await asyncpg.connect(owner)
    try:
        tables = await connection.fetch(
            "SELECT relname FROM pg_class JOIN pg_attribute ON attrelid = pg_class.oid"
            " WHERE relnamespace = 'public'::regnamespace AND relkind = 'r' AND attname = 'record'"
        )
        assert tables
        for (table,) in tables:
            await connection.execute(f'ALTER TABLE "{table}" DISABLE TRIGGER USER')
            await connection.execute(
                f"""UPDATE "{table}" SET record = (record::jsonb || '{{"added_later": {{"of": 1}}}}')::json"""
            )
            await connection.execute(f'ALTER TABLE "{table}" ENABLE TRIGGER USER')
    finally:
        await connection.close()


def test_each_read_is_answered_and_each_write_done_or_refused(later_suite: Suite) -> None:
    became: Counter[str] = Counter()
    wrong = []
    for api in (*SERVICES, "gateway"):
        with httpx.Client(base_url=later_suite.urls[api], timeout=30) as client:
            for operation in (operation for operation in OWN if operation.api == api):
                example = examples_of(api)[operation.id]
                method, path = example["request"].split(" ")
                answer = client.request(method, path, **operation.sent)
                kind = "read" if operation.is_read and operation.id not in COMPUTED else "other"
                if answer.status_code == example["status"]:
                    became[f"{kind} answered"] += 1
                elif kind == "other" and answer.status_code == 503 and LATER in answer.text:
                    became["other refused"] += 1
                else:
                    wrong.append(f"{operation} {method} {path}: {answer.status_code} {answer.text[:300]}")
    assert not wrong, "\n".join(wrong)
    assert became["read answered"] > 150 and became["other answered"] > 5 and became["other refused"] > 20, became
