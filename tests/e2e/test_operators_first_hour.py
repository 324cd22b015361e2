"""The commands of an operator's first hour, from the archive of a release to a restored backup."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import pytest

from mmptf_local.cache import Cache
from mmptf_local.postgres import running_postgres
from mmptf_local.processes import LOOPBACK, Child, answers_ready, free_port, wait_until
from mmptf_local.state import temporary_state
from tests.deploy.kits import make_kit, make_next_kit
from tests.e2e.guides import run_guide
from tests.e2e.test_operations import variables_of


@pytest.mark.longer
def test_the_commands_of_the_first_hour(redis_server: Cache, tmp_path: Path) -> None:
    kits, folder = tmp_path / "kits", tmp_path / "folder"
    kits.mkdir()
    folder.mkdir()
    kit = make_kit(kits)
    make_next_kit(kit, "markers", kits).rename(folder / "next-kit.tar.gz")
    kit.rename(folder / "kit.tar.gz")
    issuer = free_port()
    variables = {"HOST": LOOPBACK, "PORT": str(issuer), "ENVIRONMENT": "development"}
    with (
        temporary_state() as state,
        running_postgres(state, durable=False) as server,
        Child("issuer", [sys.executable, "-m", "mmptf_local.issuer"], env=os.environ | variables) as child,
    ):
        wait_until(lambda: answers_ready(f"http://{LOOPBACK}:{issuer}/health/ready"), child, seconds=30)
        ports = ("4318", "8000", "8010", "9464", "9474")
        run_guide(
            "operators-first-hour",
            {
                "5432": f"{LOOPBACK}:{server.port}",
                **{port: f"{LOOPBACK}:{free_port()}" for port in ports},
            },
            texts={
                "redis://:redis-password@localhost:6379/0": redis_server.url,
                "127.0.0.1:8001": f"{LOOPBACK}:{issuer}",
            },
            variables={name: value for name, value in variables_of(server, 0).items() if name != "PORT"},
            folder=folder,
        )
