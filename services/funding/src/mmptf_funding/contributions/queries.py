"""The listings of contributions and related tables, as SQL, and the progress towards the targets."""

from __future__ import annotations

from datetime import date
from decimal import Decimal
from typing import Any

from starlette.requests import Request
from starlette.responses import Response

from mmptf_common.http.parameters import TableQuery
from mmptf_common.http.snapshot import Snapshot, answer_computed
from mmptf_common.lists.codes import codes_in, codes_named_in
from mmptf_common.lists.listing import AS_MOMENT, AS_TEXT, SOURCED, Dimension, Filter, Listing, completed, once
from mmptf_common.lists.tables import cells_of, columns_of, csv_of
from mmptf_common.wire.money import money
from mmptf_common.wire.shares import share
from mmptf_common.wire.stored_records import read_record
from mmptf_funding.contributions.domain import last_day
from mmptf_funding.contributions.rules import reason_of_difference
from mmptf_funding.contributions.schemas import (
    CapitalizationProgress,
    CapitalizationTarget,
    CapitalizationTargetPage,
    CapitalizationTargetProgress,
    ContributedSum,
    Contribution,
    ContributionFilter,
    ContributionPage,
    ContributionQuery,
    ContributionTotalsQuery,
    Contributor,
    ContributorPage,
    ContributorQuery,
    DepositsBeside,
    FactQuery,
    MoneyStageDefinition,
    MoneyStageDefinitionPage,
    PrintedContributions,
    PublishedFigure,
    PublishedFigurePage,
    StageQuery,
    TargetQuery,
)
from mmptf_funding.models import CONTRIBUTION_ROLLUP

PATH = "/funding/v1"
COUNTRY = Filter(
    "country = ANY({}::text[])",
    codes_named_in("contributor", "country"),
    f"{PATH}/contributors",
    places="country",
    not_stated="country IS NULL",
    columns=("country",),
)
CONTRIBUTOR = Dimension("filtered.contributor", "(SELECT name FROM contributor AS named WHERE named.code = {})")

MONEY_STAGES = Listing(
    path=f"{PATH}/money-stages",
    entity="money_stage",
    item=MoneyStageDefinition,
    page=MoneyStageDefinitionPage,
    rows="money_stage",
    query=StageQuery,
    sorts={"number": ("position", "int4")},
    filters={},
    columns={"code": "code", "name": "record->>'name'", "definition": "record->>'definition'", **SOURCED},
)

CONTRIBUTORS = Listing(
    path=f"{PATH}/contributors",
    entity="contributor",
    item=Contributor,
    page=ContributorPage,
    rows="contributor",
    query=ContributorQuery,
    sorts={"code": ("code", "text"), "name": ('lower(name) COLLATE "C"', "text")},
    filters={
        "contributor_type": Filter("type = ANY({}::text[])"),
        "country": COUNTRY,
    },
    columns={
        "code": "code",
        "name": "name",
        "as_printed": "record->>'as_printed'",
        "type": "type",
        "country": "country",
        **SOURCED,
    },
)

CONTRIBUTIONS = Listing(
    path=f"{PATH}/contributions",
    entity="contribution",
    item=Contribution,
    page=ContributionPage,
    rows="contribution",
    query=ContributionQuery,
    sorts={"amount": ("amount", "numeric"), "code": ("code", "text"), "updated": ("updated", "timestamptz")},
    filters={
        "contributor": Filter(
            "contributor = ANY({}::text[])",
            codes_in("contributor"),
            f"{PATH}/contributors",
            columns=("contributor",),
        ),
        "contributor_type": Filter("contributor_type = ANY({}::text[])", columns=("contributor_type",)),
        "country": COUNTRY,
        "stage": Filter("money_stage = ANY({}::text[])", columns=("money_stage",)),
        "basis": Filter("basis = ANY({}::text[])", columns=("basis",)),
        "amount_min": Filter("amount >= {}::numeric"),
        "amount_max": Filter("amount <= {}::numeric"),
        "updated_since": Filter("updated >= {}::timestamptz"),
    },
    columns={
        "code": "code",
        "contributor": "contributor",
        "contributor_name": "record#>>'{contributor,name}'",
        "contributor_type": "contributor_type",
        "country": "country",
        "amount": "amount",
        "currency": "currency",
        "stage": "money_stage",
        "basis": "basis",
        "as_of": "record->>'as_of'",
        "as_of_precision": "record->>'as_of_precision'",
        "as_printed": "record->>'as_printed'",
        **SOURCED,
    },
    facets={
        "contributor": CONTRIBUTOR,
        "contributor_type": Dimension("filtered.contributor_type"),
        "country": Dimension("filtered.country"),
        "stage": Dimension("filtered.money_stage"),
        "basis": Dimension("filtered.basis"),
    },
    ranges={"amount": ("filtered.amount", AS_TEXT), "updated": ("filtered.updated", AS_MOMENT)},
    facet_query=ContributionFilter,
    totals={
        "contributor": CONTRIBUTOR,
        "contributor_type": Dimension("filtered.contributor_type"),
        "stage": Dimension("filtered.money_stage"),
        "basis": Dimension("filtered.basis"),
    },
    totals_query=ContributionTotalsQuery,
    split_by={"money_stage": "stage", "basis": "basis"},
    rollups=(CONTRIBUTION_ROLLUP,),
)

TARGETS = Listing(
    path=f"{PATH}/targets",
    entity="target",
    item=CapitalizationTarget,
    page=CapitalizationTargetPage,
    rows="target",
    query=TargetQuery,
    sorts={"due": ("due", "date"), "code": ("code", "text")},
    filters={},
    columns={
        "code": "code",
        "name": "record->>'name'",
        "amount": "amount",
        "currency": "currency",
        "event": "record->>'event'",
        "due": "record->>'due'",
        "due_precision": "record->>'due_precision'",
        "as_printed": "record->>'as_printed'",
        "verified": "record->>'verified'",
        **SOURCED,
    },
)

# The counterpart of a printed figure, computed from our rows: its value, the number of rows, and the link to them. The
# printed figures are of contributions of unspecified basis, so only those are counted.
_LISTED = "contribution WHERE money_stage = 'contribution'"

COMPUTED = f"""
    SELECT 'contributions_sum' AS way, coalesce(sum(amount), 0) AS value, count(*) AS rows,
           '{PATH}/contributions?stage=contribution' AS link FROM {_LISTED}
    UNION ALL
    SELECT 'member_states', count(DISTINCT contributor), count(*),
           '{PATH}/contributions?contributor_type=member_state&stage=contribution'
      FROM {_LISTED} AND contributor_type = 'member_state'
    UNION ALL
    SELECT 'share_of_target', trunc(coalesce(sum(contribution.amount), 0) * 100 / target.amount, 2), count(*),
           '{PATH}/progress'
      FROM {_LISTED.replace("WHERE", "CROSS JOIN target WHERE target.code = 'IMRF-2026' AND")} GROUP BY target.amount"""

# Until the computed figure was stored in the record, reads computed it; as of then they still do.
_FACTS = f"""(
    SELECT *, coalesce(record->'computed', (
           SELECT format('{{"value":"%s","difference":"%s","link":"%s","rows":%s}}', trim_scale(value)::text,
                         trim_scale(printed - value)::text, link, rows)::json
             FROM ({COMPUTED}) AS counted WHERE way = computed_by)) AS computed FROM fact) AS fact"""

# A stored link has no `as_of`; that of the request is added to it.
_LINK = "(computed->>'link')"
_LINK_AS_OF = f"{_LINK} || CASE WHEN strpos({_LINK}, '?') > 0 THEN '&' ELSE '?' END || '{{as_of}}'"
_FACT = completed("record::text", {"computed": "coalesce(computed::text, 'null')"})

FACTS = Listing(
    path=f"{PATH}/facts",
    entity="fact",
    item=PublishedFigure,
    page=PublishedFigurePage,
    rows=_FACTS,
    record=once(
        _FACT,
        f"""CASE WHEN '{{as_of}}' = '' OR computed IS NULL THEN whole
        ELSE replace(whole, '"' || {_LINK} || '"', '"' || {_LINK_AS_OF} || '"') END""",
    ),
    in_feed=completed("record::text", {"computed": "'null'"}),
    query=FactQuery,
    sorts={"code": ("code", "text")},
    filters={},
    columns={
        "code": "code",
        "name": "record->>'name'",
        "printed": "record#>>'{printed,value}'",
        "unit": "record#>>'{printed,unit}'",
        "qualifier": "record#>>'{printed,qualifier}'",
        "as_printed": "record#>>'{printed,as_printed}'",
        "computed": "computed->>'value'",
        "difference": "computed->>'difference'",
        "computed_from": f"'{{base_path}}' || CASE WHEN '{{as_of}}' = '' THEN {_LINK} ELSE {_LINK_AS_OF} END",
        "note": "record->>'note'",
        **SOURCED,
    },
)

_GIVEN = """
    SELECT *, (SELECT coalesce(sum(amount), 0) FROM ledger_entry_rollup_by_day
                WHERE kind = 'deposit' AND date <= as_of) AS deposited
      FROM (SELECT money_stage, basis, currency, sum(amount) AS amount, sum(n)::bigint AS rows,
                   max(most_as_of) AS as_of
              FROM contribution_rollup GROUP BY 1, 2, 3) AS given
     ORDER BY 1, 2, 3"""
# The currency of the ledger.
_LEDGER_CURRENCY = "USD"


async def answer_progress(request: Request, query: TableQuery) -> Response:
    """Contributions as an exact share of every target, separately for each stage and basis."""

    async def build(data: Snapshot, revision: int) -> CapitalizationProgress:
        targets = await data.fetch("SELECT record, amount, currency FROM target ORDER BY due DESC, code")
        given = await data.fetch(_GIVEN)
        progress = [
            CapitalizationTargetProgress(
                target=stated,
                contributed=[
                    _contributed(g, row["amount"], last_day(stated.due, stated.due_precision), data)
                    for g in given
                    if g["currency"] == row["currency"]
                ],
            )
            for row in targets
            if (stated := read_record(CapitalizationTarget, row["record"]))
        ]
        return CapitalizationProgress(targets=progress, revision=revision)

    return await answer_computed(request, query, build, table=_progress_as_csv)


PROGRESS_COLUMNS = ["target", *columns_of(ContributedSum)]


def _progress_as_csv(progress: CapitalizationProgress) -> bytes:
    """One row for each target, stage and basis."""
    return csv_of(
        PROGRESS_COLUMNS,
        (
            {"target": towards.target.code, **cells_of(contributed)}
            for towards in progress.targets
            for contributed in towards.contributed
        ),
    )


def _contributed(given: Any, wanted: Decimal, last: date, data: Snapshot) -> ContributedSum:
    """What was given at one stage and on one basis, and its share of a target of `wanted` by the day `last`."""
    return ContributedSum(
        stage=given["money_stage"],
        basis=given["basis"],
        sum=money(given["amount"], given["currency"]),
        rows=given["rows"],
        link=data.link(f"{PATH}/contributions", basis=given["basis"], stage=given["money_stage"]),
        as_of=given["as_of"],
        after_due=given["as_of"] > last,
        share=share(given["amount"], wanted),
        ledger=_beside_ledger(given) if given["currency"] == _LEDGER_CURRENCY else None,
    )


def _beside_ledger(given: Any) -> DepositsBeside:
    """The deposits of the ledger beside what was given at one stage and on one basis, both in its currency."""
    printed, deposited = given["amount"], given["deposited"]
    return DepositsBeside(
        deposits=money(deposited, _LEDGER_CURRENCY),
        difference=money(printed - deposited, _LEDGER_CURRENCY),
        reason=reason_of_difference(given["money_stage"], given["as_of"], printed, deposited),
    )


async def fetch_printed(data: Snapshot) -> list[PrintedContributions]:
    """What sources print as contributed in the currency of the ledger, beside its deposits."""
    return [
        PrintedContributions(
            stage=given["money_stage"],
            basis=given["basis"],
            sum=money(given["amount"], given["currency"]),
            link=data.link(f"{PATH}/contributions", basis=given["basis"], stage=given["money_stage"]),
            as_of=given["as_of"],
            ledger=_beside_ledger(given),
        )
        for given in await data.fetch(_GIVEN)
        if given["currency"] == _LEDGER_CURRENCY
    ]
