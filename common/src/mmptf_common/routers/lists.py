"""The routes of a list: its pages, facets, totals, single records and their histories."""

from enum import Enum
from typing import Annotated

from fastapi import Depends
from pydantic import create_model
from starlette.requests import Request
from starlette.responses import Response

from mmptf_common.feed.changes import ChangePage, HistoryQuery, answer_history
from mmptf_common.http import conditional, openapi
from mmptf_common.http.headers import IF_NONE_MATCH
from mmptf_common.http.identity import PUBLIC, Access
from mmptf_common.http.parameters import ListQuery, PointInTimeQuery, StrictQuery, TableQuery, TotalsQuery
from mmptf_common.lists.facets import FacetCounts, answer_facets, facet_columns
from mmptf_common.lists.listing import Listing
from mmptf_common.lists.pages import answer_item, answer_list
from mmptf_common.lists.totals import FilteredTotals, answer_totals, total_columns


def add_listing(
    router: openapi.Router,
    listing: Listing,
    *,
    about: str,
    example: str,
    packaged: bool = True,
    noun: str | None = None,
    plural: str | None = None,
    tag: openapi.Tag | None = None,
    readers: Access = PUBLIC,
) -> None:
    """Add a list's operations to a router; their tag is the last part of the list's path.

    about: what one record is, for the contract
    example: the code of a record; packaged: whether the packaged data have it
    noun: what one record is called in the contract and in clients made from it, unique over all services; None for the
          name of the list's entity
    plural: what several are called, where that is not the noun with an s
    tag: the group of its operations in the contract; None for one of their own, named by the plural
    readers: who may read it, where not everybody may
    """
    path = f"/{listing.path.rpartition('/')[2]}"
    noun = noun or listing.entity.replace("_", " ")
    plural = plural or f"{noun}s"
    tags: list[str | Enum] = [tag.name if tag else plural.capitalize()]
    is_public = readers == PUBLIC
    if not is_public:
        about = f"{about} For {readers.people}."
    # The marker in a signature verifies nothing.
    dependencies = [] if is_public else [Depends(readers)]
    # Evaluated here, where `example` and `readers` are known: this module's annotations are not postponed.
    PermittedRequest = Annotated[Request, readers]  # noqa: N806
    PermittedReadRequest = Annotated[Request, readers, IF_NONE_MATCH]  # noqa: N806
    CodeInPath = Annotated[str, openapi.code_of(noun, listing.path, example, packaged=packaged)]  # noqa: N806

    def of_caller(response: Response) -> Response:
        return response if is_public else conditional.private(response)

    async def list_(request: PermittedReadRequest, query: Annotated[ListQuery, StrictQuery(listing.query)]) -> Response:
        return of_caller(await answer_list(request, listing, query))

    async def get(request: PermittedReadRequest, code: CodeInPath, query: PointInTimeQuery) -> Response:
        return of_caller(await answer_item(request, listing, code, query))

    async def history(
        request: PermittedRequest, code: CodeInPath, query: Annotated[HistoryQuery, StrictQuery()]
    ) -> Response:
        return await answer_history(request, listing, code, query)

    router.add_api_route(
        path,
        list_,
        name=openapi.operation_id(f"list {plural}"),
        tags=tags,
        dependencies=dependencies,
        response_model=listing.page,
        summary=f"List {plural}",
        description=f"{about} The list has those that match all filters: page by page, or all at once with `format=csv`"
        " or `format=ndjson`.",
        **openapi.read(media=openapi.EXPORTS, texts=openapi.exports(listing.columns, listing.item)),
    )
    if listing.facet_query:
        facet_query = create_model("FacetQuery", __base__=(listing.facet_query, TableQuery))

        async def facets(
            request: PermittedReadRequest, query: Annotated[TableQuery, StrictQuery(facet_query)]
        ) -> Response:
            return of_caller(await answer_facets(request, listing, query))

        router.add_api_route(
            f"{path}/facets",
            facets,
            name=openapi.operation_id(f"get {noun} facets"),
            tags=tags,
            dependencies=dependencies,
            response_model=FacetCounts,
            summary=f"Count {plural} by each filter",
            description=(
                f"The values of each filter, each with its name, the number of {plural} that have it, and the path that"
                " lists them. The counts of a filter are under all other filters, not under itself. `text/csv` has a"
                " row for each value."
            ),
            **openapi.read(media=openapi.TABLE, texts=openapi.table(facet_columns())),
        )
    if listing.totals_query:

        async def totals(
            request: PermittedReadRequest, query: Annotated[TotalsQuery, StrictQuery(listing.totals_query)]
        ) -> Response:
            return of_caller(await answer_totals(request, listing, query))

        # The second path needs a name of its own: that of the service.
        paths = {f"{path}/totals": noun}
        if listing.totals_path:
            paths[listing.totals_path] = listing.path.split("/")[1]
        for totals_path, whose in paths.items():
            router.add_api_route(
                totals_path,
                totals,
                name=openapi.operation_id(f"get {whose} totals"),
                tags=tags,
                dependencies=dependencies,
                response_model=FilteredTotals,
                summary=f"Sum the money of {plural}" + ("" if whose == noun else f", at {totals_path}"),
                description=(
                    f"Exact sums of the amounts of all {plural} that match the filters, one for each stage of money,"
                    " basis and currency, since amounts of different stages are never added. `by` divides each into"
                    " groups, which add up to it: money of several values whose parts are not stated is in the group"
                    " `shared`, and in none of theirs. `text/csv` has a row for each group; the sum of all is none of"
                    " them."
                ),
                **openapi.read(
                    media=openapi.TABLE,
                    texts=openapi.table(
                        total_columns(["by"]),
                        " `by` and `by_name` stand for the code and the name in each dimension of the parameter `by`,"
                        " such as `country` and `country_name`.",
                    ),
                ),
            )
    router.add_api_route(
        f"{path}/{{code}}",
        get,
        name=openapi.operation_id(f"get {noun}"),
        tags=tags,
        dependencies=dependencies,
        response_model=listing.item,
        summary=f"Get {openapi.with_article(noun)}",
        description=about,
        **openapi.read(missing=True),
    )
    router.add_api_route(
        f"{path}/{{code}}/history",
        history,
        name=openapi.operation_id(f"get {noun} history"),
        tags=tags,
        dependencies=dependencies,
        response_model=ChangePage,
        summary=f"Get the history of {openapi.with_article(noun)}",
        description=f"Every change of the {noun}, the earliest first: when it was made, for which organization and why,"
        " and the record before and after it.",
        **openapi.plain(journal=True, missing=True),
    )
