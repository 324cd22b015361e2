"""The writes of programmes over HTTP, and the drafts of the caller's organization."""

from __future__ import annotations

from dataclasses import replace
from typing import Annotated

from fastapi import APIRouter, Path, Request
from starlette.responses import Response

from mmptf_catalog import schemas as wire
from mmptf_catalog.programmes import commands, examples, schemas
from mmptf_catalog.queries import DRAFTS, ORGANIZATIONS, PROGRAMMES
from mmptf_common import openapi
from mmptf_common.changes import ChangePage, HistoryQuery, answer_history
from mmptf_common.identity import CatalogWriter, Identity
from mmptf_common.journal import Write
from mmptf_common.listing import Listing
from mmptf_common.pages import answer_item, answer_list
from mmptf_common.problems import Forbidden
from mmptf_common.query import PointInTime
from mmptf_common.schemas import CODE_PATTERN
from mmptf_common.writing import Answer, BatchQuery, BatchReport, WriteQuery, answer_write, write_batch

router = APIRouter()

ProgrammeCode = Annotated[str, Path(pattern=CODE_PATTERN, max_length=64, examples=["WBALKANS-01"])]
ConceptCode = Annotated[str, Path(pattern=CODE_PATTERN, max_length=64, examples=["KEN-01"])]
FundedCode = Annotated[str, Path(pattern=CODE_PATTERN, max_length=64, examples=["UGA-01"])]
DraftCode = Annotated[str, Path(pattern=CODE_PATTERN, max_length=64, examples=["KEN-UGA-01"])]


def _own_drafts(who: Identity) -> Listing:
    """The drafts that a caller may see: those of the caller's organization."""
    return DRAFTS if who.is_admin else replace(DRAFTS, fixed={"organization = {}": who.organization or ""})


def _require_management_unit(who: Identity, what: str) -> None:
    if not who.is_management_unit:
        raise Forbidden(f"{what} by the Fund's management unit.")


@router.get(
    "/drafts",
    name="list",
    tags=["drafts"],
    response_model=schemas.DraftPage,
    summary="List drafts",
    **openapi.read(schemas.DraftQuery, media=openapi.EXPORTS),
)
async def drafts(request: Request, who: CatalogWriter) -> Response:
    """The drafts of the caller's organization, which nobody else sees."""
    return _private(await answer_list(request, _own_drafts(who)))


@router.get(
    "/drafts/{code}",
    name="get",
    tags=["drafts"],
    response_model=schemas.Draft,
    summary="Get one of the drafts",
    **openapi.read(PointInTime, missing=True),
)
async def draft(request: Request, code: DraftCode, who: CatalogWriter) -> Response:
    """A draft of the caller's organization."""
    return _private(await answer_item(request, _own_drafts(who), code))


@router.get(
    "/drafts/{code}/history",
    name="history",
    tags=["drafts"],
    response_model=ChangePage,
    summary="Get the history of one of the drafts",
    **openapi.plain(HistoryQuery, journal=True, missing=True),
)
async def draft_history(request: Request, code: DraftCode, who: CatalogWriter) -> Response:
    """Every change of a draft of the caller's organization, also after its submission: when, by whom, what and why."""
    owner = None if who.is_admin else who.organization or ""
    return await answer_history(request, _own_drafts(who), code, owner=owner)


def _private(response: Response) -> Response:
    response.headers["Cache-Control"] = "private, no-cache"
    response.headers["Vary"] = "Accept, Authorization"
    return response


@router.post(
    "/drafts",
    name="create",
    tags=["drafts"],
    response_model=schemas.Draft,
    summary="Begin a draft",
    **openapi.write("POST", WriteQuery, created=True),
)
async def create_draft(
    request: Request, sent: Annotated[schemas.DraftSent, openapi.example(examples.DRAFT)], who: CatalogWriter
) -> Response:
    """Begin a programme for the caller's organization. Its codes have to be known; the rest may come later."""
    return await answer_write(request, who, lambda write: commands.create_draft(write, who, sent), reason="drafted")


@router.patch(
    "/drafts/{code}",
    name="amend",
    tags=["drafts"],
    response_model=schemas.Draft,
    summary="Amend a draft",
    **openapi.write("PATCH", WriteQuery, changes=True),
)
async def amend_draft(
    request: Request,
    code: DraftCode,
    sent: Annotated[schemas.Content, openapi.example(examples.CONTENT)],
    who: CatalogWriter,
) -> Response:
    """Change the members that are sent; the others stay as they are."""
    return await answer_write(
        request, who, lambda write: commands.amend_draft(write, code, sent), changes=(_own_drafts(who), code)
    )


@router.delete(
    "/drafts/{code}",
    name="discard",
    tags=["drafts"],
    summary="Discard a draft",
    **openapi.write("DELETE", WriteQuery, changes=True),
)
async def discard_draft(request: Request, code: DraftCode, who: CatalogWriter) -> Response:
    """Remove a draft that was never submitted."""
    return await answer_write(
        request, who, lambda write: commands.discard_draft(write, code), changes=(_own_drafts(who), code)
    )


@router.post(
    "/drafts/{code}/submission",
    name="submit",
    tags=["drafts"],
    response_model=wire.Programme,
    summary="Submit a draft",
    **openapi.write("POST", WriteQuery, changes=True, created=True),
)
async def submit_draft(request: Request, code: DraftCode, who: CatalogWriter) -> Response:
    """Make a concept note of a draft that is complete: from then on everybody sees it, and the draft is gone."""
    return await answer_write(
        request,
        who,
        lambda write: commands.submit_draft(write, code),
        reason="submitted",
        changes=(_own_drafts(who), code),
    )


@router.patch(
    "/programmes/{code}",
    name="amend",
    tags=["programmes"],
    response_model=wire.Programme,
    summary="Amend a programme",
    **openapi.write("PATCH", WriteQuery, changes=True),
)
async def amend_programme(
    request: Request,
    code: ConceptCode,
    sent: Annotated[schemas.Amendment, openapi.example(examples.AMENDMENT)],
    who: CatalogWriter,
) -> Response:
    """Change the members that are sent, with the reason: its organization until it is approved, then the Fund."""
    return await answer_write(
        request,
        who,
        lambda write: commands.amend_programme(write, who, code, sent),
        reason=sent.reason,
        changes=(PROGRAMMES, code),
    )


@router.post(
    "/programmes/{code}/status",
    name="change-status",
    tags=["programmes"],
    response_model=wire.Programme,
    summary="Change the status of a programme",
    **openapi.write("POST", WriteQuery, changes=True),
)
async def change_status(
    request: Request,
    code: ProgrammeCode,
    sent: Annotated[schemas.StatusSent, openapi.example(examples.STATUS)],
    who: CatalogWriter,
) -> Response:
    """Give a programme the status that follows, from a day on, with the reason and the decision behind it."""
    return await answer_write(
        request,
        who,
        lambda write: commands.change_status(write, who, code, sent),
        reason=sent.reason,
        changes=(PROGRAMMES, code),
    )


@router.post(
    "/programmes/{code}/extensions",
    name="extend",
    tags=["programmes"],
    response_model=wire.Programme,
    summary="Extend a programme",
    **openapi.write("POST", WriteQuery, changes=True),
)
async def extend(
    request: Request,
    code: FundedCode,
    sent: Annotated[schemas.ExtensionSent, openapi.example(examples.EXTENSION)],
    who: CatalogWriter,
) -> Response:
    """A no-cost extension: a later last day. By the Fund's management unit."""
    _require_management_unit(who, "Programmes are extended")
    return await answer_write(
        request,
        who,
        lambda write: commands.extend(write, code, sent),
        reason=sent.reason,
        changes=(PROGRAMMES, code),
    )


@router.post(
    "/status-changes",
    name="create",
    tags=["status-changes"],
    response_model=BatchReport,
    summary="Change the status of several programmes",
    **openapi.write("POST", BatchQuery),
)
async def change_statuses(
    request: Request, sent: Annotated[schemas.StatusBatch, openapi.example(examples.STATUS_BATCH)], who: CatalogWriter
) -> Response:
    """The status changes of one meeting, all of them or none; with `partial` those that can be made."""
    reasons = "; ".join(dict.fromkeys(change.reason for change in sent.changes))

    async def write_all(write: Write) -> Answer:
        return await write_batch(
            request,
            write,
            sent.changes,
            "/changes",
            lambda change: commands.change_status_of(request, write, who, change),
        )

    return await answer_write(request, who, write_all, reason=reasons[:2000], query=BatchQuery)


@router.post(
    "/organizations",
    name="create",
    tags=["organizations"],
    response_model=wire.Organization,
    summary="List an organization",
    **openapi.write("POST", WriteQuery, created=True),
)
async def add_organization(
    request: Request,
    sent: Annotated[schemas.OrganizationSent, openapi.example(examples.ORGANIZATION)],
    who: CatalogWriter,
) -> Response:
    """List an organization, so that it can take part in programmes. By the Fund's management unit."""
    _require_management_unit(who, f"Organizations are listed at {ORGANIZATIONS.path}")
    return await answer_write(request, who, lambda write: commands.add_organization(write, who, sent), reason="listed")
