"""The listings of programmes and drafts, as SQL over their tables, and a programme's card."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, date, datetime

from starlette.requests import Request
from starlette.responses import Response

from mmptf_catalog.code_lists.queries import PATH, PLACES
from mmptf_catalog.programmes.domain import SOURCED, STAGE_OF_STATUS, ProgrammeDraft
from mmptf_catalog.programmes.schemas import (
    DraftQuery,
    PipelineQuery,
    PipelineStatement,
    Programme,
    ProgrammeDraftPage,
    ProgrammeFacts,
    ProgrammeFilter,
    ProgrammePage,
    ProgrammeQuery,
    ProgrammeTotalsQuery,
    StatusCount,
)
from mmptf_common.http.snapshot import Snapshot, answer_computed
from mmptf_common.lists.codes import codes_in
from mmptf_common.lists.listing import (
    AS_MOMENT,
    AS_TEXT,
    NO_AMOUNT,
    Arguments,
    Dimension,
    Filter,
    Listing,
    amount_filters,
    completed,
    own_codes,
)
from mmptf_common.lists.search import search_in
from mmptf_common.lists.tables import cells_of, columns_of, csv_of
from mmptf_common.routers.cards import CardData
from mmptf_common.storage.journal import DRAFT_JOURNAL
from mmptf_common.storage.records import read_packaged
from mmptf_common.wire.codes import NOT_STATED
from mmptf_common.wire.links import link
from mmptf_common.wire.sources import PrintedCount
from mmptf_common.wire.stored_records import read_record


def _several(column: str, table: str) -> Dimension:
    """The dimension of a column with several codes; a row without any counts under null."""
    return Dimension(
        value="v.code",
        name=f"(SELECT name FROM {table} AS named WHERE named.code = {{}})",
        join=f"LEFT JOIN LATERAL unnest(filtered.{column}) AS v(code) ON true",
    )


FACETS = {
    "thematic_area": Dimension(
        "filtered.thematic_area", "(SELECT name FROM thematic_area AS named WHERE named.code = {})"
    ),
    "objective": _several("objectives", "objective"),
    "country": _several("countries", "place"),
    "region": _several("regions", "place"),
    "organization": _several("organizations", "organization"),
    "stage": Dimension("filtered.stage"),
}
# What the budget is not divided by: a programme counts under each of its values.
COUNTED = {
    name: Dimension("v.code", join=f"LEFT JOIN LATERAL unnest(filtered.{column}) AS v(code) ON true")
    for name, column in (("partner_kind", "partner_kinds"), ("beneficiary", "beneficiaries"))
}


def _attributed(division: str) -> Dimension:
    """The dimension for totals by a division, read from the attribution stored when the programme was written."""
    return _divided(division, f"jsonb_each_text(filtered.attribution->'{division}')")


def _divided(division: str, parts: str) -> Dimension:
    """The dimension for totals by a division; parts: SQL of the codes of a programme with their amounts."""
    listed = FACETS[division]
    return replace(
        listed,
        value="v.code",
        join=f"CROSS JOIN LATERAL {parts} AS v(code, amount)",
        amount="v.amount::numeric",
        listed=replace(listed, value=f"coalesce({listed.value}, '{NOT_STATED}')"),
    )


# SQL of the status of a programme on a day, which `{}` stands for: the last of those from this day on or earlier, null
# where none is known. Days are texts of the same form, so that their order is that of time.
_STATUS_ON = (
    "jsonb_path_query_array(stated, '$.status_history[*] ? (@.date <= $day).status',"
    " jsonb_build_object('day', {}::text)) ->> -1"
)


def _with_status(statuses: Sequence[str], arguments: Arguments, day: str | None) -> str:
    """SQL of the condition that a programme has one of these statuses, at present or on a day."""
    if day is None:
        return f"stated->>'status' = ANY({arguments.bind(statuses)}::text[])"
    status = _STATUS_ON.format(arguments.bind(day))
    return f"coalesce({status}, '{NOT_STATED}') = ANY({arguments.bind(statuses)}::text[])"


def _with_status_on(day: str, arguments: Arguments, statuses: Sequence[str]) -> str:
    """SQL of the condition that a status on a day is known; where statuses are asked for, these say which."""
    return "true" if statuses else f"{_STATUS_ON.format(arguments.bind(day))} IS NOT NULL"


# The budget lines of each organization, which add up to the budget where there are any; else the attribution.
_BY_ORGANIZATION = """(
    SELECT line->>'organization', sum((line->>'amount')::numeric)::text
      FROM jsonb_array_elements(filtered.stated->'budget_lines') AS line GROUP BY 1
     UNION ALL
    SELECT * FROM jsonb_each_text(filtered.attribution->'organization')
     WHERE coalesce(filtered.stated->'budget_lines', '[]') = '[]')"""


def _texts_of(member: str, *names: str) -> str:
    """SQL of texts of the entries of a list in a record, one after the other; no phrase reaches from one to another."""
    texts = ", ".join(f"entry->>'{name}'" for name in names)
    return (
        f"(SELECT string_agg(concat_ws(' ' || chr(1) || ' ', {texts}), ' ' || chr(1) || ' ')"
        f" FROM json_array_elements(record->'{member}') AS listed(entry))"
    )


def _cell(member: str, text: str) -> str:
    """SQL of a cell with a text of each entry of a list in a record, which `|` separates, so none has it within it."""
    return (
        f"(SELECT string_agg(replace({text}, '|', '/'), '|')"
        f" FROM jsonb_array_elements(record->'{member}') AS listed(entry))"
    )


# What `q` searches, beside the names of the places.
TEXTS = (
    "record->>'title'",
    "record->>'summary'",
    _texts_of("partners", "name"),
    _texts_of("components", "name", "text"),
    _texts_of("localities", "name"),
)
# Records of before have none of these lists.
_LISTS = dict.fromkeys(SOURCED, "'[]'")
COUNTRIES = codes_in("place", where="kind = 'country'")

DRAFTS = Listing(
    path=f"{PATH}/drafts",
    entity="draft",
    item=ProgrammeDraft,
    page=ProgrammeDraftPage,
    rows="draft",
    # A draft of before had the code that its programme was to have.
    record=completed("record::text", {"programme_code": "(record->'code')::text"}, _LISTS),
    journal=DRAFT_JOURNAL,
    query=DraftQuery,
    sorts={"code": ("code", "text"), "updated": ("updated", "timestamptz")},
    filters={
        "q": search_in(
            "draft",
            *TEXTS,
            places="EXISTS (SELECT FROM json_array_elements(record->'places') AS place"
            " WHERE place->>'code' = ANY({}::text[]))",
        )
    },
    columns={
        "code": "code",
        "organization": "organization",
        "programme_code": "coalesce(record->>'programme_code', code)",
        **{name: f"record->>'{name}'" for name in ("title", "summary", "thematic_area", "budget", "updated")},
    },
)

PROGRAMMES = Listing(
    path=f"{PATH}/programmes",
    entity="programme",
    item=Programme,
    page=ProgrammePage,
    rows="programme",
    record=completed("record::text", _LISTS),
    query=ProgrammeQuery,
    sorts={
        "code": ("code", "text"),
        # Null where no title is stated, since the order of such a programme is by its places.
        "title": ("""coalesce((left(stated->>'title', 0) COLLATE "C") || title_order, {last})""", "text"),
        "budget": ("coalesce(amount, {last})", "numeric"),
        "updated": ("updated", "timestamptz"),
    },
    filters={
        "code": own_codes("programme", "programme"),
        "thematic_area": Filter(
            "thematic_area = ANY({}::text[])",
            codes_in("thematic_area"),
            f"{PATH}/thematic-areas",
            not_stated="thematic_area IS NULL",
        ),
        "objective": Filter(
            "objectives && {}::text[]", codes_in("objective"), f"{PATH}/objectives", not_stated="objectives = '{}'"
        ),
        "country": Filter(
            "countries && {}::text[]",
            COUNTRIES,
            f"{PATH}/places?kind=country",
            places="country",
            not_stated="countries = '{}'",
        ),
        "region": replace(PLACES.filters["region"], not_stated="regions = '{}'"),
        "organization": Filter(
            "organizations && {}::text[]",
            codes_in("organization"),
            f"{PATH}/organizations",
            not_stated="organizations = '{}'",
        ),
        "partner_kind": Filter("partner_kinds && {}::text[]", not_stated="partner_kinds = '{}'"),
        "beneficiary": Filter("beneficiaries && {}::text[]", not_stated="beneficiaries = '{}'"),
        "stage": Filter("stage = ANY({}::text[])"),
        "status": Filter(_with_status, beside="status_on"),
        "status_on": Filter(_with_status_on, beside="status"),
        "budget_stage": Filter("money_stage = ANY({}::text[])", not_stated="money_stage IS NULL"),
        **amount_filters("budget"),
        "q": search_in("programme", *TEXTS, places="countries && {}::text[]"),
        "updated_since": Filter("updated >= {}::timestamptz"),
    },
    columns={
        "code": "code",
        "title": "record->>'title'",
        "summary": "record->>'summary'",
        "thematic_area": "thematic_area",
        "thematic_area_name": "record#>>'{thematic_area,name}'",
        "objectives": "array_to_string(objectives, '|')",
        "countries": "array_to_string(countries, '|')",
        "place_label": "record->>'place_label'",
        "organizations": "array_to_string(organizations, '|')",
        "partners": _cell("partners", "entry->>'name'"),
        "partner_kinds": _cell("partners", "entry->>'kind'"),
        "beneficiaries": _cell("beneficiaries", "entry->>'name'"),
        "beneficiary_groups": _cell("beneficiaries", "entry->>'group'"),
        "components": _cell("components", "entry->>'text'"),
        "localities": _cell("localities", "entry->>'name'"),
        "figures": _cell(
            "figures", "concat_ws(': ', entry->>'subject', coalesce(entry->>'as_printed', entry->>'value'))"
        ),
        "budget_amount": "amount",
        "budget_currency": "currency",
        "budget_stage": "money_stage",
        "budget_precision": "record#>>'{budget,precision}'",
        "budget_as_printed": "record#>>'{budget,as_printed}'",
        "budget_source_document": "record#>>'{budget,sources,0,document}'",
        "budget_source_line": "record#>>'{budget,sources,0,line}'",
        "status": "record->>'status'",
        "stage": "stage",
        "start_date": "record#>>'{duration,start}'",
        "end_date": "record#>>'{duration,end}'",
        # In a path, PostgreSQL counts a negative number from the end of the first array in the record, whichever it is.
        "status_date": "record->'status_history'->-1->>'date'",
        "not_stated": "(SELECT string_agg(gap->>'field', '|') FROM jsonb_array_elements(record->'gaps') AS gap)",
        "updated": "record->>'updated'",
    },
    facets={**FACETS, **COUNTED},
    ranges={"budget": ("filtered.amount", AS_TEXT), "updated": ("filtered.updated", AS_MOMENT)},
    facet_query=ProgrammeFilter,
    totals_query=ProgrammeTotalsQuery,
    totals={
        **{division: _attributed(division) for division in FACETS},
        "organization": _divided("organization", _BY_ORGANIZATION),
    },
    split_by={"money_stage": "budget_stage"},
    printed=read_packaged("mmptf_catalog", "printed_counts", PrintedCount),
    omitted=(replace(NO_AMOUNT, drilldown={"budget_stage": NOT_STATED}),),
)


_COUNTED = f"SELECT coalesce({_STATUS_ON.format('$1')}, '{NOT_STATED}') AS status, count(*) FROM programme GROUP BY 1"
PIPELINE_COLUMNS = columns_of(StatusCount)


async def answer_pipeline(request: Request, query: PipelineQuery) -> Response:
    """How many programmes had which status on a day, by the dates of their statuses."""
    day = query.on or datetime.now(UTC).date().isoformat()

    async def build(data: Snapshot, revision: int) -> PipelineStatement:
        counts = dict(await data.fetch(_COUNTED, day))
        return PipelineStatement(
            on=date.fromisoformat(day),
            programmes=sum(counts.values()),
            statuses=[
                StatusCount(
                    status=status,
                    stage=stage,
                    programmes=counts.get(status, 0),
                    link=data.link(PROGRAMMES.path, status=status, status_on=day),
                )
                for status, stage in STAGE_OF_STATUS.items()
            ],
            revision=revision,
        )

    return await answer_computed(
        request,
        query.model_copy(update={"on": day}),
        build,
        # Without a day it is another one tomorrow, although nothing is written.
        beside="" if query.on else day,
        table=lambda answer: csv_of(PIPELINE_COLUMNS, map(cells_of, answer.statuses)),
    )


async def programme_card(data: Snapshot, code: str) -> CardData | None:
    """A programme's card, built from its record; None where there is no such programme."""
    row = await data.fetchrow("SELECT record, updated FROM programme WHERE code = $1", code)
    if row is None:
        return None
    path = f"{PROGRAMMES.path}/{code}"
    return CardData(
        facts=read_record(ProgrammeFacts, row["record"]),
        changed=row["updated"],
        links={"programme": data.link(path), "history": link(f"{path}/history")},
    )
