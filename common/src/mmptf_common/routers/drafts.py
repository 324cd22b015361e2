"""The routes of drafts, which only those can read to whom they belong, until they are submitted."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, replace
from typing import Annotated, Any

from fastapi import Request
from pydantic import BaseModel
from starlette.responses import Response

from mmptf_common.feed.changes import (
    AUTHORS,
    AuditPage,
    ChangePage,
    HistoryQuery,
    answer_changes,
    answer_history,
    stored_forms,
)
from mmptf_common.http import conditional, openapi
from mmptf_common.http.headers import AmendRequest, ChangeRequest, ReadRequest, WriteRequest
from mmptf_common.http.identity import Administrator, Identity
from mmptf_common.http.parameters import ListQuery, PointInTimeQuery, StrictQuery
from mmptf_common.lists.listing import Listing
from mmptf_common.lists.pages import answer_item, answer_list
from mmptf_common.routers.changes import TAG as CHANGES
from mmptf_common.storage.journal import Write
from mmptf_common.writes.commands import Created, WriteParameters, answer_write


@dataclass(frozen=True, slots=True)
class Step:
    """One step of a draft: the command that carries it out, and its description in the contract."""

    command: Callable[..., Awaitable[Created | None]]
    about: str


@dataclass(frozen=True, slots=True)
class StepWithBody(Step):
    """A step that takes a body: its model, and an example that is valid with the packaged data."""

    body: type[BaseModel]
    example: dict[str, Any]


def add_drafts(
    router: openapi.Router,
    listing: Listing,
    *,
    noun: str,
    tag: openapi.Tag,
    drafter: Any,
    about: str,
    example: str,
    create: StepWithBody,
    amend: StepWithBody,
    discard: Callable[[Write, Identity, str], Awaitable[None]],
    submit: Step,
    submitted: Listing,
    readers: str,
) -> Callable[[Identity], Listing]:
    """Add the operations of drafts to a router: reads for their owners, and the steps from draft to submission.

    listing: the drafts of all; submitted: the list that contains a draft once it is submitted
    noun: what one draft is called in the contract and in clients made from it, unique over all services
    tag: the group of its operations in the contract
    drafter: the annotated Identity of callers who may write drafts
    about: what one draft is, for the contract; example: the code of a draft in the packaged data
    create: takes the write, the caller and the body; amend: the write, the code and the body
    discard, submit: take the write, the caller and the code
    readers: which drafts a caller reads, for the contract
    Returns a function for further reads of drafts: the drafts that a caller may see.
    """
    path = "/drafts"
    one = openapi.with_article(noun)
    # Evaluated here, where they are known: this module's annotations are not postponed.
    CodeInPath = Annotated[str, openapi.code_of(noun, listing.path, example, packaged=False)]  # noqa: N806
    Drafter = Annotated[Identity, *drafter.__metadata__]  # noqa: N806

    def own(who: Identity) -> Listing:
        """The drafts that a caller may see."""
        if who.is_admin:
            return listing
        journal = replace(listing.journal, reader=who.organization or "")
        return replace(listing, fixed={journal.seen("{0}", journal.member): journal.reader}, journal=journal)

    @router.get(
        path,
        name=openapi.operation_id(f"list {noun}s"),
        tags=[tag.name],
        response_model=listing.page,
        summary=f"List {noun}s",
        description=f"{readers} No other organization can read them.",
        **openapi.read(media=openapi.EXPORTS, texts=openapi.exports(listing.columns, listing.item)),
    )
    async def list_drafts(
        request: ReadRequest, who: Drafter, query: Annotated[ListQuery, StrictQuery(listing.query)]
    ) -> Response:
        return conditional.private(await answer_list(request, own(who), query))

    @router.get(
        f"{path}/{{code}}",
        name=openapi.operation_id(f"get {noun}"),
        tags=[tag.name],
        response_model=listing.item,
        summary=f"Get {one}",
        description=about,
        **openapi.read(missing=True),
    )
    async def get_draft(request: ReadRequest, code: CodeInPath, who: Drafter, query: PointInTimeQuery) -> Response:
        return conditional.private(await answer_item(request, own(who), code, query))

    @router.get(
        f"{path}/{{code}}/history",
        name=openapi.operation_id(f"get {noun} history"),
        tags=[tag.name],
        response_model=ChangePage,
        summary=f"Get the history of {one}",
        description=(
            "Every change of a draft that the caller may read, the earliest first, also after its submission: when it"
            " was made, for which organization and why, and the draft before and after it. The `reason` of the last"
            " change of a submitted draft is `submitted as` and the code of the record that it has become."
        ),
        **openapi.plain(journal=True, missing=True),
    )
    async def draft_history(
        request: Request, code: CodeInPath, who: Drafter, query: Annotated[HistoryQuery, StrictQuery()]
    ) -> Response:
        return await answer_history(request, own(who), code, query)

    audit_path = f"{listing.path.rpartition('/')[0]}/audit{path}"

    @router.get(
        f"/audit{path}",
        name=openapi.operation_id(f"get {noun} audit"),
        tags=[CHANGES.name],
        response_model=AuditPage,
        summary=f"Audit the changes of {noun}s",
        **openapi.plain(journal=True),
    )
    async def audit_drafts(
        request: Request, who: Administrator, query: Annotated[HistoryQuery, StrictQuery()]
    ) -> Response:
        """Every change of the drafts of all organizations, the earliest first, with who made it in which request. Their
        numbers are those of drafts only; a submission has the same moment and request here and in the other audit.
        """
        forms = stored_forms([listing])
        return await answer_changes(request, audit_path, query, "true", [], forms, AUTHORS, journal=listing.journal)

    async def create_draft(request: WriteRequest, sent: BaseModel, who: Drafter, query: WriteParameters) -> Response:
        return await answer_write(
            request, who, query, lambda write: create.command(write, who, sent), reason="drafted", drafts=True
        )

    async def amend_draft(
        request: AmendRequest, code: CodeInPath, sent: BaseModel, who: Drafter, query: WriteParameters
    ) -> Response:
        return await answer_write(
            request, who, query, lambda write: amend.command(write, code, sent), changes=(own(who), code), drafts=True
        )

    # FastAPI reads the model of a body from the annotation, and each service has models of its own.
    for endpoint, step in ((create_draft, create), (amend_draft, amend)):
        endpoint.__annotations__["sent"] = Annotated[step.body, openapi.example(step.example)]

    router.add_api_route(
        path,
        create_draft,
        methods=["POST"],
        name=openapi.operation_id(f"create {noun}"),
        tags=[tag.name],
        response_model=listing.item,
        summary=f"Begin {one}",
        description=create.about,
        **openapi.write(created=True),
    )
    router.add_api_route(
        f"{path}/{{code}}",
        amend_draft,
        methods=["PATCH"],
        name=openapi.operation_id(f"amend {noun}"),
        tags=[tag.name],
        response_model=listing.item,
        summary=f"Amend {one}",
        description=amend.about,
        **openapi.write(changes=True),
    )

    @router.delete(
        f"{path}/{{code}}",
        name=openapi.operation_id(f"discard {noun}"),
        tags=[tag.name],
        summary=f"Discard {one}",
        **openapi.write(changes=True, removes=True),
    )
    async def discard_draft(request: AmendRequest, code: CodeInPath, who: Drafter, query: WriteParameters) -> Response:
        """Delete a draft. What was submitted is a draft no more, and cannot be discarded."""
        return await answer_write(
            request, who, query, lambda write: discard(write, who, code), changes=(own(who), code), drafts=True
        )

    @router.post(
        f"{path}/{{code}}/submission",
        name=openapi.operation_id(f"submit {noun}"),
        tags=[tag.name],
        response_model=submitted.item,
        summary=f"Submit {one}",
        description=submit.about,
        **openapi.write(changes=True, created=True),
    )
    async def submit_draft(request: ChangeRequest, code: CodeInPath, who: Drafter, query: WriteParameters) -> Response:
        return await answer_write(
            request,
            who,
            query,
            lambda write: submit.command(write, who, code),
            reason="submitted",
            changes=(own(who), code),
            drafts=True,
        )

    return own
