"""The archive of this release, as `make kit` writes it, and one of a release to come."""

from __future__ import annotations

import hashlib
import subprocess
import sys
import tarfile
from pathlib import Path

from tests.deploy.next_release import add_migrations
from tests.suite import ROOT

TOOLS = ROOT / ".tools" / "bin"


def make_kit(folder: Path) -> Path:
    """The archive of the sources of the last commit, written into a folder."""
    program = [sys.executable, ROOT / "scripts" / "release_files.py", "kit", TOOLS / "uv", folder, TOOLS / "python"]
    done = subprocess.run(list(map(str, program)), capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return Path(done.stdout.strip())


def make_next_kit(kit: Path, service: str, folder: Path) -> Path:
    """The same archive one release later, in which a service has a migration more, written into a folder."""
    with tarfile.open(kit) as files:
        files.extractall(folder, filter="data")
    (unpacked,) = (path for path in folder.iterdir() if path.is_dir())
    source = unpacked / "services" / service
    add_migrations(source / "src", service, 1)
    build = [TOOLS / "uv", "build", "--quiet", "--wheel", "--out-dir", unpacked / "wheels", source]
    subprocess.run(list(map(str, build)), check=True, timeout=120)
    (unpacked / "wheels" / ".gitignore").unlink(missing_ok=True)
    sums = unpacked / "SHA256SUMS"
    files = sorted(path for path in unpacked.rglob("*") if path.is_file() and path != sums)
    lines = [f"{hashlib.sha256(path.read_bytes()).hexdigest()}  {path.relative_to(unpacked)}\n" for path in files]
    sums.write_text("".join(lines), "utf-8")
    archive = folder / "next-kit.tar.gz"
    with tarfile.open(archive, "w:gz", compresslevel=1) as written:
        written.add(unpacked, arcname=unpacked.name)
    return archive
