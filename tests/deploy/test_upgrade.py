"""An upgrade without downtime: code of the release before goes on, and starts anew, on the schema of the next one."""

from __future__ import annotations

import io
import json
import os
import re
import shutil
import subprocess
import sys
import tarfile
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
import pytest

from mmptf_common.storage.schema_version import oldest_codes, revisions
from mmptf_local.processes import LOOPBACK, Child, answers_ready, free_port, wait_until
from tests.conftest import serving_url
from tests.deploy.next_release import CONTRACT, EXPAND, add_migrations, head, later
from tests.integration.programme_writes import new_draft
from tests.suite import ROOT, SERVICES
from tests.tokens import bearer, identity, writing

# What each service is asked for under load, beside what all have.
LISTS = {
    "catalog": ("programmes", "programmes/totals?by=country"),
    "funding": ("contributions/totals", "requirements?format=csv"),
    "markers": ("rubrics", "indicator"),
}
# What code of the release before may miss, or cannot write any more.
REMOVES = re.compile(r"DROP TABLE|DROP COLUMN|RENAME|SET NOT NULL|op\.drop_(?:table|column)|op\.(?:rename|alter)_\w+")
# The tag of the release before, or another commit; by default the newest tag before this commit.
DESCRIBE = ["git", "describe", "--tags", "--abbrev=0", "--match", "v*", "HEAD^"]
PREVIOUS = os.environ.get("PREVIOUS_RELEASE") or (
    shutil.which("git")
    and subprocess.run(DESCRIBE, cwd=ROOT, capture_output=True, text=True, check=False).stdout.strip()
)


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
        add_migrations(folder, service, releases)
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
    assert PREVIOUS
    sources = sources_of(PREVIOUS, service, tmp_path)
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


def previous_of(service: str) -> str | None:
    """The release before, where its code may serve with the schema of today; else a commit whose code may.

    That is the one of the last migration with which code of before may serve, or the first whose code serves on newer
    schemas, whichever came last. None where the sources have no history.
    """
    if not shutil.which("git"):
        return None
    oldest = oldest_codes(f"mmptf_{service}")[head(service)]
    versions = f"services/{service}/src/mmptf_{service}/migrations/versions"

    def git(*arguments: str) -> str:
        done = subprocess.run(["git", *arguments], cwd=ROOT, capture_output=True, text=True, check=False)
        return done.stdout.strip()

    if PREVIOUS and f"/{oldest}_" in git("ls-tree", "-r", "--name-only", PREVIOUS, versions):
        return PREVIOUS
    changed = (f"{versions}/{oldest}_*.py", "docs/decisions/0045-code-serves-on-the-next-schema.md")
    return git("log", "-1", "--first-parent", "--format=%H", "--", *changed) or None


def sources_of(commit: str, service: str, folder: Path) -> tuple[Path, Path]:
    """The code of another commit: of the shared package, and of a service."""
    files = subprocess.run(["git", "archive", commit], cwd=ROOT, capture_output=True, check=True).stdout
    with tarfile.open(fileobj=io.BytesIO(files)) as archive:
        archive.extractall(folder, filter="data")
    return folder / "common" / "src", folder / "services" / service / "src"


class Replicas:
    """Processes of a service, each of one code or another, behind a balancer that asks whether they are ready."""

    def __init__(self, service: str, url: str, stack: ExitStack) -> None:
        self.service = service
        self._url, self._stack = url, stack
        self.ports = {name: free_port() for name in ("old-1", "old-2", "new-1", "new-2")}
        self._children: dict[str, Child] = {}
        port = free_port()
        self.base = f"http://{LOOPBACK}:{port}"
        balancing = json.dumps({port: list(self.ports.values())})
        command = [sys.executable, "-m", "tests.drills.balancer", balancing]
        balancer = stack.enter_context(Child("balancer", command, env=with_code(ROOT)))
        wait_until(lambda: "balancing" in balancer.text(), balancer, seconds=30)

    def start(self, name: str, *sources: Path) -> None:
        """Start a process of this code, and return once the balancer has seen that it is ready."""
        address = {"DATABASE_URL": serving_url(self._url), "HOST": LOOPBACK, "PORT": str(self.ports[name])}
        settings = {**address, **identity(), "ENVIRONMENT": "development", "RATE_LIMITS": "off", "DRAIN_SECONDS": "2"}
        command = [sys.executable, "-m", f"mmptf_{self.service}", "serve"]
        child = self._stack.enter_context(Child(name, command, env=with_code(*sources) | settings, grace=30))
        ready = f"http://{LOOPBACK}:{self.ports[name]}/health/ready"
        wait_until(lambda: answers_ready(ready), child, seconds=60)
        time.sleep(1)
        self._children[name] = child

    def stop(self, name: str) -> None:
        """End a process as an orchestrator does."""
        self._children.pop(name).stop()


@dataclass
class Load:
    """Callers who ask one thing after the other, each on a connection of its own; what failed, and who answered."""

    service: str
    base: str
    failed: list[str] = field(default_factory=list)
    builds: Counter[str] = field(default_factory=Counter)
    written: int = 0
    _ended: threading.Event = field(default_factory=threading.Event)

    @contextmanager
    def running(self) -> Iterator[None]:
        callers = [self._read] * 3 + ([self._write] if self.service == "catalog" else [])
        with ThreadPoolExecutor(len(callers)) as threads:
            running = [threads.submit(caller) for caller in callers]
            try:
                yield
            finally:
                self._ended.set()
        for each in running:
            each.result()

    def phase(self) -> set[str]:
        """The builds that answer from now on, of twenty answers and for two seconds at least."""
        time.sleep(0.5)
        before, end = self.builds.copy(), time.monotonic() + 60
        time.sleep(2)
        while self.builds.total() < before.total() + 20 and time.monotonic() < end:
            time.sleep(0.1)
        assert self.failed == []
        return {build for build, n in self.builds.items() if n > before[build]}

    def _ask(self, client: httpx.Client, method: str, path: str, **how: Any) -> httpx.Response | None:
        try:
            answer = client.request(method, path, **how)
        except httpx.HTTPError as error:
            self.failed.append(f"{method} {path}: {error!r}")
            return None
        if not answer.is_success:
            self.failed.append(f"{method} {path}: {answer.status_code} {answer.text[:300]}")
        return answer

    def _read(self) -> None:
        api = f"/{self.service}/v1"
        with httpx.Client(base_url=self.base, trust_env=False, timeout=30) as client:
            while not self._ended.is_set():
                answer = self._ask(client, "GET", f"{api}/status")
                if answer and answer.is_success:
                    self.builds[answer.json()["build"]] += 1
                for path in ("documents", "documents?format=csv", "changes?limit=10", *LISTS[self.service]):
                    self._ask(client, "GET", f"{api}/{path}")

    def _write(self) -> None:
        """Drafts, each read again at once, from whichever process answers."""
        with httpx.Client(base_url=self.base, trust_env=False, timeout=30) as client:
            while not self._ended.is_set():
                sent = self._ask(client, "POST", "/catalog/v1/drafts", json=new_draft(), headers=writing("agency"))
                if sent and sent.is_success:
                    self.written += 1
                    self._ask(client, "GET", sent.headers["location"], headers=bearer("agency"))


@pytest.mark.longer
@pytest.mark.parametrize("service", SERVICES)
def test_an_upgrade_and_a_step_back_under_load_fail_no_request(
    new_database: Callable[[str], str], following: Callable[[str, int], Path], tmp_path: Path, service: str
) -> None:
    """Beside what each step says: the old code is that of another commit, the new one has a migration more."""
    if (commit := previous_of(service)) is None:
        pytest.skip("the sources have no history (git)")
    url = new_database(service)
    old, newer = sources_of(commit, service, tmp_path / "before"), following(service, 1)
    with ExitStack() as stack:
        replicas = Replicas(service, url, stack)
        for name in ("old-1", "old-2"):
            replicas.start(name, *old)
        load = Load(service, replicas.base)
        with load.running():
            (old_build,) = load.phase()
            assert f"schema at {later(service, 1)} (was {head(service)})" in said(run(service, "migrate", url, newer))
            said(run(service, "seed", url, newer))
            assert load.phase() == {old_build}
            # One of the processes of before fails, or is moved, in between.
            replicas.stop("old-1")
            replicas.start("old-1", *old)
            for name in ("new-1", "new-2"):
                replicas.start(name, newer)
            replicas.stop("old-1")
            replicas.stop("old-2")
            (new_build,) = load.phase()
            assert new_build != old_build
            # The operator goes back.
            assert "this one may serve with it" in said(run(service, "migrate", url, *old))
            said(run(service, "seed", url, *old))
            for name in ("old-1", "old-2"):
                replicas.start(name, *old)
            replicas.stop("new-1")
            replicas.stop("new-2")
            assert load.phase() == {old_build}
    assert load.failed == []
    assert load.builds.total() > 100
    assert load.written > 10 or service != "catalog"
