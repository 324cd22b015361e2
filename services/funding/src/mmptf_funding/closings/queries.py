"""The list of certificates of final figures, and the settlement of a programme from the ledger."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from decimal import Decimal
from typing import Any

from mmptf_common.http.snapshot import Snapshot
from mmptf_common.lists.codes import codes_in, codes_named_in
from mmptf_common.lists.listing import SOURCED, Filter, Listing
from mmptf_common.wire.money import money
from mmptf_common.wire.stored_records import read_record
from mmptf_funding.closings import rules, schemas
from mmptf_funding.closings.domain import Closing, OrganizationAccount, ProgrammeAccount
from mmptf_funding.ledger.domain import CURRENCY
from mmptf_funding.ledger.programmes import Programme

PATH = "/funding/v1"
Fetch = Callable[..., Awaitable[Any]]

CLOSINGS = Listing(
    path=f"{PATH}/closings",
    entity="closing",
    item=schemas.FinancialClosing,
    page=schemas.FinancialClosingPage,
    rows="closing",
    query=schemas.FinancialClosingQuery,
    sorts={"code": ("code", "text"), "date": ("date", "date")},
    filters={"state": Filter("state = ANY({}::text[])")},
    columns={
        "code": "code",
        "state": "state",
        "date": "date",
        "document": "record->>'document'",
        "signatory": "record->>'signatory'",
        "reason": "record->>'reason'",
        "recorded_by": "record->>'recorded_by'",
        **SOURCED,
    },
)
# The programmes of which a settlement is given: those of the copy, and those that entries name.
KNOWN = f"{codes_in('programme')} UNION {codes_named_in('ledger_entry', 'programme')}"

_ACCOUNT = """
    SELECT organization, max(date) AS last, coalesce(sum(amount) FILTER (WHERE kind = 'allocation'), 0) AS allocated,
           coalesce(sum(amount) FILTER (WHERE kind = 'transfer'), 0) AS transferred,
           coalesce(sum(amount) FILTER (WHERE kind = 'refund'), 0) AS refunded,
           coalesce(sum(amount) FILTER (WHERE kind = 'expenditure'), 0) AS expenditure
      FROM ledger_entry WHERE programme = $1 GROUP BY 1 ORDER BY 1"""


async def fetch_account(fetch: Fetch, code: str) -> ProgrammeAccount:
    """What the ledger has for a programme; fetch: of a connection or a snapshot."""
    rows = await fetch(_ACCOUNT, code)
    return ProgrammeAccount(
        allocated=sum((row["allocated"] for row in rows), Decimal(0)),
        organizations={
            row["organization"]: account
            for row in rows
            if row["organization"]
            and (account := OrganizationAccount(row["transferred"], row["refunded"], row["expenditure"]))
            != OrganizationAccount(Decimal(0), Decimal(0), Decimal(0))
        },
        last=max((row["last"] for row in rows), default=None),
    )


async def fetch_settlement(data: Snapshot, code: str, revision: int) -> schemas.ProgrammeSettlement | None:
    """The settlement of a programme; None where neither the catalogue nor an entry names it."""
    known = await data.fetchval("SELECT record::text FROM programme WHERE code = $1", code)
    programme = Programme.model_validate_json(known) if known else None
    account = await fetch_account(data.fetch, code)
    if programme is None and account.last is None:
        return None
    stored = await data.fetchval("SELECT record::text FROM closing WHERE code = $1 AND state = 'certified'", code)
    certificate = read_record(Closing, stored) if stored else None
    missing = rules.gaps(account, certificate)
    return schemas.ProgrammeSettlement(
        programme=code,
        status=programme and programme.status,
        allocated=money(account.allocated, CURRENCY),
        transferred=money(account.transferred, CURRENCY),
        organizations=[
            schemas.OrganizationSettlement(
                organization=organization,
                transferred=money(own.transferred, CURRENCY),
                refunded=money(own.refunded, CURRENCY),
                expenditure=money(own.expenditure, CURRENCY),
                unspent=money(own.unspent, CURRENCY),
                promised=money(certificate.promised(organization) if certificate else Decimal(0), CURRENCY),
            )
            for organization, own in account.organizations.items()
        ],
        certificate=read_record(schemas.FinancialClosing, stored) if stored else None,
        missing=[
            schemas.SettlementGap(
                kind=gap.kind,
                organization=gap.organization,
                amount=None if gap.amount is None else money(gap.amount, CURRENCY),
                detail=gap.detail,
            )
            for gap in missing
        ],
        settled=not missing,
        revision=revision,
    )
