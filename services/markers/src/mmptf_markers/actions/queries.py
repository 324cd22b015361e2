"""The listing of actions, and the open ones of a programme."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from mmptf_common.http.parameters import ListQuery, Values, order_by
from mmptf_common.lists.codes import codes_in, codes_named_in
from mmptf_common.lists.listing import Filter, Listing
from mmptf_common.storage.journal import Write
from mmptf_common.wire.base import Code, Day
from mmptf_common.wire.stored_records import read_record
from mmptf_markers.actions.rules import open_action
from mmptf_markers.actions.schemas import (
    ActionKind,
    ActionState,
    AssessmentAction,
    AssessmentActionPage,
    OpenAction,
    RestrictedAction,
)
from mmptf_markers.filters import OF_MARKER, OF_ORGANIZATION, OF_PROGRAMME, PATH


class ActionQuery(ListQuery):
    """Which actions: any of a repeated filter, all of different ones. Overdue are those with `state=open` and
    `due_before` today.
    """

    sort: tuple[Literal["due", "-due", "code", "-code", "updated", "-updated"], ...] = order_by("due")
    programme: Annotated[Values, Field(description="Code of a programme, as in the catalogue.", examples=["ETH-01"])]
    marker: Annotated[Values, Field(description="Code of a marker; a rubric names its own.", examples=["human_rights"])]
    assessment: Annotated[Values, Field(description="Code of the assessment that planned them.", examples=["A-000001"])]
    criterion: Annotated[
        Values,
        Field(
            description="Code of the criterion whose answer they follow from; `not_stated` finds measures.",
            examples=["equality"],
        ),
    ]
    organization: Annotated[
        Values, Field(description="Code of the organization whose assessment planned them.", examples=["ILO"])
    ]
    kind: Annotated[
        list[ActionKind],
        Field(
            default_factory=list,
            max_length=100,
            description="Only actions of answers, or only measures of due diligence.",
            examples=["action"],
        ),
    ]
    state: Annotated[
        list[ActionState],
        Field(
            default_factory=list,
            max_length=100,
            description="Only those that are open, or that were done, replaced or dropped.",
            examples=["open"],
        ),
    ]
    due_before: Annotated[
        Day | None,
        Field(
            description="Only actions due before this day, not on it: with `state=open` and today, those overdue.",
            examples=["2027-12-31"],
        ),
    ] = None


ACTIONS = Listing(
    path=f"{PATH}/actions",
    entity="action",
    item=AssessmentAction,
    page=AssessmentActionPage,
    rows="action",
    query=ActionQuery,
    sorts={
        # Those without a day are the last ones in both directions.
        "due": ("coalesce(due, {last})", "date"),
        "code": ("code", "text"),
        "updated": ("updated", "timestamptz"),
    },
    filters={
        "programme": OF_PROGRAMME,
        "marker": OF_MARKER,
        "assessment": Filter("assessment = ANY({}::text[])", codes_in("assessment"), f"{PATH}/assessments"),
        "criterion": Filter(
            "criterion = ANY({}::text[])",
            codes_named_in("rubric, json_array_elements(record#>'{content,criteria}') AS c", "c->>'code'"),
            f"{PATH}/rubrics",
            not_stated="criterion IS NULL",
        ),
        "organization": OF_ORGANIZATION,
        "kind": Filter("kind = ANY({}::text[])"),
        "state": Filter("state = ANY({}::text[])"),
        "due_before": Filter("due < {}::text::date"),
    },
    columns={
        "code": "code",
        "kind": "kind",
        "programme": "programme",
        "marker": "marker",
        "assessment": "assessment",
        "criterion": "criterion",
        "organization": "organization",
        "action": "record->>'action'",
        "owner": "record->>'owner'",
        "due": "due",
        "state": "state",
        "ended": "record->>'ended'",
        "reason": "record->>'reason'",
        "replaced_by": "record->>'replaced_by'",
        "updated": "record->>'updated'",
    },
)


async def fetch_open(write: Write, programme: Code, marker: str) -> list[OpenAction]:
    """The actions and measures of a programme under a marker that are open, the earliest first."""
    rows = await write.connection.fetch(
        "SELECT a.record::text AS record, r.record::text AS restricted"
        " FROM action AS a JOIN restricted_content AS r USING (code)"
        " WHERE a.programme = $1 AND a.marker = $2 AND a.state = 'open' ORDER BY code",
        programme,
        marker,
    )
    return [
        open_action(
            read_record(AssessmentAction, row["record"]),
            read_record(RestrictedAction, row["restricted"]),
        )
        for row in rows
    ]


async def fetch_next_number(write: Write) -> int:
    """The number of the next action, which none has ever had."""
    last = await write.connection.fetchval(
        "SELECT max(substr(key, 5)::int) FROM change WHERE entity = 'action' AND action = 'create'"
    )
    return (last or 0) + 1
