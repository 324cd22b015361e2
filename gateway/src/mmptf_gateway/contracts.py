"""The contracts of the running services: fetched when needed, cached for a minute, merged into one."""

from __future__ import annotations

import asyncio
import hashlib
import json
import logging
import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import httpx

from mmptf_gateway.compression import Body
from mmptf_gateway.merge import merge

log = logging.getLogger("mmptf.gateway")

FRESH_SECONDS = 60.0
LIMIT_SECONDS = 2.0


@dataclass(frozen=True, slots=True)
class KnownContract:
    """The contract of one service, its ETag, and the monotonic second when it was last current."""

    contract: dict[str, Any]
    tag: str | None
    at: float


@dataclass(frozen=True, slots=True)
class MergedContract:
    """The merged contract as JSON text, an ETag made from it, and the services whose contracts it lacks."""

    text: Body
    tag: str
    missing: tuple[str, ...]


class Contracts:
    """The last contract of each service; a service that was never reached is named as missing."""

    def __init__(self, services: Mapping[str, str], client: httpx.AsyncClient, own: dict[str, Any]) -> None:
        self._services = services
        self._client = client
        self._own = own
        self._known: dict[str, KnownContract] = {}
        self._lock = asyncio.Lock()
        self._merged: MergedContract | None = None

    async def merged(self) -> MergedContract:
        """The contracts that are known, after those that are due were fetched, as one."""
        async with self._lock:
            before = {name: known.contract for name, known in self._known.items()}
            due = [name for name in self._services if self._is_due(name)]
            await asyncio.gather(*(self._ask(name) for name in due))
            now = {name: known.contract for name, known in self._known.items()}
            if self._merged is None or now != before:
                self._merged = self._merge(now)
            return self._merged

    def _is_due(self, name: str) -> bool:
        known = self._known.get(name)
        return known is None or time.monotonic() - known.at > FRESH_SECONDS

    async def _ask(self, name: str) -> None:
        known = self._known.get(name)
        headers = {"If-None-Match": known.tag} if known and known.tag else {}
        try:
            async with asyncio.timeout(LIMIT_SECONDS):
                answer = await self._client.get(f"{self._services[name]}/openapi.json", headers=headers)
            if known and answer.status_code == httpx.codes.NOT_MODIFIED:
                contract = known.contract
            else:
                contract = answer.raise_for_status().json()
                merge({name: contract}, self._own)
        except (httpx.HTTPError, TimeoutError, ValueError, LookupError, TypeError, AttributeError) as error:
            # One contract that cannot be used must not make those of the other services unavailable.
            log.warning("no contract", extra={"service": name, "reason": f"{type(error).__name__}: {error}"})
            return
        self._known[name] = KnownContract(contract, answer.headers.get("etag"), time.monotonic())

    def _merge(self, contracts: dict[str, dict[str, Any]]) -> MergedContract:
        merged = merge(contracts, self._own)
        missing = tuple(sorted(set(self._services) - set(contracts)))
        if missing:
            merged["x-missing-services"] = missing
            note = f"**Not whole:** the contract of {', '.join(missing)} could not be fetched yet; load it again."
            merged["info"]["description"] = f"{note}\n\n{merged['info']['description']}"
        text = json.dumps(merged, ensure_ascii=False, separators=(",", ":")).encode()
        return MergedContract(Body.of(text), f'"{hashlib.blake2b(text, digest_size=12).hexdigest()}"', missing)
