"""The targets of markers: their listing, and the one that is measured against."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field
from starlette.requests import Request

from mmptf_common.http.parameters import ListQuery, Values, order_by
from mmptf_common.http.snapshot import Snapshot
from mmptf_common.lists.codes import codes_in
from mmptf_common.lists.listing import Filter, Listing, completed, known_values, once
from mmptf_common.storage.engines import ReadKind
from mmptf_common.wire.base import Code
from mmptf_common.wire.problem_codes import ProblemCode
from mmptf_common.wire.problems import Conflict, ErrorDetail, raise_if_any
from mmptf_common.wire.stored_records import read_record
from mmptf_markers.filters import OF_MARKER, PATH
from mmptf_markers.indicator import schemas

# The default target.
TARGET = "human-rights-90"

TargetCode = Annotated[
    Code | None,
    Field(description="Code of a target, as at `/markers/v1/targets`.", examples=["human-rights-90"]),
]


class TargetQuery(ListQuery):
    """Which targets."""

    sort: tuple[Literal["code", "-code"], ...] = order_by("code")
    marker: Annotated[Values, Field(description="Code of a marker; a rubric names its own.", examples=["human_rights"])]


# Rewrites a minimum that was stored as two integers into the form of all shares, and states that a target which was
# stored without `printed` and `claims` has none.
_SHARE_AS_SENT = once(
    "record::text",
    r"""CASE json_typeof(record#>'{minimum,numerator}') WHEN 'number' THEN regexp_replace(
    whole, '"numerator":([0-9]+),"denominator":([0-9]+)', '"numerator":"\1","denominator":"\2","per_cent":"'
    || trunc((record#>>'{minimum,numerator}')::numeric * 100 / (record#>>'{minimum,denominator}')::numeric, 2)
    || '"') ELSE whole END""",
)
_TARGET_AS_SENT = completed(_SHARE_AS_SENT, {"claims": "'[]'", "printed": "'null'"})

TARGETS = Listing(
    path=f"{PATH}/targets",
    entity="target",
    item=schemas.IndicatorTarget,
    page=schemas.IndicatorTargetPage,
    rows="target",
    record=_TARGET_AS_SENT,
    query=TargetQuery,
    sorts={"code": ("code", "text")},
    filters={"marker": OF_MARKER},
    columns={
        "code": "code",
        "marker": "marker",
        "name": "record->>'name'",
        "minimum": "record#>>'{minimum,numerator}' || '/' || (record#>>'{minimum,denominator}')",
        "stage": "record->>'stage'",
        "printed": "record#>>'{printed,programmes}'",
        "updated": "record->>'updated'",
    },
)


_TARGET_CODE = Filter("code = {}", codes_in("target"), TARGETS.path)


async def known_target(request: Request, code: str | None) -> str | None:
    """The code of a target as it is written; raises InvalidRequest where there is no such target."""
    if code is None:
        return None
    errors: list[ErrorDetail] = []
    written = await known_values(request, ReadKind.COMPUTED, "target", _TARGET_CODE, [code], errors)
    raise_if_any(errors)
    return str(written[0])


async def fetch_target(data: Snapshot, code: str | None) -> schemas.IndicatorTarget:
    """The target with a code, the default one where that is None; raises Conflict where it is not loaded."""
    rows = dict(await data.fetch(f"SELECT code, {_TARGET_AS_SENT} FROM target ORDER BY code"))
    wanted = code or TARGET
    if wanted not in rows:
        when = "was not known at that time" if data.is_dated else "is not loaded"
        raise Conflict(f"The target {wanted} {when}.", code=ProblemCode.NO_TARGET)
    return read_record(schemas.IndicatorTarget, rows[wanted])
