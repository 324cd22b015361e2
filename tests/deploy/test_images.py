"""The images, run with the options of Compose: the end-to-end tests of the processes, and what an operator asks."""

from __future__ import annotations

import asyncio
import json
import os
import shutil
import signal
import subprocess
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any
from uuid import uuid4

import pytest

import mmptf_local.suite
from mmptf_local.processes import Child
from tests.deploy.test_compose import EXTERNAL, URLS, read
from tests.e2e import test_ending
from tests.e2e.test_ending import *  # noqa: F403  # the same tests, with containers in place of processes
from tests.e2e.test_ending import started
from tests.e2e.test_suite import *  # noqa: F403
from tests.suite import NAMES, ROOT, SERVICES
from tests.writes import write_organizations

pytestmark = pytest.mark.longer
REVISION = '{{index .Config.Labels "org.opencontainers.image.revision"}}'
ORGANIZATIONS = "/catalog/v1/organizations"


def said(*command: str) -> str:
    """What a command prints; nothing where it fails."""
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=60, check=False).stdout.strip()


@pytest.fixture(scope="module")
def tool() -> str:
    """The program that has the images of this commit."""
    commit = said("git", "rev-parse", "HEAD")
    for program in filter(None, map(shutil.which, ("docker", "podman"))):
        if all(said(program, "image", "inspect", "--format", REVISION, f"mmptf-{name}") == commit for name in NAMES):
            return program
    pytest.skip("neither docker nor podman has the images of this commit (make images)")


@pytest.fixture(scope="module")
def options() -> dict[str, list[str]]:
    """How Compose runs each process, but for its networks, as options of `run`."""
    found = {}
    for name in NAMES:
        service: dict[str, Any] = read(URLS, EXTERNAL)["services"][name]
        limits = service["deploy"]["resources"]["limits"]
        assert service["read_only"] and service["init"]
        found[name] = [
            "--read-only",
            "--init",
            *(f"--cap-drop={each}" for each in service["cap_drop"]),
            *(f"--security-opt={each}" for each in service["security_opt"]),
            *(f"--tmpfs={each}" for each in service["tmpfs"]),
            *(f"--ulimit={each}={number}" for each, number in service["ulimits"].items()),
            f"--cpus={limits['cpus']}",
            f"--memory={limits['memory']}",
            f"--pids-limit={limits['pids']}",
        ]
    return found


@pytest.fixture(scope="module", autouse=True)
def containers(tool: str, options: dict[str, list[str]]) -> Iterator[list[str]]:
    """What would start a process starts a container in its place; gives the names of all, the newest one last."""
    names: list[str] = []

    def start(label: str, command: Sequence[str], *, env: Mapping[str, str], **others: Any) -> Child:
        _, _, package, *verb = command
        if package == "mmptf_local.issuer":  # only development has it
            return Child(label, command, env=env, **others)
        process = package.removeprefix("mmptf_")
        names.append(name := f"mmptf-{process}-{uuid4().hex}")
        settings = [f"--env={variable}" for variable, value in env.items() if os.environ.get(variable) != value]
        # With the network of this machine, where the tests have PostgreSQL, Redis and the issuer.
        run = [tool, "run", "--rm", f"--name={name}", "--network=host", *options[process], *settings]
        # What is told to end ends the container; what is killed would leave it.
        child = Child(
            label, [*run, f"mmptf-{process}", *verb], env={**os.environ, **env}, death_signal=signal.SIGTERM, grace=30,
            **others,
        )  # fmt: skip
        child.process.kill = lambda: said(tool, "kill", name)  # type: ignore[assignment,return-value]
        return child

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(mmptf_local.suite, "Child", start)
        patch.setattr(test_ending, "Child", start)
        yield names


@pytest.mark.parametrize("name", NAMES)
async def test_a_container_passes_the_check_of_its_image_and_can_do_nothing_else(
    environments: dict[str, dict[str, str]],
    new_database: Callable[[str], str],
    tool: str,
    containers: list[str],
    name: str,
) -> None:
    environment = {"DATABASE_URL": new_database(name)} if name in SERVICES else environments[name]

    def run(*command: str) -> subprocess.CompletedProcess[str]:
        within = [tool, "exec", containers[-1], *command]
        return subprocess.run(within, capture_output=True, text=True, timeout=60, check=False)

    async with started(name, environment, drain=0) as process:
        check = json.loads(said(tool, "inspect", "--format", "{{json .Config.Healthcheck.Test}}", containers[-1]))
        assert check[0] == "CMD"
        assert run(*check[1:]).returncode == 0
        assert run("env", "PORT=1", *check[1:]).returncode != 0
        assert run("mmptf", "--version").stdout.startswith(f"mmptf-{name} ")
        assert run("id", "-u").stdout == "10001\n"
        assert "CapEff:\t0000000000000000\n" in run("cat", "/proc/self/status").stdout
        assert run("touch", "/tmp/file").returncode == 0  # noqa: S108
        assert "Read-only file system" in run("touch", "/app/file").stderr
        process.child.process.send_signal(signal.SIGTERM)
        assert await process.ended(20) == 0


async def test_an_export_is_complete_though_its_container_is_told_to_end(new_database: Callable[[str], str]) -> None:
    url = new_database("catalog")
    await write_organizations(url, 30_000)
    async with started("catalog", {"DATABASE_URL": url}, drain=0.5) as process:
        # Compressed, all of it may be on its way before the signal.
        export: dict[str, Any] = {
            "params": {"format": "csv"}, "headers": {"accept-encoding": "identity"}, "timeout": 30,
        }  # fmt: skip
        whole = (await process.client.get(ORGANIZATIONS, **export)).content
        read = b""
        async with process.client.stream("GET", ORGANIZATIONS, **export) as answer:
            async for part in answer.aiter_raw(1_000_000):
                if not read:
                    process.child.process.send_signal(signal.SIGTERM)
                    await asyncio.sleep(1)
                read += part
        assert read == whole
        assert len(whole) > 10_000_000
        assert await process.ended(20) == 0
