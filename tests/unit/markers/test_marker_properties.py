"""What holds for every rubric and every set of answers, against a plain re-computation and an exhaustive search."""

from __future__ import annotations

import copy
import json
import os
import re
from collections import Counter
from collections.abc import Callable
from fractions import Fraction
from itertools import product
from typing import Any

import pytest
import yaml
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from mmptf_markers.engine.completeness import CatalogueFacts, StatedAnswer, codes_that_apply, find_lacking
from mmptf_markers.engine.loading import InvalidRubric, dump_rubric, load_rubric
from mmptf_markers.engine.reading import InvalidDocument, read_document
from mmptf_markers.engine.rubric import NOT_APPLICABLE, stages_of
from mmptf_markers.engine.scoring import SET_BY_ASSESSOR, InvalidAnswers, score
from tests.unit.markers.rubrics import (
    CODES,
    OFFICIAL,
    STAGE,
    Case,
    cases,
    complete_answers,
    documents,
    every_check,
    held,
    loaded,
    on_paper,
    pointed_at,
    rubrics,
    small,
    spoilt,
    unchecked,
)

# A long run before a release: RUBRIC_EXAMPLES=10000. Otherwise the same in every run: what fails is the change, and of
# a few that were drawn anew there might be none with some rule.
EXAMPLES = os.environ.get("RUBRIC_EXAMPLES")
RANDOM_RUBRICS = settings(
    max_examples=int(EXAMPLES or "150"), derandomize=EXAMPLES is None, suppress_health_check=[HealthCheck.too_slow]
)


@pytest.mark.tries_more
def test_a_rubric_is_refused_with_reasons_or_grades_every_complete_set_of_answers() -> None:
    outcomes: Counter[str] = Counter()

    @RANDOM_RUBRICS
    @given(st.one_of(documents(), spoilt()))
    def refused_or_total(document: dict[str, Any]) -> None:
        outcomes[outcome_of(document)] += 1

    refused_or_total()
    # Where nearly all are refused, or none has some rule, little is shown.
    assert set(outcomes) == {"refused", "weighted_share", "count", "manual"}
    assert outcomes["weighted_share"] + outcomes["count"] > outcomes.total() / 10, outcomes


def outcome_of(document: dict[str, Any]) -> str:
    """`refused`, or the rule by which every complete set of answers was graded; fails where neither holds."""
    try:
        rubric = loaded(document)
    except InvalidRubric as refused:
        assert refused.errors
        for error in refused.errors:
            assert error.reason
            # What is missing is named where it belongs.
            pointed_at(document, error.path.rpartition("/")[0])
        return "refused"
    assert dump_rubric(load_rubric(dump_rubric(rubric))) == dump_rubric(rubric)
    codes = [grade.code for grade in rubric.grades]
    for stage in stages_of(rubric):
        asked = every_check(rubric, stage)
        for answers, ticked in product(complete_answers(rubric, stage), [asked, {}] if any(asked.values()) else [{}]):
            result = score(rubric, answers, stage, ticked)
            assert result.complete and not result.missing
            if rubric.rule.type == "manual":
                assert (result.grade, result.grade_before_gates, result.reason) == (None, None, SET_BY_ASSESSOR)
                assert (result.share, result.gates, result.better) == (None, [], [])
            else:
                before, grade = on_paper(rubric, answers, stage, ticked)
                assert (result.grade_before_gates, result.grade) == (codes[before], codes[grade])
    return rubric.rule.type


def faults(document: dict[str, Any]) -> dict[str, Callable[[], object]]:
    """By the path of the error that follows: what spoils a document in one place, each in another."""
    first, last = document["criteria"][0], document["criteria"][-1]
    values, grades = ([each[name] for each in each_of] for name, each_of in (
        ("value", document["scale"]["levels"]), ("code", document["grades"]),
    ))  # fmt: skip
    floors, checks = document.setdefault("core_floors", []), first.setdefault("checks", [])
    capped = {"below": values[1], "cap": grades[1], "reason": "x"}
    check = {"code": "unlike", "level": 99, "text": "x"}
    endorsed = {"status": "illustrative", "endorsement": OFFICIAL["endorsement"]}
    return {
        "/principles/1/code": lambda: document["principles"].append({**document["principles"][0]}),
        "/criteria/0/principle": lambda: first.update(principle="nobody"),
        "/criteria/0/stages": lambda: first.update(stages=[*first["stages"], first["stages"][0]]),
        "/criteria/0/applies_if": lambda: first.update(applies_if={}),
        "/criteria/0/evidence_from": lambda: first.update(evidence_from=99),
        "/criteria/0/register_from": lambda: first.update(register_from=99),
        "/criteria/0/action_below": lambda: first.update(action_below=99),
        f"/criteria/0/checks/{len(checks)}/level": lambda: checks.append(check),
        f"/criteria/{len(document['criteria']) - 1}/weight": lambda: last.update(weight=0),
        f"/gates/{len(document['gates'])}/criterion": lambda: document["gates"].append(
            {**capped, "criterion": "nobody"}
        ),
        f"/core_floors/{len(floors)}/cap": lambda: floors.append({**capped, "cap": "nobody"}),
        "/endorsement": lambda: document.update(endorsed),
    }


@pytest.mark.tries_more
@RANDOM_RUBRICS
@given(documents(), st.data())
def test_every_fault_of_a_rubric_is_told_at_once(document: dict[str, Any], data: Any) -> None:
    spoilt_document = copy.deepcopy(document)
    possible = faults(spoilt_document)
    chosen = data.draw(st.lists(st.sampled_from(list(possible)), min_size=1, unique=True))
    for path in chosen:
        possible[path]()
    with pytest.raises(InvalidRubric) as caught:
        loaded(spoilt_document)
    assert {*chosen} <= {error.path for error in caught.value.errors}


@settings(max_examples=100)
@given(rubrics())
def test_loading_refuses_exactly_the_grades_that_no_answers_reach(document: dict[str, Any]) -> None:
    rubric = unchecked(document)
    applicable = [a for a in complete_answers(rubric, STAGE) if NOT_APPLICABLE not in a.values()]
    reached = {on_paper(rubric, answers)[1] for answers in applicable}
    try:
        loaded(document)
        refused = set()
    except InvalidRubric as error:
        refused = {error.path for error in error.errors}
    assert bool(refused) == (len(reached) < len(rubric.grades))
    if not any(path.startswith("/rule") for path in refused):
        assert refused == {f"/grades/{at}" for at in range(len(rubric.grades)) if at not in reached}


@settings(max_examples=100)
@given(documents())
def test_a_rubric_survives_its_file_form_byte_for_byte(document: dict[str, Any]) -> None:
    try:
        content = dump_rubric(loaded(document))
    except InvalidRubric:
        return
    assert dump_rubric(load_rubric(content)) == content
    assert {**json.loads(content), "hash": None} == document


class QuotedDumper(yaml.SafeDumper):
    """Writes every text in quotes: PyYAML takes 1E0 for a text, and YAML 1.2 for a number."""


QuotedDumper.add_representer(str, lambda dumper, text: dumper.represent_scalar("tag:yaml.org,2002:str", text, '"'))


@settings(max_examples=100)
@given(documents())
def test_a_rubric_in_yaml_is_accepted_or_refused_as_it_is_in_json(document: dict[str, Any]) -> None:
    # Read again, since what is one object in Python is written with an anchor.
    content = yaml.dump(
        json.loads(json.dumps(document)), Dumper=QuotedDumper, allow_unicode=True, sort_keys=False
    ).encode()
    try:
        rubric = loaded(document)
    except InvalidRubric as refused:
        with pytest.raises(InvalidRubric) as caught:
            load_rubric(content)
        assert caught.value.errors == refused.errors
    else:
        assert load_rubric(content) == rubric


@settings(max_examples=200)
@given(st.text(st.sampled_from("a:0 -\n\t[]{},&*!|>'\"#?%@`~.e\\\ud800"), max_size=30) | st.text(max_size=20))
def test_any_text_is_a_document_or_refused(text: str) -> None:
    try:
        json.dumps(read_document(text.encode(errors="surrogatepass"), []))
    except InvalidDocument as refused:
        assert all(error.reason for error in refused.errors)


@settings(max_examples=100)
@given(cases())
def test_the_explanation_recomputes_to_the_grade(case: Case) -> None:
    rubric, answers, ticked = case
    result = case.score
    assert result.share is not None
    counted = held(rubric, answers, STAGE, ticked)
    codes = [grade.code for grade in rubric.grades]
    for scored in result.criteria:
        assert scored.answer == answers[scored.criterion]
        if scored.answer == NOT_APPLICABLE:
            continue
        assert scored.points is not None and scored.label == f"level {scored.answer}"
        level = counted[scored.criterion]
        assert scored.counted == (level if level != scored.answer else None)
        assert bool(scored.not_ticked) == (scored.counted is not None)
        said = f"Answered {scored.answer} ({scored.label})"
        if scored.counted is not None:
            said += f" without {', '.join(scored.not_ticked)}, so counted as {level} (level {level})"
        if rubric.rule.type == "weighted_share":
            assert Fraction(scored.points) == Fraction(scored.weight) * Fraction(level)
            said += f" with weight {scored.weight}: {scored.points} of {scored.of} points."
        else:
            assert rubric.rule.type == "count"
            assert Fraction(scored.points) == (Fraction(level) >= Fraction(rubric.rule.level))
            met = "meets" if scored.points == "1" else "does not meet"
            said += f", which {met} the required level {rubric.rule.level}."
        assert scored.explanation == said
    points = sum(Fraction(criterion.points) for criterion in result.criteria if criterion.points is not None)
    of = sum(Fraction(criterion.of) for criterion in result.criteria if criterion.of is not None)
    assert result.share.exact == points / of
    assert Fraction(result.share.per_cent) <= 100 * points / of < Fraction(result.share.per_cent) + Fraction(1, 100)
    reached = points / of if rubric.rule.type == "weighted_share" else points
    assert rubric.rule.type != "manual"
    before = next(band.grade for band in rubric.rule.bands if reached >= Fraction(band.minimum))
    assert result.grade_before_gates == before
    caps = [*result.gates, *result.floors]
    assert result.grade == max([before, *(gate.cap for gate in caps)], key=codes.index)
    reason = re.fullmatch(
        r"(\S+) of (\S+) (?:points, (\S+) %, give|criteria are met, which gives) (\w+)"
        r"(?:, capped at (\w+) by (a gate|a core floor))?",
        result.reason,
    )
    assert reason and (Fraction(reason[1]), Fraction(reason[2])) == (points, of)
    assert reason[3] == (result.share.per_cent if rubric.rule.type == "weighted_share" else None)
    assert (reason[4], reason[5]) == (before, result.grade if result.grade != before else None)
    if reason[6]:
        assert (reason[6] == "a gate") == any(gate.cap == result.grade for gate in result.gates)
    for gate in caps:
        assert gate.label == f"level {gate.answer}"
        assert gate.answer == counted[gate.criterion] and Fraction(gate.answer) < Fraction(gate.below)
        assert gate.capped == (before if codes.index(gate.cap) > codes.index(before) else None)
    assert tuple(codes.index(str(grade)) for grade in (before, result.grade)) == on_paper(
        rubric, answers, STAGE, ticked
    )
    assert score(rubric, dict(reversed(answers.items())), STAGE, ticked) == result


@pytest.mark.tries_more
@RANDOM_RUBRICS
@given(cases(), st.data())
def test_raising_an_answer_or_ticking_a_check_never_lowers_the_grade(case: Case, data: Any) -> None:
    rubric, answers, ticked = case
    code = data.draw(st.sampled_from([code for code, answer in answers.items() if answer != NOT_APPLICABLE]))
    values = [level.value for level in rubric.scale.levels]
    raised = data.draw(st.sampled_from(values[values.index(answers[code]) :]))
    codes = [grade.code for grade in rubric.grades]
    more = {
        criterion: ticks | data.draw(st.just(set()) | st.just(ticks | {"k0"})) for criterion, ticks in ticked.items()
    }
    before, after = case.score, score(rubric, answers | {code: raised}, STAGE, more)
    assert codes.index(str(after.grade)) <= codes.index(str(before.grade))
    assert codes.index(str(after.grade_before_gates)) <= codes.index(str(before.grade_before_gates))


@pytest.mark.tries_more
@RANDOM_RUBRICS
@given(cases())
def test_the_steps_to_each_better_grade_are_those_of_an_exhaustive_search(case: Case) -> None:
    rubric, given_answers, ticked = case
    answers = held(rubric, given_answers, STAGE, ticked)
    values = [level.value for level in rubric.scale.levels]
    choices = [[one] if one == NOT_APPLICABLE else values[values.index(one) :] for one in answers.values()]
    ways = []
    for chosen in product(*choices):
        raised = dict(zip(answers, chosen, strict=True))
        steps = [
            0 if one == NOT_APPLICABLE else values.index(raised[code]) - values.index(one)
            for code, one in answers.items()
        ]
        # Fewest criteria, fewest steps; then the criterion earlier in the rubric, by as few steps as work.
        cost = (sum(map(bool, steps)), sum(steps), [(step == 0, step) for step in steps])
        ways.append((cost, on_paper(rubric, raised)[1], raised))
    present = on_paper(rubric, answers)[1]
    expected = []
    for grade in range(present - 1, -1, -1):
        cheapest = min((way for way in ways if way[1] <= grade), default=None, key=lambda way: way[0])
        if cheapest and cheapest[1] == grade:
            expected.append((rubric.grades[grade].code, cheapest[0][:2], cheapest[2]))
    result = case.score
    found = [
        (way.grade, (len(way.changes), way.steps), answers | {change.criterion: change.to for change in way.changes})
        for way in result.better
    ]
    assert found == expected
    assert result.next_grade == (result.better[0] if expected else None)
    for way in result.better:
        assert way.steps == sum(change.steps for change in way.changes)
        assert [change.answer for change in way.changes] == [answers[change.criterion] for change in way.changes]
        # The changes and the checks that they name lead there from what was answered.
        more = {change.criterion: ticked.get(change.criterion, set()) | {*change.checks} for change in way.changes}
        changed = given_answers | {change.criterion: change.to for change in way.changes}
        assert score(rubric, changed, STAGE, ticked | more).grade == way.grade
        for change in way.changes:
            assert {*change.checks}.isdisjoint(ticked.get(change.criterion, set()))
            fewer = more[change.criterion] - {*change.checks[:1]}
            assert change.checks == [] or held(rubric, changed, STAGE, ticked | {change.criterion: fewer}) != changed


@settings(max_examples=100)
@given(cases())
def test_what_is_not_applicable_is_left_out_of_a_share_and_not_met_in_a_count(case: Case) -> None:
    rubric, answers, ticked = case
    result = case.score
    left_out = {code for code, answer in answers.items() if answer == NOT_APPLICABLE}
    if rubric.rule.type == "count":
        lowest = rubric.scale.levels[0].value
        same = score(rubric, answers | dict.fromkeys(left_out, lowest), STAGE, ticked)
    else:
        fewer = rubric.model_copy(
            update={
                "criteria": tuple(c for c in rubric.criteria if c.code not in left_out),
                "gates": tuple(gate for gate in rubric.gates if gate.criterion not in left_out),
            }
        )
        same = score(
            fewer,
            {code: answer for code, answer in answers.items() if code not in left_out},
            STAGE,
            {code: ticks for code, ticks in ticked.items() if code not in left_out},
        )
        assert (result.grade, result.better) == (same.grade, same.better)
    assert (result.share, result.grade_before_gates) == (same.share, same.grade_before_gates)
    assert left_out.isdisjoint(gate.criterion for gate in result.gates)
    assert left_out.isdisjoint(change.criterion for way in result.better for change in way.changes)


@settings(max_examples=50)
@given(cases(), st.data())
def test_not_applicable_is_refused_where_a_criterion_always_applies(case: Case, data: Any) -> None:
    rubric, answers, _ = case
    at = data.draw(st.integers(0, len(rubric.criteria) - 1))
    strict = rubric.criteria[at].model_copy(update={"not_applicable": False})
    always = rubric.model_copy(update={"criteria": (*rubric.criteria[:at], strict, *rubric.criteria[at + 1 :])})
    with pytest.raises(InvalidAnswers) as caught:
        score(always, answers | {strict.code: NOT_APPLICABLE}, STAGE)
    assert [(f.criterion, f.code) for f in caught.value.errors] == [(strict.code, "not_applicable_refused")]
    assert NOT_APPLICABLE not in caught.value.errors[0].allowed


@settings(max_examples=50)
@given(cases(), st.data())
def test_without_every_answer_there_is_no_grade(case: Case, data: Any) -> None:
    rubric, answers, _ = case
    missing = data.draw(st.sets(st.sampled_from(list(answers)), min_size=1))
    result = score(rubric, {code: answer for code, answer in answers.items() if code not in missing}, STAGE)
    assert (result.complete, result.grade, result.grade_before_gates, result.better) == (False, None, None, [])
    assert set(result.missing) == missing


@pytest.mark.tries_more
@RANDOM_RUBRICS
@given(cases())
def test_next_steps_go_through_core_criteria_first_by_one_level_each(case: Case) -> None:
    rubric, answers, ticked = case
    counted = held(rubric, answers, STAGE, ticked)
    values = [level.value for level in rubric.scale.levels]
    order = [
        (not criterion.core, values.index(counted[criterion.code]), at, criterion.code)
        for at, criterion in enumerate(rubric.criteria)
        if counted[criterion.code] not in (NOT_APPLICABLE, values[-1])
    ]
    steps = case.score.next_steps
    assert [step.criterion for step in steps] == [code for *_, code in sorted(order)]
    for step in steps:
        assert step.answer == counted[step.criterion]
        assert values.index(step.to) == values.index(step.answer) + 1
        more = ticked | {step.criterion: ticked.get(step.criterion, set()) | {*step.checks}}
        assert held(rubric, answers | {step.criterion: step.to}, STAGE, more)[step.criterion] == step.to


@pytest.mark.tries_more
@RANDOM_RUBRICS
@given(cases())
def test_core_floors_hold_whatever_the_points_are(case: Case) -> None:
    rubric, answers, ticked = case
    result = case.score
    codes = [grade.code for grade in rubric.grades]
    counted = held(rubric, answers, STAGE, ticked)
    core = {criterion.code for criterion in rubric.criteria if criterion.core} - {
        code for code, answer in answers.items() if answer == NOT_APPLICABLE
    }
    missed = {
        (code, floor.below)
        for code in core
        for floor in rubric.core_floors
        if Fraction(counted[code]) < Fraction(floor.below)
    }
    assert {(floor.criterion, floor.below) for floor in result.floors} == missed
    for floor in rubric.core_floors:
        if any(below == floor.below for _, below in missed):
            assert codes.index(str(result.grade)) >= codes.index(floor.cap)


CODES_OF_A_PROGRAMME = st.builds(
    CatalogueFacts, *(st.sets(st.sampled_from(CODES[name])) for name in CatalogueFacts._fields)
)
JUSTIFICATIONS = st.sampled_from([None, "x", "Because it is so.", "because  it is so.", "y" * 39, "z" * 40])


@st.composite
def stated_answers(draw: st.DrawFn, document: dict[str, Any]) -> dict[str, StatedAnswer]:
    """Answers to every criterion of a document, supported by anything or nothing."""
    values = [level["value"] for level in document["scale"]["levels"]]
    return {
        criterion["code"]: StatedAnswer(
            # As often as all levels together, since few programmes are of what a criterion applies to.
            answer=draw(st.sampled_from([*values, *([NOT_APPLICABLE] * len(values) * criterion["not_applicable"])])),
            justification=draw(JUSTIFICATIONS),
            evidence=draw(st.integers(0, 1)),
            actions=draw(st.integers(0, 1)),
            checks=draw(st.sets(st.sampled_from(["k0", "k1"]))),
        )
        for criterion in document["criteria"]
    }


def lacking_on_paper(
    criterion: dict[str, Any], answers: dict[str, StatedAnswer], phase: str, risks: int, programme: CatalogueFacts
) -> set[str]:
    """The places of everything that the answer to one criterion lacks, as a person would find it."""
    one, found = answers[criterion["code"]], set()
    words = {code: (other.justification or "").lower().split() for code, other in answers.items()}
    if one.justification and "justification_min" in criterion:
        mine = words.pop(criterion["code"])
        if len(" ".join(mine)) < criterion["justification_min"] or mine in words.values():
            found.add("justification")
    if one.answer == NOT_APPLICABLE:
        stated = criterion.get("applies_if", {})
        if any({*stated.get(name, ())} & {*getattr(programme, name)} for name in CODES):
            found.add("answer")
        return found
    value = Fraction(one.answer)
    if any(
        Fraction(check["level"]) <= value and check["code"] not in one.checks
        for check in criterion.get("checks", ())
        if check.get("phase", phase) == phase
    ):
        found.add("checks")
    if "evidence_from" in criterion and value >= Fraction(criterion["evidence_from"]) and not one.evidence:
        found.add("evidence")
    if "register_from" in criterion and value >= Fraction(criterion["register_from"]) and not risks:
        found.add("/due_diligence")
    if "action_below" in criterion and value < Fraction(criterion["action_below"]) and not one.actions:
        found.add("actions")
    return found


@pytest.mark.tries_more
@RANDOM_RUBRICS
@given(
    st.dictionaries(st.sampled_from(list(CODES)), st.booleans(), min_size=1).flatmap(
        lambda names: st.fixed_dictionaries({name: st.sets(st.sampled_from(CODES[name]), min_size=1) for name in names})
    ),
    CODES_OF_A_PROGRAMME,
)
def test_a_criterion_applies_where_the_programme_has_one_of_its_codes(
    stated: dict[str, set[str]], programme: CatalogueFacts
) -> None:
    document = small({"type": "manual"}, ["A", "B"], [1])
    document["criteria"][0]["applies_if"] = {name: sorted(codes) for name, codes in stated.items()}
    [criterion] = loaded(document).criteria
    shared = [code for name in CODES for code in sorted(stated.get(name, ())) if code in getattr(programme, name)]
    assert [text.rpartition(" ")[2] for text in codes_that_apply(criterion, programme)] == shared


@pytest.mark.tries_more
def test_what_an_assessment_lacks_is_what_its_rubric_asks_for_and_the_catalogue_says() -> None:
    seen: Counter[str] = Counter()

    @RANDOM_RUBRICS
    @given(documents(), CODES_OF_A_PROGRAMME, st.integers(0, 1), st.data())
    def as_on_paper(document: dict[str, Any], programme: CatalogueFacts, risks: int, data: Any) -> None:
        rubric, answers = unchecked(document), data.draw(stated_answers(document))
        for stage in stages_of(rubric):
            phase = "design" if stage in ("concept_note", "programme_document") else "delivery"
            asked = [criterion for criterion in document["criteria"] if stage in criterion["stages"]]
            stated = {criterion["code"]: answers[criterion["code"]] for criterion in asked}
            findings = find_lacking(rubric, stage, stated, risks, programme)
            expected = [
                place if place.startswith("/") else f"/answers/{criterion['code']}/{place}"
                for criterion in asked
                for place in lacking_on_paper(criterion, stated, phase, risks, programme)
            ]
            assert {finding.path for finding in findings} == set(expected)
            seen.update(path.rpartition("/")[2] for path in expected)

    every = {"justification", "answer", "checks", "evidence", "due_diligence", "actions"}
    as_on_paper()
    assert seen.keys() == every
