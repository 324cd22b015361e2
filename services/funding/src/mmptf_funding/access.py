"""Who writes to the ledger and imports editions, and who reads what is not public."""

from typing import Annotated

from fastapi import Depends

from mmptf_common.http.identity import Access, Identity, require_scope
from mmptf_funding.roles import AGENT, MANAGEMENT_UNIT

FundingWriter = Annotated[Identity, require_scope("funding:write")]

AGENT_AND_UNIT = Access(
    ("funding:write",),
    roles=(AGENT, MANAGEMENT_UNIT),
    people="the administrative agent and the Fund's management unit",
)
AgentOrUnit = Annotated[Identity, Depends(AGENT_AND_UNIT)]
