"""The listing of ledger entries."""

from __future__ import annotations

from mmptf_common.lists.codes import codes_among, codes_in, codes_named_in
from mmptf_common.lists.listing import Arguments, Dimension, Filter, Listing, completed
from mmptf_common.wire.codes import NOT_STATED, THEMATIC_AREAS
from mmptf_funding.ledger import schemas
from mmptf_funding.ledger.domain import CURRENCY
from mmptf_funding.models import LEDGER_ROLLUP_BY_DAY, LEDGER_ROLLUP_BY_KIND, LEDGER_ROLLUP_BY_PARTY

PATH = "/funding/v1"


def _coded(column: str, name: str = "NULL::text") -> Dimension:
    """The dimension of a member that some kinds of entries do not have."""
    return Dimension(f"coalesce(filtered.{column}, '{NOT_STATED}')", name)


LISTED_AT = f"{PATH}/ledger/facets"
_AREA_NAMES = ", ".join(f"('{code}', '{name}')" for code, name in THEMATIC_AREAS.items())
CONTRIBUTOR = _coded("contributor", "(SELECT name FROM contributor AS named WHERE named.code = {})")
PROGRAMME = _coded("programme", "(SELECT record->>'title' FROM programme AS named WHERE named.code = {})")


def _of_areas(areas: list[str], arguments: Arguments) -> str:
    """SQL of whether an entry is money of thematic areas: of its programme, of a fee its deposit, or else its own."""
    named = f"{arguments.bind(areas)}::text[]"
    return f"""(
        entry.programme = ANY(ARRAY(SELECT code FROM programme WHERE record#>>'{{thematic_area,code}}' = ANY({named})))
        OR (entry.programme IS NULL AND entry.kind <> 'agent_fee' AND entry.thematic_area = ANY({named}))
        OR (entry.kind = 'agent_fee' AND EXISTS (
            SELECT FROM ledger_entry AS followed
             WHERE followed.code = entry.follows COLLATE "C" AND followed.thematic_area = ANY({named}))))"""


_OF_NO_AREA = """(CASE
    WHEN entry.programme IS NOT NULL THEN NOT EXISTS (
        SELECT FROM programme AS named
         WHERE named.code = entry.programme AND record#>>'{thematic_area,code}' IS NOT NULL)
    WHEN entry.kind = 'agent_fee' THEN NOT EXISTS (
        SELECT FROM ledger_entry AS followed
         WHERE followed.code = entry.follows COLLATE "C" AND followed.thematic_area IS NOT NULL)
    ELSE entry.thematic_area IS NULL END)"""

DIMENSIONS = {
    "kind": Dimension("filtered.kind"),
    "contributor": CONTRIBUTOR,
    "programme": PROGRAMME,
    "organization": _coded("organization"),
    "thematic_area": _coded(
        "thematic_area", f"(SELECT name FROM (VALUES {_AREA_NAMES}) AS named(code, name) WHERE named.code = {{}})"
    ),
    "category": _coded("category"),
    "account": _coded("account"),
    "decision": _coded("decision"),
}

# One, with so many decimals that a quotient is exact enough to be rounded to the cent.
PRECISE = "1.000000000000000000000000"

# The members of entries that those written before the first of them existed have not.
_ADDED = {
    "corrects": "'null'", "value_date": "'null'", "account": "'null'", "bank_reference": "'null'",
    "instalments": "'[]'", "replaces": "'[]'", "replaced_by": "'null'", "amendment": "'null'", "decision": "'null'",
    "fee": "'null'", "counterpart_fund": "'null'", "attachments": "'[]'", "flag_details": "'[]'",
    "proposal": "'null'",
}  # fmt: skip


def settled_amount(entry: str, commitment: str) -> str:
    """SQL of what a deposit or an amendment settles or changes of a commitment, in the commitment's own currency.

    As `rules.settled`. entry: the name of its row; commitment: that of a row with `own_currency` and `own_amount`, its
    promise in its own currency, and `amount`, the same in US dollars
    """
    return f"""CASE WHEN coalesce({entry}.original_currency, '{CURRENCY}') = {commitment}.own_currency
         THEN coalesce({entry}.original_amount, {entry}.amount)
         ELSE round({entry}.amount * {commitment}.own_amount * {PRECISE} / {commitment}.amount, 2) END"""


LEDGER = Listing(
    path=f"{PATH}/ledger",
    entity="ledger_entry",
    item=schemas.LedgerEntry,
    page=schemas.LedgerEntryPage,
    rows=f"(SELECT *, kind AS money_stage, NULL::text AS basis, '{CURRENCY}' AS currency FROM ledger_entry) AS entry",
    table="ledger_entry",
    # Until reversals amended the reversed entry, its `reversed_by` was looked up; as of then it still is. An index of
    # `reverses` has the order of its own column, and that of `code` is another one.
    record=completed(
        "record::text",
        {
            "reversed_by": """coalesce(
            (SELECT to_json(code)::text FROM ledger_entry AS later
              WHERE later.reverses = entry.code COLLATE "default"), 'null')"""
        },
        _ADDED,
    ),
    in_feed=completed("record::text", {"reversed_by": "'null'"}, _ADDED),
    query=schemas.EntryQuery,
    sorts={"code": ("code", "text"), "date": ("date", "date"), "amount": ("amount", "numeric")},
    filters={
        "kind": Filter("kind = ANY({}::text[])", columns=("kind",)),
        "contributor": Filter(
            "contributor = ANY({}::text[])",
            codes_in("contributor"),
            f"{PATH}/contributors",
            not_stated="contributor IS NULL",
        ),
        **{
            name: Filter(f"{name} = ANY({{}}::text[])", codes, LISTED_AT, not_stated=f"{name} IS NULL", only=only)
            for name, codes, only in (
                ("programme", codes_named_in("ledger_entry", "programme"), "programmes that an entry names"),
                ("organization", codes_named_in("ledger_entry", "organization"), "organizations that an entry names"),
                ("account", codes_named_in("ledger_entry", "account"), "accounts that an entry names"),
                ("decision", codes_named_in("ledger_entry", "decision"), "decisions that an entry names"),
                (
                    "thematic_area",
                    f"{codes_named_in('ledger_entry', 'thematic_area')} UNION {codes_among(THEMATIC_AREAS)}",
                    None,
                ),
            )
        },
        "earmark": Filter(
            _of_areas,
            f"{codes_named_in('ledger_entry', 'thematic_area')} UNION {codes_among(THEMATIC_AREAS)}",
            "/catalog/v1/thematic-areas",
            not_stated=_OF_NO_AREA,
        ),
        "category": Filter("category = ANY({}::text[])", not_stated="category IS NULL"),
        # Only entries with a flag are in the index.
        "flag": Filter("flags && {}::text[] AND flags <> '{{}}'", not_stated="flags = '{}'"),
        "reversal": Filter(lambda value, _: f"reverses IS {'NOT ' if value == 'true' else ''}NULL"),
        "date_from": Filter("date >= {}::text::date", columns=("date",)),
        "date_to": Filter("date <= {}::text::date", columns=("date",)),
        "value_date_from": Filter("value_date >= {}::text::date"),
        "value_date_to": Filter("value_date <= {}::text::date"),
        "corrects": Filter(
            "corrects = ANY({}::text[])", codes_in("ledger_entry"), f"{PATH}/ledger", not_stated="corrects IS NULL"
        ),
        "bank_reference": Filter("lower(bank_reference) = lower({}::text)"),
    },
    columns={
        "code": "code",
        "kind": "kind",
        "date": "date",
        "amount": "amount",
        "currency": "currency",
        "original_amount": "record#>>'{original,sum,amount}'",
        "original_currency": "record#>>'{original,sum,currency}'",
        "rate": "record#>>'{original,rate}'",
        "rate_date": "record#>>'{original,rate_date}'",
        "rate_source": "record#>>'{original,rate_source}'",
        "contributor": "contributor",
        "programme": "programme",
        "organization": "organization",
        "thematic_area": "thematic_area",
        "category": "category",
        "tranche": "record->>'tranche'",
        "follows": "follows",
        "reverses": "reverses",
        "corrects": "corrects",
        "replaces": "array_to_string(replaces, '|')",
        "amendment": "record->>'amendment'",
        "counterpart_fund": "record->>'counterpart_fund'",
        "value_date": "value_date",
        "account": "account",
        "bank_reference": "bank_reference",
        "decision": "decision",
        "reference": "record->>'reference'",
        "note": "record->>'note'",
        "flags": "array_to_string(flags, '|')",
        "recorded_by": "record->>'recorded_by'",
        "proposal": "record->>'proposal'",
        "updated": "record->>'updated'",
    },
    facets={name: Dimension(f"filtered.{name}", d.name) for name, d in DIMENSIONS.items()}
    | {"flag": Dimension("v.code", join="LEFT JOIN LATERAL unnest(filtered.flags) AS v(code) ON true")},
    ranges={"date": ("filtered.date", "({})::text"), "amount": ("filtered.amount", "({})::text")},
    facet_query=schemas.EntryFilter,
    totals={
        **DIMENSIONS,
        "year": Dimension(
            "to_char(filtered.date, 'YYYY')",
            drilldown=lambda _, year: {"date_from": f"{year}-01-01", "date_to": f"{year}-12-31"},
        ),
    },
    totals_query=schemas.EntryTotalsQuery,
    split_by={"money_stage": "kind"},
    # Of what a filter by a party finds, an index has the rows, which may be fewer than those of the rollup by party.
    rollups=(LEDGER_ROLLUP_BY_KIND, LEDGER_ROLLUP_BY_PARTY, LEDGER_ROLLUP_BY_DAY),
)
