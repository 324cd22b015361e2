"""The marker service's settings, in addition to those of every service."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from mmptf_common.process.settings import ServiceAddress, ServiceSettings


class MarkersSettings(ServiceSettings):
    """The settings of every service, the addresses of the services whose records are copied, and how reviews are made.

    CATALOG_URL       http://host:port of the catalogue, whose programmes and places are replicated
    FUNDING_URL       http://host:port of the funding service, whose ledger is replicated
    SECOND_RATINGS    the share of reviews, from 0 to 1, after which another reviewer rates the assessment anew
    """

    catalog_url: ServiceAddress = None
    funding_url: ServiceAddress = None
    second_ratings: Annotated[float, Field(ge=0, le=1)] = 0.2
