"""Two builds on one database and one Redis, as in an upgrade: neither answers with what belongs to the other."""

from __future__ import annotations

import os
import shutil
import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import pytest

import mmptf_catalog
import mmptf_common
from mmptf_catalog.programmes.examples import CONTENT
from mmptf_common.process.build import build_of
from mmptf_local.cache import redis_binary, running_cache
from mmptf_local.processes import LOOPBACK, Child, answers_ready, free_port, run, wait_until
from tests.tokens import bearer, identity, writing

API = "/catalog/v1"
AGENCY = ("agency", "IOM")
FACETS, LIST, ITEM = f"{API}/programmes/facets", f"{API}/programmes", f"{API}/programmes/ETH-01"
# What the other build does otherwise: the order of facets, which no contract shows, and what a record holds.
CHANGES = {
    "ORDER BY n DESC, value)": "ORDER BY value)",
    'rows="programme",\n    record=completed("record::text", _LISTS)': (
        'rows="programme",\n    record="(record::jsonb || jsonb_build_object(\'other\', true))::text"'
    ),
}


def copied(folder: Path, changes: dict[str, str]) -> Path:
    """A copy of the sources of the catalogue and of what it shares, with each of these texts replaced."""
    for package in (mmptf_common, mmptf_catalog):
        source = Path(package.__file__).parent
        shutil.copytree(source, folder / source.name, ignore=shutil.ignore_patterns("__pycache__"))
    for old, new in changes.items():
        (file,) = [file for file in folder.rglob("*.py") if old in file.read_text("utf-8")]
        file.write_text(file.read_text("utf-8").replace(old, new), "utf-8")
    return folder


def environment_of(sources: Path, **more: str) -> dict[str, str]:
    return {**os.environ, "PYTHONPATH": str(sources), **more}


@dataclass(frozen=True)
class Build:
    """A process of one build of the catalogue, and the folder of its sources."""

    client: httpx.Client
    sources: Path

    def get(self, path: str, **headers: str) -> httpx.Response:
        return self.client.get(path, headers=headers)


@contextmanager
def serving(sources: Path, database: str, redis: str) -> Iterator[Build]:
    port = free_port()
    environment = environment_of(
        sources,
        **{"DATABASE_URL": database, "REDIS_URL": redis, "HOST": LOOPBACK, "PORT": str(port)},
        **{"ENVIRONMENT": "development", **identity()},
    )
    origin = f"http://{LOOPBACK}:{port}"
    with Child("catalog", [sys.executable, "-m", "mmptf_catalog", "serve"], env=environment) as child:
        wait_until(lambda: answers_ready(f"{origin}/health/ready"), child, seconds=60)
        with httpx.Client(base_url=origin, trust_env=False) as client:
            yield Build(client, sources)


@pytest.fixture(scope="module")
def builds(
    tmp_path_factory: pytest.TempPathFactory, new_database: Callable[[str], str]
) -> Iterator[tuple[Build, Build]]:
    """A build as it is and one that answers otherwise, on the same database and the same Redis, which is empty."""
    database = new_database("catalog")
    with ExitStack() as stack:
        redis = stack.enter_context(running_cache(redis_binary()))
        yield tuple(
            stack.enter_context(serving(copied(tmp_path_factory.mktemp("build"), changes), database, redis.url))
            for changes in ({}, CHANGES)
        )  # type: ignore[misc]


def test_a_fingerprint_is_of_the_sources_and_of_nothing_else(builds: tuple[Build, Build]) -> None:
    statuses = [build.get(f"{API}/status").json() for build in builds]
    assert statuses[0]["version"] == statuses[1]["version"]
    same, other = (status["build"] for status in statuses)
    assert same == build_of("mmptf-catalog"), "another folder, other dates, the same files"
    assert other != same
    for build, status in zip(builds, statuses, strict=True):
        command = [sys.executable, "-m", "mmptf_catalog", "--version"]
        said = run("--version", command, env=environment_of(build.sources))
        assert said == f"mmptf-catalog {status['version']} (build {status['build']})"


def test_an_aggregate_is_kept_for_its_own_build(builds: tuple[Build, Build]) -> None:
    def counts(answer: httpx.Response) -> list[tuple[int, str]]:
        return [(-group["count"], group["value"]) for group in answer.json()["facets"]["country"]]

    ours, other = builds
    first = ours.get(FACETS)
    assert first.headers["cache-status"] == "mmptf-catalog; fwd=uri-miss; stored"
    assert counts(first) == sorted(counts(first))
    second = other.get(FACETS)
    assert second.headers["cache-status"] == "mmptf-catalog; fwd=uri-miss; stored"
    assert [value for _, value in counts(second)] == sorted(value for _, value in counts(second))
    assert counts(second) != counts(first)
    for build, answer in ((ours, first), (other, second)):
        again = build.get(FACETS)
        assert (again.headers["cache-status"], again.content) == ("mmptf-catalog; hit", answer.content)


@pytest.mark.parametrize("path", [FACETS, LIST, f"{LIST}?format=csv", ITEM, f"{API}/status", "/openapi.json"])
def test_an_earlier_answer_is_right_only_for_the_build_that_gave_it(builds: tuple[Build, Build], path: str) -> None:
    answers = [build.get(path) for build in builds]
    tags = [answer.headers["etag"] for answer in answers]
    assert tags[0] != tags[1]
    assert tags[0].partition("-")[0] == tags[1].partition("-")[0], "the revision in front is the data's"
    for n, build in enumerate(builds):
        mine = build.get(path, **{"if-none-match": tags[n]})
        assert (mine.status_code, mine.content) == (304, b"")
        others = build.get(path, **{"if-none-match": tags[1 - n]})
        assert (others.status_code, others.content) == (200, answers[n].content)


def test_a_record_read_with_one_build_is_read_again_before_the_other_changes_it(
    builds: tuple[Build, Build],
) -> None:
    ours, other = builds
    assert "other" not in ours.get(ITEM).json()
    assert other.get(ITEM).json()["other"] is True
    draft: dict[str, Any] = {**CONTENT, "programme_code": "BUILD-01"}
    made = ours.client.post(f"{API}/drafts", json=draft, headers=writing(*AGENCY))
    assert made.status_code == 201, made.text
    path = made.headers["location"]

    def amend(tag: str) -> httpx.Response:
        return other.client.patch(path, json={"title": "Another title"}, headers=writing(*AGENCY, match=tag))

    late = amend(made.headers["etag"])
    assert (late.status_code, late.json()["code"]) == (412, "precondition_failed")
    assert other.get(path, **bearer(*AGENCY)).json()["title"] == draft["title"]
    assert late.headers["etag"] == other.get(path, **bearer(*AGENCY)).headers["etag"]
    assert amend(late.headers["etag"]).status_code == 200
