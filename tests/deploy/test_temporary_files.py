"""The folder of temporary files that compose.yaml gives to the funding service has room for what imports promise."""

from __future__ import annotations

import re

from mmptf_funding.imports.files import MAX_UNPACKED, MAX_WORKBOOK
from mmptf_funding.imports.routes import IMPORTS_AT_ONCE, MAX_BODY
from tests.suite import ROOT


def test_a_body_of_the_largest_size_has_room() -> None:
    text = (ROOT / "compose.yaml").read_text()
    service = text[text.index("\n  funding:\n") :].partition("\n\n")[0]
    size = re.search(r'tmpfs: \["/tmp:size=([0-9]+)m"\]', service)
    assert size, "the service has the folder of all processes, which has room for no import"
    # A body, or a workbook with what it unpacks to, and the parts of its archive.
    promised = IMPORTS_AT_ONCE * max(MAX_BODY, MAX_WORKBOOK + 2 * MAX_UNPACKED)
    assert int(size[1]) * 1024 * 1024 >= promised
