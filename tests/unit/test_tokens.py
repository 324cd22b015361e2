"""The issuer of the tests ends before the interpreter of the process that serves it."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]
# What is registered first is called last: these are the threads that would run without an interpreter.
ENDING = """
import atexit, threading

atexit.register(lambda: print([each.name for each in threading.enumerate()]))
from tests.tokens import issuer

issuer()
"""


def test_no_thread_of_the_issuer_runs_when_the_interpreter_ends() -> None:
    ended = subprocess.run([sys.executable, "-c", ENDING], cwd=ROOT, capture_output=True, text=True, timeout=60)
    assert (ended.returncode, ended.stdout, ended.stderr) == (0, "['MainThread']\n", "")
