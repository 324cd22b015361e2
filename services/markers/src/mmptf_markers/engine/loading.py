"""Reads a rubric from its file and checks that its sections are consistent."""

import json
from collections.abc import Callable, Iterator, Sequence, Set
from fractions import Fraction
from typing import Any, Final, get_args

from pydantic import JsonValue, TypeAdapter, ValidationError

from mmptf_common.wire.codes import is_reserved
from mmptf_markers.engine.reading import DocumentError, InvalidDocument, pointer, read_document, repeated, text_errors
from mmptf_markers.engine.rubric import (
    AssessmentStage,
    Bands,
    CoreFloor,
    CountRule,
    Criterion,
    GradeGate,
    ManualRule,
    Phase,
    Rubric,
    ShareBand,
    content_hash,
    criteria_at,
    grade_position,
    level_position,
    needed,
    phase_of,
    stages_of,
)

# With more partial sums than this, the search for a total in a narrow band stops and the rubric is accepted.
_TOTALS_TRIED: Final = 2_000
_RESERVED: Final = "{!r} names a group of totals or a path, and is no code"
Errors = Iterator[tuple[str, str]]
Checks = tuple[tuple[set[str], Callable[[Rubric], Errors]], ...]


class InvalidRubric(InvalidDocument):
    """A rubric is invalid."""


def load_rubric(content: bytes) -> Rubric:
    """Read one rubric from a document in JSON or YAML (UTF-8) and check it as a whole.

    A `hash` of null is filled in; any other must be the content hash. Raises InvalidRubric with every
    error found; only a check which needs a malformed section waits until that section is well formed.
    """
    errors: list[DocumentError] = []
    try:
        raw = read_document(content, errors)
    except InvalidDocument as error:
        raise InvalidRubric(error.errors) from None
    unsealed = False
    if isinstance(raw, dict) and raw.get("hash", "") is None:
        unsealed = True
        raw["hash"] = "0" * 64
    malformed: set[str] = set()
    try:
        rubric = Rubric.model_validate_json(json.dumps(raw), strict=True)
    except ValidationError as error:
        details = error.errors(include_url=False)
        errors.extend(DocumentError(path=_path(detail["loc"]), reason=detail["msg"]) for detail in details)
        if not isinstance(raw, dict) or not all(detail["loc"] for detail in details):
            raise InvalidRubric(errors) from None
        malformed = {str(detail["loc"][0]) for detail in details}
        rubric = _sound_part(raw, malformed)
    errors.extend(_fit_errors(rubric, Rubric.model_fields.keys() - malformed))
    errors += [*text_errors(raw, errors)]
    if not errors and not unsealed and rubric.hash != content_hash(rubric):
        errors.append(DocumentError(path="/hash", reason=f"is not the content hash {content_hash(rubric)}"))
    if errors:
        raise InvalidRubric(errors)
    return rubric.model_copy(update={"hash": content_hash(rubric)})


def dump_rubric(rubric: Rubric) -> bytes:
    """The file form of a rubric: fields in the order of the models, indented by two, UTF-8, final newline."""
    return (json.dumps(rubric.model_dump(mode="json"), indent=2, ensure_ascii=False) + "\n").encode()


def _sound_part(raw: dict[str, JsonValue], malformed: set[str]) -> Rubric:
    return Rubric.model_construct(
        **{
            name: TypeAdapter[Any](field.rebuild_annotation()).validate_json(json.dumps(raw[name]), strict=True)
            for name, field in Rubric.model_fields.items()
            if name not in malformed and name in raw
        }
    )


def _fit_errors(rubric: Rubric, sound: Set[str]) -> Iterator[DocumentError]:
    """The inconsistencies between the sections that are well formed, which `sound` names."""
    found = [error for needs, check in _CHECKS if needs <= sound for error in check(rubric)]
    arithmetic = [error for needs, check in _ARITHMETIC if needs <= sound for error in check(rubric)]
    found += arithmetic
    if not arithmetic and all(needs <= sound for needs, _ in _ARITHMETIC):
        found += _idle_floor_errors(rubric)
        found += _reach_errors(rubric)
    elif {"rule", "grades", "gates", "core_floors"} <= sound:
        found += _named_errors(rubric)
    for path, reason in found:
        yield DocumentError(path=path, reason=reason)


def _path(location: Sequence[int | str]) -> str:
    # Pydantic adds the variant of a tagged union to the location; the document has no such member.
    return pointer([step for at, step in enumerate(location) if (location[0], at) != ("rule", 1)])


def _code_errors(section: str) -> Callable[[Rubric], Errors]:
    def check(rubric: Rubric) -> Errors:
        codes = [item.code for item in getattr(rubric, section)]
        if not codes:
            yield f"/{section}", "is empty"
        for at, code in enumerate(codes):
            if code in codes[:at]:
                yield f"/{section}/{at}/code", f"{code!r} is a duplicate code"
            if is_reserved(code):
                yield f"/{section}/{at}/code", _RESERVED.format(code)

    return check


def _name_errors(rubric: Rubric) -> Errors:
    if len(f"{rubric.code}.{rubric.version}") > 64:
        yield "/version", "is longer than 64 characters together with the code"


def _reserved_errors(name: str) -> Callable[[Rubric], Errors]:
    def check(rubric: Rubric) -> Errors:
        code = getattr(rubric, name)
        if is_reserved(code):
            yield f"/{name}", _RESERVED.format(code)

    return check


def _grade_errors(rubric: Rubric) -> Errors:
    for at, grade in enumerate(rubric.grades):
        for name, text in grade.source:
            # PostgreSQL cannot store it, and this model is the only one whose texts allow it.
            if isinstance(text, str) and "\0" in text:
                yield f"/grades/{at}/source/{name}", "holds the character U+0000"


def _scale_errors(rubric: Rubric) -> Errors:
    values = [Fraction(level.value) for level in rubric.scale.levels]
    if len(values) < 2:
        yield "/scale/levels", "a scale has two levels or more"
    for at, value in enumerate(values):
        if value < 0:
            yield f"/scale/levels/{at}/value", "is below zero"
        if at and value <= values[at - 1]:
            yield f"/scale/levels/{at}/value", "is not above the level before it"


def _criterion_errors(rubric: Rubric) -> Errors:
    for at, criterion in enumerate(rubric.criteria):
        if Fraction(criterion.weight) <= 0:
            yield f"/criteria/{at}/weight", "is not positive"
        if not criterion.stages:
            yield f"/criteria/{at}/stages", "the criterion applies at no stage"
        if repeated(criterion.stages):
            yield f"/criteria/{at}/stages", "names a stage twice"


def _principle_errors(rubric: Rubric) -> Errors:
    known = [principle.code for principle in rubric.principles]
    for at, criterion in enumerate(rubric.criteria):
        if criterion.principle not in known:
            yield _unknown(f"/criteria/{at}/principle", "principle", criterion.principle, known)


def _not_applicable_errors(rubric: Rubric) -> Errors:
    for at, criterion in enumerate(rubric.criteria):
        if criterion.not_applicable and not rubric.scale.not_applicable:
            yield f"/criteria/{at}/not_applicable", "the scale has no not_applicable"


def _band_errors(rubric: Rubric) -> Errors:
    if isinstance(rubric.rule, ManualRule):
        return
    grades = [grade.code for grade in rubric.grades]
    bands: Bands = rubric.rule.bands
    if not bands or Fraction(bands[-1].minimum) != 0:
        yield "/rule/bands", "the last band does not start at 0, so low answers have no grade"
    for at, band in enumerate(bands):
        path = f"/rule/bands/{at}"
        if band.grade not in grades:
            yield _unknown(f"{path}/grade", "grade", band.grade, grades)
        if isinstance(band, ShareBand) and Fraction(band.minimum) > 1:
            yield f"{path}/minimum", f"is above 1, so {band.grade} is unreachable"
        if not at:
            continue
        if Fraction(band.minimum) == Fraction(bands[at - 1].minimum):
            yield f"{path}/minimum", "overlaps the band before it: the same minimum"
        elif Fraction(band.minimum) > Fraction(bands[at - 1].minimum):
            yield f"{path}/minimum", "is out of order: minima fall from band to band"
        if band.grade in grades and bands[at - 1].grade in grades[grades.index(band.grade) :]:
            yield f"{path}/grade", "is out of order: bands follow the grades, best first"


def _named_errors(rubric: Rubric) -> Errors:
    if isinstance(rubric.rule, ManualRule):
        return
    named = {
        *(band.grade for band in rubric.rule.bands),
        *(gate.cap for gate in rubric.gates),
        *(floor.cap for floor in rubric.core_floors),
    }
    for at, grade in enumerate(rubric.grades):
        if grade.code not in named:
            yield f"/grades/{at}", f"{grade.code} is unreachable: no band, no gate and no core floor has it"


def _count_errors(rubric: Rubric) -> Errors:
    if not isinstance(rubric.rule, CountRule):
        return
    levels = [level.value for level in rubric.scale.levels]
    if rubric.rule.level not in levels:
        yield _unknown("/rule/level", "level", rubric.rule.level, levels)
    elif rubric.rule.level == levels[0]:
        yield "/rule/level", "is the lowest level, so every answer meets it"
    for at, band in enumerate(rubric.rule.bands):
        for stage in stages_of(rubric):
            if band.minimum > (most := len(criteria_at(rubric, stage))):
                yield (
                    f"/rule/bands/{at}/minimum",
                    f"{band.grade} is unreachable at {stage}: {most} criteria apply there",
                )


def _gate_errors(rubric: Rubric) -> Errors:
    criteria = [criterion.code for criterion in rubric.criteria]
    if rubric.gates and isinstance(rubric.rule, ManualRule):
        yield "/gates", "a grade set by the assessor is not capped by gates"
    for at, gate in enumerate(rubric.gates):
        if gate.criterion not in criteria:
            yield _unknown(f"/gates/{at}/criterion", "criterion", gate.criterion, criteria)
        yield from _cap_errors(rubric, gate, f"/gates/{at}", "gate")
        if (gate.criterion, gate.below) in [(other.criterion, other.below) for other in rubric.gates[:at]]:
            yield f"/gates/{at}", "is a duplicate: the same criterion and level"


def _floor_errors(rubric: Rubric) -> Errors:
    core = {criterion.code for criterion in rubric.criteria if criterion.core}
    if rubric.core_floors and not core:
        yield "/core_floors", "no criterion is core, so the floors are those of none"
    if rubric.core_floors and isinstance(rubric.rule, ManualRule):
        yield "/core_floors", "a grade set by the assessor is not capped by core floors"
    for at, criterion in enumerate(rubric.criteria):
        if criterion.core and not rubric.core_floors:
            yield f"/criteria/{at}/core", "the rubric has no core floors"
    for at, floor in enumerate(rubric.core_floors):
        yield from _cap_errors(rubric, floor, f"/core_floors/{at}", "floor")
        if floor.below in [other.below for other in rubric.core_floors[:at]]:
            yield f"/core_floors/{at}", "is a duplicate: the same level"
    below = [floor.below for floor in rubric.core_floors]
    for at, gate in enumerate(rubric.gates):
        if gate.criterion in core and gate.below in below:
            yield f"/gates/{at}", "is a duplicate: a core floor is of the same criterion and level"


def _idle_floor_errors(rubric: Rubric) -> Errors:
    """An error for each floor that another one makes idle; needs floors whose levels and grades are known."""
    places = [(level_position(rubric, f.below), grade_position(rubric, f.cap)) for f in rubric.core_floors]
    for at, (below, cap) in enumerate(places):
        if any(other > below and worse >= cap for other, worse in places):
            yield f"/core_floors/{at}/cap", "is given already where an answer is below a higher level"


def _cap_errors(rubric: Rubric, capped: GradeGate | CoreFloor, path: str, noun: str) -> Errors:
    grades = [grade.code for grade in rubric.grades]
    yield from _level_errors(rubric, capped.below, f"{path}/below", above_lowest="no answer is below it")
    if capped.cap not in grades:
        yield _unknown(f"{path}/cap", "grade", capped.cap, grades)
    elif capped.cap == grades[0]:
        yield f"{path}/cap", f"is the best grade, so the {noun} caps nothing"


def _level_errors(rubric: Rubric, value: int | str, path: str, *, above_lowest: str | None = None) -> Errors:
    """An error where a value is no level of the scale; above_lowest: why it is not the lowest level."""
    levels = [level.value for level in rubric.scale.levels]
    if value not in levels:
        yield _unknown(path, "level", value, levels)
    elif above_lowest and value == levels[0]:
        yield path, f"is the lowest level: {above_lowest}"


def _support_errors(rubric: Rubric) -> Errors:
    """The errors of what criteria ask for beside an answer."""
    for at, criterion in enumerate(rubric.criteria):
        path = f"/criteria/{at}"
        for name in ("evidence_from", "register_from"):
            if (value := getattr(criterion, name)) is not None:
                yield from _level_errors(rubric, value, f"{path}/{name}")
        if (below := criterion.action_below) is not None:
            yield from _level_errors(rubric, below, f"{path}/action_below", above_lowest="no answer is below it")
        phases = {phase_of(stage) for stage in criterion.stages}
        for number, check in enumerate(criterion.checks):
            place = f"{path}/checks/{number}"
            yield from _level_errors(rubric, check.level, f"{place}/level", above_lowest="it holds without checks")
            if check.code in [other.code for other in criterion.checks[:number]]:
                yield f"{place}/code", f"{check.code!r} is a duplicate code"
            if check.phase not in (None, *phases):
                yield f"{place}/phase", f"the criterion is not asked in the phase {check.phase}"
        yield from _level_text_errors(rubric, criterion, path, phases)


def _level_text_errors(rubric: Rubric, criterion: Criterion, path: str, phases: Set[Phase]) -> Errors:
    values = [level.value for level in rubric.scale.levels]
    if criterion.levels and (given := [level.value for level in criterion.levels]) != values:
        named = ", ".join(map(str, given))
        yield f"{path}/levels", f"are not those of the scale in its order: {', '.join(map(str, values))}; here {named}"
    for at, level in enumerate(criterion.levels):
        for phase in get_args(Phase.__value__):
            text = getattr(level, phase)
            if phase in phases and text is None:
                yield f"{path}/levels/{at}/{phase}", f"is missing: the criterion is asked in the phase {phase}"
            if phase not in phases and text is not None:
                yield f"{path}/levels/{at}/{phase}", f"the criterion is not asked in the phase {phase}"


def _applicability_errors(rubric: Rubric) -> Errors:
    for at, criterion in enumerate(rubric.criteria):
        if criterion.applies_if is None:
            continue
        path = f"/criteria/{at}/applies_if"
        if not criterion.not_applicable:
            yield path, "the criterion always applies: it may not be answered with not_applicable"
        codes = [(name, named) for name, named in criterion.applies_if if named]
        if not codes:
            yield path, "names no code"
        for name, named in codes:
            if again := repeated(named):
                yield f"{path}/{name}", f"names twice: {', '.join(again)}"


def _status_errors(rubric: Rubric) -> Errors:
    document, endorsement = rubric.source_document, rubric.endorsement
    if rubric.status == "official":
        if document is None:
            yield "/source_document", "an official rubric names its document"
        if document is None or document.sha256 is None:
            yield "/source_document/sha256", "an official rubric has the hash of the file"
        if endorsement is None:
            yield "/endorsement/date", "an official rubric has the date of its endorsement"
    if rubric.status == "illustrative" and endorsement is not None:
        yield "/endorsement", "an illustrative rubric is endorsed by nobody: null"


def _reach_errors(rubric: Rubric) -> Errors:
    """An error for each grade that no set of applicable answers leads to; needs a rubric whose arithmetic is valid."""
    if isinstance(rubric.rule, ManualRule):
        return
    bands = rubric.rule.bands
    for stage in stages_of(rubric):
        for at, grade in enumerate(rubric.grades):
            if not (_reached_by_gate(rubric, bands, stage, at) or _reached_by_band(rubric, bands, stage, at)):
                yield f"/grades/{at}", f"{grade.code} is unreachable at {stage}"


def _reached_by_gate(rubric: Rubric, bands: Bands, stage: AssessmentStage, grade: int) -> bool:
    """Whether some gate caps at this grade while all other criteria have the best answer."""
    criteria = {criterion.code: criterion for criterion in criteria_at(rubric, stage)}
    best = len(rubric.scale.levels) - 1
    of = sum((rubric.points[criterion.code][best] for criterion in criteria.values()), Fraction())
    for gate in rubric.caps:
        if gate.criterion not in criteria or grade_position(rubric, gate.cap) != grade:
            continue
        level = level_position(rubric, gate.below) - 1
        worse = any(
            other.criterion == gate.criterion
            and level_position(rubric, other.below) > level
            and grade_position(rubric, other.cap) > grade
            for other in rubric.caps
        )
        criterion = criteria[gate.criterion]
        points = of - rubric.points[criterion.code][best] + rubric.points[criterion.code][level]
        band = next(band for band in bands if points >= needed(rubric, band, of))
        if not worse and grade_position(rubric, band.grade) <= grade:
            return True
    return False


def _reached_by_band(rubric: Rubric, bands: Bands, stage: AssessmentStage, grade: int) -> bool:
    """Whether some total of points lies in this grade's band and passes every gate that caps below it."""
    codes = [band.grade for band in bands]
    if rubric.grades[grade].code not in codes:
        return False
    at = codes.index(rubric.grades[grade].code)
    criteria = criteria_at(rubric, stage)
    best = len(rubric.scale.levels) - 1
    of = sum((rubric.points[criterion.code][best] for criterion in criteria), Fraction())
    low = needed(rubric, bands[at], of)
    high = needed(rubric, bands[at - 1], of) if at else of + 1
    floors = {
        criterion.code: max(
            (
                level_position(rubric, gate.below)
                for gate in rubric.caps
                if gate.criterion == criterion.code and grade_position(rubric, gate.cap) > grade
            ),
            default=0,
        )
        for criterion in criteria
    }
    choices = [[rubric.points[c.code][level] for level in range(floors[c.code], best + 1)] for c in criteria]
    return _total_exists(choices, low, high)


def _total_exists(choices: Sequence[Sequence[Fraction]], low: Fraction, high: Fraction) -> bool:
    """Whether one number from each choice can be had with low <= total < high."""
    least = sum((min(choice) for choice in choices), Fraction())
    most = sum((max(choice) for choice in choices), Fraction())
    if least >= high or most < low:
        return False
    # Adding the largest rise that fits, criterion by criterion, finds a total in all but very narrow bands.
    total = least
    for rises in sorted(([p - min(choice) for p in choice] for choice in choices), key=max, reverse=True):
        total += max(rise for rise in rises if total + rise < high)
    if total >= low:
        return True
    totals = {Fraction()}
    for choice in choices:
        least, most = least - min(choice), most - max(choice)
        # Only sums that the remaining choices can still bring into the band are considered further.
        sums = {total + points for total in totals for points in choice}
        totals = {total for total in sums if total + most >= low and total + least < high}
        if len(totals) > _TOTALS_TRIED:
            return True
    return bool(totals)


def _unknown(path: str, noun: str, value: object, known: Sequence[object]) -> tuple[str, str]:
    return path, f"unknown {noun} {value!r}; known: {', '.join(map(str, known))}"


_CHECKS: Final[Checks] = (
    ({"code", "version"}, _name_errors),
    ({"code"}, _reserved_errors("code")),
    ({"marker"}, _reserved_errors("marker")),
    ({"grades"}, _grade_errors),
    ({"principles"}, _code_errors("principles")),
    ({"criteria", "principles"}, _principle_errors),
    ({"criteria", "scale"}, _not_applicable_errors),
    ({"criteria"}, _applicability_errors),
    ({"criteria", "scale"}, _support_errors),
    ({"status", "source_document", "endorsement"}, _status_errors),
)
_ARITHMETIC: Final[Checks] = (
    ({"grades"}, _code_errors("grades")),
    ({"criteria"}, _code_errors("criteria")),
    ({"scale"}, _scale_errors),
    ({"criteria"}, _criterion_errors),
    ({"rule", "grades"}, _band_errors),
    ({"rule", "criteria", "scale"}, _count_errors),
    ({"rule", "criteria", "scale", "grades", "gates"}, _gate_errors),
    ({"rule", "criteria", "scale", "grades", "gates", "core_floors"}, _floor_errors),
)
