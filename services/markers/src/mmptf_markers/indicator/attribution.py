"""SQL of how much of the programmes' money belongs to what is asked for: by what sources state, never by equal parts.

Two things can divide the money of a programme: its places, by their shares, and its organizations, by the lines of the
budget. What is asked for are some of the places and some of the organizations. Its part is certain where the least and
the most that it can be are the same; of any other programme no source states the part. The parts of each place and
organization are stored with the current grades.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from mmptf_common.lists.listing import Arguments
from mmptf_common.wire.codes import NOT_STATED
from mmptf_markers.indicator.standings import CURRENT_GRADE_ROWS, CurrentGradeFilter

# The divisions of which a programme can be in several groups.
LEVELS = ("region", "subregion", "intermediate_region")
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
    """

    by: str | None
    places: str | None
    organizations: str | None

    @classmethod
    def of(cls, query: CurrentGradeFilter, by: str | None, arguments: Arguments) -> Attribution | None:
        """What a query asks for; None where it asks for all of each programme's money."""
        code = f"coalesce(named.code, '{NOT_STATED}')"
        places = [f"{code} = ANY({arguments.bind(query.country)}::text[])"] if query.country else []
        if query.region:
            within = f"ARRAY(SELECT code FROM place WHERE regions && {arguments.bind(query.region)}::text[])"
            is_within = f"named.code = ANY({within})"
            if NOT_STATED in query.region:
                without = (
                    "named.code IS NULL OR named.code <> ALL(ARRAY(SELECT code FROM place WHERE regions <> '{}'))"
                )
                is_within = f"({is_within} OR {without})"
            places.append(is_within)
        organizations = f"{code} = ANY({arguments.bind(query.organization)}::text[])" if query.organization else None
        asked = cls(by, " AND ".join(places) or None, organizations)
        return asked if by in OVERLAPPING or asked.places or asked.organizations else None

    def sums(self, key: str, where: str) -> str:
        """SQL of the money by group and grade.

        key: SQL of the group where programmes are not divided into overlapping groups
        where: the programmes. Of what is `undivided` no source states how much is asked for.
        """
        if self.by in OVERLAPPING:
            columns = "".join(
                f", {self._part(name)} AS {name}, NULL::numeric AS {_undivided(name)}" for name in AMOUNTS
            )
            rows = f"SELECT of_group.code AS key, {_ALIKE}{columns} FROM {self._rows('', where)} {self._groups('JOIN')}"
        else:
            columns = "".join(
                f", {self._chosen(name)} AS {name},"
                f" CASE WHEN {self._chosen(name)} IS NULL THEN s.{name} END AS {_undivided(name)}"
                for name in AMOUNTS
            )
            rows = f"SELECT s.key, {_ALIKE}{columns} FROM {self._rows(f', {key} AS key', where)}"
        names = [each for name in AMOUNTS for each in (name, _undivided(name))]
        summed = ", ".join(f"sum({name}) AS {name}, count({name}) AS with_{name}" for name in names)
        some = " + ".join(f"count({name})" for name in names)
        return f"SELECT key, {_ALIKE}, {summed} FROM ({rows}) AS part GROUP BY key, {_ALIKE} HAVING {some} > 0"

    def shared(self, where: str, is_told: str) -> str:
        """SQL of the counts of the programmes with money that several groups have together, and of this money.

        where: the programmes, whatever is known of their grades; is_told: SQL of whether the grade is asked for
        """
        division = self._grouped_by
        if len(self._asked("of_group")) == 1:
            # Where the parts are stated, they are all that is asked for.
            open_ = " OR ".join(f"{name} IS NOT NULL AND {division.parts[name]}[1] IS NULL" for name in AMOUNTS)
            where = f"{where} AND ({open_})"
        columns = "".join(
            f", CASE WHEN {self._chosen(name)} IS NULL THEN s.{name} END AS {_undivided(name)},"
            f" nullif({self._chosen(name)} - coalesce(told.{name}, 0), 0) AS shared_{name}"
            for name in AMOUNTS
        )
        names = [each for name in AMOUNTS for each in (f"shared_{name}", _undivided(name))]
        told = ", ".join(f"sum({self._part(name)}) AS {name}" for name in AMOUNTS)
        alike = "is_told, grade, rubric, basis, budget_stage, currency"
        return f"""
            SELECT {alike}, count(*) AS programmes, count(amount) AS with_budget, count(allocated) AS with_allocation,
                   count(*) FILTER (WHERE under_review) AS under_review, count(*) FILTER (WHERE returned) AS returned,
                   {", ".join(f"sum({name}) AS {name}, count({name}) AS with_{name}" for name in names)}
              FROM (SELECT s.*{columns}
                      FROM {self._rows(f", rubric, basis, under_review, returned, ({is_told}) AS is_told", where)}
                     CROSS JOIN LATERAL (SELECT {told} FROM {self._groups("FROM")}) AS told) AS part
             WHERE {" OR ".join(f"{name} IS NOT NULL" for name in names)} GROUP BY {alike}"""

    @property
    def _grouped_by(self) -> _Division:
        return _ORGANIZATIONS if self.by == "organization" else _PLACES

    def _rows(self, further: str, where: str) -> str:
        """SQL of the programmes with money, as `s`, and of what is asked for of each."""
        parts = ", ".join(division.parts[name] for division in (_PLACES, _ORGANIZATIONS) for name in AMOUNTS)
        # OFFSET 0: as of an earlier revision, the parts are computed once for each row.
        rows = f"""(SELECT {_ALIKE}, amount, allocated, countries, organizations, {parts}{further}
                      FROM {CURRENT_GRADE_ROWS}
                     WHERE {where} AND (amount IS NOT NULL OR allocated IS NOT NULL) OFFSET 0) AS s"""
        for division, is_asked, name in self._filters:
            summed = ", ".join(f"sum(named.{amount}) AS {amount}" for amount in AMOUNTS)
            rows += f""" CROSS JOIN LATERAL (
                SELECT count(*) AS codes, {summed} FROM {division.named} WHERE {is_asked}) AS {name}"""
        return rows

    @property
    def _filters(self) -> Sequence[tuple[_Division, str, str]]:
        """The divisions of which a filter chooses codes, the filter, and the name of the row of what it chooses."""
        asked = ((_PLACES, self.places, "of_places"), (_ORGANIZATIONS, self.organizations, "of_organizations"))
        return [(division, is_asked, name) for division, is_asked, name in asked if is_asked]

    def _groups(self, how: str) -> str:
        """SQL of the groups that are asked for of a programme, as `of_group`."""
        division = self._grouped_by
        is_asked = self.organizations if division is _ORGANIZATIONS else self.places
        if self.by in LEVELS:
            # One lookup in all places, where a join would read places for each programme.
            code = f"(SELECT jsonb_object_agg(code, record->>'{self.by}') FROM place)->>named.code"
            columns = ", ".join(["count(*) AS codes", *(f"sum(named.{name}) AS {name}" for name in AMOUNTS)])
            group_by = "GROUP BY 1"
        else:
            code, group_by = "named.code", ""
            columns = ", ".join(["1 AS codes", *(f"named.{name}" for name in AMOUNTS)])
        groups = f"(SELECT {code} AS code, {columns} FROM {division.named} WHERE {is_asked or 'true'} {group_by})"
        return f"{'CROSS JOIN LATERAL ' if how == 'JOIN' else ''}{groups} AS of_group"

    def _asked(self, group: str | None = None) -> Sequence[_Asked]:
        """What is asked for of each division that something is asked of; group: the row of the group, if any."""
        asked = {division.codes: (division, name) for division, _, name in self._filters}
        if group:
            asked[self._grouped_by.codes] = self._grouped_by, group
        return [*asked.values()]

    def _chosen(self, amount: str) -> str:
        """SQL of the part of an amount that is asked for; null where it is not certain."""
        return _certain(amount, self._asked())

    def _part(self, amount: str) -> str:
        """SQL of the part of a group; null where it is not certain, or how much is asked for is not."""
        asked = self._asked("of_group")
        part = _certain(amount, asked)
        return part if len(asked) == 1 else f"CASE WHEN {self._chosen(amount)} IS NOT NULL THEN {part} END"


def _undivided(amount: str) -> str:
    return f"undivided_{amount}"


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
