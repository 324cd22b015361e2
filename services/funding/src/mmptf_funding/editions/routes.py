"""The routes of editions: requirements and their totals, printed totals, and the reconciliation of both."""

from typing import Annotated

from pydantic import create_model
from starlette.responses import Response

from mmptf_common.http import openapi
from mmptf_common.http.headers import PublicReadRequest
from mmptf_common.http.parameters import ListQuery, StrictQuery, TableQuery
from mmptf_common.lists.facets import FacetCounts, facet_columns
from mmptf_common.lists.listing import Listing
from mmptf_common.lists.tables import columns_of
from mmptf_common.routers.lists import add_listing
from mmptf_funding.editions import queries, schemas
from mmptf_funding.editions.domain import ReconciledTotal

router = openapi.Router()
TAG = openapi.Tag(
    "Requirements",
    "What migration programmes ask for, by place and programmatic area, with totals and initiatives.",
)
EDITIONS_TAG = openapi.Tag(
    "Editions",
    "The publications of requirements: vocabularies, printed totals beside sums of rows, partners, figures of their"
    " texts, what they say of regions, and their import.",
    supporting=True,
)

EditionCode = Annotated[str, openapi.code_in_path("Code of the edition.", "MI-2015")]

add_listing(
    router,
    queries.REQUIREMENTS,
    tag=TAG,
    about="What one place asks for in one programmatic area, with the line of the document that says so.",
    example="MI-2015-KEN-health",
)
add_listing(
    router,
    queries.INITIATIVES,
    tag=TAG,
    about="A multiregional initiative, fund or co-funded project of an edition; periods differ, so they have no total.",
    example="MI-2015-initiative-01",
)
add_listing(
    router,
    queries.EDITIONS,
    tag=EDITIONS_TAG,
    about="A publication of funding requirements, such as Migration Initiatives 2015.",
    example="MI-2015",
)


def add_list_of_edition(router: openapi.Router, listing: Listing, *, about: str) -> None:
    """Add the route of a list below the path of an edition."""
    # The noun is that of the path, whose records are found under their edition only.
    noun = listing.path.rpartition("/")[2]

    async def list_(
        request: PublicReadRequest, edition: EditionCode, query: Annotated[ListQuery, StrictQuery(listing.query)]
    ) -> Response:
        return await queries.answer_of_edition(request, listing, edition, query)

    router.add_api_route(
        f"/editions/{{edition}}/{noun}",
        list_,
        name=openapi.operation_id(f"list edition {noun}"),
        tags=[EDITIONS_TAG.name],
        response_model=listing.page,
        summary=f"List the {noun.replace('-', ' ')} of an edition",
        description=f"{about} By pages; `text/csv` and `application/x-ndjson` are complete.",
        **openapi.read(media=openapi.EXPORTS, missing=True, texts=openapi.exports(listing.columns, listing.item)),
    )
    if listing.facet_query:
        facet_query = create_model("FacetQuery", __base__=(listing.facet_query, TableQuery))
        FacetsQuery = Annotated[TableQuery, StrictQuery(facet_query)]  # noqa: N806

        async def facets(request: PublicReadRequest, edition: EditionCode, query: FacetsQuery) -> Response:
            return await queries.answer_facets_of_edition(request, listing, edition, query)

        router.add_api_route(
            f"/editions/{{edition}}/{noun}/facets",
            facets,
            name=openapi.operation_id(f"get edition {listing.entity} facets"),
            tags=[EDITIONS_TAG.name],
            response_model=FacetCounts,
            summary=f"Count the {noun} of an edition by each filter",
            description=(
                f"The values of each filter, each with its name, the number of {noun} that have it, and the path that"
                " lists them. The counts of a filter are under all other filters, not under itself. `text/csv` has a"
                " row for each value."
            ),
            **openapi.read(media=openapi.TABLE, missing=True, texts=openapi.table(facet_columns())),
        )


add_list_of_edition(
    router,
    queries.VOCABULARY,
    about="The regions, programmatic areas, target populations and places that the edition uses.",
)
add_list_of_edition(
    router,
    queries.PRINTED_TOTALS,
    about="Every total and percentage that the edition prints, to be compared with what its rows add up to.",
)
add_list_of_edition(
    router,
    queries.PARTNERS,
    about="The donors and partners that the edition lists; it does not say what each of them gave.",
)
add_list_of_edition(
    router,
    queries.FIGURES,
    about="Statistics, budgets and results so far that the texts of the edition state. None is a requirement, and they"
    " are not added up: they are of different years, places and ways of counting.",
)


@router.get(
    "/editions/{edition}/reconciliation",
    tags=[EDITIONS_TAG.name],
    response_model=schemas.Reconciliation,
    summary="Get the reconciliation of an edition",
    **openapi.read(media=openapi.TABLE, missing=True, texts=openapi.table(columns_of(ReconciledTotal))),
)
async def get_edition_reconciliation(
    request: PublicReadRequest, edition: EditionCode, query: Annotated[schemas.ReconciliationQuery, StrictQuery()]
) -> Response:
    """Every figure that the edition prints beside what its rows add up to, and what explains each difference."""
    return await queries.answer_reconciliation(request, edition, query)
