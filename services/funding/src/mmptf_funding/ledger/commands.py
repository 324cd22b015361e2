"""What is entered into the ledger: entries, the fee that follows a deposit, and reversals; nothing is ever changed."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import date
from decimal import Decimal

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import ARRAY
from sqlmodel import col

from mmptf_common.http.identity import Identity
from mmptf_common.storage.journal import Write
from mmptf_common.storage.records import Facts, document_of, moment_text, submission
from mmptf_common.wire.problems import (
    Conflict,
    ErrorDetail,
    Forbidden,
    InvalidRequest,
    error_detail,
    raise_if_any,
    unknown_code,
)
from mmptf_common.writes.commands import Created, row_of
from mmptf_funding.contributions.queries import CONTRIBUTORS
from mmptf_funding.contributions.schemas import Contributor
from mmptf_funding.ledger import rules
from mmptf_funding.ledger.catalogue import NOUNS, Asked, Catalogue, Programme
from mmptf_funding.ledger.queries import LEDGER
from mmptf_funding.ledger.schemas import ContributorSent, Entry, EntrySent, ReversalSent
from mmptf_funding.models import ContributorRow, EntryRow, ProgrammeRow

CURRENCY = "USD"


def named(entries: Iterable[EntrySent]) -> list[Asked]:
    """What entries name of the catalogue."""
    return [(noun, code) for entry in entries for noun in NOUNS if (code := getattr(entry, noun)) is not None]


async def enter(write: Write, who: Identity, sent: EntrySent, catalogue: Catalogue) -> str:
    """Write one entry, and the fee that follows a deposit; returns its code.

    Raises Forbidden for a kind that is not the caller's, InvalidRequest for what does not fit by itself, Conflict for
    what the ledger does not hold, and the catalogue's failure where nothing is known without it.
    """
    if not rules.may_write(who, sent.kind, sent.organization):
        raise Forbidden(f"{sent.kind}: entered by {rules.writers(sent.kind)}.")
    entry: Facts = {**sent.model_dump(mode="json"), "reverses": None, "flags": [], "recorded_by": who.organization}
    errors = rules.errors_of(entry, write.at.date())
    errors += await _unknown_contributor(write, entry["contributor"])
    errors += await _unknown_to_catalogue(write, entry, catalogue)
    errors += await _wrong_predecessor(write, entry)
    raise_if_any(errors)
    entry["flags"] = await _flags(write, entry)
    row = await _append(write, entry)
    if entry["kind"] == "deposit" and (fee := rules.fee(row.amount)):
        parties = dict.fromkeys(rules.PARTIES)
        note = f"{rules.FEE_PER_CENT} per cent of {row.code}, kept at deposit."
        kept = {"kind": "agent_fee", "amount": str(fee), "follows": row.code, "reference": None, "note": note}
        await _append(write, {**entry, **parties, **kept, "flags": []})
    await _require_balances(write, row)
    return row.code


async def reverse(write: Write, who: Identity, code: str, sent: ReversalSent) -> Created:
    """Reverse an entry from a day on, and with a deposit the fee that followed it."""
    row = await row_of(write, EntryRow, LEDGER, code)
    if not rules.may_write(who, row.kind, row.organization):
        raise Forbidden(f"{row.kind}: reversed by {rules.writers(row.kind)}.")
    if row.reverses:
        raise Conflict(f"{code} reverses {row.reverses}; what was right is entered anew.", code="not_reversible")
    if earlier := await write.session.scalar(sa.select(col(EntryRow.code)).where(col(EntryRow.reverses) == code)):
        raise Conflict(f"{code} was reversed by {earlier}.", code="not_reversible")
    today = write.at.date().isoformat()
    if not row.date.isoformat() <= sent.date <= today:
        allowed = [f"{row.date} to {today}"]
        detail = f"/date: {sent.date} is not between the entry's own date and today"
        raise InvalidRequest([error_detail("invalid_date", detail, pointer="/date", allowed=allowed)])
    following = await _following(write, code)
    if kept := [follower for follower in following if follower.kind != "agent_fee"]:
        codes = ", ".join(follower.code for follower in kept)
        raise Conflict(f"{codes} rests on {code}; reverse it first.", code="not_reversible")
    reversal = await _append_reversal(write, who, row, sent, await _flags_of_reversal(write, row, sent))
    for fee in following:
        await _append_reversal(write, who, fee, sent, [])
    await _require_balances(write, reversal)
    return Created(LEDGER, reversal.code)


async def add_contributor(write: Write, sent: ContributorSent) -> Created:
    """List somebody who gives to the Fund; Conflict when the code is taken."""
    if await write.session.get(ContributorRow, sent.code):
        raise Conflict(f"{sent.code} is listed already.", code="code_taken")
    if (sent.type == "member_state") != (sent.country is not None):
        detail = "/country: a Member State has the code of its country, and nobody else has one"
        raise InvalidRequest([error_detail("not_applicable", detail, pointer="/country")])
    source = submission(write, f"{CONTRIBUTORS.path}/{sent.code}", "name")
    facts = {**sent.model_dump(mode="json"), "as_printed": sent.name, "sources": [source]}
    write.session.add(
        ContributorRow(
            code=sent.code,
            name=sent.name,
            type=sent.type,
            country=sent.country,
            updated=write.at,
            document=document_of(Contributor, facts, write.at),
        )
    )
    return Created(CONTRIBUTORS, sent.code)


async def _append(write: Write, entry: Facts) -> EntryRow:
    """Store an entry under the next code."""
    number = 1 + int(await write.session.scalar(sa.select(sa.func.coalesce(sa.func.max(col(EntryRow.number)), 0))) or 0)
    code = f"L-{number:06d}"
    original = entry["original"]
    source = submission(write, f"{LEDGER.path}/{code}", "sum", entry["reference"])
    facts = {
        **{name: value for name, value in entry.items() if name not in ("amount", "original")},
        "code": code,
        "sum": {"amount": entry["amount"], "currency": CURRENCY},
        "original": original
        and {
            "sum": {"amount": original["amount"], "currency": original["currency"]},
            **{name: original[name] for name in ("rate", "rate_date", "rate_source")},
        },
        "sources": [source],
        "reversed_by": None,
    }
    document = document_of(Entry, facts, write.at)
    # Who reverses an entry is no part of it: the entry stays as it is.
    del document["reversed_by"]
    row = EntryRow(
        code=code,
        number=number,
        amount=Decimal(entry["amount"]),
        date=date.fromisoformat(entry["date"]),
        updated=write.at,
        document=document,
        **{
            name: entry[name]
            for name in (
                "kind", "contributor", "programme", "organization", "thematic_area", "category", "follows", "reverses",
                "flags",
            )
        },
    )  # fmt: skip
    write.session.add(row)
    await write.session.flush()
    return row


async def _append_reversal(
    write: Write, who: Identity, row: EntryRow, sent: ReversalSent, flags: list[str]
) -> EntryRow:
    said = row.document
    original = said["original"]
    entry = {
        **{name: said[name] for name in ("kind", *rules.PARTIES, "reference")},
        "original": original
        and {**original, "amount": f"-{original['sum']['amount']}", "currency": original["sum"]["currency"]},
        "amount": f"-{said['sum']['amount']}",
        "date": sent.date,
        "note": sent.reason,
        "reverses": row.code,
        "flags": flags,
        "recorded_by": who.organization,
    }
    return await _append(write, entry)


async def _unknown_contributor(write: Write, code: str | None) -> list[ErrorDetail]:
    if code is None or await write.session.get(ContributorRow, code) is not None:
        return []
    known = list(await write.session.scalars(sa.select(col(ContributorRow.code))))
    return [unknown_code("/contributor", code, known, listed_at=CONTRIBUTORS.path)]


async def _unknown_to_catalogue(write: Write, entry: Facts, catalogue: Catalogue) -> list[ErrorDetail]:
    """Codes that the catalogue does not list. While it is away, what the ledger holds already is taken as known."""
    errors = []
    for noun, path in NOUNS.items():
        code = entry[noun]
        if code is None:
            continue
        if catalogue.failed:
            column: sa.ColumnClause[str] = sa.column(noun)
            held = sa.select(sa.literal(1)).select_from(EntryRow).where(column == code).limit(1)
            if await write.session.scalar(held) is None:
                raise catalogue.failed
        elif not catalogue.knows(noun, code):
            errors.append(unknown_code(f"/{noun}", code, listed_at=f"/catalog/v1/{path}"))
        else:
            # A code that was renamed is entered as what it is now.
            entry[noun] = catalogue.code(noun, code)
            if noun == "programme":
                errors += await _learn(write, catalogue.programme(code), entry)
    return errors


async def _learn(write: Write, programme: Programme, entry: Facts) -> list[ErrorDetail]:
    """Keep what the catalogue says of a programme; a fault when the organization does not take part in it."""
    facts = programme.model_dump(mode="json")
    stored = await write.session.get(ProgrammeRow, programme.code)
    if stored is None or {**stored.document, "updated": None} != {**facts, "updated": None}:
        document = {**facts, "updated": moment_text(write.at)}
        await write.session.merge(ProgrammeRow(code=programme.code, updated=write.at, document=document))
    partners = [organization.code for organization in programme.organizations]
    organization = entry["organization"]
    # The sources leave open who takes part in many programmes.
    if organization and partners and organization not in partners and entry["kind"] != "refund":
        detail = f"/organization: {organization} does not take part in {programme.code}"
        return [error_detail("not_taking_part", detail, pointer="/organization", allowed=partners)]
    return []


async def _wrong_predecessor(write: Write, entry: Facts) -> list[ErrorDetail]:
    """An entry that follows one which is not there, of another kind or contributor, or reversed."""
    code, kind = entry["follows"], rules.KINDS[entry["kind"]].follows
    if code is None or kind is None:
        return []
    row = await write.session.get(EntryRow, code)
    reversed_by = await write.session.scalar(sa.select(col(EntryRow.code)).where(col(EntryRow.reverses) == code))
    if row is None:
        return [unknown_code("/follows", code, listed_at=LEDGER.path)]
    why = (
        f"is a {row.kind}, and a {kind} is expected"
        if row.kind != kind or row.reverses
        else f"is of {row.contributor}"
        if row.contributor != entry["contributor"]
        else f"was reversed by {reversed_by}"
        if reversed_by
        else None
    )
    return [error_detail("does_not_follow", f"/follows: {code} {why}", pointer="/follows")] if why else []


async def _following(write: Write, code: str) -> Sequence[EntryRow]:
    """The entries that rest on an entry, and are not reversed themselves."""
    reversing = sa.select(col(EntryRow.reverses)).where(col(EntryRow.reverses).is_not(None))
    rows = await write.session.scalars(
        sa.select(EntryRow)
        .where(col(EntryRow.follows) == code, col(EntryRow.reverses).is_(None), col(EntryRow.code).not_in(reversing))
        .order_by(col(EntryRow.code))
    )
    return rows.all()


async def _flags(write: Write, entry: Facts) -> list[str]:
    """What calls for a question, on the entry's day or a later one, when it is added to what is there."""
    since, amount = date.fromisoformat(entry["date"]), Decimal(entry["amount"])
    if entry["kind"] in ("expenditure", "refund") and await _unspent(write, since, entry) < amount:
        refund = entry["kind"] == "refund"
        return ["refund_exceeds_unspent" if refund else "expenditure_exceeds_transfers"]
    if entry["kind"] == "deposit" and entry["follows"]:
        committed = await write.session.get_one(EntryRow, entry["follows"])
        _, unpaid = await _lowest(write, [], ["deposit"], since, {"follows": entry["follows"]})
        if committed.amount + unpaid < amount:
            return ["deposit_exceeds_commitment"]
    return []


async def _flags_of_reversal(write: Write, row: EntryRow, sent: ReversalSent) -> list[str]:
    """Whether more is spent than is left, on any day, when a transfer is reversed."""
    if row.kind != "transfer":
        return []
    parties = {"programme": row.programme, "organization": row.organization}
    left = await _unspent(write, date.fromisoformat(sent.date), parties)
    return ["expenditure_exceeds_transfers"] if left < row.amount else []


async def _unspent(write: Write, since: date, parties: Facts) -> Decimal:
    """The least that an organization has received for a programme, and neither spent nor refunded, since a day."""
    named = {name: parties[name] for name in ("programme", "organization")}
    _, unspent = await _lowest(write, ["transfer"], ["refund", "expenditure"], since, named)
    return unspent


async def _require_balances(write: Write, row: EntryRow) -> None:
    """Refuse what would let a balance fall below zero on the entry's day or a later one; Conflict says how far."""
    checks: list[tuple[str, Sequence[str], Sequence[str], dict[str, str | None], str]] = [
        ("insufficient_balance", rules.INFLOWS, rules.OUTFLOWS, {}, "the balance of the Fund"),
        ("exceeds_allocation", ["allocation"], ["transfer"], {"programme": row.programme},
         f"what is allocated to {row.programme} and not transferred"),
        ("exceeds_transfers", ["transfer"], ["refund"],
         {"programme": row.programme, "organization": row.organization},
         f"what {row.organization} has received for {row.programme}"),
    ]  # fmt: skip
    for code, plus, minus, parties, balance in checks:
        if row.kind not in (*plus, *minus):
            continue
        day, lowest = await _lowest(write, plus, minus, row.date, parties)
        if lowest < 0:
            raise Conflict(f"On {day} {balance} would be {lowest} {CURRENCY}.", code=code)


async def _lowest(
    write: Write, plus: Sequence[str], minus: Sequence[str], since: date, parties: dict[str, str | None]
) -> tuple[date, Decimal]:
    """The first day since a date, that day included, on which a balance is lowest, and the balance."""
    only = "".join(f" AND {name} = :{name}" for name in parties)
    found = await write.session.execute(
        sa.text(
            "SELECT date, total FROM (SELECT date, sum(sum(signed)) OVER (ORDER BY date) AS total FROM"
            " (SELECT CAST(:since AS date) AS date, CAST(0 AS numeric(18, 2)) AS signed UNION ALL"
            " SELECT date, CASE WHEN kind = ANY(:plus) THEN amount ELSE -amount END FROM ledger_entry"
            f" WHERE kind = ANY(:kinds){only}) AS entry GROUP BY date) AS day"
            " WHERE date >= :since ORDER BY total, date LIMIT 1"
        ).bindparams(
            sa.bindparam("plus", list(plus), type_=ARRAY(sa.Text)),
            sa.bindparam("kinds", [*plus, *minus], type_=ARRAY(sa.Text)),
            since=since,
            **parties,
        )
    )
    row = found.one()
    return row.date, row.total
