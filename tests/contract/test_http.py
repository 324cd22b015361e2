"""Every operation as HTTP: methods, conditions, request ids, and the statuses that its contract declares.

Every run asks each operation with some of the values of a test marked `tries_more`, so that each value is asked of some
operation; `make longer` asks each with all.
"""

from __future__ import annotations

import asyncio
import json
import re
from typing import Any

import pytest

from mmptf_gateway.app import EXPOSED
from tests.contract.asking import ApiClients, ask, check_headers, error_detail, problem
from tests.contract.contracts import (
    ANY_TEXT,
    APIS,
    AT_SERVICES,
    EXPLANATIONS,
    LISTS,
    OPERATIONS,
    PROBLEM,
    READS,
    VERSIONED,
    Contract,
    Operation,
    contract_of,
    in_turn,
    validator,
)
from tests.suite import SERVICES

# What differs between two answers to the same question, and how a body is framed where there is one.
PASSING = {"date", "x-request-id", "age", "cache-status", "transfer-encoding", "catalogue-age", "ledger-age"}
# What scripts of every origin may read (Fetch Standard, "CORS-safelisted response-header name"), and what is for
# browsers, caches and the connection.
ALWAYS_READABLE = {
    "cache-control", "content-language", "content-length", "content-type", "expires", "last-modified", "pragma",
}  # fmt: skip
OF_THE_CONNECTION = {
    "access-control-allow-origin", "access-control-expose-headers", "content-encoding", "content-security-policy",
    "date", "vary", "transfer-encoding", "x-content-type-options",
}  # fmt: skip
# What follows the journal is asked for once.
NOT_KEPT = {
    "score_answers",
    "get_import_template",
    "get_bank_statement_template",
    "get_programme_import_template",
    "get_markers_replication_status",
    "get_funding_replication_status",
    "get_programme_draft_audit",
    "get_assessment_draft_audit",
} | {
    name
    for service in SERVICES
    for name in (
        f"get_{service}_liveness",
        f"get_{service}_readiness",
        f"get_{service}_index",
        f"list_{service}_changes",
        f"get_{service}_audit",
    )
}


@pytest.mark.parametrize("operation", OPERATIONS + EXPLANATIONS, ids=str)
async def test_the_example_is_answered_as_declared(apis: ApiClients, operation: Operation) -> None:
    answer = await ask(apis, operation)
    assert answer.status_code == operation.done, answer.text
    if answer.content:
        media, _ = operation.schema_of(operation.done)
        assert answer.headers["content-type"] == media
        if media == "application/json":
            operation.check(operation.done, answer.json())
    check_headers(operation, answer)


@pytest.mark.parametrize("api", APIS)
def test_browsers_may_read_every_header_that_a_contract_declares(api: str) -> None:
    declared = {
        name
        for operation in OPERATIONS
        if operation.api == api
        for status in operation.contract["responses"]
        for name in operation.headers_of(status)
    }
    assert {"etag", "cache-control", "link", "location"} <= declared or api == "gateway"
    assert declared - ALWAYS_READABLE - OF_THE_CONNECTION <= {name.lower() for name in EXPOSED}


@pytest.mark.tries_more
@pytest.mark.parametrize("operation", [o for o in OPERATIONS if not o.template.startswith("/health")], ids=str)
async def test_browsers_may_read_every_header_of_an_answer(apis: ApiClients, operation: Operation) -> None:
    behind = {operation.api: apis["gateway"]}
    origin = {"origin": "https://fund.example"}
    requests: list[tuple[str, str | None]] = [("", None), ("unheard_of=1", None), ("", "TRACE")]
    for query, method in in_turn(requests, OPERATIONS.index(operation)):
        answer = await ask(behind, operation, query, method=method, headers=origin)
        assert answer.headers["access-control-allow-origin"] == "*"
        exposed = {name.strip().lower() for name in answer.headers["access-control-expose-headers"].split(",")}
        assert set(answer.headers) - exposed - ALWAYS_READABLE - OF_THE_CONNECTION == set()


def test_all_that_is_made_from_stored_data_has_a_tag() -> None:
    kept = {o.id for o in VERSIONED}
    assert {o.id for o in AT_SERVICES if not (o.writes or o.id.endswith("_history"))} - kept == NOT_KEPT


TAGGED = VERSIONED + [o for o in EXPLANATIONS if o.is_versioned]


@pytest.mark.tries_more
@pytest.mark.parametrize("operation", TAGGED, ids=str)
async def test_an_answer_need_not_be_sent_twice(apis: ApiClients, operation: Operation) -> None:
    first = await ask(apis, operation)
    tag = first.headers["etag"]
    assert tag.startswith('"')
    assert tag.endswith('"')
    whose = "public" if operation.is_open else "private"
    assert first.headers["cache-control"] == f"{whose}, no-cache"
    assert ("authorization" in first.headers["vary"].lower()) == (not operation.is_open)
    assert "accept" in first.headers["vary"].lower()
    assert (await ask(apis, operation)).headers["etag"] == tag
    compressed, place = f'{tag[:-1]}-gzip"', TAGGED.index(operation)
    for asked in in_turn((tag, f"W/{tag}", f'"other", {tag}', compressed, f"W/{compressed}", "*"), place, 2):
        again = await ask(apis, operation, headers={"if-none-match": asked})
        assert (again.status_code, again.content) == (304, b""), asked
        assert again.headers["etag"] == tag
        assert again.headers["cache-control"] == f"{whose}, no-cache"
    others = ('"other"', tag[1:-1], tag[:-2] + '"', "", '"', "\x80\xff", '"' * 500, "," * 500)
    for asked in in_turn(others, place, 2):
        again = await ask(apis, operation, headers={"if-none-match": asked.encode("latin-1")})
        assert (again.status_code, again.content) == (200, first.content), asked


@pytest.mark.tries_more
@pytest.mark.parametrize("operation", VERSIONED, ids=str)
async def test_what_is_refused_is_refused_whatever_the_caller_has(apis: ApiClients, operation: Operation) -> None:
    for place, name in enumerate(sorted(operation.query.keys() - ANY_TEXT)):
        for asked in in_turn(("*", '"other"'), place):
            answer = await ask(apis, operation, f"{name}=No-such-code", headers={"if-none-match": asked})
            error_detail(operation, answer, name)


async def test_different_requests_have_different_tags(apis: ApiClients) -> None:
    for api in APIS:
        tags = [(await ask(apis, o)).headers["etag"] for o in VERSIONED if o.api == api]
        assert len(set(tags)) == len(tags)


@pytest.mark.parametrize("operation", READS, ids=str)
async def test_head_is_get_without_the_body(apis: ApiClients, operation: Operation) -> None:
    queries = ["", "no_such_parameter=1", *(["format=csv", "format=ndjson"] if operation.is_list else [])]
    for query in queries:
        get, head = [await ask(apis, operation, query, method=method) for method in ("GET", "HEAD")]
        assert head.status_code == get.status_code
        assert head.content == b""
        if operation.is_versioned:
            expected, found = [{k: v for k, v in a.headers.items() if k not in PASSING} for a in (get, head)]
            assert found == expected


def matches(template: str, path: str) -> bool:
    return re.fullmatch(re.sub(r"{\w+}", "[^/]+", template), path) is not None


PATHS = sorted({(o.api, o.template) for o in OPERATIONS})
ALL_METHODS = ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE", "PROPFIND")


@pytest.mark.tries_more
@pytest.mark.parametrize(("api", "template"), PATHS)
async def test_a_method_that_is_not_offered_is_a_405_that_says_which_are(
    apis: ApiClients, api: str, template: str
) -> None:
    paths = contract_of(api)["paths"]
    path = next(o.path for o in OPERATIONS if (o.api, o.template) == (api, template))
    offered = {method.upper() for method in paths[template]}
    # The name of a list's part could be the code of a record, too.
    taken = {method.upper() for other in paths if matches(other, path) for method in paths[other]}
    for methods in (offered, taken):
        if "GET" in methods:
            methods.add("HEAD")
    others = [method for method in ALL_METHODS if method not in offered | taken]
    for method in in_turn(others, PATHS.index((api, template)), 2):
        answer = await apis[api].request(method, path)
        assert answer.status_code == 405, method
        assert {name.strip() for name in answer.headers["allow"].split(",")} == offered
        if method != "HEAD":
            assert answer.headers["content-type"] == PROBLEM
            assert answer.json()["request_id"] == answer.headers["x-request-id"]


@pytest.mark.tries_more
@pytest.mark.parametrize("operation", OPERATIONS, ids=str)
async def test_a_given_request_id_is_returned_and_a_malformed_one_is_replaced(
    apis: ApiClients, operation: Operation
) -> None:
    ids = (("a-caller.Gave_it1", True), ("x" * 65, False), ("not well formed", False))
    asked = [(query, *each) for each in ids for query in ("", "no_such_parameter=1")]
    for query, given, kept in in_turn(asked, OPERATIONS.index(operation), 2):
        answer = await ask(apis, operation, query, headers={"x-request-id": given})
        (found,) = answer.headers.get_list("x-request-id")
        assert found
        assert (found == given) == kept
        if query:
            assert answer.json()["request_id"] == found


@pytest.mark.parametrize("api", APIS)
async def test_a_given_trace_is_logged(apis: ApiClients, api: str, log_lines: list[Contract]) -> None:
    trace_id = f"{APIS.index(api) + 1:032x}"
    service = api if api != "gateway" else "catalog"
    headers = {"traceparent": f"00-{trace_id}-00f067aa0ba902b7-01", "x-request-id": f"traced-at-{api}"}
    await apis[api].get(f"/{service}/v1/status", headers=headers)
    processes = {service, api}
    for _ in range(250):
        if {line["process"] for line in log_lines if line.get("trace_id") == trace_id} == processes:
            break
        await asyncio.sleep(0.02)
    lines = [line for line in log_lines if line.get("trace_id") == trace_id]
    assert {line["process"] for line in lines} == processes
    assert {line["request_id"] for line in lines} == {f"traced-at-{api}"}


async def test_an_unknown_path_is_a_problem_too(apis: ApiClients) -> None:
    for api in APIS:
        for path in (
            "/nowhere",
            "/catalog/v1/programmes/",
            "/catalog/v2/programmes",
            "//",
            "/%00",
            "/%ff",
        ):
            answer = await apis[api].get(apis[api].base_url.copy_with(raw_path=path.encode()))
            assert answer.status_code == 404, (api, path)
            assert answer.headers["content-type"] == PROBLEM
            assert answer.json()["code"] == "not_found"
    for api in ("catalog", "gateway"):
        for path in ("/catalog/v1/programmes/", "/catalog/v2/programmes", "/catalog/v1/Programme"):
            (error,) = (await apis[api].get(path)).json()["errors"]
            assert (error["code"], error["suggestion"]) == ("unknown_path", "/catalog/v1/programmes")


async def test_a_405_names_what_can_be_done_instead(apis: ApiClients) -> None:
    answer = await apis["funding"].delete("/funding/v1/ledger/L-000001")
    assert answer.status_code == 405
    assert "Reverse a ledger entry: POST /funding/v1/ledger/{code}/reversal" in answer.json()["detail"]


@pytest.mark.parametrize("api", SERVICES)
async def test_the_index_of_a_service_leads_to_answers(apis: ApiClients, api: str) -> None:
    index = (await apis["gateway"].get(f"/{api}/v1")).json()
    assert set(index["links"].values()) >= {o.template for o in LISTS if o.api == api and "{" not in o.template}
    for path in index["links"].values():
        # What only some may read is listed, too.
        assert (await apis["gateway"].get(path)).status_code in (200, 401), path


@pytest.mark.parametrize("operation", [o for o in LISTS if o.is_open], ids=str)
async def test_the_pages_of_a_list_are_found_by_their_links(apis: ApiClients, operation: Operation) -> None:
    page = await ask(apis, operation, "limit=1")
    read = [page.json()["items"]]
    first = page.links["first"]["url"]
    while "next" in page.links and len(read) < 3:
        assert page.links["next"]["url"] == page.json()["next"]
        page = await apis[operation.api].get(page.links["next"]["url"])
        assert page.links["first"]["url"] == first
        read.append(page.json()["items"])
    assert ("next" in page.links) == (page.json()["next"] is not None)
    again = await apis[operation.api].get(first)
    assert (again.json()["items"], "cursor" in first) == (read[0], False)


WITH_BODY = [o for o in OPERATIONS if o.body is not None]
NOT_JSON: tuple[tuple[int, Any], ...] = (
    (400, b"{"), (400, b"\xff\xfe"), (400, b'{"rubric": "x"'), (422, b""), (422, b"null"), (422, b"[]"), (422, b'"x"'),
    (422, b"{}"), (413, b" " * 1_048_577),
)  # fmt: skip


@pytest.mark.parametrize("operation", WITH_BODY, ids=str)
async def test_a_body_that_is_none_is_a_declared_problem(apis: ApiClients, operation: Operation) -> None:
    schema = validator(
        operation.api, operation.contract["requestBody"]["content"]["application/json"]["schema"]["$ref"]
    )
    for status, content in NOT_JSON:
        if content == b"{}" and schema.is_valid({}):
            continue
        answer = await ask(apis, operation, json=None, content=content, headers={"content-type": "application/json"})
        problem(operation, answer, status)
    whole = json.dumps(operation.body).encode()
    for media in ("text/plain", "application/x-www-form-urlencoded", "application/xml"):
        answer = await ask(apis, operation, json=None, content=whole, headers={"content-type": media})
        problem(operation, answer, 415)


# What of the wrong values is right for some member: a text that may be anything, a list of nothing, or a number.
MAY_BE = [("number", "1" * 30), ("text", "%"), ("text", "1" * 30), ("programmes", []), ("documents", [])]
MAY_BE += [("bank", "1" * 30), ("bank", "%")]
MAY_BE += [("account", "1" * 30), ("bank_reference", "1" * 30), ("bank_reference", "%")]
MAY_BE += [(name, "1" * 30) for name in ("title", "summary", "reason", "decision", "name", "reference", "note", "code")]
MAY_BE += [("programme_code", "1" * 30), ("organization", "1" * 30), ("interest", "1" * 30)]
MAY_BE += [("reviewer", "%"), ("reviewer", "1" * 30)]
MAY_BE += [(name, "%") for name in ("title", "summary", "reason", "decision", "name", "reference", "note")]
MAY_BE += [(name, value) for name in ("document", "signatory") for value in ("%", "1" * 30)]
MAY_BE += [("promised_refunds", []), ("tranche", 1), ("targets", [])]
MAY_BE += [(name, value) for name in ("definition", "means_of_verification") for value in ("%", "1" * 30)]
MAY_BE += [(name, []) for name in ("partners", "beneficiaries", "components", "localities", "figures")]
MAY_BE += [("objectives", []), ("places", []), ("organizations", []), ("budget_lines", []), ("due_diligence", [])]
MAY_BE += [(name, value) for name in ("comment", "explanation", "source") for value in ("%", "1" * 30)]


@pytest.mark.tries_more
@pytest.mark.parametrize("operation", WITH_BODY, ids=str)
async def test_every_member_of_a_body_is_held_by_its_pointer(apis: ApiClients, operation: Operation) -> None:
    for place, name in enumerate(operation.body, WITH_BODY.index(operation)):
        values: tuple[Any, ...] = (None, 1, "%", "a\x00b", [], "1" * 30)
        for wrong in in_turn(values, place, 2):
            answer = await ask(apis, operation, json={**operation.body, name: wrong})
            if answer.status_code in (operation.done, 409):
                # The value is right, whatever else is in the way of the write.
                assert name in operation.nullable if wrong is None else (name, wrong) in MAY_BE, (name, wrong)
            else:
                found = problem(operation, answer)["errors"]
                assert all(error["pointer"].startswith(f"/{name}") for error in found)
    (found,) = problem(operation, await ask(apis, operation, json={**operation.body, "rubrik": "x"}))["errors"]
    assert found["pointer"] == "/rubrik"


@pytest.mark.tries_more
@pytest.mark.parametrize("operation", LISTS, ids=str)
async def test_a_representation_is_negotiated(apis: ApiClients, operation: Operation) -> None:
    csv, ndjson, json_ = "text/csv; charset=utf-8", "application/x-ndjson", "application/json"
    place = LISTS.index(operation)
    accepted = {
        "": json_, "*/*": json_, "application/json": json_, "text/html, */*;q=0.1": json_, "text/csv": csv,
        "text/*": csv, "application/x-ndjson": ndjson, "application/ndjson": ndjson, "TEXT/CSV": csv,
        "text/csv;q=0.5, application/json;q=0.4": csv, "text/csv;q=0.4, application/json;q=0.5": json_,
        "text/csv;q=0, application/json;q=0.001": json_, "application/json;q=0.3, application/x-ndjson": ndjson,
    }  # fmt: skip
    for accept, media in in_turn([*accepted.items()], place, 5):
        answer = await ask(apis, operation, headers={"accept": accept} if accept else {})
        assert (answer.status_code, answer.headers["content-type"]) == (200, media), accept
    refused = ("text/html", "application/xml", "image/*", "application/json;q=0", "nonsense", "*/*;q=0.0")
    for accept in in_turn(refused, place, 2):
        assert problem(operation, await ask(apis, operation, headers={"accept": accept}), 406)["code"] == (
            "not_acceptable"
        )
    answer = await ask(apis, operation, "format=csv", headers={"accept": "application/json"})
    assert answer.headers["content-type"] == csv
