"""The catalogue's settings, in addition to those of every service."""

from __future__ import annotations

from mmptf_common.process.settings import ServiceAddress, ServiceSettings


class CatalogSettings(ServiceSettings):
    """The settings of every service, and the address of the ledger.

    FUNDING_URL       http://host:port of the funding service, which says whether the money of a programme is settled;
                      without it no programme can be closed financially
    """

    funding_url: ServiceAddress = None
