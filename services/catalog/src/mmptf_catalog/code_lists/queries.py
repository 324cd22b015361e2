"""The listings of the code lists, each as SQL over its table."""

from __future__ import annotations

from dataclasses import replace

from mmptf_catalog.code_lists.schemas import (
    Clustering,
    ClusteringPage,
    ClusteringQuery,
    GuidingPrinciple,
    GuidingPrinciplePage,
    GuidingPrincipleQuery,
    NumberedQuery,
    Objective,
    ObjectivePage,
    ObjectiveQuery,
    Organization,
    OrganizationPage,
    OrganizationQuery,
    Place,
    PlaceGroup,
    PlaceGroupPage,
    PlaceGroupQuery,
    PlacePage,
    PlaceQuery,
    ThematicArea,
    ThematicAreaPage,
    ThematicAreaQuery,
)
from mmptf_common.http.parameters import ListQuery
from mmptf_common.lists.codes import codes_in
from mmptf_common.lists.listing import SOURCED, Filter, Listing, completed, own_codes
from mmptf_common.lists.search import search_in
from mmptf_common.wire.base import ResponseModel

PATH = "/catalog/v1"
# Collation C sorts by bytes: the same order on every server, whatever its locale.
NAME = ('lower(name) COLLATE "C"', "text")


def _code_list(
    noun: str,
    item: type[ResponseModel],
    page: type[ResponseModel],
    query: type[ListQuery],
    *,
    columns: tuple[str, ...] = (),
    record: str = "record::text",
) -> Listing:
    """The listing of a code list; the lists differ in their tables, sort order by number or code, and extra columns."""
    table = noun.replace("-", "_")
    sorts = {"number": ("position", "int4")} if issubclass(query, NumberedQuery) else {"code": ("code", "text")}
    return Listing(
        path=f"{PATH}/{noun}s",
        entity=table,
        item=item,
        page=page,
        rows=table,
        record=record,
        query=query,
        sorts={**sorts, "name": NAME},
        filters={"code": own_codes(table, table)},
        columns={"code": "code", "name": "name", **{c: f"stored->>'{c}'" for c in columns}, **SOURCED},
    )


THEMATIC_AREAS = _code_list("thematic-area", ThematicArea, ThematicAreaPage, ThematicAreaQuery, columns=("number",))
OBJECTIVES = _code_list(
    "objective",
    Objective,
    ObjectivePage,
    ObjectiveQuery,
    columns=("number", "short_name"),
    # Until objectives had official names, their name was the short form.
    record=completed("record::text", {"short_name": "(record->'name')::text"}),
)
GUIDING_PRINCIPLES = _code_list(
    "guiding-principle", GuidingPrinciple, GuidingPrinciplePage, GuidingPrincipleQuery, columns=("number",)
)
ORGANIZATIONS = _code_list("organization", Organization, OrganizationPage, OrganizationQuery, columns=("kind",))
CLUSTERINGS = _code_list(
    "clustering", Clustering, ClusteringPage, ClusteringQuery, columns=("version", "areas", "note")
)

PLACE_GROUPS = replace(
    _code_list("place-group", PlaceGroup, PlaceGroupPage, PlaceGroupQuery),
    columns={
        "code": "code",
        "name": "name",
        "members": "array_to_string(members, '|')",
        "note": "record->>'note'",
        **SOURCED,
    },
)

PLACES = Listing(
    path=f"{PATH}/places",
    entity="place",
    item=Place,
    page=PlacePage,
    rows="place",
    query=PlaceQuery,
    sorts={"code": ("code", "text"), "name": NAME},
    filters={
        "code": own_codes("place", "place"),
        "kind": Filter("kind = ANY({}::text[])"),
        "region": Filter(
            "regions && {}::text[]",
            codes=codes_in("place", where="kind = 'region'"),
            listed_at=f"{PATH}/places?kind=region",
            places="region",
        ),
        "group": Filter(
            "code = ANY(ARRAY(SELECT unnest(members) FROM place_group WHERE place_group.code = ANY({}::text[])))",
            codes=codes_in("place_group"),
            listed_at=f"{PATH}/place-groups",
        ),
        "q": search_in("place", "name", places="code = ANY({}::text[])", named=True),
    },
    columns={
        "code": "code",
        **{
            name: f"record->>'{name}'"
            for name in (
                "kind", "name", "m49", "iso_alpha2", "region", "subregion", "intermediate_region", "footnote",
                "user_assigned",
            )
        },
        **SOURCED,
    },
)  # fmt: skip
