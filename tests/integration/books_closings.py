"""Certificates of final figures, and whether the money of a programme is settled, beside the plain model."""

from __future__ import annotations

from decimal import Decimal
from typing import TYPE_CHECKING

import httpx

from tests.integration.books import Books, Refused
from tests.integration.books_commands import ADMIN, AGENT, CENT, FUNDING, NOT_YET, Certify, Json, Withdraw, require_same
from tests.integration.period_model import usd
from tests.tokens import writing

if TYPE_CHECKING:
    from tests.integration.books_suite import Suite, View

CLOSINGS, SETTLEMENTS = f"{FUNDING}/closings", f"{FUNDING}/settlements"
NOTHING = Decimal(0)
# What an organization has received for a programme, returned and spent.
Figures = tuple[Decimal, Decimal, Decimal]


def figures_of(books: Books, code: str) -> dict[str, Figures]:
    """The figures of each organization that has any for a programme."""
    named = sorted({row.organization for row in books.rows if row.programme == code and row.organization})
    found: dict[str, Figures] = {}
    for organization in named:
        transferred, refunded, spent = (
            books.total(kind, programme=code, organization=organization)
            for kind in ("transfer", "refund", "expenditure")
        )
        if (transferred, refunded, spent) != (0, 0, 0):
            found[organization] = transferred, refunded, spent
    return found


def left_of(figures: Figures) -> Decimal:
    transferred, refunded, spent = figures
    return transferred - refunded - spent


def open_amounts(books: Books, code: str, promised: dict[str, Decimal]) -> list[tuple[str, str | None, Decimal | None]]:
    """What is missing of the settlement of a programme's money: kind, organization and amount."""
    found: list[tuple[str, str | None, Decimal | None]] = []
    if rest := books.total("allocation", programme=code) - books.total("transfer", programme=code):
        found.append(("not_transferred", None, rest))
    for organization, figures in figures_of(books, code).items():
        left = left_of(figures)
        if left < 0:
            found.append(("overspent", organization, -left))
        elif left > promised.get(organization, NOTHING):
            found.append(("unspent", organization, left - promised.get(organization, NOTHING)))
    return found


def settlement(books: Books, code: str, status: str | None) -> Json:
    """Whether a programme is settled, or what is missing, without the words."""
    closing = books.closings.get(code)
    certificate = closing if closing and closing["state"] == "certified" else None
    promised: dict[str, Decimal] = certificate["promised"] if certificate else {}
    organizations, allocated = figures_of(books, code), books.total("allocation", programme=code)
    missing = open_amounts(books, code, promised)
    if certificate:
        missing += [
            ("figures_changed", organization, None)
            for organization, (transferred, _, spent) in organizations.items()
            if certificate["figures"].get(organization, (None, None, None))[::2] != (transferred, spent)
        ]
    elif allocated or organizations:
        missing.append(("not_certified", None, None))
    return {
        "programme": code,
        "status": status,
        "allocated": usd(allocated),
        "transferred": usd(books.total("transfer", programme=code)),
        "organizations": [
            {
                "organization": organization,
                **dict(zip(("transferred", "refunded", "expenditure"), map(usd, figures), strict=True)),
                "unspent": usd(left_of(figures)),
                "promised": usd(promised.get(organization, NOTHING)),
            }
            for organization, figures in organizations.items()
        ],
        "missing": [
            {"kind": kind, "organization": organization, "amount": None if amount is None else usd(amount)}
            for kind, organization, amount in missing
        ],
        "settled": not missing,
    }


def certify(books: Books, who: tuple[str, str | None], sent: Json, status: str | None) -> None:
    """Carry out a certification in the model; raises Refused. status: of the programme, None where there is none."""
    if who not in (AGENT, ADMIN):
        raise Refused(403, ("forbidden", None))
    code = sent["programme"]
    if status is None:
        raise Refused(422, ("unknown_code", "/programme"))
    if code in books.certified:
        raise Refused(409, ("code_taken", None))
    known = figures_of(books, code)
    errors: list[tuple[str, str | None]] = []
    if status not in ("operationally_closed", "cancelled"):
        errors.append(("status_does_not_allow", "/programme"))
    figures: dict[str, Figures] = {}
    for n, each in enumerate(sent["figures"]):
        organization = each["organization"]
        if organization in figures:
            errors.append(("repeated_code", f"/figures/{n}"))
            continue
        names = ("transferred", "refunded", "expenditure")
        stated = tuple(Decimal(each[name]) for name in names)
        figures[organization] = stated[0], stated[1], stated[2]
        for name, is_, own in zip(names, stated, known.get(organization, (NOTHING,) * 3), strict=True):
            if is_ != own:
                errors.append(("figure_differs", f"/figures/{n}/{name}"))
    errors += [("missing_member", "/figures") for organization in known if organization not in figures]
    promised: dict[str, Decimal] = {}
    for n, each in enumerate(sent["promised_refunds"]):
        promised[each["organization"]] = Decimal(each["amount"])
        if Decimal(each["amount"]) > max(left_of(known[each["organization"]]), NOTHING):
            errors.append(("figure_differs", f"/promised_refunds/{n}/amount"))
    last = max((row.date for row in books.rows if row.programme == code), default="")
    if sent["date"] == NOT_YET:
        errors.append(("in_the_future", "/date"))
    if sent["date"] < last:
        errors.append(("too_early", "/date"))
    if errors:
        raise Refused(422, *errors)
    if open_amounts(books, code, promised):
        raise Refused(409, ("not_settled", None))
    books.closings[code] = {"state": "certified", "date": sent["date"], "figures": figures, "promised": promised}


def withdraw(books: Books, command: Withdraw, status: str | None) -> None:
    if command.who not in (AGENT, ADMIN):
        raise Refused(403, ("forbidden", None))
    if command.match is None:
        raise Refused(428)
    closing = books.closings.get(command.code)
    if closing is None:
        raise Refused(404)
    if command.match == "stale":
        raise Refused(412)
    if closing["state"] == "withdrawn" or status == "financially_closed":
        raise Refused(409, ("not_amendable", None))
    books.closings[command.code] = {**closing, "state": "withdrawn"}


def certificate(books: Books, command: Certify, day: str) -> Json:
    """The body of a certification, with the figures of the ledger but for what is meant to be wrong."""
    known = figures_of(books, command.code)
    figures = [
        {
            "organization": organization,
            **{name: f"{max(amount, NOTHING):.2f}" for name, amount in zip(
                ("transferred", "refunded", "expenditure"), each, strict=True
            )},
        }
        for organization, each in known.items()
    ]  # fmt: skip
    if command.figures == "off" and figures:
        figures[0]["expenditure"] = f"{Decimal(figures[0]['expenditure']) + CENT:.2f}"
    elif command.figures == "less":
        figures = figures[1:]
    elif command.figures == "twice":
        figures = [*figures, *figures[:1]]
    more = CENT if command.promises == "more" else NOTHING
    promises = {organization: left_of(each) + more for organization, each in known.items() if left_of(each) + more > 0}
    return {
        "programme": command.code, "date": day, "document": "A final statement", "signatory": "Comptroller",
        "figures": figures,
        "promised_refunds": [
            {"organization": organization, "amount": f"{amount:.2f}", "due": "2027-01-31", "reference": "A letter"}
            for organization, amount in promises.items()
            if command.promises != "none"
        ],
    }  # fmt: skip


async def send(suite: Suite, command: Certify | Withdraw) -> tuple[httpx.Response, Refused | None]:
    """Carry out a command by the service and by the model."""
    client, books = suite.funding.client, suite.books
    programme = (await suite.programmes()).get(command.code)
    status = programme and programme["status"]
    query = {"dry_run": str(command.dry).lower()}
    if isinstance(command, Certify):
        sent = certificate(books, command, suite.day(command.date))
        answer = await client.post(CLOSINGS, json=sent, params=query, headers=writing(*command.who))
    else:
        path = f"{CLOSINGS}/{command.code}"
        match = await suite.match_of(path, command.match)
        answer = await client.post(
            f"{path}/withdrawal", json={"reason": "It was wrong."}, params=query,
            headers=writing(*command.who, match=match),
        )  # fmt: skip
    try:
        if isinstance(command, Certify):
            certify(books, command.who, sent, status)
        else:
            withdraw(books, command, status)
    except Refused as refused:
        return answer, refused
    return answer, None


async def check_closings(view: View) -> None:
    """Compare the certificates, and the settlement of each programme that entries or certificates name."""
    books = view.books
    listed = (await view.get(CLOSINGS))["items"]
    assert {item["code"]: (item["state"], item["date"]) for item in listed} == {
        code: (closing["state"], closing["date"]) for code, closing in books.closings.items()
    }
    for item in listed:
        closing = books.closings[item["code"]]
        assert [
            (each["organization"], each["transferred"], each["refunded"], each["expenditure"])
            for each in item["figures"]
        ] == [(organization, *map(usd, figures)) for organization, figures in closing["figures"].items()]
        assert {each["organization"]: each["sum"] for each in item["promised_refunds"]} == {
            organization: usd(amount) for organization, amount in closing["promised"].items()
        }
    for code in sorted({row.programme for row in books.rows if row.programme} | set(books.programmes)):
        said = await view.get(f"{SETTLEMENTS}/{code}")
        certified = said.pop("certificate")
        assert (certified and certified["code"]) == (code if code in books.certified else None)
        for gap in said["missing"]:
            del gap["detail"]
        assert said.pop("revision") == view.revision
        require_same(said, settlement(books, code, view.catalogue[code]["status"]), code, view.revision)
