"""Rules of the report: its sections from rows of counts, its words, and its figures one by one."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import date
from fractions import Fraction
from typing import Any, Final

from mmptf_markers.engine.rubric import NOT_APPLICABLE, Rubric, grade_position, level_position
from mmptf_markers.indicator.rules import criteria_of, needed
from mmptf_markers.indicator.schemas import Indicator, IndicatorPeriod, IndicatorTarget
from mmptf_markers.report import schemas

# The most programmes that are listed one by one, and the most of the weakest and of the strongest criteria.
MOST_LISTED: Final = 100
MOST_CRITERIA: Final = 3
SECTIONS: Final = (
    "headline",
    "funnel",
    "reviews",
    "money",
    "criteria",
    "delivery",
    "actions",
    "course",
    "agreement",
    "caveats",
)
# The columns that say of what a figure is. Where it is of something else, that stands in `group`.
_OF: Final = ("rubric", "criterion", "grade", "programme")
_GROUPS: Final = (
    "reported_grade", "answer", "below", "kind", "organization", "stage", "currency", "period_end", "year", "code",
    "between",
)  # fmt: skip
COLUMNS: Final = ("section", *_OF, "group", "figure", "value")
# What is copied here, by the service that it is of.
_COPIED: Final = {"catalog": "the catalogue", "funding": "the ledger"}
Rows = Iterable[Mapping[str, Any]]


# --- headline --------------------------------------------------------------------------------------------------------


def headline_of(target: IndicatorTarget, indicator: Indicator, states: Mapping[str, int]) -> schemas.ReportHeadline:
    """The headline of an indicator that nothing chooses by grades.

    states: `waiting`, `returned` and `nothing`, the programmes without a current grade
    """
    with_grade = dict.fromkeys(("reviewed", "declared"), 0)
    official = 0
    for each in indicator.bases:
        if each.basis in with_grade:
            with_grade[each.basis] += each.with_grade
        if each.rubric_status == "official":
            official += each.with_grade
    if indicator.standing is None or indicator.short_by is None:
        raise AssertionError("the programmes are chosen by what is known of their grades")
    figures = {
        "programmes": indicator.programmes,
        "with_grade": indicator.counted + indicator.illustrative,
        **with_grade,
        "official": official,
        "counted": indicator.counted,
        "another_grade": indicator.assessed - indicator.counted - indicator.illustrative,
        **{name: states[name] for name in ("waiting", "returned", "nothing")},
        "needed": needed(indicator.programmes, target.minimum.exact),
        "short_by": indicator.short_by,
        "not_held": indicator.not_held,
    }
    others = [each.grade for each in indicator.grades if each.grade and each.grade not in target.grades]
    text = " ".join(_sentences(target, figures, others, indicator.standing))
    return schemas.ReportHeadline.model_validate({"text": text, "standing": indicator.standing, **figures})


def _sentences(
    target: IndicatorTarget, figures: Mapping[str, int], other_grades: Sequence[str], standing: str
) -> Iterator[str]:
    programmes, with_grade, counted = (figures[name] for name in ("programmes", "with_grade", "counted"))
    grades = " or ".join(target.grades)
    of_all = f"Of {_counted(programmes, f'{target.stage} programme')}"
    if not programmes:
        yield f"There are no {target.stage} programmes to count."
    elif not with_grade:
        yield f"{of_all} none has a grade of {grades}."
    else:
        bases = [
            f"{figures[basis]} {said}"
            for basis, said in (("reviewed", "reviewed"), ("declared", "declared without answers"))
            if figures[basis]
        ]
        have = f"{with_grade} {_verb(with_grade, 'has', 'have')} a grade of {grades}"
        yield f"{of_all} {have}: {', '.join(bases)}; {figures['official'] or 'none'} under an official rubric."
    others = [
        f"{number} {_verb(number, *verbs)} {rest}"
        for name, verbs, rest in (
            ("another_grade", ("has", "have"), f"another grade ({' or '.join(other_grades)})"),
            ("waiting", ("waits", "wait"), "for a review"),
            ("returned", ("was", "were"), "returned and not answered"),
            ("nothing", ("has", "have"), "sent nothing"),
        )
        if (number := figures[name])
    ]
    if others:
        yield f"{', '.join(others)}."
    if programmes:
        short = f", {figures['short_by']} short" if figures["short_by"] else ""
        yield f"Target {figures['needed']}: {standing.replace('_', ' ')}{short}."
    if uncounted := with_grade - counted:
        yield f"{uncounted} under an illustrative rubric {_verb(uncounted, 'does', 'do')} not count for it."
    if not_held := figures["not_held"]:
        yield f"{_counted(not_held, 'more programme')} {_verb(not_held, 'is', 'are')} known and not recorded here."


def _counted(number: int, noun: str) -> str:
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"


def _verb(number: int, singular: str, plural: str) -> str:
    return singular if number == 1 else plural


# --- funnel ----------------------------------------------------------------------------------------------------------


def funnel_of(
    programmes: Mapping[str, int], documents: Rows, annual: Mapping[str, int], rubrics: Mapping[str, Any]
) -> schemas.ReportFunnel:
    """The funnel of programmes and of their assessments.

    programmes: `funded` and `due`
    documents: a row for each version of a rubric, one for what was only declared (rubric None), and one for all that
               was answered (`is_whole`)
    annual: the members of the funnel of annual reports
    rubrics: the status of each rubric, and whether it is superseded
    """
    whole = {"submitted": 0, "waiting": 0, "returned": 0, "accepted": 0}
    declared = 0
    editions: list[schemas.FunnelEdition] = []
    for row in documents:
        numbers = {name: row[name] for name in whole}
        if row["is_whole"]:
            whole = numbers
            continue
        code = row["rubric"]
        if code is None:
            declared = numbers["accepted"]
        stated = rubrics[code] if code else {"status": None, "superseded": None}
        edition = {"rubric": code, "status": stated["status"], "superseded": stated["superseded"], **numbers}
        editions.append(schemas.FunnelEdition.model_validate(edition))
    return schemas.ReportFunnel(
        funded=programmes["funded"],
        due=programmes["due"],
        submitted=whole["submitted"],
        waiting=whole["waiting"],
        returned=whole["returned"],
        reviewed=whole["accepted"],
        declared=declared,
        editions=sorted(editions, key=lambda edition: (edition.rubric is None, edition.rubric)),
        annual_report=schemas.AnnualReportFunnel.model_validate(dict(annual)),
    )


# --- reported beside reviewed ----------------------------------------------------------------------------------------


def reviews_of(grades: Rows, answers: Rows, rubrics: Mapping[str, Rubric]) -> list[schemas.EditionReviews]:
    """What was reported beside what was found, by version of the rubric.

    grades: rows of rubric, reported, grade, programmes
    answers: rows of rubric, criterion, given, own (None where the reviewer gave no other), programmes
    """
    pairs: dict[str, Counter[tuple[str, str]]] = defaultdict(Counter)
    for row in grades:
        pairs[row["rubric"]][row["reported"], row["grade"]] += row["programmes"]
    changed: dict[tuple[str, str], Counter[str]] = defaultdict(Counter)
    for row in answers:
        change = _change(rubrics[row["rubric"]], row["given"], row["own"])
        changed[row["rubric"], row["criterion"]][change] += row["programmes"]
    return [_edition_reviews(code, rubrics[code], pairs[code], changed) for code in sorted(pairs)]


def _change(rubric: Rubric, given: str, own: str | None) -> str:
    if own is None:
        return "same"
    if NOT_APPLICABLE in (given, own):
        return "applicability"
    levels = [str(level.value) for level in rubric.scale.levels]
    return "lowered" if levels.index(own) < levels.index(given) else "raised"


def _edition_reviews(
    code: str, rubric: Rubric, pairs: Counter[tuple[str, str]], changed: Mapping[tuple[str, str], Counter[str]]
) -> schemas.EditionReviews:
    found = [(grade_position(rubric, reported), grade_position(rubric, grade)) for reported, grade in pairs.elements()]
    return schemas.EditionReviews(
        rubric=code,
        status=rubric.status,
        programmes=pairs.total(),
        lowered=sum(reported < grade for reported, grade in found),
        raised=sum(reported > grade for reported, grade in found),
        grades=[
            schemas.GradeByBoth(
                grade=grade.code,
                reported=sum(reported == at for reported, _ in found),
                reviewed=sum(reviewed == at for _, reviewed in found),
            )
            for at, grade in enumerate(rubric.grades)
        ],
        pairs=[
            schemas.GradePair(reported_grade=reported, grade=grade, programmes=number)
            for (reported, grade), number in sorted(pairs.items())
        ],
        criteria=[
            schemas.ReviewedCriterion(
                criterion=criterion.code,
                question=criterion.question,
                programmes=changes.total(),
                lowered=changes["lowered"],
                raised=changes["raised"],
                applicability=changes["applicability"],
            )
            for criterion in rubric.criteria
            if (changes := changed.get((code, criterion.code)))
        ],
    )


# --- criteria --------------------------------------------------------------------------------------------------------


def criteria_by_edition(answers: Rows, grades: Rows, rubrics: Mapping[str, Rubric]) -> list[schemas.EditionCriteria]:
    """The weakest and strongest criteria of each version of a rubric, and the core floors that are missed.

    answers: as of `reviews_of`; grades: those with `position`, that of the lowest answer to a core criterion, or None
    """
    counting = [{**row, "answer": row["own"] or row["given"]} for row in answers]
    summaries = criteria_of(counting, rubrics)
    lowest: dict[str, Counter[int | None]] = defaultdict(Counter)
    for row in grades:
        lowest[row["rubric"]][row["position"]] += row["programmes"]
    found = []
    for code in sorted(lowest):
        rubric = rubrics[code]
        answered = [each for each in summaries if each.rubric == code and each.share]
        others = answered[MOST_CRITERIA:]
        found.append(
            schemas.EditionCriteria(
                rubric=code,
                status=rubric.status,
                programmes=lowest[code].total(),
                weakest=answered[:MOST_CRITERIA],
                strongest=others[: -MOST_CRITERIA - 1 : -1],
                missed_floors=_missed_floors(
                    rubric, lowest[code], [each for each in counting if each["rubric"] == code]
                ),
            )
        )
    return found


def _missed_floors(
    rubric: Rubric, lowest: Counter[int | None], answers: Sequence[Mapping[str, Any]]
) -> list[schemas.MissedFloor]:
    levels = [str(level.value) for level in rubric.scale.levels]
    core = {criterion.code for criterion in rubric.criteria if criterion.core}
    found = []
    for floor in rubric.core_floors:
        position = level_position(rubric, floor.below)
        missed = Counter[str]()
        for row in answers:
            is_level = row["criterion"] in core and row["answer"] != NOT_APPLICABLE
            if is_level and levels.index(row["answer"]) < position:
                missed[row["criterion"]] += row["programmes"]
        found.append(
            schemas.MissedFloor(
                below=floor.below,
                cap=floor.cap,
                programmes=sum(number for at, number in lowest.items() if at is not None and at < position),
                criteria=[
                    schemas.MissedCriterion(criterion=criterion, programmes=number)
                    for criterion, number in sorted(missed.items(), key=lambda each: (-each[1], each[0]))
                ],
            )
        )
    return found


def core_positions(rubrics: Mapping[str, Rubric]) -> dict[str, dict[str, dict[str, int]]]:
    """Rubric -> core criterion -> answer as text -> its position on the scale."""
    return {
        code: {
            criterion.code: {str(level.value): at for at, level in enumerate(rubric.scale.levels)}
            for criterion in rubric.criteria
            if criterion.core
        }
        for code, rubric in rubrics.items()
    }


# --- design and delivery ---------------------------------------------------------------------------------------------


def delivery_of(counts: Rows, listed: Rows, rubrics: Mapping[str, Rubric]) -> schemas.DesignAndDelivery:
    """The grades of design and of delivery side by side.

    counts: rows of both grades with their rubrics, whether the delivery fell below the target, and `programmes`
    listed: rows of the members of a programme that is listed
    """
    changes = Counter[str]()
    fell_below = 0
    for row in counts:
        changes[_grade_change(row, rubrics)] += row["programmes"]
        fell_below += row["programmes"] if row["fell_below"] else 0
    return schemas.DesignAndDelivery(
        programmes=changes.total(),
        improved=changes["improved"],
        same=changes["same"],
        fell=changes["fell"],
        not_comparable=changes["not_comparable"],
        fell_below=fell_below,
        listed=[
            schemas.ProgrammeDelivery.model_validate({**row, "change": _grade_change(row, rubrics)}) for row in listed
        ],
    )


def _grade_change(row: Mapping[str, Any], rubrics: Mapping[str, Rubric]) -> schemas.GradeChange:
    code = row["design_rubric"]
    if code is None or code != row["delivery_rubric"]:
        return "not_comparable"
    before, after = (grade_position(rubrics[code], row[name]) for name in ("design_grade", "delivery_grade"))
    if before == after:
        return "same"
    return "improved" if after < before else "fell"


# --- course and caveats ----------------------------------------------------------------------------------------------


def course_of(periods: Iterable[IndicatorPeriod]) -> list[schemas.ReportPeriod]:
    """The figures of the course that the report shows."""
    return [
        schemas.ReportPeriod(
            period_end=period.period_end,
            programmes=period.indicator.programmes,
            with_grade=period.indicator.counted + period.indicator.illustrative,
            counted=period.indicator.counted,
            share=period.indicator.share,
        )
        for period in periods
    ]


def caveats_of(
    target: IndicatorTarget,
    indicator: Indicator,
    course: Sequence[schemas.ReportPeriod],
    *,
    has_official: bool,
    outdated: Mapping[str, date | None],
) -> list[schemas.ReportCaveat]:
    """What a reader has to know, in words.

    has_official: whether an official rubric of the marker is published
    outdated: the services whose copy is not current, and the day on which it last was; None where it never was
    """
    found = list(_caveats_of_grades(indicator, has_official=has_official))
    if not_held := indicator.not_held:
        are = _verb(not_held, "is", "are")
        found.append(
            (
                "not_held",
                f"{_counted(not_held, 'programme')} that a document counts {are} not recorded here; nothing is known of"
                " their grades, and they may decide whether the target is met.",
            )
        )
    found += [
        ("claim_not_shown", text)
        for claim in target.claims
        if claim.standing == "met" and (text := _claim_not_shown(target, claim.year, course))
    ]
    found += [
        (
            "copy_not_current",
            f"The copy of {_COPIED[service]} was last complete on {day}; what has changed there since is not in here."
            if day
            else f"The copy of {_COPIED[service]} has not been complete yet; programmes or sums may be missing.",
        )
        for service, day in outdated.items()
    ]
    return [schemas.ReportCaveat.model_validate({"code": code, "text": text}) for code, text in found]


def _caveats_of_grades(indicator: Indicator, *, has_official: bool) -> Iterator[tuple[str, str]]:
    if not has_official:
        yield (
            "no_official_rubric",
            "No official rubric of the marker is published here, so no review counts for the target.",
        )
    graded = [each for each in indicator.rubrics if each.rubric]
    if illustrative := sum(each.programmes for each in graded if each.status == "illustrative"):
        rest = _verb(illustrative, "rests", "rest")
        yield (
            "illustrative_grades",
            f"{_counted(illustrative, 'grade')} {rest} on an illustrative rubric, which is not the Fund's; such grades"
            " are shown and do not count for the target.",
        )
    if superseded := sum(each.programmes for each in graded if each.superseded):
        rest = _verb(superseded, "rests", "rest")
        yield (
            "superseded_rubrics",
            f"{_counted(superseded, 'grade')} {rest} on a rubric that a later version has replaced.",
        )
    if indicator.mixed:
        codes = [each.rubric or "declarations under no rubric" for each in indicator.rubrics]
        yield (
            "mixed_rubrics",
            f"The grades come from {' and '.join(codes)}; what was asked differs, so they compare badly.",
        )
    if declared := sum(each.programmes for each in indicator.bases if each.basis == "declared"):
        was = _verb(declared, "was", "were")
        yield (
            "unverified_declarations",
            f"{_counted(declared, 'grade')} {was} declared without answers, and nobody has reviewed that.",
        )


def _claim_not_shown(target: IndicatorTarget, year: int, course: Sequence[schemas.ReportPeriod]) -> str | None:
    """That what is held here does not show that a target was met in a year; None where it does."""
    period = next((each for each in course if each.period_end.year == year), None)
    said = f"A document says that the target was met in {year}; what is held here does not show it:"
    if period is None or not period.programmes:
        return f"{said} nothing that counts is of that year or before it."
    if Fraction(period.counted, period.programmes) >= target.minimum.exact:
        return None
    return f"{said} at its end {period.counted} of {_counted(period.programmes, 'programme')} counted."


# --- the figures one by one ------------------------------------------------------------------------------------------


def lines_of(report: schemas.PortfolioReport) -> Iterator[dict[str, Any]]:
    """Each figure of the report with the section that it is in and with that of which it is, by COLUMNS.

    A figure is named as the members that lead to it, joined by `_`.
    """
    record = report.model_dump(mode="json")
    for budget in (each for grade in record["money"] for each in (*grade["budgets"], *grade["shared"])):
        # What stands beside a sum is of the same currency.
        budget |= {"currency": budget["sum"]["currency"], "sum": budget["sum"]["amount"]}
    for section in SECTIONS:
        yield from _lines(record[section], dict.fromkeys(COLUMNS) | {"section": section}, ())


def _lines(node: Any, of: Mapping[str, Any], path: tuple[str, ...]) -> Iterator[dict[str, Any]]:
    if isinstance(node, list):
        for each in node:
            yield from _lines(each, of, path)
        return
    named = [of["group"], *(str(node[group]) for group in _GROUPS if node.get(group) is not None)]
    own = {**of, **{name: node[name] for name in _OF if name in node}, "group": " / ".join(filter(None, named)) or None}
    for name, value in node.items():
        if isinstance(value, dict | list):
            yield from _lines(value, own, (*path, name))
        elif name not in _OF and name not in _GROUPS:
            yield {**own, "figure": "_".join((*path, name)), "value": value}
