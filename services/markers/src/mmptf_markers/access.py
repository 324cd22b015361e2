"""The scopes that assessing programmes and reviewing assessments need, and the reviewers' role."""

from typing import Annotated

from mmptf_common.http.identity import Identity, require_scope

MANAGEMENT_UNIT = "management_unit"
"""The role of the Fund's management unit."""

ASSESS, _REVIEW = "markers:assess", "markers:review"

Assessor = Annotated[Identity, require_scope(ASSESS)]
Reviewer = Annotated[Identity, require_scope(_REVIEW)]
AssessorOrReviewer = Annotated[Identity, require_scope(ASSESS, _REVIEW)]
