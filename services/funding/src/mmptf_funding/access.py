"""The scope that writing to the ledger and importing editions need."""

from typing import Annotated

from mmptf_common.http.identity import Identity, require_scope

FundingWriter = Annotated[Identity, require_scope("funding:write")]
