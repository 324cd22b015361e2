"""The folder of temporary files that Compose gives to a service has room for what its imports promise."""

from __future__ import annotations

import re

import pytest

from mmptf_common.service import MAX_BODY as LARGEST_BODY
from mmptf_common.writes.bodies import BODIES_AT_ONCE, IMPORTS_AT_ONCE, MAX_BODY, MAX_SPOOLED
from mmptf_common.writes.table_files import MAX_UNPACKED, MAX_WORKBOOK
from tests.suite import ROOT

# What the parts of a workbook take beside their bytes: the heads of their archive.
HEADS = 1024 * 1024


# Of the catalogue, a body is no larger than any other one.
@pytest.mark.parametrize(("name", "spooled"), [("funding", MAX_SPOOLED), ("catalog", BODIES_AT_ONCE * LARGEST_BODY)])
def test_all_bodies_and_a_workbook_that_is_unpacked_have_room(name: str, spooled: int) -> None:
    text = (ROOT / "compose.external.yaml").read_text()
    service = text[text.index(f"\n  {name}:\n") :].partition("\n\n")[0]
    size = re.search(r'tmpfs: \["/tmp:size=([0-9]+)m"\]', service)
    assert size, "the service has the folder of all processes, which has room for no import"
    assert MAX_SPOOLED >= MAX_BODY + MAX_WORKBOOK
    assert int(size[1]) * 1024 * 1024 >= spooled + IMPORTS_AT_ONCE * (MAX_UNPACKED + HEADS)
