"""The wire shapes of the catalogue's code lists."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Literal

from pydantic import Field

from mmptf_common.http.parameters import ListQuery, Search, Values
from mmptf_common.wire.base import Code, RequestModel, ResponseModel, Text
from mmptf_common.wire.pages import Page
from mmptf_common.wire.sources import SourceRef


class ThematicArea(ResponseModel):
    """One of the Fund's thematic areas."""

    code: Code
    number: int
    name: str
    sources: list[SourceRef]
    updated: datetime


class Objective(ResponseModel):
    """One of the 23 objectives of the Global Compact for Migration (A/RES/73/195, paragraph 16).

    `name` is the official one, `short_name` a short form of our own, for tables and charts.
    """

    code: Code
    number: int
    name: str
    short_name: str
    sources: list[SourceRef]
    updated: datetime


class ClusteredArea(ResponseModel):
    """The objectives that a scheme clusters under one thematic area."""

    thematic_area: Code
    objectives: list[Code]


class Clustering(ResponseModel):
    """A named, versioned scheme of objectives under thematic areas; a programme's area is never derived from it."""

    code: Code
    version: str
    name: str
    verified: bool
    areas: list[ClusteredArea]
    note: str | None
    sources: list[SourceRef]
    updated: datetime


class GuidingPrinciple(ResponseModel):
    """One of the ten guiding principles of the Global Compact for Migration."""

    code: Code
    number: int
    name: str
    sources: list[SourceRef]
    updated: datetime


class Place(ResponseModel):
    """A country or territory (ISO 3166-1 alpha-3) or a region (UN M49, three digits as text)."""

    code: Code
    kind: Literal["country", "region"]
    name: str
    m49: Annotated[str, Field(pattern=r"^[0-9]{3}$")] | None
    iso_alpha2: Annotated[str, Field(pattern=r"^[A-Z]{2}$")] | None
    region: str | None
    subregion: str | None
    intermediate_region: str | None
    footnote: str | None
    user_assigned: bool
    sources: list[SourceRef]
    updated: datetime

    @property
    def regions(self) -> list[str]:
        """The codes of the regions that hold the place, the widest first."""
        return [code for code in (self.region, self.subregion, self.intermediate_region) if code]


class Organization(ResponseModel):
    """An organization that the sources name."""

    code: Code
    name: str
    kind: Literal["un_organization"]
    sources: list[SourceRef]
    updated: datetime


class OrganizationSent(RequestModel):
    """An organization that may take part in programmes."""

    code: Code
    name: Annotated[Text, Field(max_length=300)]


class ThematicAreaPage(Page[ThematicArea]): ...


class ObjectivePage(Page[Objective]): ...


class ClusteringPage(Page[Clustering]): ...


class GuidingPrinciplePage(Page[GuidingPrinciple]): ...


class PlacePage(Page[Place]): ...


class OrganizationPage(Page[Organization]): ...


class NumberedQuery(ListQuery):
    """The query of a code list whose entries have numbers."""

    sort: Annotated[Literal["number", "-number", "name", "-name"], Field(description="The order.")] = "number"


class NamedQuery(ListQuery):
    """The query of a code list without numbers."""

    sort: Annotated[Literal["code", "-code", "name", "-name"], Field(description="The order.")] = "code"


class PlaceQuery(NamedQuery):
    kind: Annotated[list[Literal["country", "region"]], Field(default_factory=list, max_length=100)]
    region: Annotated[Values, Field(description="M49 code of a region that holds the place.", examples=["150"])]
    q: Annotated[
        Search | None,
        Field(description="Words, each of which begins a word of one of its names, the former and short ones too."),
    ] = None
