"""The examples of request bodies in the contract: invented, except for the codes of programmes."""

from typing import Any

_MINUTES = {
    "title": "Minutes",
    "url": "https://docs.example.org/minutes.pdf",
    "sha256": "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08",
}
CALL: dict[str, Any] = {
    "code": "CALL-2026-02",
    "title": "Second call for concept notes",
    "opens": "2026-07-15",
    "closes": "2026-09-30",
    "documents": [{**_MINUTES, "title": "Terms of the call", "url": "https://docs.example.org/call.pdf"}],
}
CALL_AMENDMENT = {"closes": "2026-10-15", "reason": "Two organizations asked for more time."}
MEETING: dict[str, Any] = {
    "code": "SC-2026-04",
    "date": "2026-10-08",
    "kind": "written_procedure",
    "title": "Written procedure of October 2026",
    "documents": [_MINUTES],
}
MEETING_AMENDMENT = {"documents": [_MINUTES], "reason": "The minutes are agreed."}
DECISION: dict[str, Any] = {
    "code": "SC-2026-03-05",
    "number": "SC-2026-03/05",
    "meeting": "SC-2026-03",
    "call": "CALL-2026",
    "date": "2026-06-30",
    "kind": "approval",
    "text": "The proposal is not selected.",
    "programmes": [{"programme": "PER-01", "status": "not_selected"}],
    "document": _MINUTES,
}
DECISION_AMENDMENT = {"text": "The proposal is not selected in this round.", "reason": "As the minutes say it."}
BATCH = {"decisions": [{**DECISION, "code": "SC-2026-03-06", "number": "SC-2026-03/06"}]}
