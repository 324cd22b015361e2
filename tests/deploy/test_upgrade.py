"""An upgrade without downtime: code of the release before goes on, and starts anew, on the schema of the next one."""

from __future__ import annotations

import io
import os
import re
import shutil
import subprocess
import sys
import tarfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx
import pytest

from mmptf_common.storage.schema_version import oldest_codes, revisions
from mmptf_local.processes import LOOPBACK, Child, answers_ready, free_port, wait_until
from tests.conftest import serving_url
from tests.suite import ROOT, SERVICES

# Migrations of releases to come: one that only adds, and one that removes what the release before may read.
EXPAND = '''"""A column and a table more."""

from alembic import op

revision = "{revision}"
down_revision = "{before}"
oldest_code = "{before}"


def upgrade() -> None:
    op.execute("ALTER TABLE source_document ADD COLUMN added text")
    op.execute("ALTER TABLE source_document_past ADD COLUMN added text")
    op.execute("CREATE TABLE added (code text PRIMARY KEY)")
'''
CONTRACT = '''"""Without the table that was added."""

from alembic import op

revision = "{revision}"
down_revision = "{before}"
oldest_code = "{revision}"


def upgrade() -> None:
    op.execute("DROP TABLE added")
'''
# What code of the release before may miss, or cannot write any more.
REMOVES = re.compile(r"DROP TABLE|DROP COLUMN|RENAME|SET NOT NULL|op\.drop_(?:table|column)|op\.(?:rename|alter)_\w+")
# The tag of the release before, or another commit; by default the newest tag before this commit.
DESCRIBE = ["git", "describe", "--tags", "--abbrev=0", "--match", "v*", "HEAD^"]
PREVIOUS = os.environ.get("PREVIOUS_RELEASE") or (
    shutil.which("git")
    and subprocess.run(DESCRIBE, cwd=ROOT, capture_output=True, text=True, check=False).stdout.strip()
)


def head(service: str) -> str:
    return revisions(f"mmptf_{service}")[-1]


def later(service: str, releases: int) -> str:
    """The revision of a release to come, such as catalog_0020."""
    return f"{service}_{int(head(service)[-4:]) + releases:04}"


def test_a_migration_with_which_earlier_code_may_serve_removes_nothing() -> None:
    assert not REMOVES.search(EXPAND)
    assert REMOVES.search(CONTRACT)
    for service in SERVICES:
        versions = ROOT / "services" / service / "src" / f"mmptf_{service}" / "migrations" / "versions"
        known = revisions(f"mmptf_{service}")
        for revision, oldest in oldest_codes(f"mmptf_{service}").items():
            assert known.index(oldest) <= known.index(revision)
            if oldest != revision:
                (file,) = versions.glob(f"{revision}_*.py")
                assert not REMOVES.search(file.read_text("utf-8")), file.name


@pytest.fixture
def following(tmp_path: Path) -> Callable[[str, int], Path]:
    """The sources of a service one release later, whose migration adds, or two, whose second one removes."""

    def make(service: str, releases: int) -> Path:
        folder = tmp_path / f"{releases}"
        source = ROOT / "services" / service / "src"
        shutil.copytree(source, folder, ignore=shutil.ignore_patterns("__pycache__"))
        versions = folder / f"mmptf_{service}" / "migrations" / "versions"
        before = head(service)
        for place, text in enumerate((EXPAND, CONTRACT)[:releases], 1):
            revision = later(service, place)
            (versions / f"{revision}_to_come.py").write_text(text.format(revision=revision, before=before))
            before = revision
        return folder

    return make


def with_code(*sources: Path) -> dict[str, str]:
    """The environment in which the code in these folders runs, by default the installed one."""
    return {**os.environ, "PYTHONPATH": os.pathsep.join(map(str, sources))}


def run(service: str, verb: str, url: str, *sources: Path) -> subprocess.CompletedProcess[str]:
    """Run a verb on the database of this owner, under the two roles of an operator."""
    addresses = {"DATABASE_URL": serving_url(url), "MIGRATION_DATABASE_URL": url, "PORT": "0"}
    command = [sys.executable, "-m", f"mmptf_{service}", *verb.split()]
    environment = with_code(*sources) | addresses
    return subprocess.run(command, env=environment, capture_output=True, text=True, timeout=120, check=False)


def said(done: subprocess.CompletedProcess[str]) -> str:
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout.strip()


@contextmanager
def serving(service: str, url: str, *sources: Path) -> Iterator[Callable[[], int]]:
    """A process that serves; gives a function that reads from it and returns the number of documents."""
    port = free_port()
    address = {"DATABASE_URL": serving_url(url), "HOST": LOOPBACK, "PORT": str(port)}
    command = [sys.executable, "-m", f"mmptf_{service}", "serve"]
    with Child(service, command, env=with_code(*sources) | address, grace=20) as child:
        base = f"http://{LOOPBACK}:{port}"
        wait_until(lambda: answers_ready(f"{base}/health/ready"), child, seconds=30)

        def count() -> int:
            with httpx.Client(base_url=base, trust_env=False) as client:
                status = client.get(f"/{service}/v1/status")
                assert status.status_code == 200, status.text
                answer = client.get(f"/{service}/v1/documents", params={"limit": 1000})
                assert answer.status_code == 200, answer.text
                return len(answer.json()["items"])

        yield count
        assert child.alive


@pytest.mark.longer
@pytest.mark.parametrize("service", SERVICES)
def test_code_serves_on_the_schema_of_the_next_release_that_only_adds(
    new_database: Callable[[str], str], following: Callable[[str, int], Path], service: str
) -> None:
    url = new_database(service)
    newer = following(service, 1)
    with serving(service, url) as count:
        documents = count()
        assert said(run(service, "migrate", url, newer)) == (
            f"{service}: schema at {later(service, 1)} (was {head(service)})"
        )
        assert count() == documents > 0, "the process that runs goes on"
    with serving(service, url) as before, serving(service, url, newer) as after:
        assert before() == after() == documents, "one of the release before starts beside the new one"
        # As when an operator goes back: the jobs of the release before end well, and change nothing of the schema.
        assert said(run(service, "migrate", url)) == (
            f"{service}: schema at {later(service, 1)}, of a newer version; this one may serve with it"
        )
        assert "data at revision" in said(run(service, "seed", url))
        assert before() == after() == documents
    # It does not know what the newer version stores of a person.
    refused = run(service, "erase-subject somebody", url)
    assert refused.returncode == 1
    assert "run the command of the version that has migrated the database" in refused.stderr
    assert run(service, "erase-subject somebody", url, newer).returncode == 0


@pytest.mark.longer
def test_code_does_not_serve_on_a_schema_that_no_longer_has_what_it_reads(
    new_database: Callable[[str], str], following: Callable[[str, int], Path]
) -> None:
    service = SERVICES[0]
    url = new_database(service)
    assert f"schema at {later(service, 2)}" in said(run(service, "migrate", url, following(service, 2)))
    for verb, code in (("serve", 3), ("seed", 1), ("migrate", 1)):
        refused = run(service, verb, url)
        assert refused.returncode == code
        assert f"is at schema {later(service, 2)}, which this version does not know" in refused.stdout + refused.stderr


@pytest.mark.longer
@pytest.mark.skipif(
    not PREVIOUS, reason="there is no earlier release (a tag such as v0.1.0, or PREVIOUS_RELEASE=commit)"
)
@pytest.mark.parametrize("service", SERVICES)
def test_the_release_before_serves_on_the_schema_of_this_one(
    new_database: Callable[[str], str], tmp_path: Path, service: str
) -> None:
    """Where a migration since then says otherwise, it refuses."""
    files = subprocess.run(["git", "archive", PREVIOUS], cwd=ROOT, capture_output=True, check=True).stdout
    with tarfile.open(fileobj=io.BytesIO(files)) as archive:
        archive.extractall(tmp_path, filter="data")
    sources = tmp_path / "common" / "src", tmp_path / "services" / service / "src"
    versions = sources[1] / f"mmptf_{service}" / "migrations" / "versions"
    newest = max(re.findall(rf"{service}_\d{{4}}", " ".join(path.name for path in versions.iterdir())))
    known = revisions(f"mmptf_{service}")
    url = new_database(service)
    if known.index(oldest_codes(f"mmptf_{service}")[head(service)]) <= known.index(newest):
        with serving(service, url, *sources) as count:
            assert count() > 0
        said(run(service, "migrate", url, *sources))
        said(run(service, "seed", url, *sources))
    else:
        refused = run(service, "serve", url, *sources)
        assert refused.returncode == 3
        assert "which this version does not know" in refused.stdout + refused.stderr
