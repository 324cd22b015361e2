"""Commands on the code lists: add an organization."""

from __future__ import annotations

import sqlalchemy as sa
from sqlmodel import col

from mmptf_catalog.code_lists.queries import ORGANIZATIONS
from mmptf_catalog.code_lists.schemas import Organization, OrganizationSent
from mmptf_catalog.models import OrganizationRow
from mmptf_common.http.identity import Identity
from mmptf_common.storage.journal import Write
from mmptf_common.storage.records import submission
from mmptf_common.wire.problem_codes import ProblemCode
from mmptf_common.wire.problems import Conflict
from mmptf_common.writes.commands import Created


async def add_organization(write: Write, who: Identity, sent: OrganizationSent) -> Created:
    """Add an organization, which can then take part in programmes; raises Conflict when its code is taken."""
    alike = sa.func.lower(col(OrganizationRow.code)) == sent.code.lower()
    if taken := await write.session.scalar(sa.select(col(OrganizationRow.code)).where(alike).limit(1)):
        raise Conflict(f"{taken} is listed already.", code=ProblemCode.CODE_TAKEN)
    stated_by = f"Stated by {who.organization}." if who.organization else None
    source = submission(write, f"{ORGANIZATIONS.path}/{sent.code}", "name", stated_by)
    organization = Organization(
        code=sent.code, name=sent.name, kind="un_organization", sources=[source], updated=write.at
    )
    write.session.add(organization_row(organization))
    return Created(ORGANIZATIONS, sent.code)


def organization_row(organization: Organization) -> OrganizationRow:
    """The row of an organization."""
    return OrganizationRow(
        code=organization.code,
        name=organization.name,
        updated=organization.updated,
        record=organization.model_dump(mode="json"),
    )
