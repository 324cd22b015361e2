"""What is known of the programmes of each group: as triggers have counted and added it up, or counted now."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from mmptf_common.http.snapshot import Snapshot
from mmptf_common.lists.listing import Arguments, condition, given
from mmptf_common.wire.codes import SHARED
from mmptf_markers.current_grade_rollups import CURRENT_GRADE_BY_GROUP, CURRENT_GRADE_COUNT
from mmptf_markers.current_grades import counts
from mmptf_markers.indicator.attribution import OVERLAPPING, Attribution
from mmptf_markers.indicator.money import Graded, GroupedMoney, Sums, no_sums, sums_of
from mmptf_markers.indicator.schemas import IndicatorTarget
from mmptf_markers.indicator.standings import CURRENT_GRADE_ROWS, OF_TARGET, CurrentGradeFilter


def _several(codes: str) -> tuple[str, str]:
    return "v.code", f"LEFT JOIN LATERAL {codes} AS v(code) ON true"


def _regions_of(level: str) -> tuple[str, str]:
    return _several(
        f"(SELECT DISTINCT record->>'{level}' FROM place WHERE code = ANY(current_grade.countries)"
        f" AND record->>'{level}' IS NOT NULL)"
    )


# The divisions of the indicator: the SQL of a group's code, and the join that it needs.
DIVISIONS: Mapping[str | None, tuple[str, str]] = {
    None: ("NULL::text", ""),
    "thematic_area": ("current_grade.thematic_area", ""),
    "country": _several("unnest(current_grade.countries)"),
    "region": _regions_of("region"),
    "subregion": _regions_of("subregion"),
    "intermediate_region": _regions_of("intermediate_region"),
    "organization": _several("unnest(current_grade.organizations)"),
    "assessed_stage": ("current_grade.assessed_stage", ""),
    "rubric": ("current_grade.rubric", ""),
}

# The filters by what is known of grades. Whoever chose the programmes by them could make any share of any target.
OF_GRADES: Mapping[str, Any] = {"grade": [], "rubric": [], "assessed_stage": [], "assessed": None, "due_for": None}
# The filters that the stored counts have the columns of.
_STORED_FILTERS = {"grade", "rubric"}
_WHOLE_PARTS = (
    "amount AS part_amount, with_budget AS with_part_amount,"
    " allocated AS part_allocated, with_allocation AS with_part_allocated"
)


@dataclass(frozen=True, slots=True)
class GroupCounts:
    """What is known of the groups of programmes, by their codes; those without a code under None.

    counts: the rows of counts of each; money: that of each, by grade
    programmes: the denominators, where the rows are chosen by what is known of grades; None where they are all
    """

    counts: Mapping[str | None, Sequence[Any]]
    money: Mapping[str | None, Graded]
    programmes: Mapping[str | None, int] | None


async def fetch_groups(
    data: Snapshot, target: IndicatorTarget, query: CurrentGradeFilter, by: str | None
) -> GroupCounts:
    """The programmes that match the filters, by what they are divided by; all in one group, None, where that is None.

    What several groups have together is in a group of its own, `shared`.
    """
    is_stored = {name for name, *_ in given(OF_TARGET, query)} <= _STORED_FILTERS
    return await (_fetch_stored if is_stored else _fetch_counted)(data, target, query, by)


async def _fetch_stored(
    data: Snapshot, target: IndicatorTarget, query: CurrentGradeFilter, by: str | None
) -> GroupCounts:
    """The counts of groups that triggers have written; only `_STORED_FILTERS` may be given."""
    arguments = Arguments()
    of_target = f"marker = {arguments.bind(target.marker)} AND stage = {arguments.bind(target.stage)}"
    if by in (None, "rubric"):
        # Each programme is in one group, which has all of its money.
        key, rows = by or "NULL::text", f"(SELECT *, {_WHOLE_PARTS} FROM {CURRENT_GRADE_COUNT.table}) AS counted"
    else:
        key, rows = "code", CURRENT_GRADE_BY_GROUP.table
        of_target += f" AND division = '{by}'"
    all_of = None
    if by in OF_GRADES or query.grade or query.rubric:
        of_all = f"SELECT {'NULL::text' if by in OF_GRADES else key}, sum(programmes)::bigint FROM {rows}"
        numbers = await data.fetch(f"{of_all} WHERE {of_target} GROUP BY 1 HAVING sum(programmes) > 0", *arguments)
        all_of = dict(map(tuple, numbers))
    counted: dict[str | None, list[Any]] = defaultdict(list)
    money: dict[str | None, dict[str | None, Sums]] = defaultdict(no_sums)
    where = f"{of_target} AND {condition(OF_TARGET, query, arguments)}"
    for row in await data.fetch(f"SELECT {key} AS key, * FROM {rows} WHERE {where}", *arguments):
        # The part of a place without a region is in a group in which its programme may not be counted.
        if row["programmes"]:
            counted[row["key"]].append(row)
        if row["with_part_amount"] or row["with_part_allocated"]:
            money[row["key"]][row["grade"]].add_parts(row, "part_")
    return GroupCounts(counted, money, all_of)


async def _fetch_counted(
    data: Snapshot, target: IndicatorTarget, query: CurrentGradeFilter, by: str | None
) -> GroupCounts:
    """What is known of groups, counted and added up of all programmes that match the filters."""
    key, join = DIVISIONS[by]
    arguments = Arguments()
    of_target = f"marker = {arguments.bind(target.marker)} AND stage = {arguments.bind(target.stage)}"
    where = f"{of_target} AND {condition(OF_TARGET, query, arguments)}"
    of_rows = f"{CURRENT_GRADE_ROWS} {join} WHERE {where}"
    asked = Attribution.of(query, by, Arguments())
    parts = asked.counted if asked else None
    if asked and parts:
        key, of_rows = "key", asked.rows(where)
    statement = counts(f"{key} AS key, grade, rubric, basis, budget_stage, currency", of_rows, parts or "")
    rows = await data.fetch(statement, *arguments)
    counted: dict[str | None, list[Any]] = defaultdict(list)
    for row in rows:
        counted[row["key"]].append(row)
    all_of = await _denominators(data, target, query, by)
    money = await _fetch_money(data, target, query, by, rows)
    if money is None:
        return GroupCounts(counted, {code: sums_of(of_group) for code, of_group in counted.items()}, all_of)
    if money.programmes:
        counted[SHARED] = [*money.shared]
        all_of = all_of if all_of is None else {**all_of, SHARED: money.programmes}
    return GroupCounts(counted, money.sums, all_of)


async def _fetch_money(
    data: Snapshot, target: IndicatorTarget, query: CurrentGradeFilter, by: str | None, counted: Sequence[Any]
) -> GroupedMoney | None:
    """The money of the programmes that match the filters, where a part of it may be asked for; None elsewhere.

    counted: the rows of counts, which may have the parts of the groups
    """
    arguments = Arguments()
    asked = Attribution.of(query, by, arguments)
    if asked is None:
        return None
    of_target = f"marker = {arguments.bind(target.marker)} AND stage = {arguments.bind(target.stage)}"
    is_told = condition(OF_TARGET, query, arguments)
    found = GroupedMoney()
    if asked.counted:
        for row in counted:
            found.sums[row["key"]][row["grade"]].add_parts(row, "part_")
    else:
        for row in await data.fetch(asked.sums(DIVISIONS[by][0], f"{of_target} AND {is_told}"), *arguments):
            found.sums[row["key"]][row["grade"]].add_parts(row)
    if by in OVERLAPPING:
        filters = {name: unset for name, unset in OF_GRADES.items() if getattr(query, name) != unset}
        where = condition(OF_TARGET, query.model_copy(update=filters), arguments)
        rows = await data.fetch(asked.shared(f"{of_target} AND {where}", is_told), *arguments)
        found.programmes = sum(row["programmes"] for row in rows)
        found.shared = [row for row in rows if row["is_told"]]
        for row in found.shared:
            found.sums[SHARED][row["grade"]].add_parts(row, "shared_")
    return found


async def _denominators(
    data: Snapshot, target: IndicatorTarget, query: CurrentGradeFilter, by: str | None
) -> dict[str | None, int] | None:
    """The number of programmes by group, whatever is known of their grades; None where nothing chooses by that.

    Groups by what is known of grades have all programmes together as denominator, under None.
    """
    filters = {name: unset for name, unset in OF_GRADES.items() if getattr(query, name) != unset}
    if not filters and by not in OF_GRADES:
        return None
    key, join = DIVISIONS[None if by in OF_GRADES else by]
    arguments = Arguments()
    of_target = f"marker = {arguments.bind(target.marker)} AND stage = {arguments.bind(target.stage)}"
    where = condition(OF_TARGET, query.model_copy(update=filters), arguments)
    rows = await data.fetch(
        f"SELECT {key} AS key, count(*) FROM {CURRENT_GRADE_ROWS} {join} WHERE {of_target} AND {where} GROUP BY 1",
        *arguments,
    )
    return {row["key"]: row["count"] for row in rows}
