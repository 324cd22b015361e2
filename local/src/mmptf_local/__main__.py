"""The command `mmptf-local`: start the suite, show what happens in it, and stop it on Ctrl-C; or remove its data."""

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
from mmptf_local.console import Console
from mmptf_local.issuer import CLIENTS
from mmptf_local.postgres import remove_data
from mmptf_local.processes import CannotStart, Child
from mmptf_local.state import state_dir
from mmptf_local.suite import Suite, running_suite

STOPPING = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


def main() -> None:
    """Run the command; exit code 0 after Ctrl-C or SIGTERM, 1 when something could not be started or removed."""
    parser = argparse.ArgumentParser(prog="mmptf-local", description="Runs the whole suite on this machine.")
    parser.add_argument("--version", action="version", version=described("mmptf-local"))
    verbs = parser.add_subparsers(dest="verb", required=True)
    verbs.add_parser("up", help="start everything and wait for Ctrl-C")
    verbs.add_parser("reset", help="remove the data, so that the next start begins anew")
    verb = parser.parse_args().verb
    console = Console()
    if verb == "reset":
        sys.exit(_reset(console))
    for number in STOPPING:
        signal.signal(number, _interrupt)
    sys.exit(_up(console))


def _up(console: Console) -> int:
    try:
        with running_suite(log=console.log, progress=console.progress) as suite:
            console.is_started = True
            has_keys = console.is_terminal and sys.stdin.isatty()
            welcome = _welcome(suite, has_keys=has_keys)
            console.write(welcome)
            if has_keys:
                _repeat_on_enter(welcome, console)
            _report_ends(suite.children, console)
    except CannotStart as problem:
        console.failure(problem)
    except KeyboardInterrupt:
        console.progress("stopped")
        return 0
    return 1


def _reset(console: Console) -> int:
    try:
        folder = state_dir()
        removed = remove_data(folder)
    except CannotStart as problem:
        console.write(f"cannot reset: {problem}")
        return 1
    console.write(f"removed the data in {folder}" if removed else f"there are no data in {folder}")
    return 0


def _welcome(suite: Suite, *, has_keys: bool) -> str:
    gateway = suite.urls["gateway"]
    rows = [("gateway", gateway), ("reference", f"{gateway}/docs")]
    rows += [(name, url) for name, url in suite.urls.items() if name not in ("gateway", "issuer")]
    lines = ["", *(f"  {name:<10} {url}" for name, url in rows), ""]
    if issuer := suite.urls.get("issuer"):
        lines += ["An access token of each role:"]
        lines += [f"  {client:<{max(map(len, CLIENTS))}} {text}" for client, text in token_commands(issuer).items()]
        lines += [""]
    keys = "Ctrl-C stops everything."
    if has_keys:
        keys += " Enter prints these addresses again; a line follows for each request."
    return "\n".join((*lines, keys, ""))


def token_commands(issuer: str) -> dict[str, str]:
    """For each client of the issuer at this URL, the shell command that puts a token of it into TOKEN."""
    return {
        client: f"TOKEN=$(curl -s -d grant_type=client_credentials -d client_id={client} {issuer}/token"
        " | grep -o 'ey[^\"]*')"
        for client in CLIENTS
    }


def _repeat_on_enter(text: str, console: Console) -> None:
    """Print a text whenever Enter is pressed, from a thread of its own."""
    # A command that was started in the background would be suspended as soon as it reads from the terminal.
    signal.signal(signal.SIGTTIN, signal.SIG_IGN)

    def read() -> None:
        while True:
            # Without Python's buffers, whose lock must not be held by a thread when the interpreter ends.
            with suppress(OSError):
                if os.read(sys.stdin.fileno(), 1024):
                    console.write(text)
                    continue
            time.sleep(1)

    threading.Thread(target=read, name="keys", daemon=True).start()


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
