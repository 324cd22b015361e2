"""The role and the scope that writing to the catalogue needs."""

from typing import Annotated

from mmptf_common.http.identity import Identity, require_scope

MANAGEMENT_UNIT = "management_unit"
"""The role of the Fund's management unit."""

CatalogWriter = Annotated[Identity, require_scope("catalog:write")]
