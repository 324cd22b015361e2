"""What the screens of a client show, the same in every language."""

from __future__ import annotations

import json


def check_shown(printed: str) -> None:
    """The rows of the five screens of a client, on the packaged data; printed: as a JSON object."""
    shown = json.loads(printed)
    assert shown["refused"][0].startswith("unknown_code: 'SRV' ")
    assert any(line.startswith("SRB-01 ") for line in shown["programmes"])
    catalog, funding, markers = shown["programme"]
    assert catalog.startswith("catalog: implementation in Serbia, ")
    assert funding == "funding: nothing held"
    assert markers.startswith("markers: human_rights not known, 0 open, ")
    assert shown["map"]
    assert shown["donors"]
    assert shown["gauge"]
