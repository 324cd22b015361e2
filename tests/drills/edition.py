"""Made-up editions with many requirements: for imports, and for exports that are longer than the buffers on the way."""

from __future__ import annotations

import json

from tests.integration.editions import MADE_UP, workbook_of

IMPORTED_ROWS = 3_000


def large_edition(code: str, rows: int = IMPORTED_ROWS) -> bytes:
    """A workbook with an edition of so many requirements."""
    text = json.dumps(MADE_UP).replace("ME-2016", code).replace("made-up-2016", code.lower())
    edition = json.loads(text)
    model = edition["requirements"][0]
    edition["requirements"] = [
        {**model, "code": f"{code}-{number:06}", "source_line": str(number), "amount_usd": "1.00"}
        for number in range(1, rows + 1)
    ]
    edition["printed-totals"] = []
    return workbook_of(edition)
