"""The contracts of the running services: fetched when needed, cached for a minute, merged into one."""

from __future__ import annotations

import asyncio
import hashlib
import json
import logging
import time
from dataclasses import dataclass
from typing import Any

from mmptf_common.wire.problems import ProblemError
from mmptf_gateway.compression import Body
from mmptf_gateway.merge import merge
from mmptf_gateway.upstreams import Asking, ServiceAnswer

log = logging.getLogger("mmptf.gateway")

FRESH_SECONDS = 60.0
LIMIT_SECONDS = 2.0

# A service makes its contract when it is first asked for, which takes a busy processor two seconds or three. Many
# clients wait for five; where it is not made by then, the answer says so and when to come again.
FIRST_LIMIT_SECONDS = 3.5


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
    """The last contract of each service; a service that was never reached is named as missing.

    Those of a megabyte are read and merged in a thread: no other request waits for that.
    """

    def __init__(self, asking: Asking, own: dict[str, Any]) -> None:
        self._asking = asking
        self._own = own
        self._known: dict[str, KnownContract] = {}
        self._merged: MergedContract | None = None
        self._fetching: asyncio.Task[MergedContract] | None = None

    async def merged(self) -> MergedContract:
        """The contracts that are known, after those that are due were fetched, as one.

        Callers that come during a fetch get its result, so that none waits longer than LIMIT_SECONDS, or
        FIRST_LIMIT_SECONDS while the contract of a service was never fetched.
        """
        if self._fetching is None:
            self._fetching = asyncio.create_task(self._fetch())
            self._fetching.add_done_callback(self._end)
        return await asyncio.shield(self._fetching)

    def _end(self, _: asyncio.Task[MergedContract]) -> None:
        self._fetching = None

    async def _fetch(self) -> MergedContract:
        before = {name: known.contract for name, known in self._known.items()}
        due = [name for name in self._asking.upstreams if self._is_due(name)]
        await asyncio.gather(*(self._ask(name) for name in due))
        now = {name: known.contract for name, known in self._known.items()}
        if self._merged is None or now != before:
            self._merged = await asyncio.to_thread(self._merge, now)
        return self._merged

    def _is_due(self, name: str) -> bool:
        known = self._known.get(name)
        return known is None or time.monotonic() - known.at > FRESH_SECONDS

    async def _ask(self, name: str) -> None:
        known = self._known.get(name)
        headers = {"If-None-Match": known.tag} if known and known.tag else {}
        limit = LIMIT_SECONDS if known else FIRST_LIMIT_SECONDS
        try:
            answer = await self._asking.get(name, "/openapi.json", seconds=limit, headers=headers)
            if known and answer.status == 304:
                contract = known.contract
            else:
                if not answer.is_success:
                    raise ValueError(f"it answered {answer.status}")
                contract = await asyncio.to_thread(self._usable, name, answer)
        except (ProblemError, ValueError, LookupError, TypeError, AttributeError) as error:
            # One contract that cannot be used must not make those of the other services unavailable.
            log.warning("no contract", extra={"service": name, "reason": f"{type(error).__name__}: {error}"})
            return
        self._known[name] = KnownContract(contract, answer.headers.get("etag"), time.monotonic())

    def _usable(self, name: str, answer: ServiceAnswer) -> dict[str, Any]:
        """The contract in an answer; raises what merging it does where it cannot be used."""
        contract: dict[str, Any] = answer.json()
        merge({name: contract}, self._own)
        return contract

    def _merge(self, contracts: dict[str, dict[str, Any]]) -> MergedContract:
        merged = merge(contracts, self._own)
        missing = tuple(sorted(set(self._asking.upstreams) - set(contracts)))
        if missing:
            merged["x-missing-services"] = missing
            note = f"**Not whole:** the contract of {', '.join(missing)} could not be fetched yet; load it again."
            merged["info"]["description"] = f"{note}\n\n{merged['info']['description']}"
        text = json.dumps(merged, ensure_ascii=False, separators=(",", ":")).encode()
        return MergedContract(Body.of(text), f'"{hashlib.blake2b(text, digest_size=12).hexdigest()}"', missing)
