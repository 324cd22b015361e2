"""The marker service's settings, in addition to those of every service."""

from __future__ import annotations

from mmptf_common.process.settings import ServiceSettings


class MarkersSettings(ServiceSettings):
    """The settings of every service, and the addresses of the services whose records are copied.

    CATALOG_URL       http://host:port of the catalogue, whose programmes and places are replicated
    FUNDING_URL       http://host:port of the funding service, whose ledger is replicated
    """

    catalog_url: str | None = None
    funding_url: str | None = None
