"""The wire shapes of the catalogue's code lists."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Literal

from pydantic import Field

from mmptf_common.http.parameters import ListQuery, Search, Values, order_by
from mmptf_common.http.search import HOW
from mmptf_common.wire.base import Code, NewCode, RequestModel, ResponseModel, Text
from mmptf_common.wire.pages import Page
from mmptf_common.wire.places import PlaceKind
from mmptf_common.wire.sources import SourceRef


class ThematicArea(ResponseModel):
    """One of the Fund's thematic areas."""

    code: Code
    """The number of the area as text; programmes and contributions name it."""
    number: int
    """Number of the area, 1 to 5."""
    name: str
    """Name as the Fund prints it."""
    sources: list[SourceRef]
    """Where each fact is printed: one entry for each member that was taken from a document."""
    updated: datetime
    """When the record was last written here, in UTC; not when its source was published."""


class Objective(ResponseModel):
    """One of the 23 objectives of the Global Compact for Migration (A/RES/73/195, paragraph 16).

    `name` is the official one, `short_name` a short form of our own, for tables and charts.
    """

    code: Code
    """The number of the objective as text; programmes name it."""
    number: int
    """Number of the objective in the Global Compact, 1 to 23."""
    name: str
    """Official name."""
    short_name: str
    """Short form of our own, for tables and charts."""
    sources: list[SourceRef]
    """Where each fact is printed: one entry for each member that was taken from a document."""
    updated: datetime
    """When the record was last written here, in UTC; not when its source was published."""


class ClusteredArea(ResponseModel):
    """The objectives that a scheme clusters under one thematic area."""

    thematic_area: Code
    """Code of the thematic area."""
    objectives: list[Code]
    """Codes of the objectives under it."""


class Clustering(ResponseModel):
    """A named, versioned scheme of objectives under thematic areas; a programme's area is never derived from it."""

    code: Code
    """Code of the scheme."""
    version: str
    """Version of the scheme."""
    name: str
    """Name of the scheme."""
    verified: bool
    """Whether a text at hand confirms it; false for what only general knowledge or a submission says."""
    areas: list[ClusteredArea]
    """The thematic areas with their objectives; each objective is under one area."""
    note: str | None
    """Where the scheme comes from and what it may be used for; null where nothing is to be said."""
    sources: list[SourceRef]
    """Where each fact is printed: one entry for each member that was taken from a document."""
    updated: datetime
    """When the record was last written here, in UTC; not when its source was published."""


class GuidingPrinciple(ResponseModel):
    """One of the ten guiding principles of the Global Compact for Migration."""

    code: Code
    """Short word for the principle, which stays the same."""
    number: int
    """Its position among the ten, from 1."""
    name: str
    """Name as the Global Compact gives it."""
    sources: list[SourceRef]
    """Where each fact is printed: one entry for each member that was taken from a document."""
    updated: datetime
    """When the record was last written here, in UTC; not when its source was published."""


class Place(ResponseModel):
    """A country or territory (ISO 3166-1 alpha-3) or a region (UN M49, three digits as text)."""

    code: Code
    """ISO 3166-1 alpha-3 code of a country or territory, UN M49 code of a region, or `XKX`."""
    kind: PlaceKind
    """Whether it is a country (or territory) or a region that holds others."""
    name: str
    """Name as the United Nations write it."""
    m49: Annotated[str, Field(pattern=r"^[0-9]{3}$")] | None
    """UN M49 code, three digits with leading zeros; null where it has none."""
    iso_alpha2: Annotated[str, Field(pattern=r"^[A-Z]{2}$")] | None
    """ISO 3166-1 alpha-2 code; null for a region, or where there is none."""
    region: str | None
    """M49 code of the region that holds it, such as `150` Europe; null for the widest."""
    subregion: str | None
    """M49 code of the subregion that holds it; null where there is none."""
    intermediate_region: str | None
    """M49 code of the intermediate region that holds it; null where there is none."""
    footnote: str | None
    """Text that has to accompany the name wherever it is shown; null where there is none."""
    user_assigned: bool
    """Whether the code is assigned by users and not by ISO 3166."""
    sources: list[SourceRef]
    """Where each fact is printed: one entry for each member that was taken from a document."""
    updated: datetime
    """When the record was last written here, in UTC; not when its source was published."""

    @property
    def regions(self) -> list[str]:
        """The codes of the regions that hold the place, the widest first."""
        return [code for code in (self.region, self.subregion, self.intermediate_region) if code]


class Organization(ResponseModel):
    """An organization that the sources name."""

    code: Code
    """Short name by which programmes and the ledger name the organization, such as `IOM`."""
    name: str
    """Full name."""
    kind: Literal["un_organization"]
    """Sort of organization."""
    sources: list[SourceRef]
    """Where each fact is printed: one entry for each member that was taken from a document."""
    updated: datetime
    """When the record was last written here, in UTC; not when its source was published."""


class OrganizationSent(RequestModel):
    """An organization that may take part in programmes."""

    code: NewCode
    """Short name by which programmes and the ledger will name it, such as `UNHCR`."""
    name: Annotated[Text, Field(max_length=300)]
    """Full name."""


class ThematicAreaPage(Page[ThematicArea]):
    """One page of thematic areas."""


class ObjectivePage(Page[Objective]):
    """One page of objectives."""


class ClusteringPage(Page[Clustering]):
    """One page of clusterings."""


class GuidingPrinciplePage(Page[GuidingPrinciple]):
    """One page of guiding principles."""


class PlacePage(Page[Place]):
    """One page of places."""


class OrganizationPage(Page[Organization]):
    """One page of organizations."""


class NumberedQuery(ListQuery):
    """The query of a code list whose entries have numbers."""

    sort: tuple[Literal["number", "-number", "name", "-name"], ...] = order_by("number")


class NamedQuery(ListQuery):
    """The query of a code list without numbers."""

    sort: tuple[Literal["code", "-code", "name", "-name"], ...] = order_by("code")


class PlaceQuery(NamedQuery):
    kind: Annotated[
        list[PlaceKind],
        Field(
            default_factory=list,
            max_length=100,
            description="Countries and territories, or regions that hold them.",
            examples=["country"],
        ),
    ]
    region: Annotated[Values, Field(description="M49 code of a region that holds the place.", examples=["150"])]
    q: Annotated[
        Search | None,
        Field(
            description=f"Words, each of which begins a word of one of its names, the former and short ones too. {HOW}",
            examples=["serbia"],
        ),
    ] = None
