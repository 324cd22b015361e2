"""What Schemathesis is told beyond the contract: the codes that exist, and what one parameter means for another.

A contract closes the words that never change. Codes come from code lists, which grow, so the contract says where they
are listed and no more; here they are read from those lists and closed, which makes both sides sharper: a valid request
has real codes only, and any other code counts as invalid and has to be refused.
"""

from __future__ import annotations

import os
from importlib.resources import files
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import httpx
import schemathesis

from mmptf_common.query import words

Document = dict[str, Any]
UNHEARD_OF = "No-such-code"
MOST_VALUES = 100
EDITION = Path(str(files("mmptf_funding"))) / "data/MI-2015/requirements.csv"
client = httpx.Client(base_url=os.environ["FUZZED_URL"], timeout=30)


@schemathesis.hook
def before_load_schema(context: schemathesis.HookContext, raw_schema: Document) -> None:
    """Close every parameter and body member that takes codes with the codes that exist."""
    for path, item in raw_schema["paths"].items():
        for parameter in item.get("get", {}).get("parameters", ()):
            items = parameter["schema"].get("items")
            if items is not None and "enum" not in items:
                items["enum"] = _codes(path, parameter["name"])
        for method, operation in item.items():
            for parameter in operation.get("parameters", ()):
                if parameter["name"] == "dry_run":
                    # Nobody else is to see what is generated; what is done is the same but for the commit.
                    parameter |= {"required": True, "schema": {"const": "true"}}
                elif parameter["name"] == "If-Match":
                    parameter["schema"] = {"const": "*"}
            if (method, path) in BODIES:
                operation["requestBody"]["content"]["application/json"]["schema"] = BODIES[method, path]()
        if path == "/funding/v1/imports":
            # What a file must hold no schema can say: one that is right, and whatever else is generated is wrong.
            item["post"]["requestBody"]["content"] = {"text/csv": {"schema": {"const": EDITION.read_text("utf-8")}}}


def _codes(path: str, name: str) -> list[str]:
    """The codes of a filter, read where the refusal of an unknown one says that they are listed."""
    (refused,) = client.get(path, params={name: UNHEARD_OF}).json()["errors"]
    listed_at = refused["allowed"][0].removeprefix("see ")
    if listed_at.endswith("/facets"):
        return [facet["value"] for facet in client.get(listed_at).json()["facets"][name]][:MOST_VALUES]
    rows = client.get(httpx.URL(listed_at).copy_merge_params({"limit": 1000})).json()["items"]
    for member in ("code", name):
        codes = sorted({row[member] for row in rows if row.get(member)})
        if codes and client.get(path, params={name: codes[:MOST_VALUES]}).status_code == httpx.codes.OK:
            return codes
    raise LookupError(f"{path}: none of what {listed_at} lists is a value of {name}")


def _score_request() -> Document:
    """The body of a score with the answers schema that the service publishes for each rubric and stage."""
    choices: list[Document] = []
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


def _object(optional: Document, **required: Document) -> Document:
    members = {**required, **optional}
    return {"type": "object", "properties": members, "required": [*required], "additionalProperties": False}


def _listed(path: str, **query: str) -> Document:
    rows = client.get(path, params={"limit": 1000, **query}).json()["items"]
    return {"enum": [row["code"] for row in rows]}


def _several(items: Document) -> Document:
    return {"type": "array", "items": items, "maxItems": 3, "uniqueItems": True}


# Sums that have to agree, and dates that have to follow one another, no schema can say: single values that do.
TEXT = {"type": "string", "pattern": "^[A-Za-z][A-Za-z0-9 ,.]{0,80}$"}
AMOUNT = {"type": "string", "pattern": r"^[1-9]\d{0,5}\.\d{2}$"}
PAST = {"type": "string", "pattern": "^20(19|2[0-5])-(0[1-9]|1[0-2])-(0[1-9]|1[0-9]|2[0-8])$"}
CODE = {"type": "string", "pattern": "^[A-Z]{3,8}-[0-9]{2}$"}


def _content() -> Document:
    place = _object({}, code=_listed("/catalog/v1/places", kind="country"), share={"const": "100.00"})
    return {
        "title": TEXT,
        "summary": TEXT,
        "thematic_area": _listed("/catalog/v1/thematic-areas"),
        "objectives": _several(_listed("/catalog/v1/objectives")),
        "places": {"type": "array", "maxItems": 1, "items": place},
    }


def _draft() -> Document:
    organizations = _several(_listed("/catalog/v1/organizations"))
    return _object({**_content(), "organizations": organizations, "budget": AMOUNT}, code=CODE)


def _draft_content() -> Document:
    return _object({**_content(), "budget": AMOUNT})


def _amendment() -> Document:
    return _object(_content(), reason=TEXT)


def _status() -> Document:
    # No programme at hand becomes this at once, which is a conflict whatever else is sent.
    return _object({"decision": TEXT}, status={"const": "financially_closed"}, date=PAST, reason=TEXT)


def _extension() -> Document:
    return _object({}, end={"const": "2030-12-31"}, reason=TEXT, decision=TEXT)


def _organization() -> Document:
    return _object({}, code=CODE, name=TEXT)


def _contributor() -> Document:
    return _object({}, code=CODE, name=TEXT, type={"const": "foundation"})


def _entry() -> Document:
    dated = {"date": PAST, "amount": AMOUNT}
    said = {"note": TEXT, "reference": TEXT}
    earmarked = {**said, "thematic_area": _listed("/catalog/v1/thematic-areas")}
    contributor = _listed("/funding/v1/contributors")
    return {
        "anyOf": [
            _object(earmarked, kind={"enum": ["pledge", "commitment", "deposit"]}, contributor=contributor, **dated),
            _object(said, kind={"const": "interest"}, **dated),
        ]
    }


def _entry_batch() -> Document:
    return _object({}, entries={"type": "array", "items": _entry(), "minItems": 1, "maxItems": 3})


def _reversal() -> Document:
    return _object({}, date={"const": "2026-08-01"}, reason=TEXT)


BODIES = {
    ("post", "/markers/v1/score"): _score_request,
    ("post", "/catalog/v1/drafts"): _draft,
    ("patch", "/catalog/v1/drafts/{code}"): _draft_content,
    ("patch", "/catalog/v1/programmes/{code}"): _amendment,
    ("post", "/catalog/v1/programmes/{code}/status"): _status,
    ("post", "/catalog/v1/programmes/{code}/extensions"): _extension,
    ("post", "/catalog/v1/organizations"): _organization,
    ("post", "/funding/v1/ledger"): _entry,
    ("post", "/funding/v1/ledger/batch"): _entry_batch,
    ("post", "/funding/v1/ledger/{code}/reversal"): _reversal,
    ("post", "/funding/v1/contributors"): _contributor,
}


@schemathesis.serializer("text/csv")
def as_file(context: schemathesis.SerializationContext, value: object) -> bytes:
    """A generated body as the bytes of a file."""
    return value.encode() if isinstance(value, str) else str(value).encode()


@schemathesis.hook
def before_call(context: schemathesis.HookContext, case: schemathesis.Case[Any], kwargs: Document) -> None:
    """Make a valid query mean something: what its parameters say of one another no schema can express."""
    if case.meta is None or not case.meta.generation.mode.is_positive or not case.query:
        return
    query = case.query
    if query.get("format") in {"csv", "ndjson"}:
        # An export is complete: it has no pages to ask for.
        query.pop("limit", None)
        query.pop("cursor", None)
    if "wait" in query:
        query["wait"] = "0"
    if "as_of" in query:
        # Of what is to come nothing can be asked.
        query["as_of"] = "1" if str(query["as_of"]).isdecimal() else "2024-02-29"
    if "q" in query and not words(str(query["q"])):
        query["q"] = f"{query['q']}a"[-200:]
    if "cursor" in query:
        _use_a_real_cursor(case.formatted_path, query)


def _use_a_real_cursor(path: str, query: Document) -> None:
    """The cursor that leads behind the first row of the same question, where there is a second."""
    asked = {name: value for name, value in query.items() if name not in {"cursor", "limit"}}
    following = client.get(f"{path}?{urlencode({**asked, 'limit': 1}, doseq=True)}").json().get("next")
    if following is None:
        del query["cursor"]
    else:
        query["cursor"] = following.partition("cursor=")[2].partition("&")[0]
