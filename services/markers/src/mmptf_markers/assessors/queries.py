"""The listing of settlements, and the programmes in which an organization takes part."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from mmptf_common.http.parameters import ListQuery, Values, order_by
from mmptf_common.lists.listing import Filter, Listing
from mmptf_markers.assessors.schemas import AssessorSettlement, AssessorSettlementPage
from mmptf_markers.filters import PROGRAMMES_EVER

# SQL of the codes of the programmes in which an organization takes part: by the catalogue, or by a settlement where
# the catalogue names none. `{0}` stands for its bound code. Drafts name programmes in the order of the database.
PROGRAMMES_OF = """
    SELECT code COLLATE "default" FROM (
        SELECT code FROM programme WHERE organizations @> ARRAY[{0}::text]
        UNION SELECT code FROM programme WHERE lead_organization = {0}::text
        UNION SELECT code FROM assessor JOIN programme USING (code)
               WHERE assessor.organizations @> ARRAY[{0}::text] AND cardinality(programme.organizations) = 0
                 AND lead_organization IS NULL) AS taken_part"""


class AssessorQuery(ListQuery):
    """Which settlements."""

    sort: tuple[Literal["code", "-code", "updated", "-updated"], ...] = order_by("code")
    programme: Annotated[Values, Field(description="Code of a programme, as in the catalogue.", examples=["MKD-01"])]


ASSESSORS = Listing(
    path="/markers/v1/assessors",
    entity="assessor",
    item=AssessorSettlement,
    page=AssessorSettlementPage,
    rows="assessor",
    query=AssessorQuery,
    sorts={"code": ("code", "text"), "updated": ("updated", "timestamptz")},
    filters={"programme": Filter("code = ANY({}::text[])", PROGRAMMES_EVER, "/catalog/v1/programmes")},
    columns={
        "code": "code",
        "organizations": "array_to_string(organizations, '|')",
        "lead_organization": "record->>'lead_organization'",
        "reason": "record->>'reason'",
        "updated": "record->>'updated'",
    },
)
