"""Lists that only the administrative agent and the Fund's management unit read."""

# FastAPI reads the annotations of the functions below, whose values are known there alone: they are not postponed.
from enum import Enum
from typing import Annotated

from starlette.requests import Request
from starlette.responses import Response

from mmptf_common.feed.changes import ChangePage, HistoryQuery, answer_history
from mmptf_common.http import conditional, openapi
from mmptf_common.http.headers import ReadRequest
from mmptf_common.http.identity import Identity
from mmptf_common.http.parameters import ListQuery, PointInTimeQuery, StrictQuery
from mmptf_common.lists.listing import Listing
from mmptf_common.lists.pages import answer_item, answer_list
from mmptf_common.wire.problems import Forbidden
from mmptf_funding.access import FundingWriter
from mmptf_funding.roles import AGENT, MANAGEMENT_UNIT

READERS = " For the administrative agent and the Fund's management unit."


def require_reader(who: Identity, what: str) -> None:
    """Raise Forbidden for anyone but the administrative agent and the management unit; what: begins the sentence."""
    if not (who.has_role(AGENT) or who.has_role(MANAGEMENT_UNIT)):
        raise Forbidden(f"{what} are read by the administrative agent and the Fund's management unit.")


def add_restricted_list(
    router: openapi.Router,
    listing: Listing,
    *,
    tag: openapi.Tag,
    noun: str,
    plural: str,
    about: str,
    example: str,
    what: str,
) -> None:
    """Add the reads of a list that few may read: its pages, its records and their histories.

    about: what a record is, for the contract; example: the code of one; what: as of `require_reader`
    """
    path = f"/{listing.path.rpartition('/')[2]}"
    tags: list[str | Enum] = [tag.name]
    CodeInPath = Annotated[str, openapi.code_of(noun, listing.path, example, packaged=False)]  # noqa: N806

    async def list_(
        request: ReadRequest, who: FundingWriter, query: Annotated[ListQuery, StrictQuery(listing.query)]
    ) -> Response:
        require_reader(who, what)
        return conditional.private(await answer_list(request, listing, query))

    async def get(request: ReadRequest, code: CodeInPath, who: FundingWriter, query: PointInTimeQuery) -> Response:
        require_reader(who, what)
        return conditional.private(await answer_item(request, listing, code, query))

    async def history(
        request: Request, code: CodeInPath, who: FundingWriter, query: Annotated[HistoryQuery, StrictQuery()]
    ) -> Response:
        require_reader(who, what)
        return await answer_history(request, listing, code, query)

    router.add_api_route(
        path,
        list_,
        name=openapi.operation_id(f"list {plural}"),
        tags=tags,
        response_model=listing.page,
        summary=f"List {plural}",
        description=f"{about} The list has those that match all filters: page by page, or all at once with `format=csv`"
        f" or `format=ndjson`.{READERS}",
        **openapi.read(media=openapi.EXPORTS, texts=openapi.exports(listing.columns, listing.item)),
    )
    router.add_api_route(
        f"{path}/{{code}}",
        get,
        name=openapi.operation_id(f"get {noun}"),
        tags=tags,
        response_model=listing.item,
        summary=f"Get {openapi.with_article(noun)}",
        description=f"{about}{READERS}",
        **openapi.read(missing=True),
    )
    router.add_api_route(
        f"{path}/{{code}}/history",
        history,
        name=openapi.operation_id(f"get {noun} history"),
        tags=tags,
        response_model=ChangePage,
        summary=f"Get the history of {openapi.with_article(noun)}",
        description=f"Every change of the {noun}, the earliest first, with the record before and after it.{READERS}",
        **openapi.plain(journal=True, missing=True),
    )
