"""The wire shapes of what an edition says about its regions: frameworks, offices, groups of States, acronyms."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Literal

from pydantic import Field

from mmptf_common.http.parameters import ListQuery, Search, Values, order_by
from mmptf_common.http.search import HOW
from mmptf_common.wire.base import Code, ResponseModel
from mmptf_common.wire.pages import Page
from mmptf_common.wire.sources import SourceRef
from mmptf_funding.editions.schemas import CountryCode
from mmptf_funding.regions.domain import FrameworkKind, FrameworkLevel, GroupKind


class FrameworkItemLevel(ResponseModel):
    """A level of the items of a framework, by the publication's own word for it."""

    code: FrameworkLevel
    """What its items are, such as objectives, as they name it."""
    name: str | None
    """The publication's word for the level, such as `Strategic Objective`; null where it prints none."""


class FrameworkItem(ResponseModel):
    """One item of a framework: an objective, a result, a principle or a point."""

    code: Code
    """Code of the item, made of those of framework and number, such as `MI-2015-framework-southern-africa.1.1`."""
    edition: Code
    """Code of the edition, as at `/funding/v1/editions`."""
    framework: Code
    """Code of the framework that it belongs to, as at `/funding/v1/editions/{edition}/frameworks`."""
    number: str
    """Number within the framework: the one that is printed, or our own where none is."""
    parent: str | None
    """Number of the item one level up that it belongs to; null where it stands by itself."""
    level: FrameworkLevel
    """What it is in the framework, such as an objective or a result."""
    level_as_printed: str | None
    """The publication's word for its level; null where it prints none."""
    title: str | None
    """Its heading as printed; null where it has none."""
    text: str | None
    """What it says, in words of our own; null where the title says all."""
    note: str | None
    """What a reader of the item has to know; null where there is nothing."""
    sources: list[SourceRef]
    """Where title and text were taken from."""
    position: int
    """Position in the order of the document, from 1."""
    updated: datetime
    """When the record was last written here, in UTC; not when its source was published."""


class StoredFramework(ResponseModel):
    """A framework without its items, which are records of their own, as the change feed gives it."""

    code: Code
    """Code of the framework, such as `MI-2015-framework-southern-africa`."""
    edition: Code
    """Code of the edition, as at `/funding/v1/editions`."""
    region: Code | None
    """Code of the region whose framework it is; null where it is that of no region."""
    kind: FrameworkKind
    """What it is: a strategy, one with a matrix of results, or an agenda."""
    title: str
    """Title in words of our own."""
    title_as_printed: str
    """The heading under which it is printed."""
    period_from: int | None
    """First year of its period; null where none is printed."""
    period_to: int | None
    """Last year of its period; null where none is printed."""
    note: str | None
    """What a reader of the framework has to know; null where there is nothing."""
    sources: list[SourceRef]
    """Where title and period are printed."""
    position: int
    """Position in the order of the document, from 1."""
    updated: datetime
    """When the record was last written here, in UTC; not when its source was published."""


class Framework(StoredFramework):
    """What the work of a region, or all work, is to achieve and to follow, as an edition prints it."""

    levels: list[FrameworkItemLevel]
    """The levels of its items with their words, in the order of the document."""
    items: list[FrameworkItem]
    """Its items in the order of the document, as a tree: each may name the number of its `parent`."""


class CoveredCountry(ResponseModel):
    """A country that the publication names as covered by an office, or as a Member State."""

    code: CountryCode
    """ISO 3166-1 alpha-3 code, or `XKX`."""
    line: int | None
    """Line of the document, counted from 1, where its name begins; null for documents without lines."""


class RegionalOffice(ResponseModel):
    """An office of the publisher with a role in a region, such as a regional office."""

    code: Code
    """Code of the office, such as `MI-2015-office-southern-africa`."""
    edition: Code
    """Code of the edition, as at `/funding/v1/editions`."""
    region: Code | None
    """Code of the region under which it is printed; null where that is none."""
    name: str
    """Its printed name; put together from its seat where none is printed, which `note` then says."""
    seat: str | None
    """City of its seat; null where it is not stated."""
    country: CountryCode | None
    """ISO 3166-1 alpha-3 code of the country of its seat; null where it is not stated."""
    founded: int | None
    """Year since which it has existed in this form; null where it is not stated."""
    covers: list[CoveredCountry]
    """Countries that it covers by the text; those that the text counts without naming them are missing."""
    covers_as_printed: str | None
    """What it covers, as printed, such as `15 countries`; null where it is not stated."""
    member_states: list[CoveredCountry]
    """Countries that are said to be Member States of the publisher; empty where the text does not say which."""
    offices: int | None
    """Number of the publisher's offices in the region; null where it is not stated."""
    staff: int | None
    """Number of the publisher's staff in the region; null where it is not stated."""
    role: str | None
    """What it does, in words of our own; null where it is not stated."""
    footnote: str | None
    """Text that has to be shown with its countries, such as that on Kosovo; null where there is none."""
    note: str | None
    """What a reader of the figures has to know; null where there is nothing."""
    sources: list[SourceRef]
    """The lines that speak of the office."""
    position: int
    """Position in the order of the document, from 1."""
    updated: datetime
    """When the record was last written here, in UTC; not when its source was published."""


class RegionalGroup(ResponseModel):
    """A regional economic community, a consultative process on migration, or another group that an edition names."""

    code: Code
    """Code of the group, such as `MI-2015-group-almaty-process`."""
    edition: Code
    """Code of the edition, as at `/funding/v1/editions`."""
    region: Code | None
    """Code of the region under which it is printed; null where that is none."""
    kind: GroupKind
    """What it is; by our own reading where the text has no word for it, which `note` then says."""
    name: str
    """Usual name, as printed."""
    abbreviation: str | None
    """Short form that the text uses; null where none is printed."""
    members: list[CoveredCountry]
    """Countries that are members by the text; those that it does not name are missing."""
    observers: list[CoveredCountry]
    """Countries that are observers by the text."""
    members_stated: int | None
    """Number of members that the text states; null where it states none."""
    footnote: str | None
    """Text that has to be shown with its countries, such as that on Kosovo; null where there is none."""
    note: str | None
    """What a reader of the record has to know; null where there is nothing."""
    sources: list[SourceRef]
    """Where its name is printed."""
    position: int
    """Position in the order of the document, from 1."""
    updated: datetime
    """When the record was last written here, in UTC; not when its source was published."""


class PrintedAcronym(ResponseModel):
    """An acronym as a list of an edition explains it; two regions may explain one in different ways."""

    code: Code
    """Code of the record, such as `MI-2015-acronym-southern-africa-CSO`."""
    edition: Code
    """Code of the edition, as at `/funding/v1/editions`."""
    region: Code | None
    """Code of the region whose list has it; null where the list is that of no region."""
    acronym: str
    """Letters that are explained."""
    expansion: str
    """What it stands for, as printed."""
    sources: list[SourceRef]
    """The lines that print it."""
    position: int
    """Position in the order of the document, from 1."""
    updated: datetime
    """When the record was last written here, in UTC; not when its source was published."""


class FrameworkPage(Page[Framework]):
    """One page of frameworks."""


class FrameworkItemPage(Page[FrameworkItem]):
    """One page of the items of frameworks."""


class RegionalOfficePage(Page[RegionalOffice]):
    """One page of regional offices."""


class RegionalGroupPage(Page[RegionalGroup]):
    """One page of groups of States."""


class PrintedAcronymPage(Page[PrintedAcronym]):
    """One page of acronyms."""


Region = Annotated[
    Values,
    Field(
        description="Code of a region, as in the edition's vocabulary; `not_stated` finds those of no region.",
        examples=["southern-africa"],
    ),
]


class FrameworkQuery(ListQuery):
    """Which frameworks."""

    sort: tuple[Literal["position", "-position"], ...] = order_by(
        "position", description="By the position in the document; `-position` is from its end."
    )
    region: Region
    kind: Annotated[
        list[FrameworkKind],
        Field(
            default_factory=list,
            max_length=100,
            description="Only frameworks of this kind.",
            examples=["results_matrix"],
        ),
    ]
    level: Annotated[
        list[FrameworkLevel],
        Field(
            default_factory=list,
            max_length=100,
            description="Only frameworks that have items of this level.",
            examples=["outcome"],
        ),
    ]
    q: Annotated[
        Search | None,
        Field(
            description=f"Words by their beginning, in title and in titles and texts of items. {HOW}",
            examples=["labour"],
        ),
    ] = None


class FrameworkItemQuery(ListQuery):
    """Which items of frameworks."""

    sort: tuple[Literal["position", "-position"], ...] = order_by(
        "position", description="By the position in the document; `-position` is from its end."
    )
    region: Annotated[
        Values,
        Field(
            description="Code of the region of their framework, as in the edition's vocabulary; `not_stated` finds"
            " those of frameworks of no region.",
            examples=["southern-africa"],
        ),
    ]
    level: Annotated[
        list[FrameworkLevel],
        Field(
            default_factory=list, max_length=100, description="Only items of this level.", examples=["priority_area"]
        ),
    ]
    q: Annotated[
        Search | None,
        Field(description=f"Words by their beginning, in title and text. {HOW}", examples=["migration"]),
    ] = None


class RegionalOfficeQuery(ListQuery):
    """Which regional offices."""

    sort: tuple[Literal["position", "-position"], ...] = order_by(
        "position", description="By the position in the document; `-position` is from its end."
    )
    region: Region
    country: Annotated[
        Values,
        Field(
            description="ISO 3166-1 alpha-3 code of a country that they cover; `not_stated` finds those of which the"
            " text names none.",
            examples=["BWA"],
        ),
    ]


class RegionalGroupQuery(ListQuery):
    """Which groups of States."""

    sort: tuple[Literal["position", "-position", "name", "-name"], ...] = order_by("position")
    region: Annotated[
        Values,
        Field(
            description="Code of a region, as in the edition's vocabulary; `not_stated` finds those of no region.",
            examples=["see-eeca"],
        ),
    ]
    kind: Annotated[
        list[GroupKind],
        Field(
            default_factory=list,
            max_length=100,
            description="Only groups of this kind.",
            examples=["consultative_process"],
        ),
    ]
    country: Annotated[
        Values,
        Field(
            description="ISO 3166-1 alpha-3 code of a member or observer; `not_stated` finds those of which the text"
            " names none.",
            examples=["KAZ"],
        ),
    ]
    q: Annotated[
        Search | None,
        Field(description=f"Words by their beginning, in name and abbreviation. {HOW}", examples=["process"]),
    ] = None


class PrintedAcronymQuery(ListQuery):
    """Which acronyms."""

    sort: tuple[Literal["position", "-position", "acronym", "-acronym"], ...] = order_by("position")
    region: Region
    q: Annotated[
        Search | None,
        Field(description=f"Words by their beginning, in acronym and expansion. {HOW}", examples=["community"]),
    ] = None
