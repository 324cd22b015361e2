"""The filters of several lists: by programme, organization and marker."""

from __future__ import annotations

from mmptf_common.lists.codes import codes_in, codes_named_in
from mmptf_common.lists.listing import Filter

PATH = "/markers/v1"


def ever(column: str) -> str:
    """SQL of the codes in a column of present and past programmes; a query with `as_of` may use codes of that time."""
    return f"{codes_named_in('programme', column)} UNION {codes_named_in('programme_past', column)}"


def organizations_in(table: str) -> str:
    """SQL of the codes of the organizations of programmes, as `codes_in` writes it."""
    # OFFSET 0: one text after the other is looked up. For an array of many texts the planner reads the whole table.
    return (
        "SELECT DISTINCT named FROM unnest({}) AS asked(code)"
        f" CROSS JOIN LATERAL (SELECT organizations FROM {table}"
        " WHERE lower_codes(organizations) @> ARRAY[asked.code] OFFSET 0) AS found"
        " CROSS JOIN LATERAL unnest(organizations) AS named WHERE lower(named) = asked.code"
    )


PROGRAMMES_EVER = f"{codes_in('programme')} UNION {codes_in('programme_past')}"
ORGANIZATIONS_EVER = f"{organizations_in('programme')} UNION {organizations_in('programme_past')}"
OF_PROGRAMME = Filter("programme = ANY({}::text[])", PROGRAMMES_EVER, "/catalog/v1/programmes")
OF_ORGANIZATION = Filter(
    "organization = ANY({}::text[])",
    f"{ORGANIZATIONS_EVER} UNION {codes_named_in('assessment', 'organization')}",
    "/catalog/v1/organizations",
    only="organizations that take part in a programme or have assessed one",
    columns=("organization",),
)
OF_MARKER = Filter(
    "marker = ANY({}::text[])",
    codes_named_in("rubric", "record->>'marker'"),
    f"{PATH}/rubrics",
    columns=("marker",),
)
