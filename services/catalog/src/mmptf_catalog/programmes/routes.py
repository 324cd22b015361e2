"""The routes of programmes: reading, writing, and the drafts of the caller's organization."""

from __future__ import annotations

from typing import Annotated

from starlette.responses import Response

from mmptf_catalog.access import MANAGEMENT_UNIT, CatalogWriter
from mmptf_catalog.programmes import commands, examples, schemas, settlements
from mmptf_catalog.programmes.queries import DRAFTS, PIPELINE_COLUMNS, PROGRAMMES, answer_pipeline, programme_card
from mmptf_catalog.programmes.schemas import CatalogProgrammeCard, Programme
from mmptf_common.http import openapi
from mmptf_common.http.headers import AmendRequest, ChangeRequest, PublicReadRequest, WriteRequest
from mmptf_common.http.identity import Identity
from mmptf_common.http.parameters import StrictQuery
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
    batch_report,
)

router = openapi.Router()
TAG = openapi.Tag(
    "Programmes",
    "Find the joint programmes of the Fund, count and sum them, and change them or their status.",
)
DRAFTS_TAG = openapi.Tag(
    "Programme drafts",
    "Prepare a programme that only its own organization sees, and submit it to the Fund as a concept note.",
    supporting=True,
)
ProgrammeCode = Annotated[str, openapi.code_of("programme", PROGRAMMES.path, "WBALKANS-01")]
ConceptCode = Annotated[str, openapi.code_of("programme", PROGRAMMES.path, "KEN-01", packaged=False)]
FundedCode = Annotated[str, openapi.code_of("programme", PROGRAMMES.path, "UGA-01", packaged=False)]


def _require_management_unit(who: Identity, what: str) -> None:
    if not who.has_role(MANAGEMENT_UNIT):
        raise Forbidden(f"{what} by the Fund's management unit.")


add_listing(
    router,
    PROGRAMMES,
    tag=TAG,
    about="A joint programme of the Fund: what it does, where, by whom and with which budget, its status, and the"
    " sources.",
    example="MKD-01",
)


@router.get(
    "/pipeline",
    tags=[TAG.name],
    response_model=schemas.PipelineStatement,
    summary="Count programmes by their status on a day",
    **openapi.read(media=openapi.TABLE, texts=openapi.table(PIPELINE_COLUMNS)),
)
async def get_pipeline(request: PublicReadRequest, query: Annotated[schemas.PipelineQuery, StrictQuery()]) -> Response:
    """How many programmes had which status on a day, today or earlier, with the path that lists those of each. It goes
    by the dates of the statuses; `as_of` says from which state of the data.
    """
    return await answer_pipeline(request, query)


add_drafts(
    router,
    DRAFTS,
    noun="programme draft",
    tag=DRAFTS_TAG,
    drafter=CatalogWriter,
    about="A programme that the caller's organization has begun and not submitted yet.",
    example="D-7K3M9QWT",
    create=StepWithBody(
        commands.create_draft,
        "Begin a programme for the organization that the access token names. Only `programme_code` is needed at once;"
        " other codes that are sent have to be listed ones. The draft gets a code of its own.",
        schemas.ProgrammeDraftSent,
        examples.DRAFT,
    ),
    amend=StepWithBody(
        commands.amend_draft,
        "Change the members that are sent; the others stay as they are.",
        schemas.ProgrammeDraftAmendment,
        examples.CONTENT,
    ),
    discard=commands.discard_draft,
    submit=Step(
        commands.submit_draft,
        "Submit a complete draft to the Fund: it becomes a programme with the status `concept_note` and the code in"
        " `programme_code`, which everybody sees, and the draft is gone. Where a programme has got that code meanwhile,"
        " the answer is a 409: amend the draft.",
    ),
    submitted=PROGRAMMES,
    readers="The drafts of the organization that the access token names.",
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
    """Change the members that are sent; the others stay as they are. The programme's lead organization may do so until
    it is approved, or any participating one where no lead is stated; the Fund's management unit may until it is closed.
    """
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
    **openapi.write(changes=True, asks=True),
)
async def change_programme_status(
    request: ChangeRequest,
    code: ProgrammeCode,
    sent: Annotated[schemas.StatusChangeSent, openapi.example(examples.STATUS)],
    who: CatalogWriter,
    query: WriteParameters,
) -> Response:
    """Give a programme the next status, mostly in this order: `concept_note`, `pipeline`, `approved`, `implementation`,
    `operationally_closed`, `financially_closed`. Where the new one may not follow the present one, the answer is a 409
    whose `allowed` names those that may. This is for the Fund's management unit; an organization may withdraw its own
    programme before the approval, and submit it as a concept note again. `financially_closed` needs a programme whose
    money is settled and whose final figures are certified in the ledger (`/funding/v1/settlements/{code}`).
    """
    unsettled = await settlements.ask(request, [code] if sent.status == "financially_closed" else [])
    return await answer_write(
        request,
        who,
        query,
        lambda write: commands.change_status(write, who, code, sent, unsettled),
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
    """Give a programme that is being carried out a later last day, without more money (a no-cost extension). Only the
    Fund's management unit may.
    """
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
    **openapi.write(asks=True),
)
async def change_programme_statuses(
    request: WriteRequest,
    sent: Annotated[schemas.StatusChangeBatch, openapi.example(examples.STATUS_BATCH)],
    who: CatalogWriter,
    query: BatchParameters,
) -> Response:
    """Give several programmes a new status at once, such as after a meeting: all of them or none, or with
    `partial=true` those that are not refused.
    """
    closing = [change.programme for change in sent.changes if change.status == "financially_closed"]
    unsettled = await settlements.ask(request, closing)

    async def write_all(write: Write) -> Answer:
        partial = query.partial == "true"
        results = await commands.change_statuses(request, write, who, sent.changes, unsettled, partial=partial)
        return batch_report(query, results, "/changes")

    return await answer_write(request, who, query, write_all, reason="a batch of status changes")


add_card(
    router,
    "catalog",
    CatalogProgrammeCard,
    programme_card,
    title="Programme",
    tag=TAG,
    about="The main facts on a programme, for a panel on a page: what it does, where, by whom, its status and budget,"
    " and what no source states.",
    known=codes_in("programme"),
    unknown="There is no programme {}",
    example="MKD-01",
)
