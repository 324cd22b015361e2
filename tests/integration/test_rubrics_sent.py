"""Publishing a rubric over HTTP: who may, in which form, every error at once, retries and dry runs."""

from __future__ import annotations

import json
import uuid
from typing import Any

import httpx
import yaml

from mmptf_markers.rubrics.schemas import EXAMPLE_RUBRIC
from tests.integration.marked import ADMIN, API, FUND, IOM, OHCHR, Markers, Who, errors, made, refused
from tests.unit.markers.rubrics import CONTENT

RUBRICS = f"{API}/rubrics"
YAML, JSON = "application/yaml", "application/json"
EXAMPLE = yaml.safe_load(EXAMPLE_RUBRIC)


async def publish(
    markers: Markers, sent: str | dict[str, Any], who: Who | None = FUND, *, media: str | None = None, **options: Any
) -> httpx.Response:
    """The answer to a rubric: a text as YAML, a document as JSON."""
    content = sent if isinstance(sent, str) else json.dumps(sent)
    headers = {"content-type": media or (YAML if isinstance(sent, str) else JSON), **(who.headers() if who else {})}
    headers["idempotency-key"] = options.pop("key", None) or str(uuid.uuid4())
    return await markers.running.client.post(RUBRICS, content=content.encode(), headers=headers, params=options)


async def test_a_rubric_is_published_in_yaml_and_in_json(marker_service: Markers) -> None:
    tried = made(await publish(marker_service, EXAMPLE_RUBRIC, dry_run="true"))
    assert refused(await marker_service.send("GET", f"{RUBRICS}/example-rubric.1", None)) == (404, "not_found")
    before = await marker_service.revision()
    first = made(await publish(marker_service, EXAMPLE_RUBRIC, key="first"))
    assert first.headers["location"].endswith("/rubrics/example-rubric.1")
    assert first.json()["hash"] == tried.json()["hash"] == first.json()["content"]["hash"]
    assert {**first.json()["content"], "hash": None} == EXAMPLE
    # Sent again it is carried out once, and in the other form it is the same rubric.
    again = made(await publish(marker_service, EXAMPLE_RUBRIC, key="first"))
    assert (again.content, again.headers["idempotency-replayed"]) == (first.content, "true")
    same = made(await publish(marker_service, EXAMPLE))
    assert same.json() == first.json() == await marker_service.get(f"{RUBRICS}/example-rubric.1")
    assert await marker_service.revision() == before + 1
    [change] = (await marker_service.get(f"{RUBRICS}/example-rubric.1/history"))["items"]
    assert (change["action"], change["revision"]) == ("create", before + 1)


async def test_a_rubric_replaces_another_in_the_same_write(marker_service: Markers) -> None:
    made(await publish(marker_service, {**EXAMPLE, "code": "replaced"}))
    second = {**EXAMPLE, "code": "replaced", "version": "2"}
    for supersedes in ("replaced.7", "replaced.2", "hr-marker-illustrative.1"):
        wrong = await publish(marker_service, second, supersedes=supersedes)
        assert (wrong.status_code, wrong.json()["errors"][0]["parameter"]) == (422, "supersedes")
    assert refused(await marker_service.send("GET", f"{RUBRICS}/replaced.2", None)) == (404, "not_found")
    made(await publish(marker_service, second, supersedes="replaced.1"))
    old = await marker_service.get(f"{RUBRICS}/replaced.1")
    assert (old["status"], old["superseded"], old["superseded_by"]) == ("illustrative", True, "replaced.2")
    other = await publish(marker_service, {**second, "title": "Another"})
    assert refused(other) == (409, "code_taken")


async def test_every_error_of_a_rubric_is_answered_and_nothing_is_written(marker_service: Markers) -> None:
    before = await marker_service.revision()
    wrong = {**json.loads(CONTENT), "version": "9", "hash": None, "title": "", "status": "official"}
    wrong["criteria"][0] |= {"weight": 0, "evidence_from": 9}
    expected = [
        ("invalid_value", "/title"),
        ("invalid_value", "/source_document"),
        ("invalid_value", "/source_document/sha256"),
        ("invalid_value", "/endorsement/date"),
        ("invalid_value", "/criteria/0/evidence_from"),
        ("invalid_value", "/criteria/0/weight"),
    ]
    assert sorted(errors(await publish(marker_service, wrong))) == sorted(expected)
    assert sorted(errors(await publish(marker_service, yaml.safe_dump(wrong)))) == sorted(expected)
    for text in ("", "{", "a: &x 1", "\ta: 1", "a: " + "[" * 5000):
        assert {code for code, _ in errors(await publish(marker_service, text))} == {"invalid_value"}
    assert await marker_service.revision() == before


async def test_the_management_unit_alone_publishes(marker_service: Markers) -> None:
    sent = {**EXAMPLE, "code": "who-may"}
    assert (await publish(marker_service, sent, None)).status_code == 401
    for who in (IOM, OHCHR):
        assert (await publish(marker_service, sent, who)).status_code == 403
    made(await publish(marker_service, sent, ADMIN))
    assert refused(await publish(marker_service, EXAMPLE_RUBRIC, media="text/plain")) == (415, "unsupported_media_type")
    large = await publish(marker_service, EXAMPLE_RUBRIC + "# " + "x" * 400_000)
    assert refused(large) == (413, "payload_too_large")
