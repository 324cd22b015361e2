"""The files of a release: the bill of materials of each image, and an archive that installs without a network.

Usage: release_files.py sbom|kit UV FOLDER [PYTHON]

sbom  mmptf-NAME-VERSION.cdx.json for every process of suite.toml: what its image has installed beside Python, as
      CycloneDX, each package with its version and licence
kit   mmptf-VERSION-kit.tar.gz with the sources of the commit, the wheels of the suite and of all that it needs, also to
      send spans, the bills of materials, and SHA256SUMS of every file. Its wheels are of this kind of machine and of
      PYTHON, whose pip downloads them.
"""

from __future__ import annotations

import hashlib
import os
import re
import subprocess
import sys
import tarfile
import tempfile
import tomllib
from pathlib import Path

ROOT = Path(__file__).parents[1]
PINS = ROOT / "requirements.txt"
# What an image is made with, beside what it runs.
BOOTSTRAP = ROOT / "bootstrap.txt"
# A pin for some patch releases of a version of Python.
OF_PATCH = re.compile(r"(\S+==\S+) ; python_full_version [<>=]+ '\d+\.\d+\.\d+'")


def run(*command: str | Path, **environment: str) -> str:
    """What a command prints; the script ends with what it said on standard error where it fails."""
    done = subprocess.run(
        list(map(str, command)), cwd=ROOT, env=os.environ | environment, capture_output=True, text=True, check=False
    )
    if done.returncode:
        sys.exit(f"{' '.join(map(str, command))} failed:\n{done.stderr}")
    return done.stdout


def processes() -> dict[str, str]:
    """Name -> folder of every process that is deployed, within the sources."""
    stated = tomllib.loads((ROOT / "suite.toml").read_text("utf-8"))
    services = {name: f"services/{name}" for name in stated.pop("services")}
    return services | {name: name for name in stated}


def version() -> str:
    """The version of the suite, which is that of the shared package."""
    stated: str = tomllib.loads((ROOT / "common" / "pyproject.toml").read_text("utf-8"))["project"]["version"]
    return stated


def build_wheels(uv: str, sources: Path, folder: Path) -> None:
    """Build the wheels of the shared package and of every process of these sources into a folder."""
    for source in ("common", *processes().values()):
        run(uv, "build", "--quiet", "--wheel", "--out-dir", folder, sources / source)
    (folder / ".gitignore").unlink(missing_ok=True)


def write_bills(uv: str, wheels: Path, folder: Path) -> set[str]:
    """Write the bill of materials of every process into a folder; returns the names of the packages of others.

    Each is made of an environment of its own, installed as the Dockerfile does: from the wheels, at the pinned
    versions.
    """
    needed: set[str] = set()
    for name, source in processes().items():
        with tempfile.TemporaryDirectory() as environment:
            python = Path(environment) / "bin" / "python"
            run(uv, "venv", "--quiet", "--clear", "--python", sys.executable, environment)
            ours = [next(wheels.glob(f"mmptf_{member}-*.whl")) for member in ("common", name)]
            run(uv, "pip", "install", "--quiet", "--python", python, "--constraint", PINS, *ours)
            frozen = run(uv, "pip", "freeze", "--python", python)
            needed |= {line.partition("==")[0] for line in frozen.splitlines() if "==" in line}
            bill = folder / f"mmptf-{name}-{version()}.cdx.json"
            program = Path(sys.executable).with_name("cyclonedx-py")
            about = (
                "--pyproject",
                ROOT / source / "pyproject.toml",
                "--mc-type",
                "application",
                "--output-reproducible",
            )
            run(program, "environment", *about, "--output-file", bill, python)
    return needed


def names_for_spans(uv: str, wheels: Path) -> set[str]:
    """The names of the packages of others that the shared package needs with its extra `telemetry`."""
    with tempfile.TemporaryDirectory() as environment:
        python = Path(environment) / "bin" / "python"
        run(uv, "venv", "--quiet", "--clear", "--python", sys.executable, environment)
        common = f"mmptf-common[telemetry] @ {next(wheels.glob('mmptf_common-*.whl')).as_uri()}"
        run(uv, "pip", "install", "--quiet", "--python", python, "--constraint", PINS, common)
        frozen = run(uv, "pip", "freeze", "--python", python)
        return {line.partition("==")[0] for line in frozen.splitlines() if "==" in line}


def pins_of(names: set[str]) -> str:
    """The entries of the pins that are of these packages, with their hashes.

    What some patch releases of Python need is among them without that condition: the archive is installed with others
    than the one that it is made with, such as 3.11.2 of Debian 12.
    """
    entries = re.split(r"^(?=[a-z0-9])", PINS.read_text("utf-8"), flags=re.MULTILINE)
    by_patch = [OF_PATCH.sub(r"\1", entry) for entry in entries if OF_PATCH.match(entry)]
    return "".join([*(entry for entry in entries if entry.partition("==")[0] in names), *by_patch])


def write_kit(uv: str, folder: Path, python: str) -> Path:
    """Write the archive into a folder; returns its path."""
    name = f"mmptf-{version()}-kit"
    with tempfile.TemporaryDirectory() as made:
        kit = Path(made) / name
        run("git", "archive", "--format=tar", f"--prefix={name}/", "--output", f"{made}/sources.tar", "HEAD")
        with tarfile.open(f"{made}/sources.tar") as sources:
            sources.extractall(made, filter="data")
        wheels, bills = kit / "wheels", kit / "sbom"
        bills.mkdir()
        build_wheels(uv, kit, wheels)
        needed = Path(made) / "needed.txt"
        names = write_bills(uv, wheels, bills) | names_for_spans(uv, wheels)
        needed.write_text(pins_of(names) + BOOTSTRAP.read_text("utf-8"), "utf-8")
        download = ("--quiet", "--disable-pip-version-check", "--no-deps", "--require-hashes", "--only-binary", ":all:")
        run(python, "-m", "pip", "download", *download, "--dest", wheels, "--requirement", needed)
        files = sorted(path for path in kit.rglob("*") if path.is_file())
        sums = [f"{hashlib.sha256(path.read_bytes()).hexdigest()}  {path.relative_to(kit)}\n" for path in files]
        (kit / "SHA256SUMS").write_text("".join(sums), "utf-8")
        archive = folder / f"{name}.tar.gz"
        with tarfile.open(archive, "w:gz", compresslevel=6) as written:
            written.add(kit, arcname=name)
    return archive


def main(what: str, uv: str, to: str, python: str = sys.executable) -> None:
    """Write the files and print their paths."""
    folder = Path(to).absolute()
    folder.mkdir(parents=True, exist_ok=True)
    if what == "kit":
        print(write_kit(uv, folder, python))
        return
    with tempfile.TemporaryDirectory() as wheels:
        build_wheels(uv, ROOT, Path(wheels))
        write_bills(uv, Path(wheels), folder)
    print(*sorted(folder.glob(f"mmptf-*-{version()}.cdx.json")), sep="\n")


if __name__ == "__main__":
    main(*sys.argv[1:])
