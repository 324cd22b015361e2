"""A plain model of the commands to the catalogue: drafts and programmes."""

from __future__ import annotations

from collections import Counter
from decimal import Decimal

from tests.integration.books import Books, Refused
from tests.integration.books_closings import settlement
from tests.integration.books_commands import Json, Programme, full

WAYS = {
    "concept_note": "pipeline not_selected withdrawn", "pipeline": "approved not_selected withdrawn",
    "approved": "implementation suspended cancelled",
    "implementation": "operationally_closed suspended cancelled",
    "suspended": "implementation operationally_closed cancelled",
    "operationally_closed": "financially_closed implementation", "not_selected": "concept_note",
    "withdrawn": "concept_note", "cancelled": "financially_closed", "financially_closed": "",
}  # fmt: skip


def carry_out(books: Books, asked: Programme) -> None:
    """Carry out a command in the model; raises Refused with a status alone."""
    do, (client, organization), code, sent = asked.do, asked.who, asked.code, asked.sent
    if client in ("agent", "reviewer"):
        raise Refused(403)
    fund = client in ("management-unit", "admin")
    if do == "draft":
        if client != "agency":
            raise Refused(403)
        if code in books.programmes:
            raise Refused(409)
        require_known(sent)
        if code in books.drafts:
            books.older_drafts.append(code)
        books.drafts[code] = {**sent, "organization": organization}
        return
    if do == "extend" and not fund:
        raise Refused(403)
    if asked.match is None:
        raise Refused(428)
    of_draft = do in ("amend_draft", "discard", "submit")
    record = books.drafts.get(code) if of_draft else books.programmes.get(code)
    if record is None or (of_draft and client != "admin" and organization != record["organization"]):
        raise Refused(404)
    if asked.match == "stale":
        raise Refused(412)
    if do == "amend_draft":
        require_known(sent)
        books.drafts[code] = {**record, **sent}
    elif do == "discard":
        del books.drafts[code]
    elif do == "submit":
        submit(books, code, record)
    elif do == "extend":
        if record["status"] not in ("approved", "implementation", "suspended"):
            raise Refused(409)
        if sent["end"] <= record["duration"]["end"]:
            raise Refused(422)
        books.programmes[code] = {**record, "duration": {**record["duration"], "end": sent["end"]}}
    elif not fund and organization != record["lead"]:
        raise Refused(403)
    elif do == "amend":
        books.programmes[code] = amended(record, sent, fund)
    else:
        books.programmes[code] = moved(books, code, record, sent, fund)


def submit(books: Books, code: str, draft: Json) -> None:
    if any(not draft.get(name) for name in set(full(1)) - {"budget_lines"}):
        raise Refused(422)
    if draft["organization"] not in draft["organizations"] or not fits(draft):
        raise Refused(422)
    del books.drafts[code]
    kept = {name: value for name, value in draft.items() if name != "organization"}
    books.programmes[code] = {"budget_lines": [], **kept, "lead": draft["organization"], "status": "concept_note"}


def amended(record: Json, sent: Json, fund: bool) -> Json:
    status = record["status"]
    funded = status in ("approved", "implementation", "suspended")
    if funded and not fund:
        raise Refused(403)
    if not funded and status not in ("concept_note", "pipeline"):
        raise Refused(409)
    # What is stated already is no change.
    changed = {name: value for name, value in sent.items() if value != record[name]}
    if funded and "duration" in changed:
        raise Refused(409)
    found = {**record, **changed}
    if record["lead"] not in found["organizations"] or not fits(found):
        raise Refused(422)
    if funded and not found["budget_lines"]:
        raise Refused(422)
    return found


def moved(books: Books, code: str, record: Json, sent: Json, fund: bool) -> Json:
    step = (record["status"], sent["status"])
    if sent["status"] not in WAYS[record["status"]].split():
        raise Refused(409)
    if not fund and "withdrawn" not in step:
        raise Refused(403)
    if sent["date"] != "today" or (fund and sent["decision"] is None):
        raise Refused(422)
    if sent["status"] == "approved" and not record["budget_lines"]:
        raise Refused(422)
    if sent["status"] == "financially_closed" and settlement(books, code, record["status"])["missing"]:
        raise Refused(409)
    return {**record, "status": sent["status"]}


def require_known(sent: Json) -> None:
    if sent.get("thematic_area") == "99":
        raise Refused(422)


def fits(said: Json) -> bool:
    """Whether the parts of a programme fit one another."""
    places, lines, duration = said["places"], said.get("budget_lines", []), said["duration"]
    shares = [place["share"] for place in places]
    if len({place["code"] for place in places}) < len(places) or said["thematic_area"] == "99":
        return False
    if any(shares) and (None in shares or "0.00" in shares or sum(map(Decimal, shares)) != 100):
        return False
    if duration["end"] < duration["start"]:
        return False
    if not lines:
        return True
    direct: Counter[str] = Counter()
    for line in lines:
        cents = int(line["amount"].replace(".", ""))
        direct[line["organization"]] += 7 * cents if line["category"] != "indirect_costs" else -100 * cents
    keys = {(line["organization"], line["year"], line["category"]) for line in lines}
    return (
        sum(Decimal(line["amount"]) for line in lines) == Decimal(said["budget"])
        and len(keys) == len(lines)
        and all(line["organization"] in said["organizations"] for line in lines)
        and all(int(duration["start"][:4]) <= line["year"] <= int(duration["end"][:4]) for line in lines)
        # Half a cent is rounded up.
        and all(left >= -50 for left in direct.values())
    )
