"""The first steps of `make up` where something is missing: one line that says what to do."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from mmptf_local.processes import free_port
from tests.suite import DEPLOYABLES, ROOT

# The tests may themselves run under make.
CLEAN = {k: v for k, v in os.environ.items() if k != "PYTHON" and not k.startswith(("PIP_", "UV_", "MAKE"))}


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    """A new checkout as far as make reads it."""
    folders = ["common", "local", *(each.folder for each in DEPLOYABLES)]
    for name in ("Makefile", "suite.toml", "pyproject.toml", "requirements.txt", "bootstrap.txt"):
        shutil.copy2(ROOT / name, tmp_path)
    for folder in folders:
        (tmp_path / folder).mkdir(parents=True)
        shutil.copy(ROOT / folder / "pyproject.toml", tmp_path / folder)
    return tmp_path


def first_line(checkout: Path, *arguments: str, **environment: str) -> str:
    """What a person reads first of a run that failed, beside the steps; make itself adds a last line."""
    done = subprocess.run(
        ["make", *arguments], cwd=checkout, env=CLEAN | environment, capture_output=True, text=True, timeout=120
    )
    assert done.returncode == 2
    said, last = done.stderr.splitlines()
    assert last.startswith("make: *** ")
    return said


@pytest.mark.parametrize("python", ["python-of-nowhere", "/nowhere/bin/python3"])
def test_a_python_that_is_not_there(checkout: Path, python: str) -> None:
    assert first_line(checkout, "up", f"PYTHON={python}") == (
        f"Python 3.11 or newer is needed, and there is no {python}; install it, or choose one with PYTHON="
    )


def test_a_python_that_is_too_old(checkout: Path) -> None:
    old = checkout / "python3.9"
    old.write_text(
        f"#!/bin/sh\nexec {sys.executable} -c 'import sys; sys.version_info = (3, 9, 2); exec(sys.argv[1])' \"$2\"\n"
    )
    old.chmod(0o755)
    assert first_line(checkout, "up", f"PYTHON={old}") == ("Python 3.11 or newer is needed; choose one with PYTHON=")


def test_a_python_without_venv(checkout: Path) -> None:
    (checkout / "incomplete").mkdir()
    (checkout / "incomplete" / "ensurepip.py").write_text("raise ImportError\n")
    said = first_line(checkout, "up", PYTHONPATH=str(checkout / "incomplete"))
    assert "no venv or ensurepip" in said and "apt install python3-venv" in said


# For pip, make first makes an environment, which takes long.
@pytest.mark.parametrize("tool", [pytest.param("pip", marks=pytest.mark.longer), "uv"])
def test_a_package_index_out_of_reach(checkout: Path, tool: str) -> None:
    index = f"http://127.0.0.1:{free_port()}/simple"
    if tool == "uv":
        (checkout / ".tools" / "bin").mkdir(parents=True)
        (checkout / ".tools" / "bin" / "uv").symlink_to(ROOT / ".tools" / "bin" / "uv")
    said = first_line(
        checkout, "up", PIP_INDEX_URL=index, PIP_CONFIG_FILE=os.devnull, PIP_RETRIES="0", UV_NO_CONFIG="1",
        UV_CACHE_DIR=str(checkout / "cache"), UV_HTTP_RETRIES="0",
    )  # fmt: skip
    printed = ".tools/install.txt" if tool == "pip" else ".venv/install.txt"
    assert said.startswith(f"{tool} failed (all that it printed: {printed}). Is a package index in reach?")
    assert "PIP_INDEX_URL=" in said
    assert f"{index}/" in (checkout / printed).read_text() or tool == "pip"


def test_a_python_that_is_gone_since_the_installation(checkout: Path) -> None:
    (checkout / ".tools" / "bin").mkdir(parents=True)
    (checkout / ".tools" / "bin" / "uv").touch()
    (checkout / ".venv" / "bin").mkdir(parents=True)
    (checkout / ".venv" / "bin" / "python").symlink_to("/nowhere/python3.11")
    (checkout / ".venv" / "runs").touch()
    assert first_line(checkout, "up") == ("The Python that .venv was made with is gone; remove .venv and try again")


def test_a_tool_for_images_that_is_not_there(checkout: Path) -> None:
    assert first_line(checkout, "images", "IMAGE_TOOL=oxcart") == (
        "oxcart is not installed; name another tool with IMAGE_TOOL=podman"
    )
