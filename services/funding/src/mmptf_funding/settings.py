"""The funding service's settings, in addition to those of every service."""

from __future__ import annotations

from mmptf_common.process.settings import ServiceSettings


class FundingSettings(ServiceSettings):
    """The settings of every service, and the address of the catalogue.

    CATALOG_URL       http://host:port of the catalogue, which writes to the ledger ask for codes; without it the
                      ledger cannot be written
    """

    catalog_url: str | None = None
