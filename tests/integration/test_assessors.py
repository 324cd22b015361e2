"""Who assesses a programme of which the catalogue names nobody: settled by the management unit in one step."""

from __future__ import annotations

from typing import Any

import httpx
import pytest

from tests.integration.assessments import history
from tests.integration.marked import (
    ADMIN,
    API,
    DRAFTS,
    FUND,
    ILO,
    IOM,
    OHCHR,
    WHO,
    Json,
    Markers,
    Who,
    answers,
    at,
    errors,
    made,
    programme,
    refused,
)

ASSESSORS = f"{API}/assessors"
NOBODY: Json = {"lead_organization": None, "organizations": []}
REASON = "The joint programme document is signed by both."


async def settle(markers: Markers, code: str, who: Who | None = FUND, **members: Any) -> httpx.Response:
    sent = {"programme": code, "organizations": ["IOM", "ILO"], "lead_organization": "IOM", "reason": REASON, **members}
    return await markers.send("POST", ASSESSORS, who, sent)


async def correct(markers: Markers, code: str, match: str = "*", **members: Any) -> httpx.Response:
    return await markers.send("PATCH", f"{ASSESSORS}/{code}", FUND, {"reason": "Corrected.", **members}, match=match)


async def test_a_programme_of_which_nobody_is_named_is_settled_and_assessed(marker_service: Markers) -> None:
    code = await marker_service.copied(**NOBODY)
    refusal = await marker_service.begin(code, IOM)
    assert refused(refusal) == (403, "forbidden")
    assert "management unit can settle" in refusal.json()["detail"]
    assert ASSESSORS in refusal.json()["detail"]
    settled = made(await settle(marker_service, code))
    said = settled.json()
    assert settled.headers["location"] == f"{ASSESSORS}/{code}"
    assert (said["code"], said["organizations"], said["lead_organization"]) == (code, ["ILO", "IOM"], "IOM")
    assert said["sources"][0]["note"] == REASON
    public = await marker_service.send("GET", f"{ASSESSORS}/{code}", None)
    assert (public.json(), public.headers["etag"]) == (said, settled.headers["etag"])
    assert (await marker_service.get(ASSESSORS, programme=code))["items"] == [said]
    (entry,) = await history(marker_service, f"{ASSESSORS}/{code}")
    assert (entry["action"], entry["organization"], entry["reason"]) == ("create", "MMPTF-FMU", REASON)
    draft = await marker_service.draft(code, ILO, answers=answers(3))
    assert refused(await marker_service.begin(code, WHO)) == (403, "forbidden")
    assert refused(await marker_service.submit(draft, ILO)) == (403, "forbidden")
    assert (await marker_service.get(DRAFTS, WHO, programme=code))["items"] == []
    submitted = made(await marker_service.submit(draft, IOM))
    agreed = await marker_service.send("POST", f"{at(submitted)}/positions", ILO, {"position": "agree"}, match="*")
    assert [p["organization"] for p in made(agreed, 200).json()["positions"]] == ["ILO"]
    assert refused(await marker_service.review(agreed, Who("reviewer", "ILO"))) == (403, "forbidden")
    assert made(await marker_service.review(agreed), 200).json()["status"] == "accepted"


async def test_what_is_settled_can_be_corrected(marker_service: Markers) -> None:
    code = await marker_service.copied(**NOBODY)
    settled = made(await settle(marker_service, code))
    draft = await marker_service.draft(code, ILO, answers=answers(3))
    again = await settle(marker_service, code)
    assert refused(again) == (409, "code_taken")
    corrected = made(await correct(marker_service, code, settled.headers["etag"], organizations=["WHO", "IOM"]), 200)
    assert (corrected.json()["organizations"], corrected.json()["lead_organization"]) == (["IOM", "WHO"], "IOM")
    assert refused(await correct(marker_service, code, settled.headers["etag"])) == (412, "precondition_failed")
    # Who was left out sees the draft no more, though it began it.
    assert refused(await marker_service.send("GET", at(draft), ILO)) == (404, "not_found")
    assert (await marker_service.send("GET", at(draft), WHO)).status_code == 200
    assert refused(await marker_service.submit(draft, WHO)) == (403, "forbidden")
    made(await correct(marker_service, code, lead_organization=None), 200)
    assert made(await marker_service.submit(draft, WHO)).json()["organization"] == "WHO"
    changed = [entry["changed"] for entry in await history(marker_service, f"{ASSESSORS}/{code}")]
    assert changed == [[], ["organizations", "reason", "sources"], ["lead_organization", "sources"]]
    before = await marker_service.revision()
    made(await correct(marker_service, code, lead_organization=None), 200)
    assert await marker_service.revision() == before


async def test_whom_the_catalogue_names_counts_and_not_the_settlement(marker_service: Markers) -> None:
    document = programme(**NOBODY)
    code = document["code"]
    await marker_service.copy(document)
    made(await settle(marker_service, code, organizations=["WHO"], lead_organization=None))
    draft = await marker_service.draft(code, WHO, answers=answers(3))
    await marker_service.copy({**document, "organizations": [{"code": "ILO", "name": "ILO"}]})
    for path in (at(draft), f"{at(draft)}/history"):
        assert refused(await marker_service.send("GET", path, WHO)) == (404, "not_found")
    assert (await marker_service.get(at(draft), ILO))["organization"] == "WHO"
    named = await settle(marker_service, code)
    assert refused(named) == (409, "assessors_named")
    assert "ILO" in named.json()["detail"]
    assert refused(await correct(marker_service, code, organizations=["IOM"])) == (409, "assessors_named")
    submitted = made(await marker_service.submit(draft, ILO))
    # Whom the settlement names is not independent, either.
    for organization in ("WHO", "ILO"):
        assert refused(await marker_service.review(submitted, Who("reviewer", organization))) == (403, "forbidden")
    # A lead alone is somebody named, too.
    await marker_service.copy({**document, "lead_organization": "IOM"})
    assert refused(await settle(marker_service, code)) == (409, "assessors_named")
    assert refused(await marker_service.begin(code, WHO, stage="concept_note")) == (403, "forbidden")


async def test_a_settled_organization_declares(marker_service: Markers) -> None:
    code = await marker_service.copied(**NOBODY)
    refusal = await marker_service.declare(code)
    assert errors(refusal) == [("unknown_code", "/organization")]
    assert ASSESSORS in refusal.json()["errors"][0]["detail"]
    made(await settle(marker_service, code))
    assert errors(await marker_service.declare(code, organization="WHO")) == [("unknown_code", "/organization")]
    assert made(await marker_service.declare(code, organization="ILO")).json()["organization"] == "ILO"


@pytest.mark.parametrize(
    ("members", "expected"),
    [
        ({"programme": "NOBODY-KNOWS"}, [("unknown_code", "/programme")]),
        ({"organizations": []}, [("invalid_value", "/organizations")]),
        ({"organizations": ["iom"], "lead_organization": None}, [("invalid_value", "/organizations/0")]),
        ({"organizations": ["IOM", "ILO", "IOM"]}, [("repeated_code", "/organizations/2")]),
        ({"lead_organization": "WHO"}, [("not_taking_part", "/lead_organization")]),
        ({"organizations": ["ILO", "ILO"]},
         [("repeated_code", "/organizations/1"), ("not_taking_part", "/lead_organization")]),
        ({"reason": ""}, [("invalid_value", "/reason")]),
        ({"organization": "IOM"}, [("unknown_member", "/organization")]),
    ],
)  # fmt: skip
async def test_a_settlement_names_organizations(
    marker_service: Markers, members: Json, expected: list[tuple[str, str]]
) -> None:
    code = await marker_service.copied(**NOBODY)
    assert errors(await settle(marker_service, **{"code": code, **members})) == expected
    assert refused(await marker_service.send("GET", f"{ASSESSORS}/{code}", None)) == (404, "not_found")


async def test_the_management_unit_settles_and_nobody_else(marker_service: Markers) -> None:
    code = await marker_service.copied(**NOBODY)
    for who, expected in (
        (IOM, "insufficient_scope"), (Who("agent"), "insufficient_scope"), (OHCHR, "forbidden"),
    ):  # fmt: skip
        assert refused(await settle(marker_service, code, who)) == (403, expected)
    assert refused(await settle(marker_service, code, None)) == (401, "token_missing")
    tried = await marker_service.send(
        "POST", f"{ASSESSORS}?dry_run=true", FUND, {"programme": code, "organizations": ["IOM"], "reason": REASON}
    )
    assert made(tried).json()["lead_organization"] is None
    assert (await marker_service.send("GET", f"{ASSESSORS}/{code}", None)).status_code == 404
    made(await settle(marker_service, code, ADMIN))
    sent = {"organizations": ["WHO"], "lead_organization": None, "reason": "x"}
    for who in (IOM, OHCHR):
        answer = await marker_service.send("PATCH", f"{ASSESSORS}/{code}", who, sent, match="*")
        assert answer.status_code == 403
    assert refused(await marker_service.send("PATCH", f"{ASSESSORS}/{code}", FUND, sent)) == (
        428,
        "precondition_required",
    )
