"""The listings of what an edition says about its regions, as SQL over their tables."""

from __future__ import annotations

from dataclasses import replace

from mmptf_common.lists.codes import codes_in
from mmptf_common.lists.listing import SOURCED, Filter, Listing
from mmptf_common.lists.search import search_in
from mmptf_funding.editions.queries import LISTED_AT, PATH, cell_of, last_line_of
from mmptf_funding.regions import schemas

_REGION = Filter(
    "region = ANY({}::text[])",
    codes_in("term", "term", "kind = 'region'"),
    LISTED_AT,
    not_stated="region IS NULL",
)
_SOURCE = {
    **{name: SOURCED[name] for name in ("source_document", "source_line")},
    "source_last_line": last_line_of("record#>>'{sources,0,locator}'"),
}


def _country(table: str) -> Filter:
    """The filter by the countries of a table."""
    return Filter(
        "countries && {}::text[]",
        f"SELECT DISTINCT named.country FROM {table}, unnest(countries) AS named(country)"
        " WHERE lower(named.country) = ANY({})",
        "/catalog/v1/places",
        places="country",
        not_stated="countries = '{}'",
    )


def _located(member: str) -> str:
    """SQL of a cell with the countries of a member, each with its line."""
    return cell_of(member, "concat_ws(':', entry->>'code', entry->>'line')")


_ITEMS = "FROM framework_item AS item WHERE item.framework = rows.code"
# A framework is stored without its items, which are records of their own.
_WITH_ITEMS = f"""left(record::text, -1)
    || ',"levels":' || (SELECT '[' || coalesce(string_agg(json_build_object('code', level, 'name', name)::text, ','
                                                          ORDER BY first, level, name), '') || ']'
                          FROM (SELECT level, record->>'level_as_printed' AS name, min(position) AS first
                                  {_ITEMS} GROUP BY 1, 2) AS named)
    || ',"items":['
    || (SELECT coalesce(string_agg(item.record::text, ',' ORDER BY position, code), '') {_ITEMS}) || ']}}'"""

FRAMEWORKS = Listing(
    path=f"{PATH}/editions/{{edition}}/frameworks",
    entity="framework",
    item=schemas.Framework,
    page=schemas.FrameworkPage,
    rows="""(SELECT code, edition, region, kind, position, record, updated, revised,
                    words || ARRAY(SELECT word FROM framework_item, unnest(framework_item.words) AS each(word)
                                    WHERE framework_item.framework = framework.code) AS words
               FROM framework) AS rows""",
    record=_WITH_ITEMS,
    in_feed="record::text",
    query=schemas.FrameworkQuery,
    sorts={"position": ("position", "int4")},
    filters={
        "region": _REGION,
        "kind": Filter("kind = ANY({}::text[])"),
        "level": Filter("code = ANY(ARRAY(SELECT framework FROM framework_item WHERE level = ANY({}::text[])))"),
        "q": search_in(
            "framework",
            "record->>'title'",
            "(SELECT string_agg(concat_ws(' ' || chr(1) || ' ', item.record->>'title', item.record->>'text'),"
            f" ' ' || chr(1) || ' ') {_ITEMS})",
        ),
    },
    columns={
        "code": "code",
        "edition": "edition",
        "region_code": "region",
        "kind": "kind",
        "title": "record->>'title'",
        "title_as_printed": "record->>'title_as_printed'",
        "period_from": "record->>'period_from'",
        "period_to": "record->>'period_to'",
        "period_as_printed": "record#>>'{sources,1,as_printed}'",
        "period_line": "record#>>'{sources,1,line}'",
        "note": "record->>'note'",
        **_SOURCE,
    },
)

# Of items, which have no region of their own: those of the frameworks of which a condition is true.
_OF_FRAMEWORK = "framework = ANY(ARRAY(SELECT code FROM framework WHERE {}))"

FRAMEWORK_ITEMS = Listing(
    path=f"{PATH}/editions/{{edition}}/framework-items",
    entity="framework_item",
    item=schemas.FrameworkItem,
    page=schemas.FrameworkItemPage,
    rows="framework_item",
    query=schemas.FrameworkItemQuery,
    sorts={"position": ("position", "int4")},
    filters={
        "region": replace(
            _REGION, where=_OF_FRAMEWORK.format(_REGION.where), not_stated=_OF_FRAMEWORK.format(_REGION.not_stated)
        ),
        "level": Filter("level = ANY({}::text[])"),
        "q": search_in("framework_item", "record->>'title'", "record->>'text'"),
    },
    columns={
        "code": "code",
        "edition": "edition",
        "framework": "framework",
        **{name: f"record->>'{name}'" for name in ("number", "parent")},
        "level": "level",
        **{name: f"record->>'{name}'" for name in ("level_as_printed", "title", "text", "note")},
        **_SOURCE,
    },
)

OFFICES = Listing(
    path=f"{PATH}/editions/{{edition}}/offices",
    entity="regional_office",
    item=schemas.RegionalOffice,
    page=schemas.RegionalOfficePage,
    rows="regional_office",
    query=schemas.RegionalOfficeQuery,
    sorts={"position": ("position", "int4")},
    filters={"region": _REGION, "country": _country("regional_office")},
    columns={
        "code": "code",
        "edition": "edition",
        "region_code": "region",
        **{name: f"record->>'{name}'" for name in ("name", "seat")},
        "country_code": "record->>'country'",
        "founded": "record->>'founded'",
        "covers": _located("covers"),
        "covers_as_printed": "record->>'covers_as_printed'",
        "member_states": _located("member_states"),
        **{name: f"record->>'{name}'" for name in ("offices", "staff", "role", "footnote", "note")},
        **_SOURCE,
    },
)

GROUPS = Listing(
    path=f"{PATH}/editions/{{edition}}/groups",
    entity="regional_group",
    item=schemas.RegionalGroup,
    page=schemas.RegionalGroupPage,
    rows="regional_group",
    query=schemas.RegionalGroupQuery,
    sorts={"position": ("position", "int4"), "name": ('lower(name) COLLATE "C"', "text")},
    filters={
        "region": _REGION,
        "kind": Filter("kind = ANY({}::text[])"),
        "country": _country("regional_group"),
        "q": search_in("regional_group", "name", "record->>'abbreviation'"),
    },
    columns={
        "code": "code",
        "edition": "edition",
        "region_code": "region",
        "kind": "kind",
        "name": "name",
        "abbreviation": "record->>'abbreviation'",
        "members": _located("members"),
        "observers": _located("observers"),
        **{name: f"record->>'{name}'" for name in ("members_stated", "footnote", "note")},
        **_SOURCE,
    },
)

ACRONYMS = Listing(
    path=f"{PATH}/editions/{{edition}}/acronyms",
    entity="acronym",
    item=schemas.PrintedAcronym,
    page=schemas.PrintedAcronymPage,
    rows="acronym",
    query=schemas.PrintedAcronymQuery,
    sorts={"position": ("position", "int4"), "acronym": ('lower(acronym) COLLATE "C"', "text")},
    filters={"region": _REGION, "q": search_in("acronym", "acronym", "record->>'expansion'")},
    columns={
        "code": "code",
        "edition": "edition",
        "region_code": "region",
        "acronym": "acronym",
        "expansion": "record->>'expansion'",
        **_SOURCE,
    },
)
