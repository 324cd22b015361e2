"""What the contract shows as examples of what is sent; each fits the packaged data."""

from __future__ import annotations

from typing import Any

ANSWER: dict[str, Any] = {
    "answer": 2,
    "justification": "The analysis names the obligations and who carries them.",
    "evidence": [{"title": "Programme document", "document": "Joint programme document", "locator": "section 2.1"}],
    "actions": [],
}
ACTION = {"action": "Agree on referral with the ombudsperson.", "owner": "Programme team", "due": "2026-06-30"}
CRITERIA = (
    "obligations-analysis", "due-diligence", "equality", "participation", "rights-holders-capacity",
    "duty-bearers-capacity",
)  # fmt: skip
ANSWERS: dict[str, Any] = {
    **dict.fromkeys(CRITERIA, ANSWER),
    "equality": {**ANSWER, "answer": 1, "justification": "Data are not yet divided by sex.", "actions": [ACTION]},
    "national-institutions": {
        "answer": "not_applicable",
        "justification": "There is no institution of this kind in the country.",
    },
}
RISK = {
    "risk": "Data of migrants could reach authorities that use them for removals.",
    "people": "Migrants in an irregular situation",
    "measure": "Firewalls between services and enforcement are agreed before data are collected.",
    "owner": "Programme team",
    "due": "2026-03-31",
}
CONTENT: dict[str, Any] = {"answers": ANSWERS, "due_diligence": [RISK]}
DRAFT: dict[str, Any] = {"programme": "IRQ-JOR-LBN-01", "stage": "concept_note", **CONTENT}
AMENDMENT: dict[str, Any] = {"answers": {"participation": {**ANSWER, "answer": 1}}}
REVIEW: dict[str, Any] = {
    "decision": "accept",
    "comment": "Well founded, save for one answer.",
    "answers": {"due-diligence": {"answer": 1, "reason": "The measures have no date."}},
}
DECLARATION: dict[str, Any] = {
    "programme": "SRB-01",
    "marker": "human_rights",
    "stage": "programme_document",
    "grade": "B",
    "date": "2022-06-30",
    "organization": "IOM",
    "source": "Cover page of the joint programme document",
}
