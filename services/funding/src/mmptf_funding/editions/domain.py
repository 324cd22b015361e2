"""The models of an edition's reconciliation: printed figures, computed ones, and explanations of differences."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal
from typing import Literal

from typing_extensions import TypeAliasType

from mmptf_common.wire.base import Code, ResponseModel
from mmptf_common.wire.money import Money

RequirementStatus = TypeAliasType(
    "RequirementStatus",
    Literal["required", "funded", "missing_in_source"],
)
"""What an edition prints as the funding requirement of a place in an area.

- `required`: an amount is asked for
- `funded`: the word "funded" is printed in place of an amount, without saying by whom; neither zero nor unknown
- `missing_in_source`: the text has the heading, but no figure; `implied` is what the printed totals leave for it
"""

TermKind = TypeAliasType(
    "TermKind",
    Literal["region", "area", "target_population", "place", "topic"],
)
"""Kind of an entry of an edition's vocabulary.

- `region`: a region of the edition
- `area`: a programmatic area, that is a field of work, such as health
- `target_population`: people whom the money is for, such as migrants
- `place`: a country, a territory or another heading, such as regional programmes
- `topic`: what money is for, such as counter-trafficking; assigned to the edition's texts, which do not print it
"""

ReadingConfidence = TypeAliasType(
    "ReadingConfidence",
    Literal["high", "medium", "low"],
)
"""How sure it is that what was read from different parts of a text belongs together.

- `high`: the parts stand together in the text, and the narrative agrees
- `medium`: they stand apart in the text, and narrative and totals settle it
- `low`: only their order or their subject suggests it
"""

PrintedTotalDivision = TypeAliasType(
    "PrintedTotalDivision",
    Literal["edition", "region", "area", "place"],
)
"""What a printed total is a total of.

- `edition`: the whole edition
- `region`: one region
- `area`: one programmatic area of a region
- `place`: one place
"""

PrintedTotalUnit = TypeAliasType(
    "PrintedTotalUnit",
    Literal["USD", "per_cent"],
)
"""Unit of a printed total.

- `USD`: US dollars
- `per_cent`: per cent of the region's total
"""

InitiativeKind = TypeAliasType(
    "InitiativeKind",
    Literal["initiative", "fund", "co_funding"],
)
"""Kind of what an edition prints beside its regions.

- `initiative`: work in several regions, such as research or a report
- `fund`: a fund of the publisher, from which work in many places is paid
- `co_funding`: a project of the European Union of which a part, the co-funding, is still asked for
"""

PartnerKind = TypeAliasType(
    "PartnerKind",
    Literal[
        "state",
        "territory",
        "un_organization",
        "multi_partner_trust_fund",
        "international_financial_institution",
        "intergovernmental_organization",
        "public_body",
        "non_governmental_organization",
        "foundation",
        "private_sector",
        "academia",
        "other",
    ],
)
"""What a donor or partner of an edition's publisher is.

- `state`: a State, by whichever of its authorities it gives
- `territory`: the authorities of a territory, such as Kosovo
- `un_organization`: an organization, office, mission or programme of the United Nations system, or a fund run by one
- `multi_partner_trust_fund`: a fund or joint programme of several donors for several United Nations organizations
- `international_financial_institution`: a bank or fund of several States that finances work in many countries
- `intergovernmental_organization`: another organization that States founded by agreement, such as NATO
- `public_body`: an agency, institute or hospital that one State or its regions run
- `non_governmental_organization`: an association, charity or movement that no government runs
- `foundation`: a foundation, by its name, of whichever founder
- `private_sector`: a company
- `academia`: a university, an academy or a research institute
- `other`: none of these, or its name does not say what it is
"""

PrintedTotalAgreement = TypeAliasType(
    "PrintedTotalAgreement",
    Literal["equal", "explained", "different"],
)
"""How a printed total agrees with what the rows add up to.

- `equal`: the figures are equal
- `explained`: they differ, and missing amounts or a note of the printed total account for it
- `different`: they differ without a stated reason
"""

DifferenceCause = TypeAliasType(
    "DifferenceCause",
    Literal["missing_in_source", "printed_note"],
)
"""Why a computed figure differs from the printed one.

- `missing_in_source`: the text of the document lacks the amount of some rows
- `printed_note`: the `note` of the printed total states the reason
"""

FigureMeasure = TypeAliasType(
    "FigureMeasure",
    Literal[
        "international_migrants",
        "internal_migrants",
        "emigrants",
        "diaspora",
        "refugees",
        "asylum_seekers",
        "internally_displaced",
        "returnees",
        "stateless",
        "irregular_migrants",
        "migrant_workers",
        "trafficking_victims",
        "smuggled_migrants",
        "deaths",
        "children",
        "resettled",
        "disaster_affected",
        "movements",
        "remittances",
        "remittances_share_of_gdp",
        "population",
        "population_share",
        "unemployment",
        "poverty",
        "health",
        "rank",
        "people_assisted",
        "participants",
        "projects",
        "products",
        "work_sites",
        "border_management",
        "budget",
        "staff",
        "offices",
        "countries",
        "other",
    ],
)
"""What a figure of an edition's texts measures; `subject` of the figure says what exactly is counted.

- `international_migrants`: migrants by where they live, or a part of them
- `internal_migrants`: people who moved within their country
- `emigrants`: people who left a country, by where they come from, or a part of them
- `diaspora`: people abroad who belong to a country by descent or citizenship
- `refugees`: refugees, also together with people in the like situation
- `asylum_seekers`: people who ask for asylum, or their applications
- `internally_displaced`: people displaced inside their country, or displaced people of all kinds together
- `returnees`: people who went back or were sent back
- `stateless`: people without a nationality
- `irregular_migrants`: people who travel or stay without a permit
- `migrant_workers`: people who work in another country, or who trade across borders
- `trafficking_victims`: victims of trafficking
- `smuggled_migrants`: people whom smugglers brought
- `deaths`: people who died or are missing
- `children`: children and young people
- `resettled`: people taken in by another State, or to be taken in
- `disaster_affected`: people or places struck by a disaster or in danger of one
- `movements`: journeys and crossings of borders, whoever makes them
- `remittances`: money that migrants send home
- `remittances_share_of_gdp`: the same as a share of the gross domestic product
- `population`: inhabitants, migrants or not
- `population_share`: a part of all inhabitants
- `unemployment`: people without work
- `poverty`: people in poverty
- `health`: diseases, and who is treated or examined
- `rank`: a place in an order of countries
- `people_assisted`: people whom the publisher or its partners have helped, trained or reached
- `participants`: people or organizations that took part in an event or a process
- `projects`: projects, programmes and activities
- `products`: what work has made, such as reports or videos
- `work_sites`: places, sites, districts or institutions in which work is done
- `border_management`: border posts and other crossings, and the systems in them
- `budget`: budgets, and money for the publisher's work
- `staff`: people who work for the publisher
- `offices`: offices and centres of the publisher
- `countries`: how many countries are part of something
- `other`: none of these
"""

StatedUnit = TypeAliasType(
    "StatedUnit",
    Literal[
        "person",
        "household",
        "per_cent",
        "factor",
        "rank",
        "money",
        "year",
        "hour",
        "litre",
        "country",
        "district",
        "site",
        "centre",
        "office",
        "border_post",
        "organization",
        "project",
        "document",
        "event",
        "other",
    ],
)
"""What the value of a figure is a number of.

- `person`: people
- `household`: households or families
- `per_cent`: a share of a whole in per cent
- `factor`: how many times something is as large as before, or as another
- `rank`: a place in an order, 1 for the first
- `money`: an amount of the figure's `currency`
- `year`: years
- `hour`: hours
- `litre`: litres
- `country`: countries
- `district`: districts, provinces or communities within a country
- `site`: places of other kinds, such as camps, shelters or points
- `centre`: centres that receive, hold, inform or counsel people
- `office`: offices
- `border_post`: border posts, crossings, ports and airports
- `organization`: organizations, authorities, universities and teams
- `project`: projects, programmes, missions and activities
- `document`: reports, profiles, videos and other works
- `event`: crises, disasters and cases
- `other`: other things, which the subject names
"""

StatedQualifier = TypeAliasType(
    "StatedQualifier",
    Literal["exact", "approximately", "more_than", "at_least", "nearly", "up_to", "at_most", "estimated"],
)
"""How exact the text says that a figure is.

- `exact`: the figure without any such word
- `approximately`: printed with a word such as "about" or "some"
- `more_than`: printed with words such as "over"
- `at_least`: printed with words such as "at least"
- `nearly`: printed with a word such as "almost"
- `up_to`: printed with the words "up to"
- `at_most`: printed with words such as "less than"
- `estimated`: printed as an estimate
"""

StatedScope = TypeAliasType("StatedScope", Literal["region", "global"])
"""What the figures of a table that prints a region beside the whole are of.

- `region`: the region
- `global`: the publisher's work in the whole world
"""

StatedStage = TypeAliasType("StatedStage", Literal["budget", "funding", "spending", "other"])
"""What the money of a figure is: it is no requirement, and has passed through none of the Fund's stages.

- `budget`: planned or allotted for a time, or for projects under way
- `funding`: given by others for the publisher's work
- `spending`: spent in the past
- `other`: other people's money, such as remittances
"""


@dataclass(frozen=True, slots=True)
class SummedTotal:
    """A printed total, and the sums of the rows that it covers (USD).

    printed:  the figure in `unit`; None where the edition prints "funded" instead
    per_cent: a percentage with the decimal places that are printed
    computed: the sum of the stated amounts, implied: of those that other figures imply for missing ones
    summed:   how many rows state an amount, of all `rows`; `funded` and `missing` are those that state none
    """

    code: str
    division: PrintedTotalDivision
    region: str | None
    value: str
    name: str
    unit: PrintedTotalUnit
    printed: Decimal | None
    per_cent: str | None
    as_printed: str
    confidence: ReadingConfidence
    note: str | None
    computed: Decimal | None
    implied: Decimal | None
    summed: int
    rows: int
    funded: int
    missing: int


@dataclass(frozen=True, slots=True)
class RegionSum:
    """The sums of the rows of a region (USD), stated and implied, and the number of missing amounts."""

    amount: Decimal | None
    implied: Decimal | None
    missing: int


class DifferenceExplanation(ResponseModel):
    """Why a computed figure differs from the printed one."""

    cause: DifferenceCause
    """Kind of reason: amounts that the source lacks, or a note of the printed total."""
    detail: str
    """The reason in words, for people."""
    sum: Money | None
    """The amounts that the printed totals imply for the rows that lack one; null where a note is the reason."""
    rows: int
    """Number of the rows behind the reason."""
    link: str | None
    """Path that lists these rows; null where there are none."""


class ReconciledTotal(ResponseModel):
    """One printed figure beside what the rows at `link` add up to, both in `unit`.

    A printed "funded" agrees with rows that are all funded. Percentages are compared rounded as they are printed.
    """

    printed: Code
    """Code of the printed total, as at `/funding/v1/editions/{edition}/printed-totals`."""
    division: PrintedTotalDivision
    """What it is a total of: the whole edition, a region, an area of a region, or a place."""
    value: Code
    """Code of what it is a total of, in the vocabulary of the edition; that of the edition itself for the whole."""
    name: str
    """Name of what it is a total of, for people."""
    region: Code | None
    """Code of the region to which the total of an area is limited; null where it is limited to none."""
    unit: PrintedTotalUnit
    """Whether it is an amount in US dollars or a percentage."""
    as_printed: str
    """The words or the figure as the source prints them."""
    confidence: ReadingConfidence
    """How sure it is that the printed figure is of that place, area or region."""
    note: str | None
    """Note of the printed figure; null where there is none."""
    printed_figure: str | None
    """The printed figure as decimal text in `unit`, such as `14900000.00`; null where "funded" is printed."""
    computed_figure: str | None
    """What the rows add up to, as decimal text in `unit`; null where none states an amount."""
    difference: str | None
    """Printed minus computed, as decimal text in `unit`; null where one of them is null."""
    agreement: PrintedTotalAgreement
    """Whether the figures are equal, differ for a stated reason, or differ without one."""
    rows: int
    """Number of the rows that state an amount, which `computed_figure` adds up."""
    funded: int
    """Number of further rows that print "funded" in place of an amount."""
    link: str
    """Path that lists all rows of the figure, with and without an amount."""
    explanations: list[DifferenceExplanation]
    """The reasons of a difference; empty where the figures are equal, or none is known."""
