"""What of assessments and actions is restricted: rows of a table of their own, under the codes of the public records.

Whoever takes part in the programme reads them, whoever wrote them, reviewers whose organization takes no part, and the
Fund's management unit. Nothing of them is in a public record, and of their changes only auditors read.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import replace
from typing import Any

from pydantic import BaseModel
from starlette.requests import Request
from starlette.responses import Response

from mmptf_common.http.conditional import private
from mmptf_common.http.identity import Identity
from mmptf_common.http.parameters import PointInTime
from mmptf_common.lists.listing import Listing
from mmptf_common.lists.pages import answer_item
from mmptf_common.storage.engines import ReadKind, reading
from mmptf_common.wire.problems import Forbidden
from mmptf_markers.access import MANAGEMENT_UNIT, REVIEW
from mmptf_markers.models import RestrictedRow


def restricted_row(content: Any, organization: str) -> RestrictedRow:
    """The row of what is restricted of a record; content: its model, with the code and the programme of the record."""
    return RestrictedRow(
        code=content.code,
        programme=content.programme,
        organization=organization,
        updated=content.updated,
        record=content.model_dump(mode="json"),
    )


async def answer_restricted(
    request: Request, listing: Listing, item: type[BaseModel], code: str, who: Identity, query: PointInTime
) -> Response:
    """What is restricted of a record of a list; raises Forbidden for a caller who may not read it."""
    async with reading(request.app.state.database, ReadKind.PAGE) as connection:
        participants = await connection.fetchval(
            "SELECT array_remove(p.organizations || p.lead_organization || r.organization::text ||"
            " CASE WHEN cardinality(p.organizations) = 0 AND p.lead_organization IS NULL THEN settled.organizations END,"
            " NULL) FROM restricted_content AS r LEFT JOIN programme AS p ON p.code = r.programme"
            " LEFT JOIN assessor AS settled ON settled.code = r.programme WHERE r.code = $1",
            code,
        )
    if participants is not None:
        _require_reader(who, participants)
    parts = replace(listing, entity="restricted_content", rows="restricted_content", record="record::text", item=item)
    return private(await answer_item(request, parts, code, query))


def _require_reader(who: Identity, participants: Collection[str]) -> None:
    """Raise Forbidden where a caller neither takes part in a programme, nor may review it, nor is the management unit.

    participants: the codes of the organizations that take part, and of the one that wrote the assessment
    """
    takes_part = who.organization in participants
    may_review = who.may(REVIEW) and who.organization is not None
    if not (takes_part or may_review or who.has_role(MANAGEMENT_UNIT)):
        named = ", ".join(sorted(set(participants)))
        raise Forbidden(f"This is restricted to {named}, to reviewers, and to the Fund's management unit.")
