"""The command `mmptf-local up`: start the suite, show the output of its processes, stop it on Ctrl-C."""

import argparse
import os
import signal
import sys
import threading
import time
from collections.abc import Mapping
from contextlib import suppress
from types import FrameType
from typing import NoReturn

from mmptf_common.process.build import described
from mmptf_local.issuer import CLIENTS
from mmptf_local.processes import CannotStart, Child
from mmptf_local.suite import Suite, running_suite

# The codes of a terminal for green, yellow, cyan, red, blue, magenta and white.
COLOURS = (32, 33, 36, 31, 34, 35, 37)
STOPPING = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


def main() -> None:
    """Run the command; exit code 0 after Ctrl-C or SIGTERM, 1 when something could not be started."""
    parser = argparse.ArgumentParser(prog="mmptf-local", description="Runs the whole suite on this machine.")
    parser.add_argument("--version", action="version", version=described("mmptf-local"))
    verbs = parser.add_subparsers(dest="verb", required=True)
    verbs.add_parser("up", help="start everything and wait for Ctrl-C")
    parser.parse_args()
    for number in STOPPING:
        signal.signal(number, _interrupt)
    sys.exit(_up(Console()))


class Console:
    """Whole lines on standard output, from several threads."""

    def __init__(self) -> None:
        self._began = time.monotonic()
        self._lock = threading.Lock()
        self._colour = sys.stdout.isatty() and "NO_COLOR" not in os.environ
        self._labels: dict[str, int] = {}

    def log(self, label: str, line: str) -> None:
        """Print a line of a child, after its label."""
        name = f"{label:<8} │"
        with self._lock:
            number = self._labels.setdefault(label, len(self._labels))
        colour = COLOURS[number % len(COLOURS)]
        self.write(f"\x1b[{colour}m{name}\x1b[0m {line}" if self._colour else f"{name} {line}")

    def progress(self, line: str) -> None:
        """Print a finished step, after the seconds since the start."""
        self.write(f"{time.monotonic() - self._began:6.1f} s  {line}")

    def write(self, text: str) -> None:
        """Print a line; an output that was closed is ignored."""
        with self._lock, suppress(OSError):
            print(text, flush=True)


def _up(console: Console) -> int:
    try:
        with running_suite(log=console.log, progress=console.progress) as suite:
            console.write(_welcome(suite))
            _report_ends(suite.children, console)
    except CannotStart as problem:
        console.write(f"cannot start: {problem}")
    except KeyboardInterrupt:
        console.progress("stopped")
        return 0
    return 1


def _welcome(suite: Suite) -> str:
    gateway = suite.urls["gateway"]
    rows = [("gateway", gateway), ("reference", f"{gateway}/docs")]
    rows += [(name, url) for name, url in suite.urls.items() if name not in ("gateway", "issuer")]
    lines = ["", *(f"  {name:<10} {url}" for name, url in rows), ""]
    if issuer := suite.urls.get("issuer"):
        lines += ["An access token of each role:"]
        lines += [f"  {client:<{max(map(len, CLIENTS))}} {text}" for client, text in token_commands(issuer).items()]
        lines += [""]
    return "\n".join((*lines, "Ctrl-C stops everything.", ""))


def token_commands(issuer: str) -> dict[str, str]:
    """For each client of the issuer at this URL, the shell command that puts a token of it into TOKEN."""
    return {
        client: f"TOKEN=$(curl -s -d grant_type=client_credentials -d client_id={client} {issuer}/token"
        " | grep -o 'ey[^\"]*')"
        for client in CLIENTS
    }


def _report_ends(children: Mapping[str, Child], console: Console) -> None:
    """Print the name of each child that ends, while the others keep running; return when none is left."""
    running = dict(children)
    while running:
        for name, child in list(running.items()):
            if not child.alive:
                del running[name]
                console.write(f"{name} has ended by itself ({child.ending()}); the others keep running")
        time.sleep(0.2)


def _interrupt(number: int, frame: FrameType | None) -> NoReturn:
    # From here on everything is being stopped, each child within its time limit: a second Ctrl-C is ignored.
    for each in STOPPING:
        signal.signal(each, signal.SIG_IGN)
    raise KeyboardInterrupt


if __name__ == "__main__":
    main()
