"""What Schemathesis needs to know beyond the contract: the codes that exist, and what one parameter means for another.

A contract closes the words that never change. Codes come from code lists, which grow, so the contract says where they
are listed and no more; here they are read from those lists and closed, which makes both sides sharper: a valid request
has real codes only, and any other code counts as invalid and has to be refused.
"""

from __future__ import annotations

import os
from datetime import UTC, datetime
from importlib.resources import files
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import httpx
import schemathesis
import yaml

from mmptf_catalog.imports.template import EXAMPLE as PAST_PROGRAMMES
from mmptf_common.http.search import parse_search
from mmptf_common.wire.texts import fault_of
from mmptf_funding.approvals.schemas import PROPOSAL
from mmptf_funding.bank.schemas import MATCH, STATEMENT
from mmptf_funding.closings.schemas import CLOSING
from mmptf_funding.imports.schemas import LEDGER_EXAMPLE
from mmptf_funding.ledger import rules
from mmptf_funding.ledger.schemas import CORRECTION
from mmptf_funding.periods.schemas import CERTIFICATION, EXPLANATION, PERIOD
from mmptf_markers.results.schemas import EXAMPLE_PROGRAMME_INDICATOR, EXAMPLE_VALUE
from mmptf_markers.rubrics.schemas import EXAMPLE_RUBRIC

Json = dict[str, Any]
UNHEARD_OF = "No-such-code"
MOST_VALUES = 100
TABLES = {"csv", "csv-spreadsheet"}
EDITION = Path(str(files("mmptf_funding"))) / "data/MI-2015/requirements.csv"
# Codes that are asked for one at a time.
NAMED = {"earlier": "A-000001", "period": "2022", "target": "human-rights-90", "language": "fr"}
# The assessment before which that one was made.
COMPARED = "A-000002"
COPIED = {
    "programme": ["MKD-01", "SRB-01"],
    "stage": ["funded", "pipeline"],
    "thematic_area": ["1", "2"],
    "earmark": ["1", "2"],
    "country": ["MKD", "SRB"],
    "region": ["150"],
    "organization": ["IOM", "WHO"],
    "grade": ["A", "B", "C"],
    "assessment": ["A-000001", "A-000002"],
}
# Of what few may read, too.
OF_BANK = {
    "account": ["USD-MAIN"],
    "statement": ["S-000001"],
    "bank_entry": ["B-000001", "B-000002"],
    "ledger_entry": ["L-000002", "L-000005"],
}
# The parameters of the smallest and the largest value of a range.
RANGES = (
    ("amount_min", "amount_max"),
    ("budget_min", "budget_max"),
    ("date_from", "date_to"),
    ("value_date_from", "value_date_to"),
)
# What is compared is of one programme, and what is decided on is claimed by somebody: paths that need a certain record.
OF_ONE = {
    "/comparison": "A-000002",
    "/review": "A-000002",
    "/appeal/decision": "A-000006",
    "/transfer-proposals/{code}/withdrawal": "TP-000002",
}
client = httpx.Client(base_url=os.environ["FUZZED_URL"], timeout=30)


@schemathesis.hook
def before_load_schema(context: schemathesis.HookContext, raw_schema: Json) -> None:
    """Close every parameter and body member that takes codes with the codes that exist."""
    for path, item in raw_schema["paths"].items():
        for parameter in item.get("get", {}).get("parameters", ()):
            items = parameter["schema"].get("items")
            if parameter["name"] in NAMED and items is None:
                parameter["schema"] = {"const": NAMED[parameter["name"]]}
            elif parameter["name"] == "fields":
                items["enum"] = _members(raw_schema, item["get"])
            elif items is not None and not {"enum", "$ref", "pattern"} & items.keys():
                items["enum"] = _codes(path, parameter["name"])
        for operation in item.values():
            for parameter in operation.get("parameters", ()):
                if parameter["name"] == "If-Match":
                    parameter["schema"] = {"const": "*"}
            media = operation.get("requestBody", {}).get("content", {}).get("application/json", {})
            name = media.get("schema", {}).get("$ref", "").rpartition("/")[2]
            if name in BODIES:
                media["schema"] = BODIES[name](raw_schema, name)
        if path == "/markers/v1/score":
            item["post"]["requestBody"]["content"]["application/json"]["schema"] = _score_request()
        if path == "/markers/v1/rubrics":
            item["post"]["requestBody"]["content"] = {
                "application/yaml": {"schema": {"const": yaml.safe_load(EXAMPLE_RUBRIC)}}
            }
            # Which rubric may be superseded depends on what is published.
            item["post"]["parameters"] = [p for p in item["post"]["parameters"] if p.get("name") != "supersedes"]
        if path == "/catalog/v1/imports":
            item["post"]["requestBody"]["content"] = {"text/csv": {"schema": {"const": PAST_PROGRAMMES}}}
            # Control totals are those of the file.
            item["post"]["parameters"] = [p for p in item["post"]["parameters"] if p["name"] not in ("rows", "budget")]
        if path == "/funding/v1/imports":
            # What a file must hold no schema can say: one that is right, and whatever else is generated is wrong.
            item["post"]["requestBody"]["content"] = {"text/csv": {"schema": {"const": EDITION.read_text("utf-8")}}}
        if path == "/funding/v1/imports/ledger":
            item["post"]["requestBody"]["content"] = {"text/csv": {"schema": {"const": LEDGER_EXAMPLE}}}
            # Control totals are those of the file.
            item["post"]["parameters"] = [p for p in item["post"]["parameters"] if p["name"] not in ("rows", "total")]
        if path == "/funding/v1/bank-statements":
            item["post"]["requestBody"]["content"] = {"text/csv": {"schema": {"const": STATEMENT}}}


def _members(raw_schema: Json, operation: Json) -> list[str]:
    """The members of an item of a list's pages."""
    schemas = raw_schema["components"]["schemas"]
    page = schemas[operation["responses"]["200"]["content"]["application/json"]["schema"]["$ref"].rpartition("/")[2]]
    return list(schemas[page["properties"]["items"]["items"]["$ref"].rpartition("/")[2]]["properties"])


def _codes(path: str, name: str) -> list[str]:
    """The codes of a filter, read where the refusal of an unknown one says that they are listed."""
    if path in ("/markers/v1/drafts", "/markers/v1/reviews"):
        # Without a token neither is shown.
        return COPIED[name]
    if path.startswith("/funding/v1/bank-"):
        return OF_BANK[name]
    if path == "/funding/v1/transfer-proposals":
        return {"programme": ["ETH-01"], "organization": ["ILO"]}[name]
    if name == "criterion":
        # They are in the content of rubrics.
        return _criteria("programme_document")
    of_edition = path.replace("{edition}", "MI-2015")
    (refused,) = client.get(of_edition, params={name: UNHEARD_OF}).json()["errors"]
    listed_at = refused["allowed"][0].removeprefix("see ")
    if not path.startswith("/catalog/") and (listed_at.startswith("/catalog/") or name == "grade"):
        # The catalogue, of which the other services keep copies, is not behind every API.
        return COPIED[name]
    if listed_at.endswith("/facets"):
        return [facet["value"] for facet in client.get(listed_at).json()["facets"][name]][:MOST_VALUES]
    rows = client.get(httpx.URL(listed_at).copy_merge_params({"limit": 1000})).json()["items"]
    for member in ("code", name):
        codes = sorted({row[member] for row in rows if row.get(member)})
        if codes and client.get(path, params={name: codes[:MOST_VALUES]}).status_code == httpx.codes.OK:
            return codes
    raise LookupError(f"{path}: none of what {listed_at} lists is a value of {name}")


def _score_request() -> Json:
    """The body of a score with the answers schema that the service publishes for each rubric and stage."""
    choices: list[Json] = []
    for rubric in client.get("/markers/v1/rubrics", params={"limit": 1000}).json()["items"]:
        stages = {stage for criterion in rubric["content"]["criteria"] for stage in criterion["stages"]}
        for stage in sorted(stages):
            answers = client.get(rubric["answers_schema"], params={"stage": stage}).json()
            members = {
                "rubric": {"const": rubric["rubric"]},
                "version": {"enum": [rubric["version"], None]},
                "stage": {"const": stage},
                "answers": {key: value for key, value in answers.items() if key != "$schema"},
            }
            choices.append(
                {"type": "object", "properties": members, "required": [*members], "additionalProperties": False}
            )
    return {"anyOf": choices}


def _narrowed(raw_schema: Json, name: str, without: tuple[str, ...] = (), **members: Json) -> Json:
    """A body's schema without some of its members, and with others closed: what is left of it is as it stands."""
    found = raw_schema["components"]["schemas"][name]
    properties = {key: value for key, value in found["properties"].items() if key not in without}
    for key, schema in members.items():
        properties[key] = schema
    return {**found, "properties": properties}


def _listed(path: str, **query: str) -> Json:
    rows = client.get(path, params={"limit": 1000, **query}).json()["items"]
    return {"enum": [row["code"] for row in rows]}


def _listed_or_null(path: str) -> Json:
    return {"enum": [*_listed(path)["enum"], None]}


# Sums that have to agree, and dates that have to follow one another, no schema can say: single values that do.
PAST = {"type": "string", "pattern": "^20(19|2[0-5])-(0[1-9]|1[0-2])-(0[1-9]|1[0-9]|2[0-8])$"}
# The years before are those of closed periods.
OPEN = {"type": "string", "pattern": "^202[45]-(0[1-9]|1[0-2])-(0[1-9]|1[0-9]|2[0-8])$"}
PAST_OR_NULL = {"anyOf": [PAST, {"type": "null"}]}
FITTED = ("duration", "budget", "budget_lines")


def _content(raw_schema: Json, name: str) -> Json:
    """A programme's own words, with codes that exist; its money and its time have to fit one another."""
    country = _listed("/catalog/v1/places", kind="country")
    place = _narrowed(raw_schema, "ProgrammePlaceSent", code=country, share={"enum": ["100.00", None]})
    organizations = _listed("/catalog/v1/organizations")
    partner = _narrowed(raw_schema, "ProgrammePartnerSent", country={"enum": [*country["enum"], None]})
    locality = _narrowed(raw_schema, "ProgrammeLocalitySent", place=country)
    lists = {
        "objectives": {
            "type": "array",
            "items": _listed("/catalog/v1/objectives"),
            "maxItems": 23,
            "uniqueItems": True,
        },
        "organizations": {"type": "array", "items": organizations, "maxItems": 40, "uniqueItems": True},
        "places": {"type": "array", "items": place, "maxItems": 60, "uniqueItems": True},
        "partners": {"type": "array", "items": partner, "maxItems": 200, "uniqueItems": True},
        "localities": {"type": "array", "items": locality, "maxItems": 200, "uniqueItems": True},
    }
    area = _listed("/catalog/v1/thematic-areas")
    if name == "ProgrammeAmendment":
        decision = _listed_or_null("/catalog/v1/decisions")
        # It has a lead already; no two entries of a list may be alike.
        left_out = (*FITTED, *lists, "beneficiaries", "components", "figures", "lead_organization")
        return _narrowed(raw_schema, name, left_out, thematic_area=area, decision=decision)
    for schema in lists.values():
        # A draft need not be right before it is submitted.
        del schema["uniqueItems"]
    return _narrowed(raw_schema, name, FITTED, thematic_area=area, **lists)


def _status(raw_schema: Json, name: str) -> Json:
    # Whatever does not follow the present status is a conflict, and that is right.
    statuses = {"enum": ["suspended", "not_selected", "operationally_closed"]}
    found = _narrowed(raw_schema, name, status=statuses, date={"const": f"{datetime.now(UTC):%Y-%m-%d}"})
    return {**found, "required": [*found["required"], "decision"], "properties": {
        **found["properties"], "decision": _listed("/catalog/v1/decisions")}}  # fmt: skip


def _extension(raw_schema: Json, name: str) -> Json:
    return _narrowed(raw_schema, name, end={"const": "2030-12-31"}, decision=_listed("/catalog/v1/decisions"))


def _call(raw_schema: Json, name: str) -> Json:
    # It closes after it opens.
    return _narrowed(raw_schema, name, opens={"enum": ["2026-01-15", None]}, closes={"enum": ["2026-03-31", None]})


def _meeting(raw_schema: Json, name: str) -> Json:
    # Not after the decision that was taken at the one which is amended.
    return _narrowed(raw_schema, name, date={"enum": ["2026-06-29", "2026-06-30"]})


def _decision(raw_schema: Json, name: str) -> Json:
    """A decision of today on one programme at most, of a meeting and a call, which are all listed."""
    decided = _narrowed(raw_schema, "DecidedProgrammeSent", programme=_listed("/catalog/v1/programmes"))
    said = {
        "meeting": _listed_or_null("/catalog/v1/meetings"),
        "call": _listed_or_null("/catalog/v1/calls"),
        # Each programme is named once.
        "programmes": {"type": "array", "items": decided, "maxItems": 1},
        # Not before its meeting.
        "date": {"const": f"{datetime.now(UTC):%Y-%m-%d}"},
    }
    return _narrowed(raw_schema, name, **said)


def _decision_batch(raw_schema: Json, name: str) -> Json:
    decisions = raw_schema["components"]["schemas"][name]["properties"]["decisions"]
    return _narrowed(raw_schema, name, decisions={**decisions, "items": _decision(raw_schema, "DecisionSent")})


def _contributor(raw_schema: Json, name: str) -> Json:
    return _narrowed(raw_schema, name, ("country",), type={"enum": ["foundation", "non_governmental_organization"]})


def _entry(raw_schema: Json, name: str) -> Json:
    """An entry with everything that its kind needs and nothing that it does not take."""
    # What is corrected is an entry of the same kind with other members.
    left_out = (*rules.PARTIES, "corrects")
    # The areas are the catalogue's, which is not behind every API.
    areas = {"enum": ["1", "2", "3", "4", "5", None]}
    paid = _narrowed(raw_schema, name, left_out, kind={"enum": ["pledge", "commitment", "deposit"]}, date=OPEN,
                     contributor=_listed("/funding/v1/contributors"), thematic_area=areas)  # fmt: skip
    paid = {**paid, "required": [*paid["required"], "contributor"]}
    return {"anyOf": [paid, _narrowed(raw_schema, name, left_out, kind={"const": "interest"}, date=OPEN)]}


def _entry_batch(raw_schema: Json, name: str) -> Json:
    # Whatever else is written without what it needs is an outcome of its row, not a refusal of the batch.
    interest = _entry(raw_schema, "LedgerEntrySent")["anyOf"][1]
    entries = {"type": "array", "items": interest, "minItems": 1, "maxItems": 1000}
    return _narrowed(raw_schema, name, entries=entries)


def _reversal(raw_schema: Json, name: str) -> Json:
    return _narrowed(raw_schema, name, date={"const": "2026-08-01"})


def _criteria(stage: str) -> list[str]:
    (rubric,) = client.get("/markers/v1/rubrics", params={"status": "illustrative"}).json()["items"]
    return [c["code"] for c in rubric["content"]["criteria"] if stage in c["stages"]]


def _answers(raw_schema: Json, name: str, stage: str, levels: list[int]) -> Json:
    """Answers to the criteria of a stage, by some levels of the scale."""
    whole = raw_schema["components"]["schemas"]
    for action in ("PlannedActionSent", "RiskSent"):
        for member in {"due"} & set(whole[action]["properties"]):
            day = whole[action]["properties"][member]
            # Where none need be stated, null says so.
            is_nullable = day == PAST_OR_NULL or "null" in day.get("type", ())
            whole[action]["properties"][member] = PAST_OR_NULL if is_nullable else PAST
    _name_evidence(whole)
    # The packaged rubric has no checks.
    said = {"checks": {"type": "array", "maxItems": 0}} if name == "CriterionAnswerSent" else {}
    answer = _narrowed(raw_schema, name, answer={"enum": levels}, **said)
    members = dict.fromkeys(_criteria(stage), answer)
    return {"type": "object", "properties": members, "additionalProperties": False}


def _name_evidence(schemas: Json) -> None:
    """Evidence names a document, an address, or both."""
    text = {"type": "string"}
    schemas["EvidenceSent"]["anyOf"] = [
        {"required": [member], "properties": {member: text}} for member in ("document", "url")
    ]


GRADES = {"enum": ["A", "B", "C", None]}


def _assessment(raw_schema: Json, name: str) -> Json:
    stage = "concept_note" if name == "AssessmentSent" else "annual_report"
    answers = _answers(raw_schema, "CriterionAnswerSent", stage, [0, 1, 2, 3])
    # Null takes an answer back.
    answers["properties"] = {code: {"anyOf": [said, {"type": "null"}]} for code, said in answers["properties"].items()}
    said = {"answers": answers, "declared_grade": GRADES}
    if name == "AssessmentContent":
        # Of an annual report the year is stated, and no day.
        return _narrowed(raw_schema, name, ("document_date",), **said)
    begun = {"programme": {"const": "IRQ-JOR-LBN-01"}, "stage": {"const": stage}, "document_date": PAST_OR_NULL}
    return _narrowed(raw_schema, name, ("year", "rubric"), **begun, **said)


def _review(raw_schema: Json, name: str) -> Json:
    # Those of the assessor are 1 and 2, and the reviewer's are others.
    answers = _answers(raw_schema, "ReviewedAnswerSent", "programme_document", [0, 3])
    del answers["properties"]["national-institutions"]
    return _narrowed(raw_schema, name, ("grade",), answers=answers)


def _action_end(raw_schema: Json, name: str) -> Json:
    """Each outcome with everything that it needs and nothing that it does not take."""
    schemas = raw_schema["components"]["schemas"]
    _name_evidence(schemas)
    members = schemas[name]["properties"]
    needed = {"done": ("done", "evidence"), "replaced": ("reason", "replacement"), "dropped": ("reason",)}
    of_sort: dict[str, Json] = {
        "done": PAST,
        "evidence": {**members["evidence"], "minItems": 1},
        "reason": {"type": "string", "pattern": "^[a-z]{3,9}$"},
        "replacement": {"$ref": "#/components/schemas/ActionReplacement"},
    }
    return {
        "anyOf": [
            {
                "type": "object",
                "properties": {"outcome": {"const": outcome}, **{member: of_sort[member] for member in stated}},
                "required": ["outcome", *stated],
                "additionalProperties": False,
            }
            for outcome, stated in needed.items()
        ]
    }


def _position(raw_schema: Json, name: str) -> Json:
    """A dissent, which says why, with answers that are none of the assessor's."""
    answers = _answers(raw_schema, "ReviewedAnswerSent", "annual_report", [0, 3])
    answers["properties"].pop("national-institutions", None)
    found = _narrowed(raw_schema, name, position={"const": "dissent"}, answers=answers)
    reason = {**found["properties"]["reason"], "type": "string"}
    return {
        **found,
        "required": [*found["required"], "reason"],
        "properties": {**found["properties"], "reason": reason},
    }


def _settlement(raw_schema: Json, name: str) -> Json:
    organizations = {"enum": [["ILO", "IOM"], ["IOM"], ["IOM", "WHO"]]}
    said = {"organizations": organizations, "lead_organization": {"enum": ["IOM", None]}}
    return _narrowed(raw_schema, name, **said, **({"programme": {"const": "MDA-01"}} if name.endswith("Sent") else {}))


def _due(raw_schema: Json, name: str) -> Json:
    said: Json = {"due": {"enum": [f"{datetime.now(UTC):%Y-%m-%d}", None]}}
    if name == "ReviewerSent":
        # Of the reviews of an assessment the first is needed next, and a second one can be asked for; whose reviewer it
        # is takes no part in the programme.
        said |= {"round": {"enum": ["first", "second", None]}, "organization": {"const": "OHCHR"}}
    return _narrowed(raw_schema, name, **said)


def _appeal(raw_schema: Json, name: str) -> Json:
    text = raw_schema["components"]["schemas"][name]["properties"]["comment"]
    reasons = dict.fromkeys(_criteria("programme_document"), text)
    del reasons["national-institutions"]
    schema = {"type": "object", "properties": reasons, "additionalProperties": False}
    return _narrowed(raw_schema, name, reasons=schema)


def _declaration(raw_schema: Json, name: str) -> Json:
    stages = {"enum": ["concept_note", "programme_document", "final_report"]}
    said = {"programme": {"const": "ETH-01"}, "marker": {"const": "human_rights"}, "grade": {"enum": ["A", "B", "C"]}}
    # What names a document and a place in it has a letter or a digit.
    source = {
        "type": "object",
        "properties": {"document": {"const": "Joint programme document"}, "locator": {"enum": ["Cover page", "p. 1"]}},
        "required": ["document", "locator"],
        "additionalProperties": False,
    }
    said |= {"organization": {"const": "ILO"}, "source": source}
    return _narrowed(raw_schema, name, ("year", "corrects"), stage=stages, date=PAST, **said)


def _bank_account(raw_schema: Json, name: str) -> Json:
    return _narrowed(raw_schema, name, currency={"enum": ["USD", "EUR", "CHF"]})


def _closing(raw_schema: Json, name: str) -> Json:
    # Its figures are those of the ledger.
    return {"const": CLOSING}


def _period(raw_schema: Json, name: str) -> Json:
    # It begins on the day after the last one.
    return _narrowed(raw_schema, name, start={"const": PERIOD["start"]}, end={"const": PERIOD["end"]})


def _certification(raw_schema: Json, name: str) -> Json:
    # Each line is stated once.
    return {"const": CERTIFICATION}


def _explanation(raw_schema: Json, name: str) -> Json:
    # A line that is certified.
    return _narrowed(raw_schema, name, line={"const": EXPLANATION["line"]})


def _correction(raw_schema: Json, name: str) -> Json:
    # Of the kind of the entry that is corrected, and reversed not before its day.
    return {"const": CORRECTION}


def _bank_matches(raw_schema: Json, name: str) -> Json:
    return {"const": {"matches": [MATCH]}}


def _proposal(raw_schema: Json, name: str) -> Json:
    # The programme is the catalogue's, which is not behind every API.
    return {"const": PROPOSAL}


def _limit(raw_schema: Json, name: str) -> Json:
    # No day before today.
    return _narrowed(raw_schema, name, ("since",))


COUNTED = {"type": "string", "pattern": "^[1-9][0-9]{0,5}$"}


def _results_indicator(raw_schema: Json, name: str) -> Json:
    """An indicator of people with whole numbers and one target at most, and all codes that reported values use."""
    schemas = raw_schema["components"]["schemas"]
    for each in ("IndicatorBaselineSent", "ResultTargetSent"):
        schemas[each]["properties"]["value"] = COUNTED
    targets = {**schemas[name]["properties"]["targets"], "maxItems": 1}
    said: Json = {
        "targets": targets,
        # One that takes part in the programme, and none of an indicator of the Fund.
        "responsible_organization": {"const": None},
        "disaggregations": {"const": EXAMPLE_PROGRAMME_INDICATOR["disaggregations"]},
    }
    if name == "ResultsIndicatorSent":
        # The programme is the catalogue's, which is not behind every API.
        said |= {"programme": {"enum": ["ETH-01", None]}, "unit": {"const": "people"}}
    return _narrowed(raw_schema, name, **said)


def _reported_value(raw_schema: Json, name: str) -> Json:
    """A value of days that no other one is of, with parts that add up to it."""
    year = "2025" if name == "ReportedValueSent" else "2024"
    said: Json = {"start": {"const": f"{year}-01-01"}, "end": {"const": f"{year}-12-31"}, "value": {"const": "180"}}
    said["disaggregation"] = {"enum": [{}, EXAMPLE_VALUE["disaggregation"]]}
    if name == "ReportedValueSent":
        said["indicator"] = {"const": EXAMPLE_VALUE["indicator"]}
    found = _narrowed(raw_schema, name, **said)
    return {**found, "required": [*found["required"], "start"]}


# What is sent to an operation, as the contract names it -> what makes it mean something.
BODIES = {
    "ProgrammeDraftSent": _content,
    "ProgrammeDraftAmendment": _content,
    "ProgrammeAmendment": _content,
    "StatusChangeSent": _status,
    "NoCostExtensionSent": _extension,
    "CallForProposalsSent": _call,
    "CallForProposalsAmendment": _call,
    "MeetingAmendment": _meeting,
    "DecisionSent": _decision,
    "DecisionAmendment": _decision,
    "DecisionBatch": _decision_batch,
    "ContributorSent": _contributor,
    "BankAccountSent": _bank_account,
    "BankMatchBatch": _bank_matches,
    "FinancialClosingSent": _closing,
    "PeriodSent": _period,
    "CertificationSent": _certification,
    "FigureExplanationSent": _explanation,
    "TransferLimitSent": _limit,
    "TransferProposalSent": _proposal,
    "LedgerEntrySent": _entry,
    "LedgerEntryBatch": _entry_batch,
    "LedgerReversalSent": _reversal,
    "LedgerCorrectionSent": _correction,
    "AssessmentSent": _assessment,
    "AssessmentContent": _assessment,
    "ReviewSent": _review,
    "ReviewerSent": _due,
    "ClaimSent": _due,
    "AppealSent": _appeal,
    "DeclarationSent": _declaration,
    "ActionEndSent": _action_end,
    "PositionSent": _position,
    "ResultsIndicatorSent": _results_indicator,
    "ResultsIndicatorAmendment": _results_indicator,
    "ReportedValueSent": _reported_value,
    "ReportedValueCorrection": _reported_value,
    "AssessorSettlementSent": _settlement,
    "AssessorSettlementAmendment": _settlement,
}


@schemathesis.serializer("text/csv")
def as_file(context: schemathesis.SerializationContext, value: object) -> bytes:
    """A generated body as the bytes of a file."""
    return value.encode() if isinstance(value, str) else str(value).encode()


@schemathesis.hook
def before_call(context: schemathesis.HookContext, case: schemathesis.Case[Any], kwargs: Json) -> None:
    """Make a valid query mean something: what its parameters say of one another no schema can express."""
    query = case.query = case.query or {}
    writes = "Idempotency-Key" in {parameter.name for parameter in case.operation.iter_parameters()}
    if writes and query.get("dry_run", "false") == "false":
        # Nobody else is to see what is generated; what is done is the same but for the commit.
        query["dry_run"] = "true"
    if str(query.get("wait")).isdecimal():
        query["wait"] = "0"
    declared = [parameter for parameter in case.operation.iter_parameters() if parameter.name == "fields"]
    if declared and "fields" in query:
        # An item without some of its members is none of the schema, also where something else in the query is wrong on
        # purpose and is accepted after all.
        schema, given = declared[0].definition["schema"], query["fields"]
        names, named = schema["items"]["enum"], [*map(str, given if isinstance(given, list) else [given])]
        if {*named} <= {*names} and len(named) <= schema["maxItems"]:
            query["fields"] = names
    if case.meta is None or not case.meta.generation.mode.is_positive:
        if "/catalog/v1/decisions" in case.operation.path and isinstance(case.body, dict):
            if query.get("partial") == "true":
                # What is wrong with a row is an outcome of it where the others are written.
                query["partial"] = "false"
            decisions = case.body.get("decisions", [case.body])
            for decision in decisions if isinstance(decisions, list) else ():
                _name_one_programme(decision)
        return
    for step, code in OF_ONE.items():
        if case.operation.path.endswith(step):
            case.path_parameters = {"code": code}
    if isinstance(case.body, dict):
        case.body = _that_shows(case.body)
    if case.operation.path.endswith("/comparison") and (case.path_parameters or {}).get("code") != COMPARED:
        # An assessment of another programme is not earlier.
        query.pop("earlier", None)
    if not query:
        return
    if case.operation.path.endswith(("/status-changes", "/decisions/batch")):
        # What cannot be written as a whole is refused as a whole.
        query["partial"] = "true"
    if "period" in query:
        # A period has days of its own, and was not there at first.
        for name in ("date_from", "date_to", "as_of"):
            query.pop(name, None)
    if query.get("format") in {*TABLES, "ndjson"}:
        # An export is complete: it has no pages to ask for.
        query.pop("limit", None)
        query.pop("cursor", None)
    if query.get("format") in TABLES and case.operation.path.endswith("/indicator") and not query.get("by"):
        # A table has a row for each group, so it has to be divided.
        query["by"] = ["country"]
    if query.get("format") in TABLES:
        # A CSV has columns of other names.
        query.pop("fields", None)
    if isinstance(query.get("sort"), list):
        # A key has one direction.
        query["sort"] = list({str(key).removeprefix("-"): key for key in query["sort"]}.values())
    if "as_of" in query:
        # Of what is to come nothing can be asked.
        query["as_of"] = "1" if str(query["as_of"]).isdecimal() else "2024-02-29"
    if "updated_since" in query:
        # Not every day that a pattern allows is in the calendar.
        query["updated_since"] = "2024-02-29T12:00:00Z"
    for low, high in RANGES:
        if low in query and high in query:
            # A range that is turned round is refused.
            query[high] = query[low]
    if "q" in query:
        query["q"] = _a_search(str(query["q"]))
    if "cursor" in query:
        _use_a_real_cursor(case.formatted_path, query)


def _name_one_programme(decision: Any) -> None:
    """Two programmes are more than `_decision` has, and right: the same one twice is wrong for the service, too."""
    programmes = decision.get("programmes") if isinstance(decision, dict) else None
    if isinstance(programmes, list) and programmes:
        programmes[1:] = programmes[:1] * (len(programmes) - 1)


def _that_shows(value: Any) -> Any:
    """A body whose texts have no characters that no pattern of a contract names: those beyond U+FFFF and unassigned."""
    if isinstance(value, dict):
        return {name: _that_shows(member) for name, member in value.items()}
    if isinstance(value, list):
        return [_that_shows(member) for member in value]
    if not isinstance(value, str) or fault_of(value) is None:
        return value
    seen = "".join(c for c in value if c.isprintable() and fault_of(c) is None)
    return f"a{seen}"[: len(value)]


def _a_search(text: str) -> str:
    """The text where it can be searched for, else the letters of it."""
    try:
        parse_search(text)
    except ValueError:
        text = "".join(c for c in text.lower() if c.isalnum()) + "a"
    return text[-200:]


def _use_a_real_cursor(path: str, query: Json) -> None:
    """The cursor that leads behind the first row of the same question, where there is a second."""
    asked = {name: value for name, value in query.items() if name not in {"cursor", "limit"}}
    following = client.get(f"{path}?{urlencode({**asked, 'limit': 1}, doseq=True)}").json().get("next")
    if following is None:
        del query["cursor"]
    else:
        query["cursor"] = following.partition("cursor=")[2].partition("&")[0]
