"""Rows of contributions, contributors, targets, facts and stages, each with the JSON record that readers get."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from decimal import Decimal
from typing import NamedTuple

import sqlalchemy as sa

from mmptf_common.storage.journal import Write
from mmptf_common.storage.records import JsonObject, derive_again
from mmptf_common.wire.money import money
from mmptf_funding.contributions import schemas as public
from mmptf_funding.contributions.domain import Contribution, Contributor, Fact, Stage, Target
from mmptf_funding.contributions.queries import COMPUTED
from mmptf_funding.models import ContributionRow, ContributorRow, FactRow, MoneyStageRow, TargetRow


def stage_row(stage: Stage, at: datetime) -> MoneyStageRow:
    """The row of a stage of money."""
    record = public.MoneyStageDefinition(
        code=stage.code,
        number=stage.number,
        name=stage.name,
        definition=stage.definition,
        sources=stage.sources,
        updated=at,
    )
    return MoneyStageRow(code=stage.code, position=stage.number, updated=at, record=record.model_dump(mode="json"))


def contributor_row(contributor: Contributor, at: datetime) -> ContributorRow:
    """The row of a contributor."""
    record = public.Contributor(
        code=contributor.code,
        name=contributor.name,
        as_printed=contributor.as_printed,
        type=contributor.type,
        country=contributor.country,
        sources=contributor.sources,
        updated=at,
    )
    return ContributorRow(
        code=contributor.code,
        name=contributor.name,
        type=contributor.type,
        country=contributor.country,
        updated=at,
        record=record.model_dump(mode="json"),
    )


def contribution_row(contribution: Contribution, contributor: ContributorRow, at: datetime) -> ContributionRow:
    """The row of a contribution by this contributor."""
    record = public.Contribution(
        code=contribution.code,
        contributor=_contributor_ref(contributor),
        sum=money(contribution.amount, contribution.currency),
        stage=contribution.stage,
        basis=contribution.basis,
        precision=contribution.precision,
        as_printed=contribution.as_printed,
        as_of=contribution.as_of,
        as_of_precision=contribution.as_of_precision,
        sources=contribution.sources,
        updated=at,
    )
    return ContributionRow(
        code=contribution.code,
        contributor=contributor.code,
        contributor_type=contributor.type,
        country=contributor.country,
        amount=contribution.amount,
        currency=contribution.currency,
        money_stage=contribution.stage,
        basis=contribution.basis,
        as_of=contribution.as_of,
        updated=at,
        record=record.model_dump(mode="json"),
    )


def with_contributor(row: ContributionRow, contributor: ContributorRow) -> ContributionRow:
    """A row with the name, type and country that its contributor has now."""
    named = _contributor_ref(contributor).model_dump(mode="json")
    return ContributionRow(
        **{
            **row.model_dump(),
            "contributor_type": contributor.type,
            "country": contributor.country,
            "record": {**row.record, "contributor": named},
        }
    )


def _contributor_ref(contributor: ContributorRow) -> public.ContributorRef:
    return public.ContributorRef.model_validate(contributor.model_dump(include=set(public.ContributorRef.model_fields)))


def target_row(target: Target, at: datetime) -> TargetRow:
    """The row of a capitalization target."""
    record = public.CapitalizationTarget(
        code=target.code,
        name=target.name,
        sum=money(target.amount, target.currency),
        event=target.event,
        due=target.due,
        due_precision=target.due_precision,
        as_printed=target.as_printed,
        verified=target.verified,
        sources=target.sources,
        updated=at,
    )
    return TargetRow(
        code=target.code,
        amount=target.amount,
        currency=target.currency,
        due=target.due,
        updated=at,
        record=record.model_dump(mode="json"),
    )


class Computed(NamedTuple):
    """What the stored contributions and targets give for a printed figure, and the path that lists the counted rows."""

    value: Decimal
    rows: int
    link: str


async def computed_figures(write: Write) -> dict[str, Computed]:
    """The figures that follow from the contributions and targets within a write, by the names of their computations."""
    found = await write.session.execute(sa.text(COMPUTED))
    return {row.way: Computed(row.value, row.rows, row.link) for row in found}


async def derive_facts(write: Write) -> None:
    """Store the facts whose computed figures the contributions and targets within a write have changed.

    Every write of contributions, targets or facts ends with it.
    """
    computed = await computed_figures(write)
    await derive_again(write, FactRow, lambda row: with_computed(row, computed))


def fact_row(fact: Fact, computed: Mapping[str, Computed], at: datetime) -> FactRow:
    """The row of a printed figure, beside the computed one, where there is one."""
    record = public.PublishedFigure(
        code=fact.code,
        name=fact.name,
        printed=public.PrintedFigure(
            value=str(fact.printed.value),
            unit=fact.printed.unit,
            qualifier=fact.printed.qualifier,
            as_printed=fact.printed.as_printed,
        ),
        note=fact.note,
        sources=fact.sources,
        updated=at,
        computed=None,
    )
    row = FactRow(
        code=fact.code,
        printed=fact.printed.value,
        computed_by=fact.computed_by,
        updated=at,
        record=record.model_dump(mode="json"),
    )
    return with_computed(row, computed)


def with_computed(row: FactRow, computed: Mapping[str, Computed]) -> FactRow:
    """A row with the computed figure that the contributions and targets give now.

    A record that has none lacks the member, as it did before it was stored: reads and changes give null then.
    """
    record: JsonObject = {name: value for name, value in row.record.items() if name != "computed"}
    if found := computed.get(row.computed_by or ""):
        figure = public.ComputedFigure(
            value=_number_text(found.value),
            difference=_number_text(row.printed - found.value),
            link=found.link,
            rows=found.rows,
        )
        record["computed"] = figure.model_dump(mode="json")
    return FactRow(**{**row.model_dump(), "record": record})


def _number_text(number: Decimal) -> str:
    """A number as text, without zeros at its end behind the point."""
    return f"{number.normalize():f}"
