"""The complete matrix of the ledger's rules over HTTP: kind of entry, status of its programme, and who sends it."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from typing import Any, get_args

import pytest

from mmptf_common.wire.codes import ProgrammeStatus
from mmptf_funding.ledger import rules
from mmptf_funding.ledger.domain import LedgerEntryKindSent
from mmptf_funding.ledger.lifecycle import BY_STATUS, Role, cell
from tests.conftest import RunningApp, running_app
from tests.integration.changes import amend, write
from tests.integration.ledger_client import (
    ADMIN,
    AGENT,
    ILO,
    IOM,
    LEDGER,
    STATEMENT,
    UNIT,
    Json,
    LedgerClient,
    Who,
    body,
    copied,
    running_ledger,
)
from tests.serving import served

STATUSES = get_args(ProgrammeStatus.__value__)
CODES = ("MKD-01", "SRB-01", "MDA-01", "TJK-01", "TTO-01", "GMB-01", "ETH-01", "ECU-01", "ZAF-01", "TUR-01", "TUR-02")
OF_STATUS = dict(zip(STATUSES, CODES, strict=True))
# From then on the programmes have the statuses that they are named for.
THEN = "2025-01-01"
ROLES: dict[Role, Who] = {
    "agent": AGENT,
    "management_unit": UNIT,
    "organization": IOM,
    "another_organization": ILO,
}


def stated(status: str, **members: Any) -> Json:
    history = [
        {"status": name, "date": day, "date_precision": "day"}
        for name, day in (("approved", "2024-01-01"), (status, THEN))
    ]
    return {
        "status": status, "status_history": history, "organizations": [{"code": "IOM", "name": "IOM"}],
        "budget": {"amount": "1000.00", "currency": "USD", "stage": "allocation"},
        "budget_lines": [{"organization": "IOM", "year": 2025, "category": "travel", "amount": "500.00"}], **members,
    }  # fmt: skip


@pytest.fixture(scope="module")
async def catalogue(new_database: Callable[[str], str]) -> AsyncIterator[RunningApp]:
    """A catalogue with a programme of every status, each of which was approved for a year before."""
    async with running_app("catalog", new_database("catalog"), None) as running:
        await write(running, *(amend(code, "programme", **stated(status)) for status, code in OF_STATUS.items()))
        yield running


@pytest.fixture(scope="module")
async def lived(new_database: Callable[[str], str], catalogue: RunningApp) -> AsyncIterator[LedgerClient]:
    """A ledger in which every one of them received money in that year."""
    async with served(catalogue.app) as url, running_ledger(new_database("funding"), url) as ledger:
        before: list[Json] = [body("deposit", "100000.00", "2024-01-01", contributor="DEU")]
        for code in CODES:
            before.append(body("allocation", "600.00", "2024-02-01", programme=code, reference="SC-1"))
            before.append(body("transfer", "300.00", "2024-03-01", programme=code, organization="IOM"))
        before.append(body("commitment", "50.00", "2024-01-01", contributor="DEU"))
        answer = await ledger.batch(*before)
        assert answer.status_code == 200, answer.text
        yield ledger


def sent(kind: str, status: str) -> Json:
    members: Json = {"programme": OF_STATUS[status]}
    needs = rules.KINDS[kind].needs
    members |= {"organization": "IOM"} if "organization" in needs else {"reference": "SC-2"}
    members |= {"category": "travel"} if "category" in needs else {}
    return body(kind, "1.00", "2025-06-01", **members)


def without_programme(kind: str, commitment: str) -> Json:
    """An entry of a kind that names no programme, with what it needs."""
    members = {"contributor": "DEU", "follows": commitment, "amendment": "increase", "account": "USD-1",
               "counterpart_fund": "Another fund"}  # fmt: skip
    needed = {name: members[name] for name in sorted(rules.KINDS[kind].needs)}
    return body(kind, "1.00", "2025-06-01", reference="SC-2", **needed)


MATRIX = [(kind, status) for kind in BY_STATUS for status in STATUSES]


OTHERS = [kind for kind in get_args(LedgerEntryKindSent.__value__) if kind not in BY_STATUS]


@pytest.mark.parametrize("role", ROLES)
async def test_every_cell_of_the_table_is_what_is_answered(lived: LedgerClient, role: Role) -> None:
    who = ROLES[role]
    (commitment,) = await lived.rows(kind="commitment")
    cells = [(cell(kind, status, role), sent(kind, status), status) for kind, status in MATRIX]
    cells += [(cell(kind, None, role), without_programme(kind, commitment["code"]), "") for kind in OTHERS]
    rows = [row for _, row, _ in cells]
    report = (await lived.batch(*rows, who=who, partial="true", dry_run="true")).json()
    for (expected, row, status), found in zip(cells, report["outcomes"], strict=True):
        answer = await lived.post(who, row, dry_run="true") if found["outcome"] == "written" else None
        if expected.outcome == "refused":
            assert answer is None, (row, status)
            (error,) = found["errors"]
            assert error["code"] == expected.code
            if expected.code == "forbidden":
                assert (found["status"], error["detail"]) == (403, expected.text)
            else:
                assert found["status"] == 422
                assert error["detail"].endswith(f"was {status}: {expected.text}")
                assert error["pointer"].endswith("/programme")
            continue
        assert answer is not None and answer.status_code == 201, (row, found)
        entry = answer.json()
        explained = f"{entry['programme']} was {status} on 2025-06-01: {expected.text}."
        flagged = [{"flag": expected.code, "detail": explained, "excess": None}]
        assert entry["flag_details"] == (flagged if expected.outcome == "flagged" else []), row


async def test_an_administrator_writes_every_kind_that_the_status_allows(lived: LedgerClient) -> None:
    report = await lived.batch(*(sent(kind, status) for kind, status in MATRIX), partial="true", dry_run="true")
    for (kind, status), found in zip(MATRIX, report.json()["outcomes"], strict=True):
        assert (found["outcome"] == "refused") == (BY_STATUS[kind][status].outcome == "refused")


async def test_what_is_flagged_is_explained_and_found(lived: LedgerClient) -> None:
    taken = [(kind, status) for kind, status in MATRIX if BY_STATUS[kind][status].outcome != "refused"]
    report = (await lived.batch(*(sent(kind, status) for kind, status in taken))).json()
    by_code = {row["code"]: row for row in await lived.rows()}
    flagged = set()
    for (kind, status), row in zip(taken, report["outcomes"], strict=True):
        rule, item = BY_STATUS[kind][status], by_code[row["code"]]
        if rule.outcome == "flagged":
            flagged.add(item["code"])
            explained = f"{OF_STATUS[status]} was {status} on 2025-06-01: {rule.why}."
            assert item["flag_details"] == [{"flag": "unusual_for_status", "detail": explained, "excess": None}]
        assert item["flags"] == [detail["flag"] for detail in item["flag_details"]]
        assert bool(item["flags"]) == (rule.outcome == "flagged"), (kind, status, item["flags"])
    assert {row["code"] for row in await lived.rows(flag="unusual_for_status")} == flagged


async def test_allocations_and_contributions_stand_side_by_side_with_the_reason_of_their_difference(
    lived: LedgerClient,
) -> None:
    statement = await lived.get(f"{STATEMENT}/programmes", on="2024-12-31")
    compared = statement["compared"]
    assert (compared["budgets"]["amount"], compared["programmes"]) == ("11000.00", 11)
    assert (compared["allocations"]["amount"], compared["difference"]["amount"]) == ("6600.00", "4400.00")
    assert compared["reason"].startswith("The ledger has no allocation for 0 of the 11 programmes")
    budget = statement["items"][0]["budget"]
    assert (budget["difference"]["amount"], budget["reason"]) == (
        "400.00", "A part of the approved budget is not allocated yet, or an entry is missing.",
    )  # fmt: skip
    (now, *_) = (await lived.get("/funding/v1/progress"))["targets"]
    (contributed,) = now["contributed"]
    beside = contributed["ledger"]
    assert (beside["deposits"]["amount"], beside["difference"]["amount"]) == ("100000.00", "57325741.00")
    assert beside["reason"] == (
        "The source does not say whether the contributions are commitments or deposits. It prints more than the"
        f" deposits that are entered in the ledger up to {contributed['as_of']}."
    )
    (printed,) = (await lived.get("/funding/v1/capitalization"))["printed"]
    assert printed == {name: contributed[name] for name in ("stage", "basis", "sum", "link", "as_of", "ledger")}


async def test_what_was_spent_before_is_entered_after_the_end(lived: LedgerClient) -> None:
    """The status is that on the day of the entry, and a mistake is reversed whatever the status is now."""
    closed = OF_STATUS["financially_closed"]
    spent = {"programme": closed, "organization": "IOM", "category": "travel"}
    entered = await lived.enter("expenditure", "5.00", "2024-12-31", **spent)
    assert entered["flags"] == ["unusual_for_status"]
    assert "was approved on 2024-12-31" in entered["flag_details"][0]["detail"]
    assert (await lived.reverse(entered["code"], "2025-07-01")).status_code == 201


async def test_amounts_beyond_the_budget_are_flagged_with_what_exceeds_it(
    lived: LedgerClient, catalogue: RunningApp
) -> None:
    programme = OF_STATUS["implementation"]
    own = {"programme": programme, "organization": "IOM"}

    async def excess(kind: str, amount: str, **members: Any) -> dict[str, str | None]:
        entered = await lived.enter(kind, amount, "2025-08-01", **members)
        return {each["flag"]: each["excess"] and each["excess"]["amount"] for each in entered["flag_details"]}

    # 600.00 and 1.00 are allocated, and the budget is 1000.00.
    assert await excess("allocation", "399.00", programme=programme) == {}
    assert await excess("allocation", "0.01", programme=programme) == {"allocation_exceeds_budget": "0.01"}
    # 500.00 are planned for travel; a fifth more is within the tolerance.
    assert await excess("transfer", "600.00", **own) == {}
    assert await excess("expenditure", "598.00", category="travel", **own) == {}
    over = await excess("expenditure", "10.00", category="travel", **own)
    assert over == {"expenditure_exceeds_budget_line": "9.00"}
    assert await excess("expenditure", "42.63", category="indirect_costs", **own) == {
        "expenditure_exceeds_budget_line": "42.63"
    }
    assert await excess("expenditure", "0.01", category="indirect_costs", **own) == {
        "expenditure_exceeds_budget_line": "42.64", "indirect_costs_exceed_limit": "0.01",
    }  # fmt: skip
    assert await excess("refund", "500.00", **own) == {"refund_exceeds_unspent": "251.64"}
    # The same reference of the bank, in any case; the entry that was reversed does not count.
    first = await lived.enter("transfer", "1.00", "2025-08-02", bank_reference="Ref 1", **own)
    entered = await lived.enter("transfer", "1.00", "2025-08-02", bank_reference="REF 1", **own)
    (detail,) = entered["flag_details"]
    assert detail == {
        "flag": "repeated_bank_reference", "excess": None,
        "detail": f"{first['code']} has the same reference of the bank, REF 1.",
    }  # fmt: skip
    twice = [body("interest", "1.00", "2025-08-02", bank_reference="Ref 1") for _ in range(2)]
    codes = [row["code"] for row in (await lived.batch(*twice)).json()["outcomes"]]
    assert [(await lived.get(f"{LEDGER}/{code}"))["flags"] for code in codes] == [[], ["repeated_bank_reference"]]
    for code in (first["code"], entered["code"]):
        assert (await lived.reverse(code, "2025-08-03")).status_code == 201
    assert await excess("transfer", "1.00", bank_reference="ref 1", **own) == {}

    # Who has received money accounts for it, also after it has left the programme.
    await write(catalogue, amend(programme, "programme", organizations=[{"code": "ILO", "name": "ILO"}]))
    await copied(lived.running, catalogue)
    left = await excess("expenditure", "0.01", category="travel", **own)
    assert "no_longer_taking_part" in left
    assert "no_longer_taking_part" in await excess("refund", "0.01", **own)
    refused = await lived.post(ADMIN, body("transfer", "1.00", "2025-08-01", **own))
    assert [error["code"] for error in refused.json()["errors"]] == ["not_taking_part"]


async def test_a_transfer_is_compared_day_by_day_with_what_is_allocated_to_the_organization(
    ledger: LedgerClient,
) -> None:
    programme = {"programme": "ETH-01"}
    own = {**programme, "organization": "ILO"}
    await ledger.enter("deposit", "100.00", "2024-01-10", contributor="DEU")
    named = await ledger.enter("allocation", "10.00", "2024-02-01", **own)
    await ledger.enter("allocation", "1.00", "2024-02-01", **programme, organization="WHO")
    assert (await ledger.reverse(named["code"], "2024-03-01")).status_code == 201
    await ledger.enter("allocation", "10.00", "2024-03-01", **programme)
    # Ten are allocated first to the organization and then to none in particular: on no day are there less.
    assert (await ledger.enter("transfer", "10.00", "2024-02-15", **own))["flags"] == []
    more = await ledger.enter("transfer", "0.50", "2024-02-15", **own)
    assert [(each["flag"], each["excess"]["amount"]) for each in more["flag_details"]] == [
        ("transfer_exceeds_organization_allocation", "0.50")
    ]
