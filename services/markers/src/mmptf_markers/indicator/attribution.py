"""How much of a programme's money belongs to what is asked for: by what sources state, and never by equal parts.

Two things can divide the money of a programme: its places, by their shares, and its organizations, by the lines of the
budget. What is asked for are some of the places and some of the organizations. Its part is certain where the least and
the most that it can be are the same; of any other programme no source states the part.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from decimal import ROUND_DOWN, Decimal
from typing import NamedTuple

from mmptf_common.wire.codes import NOT_STATED

_CENT, _NOTHING = Decimal("0.01"), Decimal(0)
_WHOLE = Decimal(100)


@dataclass(frozen=True, slots=True)
class Division:
    """The codes among which money is divided: `not_stated` alone where there is none.

    parts: what belongs to each; None where no source states it
    is_complete: whether there is no code beside these
    """

    codes: Collection[str]
    parts: Mapping[str, Decimal] | None
    is_complete: bool

    def bounds(self, amount: Decimal, asked: Collection[str] | None) -> tuple[Decimal, Decimal]:
        """The least and the most of an amount that belongs to some of the codes; asked: None for whatever there is."""
        if asked is None:
            return amount, amount
        if self.parts is not None:
            part = sum((self.parts[code] for code in asked), _NOTHING)
            return part, part
        is_all = self.is_complete and len(asked) == len(self.codes)
        is_none = self.is_complete and not asked
        return amount if is_all else _NOTHING, _NOTHING if is_none else amount


@dataclass(frozen=True, slots=True)
class StatedParts:
    """What sources state of how the money of a programme is divided.

    places: code -> per cent of the money, None where it is not stated
    organizations: their codes; of_budget: code -> sum of its budget lines, empty where there are none
    partly_stated: `places` and `organizations` where sources name only some of them
    """

    places: Mapping[str, Decimal | None]
    organizations: Collection[str]
    of_budget: Mapping[str, Decimal]
    partly_stated: Collection[str]

    def by_place(self, amount: Decimal) -> Division:
        """An amount, zero or more, by place."""
        is_complete = "places" not in self.partly_stated
        if not self.places:
            return Division((NOT_STATED,), None, is_complete=True)
        stated = {code: share for code, share in self.places.items() if share is not None}
        is_divided = is_complete and len(stated) == len(self.places) and sum(stated.values()) == _WHOLE
        return Division(self.places.keys(), divide(amount, stated) if is_divided else None, is_complete)

    def by_organization(self, amount: Decimal) -> Division:
        """An amount, zero or more, by organization: by the budget lines where they add up to just this amount."""
        if not self.organizations:
            return Division((NOT_STATED,), None, is_complete=True)
        parts = None
        if self.of_budget.keys() <= {*self.organizations} and sum(self.of_budget.values()) == amount:
            parts = {code: self.of_budget.get(code, _NOTHING) for code in self.organizations}
        is_complete = "organizations" not in self.partly_stated
        return Division(self.organizations, parts if self.of_budget else None, is_complete)


class Asked(NamedTuple):
    """What is asked for of a programme: the chosen codes of each division, None where nothing chooses.

    groups: group -> its places, or its organizations where `by_organization`; None where money is not grouped by these
    """

    places: Collection[str] | None
    organizations: Collection[str] | None
    groups: Mapping[str | None, Collection[str]] | None = None
    by_organization: bool = False


class Attribution(NamedTuple):
    """An amount by what is asked for.

    parts: group -> its part, of the groups whose part is certain; None is the only group where nothing is grouped
    shared: what several groups have together; None where there is none
    undivided: the whole amount where it is not certain how much of it is asked for; None elsewhere
    """

    parts: Mapping[str | None, Decimal]
    shared: Decimal | None
    undivided: Decimal | None


def divide(amount: Decimal, shares: Mapping[str, Decimal]) -> dict[str, Decimal]:
    """The parts of an amount, zero or more, by percentage shares, to the cent, as the catalogue divides it.

    Every part is rounded down; the cents that are left go one each to the largest remainders, ties by code.
    """
    exact = {code: amount * share / _WHOLE for code, share in shares.items()}
    parts = {code: part.quantize(_CENT, ROUND_DOWN) for code, part in exact.items()}
    left = int((amount - sum(parts.values())) / _CENT)
    for code in sorted(exact, key=lambda code: (parts[code] - exact[code], code))[:left]:
        parts[code] += _CENT
    return parts


def attribute(amount: Decimal, stated: StatedParts, asked: Asked) -> Attribution:
    """An amount by what is asked for; what is below zero is divided as what is above."""
    size = abs(amount)
    places, organizations = stated.by_place(size), stated.by_organization(size)
    of_places = places.bounds(size, asked.places)
    of_organizations = organizations.bounds(size, asked.organizations)
    chosen = _certain(size, of_places, of_organizations)
    if chosen is None:
        return Attribution({}, None, amount)
    if asked.groups is None:
        return Attribution({None: chosen.copy_sign(amount)}, None, None)
    divided, other = (organizations, of_places) if asked.by_organization else (places, of_organizations)
    parts: dict[str | None, Decimal] = {}
    for group, codes in asked.groups.items():
        part = _certain(size, divided.bounds(size, codes), other)
        if part is not None and codes:
            parts[group] = part.copy_sign(amount)
    shared = chosen - abs(sum(parts.values(), _NOTHING))
    return Attribution(parts, shared.copy_sign(amount) if shared else None, None)


def _certain(amount: Decimal, *bounds: tuple[Decimal, Decimal]) -> Decimal | None:
    """The part of an amount that is asked for by both of two divisions; None where it is not certain."""
    least = sum((low for low, _ in bounds), -amount * (len(bounds) - 1))
    most = min(high for _, high in bounds)
    return most if max(least, _NOTHING) == most else None
