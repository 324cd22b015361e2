"""The listings of editions, as SQL over their tables, and the reconciliation of printed and computed figures."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from starlette.requests import Request
from starlette.responses import Response

from mmptf_common.http.negotiation import representation
from mmptf_common.http.parameters import ListQuery, TableQuery
from mmptf_common.http.snapshot import Snapshot, answer_computed, snapshot
from mmptf_common.lists.codes import codes_in, codes_named_in
from mmptf_common.lists.facets import answer_facets
from mmptf_common.lists.listing import (
    AS_MOMENT,
    AS_TEXT,
    SOURCED,
    Dimension,
    Filter,
    Listing,
    Omission,
    Statement,
    amount_filters,
    completed,
)
from mmptf_common.lists.pages import answer_list, fetch_item, kind_of_page
from mmptf_common.lists.search import search_in
from mmptf_common.lists.tables import table_of
from mmptf_common.storage.engines import ReadKind
from mmptf_common.wire.codes import NONE, SHARED
from mmptf_common.wire.links import link
from mmptf_funding.editions import rules, schemas
from mmptf_funding.editions.domain import ReconciledTotal, RegionSum, SummedTotal
from mmptf_funding.models import (
    REQUIREMENT_ROLLUP,
    REQUIREMENT_ROLLUP_BY_POPULATION,
    REQUIREMENT_ROLLUP_BY_POPULATIONS,
    REQUIREMENT_ROLLUP_BY_TOPIC,
    REQUIREMENT_ROLLUP_BY_TOPICS,
)

PATH = "/funding/v1"
# The path that lists the codes in all editions, with the number of requirements of each.
LISTED_AT = f"{PATH}/requirements/facets"
OF_EDITION = Filter("edition = ANY({}::text[])", codes_in("edition"), f"{PATH}/editions", columns=("edition",))


def last_line_of(locator: str) -> str:
    """SQL of the last line of a locator such as `lines 115-117`; null for any other."""
    return f"substring({locator} from '^lines [0-9]+-([0-9]+)$')"


def _of_note(member: str) -> str:
    """SQL of a part of the source of an edition's note; null where it has none."""
    return (
        f"(SELECT {member} FROM jsonb_array_elements(record->'sources') AS listed(source)"
        " WHERE source->>'field' = 'note')"
    )


EDITIONS = Listing(
    path=f"{PATH}/editions",
    entity="edition",
    item=schemas.Edition,
    page=schemas.EditionPage,
    rows="edition",
    # Records of before have no annotations, and those of earlier still no sources.
    record=completed("record::text", {"sources": "'[]'"}, {"annotations": "'[]'"}),
    query=schemas.EditionQuery,
    sorts={"code": ("code", "text")},
    filters={},
    columns={
        "code": "code",
        **{name: f"record->>'{name}'" for name in ("name", "publisher", "year", "document", "currency", "note")},
        "note_line": _of_note("source->>'line'"),
        "note_last_line": _of_note(last_line_of("source->>'locator'")),
        "annotations": """(SELECT string_agg(
            concat_ws(':', entry->>'text', concat_ws('-', entry->>'line',
                      nullif(entry->>'last_line', entry->>'line'))), '|' ORDER BY n)
            FROM jsonb_array_elements(record->'annotations') WITH ORDINALITY AS listed(entry, n))""",
    },
)

# The lists below an edition's path; exported as CSV they are tables of the import template.
VOCABULARY = Listing(
    path=f"{PATH}/editions/{{edition}}/vocabulary",
    entity="term",
    item=schemas.VocabularyTerm,
    page=schemas.VocabularyTermPage,
    rows="term",
    record=completed("record::text", {"covers": "'[]'"}),
    query=schemas.TermQuery,
    sorts={"position": ("position", "int4"), "name": ('lower(name) COLLATE "C"', "text")},
    filters={"kind": Filter("kind = ANY({}::text[])")},
    columns={
        "edition": "edition",
        "kind": "kind",
        "code": "term",
        "name": "name",
        "as_printed": "(SELECT string_agg(printed, '|') FROM jsonb_array_elements_text(record->'as_printed')"
        " AS p(printed))",
        "region_code": "region",
        "country_code": "country",
        "covers": "(SELECT string_agg(code, '|') FROM jsonb_array_elements_text(record->'covers') AS named(code))",
        "footnote": "record->>'footnote'",
        "note": "record->>'note'",
    },
)

PRINTED_TOTALS = Listing(
    path=f"{PATH}/editions/{{edition}}/printed-totals",
    entity="printed_total",
    item=schemas.PrintedTotal,
    page=schemas.PrintedTotalPage,
    rows="printed_total",
    record=completed("record::text", {"confidence": "'\"high\"'"}),
    query=schemas.PrintedTotalQuery,
    sorts={"position": ("position", "int4")},
    filters={"division": Filter("division = ANY({}::text[])"), "unit": Filter("unit = ANY({}::text[])")},
    columns={
        "code": "code",
        "edition": "edition",
        "division": "division",
        "region_code": "region",
        "value": "value",
        "unit": "unit",
        "printed": "CASE unit WHEN 'USD' THEN printed::text ELSE record->>'per_cent' END",
        "as_printed": "record->>'as_printed'",
        "source_document": "record#>>'{sources,0,document}'",
        "source_line": "record#>>'{sources,0,line}'",
        "confidence": "coalesce(record->>'confidence', 'high')",
        "note": "record->>'note'",
        "repeated_line": "record#>>'{sources,1,line}'",
    },
)

PARTNERS = Listing(
    path=f"{PATH}/editions/{{edition}}/partners",
    entity="partner",
    item=schemas.Partner,
    page=schemas.PartnerPage,
    rows="partner",
    query=schemas.PartnerQuery,
    sorts={"position": ("position", "int4"), "name": ('lower(name) COLLATE "C"', "text")},
    filters={
        "kind": Filter("kind = ANY({}::text[])"),
        "country": Filter(
            "country = ANY({}::text[])",
            codes_named_in("partner", "country"),
            "/catalog/v1/places",
            places="country",
            not_stated="country IS NULL",
        ),
        "q": search_in(
            "partner", "record->>'as_printed'", "name", places="coalesce(country, 'none') = ANY({}::text[])"
        ),
    },
    columns={
        "code": "code",
        "edition": "edition",
        "as_printed": "record->>'as_printed'",
        "name": "name",
        "kind": "kind",
        "kind_as_printed": "record#>>'{sources,1,as_printed}'",
        "country_code": "country",
        "contributor_code": "record->>'contributor'",
        "organization_code": "record->>'organization'",
        "footnote": "record->>'footnote'",
        "note": "record->>'note'",
        **{name: sql for name, sql in SOURCED.items() if name in ("source_document", "source_line")},
        "source_last_line": last_line_of("record#>>'{sources,0,locator}'"),
    },
)


# The kinds of which a requirement may have several terms -> the column with their codes.
_SEVERAL = {"target_population": "populations", "topic": "topics"}


def _term(column: str, kind: str) -> Dimension:
    """The dimension of a column with codes of terms; the names are those of the latest edition with the term."""
    return Dimension(
        f"filtered.{column}",
        f"(SELECT name FROM term WHERE kind = '{kind}' AND term = {{}} ORDER BY edition DESC LIMIT 1)",
    )


def _known(kind: str) -> Filter:
    codes = codes_in("term", "term", f"kind = '{kind}'")
    if column := _SEVERAL.get(kind):
        return Filter(f"{column} && {{}}::text[]", codes, LISTED_AT, not_stated=f"{column} = '{{}}'")
    return Filter(f"{kind} = ANY({{}}::text[])", codes, LISTED_AT, columns=(kind,))


def _number_of(column: str) -> Filter:
    """The filter by how many terms of a kind a requirement has."""
    return Filter(lambda value, _: f"cardinality({column}) {_NUMBERS[value]}", columns=(column,))


def _each_of(kind: str) -> Dimension:
    """The dimension of a kind of which a requirement may have several terms; it counts under each of them."""
    join = f"LEFT JOIN LATERAL unnest(filtered.{_SEVERAL[kind]}) AS v(code) ON true"
    return replace(_term(_SEVERAL[kind], kind), value="v.code", join=join)


def _one_of(kind: str) -> Dimension:
    """The dimension of sums by the same: the amount of several terms is shared, since their parts are not stated."""
    column = _SEVERAL[kind]

    def drilldown(_: str, value: str) -> dict[str, str]:
        """The filters that select exactly the rows of one group."""
        named = f"{column}_named"
        if value in (SHARED, NONE):
            return {named: "several" if value == SHARED else "none"}
        return {named: "one", kind: value}

    value = (
        f"CASE cardinality(filtered.{column}) WHEN 0 THEN '{NONE}' WHEN 1 THEN filtered.{column}[1] ELSE '{SHARED}' END"
    )
    return replace(_term(column, kind), value=value, drilldown=drilldown)


# The countries that places cover beside their own: edition, term and the code of such a country.
_COVERED = """(SELECT edition, term, named.country
                 FROM term, json_array_elements_text(record->'covers') AS named(country)
                WHERE kind = 'place') AS covered"""
# The places of countries, with those that cover them; the country of a requirement is that of its place.
_PLACES_OF = """FROM term WHERE kind = 'place' AND (coalesce(country, 'none') = ANY({0}::text[]) OR EXISTS (
    SELECT FROM json_array_elements_text(record->'covers') AS named(country) WHERE named.country = ANY({0}::text[])))"""


_HEADING_END = last_line_of("record#>>'{sources,1,locator}'")
_PLACE_END = last_line_of(
    "(CASE WHEN heading_line IS NULL THEN record#>'{sources,1}' ELSE record#>'{sources,2}' END->>'locator')"
)


def cell_of(member: str, entry: str) -> str:
    """SQL of a cell with the entries of a member of the record; entry: SQL of the text of one."""
    texts = f"SELECT string_agg({entry}, '|') FROM jsonb_array_elements(record->'{member}') AS listed(entry)"
    return f"CASE WHEN record->'{member}'->0 IS NOT NULL THEN ({texts}) END"


# The countries of a filter that regions cover and no place is or covers, in the order of editions and regions.
_WITHOUT_REQUIREMENT = """
    SELECT coalesce(json_agg(json_build_object(
               'country', named.country, 'edition', edition, 'region', term,
               'detail', named.country || ' is covered by the region ' || term || ' of ' || edition
                         || ', which states no requirement for it.') ORDER BY edition, position, named.country),
           '[]')::text
      FROM term AS region, json_array_elements_text(record->'covers') AS named(country)
     WHERE kind = 'region' AND named.country = ANY($1::text[]) AND ($2::text[] = '{}' OR edition = ANY($2::text[]))
       AND NOT EXISTS (SELECT FROM term AS place WHERE place.kind = 'place' AND place.edition = region.edition
                          AND (place.country = named.country OR EXISTS (
                               SELECT FROM json_array_elements_text(place.record->'covers') AS also(country)
                                WHERE also.country = named.country)))"""


def _without_requirement(query: schemas.RequirementQuery) -> Statement | None:
    """The statement of the remarks of an empty page of requirements; None where no country was asked for."""
    return Statement(_WITHOUT_REQUIREMENT, (query.country, query.edition)) if query.country else None


NAMED = "CASE cardinality({}) WHEN 0 THEN 'none' WHEN 1 THEN 'one' ELSE 'several' END"
_NUMBERS = {"none": "= 0", "one": "= 1", "several": "> 1"}
BY_TERM = {kind: _term(kind, kind) for kind in ("region", "place", "area")}
# As the filter finds countries: also those that the place of a requirement covers.
COUNTRIES = Dimension(
    "v.code",
    "(SELECT name FROM term WHERE kind = 'place' AND lower(coalesce(country, 'none')) = lower({})"
    " AND country IS NOT NULL ORDER BY edition DESC LIMIT 1)",
    f"""CROSS JOIN LATERAL (
        SELECT filtered.country UNION SELECT covered.country FROM {_COVERED}
         WHERE covered.edition = filtered.edition AND covered.term = filtered.place) AS v(code)""",
)
COUNTRY = replace(COUNTRIES, value="filtered.country", join="", listed=COUNTRIES)

REQUIREMENTS = Listing(
    path=f"{PATH}/requirements",
    entity="requirement",
    item=schemas.Requirement,
    page=schemas.RequirementPage,
    # The edition is the basis of the sums, so that requirements of two editions are never added together.
    rows="(SELECT *, 'requirement' AS money_stage, edition AS basis, 'USD' AS currency FROM requirement) AS rows",
    table="requirement",
    # Records of before have no purpose, and those of earlier still no note on how they were read.
    record=completed(
        "record::text",
        {"reading_note": "'null'"},
        {"purpose": "'null'", "topics": "'[]'", "narrative": "'[]'", "funders_named": "'[]'"},
    ),
    query=schemas.RequirementQuery,
    sorts={
        "code": ("code", "text"),
        "amount": ("coalesce(amount, {last})", "numeric"),
        "updated": ("updated", "timestamptz"),
    },
    filters={
        "edition": OF_EDITION,
        "region": _known("region"),
        "country": Filter(
            # The array is for the index; a place is in another country, or covers others, in its own edition only.
            f"place = ANY(ARRAY(SELECT term {_PLACES_OF})) AND (edition, place) IN (SELECT edition, term {_PLACES_OF})",
            codes_named_in("term", "coalesce(country, 'none')", "kind = 'place'"),
            LISTED_AT,
            places="country",
            columns=("edition", "place"),
        ),
        "place": _known("place"),
        "area": _known("area"),
        "status": Filter("status = ANY({}::text[])", columns=("status",)),
        "target_population": _known("target_population"),
        "populations_named": _number_of("populations"),
        "topic": _known("topic"),
        "topics_named": _number_of("topics"),
        **amount_filters("amount"),
        "updated_since": Filter("updated >= {}::timestamptz"),
        "q": search_in(
            "requirement",
            *("place_name", "place_as_printed", "region_name", "area_name", "area_as_printed", "purpose"),
            "(SELECT string_agg(topic->>'name', ' ' || chr(1) || ' ') FROM json_array_elements(record->'topics')"
            " AS named(topic))",
            places="country = ANY({}::text[])",
            named=True,
        ),
    },
    # The columns of the template, without the time of the last change: the export of an edition is the same, byte for
    # byte, in every database that it was imported into.
    columns={
        "code": "code",
        "edition": "edition",
        "region_code": "region",
        "region": "region_name",
        "place_code": "place",
        "place": "place_name",
        "place_as_printed": "place_as_printed",
        "country_code": "nullif(country, 'none')",
        "area_code": "area",
        "area": "area_name",
        "area_as_printed": "area_as_printed",
        "amount_usd": "amount",
        "status": "status",
        "implied_amount_usd": "implied",
        "amount_as_printed": "as_printed",
        "target_populations": "nullif(array_to_string(populations, '|'), '')",
        "confidence": "confidence",
        "note": "note",
        "reading_note": "record->>'reading_note'",
        "source_document": "source_document",
        "source_line": "source_line",
        "source_locator": "source_locator",
        "heading_line": "heading_line",
        "heading_last_line": f"CASE WHEN heading_line IS NOT NULL THEN {_HEADING_END} END",
        "place_line": "place_line",
        "place_last_line": f"CASE WHEN place_line IS NOT NULL THEN {_PLACE_END} END",
        "target_populations_line": "populations_line",
        "purpose": "purpose",
        "topics": cell_of("topics", "concat_ws(':', entry->>'code', entry->>'line')"),
        "narrative": cell_of(
            "narrative",
            "concat_ws('-', entry->>'first', nullif(entry->>'last', entry->>'first'))",
        ),
        "funders_named": cell_of("funders_named", "concat_ws(':', entry->>'as_printed', entry->>'line')"),
    },
    facets={
        "edition": Dimension("filtered.edition", "(SELECT name FROM edition WHERE code = {})"),
        **BY_TERM,
        "country": COUNTRIES,
        "status": Dimension("filtered.status"),
        "topic": _each_of("topic"),
        "topics_named": Dimension(NAMED.format("filtered.topics")),
        "target_population": _each_of("target_population"),
        "populations_named": Dimension(NAMED.format("filtered.populations")),
    },
    ranges={"amount": ("filtered.amount", AS_TEXT), "updated": ("filtered.updated", AS_MOMENT)},
    facet_query=schemas.RequirementFilter,
    totals={
        **BY_TERM,
        "country": COUNTRY,
        "topic": _one_of("topic"),
        "target_population": _one_of("target_population"),
        "status": Dimension("filtered.status"),
    },
    totals_query=schemas.RequirementTotalsQuery,
    totals_path="/totals",
    split_by={"basis": "edition"},
    summed={"status": "required"},
    omitted=(
        Omission(
            "filtered.status = 'funded'",
            "funded: the source prints this word in place of an amount; it is neither zero nor unknown",
            {"status": "funded"},
        ),
        Omission(
            "filtered.status = 'missing_in_source'",
            "the amount is missing in the source; what other figures imply is no amount of the source",
            {"status": "missing_in_source"},
        ),
    ),
    rollups=(
        REQUIREMENT_ROLLUP_BY_POPULATIONS,
        REQUIREMENT_ROLLUP_BY_TOPICS,
        REQUIREMENT_ROLLUP,
        REQUIREMENT_ROLLUP_BY_POPULATION,
        REQUIREMENT_ROLLUP_BY_TOPIC,
    ),
    remarks=_without_requirement,
)

# Of initiatives, which have no place of their own but countries: those of places in a region, in their own edition.
_IN_REGION = """EXISTS (
    SELECT FROM (SELECT edition AS named_in, country AS located, region AS around FROM term
                  WHERE kind = 'place') AS placed
     WHERE named_in = edition AND located = ANY(countries)"""
_AREA_OF_INITIATIVE = replace(_known("area"), columns=(), not_stated="area IS NULL")

INITIATIVES = Listing(
    path=f"{PATH}/initiatives",
    entity="initiative",
    item=schemas.Initiative,
    page=schemas.InitiativePage,
    rows="initiative",
    # Records of before have no notes of readers, or no countries.
    record=completed(
        "record::text",
        {"countries": "'[]'", "area": "'null'", "partners": "'[]'", "footnote": "'null'"},
        {"reading_note": "'null'", "target": "'null'", "target_as_printed": "'null'"},
    ),
    query=schemas.InitiativeQuery,
    sorts={"position": ("position", "int4")},
    filters={
        "edition": OF_EDITION,
        "kind": Filter("kind = ANY({}::text[])"),
        "area": _AREA_OF_INITIATIVE,
        "country": Filter(
            "countries && {}::text[]",
            "SELECT DISTINCT named.country FROM initiative, unnest(countries) AS named(country)"
            " WHERE lower(named.country) = ANY({})",
            f"{PATH}/initiatives/facets",
            places="country",
            not_stated="countries = '{}'",
        ),
        "region": Filter(
            f"{_IN_REGION} AND around = ANY({{}}::text[]))",
            _known("region").codes,
            LISTED_AT,
            not_stated=f"NOT {_IN_REGION})",
        ),
        "q": search_in("initiative", "record->>'name'", "section", "record->>'buys'"),
    },
    columns={
        "code": "code",
        "edition": "edition",
        "kind": "kind",
        "section": "section",
        "name": "record->>'name'",
        "amount": "amount",
        "currency": "currency",
        "amount_as_printed": "record->>'as_printed'",
        "precision": "record->>'precision'",
        "period": "record->>'period'",
        "overall_amount": "record#>>'{overall,amount}'",
        "overall_currency": "record#>>'{overall,currency}'",
        "overall_as_printed": "record->>'overall_as_printed'",
        "target_amount": "record#>>'{target,amount}'",
        "target_currency": "record#>>'{target,currency}'",
        "target_as_printed": "record->>'target_as_printed'",
        "target_line": "CASE WHEN record->>'target_as_printed' IS NOT NULL THEN record#>>'{sources,1,line}' END",
        "buys": "record->>'buys'",
        "instrument": "record->>'instrument'",
        "confidence": "record->>'confidence'",
        "note": "record->>'note'",
        "reading_note": "record->>'reading_note'",
        **{name: sql for name, sql in SOURCED.items() if name in ("source_document", "source_line")},
        "source_last_line": last_line_of("record#>>'{sources,0,locator}'"),
        "area_code": "area",
        "area_line": """CASE WHEN area IS NOT NULL THEN (
            SELECT source->>'line' FROM jsonb_array_elements(record->'sources') AS listed(source)
             WHERE source->>'field' = 'area') END""",
        "countries": cell_of("countries", "concat_ws(':', entry->>'code', entry->>'line')"),
        "partners": cell_of("partners", "concat_ws(':', entry->>'as_printed', entry->>'line')"),
        "footnote": "record->>'footnote'",
    },
    facets={
        "edition": Dimension("filtered.edition", "(SELECT name FROM edition WHERE code = {})"),
        "kind": Dimension("filtered.kind"),
        "area": _term("area", "area"),
        "country": replace(COUNTRIES, join="LEFT JOIN LATERAL unnest(filtered.countries) AS v(code) ON true"),
        "region": replace(
            _term("region", "region"),
            value="v.code",
            join="""LEFT JOIN LATERAL (
                SELECT DISTINCT region FROM term
                 WHERE kind = 'place' AND edition = filtered.edition AND country = ANY(filtered.countries)
                ) AS v(code) ON true""",
        ),
    },
    facet_query=schemas.InitiativeFilter,
)


FIGURES = Listing(
    path=f"{PATH}/editions/{{edition}}/figures",
    entity="figure",
    item=schemas.StatedFigure,
    page=schemas.StatedFigurePage,
    rows="figure",
    query=schemas.FigureQuery,
    sorts={"position": ("position", "int4"), "value": ("coalesce(value, {last})", "numeric")},
    filters={
        "region": replace(_known("region"), columns=(), not_stated="region IS NULL"),
        "country": Filter(
            "countries && {}::text[]",
            "SELECT DISTINCT named.country FROM figure, unnest(countries) AS named(country)"
            " WHERE lower(named.country) = ANY({})",
            "/catalog/v1/places",
            places="country",
            not_stated="countries = '{}'",
        ),
        "measure": Filter("measure = ANY({}::text[])"),
        "unit": Filter("unit = ANY({}::text[])"),
        "qualifier": Filter("qualifier = ANY({}::text[])"),
        "year": Filter("year_from <= {0}::int AND coalesce(year_to >= {0}::int, true)"),
        "q": search_in("figure", "record->>'subject'", "record->>'place'", places="countries && {}::text[]"),
    },
    columns={
        "code": "code",
        "edition": "edition",
        "region_code": "region",
        "countries": "nullif(array_to_string(countries, '|'), '')",
        "place": "record->>'place'",
        "measure": "measure",
        "subject": "record->>'subject'",
        "value": "record->>'value'",
        "value_to": "record->>'value_to'",
        "unit": "unit",
        "currency": "record->>'currency'",
        "qualifier": "qualifier",
        "stage": "record->>'stage'",
        "year_from": "year_from",
        "year_to": "year_to",
        "area_code": "record->>'area'",
        "scope": "record->>'scope'",
        "as_printed": "record->>'as_printed'",
        "stated_source": "record->>'stated_source'",
        "stated_source_line": "record#>>'{sources,1,line}'",
        "footnote": "record->>'footnote'",
        "note": "record->>'note'",
        "reading_note": "record->>'reading_note'",
        **{name: sql for name, sql in SOURCED.items() if name in ("source_document", "source_line")},
        "source_last_line": last_line_of("record#>>'{sources,0,locator}'"),
    },
    facets={
        "region": _term("region", "region"),
        "measure": Dimension("filtered.measure"),
        "country": replace(COUNTRIES, join="LEFT JOIN LATERAL unnest(filtered.countries) AS v(code) ON true"),
        "unit": Dimension("filtered.unit"),
    },
    facet_query=schemas.FigureFilter,
)


async def answer_of_edition(request: Request, listing: Listing, edition: str, query: ListQuery) -> Response:
    """A page or export of a list below an edition's path; 404 when there is no such edition."""
    kind = kind_of_page(listing, query) if representation(request, query) == "json" else ReadKind.EXPORT
    async with snapshot(request, kind, query) as data:
        found = await fetch_item(data, EDITIONS, edition, parameter="edition")
    if isinstance(found, Response):
        return found
    path = listing.path.format(edition=edition)
    return await answer_list(request, replace(listing, path=path, fixed={"edition = {}::text": edition}), query)


async def answer_facets_of_edition(request: Request, listing: Listing, edition: str, query: TableQuery) -> Response:
    """The counts by each filter of a list below an edition's path; 404 when there is no such edition."""
    async with snapshot(request, ReadKind.COMPUTED, query) as data:
        found = await fetch_item(data, EDITIONS, edition, parameter="edition")
    if isinstance(found, Response):
        return found
    path = listing.path.format(edition=edition)
    return await answer_facets(request, replace(listing, path=path, fixed={"edition = {}::text": edition}), query)


# The sum of the rows behind each figure that an edition prints. Those of a rollup are grouped once by region, place and
# area, so that the work does not grow with rows times figures.
_SUMMED_TOTALS = """WITH cell AS (
        SELECT region, place, area, sum(amount) AS amount, sum(n) FILTER (WHERE amount_stated) AS summed,
               sum(n) AS rows, sum(n) FILTER (WHERE status = 'funded') AS funded,
               sum(n) FILTER (WHERE status = 'missing_in_source') AS missing, sum(implied) AS implied
          FROM requirement_rollup WHERE edition = $1 GROUP BY 1, 2, 3)
    SELECT p.code, p.division, p.region, p.value, p.record->>'name' AS name, p.unit, p.printed,
           p.record->>'per_cent' AS per_cent, p.record->>'as_printed' AS as_printed,
           coalesce(p.record->>'confidence', 'high') AS confidence, p.record->>'note' AS note,
           sum(c.amount) AS computed, sum(c.implied) AS implied, coalesce(sum(c.summed), 0)::int AS summed,
           coalesce(sum(c.rows), 0)::int AS rows, coalesce(sum(c.funded), 0)::int AS funded,
           coalesce(sum(c.missing), 0)::int AS missing
      FROM printed_total AS p LEFT JOIN cell AS c
        ON CASE p.division WHEN 'place' THEN c.place = p.value WHEN 'region' THEN c.region = p.value
           WHEN 'area' THEN c.area = p.value ELSE true END AND (p.region IS NULL OR c.region = p.region)
     WHERE p.edition = $1
     GROUP BY 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, p.position
     ORDER BY p.position, p.code"""
_REGION_SUMS = """
    SELECT region, sum(amount) AS amount, sum(implied) AS implied,
           coalesce(sum(n) FILTER (WHERE status = 'missing_in_source'), 0)::int AS missing
      FROM requirement_rollup WHERE edition = $1 GROUP BY region"""


async def answer_reconciliation(request: Request, edition: str, query: schemas.ReconciliationQuery) -> Response:
    """The printed figures of an edition beside the computed ones, with the explanations of differences."""
    async with snapshot(request, ReadKind.COMPUTED, query) as data:
        found = await fetch_item(data, EDITIONS, edition, parameter="edition")
    if isinstance(found, Response):
        return found

    async def build(data: Snapshot, revision: int) -> schemas.Reconciliation:
        figures = await reconcile(data, edition, data.as_of_pairs())
        counts = Counter(figure.agreement for figure in figures)
        return schemas.Reconciliation(
            edition=edition,
            stage="requirement",
            counts={agreement: counts[agreement] for agreement in ("equal", "explained", "different")},
            figures=[
                figure
                for figure in figures
                if (not query.division or figure.division in query.division)
                and (not query.agreement or figure.agreement in query.agreement)
            ],
            revision=revision,
        )

    return await answer_computed(request, query, build, table=table_of(ReconciledTotal, "figures"))


async def reconcile(data: Any, edition: str, as_of: Sequence[tuple[str, str]] = ()) -> list[ReconciledTotal]:
    """The printed figures of an edition, each beside the computed one, in the order of the source.

    data: a snapshot, or the connection of the current write; as_of: the point in time, as parameters for links
    """
    sums = await data.fetch(_REGION_SUMS, edition)
    regions = {row["region"]: RegionSum(row["amount"], row["implied"], row["missing"]) for row in sums}
    return [
        rules.reconciled(edition, SummedTotal(**row), regions, link(f"{PATH}/requirements"), as_of)
        for row in await data.fetch(_SUMMED_TOTALS, edition)
    ]
