"""The statuses that a change can give to a programme in the procedure of the Fund."""

from __future__ import annotations

from typing import Literal

from typing_extensions import TypeAliasType

ProgrammeStatusSent = TypeAliasType(
    "ProgrammeStatusSent",
    Literal[
        "concept_note",
        "pipeline",
        "approved",
        "implementation",
        "operationally_closed",
        "financially_closed",
        "not_selected",
        "withdrawn",
        "suspended",
        "cancelled",
    ],
)
"""Status that a change can set. `not_stated` is none of them, since it is said of packaged data only.

- `concept_note`: submitted to the Fund as a concept note, a first outline
- `pipeline`: on the list of programmes that the Fund may approve, which changes with each meeting of its Steering
  Committee
- `approved`: approved by the Steering Committee, which decides what the Fund pays for; not begun yet
- `implementation`: being carried out
- `operationally_closed`: its activities have ended
- `financially_closed`: its accounts are closed
- `not_selected`: not selected for the Fund
- `withdrawn`: withdrawn by its organization before its approval
- `suspended`: stopped for a time after its approval
- `cancelled`: ended for good after its approval, before its time
"""
