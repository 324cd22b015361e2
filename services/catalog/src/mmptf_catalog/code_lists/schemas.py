"""The wire shapes of the catalogue's code lists."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Literal

from pydantic import AfterValidator, Field

from mmptf_common.http.parameters import ListQuery, Search, Values, order_by, with_codes
from mmptf_common.http.search import HOW
from mmptf_common.wire.base import Code, OrganizationCode, RequestModel, ResponseModel, Text, unreserved
from mmptf_common.wire.pages import Page
from mmptf_common.wire.places import PlaceKind
from mmptf_common.wire.sources import SourceRef


class ThematicArea(ResponseModel):
    """One of the five fields of work of the Fund, under which it groups the objectives of the Global Compact."""

    code: Code
    """Number of the area as text, such as `3`. Programmes and contributions name the area by it."""
    number: int
    """Number of the area, 1 to 5, to sort by."""
    name: str
    """Name as the Fund prints it."""
    sources: list[SourceRef]
    """Where the facts were taken from: for each member one entry or several; none for what was not taken from anywhere.
    """
    updated: datetime
    """When the record was last written here, in UTC; not when its source was published."""


class Objective(ResponseModel):
    """One of the 23 objectives of the Global Compact for Migration (A/RES/73/195, paragraph 16)."""

    code: Code
    """Number of the objective as text, such as `17`. Programmes name the objective by it."""
    number: int
    """Number of the objective in the Global Compact, 1 to 23, to sort by."""
    name: str
    """Official name, as the Global Compact prints it."""
    short_name: str
    """Short form of the name by this project, for tables and charts; it is not official."""
    sources: list[SourceRef]
    """Where the facts were taken from: for each member one entry or several; none for what was not taken from anywhere.
    """
    updated: datetime
    """When the record was last written here, in UTC; not when its source was published."""


class ClusteredArea(ResponseModel):
    """The objectives that a clustering puts under one thematic area."""

    thematic_area: Code
    """Code of the thematic area, such as `3`."""
    objectives: list[Code]
    """Codes of the objectives under this area, such as `4`."""


class Clustering(ResponseModel):
    """A clustering: which objectives of the Global Compact belong to which thematic area, according to one scheme.

    It explains the thematic areas. The thematic area of a programme is never derived from it.
    """

    code: Code
    """Code of the scheme, such as `mptf-thematic-areas`."""
    version: str
    """Version of the scheme, such as `1`; another assignment of objectives is another version."""
    name: str
    """Name of the scheme, for people."""
    verified: bool
    """True only where it was compared with the text of a document, or with a public copy of it; false for what general
    knowledge, this project or a submission says.
    """
    areas: list[ClusteredArea]
    """The thematic areas with their objectives; each of the 23 objectives is under exactly one area."""
    note: str | None
    """Where the scheme comes from and what it may be used for, for people; null where there is nothing to say."""
    sources: list[SourceRef]
    """Where the facts were taken from: for each member one entry or several; none for what was not taken from anywhere.
    """
    updated: datetime
    """When the record was last written here, in UTC; not when its source was published."""


class GuidingPrinciple(ResponseModel):
    """One of the ten guiding principles of the Global Compact for Migration."""

    code: Code
    """Code of the principle, such as `people-centred`."""
    number: int
    """Position of the principle in the Global Compact, 1 to 10, to sort by."""
    name: str
    """Name of the principle, as the Global Compact prints it."""
    sources: list[SourceRef]
    """Where the facts were taken from: for each member one entry or several; none for what was not taken from anywhere.
    """
    updated: datetime
    """When the record was last written here, in UTC; not when its source was published."""


class Place(ResponseModel):
    """A country or territory, or a region of the world with countries in it."""

    code: Code
    """ISO 3166-1 alpha-3 code of a country or territory, such as `SRB`, or UN M49 code of a region, three digits as
    text, such as `150`. `XKX` is of the codes that ISO leaves to its users; show its `footnote`.
    """
    kind: PlaceKind
    """Whether it is a country or territory, or a region."""
    name: str
    """Name in English, as the United Nations write it."""
    m49: Annotated[str, Field(pattern=r"^[0-9]{3}$")] | None
    """UN M49 code, three digits as text with leading zeros, such as `688`; null where it has none. Of a region it is
    the same as `code`.
    """
    iso_alpha2: Annotated[str, Field(pattern=r"^[A-Z]{2}$")] | None
    """ISO 3166-1 alpha-2 code, such as `RS`; null for a region, or where there is none."""
    region: str | None
    """M49 code of the widest region that it lies in, such as `150` for Europe; null for such a region itself, or where
    there is none.
    """
    subregion: str | None
    """M49 code of the subregion that it lies in, such as `039` for Southern Europe; null where there is none."""
    intermediate_region: str | None
    """M49 code of the intermediate region, within a subregion, that it lies in, such as `014` for Eastern Africa; null
    where there is none.
    """
    footnote: str | None
    """Text that has to stand wherever the name is shown; null where there is none."""
    user_assigned: bool
    """True for a code that is not of ISO 3166-1 but of the range that it leaves to users: `XKX`. Else false."""
    sources: list[SourceRef]
    """Where the facts were taken from: for each member one entry or several; none for what was not taken from anywhere.
    """
    updated: datetime
    """When the record was last written here, in UTC; not when its source was published."""

    @property
    def regions(self) -> list[str]:
        """The codes of the regions that hold the place, the widest first."""
        return [code for code in (self.region, self.subregion, self.intermediate_region) if code]


class PlaceGroupMember(ResponseModel):
    """A place that belongs to a group."""

    code: Code
    """Code of the place, such as `PRT`, as at `/catalog/v1/places`."""
    as_printed: str
    """Name as the source of the group prints it."""


class PlaceGroup(ResponseModel):
    """A group of places, such as the champion countries of the Global Compact, as a document names it."""

    code: Code
    """Code of the group, such as `gcm-champions`; places are found by it with `group`."""
    name: str
    """Name of the group, for people."""
    members: list[PlaceGroupMember]
    """The places that belong to it, in the order of the source; there may be others that no source at hand names."""
    note: str | None
    """What a reader of the group has to know; null where there is nothing."""
    sources: list[SourceRef]
    """Where the facts were taken from: for each member one entry or several."""
    updated: datetime
    """When the record was last written here, in UTC; not when its source was published."""


class Organization(ResponseModel):
    """An organization that takes part in programmes, or may do so."""

    code: Code
    """Short name of the organization, such as `IOM`. Programmes and the ledger name it by this code."""
    name: str
    """Full name of the organization, for people."""
    kind: Literal["un_organization"]
    """What sort of organization it is: so far all are organizations of the United Nations system."""
    sources: list[SourceRef]
    """Where the facts were taken from: for each member one entry or several; none for what was not taken from anywhere.
    """
    updated: datetime
    """When the record was last written here, in UTC; not when its source was published."""


NewOrganizationCode = Annotated[OrganizationCode, AfterValidator(unreserved)]


class OrganizationSent(RequestModel):
    """A new organization, which may then take part in programmes."""

    code: NewOrganizationCode
    """Short name in capitals, such as `UNHCR`, by which programmes and the ledger are to name the organization."""
    name: Annotated[Text, Field(max_length=300)]
    """Full name of the organization, for people."""


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


class PlaceGroupPage(Page[PlaceGroup]):
    """One page of groups of places."""


class OrganizationPage(Page[Organization]):
    """One page of organizations."""


class NumberedQuery(ListQuery):
    """The query of a code list whose entries have numbers."""

    sort: tuple[Literal["number", "-number", "name", "-name"], ...] = order_by("number")


class NamedQuery(ListQuery):
    """The query of a code list without numbers."""

    sort: tuple[Literal["code", "-code", "name", "-name"], ...] = order_by("code")


class ThematicAreaQuery(NumberedQuery):
    code: Annotated[list[Code], with_codes("thematic areas", "3")]


class ObjectiveQuery(NumberedQuery):
    code: Annotated[list[Code], with_codes("objectives", "17")]


class GuidingPrincipleQuery(NumberedQuery):
    code: Annotated[list[Code], with_codes("guiding principles", "people-centred")]


class OrganizationQuery(NamedQuery):
    code: Annotated[list[Code], with_codes("organizations", "IOM")]


class ClusteringQuery(NamedQuery):
    code: Annotated[list[Code], with_codes("clusterings", "mptf-thematic-areas")]


class PlaceGroupQuery(NamedQuery):
    code: Annotated[list[Code], with_codes("groups of places", "gcm-champions")]


class PlaceQuery(NamedQuery):
    code: Annotated[list[Code], with_codes("places", "PRT")]
    kind: Annotated[
        list[PlaceKind],
        Field(
            default_factory=list,
            max_length=100,
            description="Only places of this kind: `country` for countries and territories, `region` for regions.",
            examples=["country"],
        ),
    ]
    region: Annotated[
        Values,
        Field(
            description="Only places that lie in one of these regions: UN M49 codes with three digits, such as `150`"
            " for Europe.",
            examples=["150"],
        ),
    ]
    group: Annotated[
        Values,
        Field(
            description="Only places that belong to one of these groups: codes as at `/catalog/v1/place-groups`.",
            examples=["gcm-champions"],
        ),
    ]
    q: Annotated[
        Search | None,
        Field(
            description="Only places with these words, or words that begin so, in one of their names, also former and"
            f" short ones. {HOW}",
            examples=["portugal"],
        ),
    ] = None
