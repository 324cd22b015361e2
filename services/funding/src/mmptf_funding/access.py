"""Who may write to the ledger and bring editions in."""

from typing import Annotated

from mmptf_common.http.identity import Identity, require_scope

FundingWriter = Annotated[Identity, require_scope("funding:write")]
