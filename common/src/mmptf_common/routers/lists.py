"""The routes of a list: its pages, facets, totals, single records and their histories."""

from typing import Annotated

from pydantic import create_model
from starlette.responses import Response

from mmptf_common.feed.changes import ChangePage, HistoryQuery, answer_history
from mmptf_common.http import openapi
from mmptf_common.http.headers import PublicReadRequest
from mmptf_common.http.identity import PublicRequest
from mmptf_common.http.parameters import ListQuery, PointInTimeQuery, StrictQuery, TableQuery, TotalsQuery
from mmptf_common.lists.facets import Facets, answer_facets
from mmptf_common.lists.listing import Listing
from mmptf_common.lists.pages import answer_item, answer_list
from mmptf_common.lists.totals import Totals, answer_totals


def add_listing(router: openapi.Router, listing: Listing, *, about: str, example: str, packaged: bool = True) -> None:
    """Add a list's operations to a router; their tag is the last part of the list's path.

    about: what one record is, for the contract
    example: the code of a record; packaged: whether the packaged data have it
    """
    noun = listing.path.rpartition("/")[2]
    path = f"/{noun}"
    # Evaluated here, where `example` is known: this module's annotations are not postponed.
    CodeInPath = Annotated[str, openapi.code_in_path("Code of the record.", example, packaged=packaged)]  # noqa: N806

    async def list_(request: PublicReadRequest, query: Annotated[ListQuery, StrictQuery(listing.query)]) -> Response:
        return await answer_list(request, listing, query)

    async def get(request: PublicReadRequest, code: CodeInPath, query: PointInTimeQuery) -> Response:
        return await answer_item(request, listing, code, query)

    async def history(
        request: PublicRequest, code: CodeInPath, query: Annotated[HistoryQuery, StrictQuery()]
    ) -> Response:
        return await answer_history(request, listing, code, query)

    router.add_api_route(
        path,
        list_,
        name="list",
        tags=[noun],
        response_model=listing.page,
        summary=f"List {noun.replace('-', ' ')}",
        description=f"{about} Filtered and in order, by pages; `text/csv` and `application/x-ndjson` are complete.",
        **openapi.read(media=openapi.EXPORTS),
    )
    if listing.facet_query:
        facet_query = create_model("FacetQuery", __base__=(listing.facet_query, TableQuery))

        async def facets(
            request: PublicReadRequest, query: Annotated[TableQuery, StrictQuery(facet_query)]
        ) -> Response:
            return await answer_facets(request, listing, query)

        router.add_api_route(
            f"{path}/facets",
            facets,
            tags=[noun],
            response_model=Facets,
            summary=f"Count {noun.replace('-', ' ')} by each filter",
            description=(
                "How many rows carry each value of each filter, under all filters but its own. `text/csv` has a row for"
                " each value."
            ),
            **openapi.read(media=openapi.TABLE),
        )
    if listing.totals_query:

        async def totals(
            request: PublicReadRequest, query: Annotated[TotalsQuery, StrictQuery(listing.totals_query)]
        ) -> Response:
            return await answer_totals(request, listing, query)

        # The name is part of the operationId, which is another one for the second path.
        paths = {f"{path}/totals": "totals"} | ({listing.totals_path: "all-totals"} if listing.totals_path else {})
        for totals_path, name in paths.items():
            router.add_api_route(
                totals_path,
                totals,
                name=name,
                tags=[noun],
                response_model=Totals,
                summary=f"Sum the money of {noun.replace('-', ' ')}",
                description=(
                    "Exact sums under the current filter, one for each stage of money and basis, divided by `by`. What"
                    " several values share is never repeated: it is a group of its own, and all groups add up to the"
                    " sum. `text/csv` has a row for each group; the sum of all is none of them."
                ),
                **openapi.read(media=openapi.TABLE),
            )
    router.add_api_route(
        f"{path}/{{code}}",
        get,
        tags=[noun],
        response_model=listing.item,
        summary=f"Get one of the {noun.replace('-', ' ')}",
        description=about,
        **openapi.read(missing=True),
    )
    router.add_api_route(
        f"{path}/{{code}}/history",
        history,
        tags=[noun],
        response_model=ChangePage,
        summary=f"Get the history of one of the {noun.replace('-', ' ')}",
        description="Every change of the record since it was first written: when, by whom, what and why.",
        **openapi.plain(journal=True, missing=True),
    )
