"""The report on the assessments that are written out in the documentation: what its page quotes is what it says."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

from mmptf_markers.engine.rubric import NOT_APPLICABLE, checks_at, criteria_at
from tests.integration.assessments import RISK
from tests.integration.indicator import action
from tests.integration.marked import API, Json, Markers, answer, made, programme
from tests.integration.test_second_rubric import CODE, EVIDENCE, SECOND
from tests.unit.markers.test_marker_examples import EXAMPLES, ROW

PAGE = (Path(__file__).parents[2] / "docs" / "report.md").read_text("utf-8")
BUDGETS = ("1800000.00", "2500000.00", None, "1200000.00", "900000.00", "3000000.00", "1500000.00", "700000.00")


def sent(example: str) -> Json:
    """The draft of an example, with the evidence, the actions and the risks that its page leaves out."""
    stage: Any = example.partition("Stage: `")[2].partition("`")[0]
    said = {
        code: (level if level == NOT_APPLICABLE else int(level), text) for code, level, text in ROW.findall(example)
    }
    given = {
        criterion.code: answer(
            said[criterion.code][0],
            justification=said[criterion.code][1],
            checks=[check.code for check in checks_at(criterion, stage)],
            evidence=[EVIDENCE],
            actions=[action("2030-06-30")] if said[criterion.code][0] in (0, 1) else [],
        )
        for criterion in criteria_at(SECOND, stage)
    }
    dated = {"year": 2025} if stage == "annual_report" else {"document_date": "2025-06-30"}
    return {"stage": stage, "rubric": CODE, "answers": given, "due_diligence": [RISK | {"due": "2030-01-31"}], **dated}


async def test_the_page_quotes_what_the_report_says_of_the_six(marker_service: Markers) -> None:
    """Beside the six: a declared grade, one that waits, nothing of a third; two of the six declared plans."""
    await marker_service.publish(SECOND.model_dump(mode="json"))
    titles = [example.partition("\n")[0] for example in EXAMPLES]
    for number, (title, budget) in enumerate(
        zip([*titles, "Declared", "Waiting", "Silent"], [*BUDGETS, None], strict=True), start=1
    ):
        money = budget and {"amount": budget, "currency": "USD", "stage": "programme_budget"}
        await marker_service.copy(programme(f"EX-{number}", title=title, budget=money))
    for number, example in enumerate(EXAMPLES, start=1):
        draft = await marker_service.draft(f"EX-{number}", **sent(example))
        submitted = made(await marker_service.submit(draft))
        # The reviewer does not agree with everything.
        own = {"equality": {"answer": 1, "reason": "Access depends on an address."}}
        await marker_service.reviewed(submitted, answers=own if example.startswith("Skills") else {})
    for code in ("EX-2", "EX-6"):
        made(await marker_service.declare(code, "A", date="2023-06-30"))
    made(await marker_service.declare("EX-7", "B"))
    made(await marker_service.submit(await marker_service.draft("EX-8", **sent(EXAMPLES[0]))))
    report = await marker_service.get(f"{API}/report")
    assert f"> {report['headline']['text']}\n" in PAGE
    quoted = re.findall(r"^\| `([a-z-]+)` \| (\d+) \| ([\d.]+) % \|$", PAGE, re.MULTILINE)
    [edition] = report["criteria"]
    assert quoted == [
        (each["criterion"], str(each["answered"]), each["share"]["per_cent"])
        for each in (*edition["weakest"], *edition["strongest"])
    ]
