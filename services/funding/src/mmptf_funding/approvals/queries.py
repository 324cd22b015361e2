"""The lists of limits and of proposed transfers."""

from __future__ import annotations

from mmptf_common.lists.codes import codes_named_in
from mmptf_common.lists.listing import SOURCED, Filter, Listing
from mmptf_funding.approvals import schemas
from mmptf_funding.ledger.rules import PROPOSALS as PROPOSALS_PATH

LIMITS = Listing(
    path="/funding/v1/transfer-limits",
    entity="transfer_limit",
    item=schemas.TransferLimit,
    page=schemas.TransferLimitPage,
    rows="transfer_limit",
    query=schemas.TransferLimitQuery,
    sorts={"code": ("code", "text"), "since": ("since", "date")},
    filters={},
    columns={
        "code": "code",
        "since": "since",
        "amount": "amount",
        "currency": "record#>>'{amount,currency}'",
        "reason": "record->>'reason'",
        "reference": "record->>'reference'",
        "recorded_by": "record->>'recorded_by'",
        **SOURCED,
    },
)


def _named(column: str) -> Filter:
    return Filter(
        f"{column} = ANY({{}}::text[])",
        codes_named_in("transfer_proposal", column),
        PROPOSALS_PATH,
        only=f"{column}s that a proposal names",
    )


PROPOSALS = Listing(
    path=PROPOSALS_PATH,
    entity="transfer_proposal",
    item=schemas.TransferProposal,
    page=schemas.TransferProposalPage,
    rows="transfer_proposal",
    query=schemas.TransferProposalQuery,
    sorts={"code": ("code", "text")},
    filters={
        "state": Filter("state = ANY({}::text[])"),
        "programme": _named("programme"),
        "organization": _named("organization"),
    },
    columns={
        "code": "code",
        "state": "state",
        "date": "record#>>'{transfer,date}'",
        "amount": "record#>>'{transfer,sum,amount}'",
        "currency": "record#>>'{transfer,sum,currency}'",
        "programme": "programme",
        "organization": "organization",
        "proposed_person": "record#>>'{proposed,person}'",
        "proposed_at": "record#>>'{proposed,at}'",
        "decided_person": "record#>>'{decided,person}'",
        "decided_at": "record#>>'{decided,at}'",
        "reason": "record#>>'{decided,reason}'",
        "entry": "record->>'entry'",
        "updated": "record->>'updated'",
    },
)
