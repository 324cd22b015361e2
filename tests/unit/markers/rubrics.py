"""Rubrics for the tests of the engine: small ones, random ones, spoilt ones, and their grades worked out on paper."""

from __future__ import annotations

import copy
import json
from collections.abc import Iterator
from fractions import Fraction
from importlib.resources import files
from itertools import product
from typing import Any, NamedTuple

from hypothesis import strategies as st

from mmptf_common.wire.texts import fault_of
from mmptf_markers.engine.loading import load_rubric
from mmptf_markers.engine.results import Score
from mmptf_markers.engine.rubric import NOT_APPLICABLE, STAGES, Rubric
from mmptf_markers.engine.scoring import score

CONTENT = (files("mmptf_markers") / "data/rubrics/hr-marker-illustrative-1.json").read_bytes()
STAGE: Any = "programme_document"
Answers = dict[str, Any]
Ticked = dict[str, set[str]]


def small(
    rule: dict[str, Any],
    grades: list[str],
    weights: list[Any],
    values: list[Any] | None = None,
    gates: list[tuple[int, Any, str]] | None = None,
) -> dict[str, Any]:
    """A rubric document with criteria c0, c1 … at one stage; gates are (criterion, below, cap)."""
    source = dict.fromkeys(("line", "locator", "as_printed", "note")) | {
        "field": "meaning",
        "document": "test",
        "verified": False,
    }
    scale = [{"value": v, "label": f"level {v}", "description": "x"} for v in values or [0, 1, 2]]
    return {
        "code": "small",
        "version": "1",
        "title": "Small",
        "status": "illustrative",
        "language": "en",
        "marker": "test",
        "grades": [{"code": code, "name": code, "meaning": code, "source": source} for code in grades],
        "scale": {"levels": scale, "not_applicable": True},
        "principles": [{"code": "p", "name": "p", "description": "p"}],
        "criteria": [
            {
                "code": f"c{at}",
                "principle": "p",
                "question": "x?",
                "guidance": "x",
                "weight": weight,
                "stages": [STAGE],
                "not_applicable": True,
            }
            for at, weight in enumerate(weights)
        ],
        "rule": rule,
        "gates": [{"criterion": f"c{at}", "below": below, "cap": cap, "reason": "x"} for at, below, cap in gates or []],
        "source_document": None,
        "endorsement": None,
        "notes": [],
        "hash": None,
    }


def loaded(document: dict[str, Any]) -> Rubric:
    return load_rubric(json.dumps(document).encode())


def unchecked(document: dict[str, Any]) -> Rubric:
    """A rubric that is well formed, whatever grades its rule can reach."""
    return Rubric.model_validate_json(json.dumps(document | {"hash": "0" * 64}))


def shares_of(weights: list[Any], values: list[Any]) -> list[Fraction]:
    """The shares above zero that answers by the scale can come to, the least first."""
    totals = {
        sum((Fraction(weight) * Fraction(value) for weight, value in zip(weights, chosen, strict=True)), Fraction())
        for chosen in product(values, repeat=len(weights))
    }
    return sorted(total / max(totals) for total in totals if total)


@st.composite
def rubrics(draw: st.DrawFn, criteria: int = 4) -> dict[str, Any]:
    """Small rubric documents with a computed grade, well formed though perhaps with grades that cannot be reached."""
    values: list[Any] = draw(st.sampled_from([[0, 1], [0, 1, 2], [0, 1, 2, 3], [1, 2, 3], [0, "0.5", 2]]))
    weights: list[Any] = draw(st.lists(st.sampled_from([1, 2, 3, "0.5", "2.25"]), min_size=1, max_size=criteria))
    if draw(st.booleans()):
        rule: dict[str, Any] = {"type": "weighted_share"}
        # Of what is drawn from twelfths alone nearly all has a grade that cannot be reached.
        shares = draw(st.sampled_from([shares_of(weights, values), [Fraction(n, 12) for n in range(1, 13)]]))
        minima: list[Any] = [f"{share.numerator}/{share.denominator}" for share in shares]
    else:
        rule = {"type": "count", "level": draw(st.sampled_from(values[1:]))}
        minima = list(range(1, draw(st.sampled_from([len(weights), 4])) + 1))
    grades = ["G0", "G1", "G2", "G3"][: draw(st.integers(2, min(4, len(minima) + 1)))]
    chosen = draw(st.sets(st.sampled_from(range(len(minima))), min_size=len(grades) - 1, max_size=len(grades) - 1))
    texts = [*(minima[at] for at in sorted(chosen, reverse=True)), 0 if rule["type"] == "count" else "0"]
    bands = [{"grade": g, "minimum": text} for g, text in zip(grades, texts, strict=True)]
    rule["bands"] = [bands[0], *(band for band in bands[1:-1] if draw(st.booleans())), bands[-1]]
    gates = draw(
        st.lists(
            st.tuples(st.integers(0, len(weights) - 1), st.sampled_from(values[1:]), st.sampled_from(grades[1:])),
            max_size=3,
            unique_by=lambda gate: gate[:2],
        )
    )
    document = small(rule, grades, weights, values, gates)
    if draw(st.booleans()):
        _add_core(draw, document)
    if draw(st.integers(0, 2)) == 2:
        _add_checks(draw, document)
    return document


def _add_core(draw: st.DrawFn, document: dict[str, Any]) -> None:
    """Core criteria and floors, whose caps fall with the level; gates of the same criterion and level are dropped."""
    values = [level["value"] for level in document["scale"]["levels"]]
    caps = [grade["code"] for grade in document["grades"]][1:]
    number = draw(st.integers(1, min(len(values) - 1, len(caps))))
    below = draw(st.sets(st.sampled_from(range(1, len(values))), min_size=number, max_size=number))
    chosen = draw(st.sets(st.sampled_from(range(len(caps))), min_size=number, max_size=number))
    document["core_floors"] = [
        {"below": values[level], "cap": caps[cap], "reason": "x"}
        for level, cap in zip(sorted(below, reverse=True), sorted(chosen), strict=True)
    ]
    core = draw(st.sets(st.sampled_from([criterion["code"] for criterion in document["criteria"]]), min_size=1))
    for criterion in document["criteria"]:
        if criterion["code"] in core:
            criterion["core"] = True
    floors = [floor["below"] for floor in document["core_floors"]]
    document["gates"] = [g for g in document["gates"] if not (g["criterion"] in core and g["below"] in floors)]


def _add_checks(draw: st.DrawFn, document: dict[str, Any]) -> None:
    values = [level["value"] for level in document["scale"]["levels"]]
    for criterion in document["criteria"]:
        levels = draw(st.lists(st.sampled_from(values[1:]), max_size=2))
        if levels:
            criterion["checks"] = [
                {"code": f"k{at}", "level": level, "text": f"{criterion['code']} is so {at}"}
                for at, level in enumerate(levels)
            ]


TEXTS = st.text(st.characters(exclude_categories=["C", "Z"]), min_size=1, max_size=8).filter(lambda t: not fault_of(t))
OFFICIAL = {
    "status": "official",
    "source_document": {"title": "Guidance note", "edition": None, "url": None, "sha256": "a" * 64},
    "endorsement": {"body": "Steering Committee", "date": "2023-02-06", "reference": None},
}


@st.composite
def documents(draw: st.DrawFn) -> dict[str, Any]:
    """Rubric documents of every kind: any rule, stages, texts and status."""
    document = draw(rubrics(criteria=3))
    if draw(st.integers(0, 7)) == 5:
        document |= {"rule": {"type": "manual"}, "gates": []}
    if draw(st.booleans()):
        document |= OFFICIAL
    document["notes"] = draw(st.lists(TEXTS, max_size=2))
    document["title"] = draw(TEXTS)
    document["scale"]["not_applicable"] = draw(st.booleans())
    everywhere = draw(st.booleans())
    for criterion in document["criteria"]:
        criterion["question"] = draw(TEXTS)
        criterion["not_applicable"] = document["scale"]["not_applicable"] and draw(st.booleans())
        if everywhere:
            criterion["stages"] = draw(st.lists(st.sampled_from(STAGES), min_size=1, unique=True))
        if draw(st.booleans()):
            _add_support(draw, criterion, [level["value"] for level in document["scale"]["levels"]])
    if document["rule"]["type"] == "manual":
        document.pop("core_floors", None)
        for criterion in document["criteria"]:
            criterion.pop("core", None)
    return document


CODES = {"objectives": ["8", "11", "13"], "thematic_areas": ["1", "3"], "places": ["LBY", "SRB"]}


def phases(criterion: dict[str, Any]) -> list[str]:
    """The phases in which a criterion is asked."""
    design = {"concept_note", "programme_document"}
    return ["design"] * bool(design & {*criterion["stages"]}) + ["delivery"] * bool({*criterion["stages"]} - design)


def _add_support(draw: st.DrawFn, criterion: dict[str, Any], values: list[Any]) -> None:
    """Some of the members by which a criterion asks for more than an answer."""
    asked = phases(criterion)
    if draw(st.booleans()):
        criterion["levels"] = [{"value": value, **{phase: draw(TEXTS) for phase in asked}} for value in values]
    for check in criterion.get("checks", ()):
        if draw(st.booleans()):
            check["phase"] = draw(st.sampled_from(asked))
    if criterion["not_applicable"] and draw(st.booleans()):
        chosen = draw(st.dictionaries(st.sampled_from(list(CODES)), st.booleans(), min_size=1))
        criterion["applies_if"] = {
            name: draw(st.lists(st.sampled_from(CODES[name]), min_size=1, unique=True)) for name in chosen
        }
    for name in ("evidence_from", "register_from"):
        if draw(st.booleans()):
            criterion[name] = draw(st.sampled_from(values))
    if draw(st.booleans()):
        criterion["action_below"] = draw(st.sampled_from(values[1:]))
    if draw(st.booleans()):
        criterion["justification_min"] = draw(st.integers(1, 40))


JUNK: list[Any] = [
    None, True, -1, 0, 1, 2, 3, 1.5, 10**30, "", " ", "x", "0", "1", "0.5", "-1", "1/2", "1/0", "2/1", "G0", "G1", "c0",
    "c1", "p", "a\0b", "\ud800", "count", "manual", "official", "not_applicable", "concept_note", [], {}, [[]], ["c0"],
]  # fmt: skip


@st.composite
def spoilt(draw: st.DrawFn) -> dict[str, Any]:
    """Rubric documents that were changed in a place or two: some still sound, most no longer."""
    document: dict[str, Any] = copy.deepcopy(draw(documents()))
    for _ in range(draw(st.integers(1, 2))):
        # A section as often as another, however long it is.
        sections = [section for section in document.values() if isinstance(section, dict | list) and section]
        parent, key = draw(st.sampled_from(list(_places(draw(st.sampled_from([document, *sections]))))))
        match draw(st.sampled_from(["replace", "other", "other", "remove", "repeat", "add"])):
            case "replace":
                parent[key] = copy.deepcopy(draw(st.sampled_from(JUNK)))
            case "other":
                # What is well formed in one place is seldom right in another.
                others = [node[at] for node, at in _places(document) if type(node[at]) is type(parent[key])]
                parent[key] = copy.deepcopy(draw(st.sampled_from(others)))
            case "remove":
                del parent[key]
            case "repeat" if isinstance(parent, list):
                parent.insert(draw(st.integers(0, len(parent))), copy.deepcopy(parent[key]))
            case _ if isinstance(parent, dict):
                parent[draw(st.sampled_from(["extra", "a/b~c", "code"]))] = draw(st.sampled_from(JUNK))
    return document


def _places(node: Any) -> Iterator[tuple[Any, Any]]:
    for key, value in node.items() if isinstance(node, dict) else enumerate(node):
        yield node, key
        if isinstance(value, dict | list):
            yield from _places(value)


def pointed_at(document: Any, pointer: str) -> Any:
    """What a JSON Pointer stands for; LookupError when there is nothing."""
    assert pointer == "" or pointer.startswith("/")
    for step in pointer.split("/")[1:]:
        step = step.replace("~1", "/").replace("~0", "~")
        if not isinstance(document, dict | list):
            raise LookupError(pointer)
        document = document[int(step)] if isinstance(document, list) else document[step]
    return document


def complete_answers(rubric: Rubric, stage: str) -> Iterator[Answers]:
    """Every complete set of answers that a rubric takes at a stage."""
    asked = [criterion for criterion in rubric.criteria if stage in criterion.stages]
    values = [level.value for level in rubric.scale.levels]
    choices = [[*values, NOT_APPLICABLE] if criterion.not_applicable else values for criterion in asked]
    for chosen in product(*choices):
        if any(answer != NOT_APPLICABLE for answer in chosen):
            yield dict(zip((criterion.code for criterion in asked), chosen, strict=True))


def every_check(rubric: Rubric, stage: str) -> Ticked:
    """All checks of a stage, by criterion."""
    phase = "design" if stage in ("concept_note", "programme_document") else "delivery"
    return {
        criterion.code: {check.code for check in criterion.checks if check.phase in (None, phase)}
        for criterion in rubric.criteria
        if stage in criterion.stages
    }


def held(rubric: Rubric, answers: Answers, stage: str, ticked: Ticked) -> Answers:
    """The answers that hold: each the highest level up to the one given of which all checks, and those below, hold."""
    found = dict(answers)
    asked = every_check(rubric, stage)
    for criterion in rubric.criteria:
        answer = answers.get(criterion.code, NOT_APPLICABLE)
        if answer != NOT_APPLICABLE:
            open_checks = asked[criterion.code] - set(ticked.get(criterion.code, ()))
            found[criterion.code] = max(
                (
                    level.value
                    for level in rubric.scale.levels
                    if Fraction(level.value) <= Fraction(answer)
                    and not any(
                        check.code in open_checks and Fraction(check.level) <= Fraction(level.value)
                        for check in criterion.checks
                    )
                ),
                key=Fraction,
            )
    return found


def on_paper(rubric: Rubric, answers: Answers, stage: str = STAGE, ticked: Ticked | None = None) -> tuple[int, int]:
    """The grade of complete answers before and after the gates as a person would work it out; 0 is the best.

    ticked: those of all checks, where it is left out
    """
    rule: Any = rubric.rule
    codes = [grade.code for grade in rubric.grades]
    answers = held(rubric, answers, stage, every_check(rubric, stage) if ticked is None else ticked)
    given = {code: Fraction(answer) for code, answer in answers.items() if answer != NOT_APPLICABLE}
    if rule.type == "count":
        reached = Fraction(sum(value >= Fraction(rule.level) for value in given.values()))
    else:
        highest = Fraction(rubric.scale.levels[-1].value)
        weights = {c.code: Fraction(c.weight) for c in rubric.criteria if c.code in given and stage in c.stages}
        reached = sum(w * given[c] for c, w in weights.items()) / sum(w * highest for w in weights.values())
    before = min(codes.index(band.grade) for band in rule.bands if reached >= Fraction(band.minimum))
    caps = [codes.index(g.cap) for g in rubric.gates if g.criterion in given and given[g.criterion] < Fraction(g.below)]
    core = [given[criterion.code] for criterion in rubric.criteria if criterion.core and criterion.code in given]
    caps += [codes.index(floor.cap) for floor in rubric.core_floors if any(v < Fraction(floor.below) for v in core)]
    return before, max([before, *caps])


class Case(NamedTuple):
    """A rubric, complete answers of which not all are `not_applicable`, and the checks that are ticked."""

    rubric: Rubric
    answers: Answers
    ticked: Ticked

    @property
    def score(self) -> Score:
        return score(self.rubric, self.answers, STAGE, self.ticked)


@st.composite
def cases(draw: st.DrawFn) -> Case:
    """Cases of every kind of rubric with a computed grade."""
    rubric = unchecked(draw(rubrics()))
    size = len(rubric.criteria)
    answer = st.sampled_from([*(level.value for level in rubric.scale.levels), NOT_APPLICABLE])
    given = st.lists(answer, min_size=size, max_size=size)
    answers = draw(given.filter(lambda all_of_them: set(all_of_them) != {NOT_APPLICABLE}))
    ticked = {
        criterion.code: draw(st.sets(st.sampled_from([check.code for check in criterion.checks])))
        for criterion in rubric.criteria
        if criterion.checks
    }
    return Case(rubric, {f"c{at}": one for at, one in enumerate(answers)}, ticked)
