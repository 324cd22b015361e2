"""Programs of others that tests run, and those of npm, which a folder of tests pins."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

import pytest

NPM = [
    pytest.mark.longer,
    pytest.mark.skipif(shutil.which("npm") is None, reason="npm is not installed"),
]


def run(folder: Path, *command: str | Path, **environment: str) -> str:
    """What a command prints, run in a folder; a command that fails, fails the test with all that it said."""
    done = subprocess.run(command, cwd=folder, env={**os.environ, **environment}, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def install(folder: Path, pinned: Path) -> None:
    """Install what the package.json and package-lock.json of the folder `pinned` name into `folder`."""
    for name in ("package.json", "package-lock.json"):
        shutil.copy(pinned / name, folder)
    run(folder, "npm", "ci", "--no-audit", "--no-fund", "--ignore-scripts")
