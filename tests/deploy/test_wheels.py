"""Each process alone: installed from wheels into an empty environment, with the pins, as its image is made."""

from __future__ import annotations

import json
import os
import re
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from zipfile import ZipFile

import pytest

from mmptf_local.postgres import Postgres
from mmptf_local.processes import LOOPBACK, Child, answers_ready, free_port, run, wait_until
from tests.suite import FOLDERS, NAMES, ROOT, SERVICES

PINS = ROOT / "requirements.txt"
DEPLOYABLE = NAMES
SOURCES = {"common": ROOT / "common", **FOLDERS}


def uv(*arguments: str | Path) -> str:
    """Run uv and return what it printed; without the network where its cache holds all that is asked for."""
    program = shutil.which("uv") or str(ROOT / ".tools" / "bin" / "uv")
    environment = os.environ | {"UV_PYTHON_DOWNLOADS": "never"}
    command = [program, "--quiet", *map(str, arguments)]
    first = subprocess.run([*command, "--offline"], env=environment, capture_output=True, text=True, check=False)
    if first.returncode == 0:
        return first.stdout
    second = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    assert second.returncode == 0, second.stderr
    return second.stdout


@pytest.fixture(scope="module")
def wheels(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """The wheel of each deployable and of `common`."""
    folder = tmp_path_factory.mktemp("wheels")
    found: dict[str, Path] = {}
    for name, source in SOURCES.items():
        uv("build", "--wheel", "--out-dir", folder / name, source)
        (found[name],) = (folder / name).glob("*.whl")
    return found


@pytest.mark.parametrize("name", SOURCES)
def test_a_wheel_holds_every_file_of_its_package(wheels: dict[str, Path], name: str) -> None:
    source = SOURCES[name] / "src"
    files = {str(path.relative_to(source)) for path in source.rglob("*") if path.is_file()}
    with ZipFile(wheels[name]) as wheel:
        held = {file for file in wheel.namelist() if ".dist-info/" not in file and not file.endswith("/")}
    assert held == {file for file in files if "__pycache__" not in file and ".egg-info" not in file}


@pytest.fixture(scope="module")
def environments(wheels: dict[str, Path], tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """One environment for each deployable, which holds it, `common`, and what the two need."""
    folder = tmp_path_factory.mktemp("environments")

    def install(name: str) -> Path:
        environment = folder / name
        python = environment / "bin" / "python"
        uv("venv", "--python", sys.executable, environment)
        uv("pip", "install", "--python", python, "--constraint", PINS, wheels["common"], wheels[name])
        return environment

    with ThreadPoolExecutor(2) as threads:
        return dict(zip(DEPLOYABLE, threads.map(install, DEPLOYABLE), strict=True))


def pins() -> dict[str, str]:
    return dict(re.findall(r"^([a-z0-9._-]+)==([^ ;\\]+)", PINS.read_text(), re.MULTILINE))


@pytest.mark.longer
@pytest.mark.parametrize("name", DEPLOYABLE)
def test_nothing_is_installed_but_what_is_needed_and_pinned(environments: dict[str, Path], name: str) -> None:
    listed = uv("pip", "list", "--format", "json", "--python", environments[name] / "bin" / "python")
    installed = {package["name"]: package["version"] for package in json.loads(listed)}
    ours = {package for package in installed if package.startswith("mmptf-")}
    assert ours == {"mmptf-common", f"mmptf-{name}"}
    for package in installed.keys() - ours:
        assert installed[package] == pins().get(package), package
    if name == "gateway":
        assert not {"asyncpg", "sqlalchemy", "sqlmodel", "alembic"} & set(installed)


@pytest.fixture(scope="module")
def runs(environments: dict[str, Path], postgres: Postgres) -> Iterator[dict[str, Future[None]]]:
    """`run_alone` of each deployable, two at a time."""
    with ThreadPoolExecutor(2) as threads:
        yield {name: threads.submit(run_alone, name, environments[name], postgres) for name in DEPLOYABLE}


def run_alone(name: str, environment: Path, postgres: Postgres) -> None:
    """Migrate an empty database, fill it and serve it; no other process of the suite is there."""
    port = free_port()
    command = str(environment / "bin" / f"mmptf-{name}")
    nobody = f"http://{LOOPBACK}:{free_port()}"
    settings = {"HOST": LOOPBACK, "PORT": str(port), "SERVICES": f"catalog={nobody}"}
    if name in SERVICES:
        settings["DATABASE_URL"] = postgres.create_database(f"alone_{name}")
        assert "(was empty)" in run(name, [command, "migrate"], env=settings)
        assert "data at revision" in run(name, [command, "seed"], env=settings)
    with Child(name, [command, "serve"], env=settings, grace=20) as child:
        health = f"http://{LOOPBACK}:{port}/health"
        wait_until(lambda: answers_ready(f"{health}/live"), child, seconds=30)
        # A gateway is not ready while no service answers it.
        if name in SERVICES:
            wait_until(lambda: answers_ready(f"{health}/ready"), child, seconds=30)
        child.stop()
        assert child.process.returncode in {0, -signal.SIGTERM}


@pytest.mark.longer
@pytest.mark.parametrize("name", DEPLOYABLE)
def test_it_runs_alone(runs: dict[str, Future[None]], name: str) -> None:
    runs[name].result()


def test_serving_an_empty_database_is_refused_with_the_command_to_run(postgres: Postgres) -> None:
    settings = {"DATABASE_URL": postgres.create_database("never_migrated"), "PORT": "0"}
    with Child("catalog", [str(Path(sys.executable).with_name("mmptf-catalog")), "serve"], env=settings) as child:
        assert child.process.wait(30) == 3
        assert "run: python -m mmptf_catalog migrate" in child.text()
