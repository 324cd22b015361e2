"""The listings of calls for proposals, meetings and decisions, as SQL over their tables."""

from __future__ import annotations

from mmptf_catalog.code_lists.queries import PATH
from mmptf_catalog.decisions.domain import CallForProposals, Decision, Meeting
from mmptf_catalog.decisions.schemas import (
    CallForProposalsPage,
    CallQuery,
    DecisionFilter,
    DecisionPage,
    DecisionQuery,
    MeetingFilter,
    MeetingPage,
    MeetingQuery,
)
from mmptf_common.lists.codes import codes_in
from mmptf_common.lists.listing import AS_MOMENT, AS_TEXT, SOURCED, Dimension, Filter, Listing, own_codes
from mmptf_common.lists.search import search_in

PROGRAMMES_PATH = f"{PATH}/programmes"
_BETWEEN = {"date_from": Filter("date >= {}::text::date"), "date_to": Filter("date <= {}::text::date")}
_UPDATED = ("updated", "timestamptz")
_RANGES = {"date": ("filtered.date", AS_TEXT), "updated": ("filtered.updated", AS_MOMENT)}
_DOCUMENTS = "(SELECT string_agg(document->>'url', '|') FROM jsonb_array_elements(record->'documents') AS document)"

CALLS = Listing(
    path=f"{PATH}/calls",
    entity="call",
    item=CallForProposals,
    page=CallForProposalsPage,
    rows="call",
    query=CallQuery,
    # Those without a first day are the last ones in both directions.
    sorts={"opens": ("coalesce(opens, {last})", "date"), "code": ("code", "text"), "updated": _UPDATED},
    filters={
        "code": own_codes("call", "call"),
        "open_on": Filter("opens <= {0}::text::date AND coalesce(closes, 'infinity') >= {0}::text::date"),
        "updated_since": Filter("updated >= {}::timestamptz"),
    },
    columns={
        "code": "code",
        "title": "record->>'title'",
        "opens": "opens",
        "closes": "closes",
        "summary": "record->>'summary'",
        "documents": _DOCUMENTS,
        **SOURCED,
    },
)

MEETINGS = Listing(
    path=f"{PATH}/meetings",
    entity="meeting",
    item=Meeting,
    page=MeetingPage,
    rows="meeting",
    query=MeetingQuery,
    sorts={"date": ("date", "date"), "code": ("code", "text"), "updated": _UPDATED},
    filters={
        "code": own_codes("meeting", "meeting"),
        "kind": Filter("kind = ANY({}::text[])"),
        **_BETWEEN,
        "updated_since": Filter("updated >= {}::timestamptz"),
    },
    columns={
        "code": "code",
        "date": "date",
        "kind": "kind",
        "title": "record->>'title'",
        "documents": _DOCUMENTS,
        **SOURCED,
    },
    facets={"kind": Dimension("filtered.kind")},
    ranges=_RANGES,
    facet_query=MeetingFilter,
)

DECISIONS = Listing(
    path=f"{PATH}/decisions",
    entity="decision",
    item=Decision,
    page=DecisionPage,
    rows="decision",
    query=DecisionQuery,
    sorts={"date": ("date", "date"), "code": ("code", "text"), "updated": _UPDATED},
    filters={
        "code": own_codes("decision", "decision"),
        "meeting": Filter(
            "meeting = ANY({}::text[])", codes_in("meeting"), MEETINGS.path, not_stated="meeting IS NULL"
        ),
        "call": Filter("call = ANY({}::text[])", codes_in("call"), CALLS.path, not_stated="call IS NULL"),
        "programme": Filter("programmes && {}::text[]", codes_in("programme"), PROGRAMMES_PATH),
        "kind": Filter("kind = ANY({}::text[])"),
        **_BETWEEN,
        "q": search_in("decision", "record->>'number'", "record->>'text'"),
        "updated_since": Filter("updated >= {}::timestamptz"),
    },
    columns={
        "code": "code",
        "number": "number",
        "meeting": "meeting",
        "call": "call",
        "date": "date",
        "kind": "kind",
        "text": "record->>'text'",
        "programmes": "array_to_string(programmes, '|')",
        "document": "record#>>'{document,url}'",
        **SOURCED,
    },
    facets={
        "meeting": Dimension("filtered.meeting", "(SELECT record->>'title' FROM meeting AS named WHERE code = {})"),
        "call": Dimension("filtered.call", "(SELECT record->>'title' FROM call AS named WHERE code = {})"),
        "programme": Dimension(
            "v.code",
            "(SELECT record->>'title' FROM programme AS named WHERE code = {})",
            "LEFT JOIN LATERAL unnest(filtered.programmes) AS v(code) ON true",
        ),
        "kind": Dimension("filtered.kind"),
    },
    ranges=_RANGES,
    facet_query=DecisionFilter,
)
