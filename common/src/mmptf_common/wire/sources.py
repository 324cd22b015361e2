"""Sources of facts, and gaps in the sources."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Literal

from pydantic import ConfigDict, Field
from typing_extensions import TypeAliasType

from mmptf_common.wire.base import Code, ResponseModel

GapKind = TypeAliasType(
    "GapKind",
    Literal["not_stated_in_source", "partly_stated"],
)
"""How much of a fact is missing in the sources.

- `not_stated_in_source`: the sources state nothing of it
- `partly_stated`: the sources state only a part of it
"""


class SourceRef(ResponseModel):
    """Where one fact of a record was taken from: the document, the place in it, and what is printed there."""

    field: str
    """Name of the member that was taken from here, such as `title`; a dot leads to a member of a member."""
    document: Code
    """Code of the document, such as `mptf-europe-brochure-2024`, as at `documents` of the same service. `suite` stands
    for what this project added itself, `submission` for what was written through this API.
    """
    line: Annotated[int, Field(ge=1)] | None
    """Line in the plain text of the document, counted from 1; null where no such text is held, then see `locator`."""
    locator: str | None
    """The place in words, such as `para 16, objective 1`; null where `line` says enough."""
    as_printed: str | None
    """The figure or words exactly as the document prints them; null where nothing is quoted."""
    verified: bool
    """True only where the fact was compared with the text of the document, or with a public copy of it; false for what
    general knowledge, this project or a submission says.
    """
    note: str | None
    """What a reader of this source has to know, for people; null where there is nothing."""


class PrintedCount(ResponseModel):
    """How many records there are with one value of a filter, as a document prints it."""

    by: str
    """Name of the filter by which the document counts, such as `stage`."""
    value: str
    """Value of that filter, such as `funded`."""
    printed: Annotated[int, Field(ge=1)]
    """Number of such records according to the documents."""
    sources: list[SourceRef]
    """Where the number is printed."""


class Gap(ResponseModel):
    """A fact that the sources do not state, or state only in part. Show it as not known, not as zero or none."""

    field: str
    """Name of the member that is null, empty or incomplete, such as `budget`; `places.share` is `share` of each of
    `places`.
    """
    kind: GapKind
    """Whether the sources state nothing of it, or only a part."""
    note: str | None
    """What exactly is missing, for people; null where `kind` says enough."""


ContactKind = TypeAliasType("ContactKind", Literal["address", "telephone", "fax", "email", "website"])
"""How a publisher of a document is reached.

- `address`: a postal address, with the name of the office
- `telephone`: a telephone number
- `fax`: the number of a fax machine
- `email`: an e-mail address
- `website`: the address of a site on the web, as printed, which may be without `https://`
"""


class Contact(ResponseModel):
    """A contact that a document prints for whoever published it; it may have changed since."""

    kind: ContactKind
    """Whether it is a postal address, a number, an e-mail address or a site."""
    value: str
    """The contact as printed; the lines of a postal address are joined with commas."""
    line: Annotated[int, Field(ge=1)] | None
    """Line in the plain text of the document on which it begins, counted from 1; null where no such text is held."""


LostPartKind = TypeAliasType("LostPartKind", Literal["chart", "logos", "map", "photograph", "text"])
"""What sort of part of a document cannot be read.

- `chart`: a chart or a table that was drawn, with its figures
- `logos`: names that are shown as logos
- `map`: a map
- `photograph`: a photograph
- `text`: text that stood in the document
"""


class LostPart(ResponseModel):
    """A part that a document has, or had, and that its plain text lacks: nothing can be said of what it states."""

    kind: LostPartKind
    """Sort of part."""
    line: Annotated[int, Field(ge=1)] | None
    """Line in the plain text that shows that the part exists, such as its heading, counted from 1; null where none."""
    as_printed: str | None
    """The words on that line, such as the heading of a chart, exactly as the document prints them; null where none."""
    note: str
    """What is missing, for people."""


class Publication(ResponseModel):
    """A document that facts were taken from, or `suite` and `submission`, which stand for facts from none."""

    # Every answer has all members; the last two may be missing in packaged data, and in answers of earlier builds.
    model_config = ConfigDict(json_schema_serialization_defaults_required=True)

    code: Code
    """Code by which `sources` of records name the document."""
    title: str
    """Title as published, or a descriptive one where the document has none."""
    publisher: str | None
    """Name of who published it; null where it is not stated."""
    year: int | None
    """Year of publication; null where it is not stated."""
    kind: str
    """Sort of document, such as `brochure`, `report` or `web_page`."""
    url: str | None
    """URL at which it was published; null where none is known."""
    note: str | None
    """What a reader of figures from it has to know, for people; null where there is nothing."""
    contacts: list[Contact] = []
    """Contacts of its publisher, as it prints them; empty where it prints none, or none is recorded."""
    gaps: list[LostPart] = []
    """Parts of it that its plain text lacks; empty where none is known."""
    updated: datetime
    """When the record was last written here, in UTC; not when its source was published."""
