"""SQL of how much of the programmes' money belongs to what is asked for: by what sources state, never by equal parts.

Two things can divide the money of a programme: its places, by their shares, and its organizations, by the lines of the
budget. What is asked for are some of the places and some of the organizations. Its part is certain where the least and
the most that it can be are the same; of any other programme no source states the part. The parts of each place and
organization are stored with the current grades.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from mmptf_common.lists.listing import Arguments
from mmptf_common.wire.codes import NOT_STATED
from mmptf_markers.current_grades import LEVELS
from mmptf_markers.indicator.standings import CURRENT_GRADE_ROWS, CurrentGradeFilter

# The divisions of which a programme can be in several groups.
OVERLAPPING = frozenset({"country", *LEVELS, "organization"})
# What is divided: the budget, and what the ledger has allocated.
AMOUNTS = ("amount", "allocated")
_ALIKE = "grade, budget_stage, currency"


@dataclass(frozen=True, slots=True)
class _Division:
    """Columns of `current_grade`: the codes, none for `not_stated`, and amount -> its parts, one for each code."""

    codes: str
    parts: Mapping[str, str]

    @property
    def named(self) -> str:
        """SQL of the codes of a programme with their parts of each amount."""
        parts = ", ".join(f"s.{self.parts[name]}" for name in AMOUNTS)
        return f"unnest(s.{self.codes}, {parts}) AS named(code, {', '.join(AMOUNTS)})"

    def is_all(self, amount: str, asked: str) -> str:
        """SQL of whether all codes are asked for, and there are no others."""
        return f"s.{self.parts[amount]} IS NOT NULL AND {asked}.codes = greatest(cardinality(s.{self.codes}), 1)"

    def is_none(self, amount: str, asked: str) -> str:
        """SQL of whether no code is asked for, and there are no others."""
        return f"s.{self.parts[amount]} IS NOT NULL AND {asked}.codes = 0"


_PLACES = _Division("countries", {"amount": "place_parts", "allocated": "allocated_place_parts"})
_ORGANIZATIONS = _Division(
    "organizations", {"amount": "organization_parts", "allocated": "allocated_organization_parts"}
)
# A division, and the row with the number of its codes that are asked for, and the sum of their parts of each amount.
_Asked = tuple[_Division, str]


@dataclass(frozen=True, slots=True)
class Attribution:
    """The statements of which part of each programme's money a question asks for.

    by: what the programmes are divided by
    places, organizations: SQL of whether the code `named.code` is asked for; None where no filter chooses among them
    is_past: whether it is asked as of an earlier revision
    """

    by: str | None
    places: str | None
    organizations: str | None
    is_past: bool

    @classmethod
    def of(cls, query: CurrentGradeFilter, by: str | None, arguments: Arguments) -> Attribution | None:
        """What a query asks for; None where it asks for all of each programme's money."""
        code = f"coalesce(named.code, '{NOT_STATED}')"
        places = [f"{code} = ANY({arguments.bind(query.country)}::text[])"] if query.country else []
        if query.region:
            within = f"ARRAY(SELECT code FROM place WHERE regions && {arguments.bind(query.region)}::text[])"
            is_within = f"named.code = ANY({within})"
            if NOT_STATED in query.region:
                without = "named.code IS NULL OR named.code <> ALL(ARRAY(SELECT code FROM place WHERE regions <> '{}'))"
                is_within = f"({is_within} OR {without})"
            places.append(is_within)
        organizations = f"{code} = ANY({arguments.bind(query.organization)}::text[])" if query.organization else None
        asked = cls(by, " AND ".join(places) or None, organizations, query.as_of is not None)
        return asked if by in OVERLAPPING or asked.places or asked.organizations else None

    @property
    def counted(self) -> str | None:
        """The parts that `rows` has, as further columns of counts; None where the parts are not those of the rows."""
        is_whole = self.by in OVERLAPPING and self.by not in LEVELS and not self._filters
        return f", {_summed(f'part_{name}' for name in AMOUNTS)}" if is_whole else None

    def rows(self, where: str) -> str:
        """SQL of a row for each programme and group, with the code of the group as `key`, and its part of the money."""
        division = self._grouped_by
        parts = ", ".join(f"unnest({division.parts[name]}) AS part_{name}" for name in AMOUNTS)
        codes = f"coalesce(nullif({division.codes}, '{{}}'), ARRAY[NULL]::text[])"
        return f"(SELECT *, unnest({codes}) AS key, {parts} FROM {CURRENT_GRADE_ROWS} WHERE {where}) AS current_grade"

    def sums(self, key: str, where: str) -> str:
        """SQL of the money by group and grade.

        key: SQL of the group where programmes are not divided into overlapping groups
        where: the programmes. Of what is `undivided` no source states how much is asked for.
        """
        if self.by in OVERLAPPING:
            # The codes of the groups are already chosen.
            chosen = self._chosen_of_each if len(self._asked("of_group")) > 1 else ""
            key, rows = "of_group.code", f"{self._rows(where)} {chosen} CROSS JOIN LATERAL {self._groups} AS of_group"
            parts = {name: self._part(name) for name in AMOUNTS}
        else:
            key, rows = "s.key", f"{self._rows(where, f', {key} AS key')} {self._chosen_of_each}"
            parts = {name: self._chosen(name) for name in AMOUNTS}
            parts |= {_undivided(name): self._not_chosen(name) for name in AMOUNTS}
        columns = ", ".join(f"{part} AS {name}" for name, part in parts.items())
        return f"""
            SELECT key, {_ALIKE}, {_summed(parts)} FROM (SELECT {key} AS key, {_ALIKE}, {columns} FROM {rows}) AS part
             GROUP BY key, {_ALIKE} HAVING {" + ".join(f"count({name})" for name in parts)} > 0"""

    def shared(self, where: str, is_told: str) -> str:
        """SQL of the counts of the programmes with money that several groups have together, and of this money.

        where: the programmes, whatever is known of their grades; is_told: SQL of whether the grade is asked for
        """
        is_alone = len(self._asked("of_group")) == 1
        open_ = {name: f"{self._grouped_by.parts[name]}[1] IS NULL" for name in AMOUNTS}
        told = ""
        if is_alone and self.by not in LEVELS:
            # Parts that are stated are all that is asked for, and of others no group has any.
            shared = {name: f"CASE WHEN s.{open_[name]} THEN nullif({self._chosen(name)}, 0) END" for name in AMOUNTS}
        else:
            parts = ", ".join(f"sum({self._part(name)}) AS {name}" for name in AMOUNTS)
            told = f"CROSS JOIN LATERAL (SELECT {parts} FROM {self._groups} AS of_group) AS told"
            shared = {name: f"nullif({self._chosen(name)} - coalesce(told.{name}, 0), 0)" for name in AMOUNTS}
        if is_alone and (told or self._filters):
            where += f" AND ({' OR '.join(f'{name} IS NOT NULL AND {open_[name]}' for name in AMOUNTS)})"
        columns = {f"shared_{name}": part for name, part in shared.items()}
        columns |= {_undivided(name): self._not_chosen(name) for name in AMOUNTS}
        alike = "is_told, grade, rubric, basis, budget_stage, currency"
        rows = self._rows(where, f", rubric, basis, under_review, returned, ({is_told}) AS is_told")
        return f"""
            SELECT {alike}, count(*) AS programmes, count(amount) AS with_budget, count(allocated) AS with_allocation,
                   count(*) FILTER (WHERE under_review) AS under_review, count(*) FILTER (WHERE returned) AS returned,
                   {_summed(columns)}
              FROM (SELECT s.*, {", ".join(f"{part} AS {name}" for name, part in columns.items())}
                      FROM {rows} {self._chosen_of_each} {told}) AS part
             WHERE {" OR ".join(f"{name} IS NOT NULL" for name in columns)} GROUP BY {alike}"""

    @property
    def _grouped_by(self) -> _Division:
        return _ORGANIZATIONS if self.by == "organization" else _PLACES

    def _rows(self, where: str, further: str = "") -> str:
        """SQL of the programmes with money, as `s`."""
        parts = ", ".join(division.parts[name] for division in (_PLACES, _ORGANIZATIONS) for name in AMOUNTS)
        # OFFSET 0: the parts of then are computed once for each row, and not each time that they are named.
        return f"""(SELECT {_ALIKE}, amount, allocated, countries, organizations, {parts}{further}
                      FROM {CURRENT_GRADE_ROWS} WHERE {where} AND (amount IS NOT NULL OR allocated IS NOT NULL)
                     {"OFFSET 0" if self.is_past else ""}) AS s"""

    @property
    def _chosen_of_each(self) -> str:
        """SQL of joins with what the filters choose of each programme: the number of codes, and their parts."""
        summed = ", ".join(f"sum(named.{amount}) AS {amount}" for amount in AMOUNTS)
        return " ".join(
            f"CROSS JOIN LATERAL (SELECT count(*) AS codes, {summed} FROM {division.named} WHERE {is_asked}) AS {name}"
            for division, is_asked, name in self._filters
        )

    @property
    def _filters(self) -> Sequence[tuple[_Division, str, str]]:
        """The divisions of which a filter chooses codes, the filter, and the name of the row of what it chooses."""
        asked = ((_PLACES, self.places, "of_places"), (_ORGANIZATIONS, self.organizations, "of_organizations"))
        return [(division, is_asked, name) for division, is_asked, name in asked if is_asked]

    @property
    def _groups(self) -> str:
        """SQL of the groups that are asked for of a programme, each with the number and the sum of its parts."""
        division = self._grouped_by
        is_asked = (self.organizations if division is _ORGANIZATIONS else self.places) or "true"
        if self.by not in LEVELS:
            amounts = ", ".join(f"named.{name}" for name in AMOUNTS)
            return f"(SELECT named.code, 1 AS codes, {amounts} FROM {division.named} WHERE {is_asked})"
        amounts = ", ".join(f"sum(named.{name}) AS {name}" for name in AMOUNTS)
        # One look at all places, which a join would read for each programme.
        region = f"(SELECT jsonb_object_agg(code, record->>'{self.by}') FROM place)->>named.code"
        return f"""(SELECT {region} AS code, count(*) AS codes, {amounts}
                      FROM {division.named} WHERE {is_asked} GROUP BY 1)"""

    def _asked(self, group: str | None = None) -> Sequence[_Asked]:
        """What is asked for of each division that something is asked of; group: the row of the group, if any."""
        asked = {division.codes: (division, name) for division, _, name in self._filters}
        if group:
            asked[self._grouped_by.codes] = self._grouped_by, group
        return [*asked.values()]

    def _chosen(self, amount: str) -> str:
        """SQL of the part of an amount that is asked for; null where it is not certain."""
        return _certain(amount, self._asked())

    def _not_chosen(self, amount: str) -> str:
        """SQL of an amount of which it is not certain how much is asked for; null elsewhere."""
        return f"CASE WHEN {self._chosen(amount)} IS NULL THEN s.{amount} END"

    def _part(self, amount: str) -> str:
        """SQL of the part of a group; null where it is not certain, or how much is asked for is not."""
        asked = self._asked("of_group")
        if len(asked) == 1 and self.by not in LEVELS:
            # The part of the only place, or organization, is stored, too.
            return f"of_group.{amount}"
        part = _certain(amount, asked)
        return part if len(asked) == 1 else f"CASE WHEN {self._chosen(amount)} IS NOT NULL THEN {part} END"


def _undivided(amount: str) -> str:
    return f"undivided_{amount}"


def _summed(names: Iterable[str]) -> str:
    """SQL of the sum of each column, and of the number of rows with a value."""
    return ", ".join(f"sum({name}) AS {name}, count({name}) AS with_{name}" for name in names)


def _certain(amount: str, asked: Sequence[_Asked]) -> str:
    """SQL of the part of an amount that is asked for by none, one or both divisions; null where it is not certain."""
    if not asked:
        return f"s.{amount}"
    if len(asked) == 1:
        ((division, of),) = asked
        return (
            f"coalesce({of}.{amount}, CASE WHEN {division.is_all(amount, of)} THEN s.{amount}"
            f" WHEN {division.is_none(amount, of)} THEN 0 END)"
        )
    # What is below zero is divided as what is above.
    whole = f"abs(s.{amount})"
    least = " + ".join(
        f"coalesce(abs({of}.{amount}), CASE WHEN {division.is_all(amount, of)} THEN {whole} ELSE 0 END)"
        for division, of in asked
    )
    most = ", ".join(
        f"coalesce(abs({of}.{amount}), CASE WHEN {division.is_none(amount, of)} THEN 0 ELSE {whole} END)"
        for division, of in asked
    )
    part = f"least({most})"
    return f"CASE WHEN greatest(0, {least} - {whole}) = {part} THEN sign(s.{amount}) * {part} END"
