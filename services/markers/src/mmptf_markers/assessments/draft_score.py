"""The score of a draft's answers so far, in the language that is asked for."""

from __future__ import annotations

from starlette.requests import Request
from starlette.responses import Response

from mmptf_common.http import conditional
from mmptf_common.http.parameters import PointInTime, canonical
from mmptf_common.http.snapshot import snapshot
from mmptf_common.lists.listing import Listing
from mmptf_common.lists.pages import fetch_item
from mmptf_common.storage.engines import ReadKind
from mmptf_common.wire.stored_records import whole_record
from mmptf_markers.assessments.queries import fetch_used_rubric
from mmptf_markers.assessments.rules import answers_of, checks_of
from mmptf_markers.assessments.schemas import AssessmentDraft
from mmptf_markers.engine.scoring import score
from mmptf_markers.rubrics.queries import RubricLanguage, rubric_in


class DraftScoreQuery(PointInTime):
    """In which language the score is."""

    language: RubricLanguage = None


async def answer_draft_score(request: Request, drafts: Listing, code: str, query: DraftScoreQuery) -> Response:
    """The score of a draft, computed when it is read: a stored one would be in one language.

    drafts: those that the caller may see
    """
    async with snapshot(request, ReadKind.PAGE, query, drafts.journal) as data:
        found = await fetch_item(data, drafts, code)
        if isinstance(found, Response):
            return found
        record, version = found
        draft = whole_record(AssessmentDraft, record)
        rubric, of_texts = await rubric_in(data, await fetch_used_rubric(data, draft.rubric), query.language)
    # Drafts and translations are of different journals, so neither version says which of them is newer.
    tag = conditional.etag(request, version, f"{canonical(query)}\n{of_texts}")
    if conditional.matches(request, tag):
        return conditional.not_modified(tag)
    found_score = score(rubric, answers_of(draft.answers), draft.stage, checks_of(draft.answers))
    return Response(found_score.model_dump_json(), media_type="application/json", headers=conditional.headers(tag))
