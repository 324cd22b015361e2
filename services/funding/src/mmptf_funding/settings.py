"""The funding service's settings, in addition to those of every service."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from mmptf_common.process.settings import ServiceAddress, ServiceSettings


class FundingSettings(ServiceSettings):
    """The settings of every service, the address of the catalogue, and how old its copy may be.

    CATALOG_URL       http://host:port of the catalogue, whose programmes, organizations and thematic areas are copied;
                      without it no entry can name one
    CATALOG_MAX_AGE   the most seconds since the copy last had no further changes, for entries that name any of them
    """

    catalog_url: ServiceAddress = None
    catalog_max_age: Annotated[int, Field(ge=0)] = 86_400
