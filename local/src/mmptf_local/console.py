"""The runner's output: labelled lines; on a terminal the processes' JSON lines as short ones for people."""

import json
import os
import shutil
import sys
import threading
import time
from collections.abc import Mapping
from contextlib import suppress
from datetime import datetime
from typing import Any

from mmptf_local.processes import CannotStart

# The codes of a terminal for green, yellow, cyan, red, blue, magenta and white.
COLOURS = (32, 33, 36, 31, 34, 35, 37)
YELLOW, RED = 33, 31
ACCESS_LOG = "mmptf.access"
# The members of a line that a warning is shown without: they are shown elsewhere in it, or lead to other logs only.
NOT_DETAILS = frozenset({"time", "level", "logger", "message", "exception", "trace_id"})


class Console:
    """Whole lines on standard output, from several threads.

    is_terminal: whether a person reads it, who gets a short line for each request that they caused, and warnings.
    Piped output, and that of LOG_LEVEL=DEBUG, has every line of every process as it was written.
    is_started: whether all processes are ready; before, they warn that they do not reach one another, and what one that
    ends has printed is shown with its end
    """

    def __init__(self) -> None:
        self.is_terminal = sys.stdout.isatty()
        self.is_started = False
        self._began = time.monotonic()
        self._lock = threading.Lock()
        self._colour = self.is_terminal and "NO_COLOR" not in os.environ
        self._short = self.is_terminal and os.environ.get("LOG_LEVEL", "").upper() != "DEBUG"
        self._labels: dict[str, int] = {}

    def log(self, label: str, line: str) -> None:
        """Print a line of a child, after its label; on a terminal what it means for a person, which may be nothing."""
        entry = _log_entry(line) if self._short else None
        if entry is None:
            name = f"{label:<8} │"
            self.write(f"{self._painted(name, self._colour_of(label))} {_printable(line) if self._short else line}")
        elif self.is_started and (shown := self._shown(label, entry)):
            self.write(shown)

    def failure(self, problem: CannotStart) -> None:
        """Print why there is no suite: a sentence, and what a child has printed, on a terminal only warnings of it."""
        sentence, *lines = str(problem).splitlines()
        self.write(f"cannot start: {sentence}")
        for line in lines:
            entry = _log_entry(line) if self._short else None
            if shown := self._shown(sentence.partition(" ")[0], entry) if entry else line:
                self.write(shown)

    def progress(self, line: str) -> None:
        """Print a finished step, after the seconds since the start."""
        self.write(f"{time.monotonic() - self._began:6.1f} s  {line}")

    def write(self, text: str) -> None:
        """Print a line; an output that was closed is ignored."""
        with self._lock, suppress(OSError):
            print(text, flush=True)

    def _shown(self, label: str, entry: Mapping[str, Any]) -> str | None:
        """The text of an entry for a person; None where it is no warning and no request of a person."""
        if entry["logger"] == ACCESS_LOG:
            return None if entry.get("internal") else self._request(label, entry)
        return None if entry["level"] in ("DEBUG", "INFO") else self._warning(label, entry)

    def _request(self, label: str, entry: Mapping[str, Any]) -> str:
        """Time, status, method, milliseconds, process and path of a request, no wider than the terminal."""
        method, _, rest = entry["message"].partition(" ")
        path, _, status = rest.rpartition(" ")
        target = _printable(f"{path}?{entry['query']}" if entry.get("query") else path)
        before, after = f"{_local_time(entry)}  ", f"  {method:<6} {entry.get('ms', 0):7.0f} ms  {label:<8}  "
        room = max(20, shutil.get_terminal_size().columns - len(before) - len(status) - len(after))
        if len(target) > room:
            target = f"{target[: room - 1]}…"
        colour = {"4": YELLOW, "5": RED}.get(status[0]) if len(status) == 3 else YELLOW
        return f"{before}{self._painted(status, colour)}{after}{target}"

    def _warning(self, label: str, entry: Mapping[str, Any]) -> str:
        """Time, level, process, message and details of an event; an exception's lines below it."""
        level = entry["level"]
        details = ", ".join(f"{name}={value}" for name, value in entry.items() if name not in NOT_DETAILS and value)
        # The server logs a whole traceback as the message when an app cannot start; its last line is the reason.
        message = entry["message"].strip().rpartition("\n")[2]
        text = f"{message} ({details})" if details else message
        painted = self._painted(level, YELLOW if level == "WARNING" else RED)
        below = (entry.get("exception") or "").splitlines()
        return "\n    ".join([f"{_local_time(entry)}  {painted}  {label}: {_printable(text)}", *map(_printable, below)])

    def _colour_of(self, label: str) -> int:
        with self._lock:
            number = self._labels.setdefault(label, len(self._labels))
        return COLOURS[number % len(COLOURS)]

    def _painted(self, text: str, colour: int | None) -> str:
        return f"\x1b[{colour}m{text}\x1b[0m" if self._colour and colour else text


def _log_entry(line: str) -> dict[str, Any] | None:
    """A JSON line of a process's log; None where a line is none, such as one of PostgreSQL or of the interpreter."""
    try:
        entry = json.loads(line)
    except ValueError:
        return None
    members = ("time", "level", "logger", "message")
    return entry if isinstance(entry, dict) and all(isinstance(entry.get(each), str) for each in members) else None


def _local_time(entry: Mapping[str, Any]) -> str:
    try:
        return datetime.fromisoformat(entry["time"]).astimezone().strftime("%H:%M:%S")
    except ValueError:
        return "--:--:--"


def _printable(text: str) -> str:
    """A text without what a terminal would carry out: a caller chooses what a path contains."""
    return "".join(c if c.isprintable() else "\N{REPLACEMENT CHARACTER}" for c in text)
