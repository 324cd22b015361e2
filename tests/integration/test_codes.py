"""Codes as callers send them: in another case, in another scheme, as names; what is suggested is right or nothing."""

from __future__ import annotations

import json
import os
import re
import unicodedata
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from importlib.resources import files
from typing import Any, get_args
from urllib.parse import quote

import httpx
import pytest

from mmptf_catalog.programmes.examples import CONTENT
from mmptf_common.lists import listing
from mmptf_common.lists.codes import MOST_MEANT
from mmptf_common.wire.base import CODE_PATTERN
from mmptf_common.wire.codes import THEMATIC_AREAS, LifecycleStage
from mmptf_common.wire.suggestions import country_meant
from tests.conftest import RunningApp, running_app
from tests.integration import marked
from tests.integration.ledger_client import running_ledger
from tests.integration.lookups import listings
from tests.integration.programmes_client import AGENCY, FUND, body
from tests.suite import SERVICES
from tests.tokens import writing

PLACES: list[dict[str, Any]] = json.loads((files("mmptf_catalog") / "data" / "places.json").read_text("utf-8"))
COUNTRIES = [place for place in PLACES if place["kind"] == "country"]
REGIONS = [place for place in PLACES if place["kind"] == "region"]


def forms(place: dict[str, Any]) -> Iterator[str]:
    """The other ways to write a place: its codes in other schemes, its name with and without accents."""
    if place["iso_alpha2"]:
        yield from (place["iso_alpha2"], place["iso_alpha2"].lower())
    if place["m49"]:
        yield from {place["m49"], place["m49"].lstrip("0"), f"0{place['m49']}"} - {place["code"]}
    plain = "".join(c for c in unicodedata.normalize("NFKD", place["name"]) if not unicodedata.combining(c))
    yield from dict.fromkeys((place["name"], plain, plain.lower()))


FORMS = [(form, place["code"]) for place in COUNTRIES for form in forms(place)]
# Of 249 alpha-2 codes in both cases, 248 M49 numbers and 250 names.
assert len(FORMS) > 2 * 249 + 2 * 248 + 2 * 250
# All of them are read by the function below in every run. Over HTTP, where each costs a look-up and a suggestion, forms
# of every kind are sent, of places of the whole list; COUNTRY_FORMS=all sends every one.
SENT = FORMS if os.environ.get("COUNTRY_FORMS") == "all" else FORMS[::11]
IN_A_CODE = [(form, code) for form, code in SENT if re.fullmatch(CODE_PATTERN, form) and len(form) <= 64]


def parts(of: Sequence[Any], size: int) -> Iterator[Sequence[Any]]:
    yield from (of[n : n + size] for n in range(0, len(of), size))


def service_of(apps: dict[str, RunningApp], path: str) -> httpx.AsyncClient:
    return apps[path.split("/")[1]].client


# A list for each way in which countries are looked up, and what looks them up as one of these lists does.
LISTS_OF_COUNTRIES = [
    "/catalog/v1/programmes", "/funding/v1/requirements", "/funding/v1/contributions", "/markers/v1/standings",
    "/funding/v1/initiatives", "/funding/v1/editions/MI-2015/partners", "/funding/v1/editions/MI-2015/offices",
    "/funding/v1/editions/MI-2015/groups", "/funding/v1/editions/MI-2015/figures",
]  # fmt: skip
LOOKED_UP_ALIKE = [
    "/catalog/v1/programmes/facets", "/catalog/v1/programmes/totals", "/catalog/v1/programmes?format=csv",
    "/catalog/v1/programmes?format=ndjson", "/funding/v1/requirements/facets", "/funding/v1/totals",
    "/funding/v1/contributors", "/funding/v1/contributions/facets", "/funding/v1/contributions/totals",
    "/markers/v1/indicator", "/markers/v1/criteria", "/markers/v1/report",
    "/funding/v1/initiatives/facets", "/funding/v1/editions/MI-2015/figures/facets",
]  # fmt: skip
TAKES_EVERY_COUNTRY = LISTS_OF_COUNTRIES + LOOKED_UP_ALIKE
# Some forms of every kind, of places of the whole list.
SOME_FORMS = FORMS[::41]


@pytest.mark.parametrize("service", SERVICES)
def test_countries_are_looked_up_in_every_way_that_there_is(service: str) -> None:
    lookups = {
        found.path.format(edition="MI-2015"): found.filters["country"].codes
        for found in listings(service)
        if "country" in found.filters
    }
    assert lookups
    assert set(lookups.values()) == {lookups[path] for path in LISTS_OF_COUNTRIES if path in lookups}


@pytest.mark.tries_more
@pytest.mark.parametrize(
    ("path", "of"),
    [*((path, SENT) for path in LISTS_OF_COUNTRIES), *((path, SOME_FORMS) for path in LOOKED_UP_ALIKE)],
    ids=TAKES_EVERY_COUNTRY,
)
async def test_a_country_in_another_scheme_gets_its_code(
    apps: dict[str, RunningApp], path: str, of: list[tuple[str, str]]
) -> None:
    client = service_of(apps, path)
    for some in parts(of, listing.MOST_SUGGESTIONS):
        asked = "&".join(f"country={quote(form)}" for form, _ in some)
        answer = await client.get(f"{path}{'&' if '?' in path else '?'}{asked}")
        assert answer.status_code == 422
        errors = answer.json()["errors"]
        # Several values are a set, read in order.
        assert [(e["code"], e["parameter"], e["suggestion"]) for e in errors] == [
            ("unknown_code", "country", code) for _, code in sorted(some)
        ]
        for error in errors:
            assert f"; {error['suggestion']} is the code of " in error["detail"]
            assert error["allowed"][0].startswith("see /")


@pytest.mark.parametrize("path", TAKES_EVERY_COUNTRY)
async def test_every_country_is_taken_in_any_case_also_without_a_row(apps: dict[str, RunningApp], path: str) -> None:
    client, joint = service_of(apps, path), "&" if "?" in path else "?"
    for some in parts(COUNTRIES, 50):
        upper, lower = ("&".join(f"country={c}" for c in codes) for codes in cases([p["code"] for p in some]))
        answers = [await client.get(f"{path}{joint}{asked}") for asked in (upper, lower)]
        assert [answer.status_code for answer in answers] == [200, 200]
        assert answers[0].content == answers[1].content
        assert answers[0].headers["etag"] == answers[1].headers["etag"]


def cases(codes: list[str]) -> tuple[list[str], list[str]]:
    return codes, [code.lower() for code in codes]


@pytest.mark.parametrize("path", ["/catalog/v1/programmes", "/catalog/v1/places", "/markers/v1/standings"])
async def test_a_region_by_its_name_or_number_gets_its_code(apps: dict[str, RunningApp], path: str) -> None:
    client = service_of(apps, path)
    regions = [(form, place["code"]) for place in REGIONS for form in forms(place)]
    for some in parts([*regions, *((form, None) for form, _ in FORMS[::7])], listing.MOST_SUGGESTIONS):
        errors = (await client.get(path, params={"region": [form for form, _ in some]})).json()["errors"]
        assert [error["suggestion"] for error in errors] == [code for _, code in sorted(some)], some


def test_contributors_are_looked_up_in_one_way() -> None:
    filters = {
        found.path: found.filters["contributor"] for found in listings("funding") if "contributor" in found.filters
    }
    assert filters.keys() == {"/funding/v1/contributions", "/funding/v1/ledger"}
    assert len({found.codes for found in filters.values()}) == 1


@pytest.mark.tries_more
@pytest.mark.parametrize(
    ("path", "parameter"),
    [("/funding/v1/contributions", "contributor"), ("/funding/v1/requirements", "place")],
)
async def test_a_code_that_a_list_does_not_have_is_not_suggested(
    apps: dict[str, RunningApp], path: str, parameter: str
) -> None:
    client = service_of(apps, path)
    known = await client.get("/funding/v1/contributors?limit=1000")
    contributors = {c["country"] for c in known.json()["items"] if c["country"]}
    sent = dict.fromkeys([*SENT, *(form for form in FORMS if form[1] in contributors)])
    suggested = set()
    for some in parts(list(sent), listing.MOST_SUGGESTIONS):
        answer = await client.get(f"{path}?{'&'.join(f'{parameter}={quote(form)}' for form, _ in some)}")
        for (form, code), error in zip(sorted(some), answer.json()["errors"], strict=True):
            assert error["suggestion"] in (code, None), form
            suggested.add(error["suggestion"])
    for code in suggested - {None}:
        assert (await client.get(f"{path}?{parameter}={code}")).status_code == 200
    assert contributors <= suggested or parameter == "place"
    assert len(suggested) > 15


@pytest.mark.tries_more
async def test_a_path_with_another_code_of_a_country_names_its_code(apps: dict[str, RunningApp]) -> None:
    known = await apps["funding"].client.get("/funding/v1/contributors?limit=1000")
    contributors = {contributor["code"] for contributor in known.json()["items"]}
    few = [(form, code) for n, (form, code) in enumerate(IN_A_CODE) if code in contributors or n % 7 == 0]
    for service, path, of in (
        ("catalog", "/catalog/v1/places", IN_A_CODE),
        ("funding", "/funding/v1/contributors", [(form, code if code in contributors else None) for form, code in few]),
    ):
        for form, code in of:
            answer = await apps[service].client.get(f"{path}/{form}")
            assert answer.status_code == 404
            (error,) = answer.json()["errors"]
            assert error["suggestion"] == code
            if code:
                assert f" {code} is the code of " in answer.json()["detail"]


@pytest.mark.parametrize(
    "path",
    [
        "/catalog/v1/places/KEN", "/catalog/v1/places/KEN/history", "/catalog/v1/organizations/IOM",
        "/catalog/v1/programmes/MKD-01", "/catalog/v1/programmes/MKD-01/history?limit=1",
        "/catalog/v1/clusterings/MPTF-thematic-areas",
        "/catalog/v1/cards/programmes/MKD-01?as_of=1", "/funding/v1/contributors/DEU", "/funding/v1/editions/MI-2015",
        "/funding/v1/editions/MI-2015/vocabulary?kind=place&limit=2", "/funding/v1/editions/MI-2015/reconciliation",
        "/funding/v1/requirements/MI-2015-KEN-health", "/markers/v1/rubrics/HR-marker-illustrative.1",
        "/markers/v1/rubrics/HR-marker-illustrative.1/answers-schema?stage=final_report",
    ],
)  # fmt: skip
async def test_a_path_in_another_case_leads_to_the_code(apps: dict[str, RunningApp], path: str) -> None:
    client = service_of(apps, path)
    bare, mark, question = path.partition("?")
    first, service, version, *rest = bare.split("/")
    other = "/".join([first, service, version, *(part.swapcase() if part != part.lower() else part for part in rest)])
    moved = await client.get(f"{other}{mark}{question}")
    assert moved.status_code == 308
    location = moved.headers["location"]
    assert location.lower() == path.lower()
    found = await client.get(location)
    assert found.status_code == 200
    assert moved.headers["cache-control"] == "public, no-cache"


async def test_a_code_that_exists_later_is_not_found_at_its_own_path(catalog: httpx.AsyncClient) -> None:
    """A redirection to the path itself would have no end."""
    answer = await catalog.get("/catalog/v1/programmes/MKD-01?as_of=0")
    assert (answer.status_code, answer.json()["errors"][0]["suggestion"]) == (404, None)


UNDERSTOOD = [
    "/catalog/v1/programmes?organization=IOM", "/catalog/v1/programmes?country=SRB&country=MKD&limit=1",
    "/catalog/v1/programmes/totals?by=country&organization=IOM", "/funding/v1/contributions?contributor=DEU",
    "/funding/v1/contributions?contributor=DEU&format=ndjson", "/funding/v1/requirements?place=RP-see-eeca&limit=1",
    "/funding/v1/requirements?edition=MI-2015&country=KEN&limit=2", "/funding/v1/totals?area=health&edition=MI-2015",
    "/funding/v1/requirements?country=none&limit=3", "/funding/v1/initiatives?edition=MI-2015&limit=1",
    "/funding/v1/initiatives?area=health&country=KEN&region=asia-pacific",
    "/markers/v1/standings?marker=human_rights", "/markers/v1/translations?rubric=hr-marker-illustrative.1",
    "/markers/v1/indicator?target=human-rights-90", "/markers/v1/indicator/over-time?target=human-rights-90",
    "/markers/v1/assessments?grade=A", "/markers/v1/report?target=human-rights-90",
]  # fmt: skip


@pytest.mark.parametrize("asked", UNDERSTOOD)
async def test_a_code_in_another_case_is_the_same_question(apps: dict[str, RunningApp], asked: str) -> None:
    client = service_of(apps, asked)
    path, _, question = asked.partition("?")
    codes = {
        "organization",
        "country",
        "contributor",
        "place",
        "edition",
        "area",
        "marker",
        "rubric",
        "target",
        "grade",
    }
    pairs = [pair.partition("=") for pair in question.split("&")]
    swapped = "&".join(f"{name}={value.swapcase() if name in codes else value}" for name, _, value in pairs)
    assert swapped != question
    canonical, other = await client.get(asked), await client.get(f"{path}?{swapped}")
    assert (other.status_code, other.content) == (canonical.status_code, canonical.content) == (200, canonical.content)
    assert other.headers["etag"] == canonical.headers["etag"]
    if "cache-status" in other.headers:
        assert "hit" in other.headers["cache-status"]
    # Once it is known, it is the same again.
    again = await client.get(f"{path}?{swapped}", headers={"if-none-match": canonical.headers["etag"]})
    assert again.status_code == 304
    if other.headers["content-type"] == "application/json" and (following := other.json().get("next")):
        assert (await client.get(following)).status_code == 200


# --- what is written ------------------------------------------------------------------------------------------------


@pytest.mark.tries_more
async def test_a_place_of_a_draft_in_another_scheme_gets_its_code(catalog: httpx.AsyncClient) -> None:
    lower = [(place["code"].lower(), place["code"]) for place in COUNTRIES]
    for some in parts([*SENT, *lower], 20):
        unlike = list({form.casefold(): (form, code) for form, code in some}.values())
        places = [{"code": form} for form, _ in unlike]
        answer = await catalog.post(
            "/catalog/v1/drafts?dry_run=true", json=body(places=places), headers=writing(*AGENCY)
        )
        assert answer.status_code == 422
        assert [(e["code"], e["pointer"], e["suggestion"]) for e in answer.json()["errors"]] == [
            ("unknown_code", f"/places/{n}/code", code) for n, (_, code) in enumerate(unlike)
        ]


@pytest.fixture(scope="module")
async def ledger(new_database: Callable[[str], str]) -> AsyncIterator[httpx.AsyncClient]:
    async with running_app("funding", new_database("funding"), None) as running:
        yield running.client


@pytest.mark.tries_more
async def test_a_contributor_and_its_country_in_another_scheme_get_their_codes(ledger: httpx.AsyncClient) -> None:
    contributors = {c["code"] for c in (await ledger.get("/funding/v1/contributors?limit=1000")).json()["items"]}
    for some in parts([*SENT, ("deu", "DEU"), ("usa", "USA")], MOST_MEANT):
        entries = [{"kind": "pledge", "amount": "1.00", "date": "2024-05-05", "contributor": form} for form, _ in some]
        answer = await ledger.post("/funding/v1/ledger/batch", json={"entries": entries}, headers=writing("admin"))
        assert [(e["code"], e["suggestion"]) for e in answer.json()["errors"]] == [
            ("unknown_code", code if code in contributors else None) for _, code in some
        ]
    for form, code in FORMS:
        meant = country_meant(form)
        assert meant and meant.code == code, form
    for form, code in SOME_FORMS:
        sent = {"code": "NEW", "name": "New", "type": "member_state", "country": form}
        answer = await ledger.post("/funding/v1/contributors", json=sent, headers=writing(*FUND))
        (error,) = answer.json()["errors"]
        assert (error["code"], error["pointer"], error["suggestion"]) == ("unknown_code", "/country", code)
    sent = {"code": "NEW", "name": "New", "type": "member_state", "country": "ZZZ"}
    (error,) = (await ledger.post("/funding/v1/contributors", json=sent, headers=writing(*FUND))).json()["errors"]
    assert (error["suggestion"], error["allowed"]) == (None, ["see /catalog/v1/places?kind=country"])
    sent = {"code": "deu", "name": "Germany", "type": "member_state", "country": "DEU"}
    answer = await ledger.post("/funding/v1/contributors", json=sent, headers=writing(*FUND))
    assert (answer.status_code, answer.json()["code"]) == (409, "code_taken")


# The members of bodies that take codes of a list, in the body of each operation that takes them.
IN_DRAFTS = {
    "/places/0/code": lambda text: {"places": [{"code": text}]},
    "/organizations/0": lambda text: {"organizations": [text]},
    "/budget_lines/0/organization": lambda text: {
        "budget_lines": [{**CONTENT["budget_lines"][0], "organization": text}]
    },
    "/thematic_area": lambda text: {"thematic_area": text},
    "/objectives/0": lambda text: {"objectives": [text]},
}  # fmt: skip
NO_CODES = [
    "Côte d'Ivoire",
    "International Organization for Migration (IOM)",
    "a/b?c=d#e",
    "..",
    "100%",
    "x" * 300,
]


@pytest.mark.parametrize("pointer", IN_DRAFTS)
async def test_a_text_that_is_no_code_is_looked_up_like_one(catalog: httpx.AsyncClient, pointer: str) -> None:
    for text in NO_CODES:
        answers = [
            await catalog.post(
                "/catalog/v1/drafts?dry_run=true", json=body(**IN_DRAFTS[pointer](text)), headers=writing(*AGENCY)
            ),
            await catalog.patch(
                "/catalog/v1/programmes/TUR-02?dry_run=true",
                json={"reason": "x", **IN_DRAFTS[pointer](text)},
                headers=writing(*FUND, match="*"),
            ),
        ]
        for answer in answers:
            assert answer.status_code == 422
            found = {e["pointer"]: e for e in answer.json()["errors"]}
            error = found[pointer]
            if error["code"] == "not_taking_part":
                # What does not fit the programme is said before its codes are looked up.
                assert (answer, pointer) == (answers[1], "/budget_lines/0/organization")
                continue
            assert (error["code"], error["suggestion"]) == (
                "unknown_code", "CIV" if (pointer, text) == ("/places/0/code", NO_CODES[0]) else None,
            )  # fmt: skip
            assert error["allowed"][0].startswith("see /catalog/v1/")
    for text in ("", " ", "\x00", "a\x00b", "\ud800", "x" * 301):
        sent = json.dumps(body(**IN_DRAFTS[pointer](text)))
        headers = {**writing(*AGENCY), "content-type": "application/json"}
        answer = await catalog.post("/catalog/v1/drafts?dry_run=true", content=sent, headers=headers)
        assert (answer.status_code, answer.json()["errors"][0]["pointer"]) == (422, pointer), repr(text)


async def test_a_text_that_is_no_code_is_unknown_to_the_ledger(
    new_database: Callable[[str], str], catalogue_url: str
) -> None:
    entry = {"kind": "transfer", "amount": "1.00", "date": "2024-05-05", "programme": "ETH-01", "organization": "ILO"}
    async with running_ledger(new_database("funding"), catalogue_url) as ledger:
        for text in NO_CODES:
            for name, listed_at in (
                ("organization", "/catalog/v1/organizations"), ("thematic_area", "/catalog/v1/thematic-areas"),
                ("contributor", "/funding/v1/contributors"),
            ):  # fmt: skip
                sent = {**entry, name: text}
                answer = await ledger.running.client.post("/funding/v1/ledger", json=sent, headers=writing("admin"))
                assert answer.status_code == 422
                (error,) = [e for e in answer.json()["errors"] if e["code"] == "unknown_code"]
                assert (error["pointer"], error["suggestion"]) == (f"/{name}", None)
                assert error["allowed"] == [f"see {listed_at}"]


async def test_a_text_that_is_no_code_is_unknown_to_the_markers(new_database: Callable[[str], str]) -> None:
    async with running_app("markers", new_database("markers"), None) as running:
        service = marked.Markers(running)
        code = await service.copied()
        for text in NO_CODES:
            (error,) = (await service.declare(code, organization=text)).json()["errors"]
            assert (error["code"], error["pointer"], error["suggestion"]) == ("unknown_code", "/organization", None)
            assert error["allowed"] == ["ILO", "IOM"]


@pytest.mark.parametrize(("code", "status", "error"), [("IOM", 409, "code_taken"), ("iom", 422, "invalid_value")])
async def test_an_organization_is_not_listed_twice_in_any_case(
    catalog: httpx.AsyncClient, code: str, status: int, error: str
) -> None:
    sent = {"code": code, "name": "Another"}
    answer = await catalog.post("/catalog/v1/organizations?dry_run=true", json=sent, headers=writing(*FUND))
    assert (answer.status_code, answer.json()["code"]) == (status, error)


# --- what is remembered, and what copies know ------------------------------------------------------------------------


async def test_known_codes_are_remembered_up_to_a_number(
    new_database: Callable[[str], str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(listing, "MOST_REMEMBERED", 8)
    async with running_app("catalog", new_database("catalog"), None) as running:
        known = running.app.state.known_codes
        for some in parts([place["code"] for place in COUNTRIES], 3):
            asked = "&".join(f"country={code}" for code in some)
            assert (await running.client.get(f"/catalog/v1/programmes?{asked}&country=ken")).status_code == 200
            assert all(len(codes) <= 8 for codes in known.values())
        for n in range(20):
            assert (await running.client.get(f"/catalog/v1/programmes?organization=NONE-{n}")).status_code == 422
        assert all("NONE-1" not in codes for codes in known.values())


async def test_the_markers_know_the_codes_of_present_and_past_programmes(new_database: Callable[[str], str]) -> None:
    async with running_app("markers", new_database("markers"), None) as running:
        markers = marked.Markers(running)
        iom = [{"code": "IOM", "name": "IOM"}]
        code = await markers.copied(organizations=[{"code": "UNHCR", "name": "UNHCR"}, *iom], stage="pipeline")
        await markers.copy(marked.programme(code, organizations=iom, thematic_area=None))
        for name, value in (
            ("programme", code), ("organization", "UNHCR"), ("organization", "IOM"), ("thematic_area", "4"),
            ("stage", "pipeline"), ("stage", "funded"), ("stage", "dropped"), ("thematic_area", "5"),
        ):  # fmt: skip
            answers = [
                await running.client.get(f"{marked.CURRENT_GRADES}?{name}={written}")
                for written in (value, value.lower(), value.upper())
            ]
            assert [answer.status_code for answer in answers] == [200] * 3, (name, value)
            assert len({answer.headers["etag"] for answer in answers}) == 1
        for name, value, meant in (
            ("organization", "UNHCRR", "UNHCR"), ("organization", "UNHC", None), ("stage", "pipelin", "pipeline"),
            ("stage", "clos", None), ("stage", "closde", "closed"),
            ("programme", f"{code}-2", None), ("programme", code.replace("-", "."), code),
        ):  # fmt: skip
            answer = await running.client.get(f"{marked.CURRENT_GRADES}?{name}={value}")
            assert (answer.status_code, answer.json()["errors"][0]["suggestion"]) == (422, meant)


@pytest.mark.parametrize(
    ("asked", "code"),
    [
        ("Türkiye", "TUR"), ("turkiye", "TUR"), ("turkey", "TUR"), ("czechia", "CZE"), ("czech republic", "CZE"),
        ("north macedonia", "MKD"), ("yugoslav macedonia", "MKD"), ("ivory coast", "CIV"), ("cote ivoire", "CIV"),
        ("swaziland", "SWZ"), ("burma", "MMR"),
    ],
)  # fmt: skip
async def test_a_place_is_found_by_all_its_names(catalog: httpx.AsyncClient, asked: str, code: str) -> None:
    found = (await catalog.get("/catalog/v1/places", params={"q": asked})).json()
    assert [place["code"] for place in found["items"]] == [code]


async def test_a_code_without_rows_finds_none_and_one_that_is_not_known_here_says_what_is(
    new_database: Callable[[str], str],
) -> None:
    async with running_app("markers", new_database("markers"), None) as running:
        for name, codes in (
            ("stage", get_args(LifecycleStage.__value__)),
            ("thematic_area", THEMATIC_AREAS),
            ("country", [place["code"] for place in COUNTRIES]),
        ):
            for code in codes:
                answer = await running.client.get(f"{marked.CURRENT_GRADES}?{name}={code}")
                assert (answer.status_code, answer.json()["total"]) == (200, 0), (name, code)
        for path, known in (
            (marked.CURRENT_GRADES, "organizations that take part in a programme"),
            ("/markers/v1/assessments", "organizations that take part in a programme or have assessed one"),
        ):
            (error,) = (await running.client.get(f"{path}?organization=IOM")).json()["errors"]
            assert error["detail"].endswith(f"; only {known} are known to this service")
    async with running_app("funding", new_database("funding"), None) as running:
        for code in THEMATIC_AREAS:
            answer = await running.client.get(f"/funding/v1/ledger?thematic_area={code}")
            assert (answer.status_code, answer.json()["total"]) == (200, 0)
        for path in ("/funding/v1/contributions", "/funding/v1/contributors", "/funding/v1/requirements"):
            for place in COUNTRIES:
                assert (await running.client.get(f"{path}?country={place['code']}&limit=0")).status_code == 200
        for name in ("programme", "organization"):
            (error,) = (await running.client.get(f"/funding/v1/ledger?{name}=SRB-01")).json()["errors"]
            assert error["detail"].endswith(f"; only {name}s that an entry names are known to this service")
