"""Running an app under uvicorn, with the same configuration for every process of the suite."""

from __future__ import annotations

import sys

import uvicorn
from starlette.applications import Starlette

from mmptf_common.process.logs import configure_logging
from mmptf_common.process.protocol import HttpProtocol
from mmptf_common.process.settings import ServerSettings


def serve(app: Starlette, settings: ServerSettings, *, cors_origins: tuple[str, ...] = ()) -> None:
    """Serve until SIGTERM or SIGINT, then finish the requests under way; exits 3 when the app cannot start.

    cors_origins: the origins whose scripts may read what the server refuses before the app
    """
    configure_logging(settings.log_level)
    config = uvicorn.Config(
        app,
        host=settings.host,
        port=settings.port,
        http=type(
            "HttpProtocol",
            (HttpProtocol,),
            {
                "cors_origins": cors_origins,
                "base_path": settings.base_path,
                "segments": tuple(getattr(app.state, "segments", ())),
            },
        ),
        ws="none",
        lifespan="on",
        access_log=False,
        forwarded_allow_ips=settings.forwarded_allow_ips,
        log_config=None,
        server_header=False,
        timeout_keep_alive=75,
        timeout_graceful_shutdown=20,
    )
    server = uvicorn.Server(config)
    # Requests that wait for a change read this, to answer before the process ends.
    app.state.is_ending = lambda: server.should_exit
    server.run()
    if not server.started:
        sys.exit(3)
