"""What an operator can set for the funding service beyond what every service has."""

from __future__ import annotations

from mmptf_common.process.settings import ServiceSettings


class FundingSettings(ServiceSettings):
    """The address of the catalogue beside what every service is set by.

    CATALOG_URL       http://host:port of the catalogue, which is asked when the ledger is written; without it the
                      ledger cannot be written
    """

    catalog_url: str | None = None
