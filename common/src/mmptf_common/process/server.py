"""Running an app under uvicorn, with the same configuration for every process of the suite."""

from __future__ import annotations

import asyncio
import contextlib
import ctypes
import logging
import signal
import sys
import time
from collections.abc import Iterator
from types import FrameType

import uvicorn
from starlette.applications import Starlette

from mmptf_common.process.logs import configure_logging
from mmptf_common.process.metrics import CannotListen, Exposition
from mmptf_common.process.protocol import Admission, HeldAnswers, HttpProtocol
from mmptf_common.process.settings import ServerSettings
from mmptf_common.process.telemetry import NoTelemetry, sending

log = logging.getLogger("mmptf.server")

# Blocks of this size and more have pages of their own, which go back to the system once they are freed. By default
# glibc raises its limit to the largest block that was freed: the bodies of long answers then leave gaps between small
# objects, and the process keeps them.
LARGE_BLOCK = 262_144
# Seconds after which a server sets the Date of its answers anew.
TICK_SECONDS = 1.0
_M_MMAP_THRESHOLD = -3


class _Server(uvicorn.Server):
    """A server that ends in steps, the first at SIGTERM, SIGINT or SIGHUP, and each further signal goes on to the next:

    1. it drains for `drain_seconds`: it is not ready, and answers all requests, each as the last of its connection
    2. it accepts no connection, closes those without a request, and finishes the requests under way (uvicorn)
    3. it ends, whether they are finished or not
    """

    def __init__(self, config: uvicorn.Config, *, drain_seconds: float, log_level: str) -> None:
        super().__init__(config)
        self._drain_seconds = drain_seconds
        self._log_level = log_level
        self._drained_at: float | None = None
        self._loop: asyncio.AbstractEventLoop | None = None
        self._is_signalled = asyncio.Event()

    def is_draining(self) -> bool:
        """Whether the process ends, soon or now."""
        return self._drained_at is not None or self.should_exit

    def is_ending(self) -> bool:
        """Whether the process accepts no connection any more."""
        return self.should_exit

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        """Go on to the next step; called as a signal handler."""
        if self.should_exit:
            self.force_exit = True
        elif self._drained_at is not None or not self._drain_seconds:
            self.should_exit = True
        else:
            self._drained_at = time.monotonic() + self._drain_seconds
        for connection in list(self.server_state.connections):
            if isinstance(connection, HttpProtocol):
                connection.end_after_answer()
        if self._loop:
            self._loop.call_soon_threadsafe(self._is_signalled.set)

    async def main_loop(self) -> None:
        """Run until the server ends, and look whether it does once a second, at once after a signal, and when drained.

        To look ten times a second, as the base class does, is half of what a process uses that nobody asks.
        """
        self._loop = asyncio.get_running_loop()
        while not await self.on_tick(0):
            seconds = TICK_SECONDS
            if self._drained_at is not None:
                seconds = min(seconds, max(0.0, self._drained_at - time.monotonic()))
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(seconds):
                    await self._is_signalled.wait()
            self._is_signalled.clear()

    async def on_tick(self, counter: int) -> bool:
        """Take the present second for the Date of answers, where counter is 0; returns whether the server ends."""
        if self._drained_at is not None and not self.should_exit:
            self.should_exit = time.monotonic() >= self._drained_at
        return await super().on_tick(counter)

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Handle SIGHUP like SIGTERM, unless the process was started so that it ignores it, and SIGUSR1."""
        with super().capture_signals():
            before_switch = signal.signal(signal.SIGUSR1, self._switch_log_level)
            before = signal.getsignal(signal.SIGHUP)
            if before is not signal.SIG_IGN:
                signal.signal(signal.SIGHUP, self.handle_exit)
            try:
                yield
            finally:
                signal.signal(signal.SIGHUP, before)
                signal.signal(signal.SIGUSR1, before_switch)

    def _switch_log_level(self, sig: int, frame: FrameType | None) -> None:
        """Log from DEBUG on, or from the level of the settings on where that is so; called as a signal handler."""
        level = "DEBUG" if logging.root.level != logging.DEBUG else self._log_level
        logging.root.setLevel(level)
        log.warning("lines are logged from another level on", extra={"least": level})


def serve(app: Starlette, settings: ServerSettings, *, cors_origins: tuple[str, ...] = ()) -> None:
    """Serve until SIGTERM, SIGINT or SIGHUP, then finish the requests under way; exits 3 when the app cannot start.

    cors_origins: the origins whose scripts may read what the server refuses before the app
    """
    configure_logging(settings.log_level)
    with contextlib.suppress(AttributeError):  # other C libraries have no such function
        ctypes.CDLL(None).mallopt(_M_MMAP_THRESHOLD, LARGE_BLOCK)
    server: _Server
    limits = {
        "cors_origins": cors_origins,
        "base_path": settings.base_path,
        "segments": tuple(getattr(app.state, "segments", ())),
        "admission": Admission(settings.connections, settings.connections_per_client),
        "held": HeldAnswers(),
        "is_draining": lambda _: server.is_draining(),
        "at_once": getattr(app.state, "at_once", None),
    }
    config = uvicorn.Config(
        app,
        host=settings.host,
        port=settings.port,
        http=type("HttpProtocol", (HttpProtocol,), limits),
        ws="none",
        lifespan="on",
        access_log=False,
        forwarded_allow_ips=settings.forwarded_allow_ips,
        log_config=None,
        server_header=False,
        timeout_keep_alive=75,
        timeout_graceful_shutdown=20,
    )
    server = _Server(config, drain_seconds=settings.drain_seconds, log_level=settings.log_level)
    # Requests that wait for a change read the second one, to answer before the process ends.
    app.state.is_draining, app.state.is_ending = server.is_draining, server.is_ending
    # Another app than those that `create_app` makes has no figures.
    exposition: Exposition | None = getattr(app.state, "exposition", None)
    port = settings.metrics_port
    endpoint = settings.otel_exporter_otlp_endpoint
    try:
        with (
            sending(endpoint, f"mmptf-{exposition.service}", exposition.version)
            if exposition
            else contextlib.nullcontext(),
            exposition.served(settings.host, port) if exposition and port else contextlib.nullcontext(),
        ):
            server.run()
    except NoTelemetry as error:
        sys.stderr.write(f"{error}\n")
        sys.exit(1)
    except CannotListen as error:
        sys.stderr.write(f"{error}\n")
        sys.exit(3)
    if not server.started:
        sys.exit(3)
