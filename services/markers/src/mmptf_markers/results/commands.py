"""Commands on the results framework: describe indicators, and report, correct and withdraw values."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date

from mmptf_common.http.identity import Identity
from mmptf_common.lists.codes import codes_in, unknown_in
from mmptf_common.storage.journal import Write
from mmptf_common.storage.records import add, submission
from mmptf_common.wire.attachments import Attachment
from mmptf_common.wire.base import Code
from mmptf_common.wire.problem_codes import ProblemCode
from mmptf_common.wire.problems import Conflict, ErrorDetail, Forbidden, InvalidRequest, raise_if_any
from mmptf_common.wire.sources import SourceRef
from mmptf_common.wire.stored_records import whole_record
from mmptf_common.writes.commands import Created, row_of
from mmptf_markers.access import ASSESS, MANAGEMENT_UNIT
from mmptf_markers.assessors.commands import fetch_participation, require_programme
from mmptf_markers.models import ReportedValueRow, ResultsIndicatorRow
from mmptf_markers.results import rules, schemas
from mmptf_markers.results.queries import (
    REPORTED_VALUES,
    RESULTS_INDICATORS,
    fetch_next_number,
    fetch_overlapping,
    fetch_used_codes,
)


async def create_indicator(write: Write, who: Identity, sent: schemas.ResultsIndicatorSent) -> Created:
    """Describe a new indicator; raises Forbidden for who may not write it, Conflict for a code that is taken."""
    participants = await _require_writer(write, who, sent.programme)
    taken = await write.connection.fetchval(
        "SELECT code FROM results_indicator WHERE lower(code) = lower($1)", sent.code
    )
    if taken is not None:
        raise Conflict(f"{taken} is an indicator already; amend that.", code=ProblemCode.CODE_TAKEN)
    stated = sent.model_dump(mode="json")
    indicator = _indicator(
        write,
        {
            **stated,
            "scope": "programme" if sent.programme else "fund",
            "computed": False,
            "marker_target": None,
        },
        None,
    )
    raise_if_any(_indicator_errors(indicator, sent.targets, participants))
    await add(write, [indicator_row(indicator)])
    return Created(RESULTS_INDICATORS, indicator.code)


async def amend_indicator(write: Write, who: Identity, code: str, sent: schemas.ResultsIndicatorAmendment) -> None:
    """Change an indicator; raises Conflict for a computed one."""
    row = await row_of(write, ResultsIndicatorRow, RESULTS_INDICATORS, code)
    stored = whole_record(schemas.ResultsIndicator, row.record)
    participants = await _require_writer(write, who, stored.programme)
    _require_reported(stored)
    amended = _indicator(write, {**stored.model_dump(mode="json"), **sent.stated()}, sent.reason)
    targets = sent.targets if "targets" in sent.model_fields_set else stored.targets
    errors = [
        *_indicator_errors(amended, targets, participants),
        *rules.missing_codes_errors(amended.disaggregations, await fetch_used_codes(write, code)),
    ]
    raise_if_any(errors)
    if amended != stored.model_copy(update={"updated": amended.updated, "sources": amended.sources}):
        await write.session.merge(indicator_row(amended))


async def report_value(write: Write, who: Identity, sent: schemas.ReportedValueSent) -> Created:
    """Report a value of an indicator; raises Conflict for a computed one, InvalidRequest for days with a value."""
    row = await write.session.get(ResultsIndicatorRow, sent.indicator)
    if row is None:
        listed_at, known = RESULTS_INDICATORS.path, codes_in("results_indicator")
        raise InvalidRequest(
            [await unknown_in(write.connection, "/indicator", sent.indicator, known, listed_at=listed_at)]
        )
    indicator = whole_record(schemas.ResultsIndicator, row.record)
    await _require_writer(write, who, indicator.programme)
    code = f"RV-{await fetch_next_number(write):06}"
    value = await _value(write, who, code, indicator, sent, None)
    await add(write, [_value_row(value)])
    return Created(REPORTED_VALUES, code)


async def correct_value(write: Write, who: Identity, code: str, sent: schemas.ReportedValueCorrection) -> None:
    """Replace a reported value as a whole; raises Conflict for one that was withdrawn."""
    stored, indicator = await _require_counting(write, who, code)
    value = await _value(write, who, code, indicator, sent, sent.reason)
    if value != stored.model_copy(update={"updated": value.updated, "sources": value.sources}):
        await write.session.merge(_value_row(value))


async def withdraw_value(write: Write, who: Identity, code: str, reason: str) -> None:
    """Take back a reported value, which counts for nothing from then on; raises Conflict where it was before."""
    stored, _ = await _require_counting(write, who, code)
    sources = [_source(write, REPORTED_VALUES.path, code, "status", reason)]
    withdrawn = stored.model_copy(update={"status": "withdrawn", "sources": sources, "updated": write.at})
    await write.session.merge(_value_row(withdrawn))


def indicator_row(indicator: schemas.ResultsIndicator) -> ResultsIndicatorRow:
    """The row of an indicator."""
    return ResultsIndicatorRow(
        code=indicator.code,
        scope=indicator.scope,
        programme=indicator.programme,
        level=indicator.level,
        unit=indicator.unit,
        organization=indicator.responsible_organization,
        computed=indicator.computed,
        updated=indicator.updated,
        record=indicator.model_dump(mode="json"),
    )


def _value_row(value: schemas.ReportedValue) -> ReportedValueRow:
    return ReportedValueRow(
        code=value.code,
        indicator=value.indicator,
        programme=value.programme,
        organization=value.organization,
        period_start=value.start,
        period_end=value.end,
        status=value.status,
        updated=value.updated,
        record=value.model_dump(mode="json"),
    )


async def _require_writer(write: Write, who: Identity, programme: Code | None) -> frozenset[str] | None:
    """The organizations that take part in the programme of an indicator; None for an indicator of the Fund.

    Raises Forbidden for everybody but these and the Fund's management unit, which alone writes indicators of the Fund.
    """
    is_unit = who.has_role(MANAGEMENT_UNIT)
    if programme is None:
        if not is_unit:
            raise Forbidden("Results of the Fund are written by the Fund's management unit.")
        return None
    participants = (await fetch_participation(write, await require_programme(write, programme))).organizations
    if not is_unit and not (who.may(ASSESS) and who.organization in participants):
        named = ", ".join([*sorted(participants), "the Fund's management unit"])
        raise Forbidden(f"Results of {programme} are written by those that take part in it and the unit: {named}.")
    return participants


def _require_reported(indicator: schemas.ResultsIndicator) -> None:
    """Raise Conflict for an indicator whose value is computed."""
    if indicator.computed:
        raise Conflict(
            f"{indicator.code} is computed from the target {indicator.marker_target} of a marker, and not written.",
            code=ProblemCode.VALUE_COMPUTED,
        )


async def _require_counting(
    write: Write, who: Identity, code: str
) -> tuple[schemas.ReportedValue, schemas.ResultsIndicator]:
    """A reported value that counts, and its indicator; raises Forbidden for who may not write it."""
    row = await row_of(write, ReportedValueRow, REPORTED_VALUES, code)
    stored = whole_record(schemas.ReportedValue, row.record)
    of = await write.session.get_one(ResultsIndicatorRow, stored.indicator)
    await _require_writer(write, who, stored.programme)
    if stored.status == "withdrawn":
        raise Conflict(f"{code} was withdrawn; report the value anew.", code=ProblemCode.VALUE_WITHDRAWN)
    return stored, whole_record(schemas.ResultsIndicator, of.record)


def _indicator(write: Write, members: dict[str, object], note: str | None) -> schemas.ResultsIndicator:
    """An indicator as it is stored, its targets in the order of their days; note: why it was changed."""
    source = _source(write, RESULTS_INDICATORS.path, str(members["code"]), "name", note)
    indicator = schemas.ResultsIndicator.model_validate({**members, "sources": [source], "updated": write.at})
    return indicator.model_copy(update={"targets": rules.in_order(indicator.targets)})


def _indicator_errors(
    indicator: schemas.ResultsIndicator,
    targets: list[schemas.ResultTargetSent] | list[schemas.ResultTarget],
    participants: frozenset[str] | None,
) -> Iterator[ErrorDetail]:
    """The errors of an indicator; targets: in the order in which they were sent."""
    sent = [schemas.ResultTarget.model_validate(target, from_attributes=True) for target in targets]
    yield from rules.indicator_errors(
        indicator.unit, indicator.aggregation, indicator.baseline, sent, indicator.disaggregations
    )
    yield from rules.responsible_errors(indicator.responsible_organization, participants)


async def _value(
    write: Write,
    who: Identity,
    code: Code,
    indicator: schemas.ResultsIndicator,
    sent: schemas.ReportedValueSent | schemas.ReportedValueCorrection,
    reason: str | None,
) -> schemas.ReportedValue:
    """The value as it is stored; raises InvalidRequest with everything that is wrong with it."""
    _require_reported(indicator)
    start, end = (date.fromisoformat(sent.start) if sent.start else None), date.fromisoformat(sent.end)
    errors = [
        *rules.period_errors(start, end, indicator.aggregation, write.at.date()),
        *rules.value_errors("/value", sent.value, indicator.unit),
        *rules.parts_errors(sent.value, sent.disaggregation, indicator.unit, indicator.disaggregations),
    ]
    if other := await fetch_overlapping(write, indicator.code, start or end, end, code):
        errors.append(rules.overlap_error(start, end, other["code"], (other["first"], other["period_end"])))
    raise_if_any(errors)
    return schemas.ReportedValue(
        code=code,
        indicator=indicator.code,
        programme=indicator.programme,
        organization=who.organization,
        start=start,
        end=end,
        value=sent.value,
        disaggregation=sent.disaggregation,
        source=sent.source,
        attachment=Attachment.model_validate(sent.attachment, from_attributes=True) if sent.attachment else None,
        note=sent.note,
        status="reported",
        sources=[_source(write, REPORTED_VALUES.path, code, "value", reason)],
        updated=write.at,
    )


def _source(write: Write, path: str, code: Code, field: str, note: str | None) -> SourceRef:
    return submission(write, f"{path}/{code}", field, note)
