"""The routes of drafts, which only their organization sees until it submits them, declared once."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, replace
from typing import Annotated, Any

from fastapi import APIRouter, Path, Request
from starlette.responses import Response

from mmptf_common.feed.changes import ChangePage, HistoryQuery, answer_history
from mmptf_common.http import openapi
from mmptf_common.http.identity import Identity
from mmptf_common.http.parameters import PointInTime
from mmptf_common.lists.listing import Listing
from mmptf_common.lists.pages import answer_item, answer_list
from mmptf_common.storage.journal import Write
from mmptf_common.wire.base import CODE_PATTERN
from mmptf_common.writes.commands import Created, WriteQuery, answer_write


@dataclass(frozen=True, slots=True)
class Step:
    """One step of a draft: the command that takes it, what the contract says of it, and its body with an example."""

    command: Callable[..., Awaitable[Created | None]]
    summary: str
    about: str
    body: Any = None


def add_drafts(
    router: APIRouter,
    listing: Listing,
    *,
    drafter: Any,
    about: str,
    example: str,
    create: Step,
    amend: Step,
    discard: Callable[[Write, str], Awaitable[None]],
    submit: Step,
    submitted: Listing,
) -> None:
    """Add the operations of drafts to a router: what their organization reads, and the steps that it takes.

    listing: the drafts of all organizations; submitted: the list that a submitted one is found in
    drafter: the annotated Identity of whoever drafts
    about: what one draft is, for the contract; example: the code of a draft that the packaged data holds
    create, amend, discard, submit: take the write, then who begins the draft or the draft's code, then the body
    """
    path = "/drafts"
    # Evaluated here, where they are known: this module's annotations are not postponed.
    CodeInPath = Annotated[str, Path(pattern=CODE_PATTERN, max_length=64, examples=[example])]  # noqa: N806
    Drafter = Annotated[Identity, *drafter.__metadata__]  # noqa: N806

    def own(who: Identity) -> Listing:
        """The drafts that a caller may see."""
        return listing if who.is_admin else replace(listing, fixed={"organization = {}": who.organization or ""})

    @router.get(
        path,
        name="list",
        tags=["drafts"],
        response_model=listing.page,
        summary="List drafts",
        **openapi.read(listing.query, media=openapi.EXPORTS),
    )
    async def list_drafts(request: Request, who: Drafter) -> Response:
        """The drafts of the caller's organization, which nobody else sees."""
        return _private(await answer_list(request, own(who)))

    @router.get(
        f"{path}/{{code}}",
        name="get",
        tags=["drafts"],
        response_model=listing.item,
        summary="Get one of the drafts",
        description=about,
        **openapi.read(PointInTime, missing=True),
    )
    async def get_draft(request: Request, code: CodeInPath, who: Drafter) -> Response:
        return _private(await answer_item(request, own(who), code))

    @router.get(
        f"{path}/{{code}}/history",
        name="history",
        tags=["drafts"],
        response_model=ChangePage,
        summary="Get the history of one of the drafts",
        description=(
            "Every change of a draft of the caller's organization, also after its submission: when, by whom, what and"
            " why."
        ),
        **openapi.plain(HistoryQuery, journal=True, missing=True),
    )
    async def draft_history(request: Request, code: CodeInPath, who: Drafter) -> Response:
        owner = None if who.is_admin else who.organization or ""
        return await answer_history(request, own(who), code, owner=owner)

    @router.post(
        path,
        name="create",
        tags=["drafts"],
        response_model=listing.item,
        summary=create.summary,
        description=create.about,
        **openapi.write("POST", WriteQuery, created=True),
    )
    async def create_draft(request: Request, sent: create.body, who: Drafter) -> Response:  # type: ignore[name-defined]
        return await answer_write(request, who, lambda write: create.command(write, who, sent), reason="drafted")

    @router.patch(
        f"{path}/{{code}}",
        name="amend",
        tags=["drafts"],
        response_model=listing.item,
        summary=amend.summary,
        description=amend.about,
        **openapi.write("PATCH", WriteQuery, changes=True),
    )
    async def amend_draft(
        request: Request,
        code: CodeInPath,
        sent: amend.body,  # type: ignore[name-defined]
        who: Drafter,
    ) -> Response:
        return await answer_write(
            request, who, lambda write: amend.command(write, code, sent), changes=(own(who), code)
        )

    @router.delete(
        f"{path}/{{code}}",
        name="discard",
        tags=["drafts"],
        summary="Discard a draft",
        **openapi.write("DELETE", WriteQuery, changes=True),
    )
    async def discard_draft(request: Request, code: CodeInPath, who: Drafter) -> Response:
        """Remove a draft that was never submitted."""
        return await answer_write(request, who, lambda write: discard(write, code), changes=(own(who), code))

    @router.post(
        f"{path}/{{code}}/submission",
        name="submit",
        tags=["drafts"],
        response_model=submitted.item,
        summary=submit.summary,
        description=submit.about,
        **openapi.write("POST", WriteQuery, changes=True, created=True),
    )
    async def submit_draft(request: Request, code: CodeInPath, who: Drafter) -> Response:
        return await answer_write(
            request, who, lambda write: submit.command(write, code), reason="submitted", changes=(own(who), code)
        )


def _private(response: Response) -> Response:
    response.headers["Cache-Control"] = "private, no-cache"
    response.headers["Vary"] = "Accept, Authorization"
    return response
