"""The list of documents that facts were taken from, the same in every service."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from mmptf_common.http.parameters import ListQuery
from mmptf_common.lists.listing import Listing
from mmptf_common.wire.pages import Page
from mmptf_common.wire.sources import Document

ENTITY, TABLE = "document", "source_document"
ABOUT = "A document that facts of this service were taken from, under the code by which its facts name it."


class DocumentPage(Page[Document]):
    """One page of documents."""


class DocumentQuery(ListQuery):
    """Documents, all of them."""

    sort: Annotated[Literal["code", "-code"], Field(description="The order.")] = "code"


def documents_of(service: str) -> Listing:
    """The list at /{service}/v1/documents, over the service's own table of documents."""
    return Listing(
        path=f"/{service}/v1/documents",
        entity=ENTITY,
        item=Document,
        page=DocumentPage,
        rows=TABLE,
        query=DocumentQuery,
        sorts={"code": ("code", "text")},
        filters={},
        columns={
            "code": "code",
            **{
                name: f"document->>'{name}'"
                for name in ("title", "publisher", "year", "kind", "url", "note", "updated")
            },
        },
    )
