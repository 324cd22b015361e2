"""The routes of the journal: every change of a service in order, for the public and for auditors."""

from collections.abc import Iterable, Set
from typing import Annotated, Any, Literal

from pydantic import Field, create_model
from starlette.requests import Request
from starlette.responses import Response

from mmptf_common.feed.changes import AUTHORS, AuditPage, ChangePage, FeedQuery, answer_changes, stored_forms
from mmptf_common.http import openapi
from mmptf_common.http.identity import Administrator, PublicRequest
from mmptf_common.http.parameters import StrictQuery
from mmptf_common.lists.listing import Listing
from mmptf_common.lists.publications import ENTITY as DOCUMENT

TAG = openapi.Tag(
    "Changes",
    "Read every change of a service in order, to hold a copy of its data; administrators also see who made each.",
    supporting=True,
)


def add_feed(
    router: openapi.Router, service: str, *, public: Set[str], private: Set[str], listings: Iterable[Listing]
) -> None:
    """Add the operations that return every change of a service in order: the public one, and the one with authors.

    public, private: the entities whose changes anyone may read, and those that auditors may; drafts are of neither
    listings: the lists that give records in another form than the stored one
    """
    forms = stored_forms(listings)
    path, audit_path = f"/{service}/v1/changes", f"/{service}/v1/audit"

    @router.get(
        path,
        name=openapi.operation_id(f"list {service} changes"),
        tags=[TAG.name],
        response_model=ChangePage,
        summary=f"Follow the changes of the {service} service",
        **openapi.plain(journal=True),
    )
    async def changes(
        request: PublicRequest, query: Annotated[FeedQuery, StrictQuery(_feed_query(public))]
    ) -> Response:
        """Every change of every public record, the earliest first, with the record before and after it.

        To hold a copy of the data, begin with `after=0`, apply `items`, and request `next`, again and again: a reader
        that stops anywhere and resumes misses nothing and gets nothing twice. With `wait` the answer comes as soon as
        there is a change.

        A write may change several records, which then have one `revision`, and may go over two pages while `more` is
        true. To apply whole writes only, hold back the changes with the `revision` of a page's last change until
        another `revision` follows, or `more` is false.
        """
        return await _follow(request, path, query, public, forms)

    @router.get(
        audit_path,
        name=openapi.operation_id(f"get {service} audit"),
        tags=[TAG.name],
        response_model=AuditPage,
        summary=f"Audit the changes of the {service} service",
        **openapi.plain(journal=True),
    )
    async def audit(
        request: Request,
        who: Administrator,
        query: Annotated[FeedQuery, StrictQuery(_feed_query(public | private))],
    ) -> Response:
        """Every change as at `changes`, also of private records, with who made it in which request. Drafts have a
        journal and an audit of their own, since nothing here shows when they are written.
        """
        return await _follow(request, audit_path, query, public | private, forms, AUTHORS)


def _feed_query(entities: Set[str]) -> type[FeedQuery]:
    names: Any = Literal[tuple(sorted(entities))]
    field: Any = Annotated[
        list[names],
        Field(
            default_factory=list,
            max_length=100,
            description="Only changes of these kinds of record.",
            examples=[DOCUMENT],
        ),
    ]
    return create_model("FeedOfEntities", __base__=FeedQuery, entity=field)


async def _follow(
    request: Request, path: str, query: FeedQuery, entities: Set[str], forms: str, members: str = ""
) -> Response:
    only = query.entity or list(entities)
    where = "entity = ANY($3::text[])"
    return await answer_changes(request, path, query, where, [only], forms, members, wait=query.wait)
