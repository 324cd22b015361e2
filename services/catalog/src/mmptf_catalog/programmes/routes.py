"""The routes of programmes: reading, writing, and the drafts of the caller's organization."""

from __future__ import annotations

from typing import Annotated

from starlette.responses import Response

from mmptf_catalog.access import MANAGEMENT_UNIT, CatalogWriter
from mmptf_catalog.programmes import commands, examples, schemas
from mmptf_catalog.programmes.queries import DRAFTS, PROGRAMMES, programme_card
from mmptf_catalog.programmes.schemas import CatalogProgrammeCard, Programme
from mmptf_common.http import openapi
from mmptf_common.http.headers import AmendRequest, ChangeRequest, WriteRequest
from mmptf_common.http.identity import Identity
from mmptf_common.lists.codes import codes_in
from mmptf_common.routers.cards import add_card
from mmptf_common.routers.drafts import Step, StepWithBody, add_drafts
from mmptf_common.routers.lists import add_listing
from mmptf_common.storage.journal import Write
from mmptf_common.wire.problems import Forbidden
from mmptf_common.writes.commands import (
    Answer,
    BatchParameters,
    BatchReport,
    WriteParameters,
    answer_write,
    write_batch,
)

router = openapi.Router()
TAG = openapi.Tag(
    "Programmes",
    "Find the joint programmes of the Fund, count and sum them, and change them or their status.",
)
DRAFTS_TAG = openapi.Tag(
    "Programme drafts",
    "Prepare a programme that only its organization sees, and submit it as a concept note.",
    supporting=True,
)
ProgrammeCode = Annotated[str, openapi.code_in_path("Code of the programme.", "WBALKANS-01")]
ConceptCode = Annotated[str, openapi.code_in_path("Code of the programme.", "KEN-01", packaged=False)]
FundedCode = Annotated[str, openapi.code_in_path("Code of the programme.", "UGA-01", packaged=False)]


def _require_management_unit(who: Identity, what: str) -> None:
    if not who.has_role(MANAGEMENT_UNIT):
        raise Forbidden(f"{what} by the Fund's management unit.")


add_listing(
    router,
    PROGRAMMES,
    tag=TAG,
    about="A joint programme of the Fund: what its sources state, what they do not, and its dated status.",
    example="MKD-01",
)
add_drafts(
    router,
    DRAFTS,
    noun="programme draft",
    tag=DRAFTS_TAG,
    drafter=CatalogWriter,
    about="A draft of the caller's organization.",
    example="KEN-UGA-01",
    create=StepWithBody(
        commands.create_draft,
        "Begin a programme for the caller's organization. Its codes have to be known; the rest may come later.",
        schemas.ProgrammeDraftSent,
        examples.DRAFT,
    ),
    amend=StepWithBody(
        commands.amend_draft,
        "Change the members that are sent; the others stay as they are.",
        schemas.ProgrammeContentSent,
        examples.CONTENT,
    ),
    discard=commands.discard_draft,
    submit=Step(
        commands.submit_draft,
        "Make a concept note of a draft that is complete: from then on everybody sees it, and the draft is gone.",
    ),
    submitted=PROGRAMMES,
)


@router.patch(
    "/programmes/{code}",
    tags=[TAG.name],
    response_model=Programme,
    summary="Amend a programme",
    **openapi.write(changes=True),
)
async def amend_programme(
    request: AmendRequest,
    code: ConceptCode,
    sent: Annotated[schemas.ProgrammeAmendment, openapi.example(examples.AMENDMENT)],
    who: CatalogWriter,
    query: WriteParameters,
) -> Response:
    """Change the members that are sent, with the reason: its organization until it is approved, then the Fund."""
    return await answer_write(
        request,
        who,
        query,
        lambda write: commands.amend_programme(write, who, code, sent),
        reason=sent.reason,
        changes=(PROGRAMMES, code),
    )


@router.post(
    "/programmes/{code}/status",
    tags=[TAG.name],
    response_model=Programme,
    summary="Change the status of a programme",
    **openapi.write(changes=True),
)
async def change_programme_status(
    request: ChangeRequest,
    code: ProgrammeCode,
    sent: Annotated[schemas.StatusChangeSent, openapi.example(examples.STATUS)],
    who: CatalogWriter,
    query: WriteParameters,
) -> Response:
    """Give a programme the status that follows, from a day on, with the reason and the decision behind it."""
    return await answer_write(
        request,
        who,
        query,
        lambda write: commands.change_status(write, who, code, sent),
        reason=sent.reason,
        changes=(PROGRAMMES, code),
    )


@router.post(
    "/programmes/{code}/extensions",
    tags=[TAG.name],
    response_model=Programme,
    summary="Extend a programme",
    **openapi.write(changes=True),
)
async def extend_programme(
    request: ChangeRequest,
    code: FundedCode,
    sent: Annotated[schemas.NoCostExtensionSent, openapi.example(examples.EXTENSION)],
    who: CatalogWriter,
    query: WriteParameters,
) -> Response:
    """A no-cost extension: a later last day. By the Fund's management unit."""
    _require_management_unit(who, "Programmes are extended")
    return await answer_write(
        request,
        who,
        query,
        lambda write: commands.extend(write, code, sent),
        reason=sent.reason,
        changes=(PROGRAMMES, code),
    )


@router.post(
    "/status-changes",
    tags=[TAG.name],
    response_model=BatchReport,
    summary="Change the status of several programmes",
    **openapi.write(),
)
async def change_programme_statuses(
    request: WriteRequest,
    sent: Annotated[schemas.StatusChangeBatch, openapi.example(examples.STATUS_BATCH)],
    who: CatalogWriter,
    query: BatchParameters,
) -> Response:
    """The status changes of one meeting, all of them or none; with `partial` those that can be made."""

    async def write_all(write: Write) -> Answer:
        return await write_batch(
            write,
            query,
            sent.changes,
            "/changes",
            lambda change: commands.change_status_of(request, write, who, change),
            lambda change: change.reason,
        )

    return await answer_write(request, who, query, write_all, reason="a batch of status changes")


add_card(
    router,
    "catalog",
    CatalogProgrammeCard,
    programme_card,
    title="Programme",
    tag=TAG,
    about="A programme at one glance: what it is, where, whose, how much is budgeted, and what no source states.",
    known=codes_in("programme"),
    unknown="There is no programme {}",
    example="MKD-01",
)
