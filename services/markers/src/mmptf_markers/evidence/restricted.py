"""What of assessments and actions is restricted: rows of a table of their own, under the codes of the public records.

Whoever takes part in the programme reads them, whoever wrote them, whoever has claimed the review of the assessment,
and the Fund's management unit. Nothing of them is in a public record, and of their changes only auditors read.
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
from mmptf_common.storage.pseudonyms import OF_SUBJECT
from mmptf_common.wire.problems import Forbidden
from mmptf_markers.access import MANAGEMENT_UNIT
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


# The organizations that take part in the programme of a restricted record, and that which wrote it; and whether a
# subject has claimed or made a review of the assessment.
_READERS = f"""
    SELECT array_remove(
               p.organizations || p.lead_organization || r.organization::text
               || CASE WHEN cardinality(p.organizations) = 0 AND p.lead_organization IS NULL
                       THEN settled.organizations END, NULL) AS participants,
           EXISTS (SELECT FROM review WHERE assessment = coalesce(planned.assessment, r.code)
                      AND state IN ('claimed', 'done') AND reviewer = {OF_SUBJECT.format("$2")}) AS reviews
      FROM restricted_content AS r LEFT JOIN programme AS p ON p.code = r.programme
      LEFT JOIN assessor AS settled ON settled.code = r.programme LEFT JOIN action AS planned ON planned.code = r.code
     WHERE r.code = $1"""


async def answer_restricted(
    request: Request, listing: Listing, item: type[BaseModel], code: str, who: Identity, query: PointInTime
) -> Response:
    """What is restricted of a record of a list; raises Forbidden for a caller who may not read it."""
    async with reading(request.app.state.database, ReadKind.PAGE) as connection:
        readers = await connection.fetchrow(_READERS, code, who.subject)
    if readers is not None:
        _require_reader(who, readers["participants"], reviews=readers["reviews"])
    parts = replace(listing, entity="restricted_content", rows="restricted_content", record="record::text", item=item)
    return private(await answer_item(request, parts, code, query))


def _require_reader(who: Identity, participants: Collection[str], *, reviews: bool) -> None:
    """Raise Forbidden where a caller neither takes part in a programme, nor reviews it, nor is the management unit.

    participants: the codes of the organizations that take part, and of the one that wrote the assessment
    """
    if not (who.organization in participants or reviews or who.has_role(MANAGEMENT_UNIT)):
        named = ", ".join(sorted(set(participants)))
        raise Forbidden(
            f"This is restricted to {named}, to whoever has claimed its review, and to the Fund's management unit."
        )
