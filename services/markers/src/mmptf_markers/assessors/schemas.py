"""The wire shapes of settlements: which organizations assess a programme of which the catalogue names none."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated

from pydantic import Field, JsonValue

from mmptf_common.wire.base import Code, OrganizationCode, PatchModel, RequestModel, ResponseModel, Text, unset
from mmptf_common.wire.pages import Page
from mmptf_common.wire.sources import SourceRef

Reason = Annotated[Text, Field(max_length=2000)]


class AssessorSettlementSent(RequestModel):
    """Which organizations assess a programme, and why these."""

    programme: Code
    """Code of the programme, as at `/catalog/v1/programmes`, such as `MDA-01`; the catalogue names none that takes part
    in it.
    """
    organizations: Annotated[list[OrganizationCode], Field(min_length=1, max_length=40)]
    """Codes of the organizations that assess it jointly, as at `/catalog/v1/organizations`."""
    lead_organization: OrganizationCode | None = None
    """Code of the one of them that submits assessments; left out where each of them may."""
    reason: Reason
    """Why these, for the public, such as the decision or the document that names them."""


class AssessorSettlementAmendment(PatchModel):
    """A correction of a settlement. What is not sent stays as it is."""

    organizations: Annotated[list[OrganizationCode], Field(default_factory=unset, min_length=1, max_length=40)]
    """Codes of the organizations that assess it jointly; the list replaces the one that was there."""
    lead_organization: Annotated[OrganizationCode | None, Field(default_factory=unset)]
    """Code of the one of them that submits assessments; null where each of them may."""
    reason: Reason
    """Why it is corrected, for the public."""


class AssessorSettlement(ResponseModel):
    """Which organizations assess a programme of which the catalogue names none, as the Fund's management unit settled
    it. From when the catalogue names organizations, those assess the programme, and the settlement does not count.
    """

    code: Code
    """Code of the programme, as at `/catalog/v1/programmes`, such as `MDA-01`."""
    organizations: list[Code]
    """Codes of the organizations that assess it jointly, as at `/catalog/v1/organizations`, in alphabetical order."""
    lead_organization: Code | None
    """Code of the one of them that submits assessments; null where each of them may."""
    reason: str
    """Why these, or why it was corrected."""
    sources: list[SourceRef]
    """Where it was settled: the submission of the management unit."""
    updated: datetime
    """When the record was last written here, in UTC; not when its source was published."""


class AssessorSettlementPage(Page[AssessorSettlement]):
    """One page of settlements."""


# The examples of request bodies in the contract; each is valid with the packaged data.
EXAMPLE_SETTLEMENT: dict[str, JsonValue] = {
    "programme": "MDA-01",
    "organizations": ["ILO", "IOM"],
    "lead_organization": "IOM",
    "reason": "The joint programme document is signed by both.",
}
EXAMPLE_SETTLEMENT_AMENDMENT: dict[str, JsonValue] = {
    "organizations": ["ILO", "IOM", "WHO"],
    "reason": "WHO has joined by an amendment of the document.",
}
