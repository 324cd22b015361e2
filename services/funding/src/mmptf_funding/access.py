"""Who may write to the ledger and bring editions in."""

from typing import Annotated

from mmptf_common.http.identity import Identity, require_scope

MANAGEMENT_UNIT = "management_unit"
"""The role of the Fund's management unit."""
AGENT = "agent"
"""The role of the Fund's administrative agent."""

FundingWriter = Annotated[Identity, require_scope("funding:write")]
