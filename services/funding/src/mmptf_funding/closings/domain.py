"""The models of financial closing: what the ledger has for a programme, and the certificate of its final figures."""

from __future__ import annotations

import datetime
from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import Literal

from pydantic import BaseModel, ConfigDict
from typing_extensions import TypeAliasType

from mmptf_common.wire.base import Code
from mmptf_common.wire.sources import SourceRef
from mmptf_funding.ledger.domain import Sum

ClosingState = TypeAliasType("ClosingState", Literal["certified", "withdrawn"])
"""Whether a certificate of final figures holds.

- `certified`: it holds: nothing but refunds is entered for the programme
- `withdrawn`: it was withdrawn, since the figures were wrong; another one may follow
"""
SettlementGapKind = TypeAliasType(
    "SettlementGapKind",
    Literal["not_transferred", "unspent", "overspent", "not_certified", "figures_changed"],
)
"""What a programme lacks that is to be closed financially.

- `not_transferred`: what is allocated to it is not all transferred; reverse the allocation of the rest
- `unspent`: an organization has neither spent nor refunded all that it received, and has promised no return of the rest
- `overspent`: an organization has spent more than it received
- `not_certified`: its final figures are not certified
- `figures_changed`: what was transferred or spent is not what was certified
"""


class CertifiedFigures(BaseModel):
    """What one organization has received for a programme, returned and spent, as certified."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    organization: Code
    transferred: Sum
    refunded: Sum
    expenditure: Sum


class PromisedRefund(BaseModel):
    """What an organization has not spent and will return, up to a day, by a document."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    organization: Code
    sum: Sum
    due: datetime.date
    reference: str


class Closing(BaseModel):
    """The certificate of a programme's final figures; its code is that of the programme."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    code: Code
    state: ClosingState
    date: datetime.date
    document: str
    signatory: str
    figures: tuple[CertifiedFigures, ...]
    promised_refunds: tuple[PromisedRefund, ...]
    reason: str | None
    recorded_by: str | None
    sources: tuple[SourceRef, ...]
    updated: datetime.datetime

    def promised(self, organization: str) -> Decimal:
        """What an organization has promised to return."""
        return sum((each.sum.amount for each in self.promised_refunds if each.organization == organization), Decimal(0))


@dataclass(frozen=True, slots=True)
class OrganizationAccount:
    """What an organization has received for a programme, returned and spent."""

    transferred: Decimal
    refunded: Decimal
    expenditure: Decimal

    @property
    def unspent(self) -> Decimal:
        """What it has neither spent nor returned; below zero where it has spent more than it received."""
        return self.transferred - self.refunded - self.expenditure


@dataclass(frozen=True, slots=True)
class ProgrammeAccount:
    """What the ledger has for a programme.

    last: the day of its latest entry; None where no entry names it
    """

    allocated: Decimal
    organizations: Mapping[str, OrganizationAccount]
    last: datetime.date | None

    @property
    def transferred(self) -> Decimal:
        """What was transferred to all organizations."""
        return sum((account.transferred for account in self.organizations.values()), Decimal(0))


@dataclass(frozen=True, slots=True)
class Gap:
    """What a programme lacks that is to be closed; organization: whose part it is, where it is one's."""

    kind: SettlementGapKind
    detail: str
    organization: str | None = None
    amount: Decimal | None = None
