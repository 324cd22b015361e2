"""The list of documents that facts were taken from, with the same declaration in every service."""

from __future__ import annotations

from typing import Literal

from mmptf_common.http.parameters import ListQuery, order_by
from mmptf_common.lists.listing import Listing, completed
from mmptf_common.wire.pages import Page
from mmptf_common.wire.sources import Publication

ENTITY, TABLE = "document", "source_document"
ABOUT = "A document that facts of this service were taken from, under the code by which `sources` of records name it."


class PublicationPage(Page[Publication]):
    """One page of documents."""


class PublicationQuery(ListQuery):
    """The query of the list of documents, which has no filters."""

    sort: tuple[Literal["code", "-code"], ...] = order_by("code")


def publications_of(service: str) -> Listing:
    """The list at /{service}/v1/documents, over the service's own table of documents."""
    return Listing(
        path=f"/{service}/v1/documents",
        entity=ENTITY,
        item=Publication,
        page=PublicationPage,
        rows=TABLE,
        # Documents of before have neither contacts nor gaps.
        record=completed("record::text", {"contacts": "'[]'", "gaps": "'[]'"}),
        query=PublicationQuery,
        sorts={"code": ("code", "text")},
        filters={},
        columns={
            "code": "code",
            **{name: f"record->>'{name}'" for name in ("title", "publisher", "year", "kind", "url", "note")},
            "contacts": "(SELECT string_agg(contact->>'value', '|')"
            " FROM jsonb_array_elements(record->'contacts') AS contact)",
            "gaps": "(SELECT string_agg(gap->>'note', '|') FROM jsonb_array_elements(record->'gaps') AS gap)",
            "updated": "record->>'updated'",
        },
    )
