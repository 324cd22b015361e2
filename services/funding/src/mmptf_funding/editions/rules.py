"""How a printed figure is held against the computed one, and what explains a difference; no I/O."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from decimal import Decimal
from fractions import Fraction
from typing import Any
from urllib.parse import urlencode

from mmptf_common.wire.money import Money
from mmptf_funding.editions import schemas


def reconciled(
    edition: str,
    row: Mapping[str, Any],
    wholes: Mapping[str, Mapping[str, Any]],
    requirements: str,
    asked: Sequence[tuple[str, str]] = (),
) -> schemas.ReconciledTotal:
    """One printed figure beside the computed one.

    row:          the printed total with what the rows behind it add up to (USD), how many there are, how many are
                  funded or missing in the source, and the sum of what is implied for the missing ones
    wholes:       region -> the sums of its rows (USD), stated and implied, which percentages are shares of
    requirements: the path of the list of requirements; asked: what its links carry on of the question
    """
    document = json.loads(row["document"])
    drilldown = [("edition", edition), *asked]
    if row["division"] != "edition":
        drilldown.append((row["division"], row["value"]))
    if row["region"] is not None:
        drilldown.append(("region", row["region"]))
    link = f"{requirements}?{urlencode(sorted(drilldown))}"
    explanations: list[schemas.Explanation] = []
    amount, implied, missing = row["computed"] or Decimal(0), row["implied"] or Decimal(0), row["missing"]
    if row["unit"] == "per_cent":
        printed = document["per_cent"]
        places = len(printed.partition(".")[2])
        within = [whole for region, whole in wholes.items() if row["region"] in (None, region)]
        stated, lacking = (sum((w[name] or Decimal(0) for w in within), Decimal(0)) for name in ("amount", "implied"))
        missing = sum(w["missing"] for w in within)
        computed = per_cent(amount, stated, places)
        settled = per_cent(amount + implied, stated + lacking, places) == printed
    else:
        printed = None if row["printed"] is None else f"{row['printed']:.2f}"
        computed = None if row["computed"] is None else f"{row['computed']:.2f}"
        lacking = implied
        settled = (row["printed"] or Decimal(0)) - amount == implied
    # Where "funded" is printed no amount is asked for, so no row may state one.
    equal = printed == computed if printed is not None else computed is None and row["rows"] == row["funded"] > 0
    if missing and not equal:
        behind = [("edition", edition), *asked, ("status", "missing_in_source")]
        if row["unit"] != "per_cent":
            behind = [*drilldown, behind[-1]]
        elif row["region"] is not None:
            behind.append(("region", row["region"]))
        explanations.append(
            schemas.Explanation(
                cause="missing_in_source",
                detail="The text of the document lacks the amount of these requirements; the sum is what the printed"
                " totals imply for them.",
                sum=Money(amount=f"{lacking:.2f}", currency="USD"),
                rows=missing,
                link=f"{requirements}?{urlencode(sorted(behind))}",
            )
        )
    if document["note"] and not equal:
        explanations.append(
            schemas.Explanation(cause="printed_note", detail=document["note"], sum=None, rows=row["rows"], link=link)
        )
    explained = bool(document["note"]) or (missing > 0 and settled)
    difference = None if printed is None or computed is None else str(Decimal(printed) - Decimal(computed))
    return schemas.ReconciledTotal(
        printed=row["code"],
        division=row["division"],
        value=row["value"],
        name=document["name"],
        region=row["region"],
        unit=row["unit"],
        as_printed=document["as_printed"],
        printed_figure=printed,
        computed_figure=computed,
        difference=difference,
        agreement="equal" if equal else "explained" if explained else "different",
        rows=row["summed"],
        funded=row["funded"],
        link=link,
        explanations=explanations,
    )


def per_cent(part: Decimal, whole: Decimal, places: int) -> str | None:
    """The exact share in per cent, rounded half up as print does; None of nothing."""
    if not whole:
        return None
    scaled = Fraction(part) * 100 * 10**places / Fraction(whole)
    rounded = (2 * scaled.numerator + scaled.denominator) // (2 * scaled.denominator)
    return f"{Decimal(rounded).scaleb(-places):.{places}f}"
