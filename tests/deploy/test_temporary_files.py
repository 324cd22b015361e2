"""The folder of temporary files that compose.yaml gives to the funding service has room for what imports promise."""

from __future__ import annotations

import re

from mmptf_funding.imports.bodies import IMPORTS_AT_ONCE, MAX_BODY, MAX_SPOOLED
from mmptf_funding.imports.files import MAX_UNPACKED, MAX_WORKBOOK
from tests.suite import ROOT

# What the parts of a workbook take beside their bytes: the heads of their archive.
HEADS = 1024 * 1024


def test_all_bodies_and_a_workbook_that_is_unpacked_have_room() -> None:
    text = (ROOT / "compose.yaml").read_text()
    service = text[text.index("\n  funding:\n") :].partition("\n\n")[0]
    size = re.search(r'tmpfs: \["/tmp:size=([0-9]+)m"\]', service)
    assert size, "the service has the folder of all processes, which has room for no import"
    assert MAX_SPOOLED >= MAX_BODY + MAX_WORKBOOK
    assert int(size[1]) * 1024 * 1024 >= MAX_SPOOLED + IMPORTS_AT_ONCE * (MAX_UNPACKED + HEADS)
