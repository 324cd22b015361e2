"""Rules of financial closing: when a programme is settled, and what a certificate of its final figures has to state."""

from __future__ import annotations

import datetime
from collections.abc import Sequence

from mmptf_common.wire.problem_codes import ProblemCode
from mmptf_common.wire.problems import ErrorDetail, error_detail
from mmptf_funding.closings.domain import CertifiedFigures, Closing, Gap, ProgrammeAccount, PromisedRefund
from mmptf_funding.ledger.lifecycle import usd
from mmptf_funding.ledger.programmes import Programme

# The statuses of a programme whose accounts can be closed.
CLOSED_FROM = ("operationally_closed", "cancelled")


def open_amounts(account: ProgrammeAccount, promised: Sequence[PromisedRefund]) -> list[Gap]:
    """What is not transferred, and what organizations have neither spent nor returned nor promised to return."""
    found = []
    rest = account.allocated - account.transferred
    if rest:
        found.append(Gap("not_transferred", f"{usd(rest)} are allocated and not transferred.", amount=rest))
    for code, own in account.organizations.items():
        returned = sum(each.sum.amount for each in promised if each.organization == code)
        if own.unspent < 0:
            detail = f"{code} has spent {usd(-own.unspent)} more than it received and did not refund."
            found.append(Gap("overspent", detail, code, -own.unspent))
        elif own.unspent > returned:
            left = own.unspent - returned
            detail = f"{code} has neither spent nor returned {usd(left)}, and has not promised to return it."
            found.append(Gap("unspent", detail, code, left))
    return found


def gaps(account: ProgrammeAccount, certificate: Closing | None) -> list[Gap]:
    """What a programme lacks that is to be closed financially; nothing where no money was ever meant for it.

    certificate: the one that holds
    """
    found = open_amounts(account, certificate.promised_refunds if certificate else ())
    if certificate:
        found += _changed(account, certificate)
    elif account.allocated or account.organizations:
        found.append(Gap("not_certified", "The final figures are not certified."))
    return found


def _changed(account: ProgrammeAccount, certificate: Closing) -> list[Gap]:
    certified = {figures.organization: figures for figures in certificate.figures}
    found = []
    for code, own in account.organizations.items():
        figures = certified.get(code)
        if figures is None or (figures.transferred.amount, figures.expenditure.amount) != (
            own.transferred, own.expenditure,
        ):  # fmt: skip
            detail = f"What {code} has received and spent is not what was certified on {certificate.date}."
            found.append(Gap("figures_changed", detail, code))
    return found


def status_errors(programme: Programme) -> list[ErrorDetail]:
    """An error where the accounts of a programme of this status cannot be closed."""
    if programme.status in CLOSED_FROM:
        return []
    detail = f"/programme: {programme.code} is {programme.status}; figures are final when its activities have ended"
    return [error_detail(ProblemCode.STATUS_DOES_NOT_ALLOW, detail, pointer="/programme", allowed=CLOSED_FROM)]


def certificate_errors(
    account: ProgrammeAccount,
    figures: Sequence[CertifiedFigures],
    promised: Sequence[PromisedRefund],
    day: datetime.date,
    today: datetime.date,
) -> list[ErrorDetail]:
    """The errors of a certificate: figures that are not those of the ledger, line by line, and days that do not fit."""
    found = []
    given = [each.organization for each in figures]
    for n, each in enumerate(figures):
        own = account.organizations.get(each.organization)
        if each.organization in given[:n]:
            detail = f"/figures/{n}: {each.organization} is there already"
            found.append(error_detail(ProblemCode.REPEATED_CODE, detail, pointer=f"/figures/{n}"))
            continue
        for name in ("transferred", "refunded", "expenditure"):
            certified = getattr(each, name).amount
            known = getattr(own, name) if own else None
            if certified != (known or 0):
                detail = (
                    f"/figures/{n}/{name}: the ledger has {usd(known) if known else 'nothing'} for"
                    f" {each.organization}, and {usd(certified)} is certified"
                )
                found.append(error_detail(ProblemCode.FIGURE_DIFFERS, detail, pointer=f"/figures/{n}/{name}"))
    for code in account.organizations:
        if code not in given:
            detail = f"/figures: the ledger has money of {code}, which is not certified"
            found.append(error_detail(ProblemCode.MISSING_MEMBER, detail, pointer="/figures"))
    for n, promise in enumerate(promised):
        own = account.organizations.get(promise.organization)
        most = max(own.unspent, type(own.unspent)(0)) if own else 0
        if promise.sum.amount > most:
            left = usd(own.unspent) if own else "nothing"
            detail = (
                f"/promised_refunds/{n}/amount: {promise.organization} has {left} that is neither spent nor returned"
            )
            found.append(error_detail(ProblemCode.FIGURE_DIFFERS, detail, pointer=f"/promised_refunds/{n}/amount"))
    if day > today:
        detail = f"/date: {day} is not past yet"
        found.append(error_detail(ProblemCode.IN_THE_FUTURE, detail, pointer="/date", allowed=[f"up to {today}"]))
    if account.last and day < account.last:
        detail = f"/date: {day} is before the last entry, which is of {account.last}"
        allowed = [f"from {account.last} on"]
        found.append(error_detail(ProblemCode.TOO_EARLY, detail, pointer="/date", allowed=allowed))
    return found
