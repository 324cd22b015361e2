"""The scopes that assessing programmes and reviewing assessments need, and the reviewers' role."""

from typing import Annotated

from mmptf_common.http.identity import Identity, require_scope

MANAGEMENT_UNIT = "management_unit"
"""The role of the Fund's management unit."""

Assessor = Annotated[Identity, require_scope("markers:assess")]
Reviewer = Annotated[Identity, require_scope("markers:review")]
