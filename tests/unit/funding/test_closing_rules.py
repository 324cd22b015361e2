"""When the money of a programme is settled, and what a certificate of its final figures has to state."""

from __future__ import annotations

from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any

import pytest

from mmptf_funding.closings import rules
from mmptf_funding.closings.domain import (
    CertifiedFigures,
    Closing,
    OrganizationAccount,
    ProgrammeAccount,
    PromisedRefund,
)
from mmptf_funding.ledger.domain import Sum

TODAY = date(2026, 6, 30)


def usd(amount: str) -> Sum:
    return Sum(amount=Decimal(amount), currency="USD")


def account(allocated: str = "100.00", **organizations: tuple[str, str, str]) -> ProgrammeAccount:
    return ProgrammeAccount(
        allocated=Decimal(allocated),
        organizations={code: OrganizationAccount(*map(Decimal, amounts)) for code, amounts in organizations.items()},
        last=date(2026, 5, 1),
    )


def figures(organization: str, transferred: str, refunded: str, expenditure: str) -> CertifiedFigures:
    return CertifiedFigures(
        organization=organization, transferred=usd(transferred), refunded=usd(refunded), expenditure=usd(expenditure)
    )


def promise(organization: str, amount: str) -> PromisedRefund:
    return PromisedRefund(organization=organization, sum=usd(amount), due=TODAY, reference="A letter")


def closing(*certified: CertifiedFigures, promised: tuple[PromisedRefund, ...] = ()) -> Closing:
    return Closing(
        code="ETH-01", state="certified", date=TODAY, document="D", signatory="S", figures=certified,
        promised_refunds=promised, reason=None, recorded_by=None, sources=(), updated=datetime(2026, 7, 1, tzinfo=UTC),
    )  # fmt: skip


SPENT = account(ILO=("100.00", "20.00", "80.00"))
LEFT = account(ILO=("100.00", "0.00", "80.00"))


@pytest.mark.parametrize(
    ("has", "certificate", "found"),
    [
        # No money was ever meant for it.
        (ProgrammeAccount(Decimal(0), {}, None), None, []),
        (SPENT, None, [("not_certified", None)]),
        (SPENT, closing(figures("ILO", "100.00", "20.00", "80.00")), []),
        (account("120.00", ILO=("100.00", "20.00", "80.00")), None,
         [("not_transferred", "20.00"), ("not_certified", None)]),
        (LEFT, None, [("unspent", "20.00"), ("not_certified", None)]),
        (account(ILO=("100.00", "0.00", "100.01")), None, [("overspent", "0.01"), ("not_certified", None)]),
        (LEFT, closing(figures("ILO", "100.00", "0.00", "80.00"), promised=(promise("ILO", "20.00"),)), []),
        (LEFT, closing(figures("ILO", "100.00", "0.00", "80.00"), promised=(promise("ILO", "5.00"),)),
         [("unspent", "15.00")]),
        # The promised refund has come since.
        (SPENT, closing(figures("ILO", "100.00", "0.00", "80.00"), promised=(promise("ILO", "20.00"),)), []),
        (SPENT, closing(figures("ILO", "100.00", "20.00", "79.00")), [("figures_changed", None)]),
        (SPENT, closing(figures("IOM", "100.00", "20.00", "80.00")), [("figures_changed", None)]),
    ],
)  # fmt: skip
def test_what_is_missing_is_found(has: ProgrammeAccount, certificate: Closing | None, found: Any) -> None:
    gaps = rules.gaps(has, certificate)
    assert [(gap.kind, gap.amount and str(gap.amount)) for gap in gaps] == found
    assert all(gap.detail.endswith(".") for gap in gaps)


@pytest.mark.parametrize(
    ("certified", "promised", "day", "found"),
    [
        ([figures("ILO", "100.00", "0.00", "80.00")], [promise("ILO", "20.00")], TODAY, []),
        ([figures("ILO", "100.01", "0.00", "79.99")], [], TODAY,
         [("figure_differs", "/figures/0/transferred"), ("figure_differs", "/figures/0/expenditure")]),
        ([], [], TODAY, [("missing_member", "/figures")]),
        ([figures("ILO", "100.00", "0.00", "80.00")] * 2, [], TODAY, [("repeated_code", "/figures/1")]),
        ([figures("ILO", "100.00", "0.00", "80.00"), figures("WHO", "0.00", "0.01", "0.00")], [], TODAY,
         [("figure_differs", "/figures/1/refunded")]),
        ([figures("ILO", "100.00", "0.00", "80.00")], [promise("ILO", "20.01"), promise("WHO", "1.00")], TODAY,
         [("figure_differs", "/promised_refunds/0/amount"), ("figure_differs", "/promised_refunds/1/amount")]),
        ([figures("ILO", "100.00", "0.00", "80.00")], [], date(2026, 4, 30), [("too_early", "/date")]),
        ([figures("ILO", "100.00", "0.00", "80.00")], [], date(2026, 7, 1), [("in_the_future", "/date")]),
    ],
)  # fmt: skip
def test_a_certificate_states_the_figures_of_the_ledger(certified: Any, promised: Any, day: date, found: Any) -> None:
    errors = rules.certificate_errors(LEFT, certified, promised, day, TODAY)
    assert [(error.code, error.pointer) for error in errors] == found
