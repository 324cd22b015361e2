"""The peer of the gateway's view: FastAPI and httpx as their documentation shows them, one client for all requests."""

from __future__ import annotations

import asyncio
import gc
import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import httpx
import uvicorn
from fastapi import FastAPI
from pydantic import BaseModel


class Part(BaseModel):
    """The card of one service."""

    service: str
    card: dict[str, Any] | None


class View(BaseModel):
    """The cards of all services."""

    code: str
    complete: bool
    parts: list[Part]


SERVICES = dict(each.split("=") for each in os.environ.get("SERVICES", "").split(",") if each)


@asynccontextmanager
async def lifespan(app: FastAPI) -> AsyncIterator[None]:
    """The client, open while the app runs."""
    async with httpx.AsyncClient() as client:
        app.state.client = client
        gc.collect()
        gc.freeze()
        yield


app = FastAPI(lifespan=lifespan)


@app.get("/programmes/{code}")
async def get_view(code: str) -> View:
    """The cards of a programme, requested from all services at once."""

    async def ask(name: str, origin: str) -> Part:
        answer = await app.state.client.get(f"{origin}/{name}/v1/cards/programmes/{code}")
        return Part(service=name, card=answer.json() if answer.is_success else None)

    parts = await asyncio.gather(*(ask(name, origin) for name, origin in SERVICES.items()))
    return View(code=code, complete=all(part.card for part in parts), parts=list(parts))


if __name__ == "__main__":
    uvicorn.run(app, port=int(os.environ["PORT"]), http="httptools", access_log=False, log_config=None)
