"""Access tokens for tests: a real issuer beside them, and the headers of its clients."""

from __future__ import annotations

import atexit
import threading
import time
import uuid
from functools import cache, lru_cache

import uvicorn

from mmptf_local.issuer import AUDIENCE, Issuer, create_app
from mmptf_local.processes import LOOPBACK, free_port


@cache
def issuer() -> Issuer:
    """The issuer whose tokens the apps under test accept, served over HTTP until the tests end."""
    port = free_port()
    found = Issuer(f"http://{LOOPBACK}:{port}")
    server = uvicorn.Server(
        uvicorn.Config(
            create_app(found),
            host=LOOPBACK,
            port=port,
            log_config=None,
            lifespan="off",
            timeout_graceful_shutdown=1,
        )
    )
    thread = threading.Thread(target=server.run, daemon=True)
    thread.start()
    atexit.register(_end, server, thread)
    while not server.started:
        time.sleep(0.005)
    return found


def _end(server: uvicorn.Server, thread: threading.Thread) -> None:
    # A loop of uvloop whose timer is due after the end of the interpreter asks it for a thread state, and crashes.
    server.should_exit = True
    thread.join()


def identity() -> dict[str, str]:
    """The environment of a service that accepts the issuer's tokens."""
    return {"IDENTITY_ISSUER": issuer().url, "IDENTITY_AUDIENCE": AUDIENCE}


def bearer(client: str, organization: str | None = None, **claims: object) -> dict[str, str]:
    """The header with the token of one of the issuer's clients, for an organization; without claims of its own it is
    the same for a minute, as clients use theirs.
    """
    if claims:
        return {"authorization": f"Bearer {issuer().token(client, organization=organization, **claims)}"}
    return {"authorization": f"Bearer {_token(client, organization, int(time.time()) // 60)}"}


@lru_cache
def _token(client: str, organization: str | None, minute: int) -> str:
    return issuer().token(client, organization=organization)


def writing(client: str, organization: str | None = None, *, match: str | None = None) -> dict[str, str]:
    """The headers of a new write, and of a change where `match` is the ETag of what it changes."""
    headers = {**bearer(client, organization), "idempotency-key": str(uuid.uuid4())}
    return headers if match is None else {**headers, "if-match": match}
