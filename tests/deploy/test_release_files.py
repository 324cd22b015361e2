"""What a release has beside its sources: bills of materials, and an archive that installs where there is no network."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
import tarfile
from pathlib import Path

import pytest

from tests.deploy.kits import make_kit
from tests.deploy.test_versions import newest
from tests.suite import NAMES, ROOT

# In a namespace of its own a process reaches no network, not even 127.0.0.1.
ALONE = ["unshare", "--map-root-user", "--net"]
IS_ALONE = shutil.which("unshare") and not subprocess.run([*ALONE, "true"], capture_output=True, check=False).returncode
# No configuration of pip or uv, and no cache: all that they find is in the archive.
ENVIRONMENT = {
    **{key: value for key, value in os.environ.items() if not key.startswith(("PIP_", "UV_")) and key != "PYTHONPATH"},
    "PIP_CONFIG_FILE": os.devnull,
    "UV_NO_CONFIG": "1",
    "UV_NO_CACHE": "1",
    "UV_PYTHON_DOWNLOADS": "never",
}
pytestmark = pytest.mark.longer


def run(folder: Path, *command: str | Path, **environment: str) -> str:
    done = subprocess.run(
        list(map(str, command)), cwd=folder, env=ENVIRONMENT | environment, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def normal(name: str) -> str:
    """The name of a package as an index compares it."""
    return re.sub("[-_.]+", "-", name).lower()


def alone(folder: Path, *command: str | Path, **environment: str) -> str:
    """What a command prints that reaches no network."""
    if not IS_ALONE:
        pytest.skip("this machine gives a process no network of its own (unshare --map-root-user --net)")
    return run(folder, *ALONE, *command, **environment)


@pytest.fixture(scope="module")
def kit(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder that the archive of `make kit` holds."""
    folder = tmp_path_factory.mktemp("kit")
    archive = make_kit(folder)
    assert archive == folder / f"mmptf-{newest()}-kit.tar.gz"
    with tarfile.open(archive) as files:
        files.extractall(folder, filter="data")
    return folder / f"mmptf-{newest()}-kit"


def test_every_file_of_the_archive_has_the_sum_that_it_states(kit: Path) -> None:
    run(kit, "sha256sum", "--check", "--strict", "--quiet", "SHA256SUMS")
    stated = {line.split("  ", 1)[1] for line in (kit / "SHA256SUMS").read_text().splitlines()}
    assert stated == {str(path.relative_to(kit)) for path in kit.rglob("*") if path.is_file()} - {"SHA256SUMS"}
    assert {"Dockerfile", ".dockerignore", "compose.yaml", "deploy/chart/Chart.yaml", "gateway/openapi.json"} <= stated


@pytest.mark.parametrize("name", NAMES)
def test_a_bill_of_materials_names_every_package_with_its_licence(kit: Path, name: str) -> None:
    bill = json.loads((kit / "sbom" / f"mmptf-{name}-{newest()}.cdx.json").read_text())
    assert (bill["bomFormat"], bill["metadata"]["component"]["name"]) == ("CycloneDX", f"mmptf-{name}")
    assert bill["metadata"]["component"]["version"] == newest()
    components = {normal(component["name"]): component for component in bill["components"]}
    wheels = {normal(path.name.split("-")[0]): path.name.split("-")[1] for path in kit.glob("wheels/*")}
    assert {"mmptf-common", "pydantic", "uvicorn"} <= components.keys() <= wheels.keys()
    for package, component in components.items():
        assert component["version"] == wheels[package]
        assert package == "mmptf-common" or component["licenses"], package


def test_the_archive_has_what_other_patch_releases_of_python_need(kit: Path) -> None:
    pins = re.findall(
        r"^([a-z0-9-]+)==(\S+) ; python_full_version [<>=]+ '\d+\.\d+\.\d+'",
        (ROOT / "requirements.txt").read_text(),
        re.M,
    )
    assert pins
    for name, version in pins:
        assert [*kit.glob(f"wheels/{name.replace('-', '_')}-{version}-*.whl")], name


@pytest.mark.parametrize("name", NAMES)
def test_a_process_installs_from_the_archive_alone(kit: Path, tmp_path: Path, name: str) -> None:
    run(tmp_path, sys.executable, "-m", "venv", "environment")
    python = tmp_path / "environment" / "bin" / "python"
    install = ("-m", "pip", "install", "--quiet", "--no-index", "--find-links", kit / "wheels", f"mmptf-{name}")
    alone(tmp_path, python, *install)
    said = alone(tmp_path, python, "-m", f"mmptf_{name}", "--version")
    assert re.fullmatch(rf"mmptf-{name} {re.escape(newest())} \(build [0-9a-f]{{12}}\)\n", said)


def test_the_commands_of_the_image_install_from_the_archive_alone(kit: Path, tmp_path: Path) -> None:
    """Those that the Dockerfile runs, with what .dockerignore lets through, and with another place for /app."""
    context = tmp_path / "context"
    context.mkdir()
    for line in (kit / ".dockerignore").read_text().splitlines():
        source = kit / line.removeprefix("!")
        if line.startswith("!") and source.is_dir():
            shutil.copytree(source, context / source.name)
        elif line.startswith("!"):
            shutil.copy(source, context)
    (script,) = re.findall(r"^RUN --mount=\S+ \\\n((?:.*\\\n)*.*)\n", (kit / "Dockerfile").read_text(), re.M)
    app = tmp_path / "app"
    # A line that ends with a backslash goes on in the next one.
    script = script.replace("\\\n", "").replace("/app", str(app))
    run(tmp_path, sys.executable, "-m", "venv", "base")
    path = f"{tmp_path / 'base' / 'bin'}:/usr/bin:/bin"
    alone(context, "sh", "-c", script, SERVICE="catalog", PATH=path)
    assert alone(tmp_path, app / "bin" / "mmptf", "--version").startswith(f"mmptf-catalog {newest()} (build ")


def test_the_dockerfile_has_nothing_that_its_linter_objects_to() -> None:
    program = shutil.which("hadolint") or shutil.which("hadolint", path=Path(sys.executable).parent)
    if program is None:
        pytest.skip("hadolint is not installed (make .venv/longer)")
    run(ROOT, program, "Dockerfile")
