"""Who may do what: every operation for every role, for its own and another organization, and with every bad token.

Every run asks each operation with some of the values of a test marked `tries_more`, so that each value is asked of some
operation; `make longer` asks each with all.
"""

from __future__ import annotations

import importlib
import time
from dataclasses import dataclass

import httpx
import jwt
import pytest
from fastapi.routing import APIRoute, iter_route_contexts
from pydantic import SecretStr

from mmptf_catalog.programmes.examples import STATUS_BATCH
from mmptf_common.http.identity import access_of
from mmptf_local.issuer import CLIENTS, Issuer
from tests.conftest import service_of
from tests.contract.asking import ApiClients, ask, problem
from tests.contract.contracts import AT_SERVICES, OPERATIONS, SERVICES, Operation, in_turn
from tests.tokens import bearer, issuer


@dataclass(frozen=True)
class Rule:
    """What a caller with the scope is answered: for the organization that the example is of, and for another one."""

    own: str
    agency: tuple[int, int] | None = None
    management_unit: int | None = None
    agent: int | None = None
    reviewer: int | None = None
    second_reviewer: int | None = None
    admin: int | None = None
    admin_of_another: int | None = None
    another: str = "WHO"


# The statuses of the examples of every operation that needs a token, for all who have its scope but the administrator,
# who may do everything, though not for an organization that takes part. Whoever is not named has not the scope.
RULES = {
    "catalog:list_programme_drafts": Rule("IOM", (200, 200), 200),
    "catalog:get_programme_draft": Rule("IOM", (200, 404), 404),
    "catalog:get_programme_draft_history": Rule("IOM", (200, 404), 404),
    "catalog:create_programme_draft": Rule("IOM", (201, 201), 403),
    "catalog:amend_programme_draft": Rule("IOM", (200, 404), 404),
    "catalog:discard_programme_draft": Rule("IOM", (204, 404), 404),
    "catalog:submit_programme_draft": Rule("IOM", (201, 404), 404),
    "catalog:amend_programme": Rule("IOM", (200, 403), 200),
    "catalog:change_programme_status": Rule("IOM", (403, 403), 200),
    "catalog:extend_programme": Rule("IOM", (403, 403), 200),
    "catalog:change_programme_statuses": Rule("IOM", (422, 422), 200),
    "catalog:create_organization": Rule("IOM", (403, 403), 201),
    "catalog:import_past_programmes": Rule("IOM", (403, 403), 200),
    "catalog:create_call_for_proposals": Rule("IOM", (403, 403), 201),
    "catalog:amend_call_for_proposals": Rule("IOM", (403, 403), 200),
    "catalog:create_meeting": Rule("IOM", (403, 403), 201),
    "catalog:amend_meeting": Rule("IOM", (403, 403), 200),
    "catalog:create_decision": Rule("IOM", (403, 403), 201),
    "catalog:create_decisions": Rule("IOM", (403, 403), 200),
    "catalog:amend_decision": Rule("IOM", (403, 403), 200),
    "funding:create_ledger_entry": Rule("IOM", (403, 403), 403, 201),
    "funding:create_ledger_entries": Rule("IOM", (422, 422), 422, 200),
    "funding:reverse_ledger_entry": Rule("ILO", (201, 403), 403, 201),
    "funding:correct_ledger_entry": Rule("ILO", (201, 403), 403, 201),
    "funding:create_financial_closing": Rule("IOM", (403, 403), 403, 201),
    "funding:withdraw_financial_closing": Rule("IOM", (403, 403), 403, 200),
    "funding:create_contributor": Rule("IOM", (403, 403), 201, 201),
    "funding:open_accounting_period": Rule("IOM", (403, 403), 403, 201),
    "funding:close_accounting_period": Rule("IOM", (403, 403), 403, 200),
    "funding:reopen_accounting_period": Rule("IOM", (403, 403), 403, 200),
    "funding:certify_accounting_period": Rule("IOM", (403, 403), 403, 200),
    "funding:explain_certified_figure": Rule("IOM", (403, 403), 403, 200),
    "funding:import_requirements": Rule("IOM", (403, 403), 200, 403),
    **{
        f"funding:{name}": Rule("IOM", (403, 403), 200, 200)
        for name in (
            "list_bank_accounts",
            "get_bank_account",
            "get_bank_account_history",
            "list_bank_statements",
            "get_bank_statement",
            "get_bank_statement_history",
            "list_bank_entries",
            "get_bank_entry",
            "get_bank_entry_history",
            "get_bank_entry_facets",
            "get_bank_entry_totals",
            "list_bank_matches",
            "get_bank_match",
            "get_bank_match_history",
            "get_reconciliation",
            "get_match_proposals",
            "list_transfer_limits",
            "get_transfer_limit",
            "get_transfer_limit_history",
            "list_transfer_proposals",
            "get_transfer_proposal",
            "get_transfer_proposal_history",
        )
    },
    "funding:create_transfer_limit": Rule("IOM", (403, 403), 201, 403),
    "funding:create_transfer_proposal": Rule("IOM", (403, 403), 403, 201),
    # Another person of the agent has proposed the first one.
    "funding:approve_transfer_proposal": Rule("IOM", (403, 403), 403, 201),
    "funding:reject_transfer_proposal": Rule("IOM", (403, 403), 403, 200),
    "funding:withdraw_transfer_proposal": Rule("IOM", (403, 403), 403, 200),
    "funding:create_bank_account": Rule("IOM", (403, 403), 403, 201),
    "funding:amend_bank_account": Rule("IOM", (403, 403), 403, 200),
    "funding:import_ledger_entries": Rule("IOM", (403, 403), 200, 403),
    "funding:import_bank_statements": Rule("IOM", (403, 403), 403, 200),
    "funding:confirm_bank_matches": Rule("IOM", (403, 403), 403, 200),
    "funding:cancel_bank_match": Rule("IOM", (403, 403), 403, 200),
    "markers:list_assessment_drafts": Rule("IOM", (200, 200), another="ILO"),
    "markers:get_assessment_draft": Rule("IOM", (200, 404), another="ILO"),
    "markers:get_assessment_draft_score": Rule("IOM", (200, 404), another="ILO"),
    "markers:get_assessment_draft_history": Rule("IOM", (200, 404), another="ILO"),
    "markers:create_assessment_draft": Rule("IOM", (201, 403), admin_of_another=403, another="ILO"),
    "markers:amend_assessment_draft": Rule("IOM", (200, 404), another="ILO"),
    "markers:discard_assessment_draft": Rule("IOM", (204, 404), another="ILO"),
    "markers:submit_assessment_draft": Rule("IOM", (201, 404), another="ILO"),
    # The other one has submitted it.
    "markers:state_position": Rule("IOM", (200, 403), admin_of_another=403),
    "markers:settle_assessors": Rule("IOM", management_unit=201, reviewer=403),
    "markers:amend_assessor_settlement": Rule("IOM", management_unit=200, reviewer=403),
    "markers:get_restricted_content": Rule("ILO", (200, 200), management_unit=200, reviewer=200, second_reviewer=403),
    "markers:get_restricted_action": Rule("ILO", (200, 200), management_unit=200, reviewer=200, second_reviewer=403),
    "markers:end_action": Rule("ILO", (200, 200), management_unit=200, reviewer=403),
    "markers:list_reviews": Rule("IOM", management_unit=200, reviewer=200),
    "markers:get_review": Rule("IOM", management_unit=200, reviewer=200, second_reviewer=404),
    "markers:get_agreement_of_reviewers": Rule("IOM", management_unit=200, reviewer=403),
    "markers:assign_reviewer": Rule("IOM", management_unit=201, reviewer=403),
    "markers:claim_review": Rule("IOM", management_unit=201, reviewer=201, admin_of_another=403),
    "markers:decline_review": Rule("IOM", management_unit=200, reviewer=200, second_reviewer=404),
    # Nobody else has claimed it.
    "markers:review_assessment": Rule(
        "IOM", management_unit=409, reviewer=200, second_reviewer=409, admin=409, admin_of_another=403
    ),
    "markers:appeal_against_review": Rule("IOM", (200, 200), another="WHO"),
    "markers:decide_appeal": Rule(
        "IOM", management_unit=409, reviewer=409, second_reviewer=200, admin=409, admin_of_another=403
    ),
    "markers:create_results_indicator": Rule("IOM", (403, 403), management_unit=201, reviewer=403),
    "markers:amend_results_indicator": Rule("ILO", (200, 403), management_unit=200, reviewer=403, another="IOM"),
    "markers:report_value": Rule("ILO", (201, 403), management_unit=201, reviewer=403, another="IOM"),
    "markers:correct_reported_value": Rule("ILO", (200, 403), management_unit=200, reviewer=403, another="IOM"),
    "markers:withdraw_reported_value": Rule("ILO", (200, 403), management_unit=200, reviewer=403, another="IOM"),
    "markers:declare_grade": Rule("IOM", management_unit=201, reviewer=403),
    "markers:withdraw_declared_grade": Rule("IOM", management_unit=200, reviewer=403),
    "markers:publish_rubric": Rule("IOM", management_unit=201, reviewer=403),
    "catalog:get_programme_draft_audit": Rule("IOM"),
    "markers:get_assessment_draft_audit": Rule("IOM"),
} | {f"{name}:get_{name}_audit": Rule("IOM") for name in SERVICES}
PROTECTED = [o for o in AT_SERVICES if not o.is_open]
OPEN = [o for o in AT_SERVICES if o.is_open]


def test_no_operation_is_forgotten() -> None:
    assert {str(o) for o in PROTECTED} == set(RULES)


@pytest.mark.parametrize("api", SERVICES)
def test_every_operation_states_its_access_in_the_signature_of_its_route(api: str) -> None:
    nowhere = service_of(api).settings.model_construct(database_url=SecretStr("postgresql://"))
    app = importlib.import_module(f"mmptf_{api}.app").create_app(nowhere)
    routes = [r for r in iter_route_contexts(app.routes) if isinstance(r.original_route, APIRoute)]
    # Lists are called without FastAPI's dependencies, so none may be added where a router is included.
    assert all(r.dependencies == r.original_route.dependencies for r in routes)
    stated = {r.operation_id or r.unique_id: access_of(r.endpoint) for r in routes if r.endpoint}
    for operation in (o for o in AT_SERVICES if o.api == api):
        access = stated[operation.id]
        assert access is not None, operation
        assert operation.contract["security"] == [{"bearer": [scope]} for scope in access.scopes]


def bad_tokens() -> dict[str, tuple[str, str]]:
    """Tokens that nobody may be believed for -> the code of their refusal."""
    now = int(time.time())
    good = issuer().token("admin", organization="IOM")
    payload = jwt.decode(good, options={"verify_signature": False})
    header = jwt.get_unverified_header(good)
    return {
        "expired": (issuer().token("admin", exp=now - 3600), "token_expired"),
        "not yet valid": (issuer().token("admin", nbf=now + 3600), "token_not_yet_valid"),
        "wrong audience": (issuer().token("admin", aud="somebody-else"), "token_invalid"),
        "wrong issuer": (issuer().token("admin", iss="https://elsewhere.example"), "token_invalid"),
        "unsigned": (good.rpartition(".")[0] + ".", "token_invalid"),
        "alg=none": (jwt.encode(payload, None, algorithm="none", headers={"kid": header["kid"]}), "token_invalid"),
        "a shared secret": (
            jwt.encode(payload, "x" * 64, algorithm="HS256", headers={"kid": header["kid"]}), "token_invalid",
        ),
        "a key that was rotated away": (Issuer(issuer().url).token("admin"), "token_invalid"),
        "of another one's signature": (
            good.rpartition(".")[0] + "." + issuer().token("agency").rpartition(".")[2], "token_invalid",
        ),
        "no token at all": ("garbage", "token_invalid"),
    }  # fmt: skip


async def asked(apis: ApiClients, operation: Operation, headers: dict[str, str]) -> httpx.Response:
    """The example of an operation, asked by whoever the headers say; a batch as a whole, of states that are known."""
    own = {name: value for name, value in operation.headers.items() if name != "authorization"}
    options = {**operation.sent, "headers": {**operation.sent["headers"], **own, **headers}}
    if not headers:
        options["headers"].pop("authorization", None)
    if operation.id == "change_programme_statuses":
        (change,) = STATUS_BATCH["changes"]
        known = await apis[operation.api].get(f"/catalog/v1/programmes/{change['programme']}")
        options["json"] = {"changes": [{**change, "etag": known.headers["etag"]}]}
    query = "?dry_run=true" if operation.writes else ""
    return await apis[operation.api].request(operation.method.upper(), operation.path + query, **options)


NEED_A_TOKEN = [o for o in OPERATIONS if not o.is_open]


@pytest.mark.tries_more
@pytest.mark.parametrize("operation", NEED_A_TOKEN, ids=str)
async def test_every_protected_operation_needs_a_valid_token(apis: ApiClients, operation: Operation) -> None:
    missing = await asked(apis, operation, {})
    assert problem(operation, missing, 401)["code"] == "token_missing"
    assert missing.headers["www-authenticate"] == 'Bearer realm="mmptf"'
    for name, (token, code) in in_turn([*bad_tokens().items()], NEED_A_TOKEN.index(operation), 3):
        answer = await asked(apis, operation, {"authorization": f"Bearer {token}"})
        assert problem(operation, answer, 401)["code"] == code, name
        assert 'error="invalid_token"' in answer.headers["www-authenticate"]
        assert token not in answer.text


@pytest.mark.parametrize("operation", PROTECTED, ids=str)
async def test_each_role_may_use_its_own_operations_only(apis: ApiClients, operation: Operation) -> None:
    rule = RULES[str(operation)]
    scopes = [scope for requirement in operation.contract["security"] for scope in requirement["bearer"]]
    statuses = {"management-unit": rule.management_unit, "agent": rule.agent, "reviewer": rule.reviewer}
    statuses["second-reviewer"] = rule.reviewer if rule.second_reviewer is None else rule.second_reviewer
    for client, known in CLIENTS.items():
        for organization, own in ((rule.own, True), (rule.another, False)):
            if client == "admin":
                expected: int | None = (not own and rule.admin_of_another) or rule.admin or operation.done
            elif client == "agency":
                expected = rule.agency and rule.agency[0 if own else 1]
            else:
                expected = statuses[client]
            # The Fund and its agent write for themselves.
            for_whom = organization if client in ("agency", "admin") else None
            answer = await asked(apis, operation, bearer(client, for_whom))
            if expected is None:
                assert not set(scopes) & set(known.scopes), client
                assert problem(operation, answer, 403)["code"] == "insufficient_scope"
                assert f'scope="{" ".join(scopes)}"' in answer.headers["www-authenticate"]
            else:
                assert answer.status_code == expected, (client, organization, answer.text)
                if expected >= 400:
                    problem(operation, answer, expected)


@pytest.mark.tries_more
@pytest.mark.parametrize("operation", OPEN, ids=str)
async def test_public_operations_need_no_token_and_accept_any(apis: ApiClients, operation: Operation) -> None:
    without = await ask(apis, operation)
    assert without.status_code == operation.done
    for token in in_turn(("garbage", issuer().token("agency", exp=1)), OPEN.index(operation)):
        answer = await ask(apis, operation, headers={"authorization": f"Bearer {token}"})
        assert answer.status_code == operation.done
        if operation.is_versioned:
            assert answer.headers["etag"] == without.headers["etag"]
