"""What an operator can set for the marker service beyond what every service has."""

from __future__ import annotations

from mmptf_common.process.settings import ServiceSettings


class MarkersSettings(ServiceSettings):
    """The addresses of the services whose records it copies, beside what every service is set by.

    CATALOG_URL       http://host:port of the catalogue, whose programmes and places are replicated
    FUNDING_URL       http://host:port of the funding service, whose ledger is replicated
    """

    catalog_url: str | None = None
    funding_url: str | None = None
