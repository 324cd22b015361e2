"""Rows of contributions, contributors, targets, facts and stages, each with the JSON record that readers get."""

from __future__ import annotations

from datetime import datetime

from mmptf_common.wire.money import money
from mmptf_funding.contributions import schemas as public
from mmptf_funding.contributions.domain import Contribution, Contributor, Fact, Stage, Target
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


def fact_row(fact: Fact, at: datetime) -> FactRow:
    """The row of a printed figure, without the computed one, which each read derives from the current rows."""
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
    return FactRow(
        code=fact.code,
        printed=fact.printed.value,
        computed_by=fact.computed_by,
        updated=at,
        record=record.model_dump(mode="json", exclude={"computed"}),
    )
