"""Comparison of a printed figure with the computed one, and the explanations of a difference; no I/O."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from decimal import Decimal
from fractions import Fraction
from urllib.parse import urlencode

from mmptf_common.wire.money import amount_text, money
from mmptf_funding.editions.domain import DifferenceExplanation, ReconciledTotal, RegionSum, SummedTotal


def reconciled(
    edition: str,
    total: SummedTotal,
    regions: Mapping[str, RegionSum],
    requirements: str,
    carried: Sequence[tuple[str, str]] = (),
) -> ReconciledTotal:
    """One printed figure beside the computed one.

    regions:      region -> the sums of its rows; printed percentages are shares of these sums
    requirements: the path of the list of requirements; carried: query parameters that links to it repeat
    """
    drilldown = [("edition", edition), *carried]
    if total.division != "edition":
        drilldown.append((total.division, total.value))
    if total.region is not None:
        drilldown.append(("region", total.region))
    link = f"{requirements}?{urlencode(sorted(drilldown))}"
    explanations: list[DifferenceExplanation] = []
    amount, implied, missing = total.computed or Decimal(0), total.implied or Decimal(0), total.missing
    printed = total.per_cent
    if printed is not None:
        places = len(printed.partition(".")[2])
        wholes = [whole for region, whole in regions.items() if total.region in (None, region)]
        stated = sum((whole.amount or Decimal(0) for whole in wholes), Decimal(0))
        lacking = sum((whole.implied or Decimal(0) for whole in wholes), Decimal(0))
        missing = sum(whole.missing for whole in wholes)
        computed = per_cent(amount, stated, places)
        settled = per_cent(amount + implied, stated + lacking, places) == printed
    else:
        printed = None if total.printed is None else amount_text(total.printed)
        computed = None if total.computed is None else amount_text(total.computed)
        lacking = implied
        settled = (total.printed or Decimal(0)) - amount == implied
    # A printed "funded" means that nothing is required: it agrees when all rows are funded and none has an amount.
    equal = printed == computed if printed is not None else computed is None and total.rows == total.funded > 0
    if missing and not equal:
        behind = [("edition", edition), *carried, ("status", "missing_in_source")]
        if total.per_cent is None:
            behind = [*drilldown, behind[-1]]
        elif total.region is not None:
            behind.append(("region", total.region))
        explanations.append(
            DifferenceExplanation(
                cause="missing_in_source",
                detail="The text of the document lacks the amount of these requirements; the sum is what the printed"
                " totals imply for them.",
                sum=money(lacking, "USD"),
                rows=missing,
                link=f"{requirements}?{urlencode(sorted(behind))}",
            )
        )
    if total.note and not equal:
        explanations.append(
            DifferenceExplanation(cause="printed_note", detail=total.note, sum=None, rows=total.rows, link=link)
        )
    explained = bool(total.note) or (missing > 0 and settled)
    difference = None if printed is None or computed is None else str(Decimal(printed) - Decimal(computed))
    return ReconciledTotal(
        printed=total.code,
        division=total.division,
        value=total.value,
        name=total.name,
        region=total.region,
        unit=total.unit,
        as_printed=total.as_printed,
        confidence=total.confidence,
        note=total.note,
        printed_figure=printed,
        computed_figure=computed,
        difference=difference,
        agreement="equal" if equal else "explained" if explained else "different",
        rows=total.summed,
        funded=total.funded,
        link=link,
        explanations=explanations,
    )


def per_cent(part: Decimal, whole: Decimal, places: int) -> str | None:
    """A share in per cent, rounded half up as in print (shares elsewhere are rounded down); None when `whole` is 0."""
    if not whole:
        return None
    scaled = Fraction(part) * 100 * 10**places / Fraction(whole)
    rounded = (2 * scaled.numerator + scaled.denominator) // (2 * scaled.denominator)
    return f"{Decimal(rounded).scaleb(-places):.{places}f}"
