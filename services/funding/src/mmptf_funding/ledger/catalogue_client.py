"""HTTP client of the catalogue, for the programmes, organizations and areas that entries name."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, TypeVar

import httpx
from pydantic import BaseModel, ValidationError
from starlette.requests import Request

from mmptf_common.process.client import failure, open_client
from mmptf_common.wire.base import CODE_PATTERN
from mmptf_common.wire.problem_codes import ProblemCode
from mmptf_common.wire.problems import BadGateway, GatewayTimeout, ProblemError, ServiceUnavailable
from mmptf_common.wire.suggestions import LONGEST_CODE, fold
from mmptf_funding.ledger.domain import CATALOGUE_LISTS, Answers, Coded, Entry, Noun, Programme
from mmptf_funding.settings import FundingSettings

ANSWER_SECONDS = 3.0
# Any other text is no code of a record, and no segment of a path.
_CODE = re.compile(CODE_PATTERN)
# The limit for all requests of one batch together.
ALL_SECONDS = 10.0
# The most codes in one request, as many as the filter takes, and the most records that it may find.
AT_ONCE, MOST_LISTED = 100, 1000
# Of a catalogue without the filter, this many codes of a kind are requested one by one; for more, its list is read.
SINGLY = 8
_Record = TypeVar("_Record", bound=Coded)
_MODELS: Mapping[Noun, type[Coded]] = {"programme": Programme, "organization": Coded, "thematic_area": Coded}


class _OlderCatalogue(Exception):
    """The catalogue does not know the filter by codes: it is of an earlier version than this service."""


class _Page(BaseModel):
    """The records of a page of one of the catalogue's lists."""

    items: list[dict[str, Any]]


async def ask(request: Request, entries: Iterable[Entry]) -> Answers | ProblemError:
    """The catalogue's answers for the distinct codes that entries name; or the error that prevented them.

    The number of requests does not grow with the entries, but with each hundred distinct codes of a kind.
    """
    settings: FundingSettings = request.app.state.settings
    wanted: dict[Noun, dict[str, None]] = {}
    for entry in entries:
        for noun, code in entry.catalogue_codes().items():
            wanted.setdefault(noun, {})[code] = None
    if not wanted:
        return Answers({}, {})
    if settings.catalog_url is None:
        return ServiceUnavailable(
            "CATALOG_URL is not set, so nothing is known of programmes here.", code=ProblemCode.NOT_CONFIGURED
        )
    found: dict[tuple[Noun, str], Coded | None] = {}
    try:
        async with asyncio.timeout(ALL_SECONDS), open_client(seconds=ANSWER_SECONDS) as client:
            for noun, codes in wanted.items():
                path = f"{settings.catalog_url}/catalog/v1/{CATALOGUE_LISTS[noun]}"
                records = await _records(client, path, _MODELS[noun], codes)
                found |= {(noun, code): record for code, record in records.items()}
    except httpx.HTTPError as error:
        return failure("catalog", error)
    except TimeoutError:
        return GatewayTimeout(f"The catalogue took more than {ALL_SECONDS:.0f} seconds for all codes.")
    except ValidationError:
        return BadGateway("The catalogue answered what is no record of its own.", code=ProblemCode.INVALID_ANSWER)
    except ProblemError as problem:
        return problem
    return Answers(
        {named: record.code if record else None for named, record in found.items()},
        {code: record for (_, code), record in found.items() if isinstance(record, Programme)},
    )


async def _records(
    client: httpx.AsyncClient, path: str, model: type[_Record], codes: Iterable[str]
) -> dict[str, _Record | None]:
    """Each code with its record, None where the catalogue has none; a renamed one with that of its present code."""
    sent = [code for code in codes if _CODE.fullmatch(code) and len(code) <= LONGEST_CODE]
    try:
        found = await _found(client, path, model, sent)
    except _OlderCatalogue:
        found = await _found_by_older(client, path, model, sent)
    return {code: found.get(code) for code in codes}


async def _found(
    client: httpx.AsyncClient, path: str, model: type[_Record], codes: Sequence[str]
) -> dict[str, _Record]:
    """The codes that the catalogue knows, each with its record; the filter finds those of earlier codes, too."""
    listed: list[_Record] = []
    for n in range(0, len(codes), AT_ONCE):
        listed += await _listed(client, path, model, codes[n : n + AT_ONCE])
    found = {code: record for code in codes if (record := _own(code, listed))}
    others = [code for code in codes if code not in found]
    if not listed or not others:
        return found
    if found:
        # Asked for by themselves, they find something only where one of them is an earlier code.
        return found | await _found(client, path, model, others)
    if len(others) == 1:
        return dict.fromkeys(others, listed[0])
    half = len(others) // 2
    return await _found(client, path, model, others[:half]) | await _found(client, path, model, others[half:])


async def _listed(client: httpx.AsyncClient, path: str, model: type[_Record], codes: Sequence[str]) -> list[_Record]:
    """The records with these codes, or with these earlier ones; raises _OlderCatalogue."""
    answer = await client.get(path, params={"code": codes, "fields": list(model.model_fields), "limit": MOST_LISTED})
    if answer.status_code == httpx.codes.UNPROCESSABLE_ENTITY:
        raise _OlderCatalogue
    return [model.model_validate(item) for item in _Page.model_validate_json(_content(answer)).items]


def _own(code: str, listed: Iterable[_Record]) -> _Record | None:
    """The record with this code, or the only one whose code differs in case alone."""
    same = [record for record in listed if fold(record.code) == fold(code)]
    return next((record for record in same if record.code == code), same[0] if len(same) == 1 else None)


async def _found_by_older(
    client: httpx.AsyncClient, path: str, model: type[_Record], codes: Sequence[str]
) -> dict[str, _Record]:
    """The same of a catalogue without the filter: of few codes each by itself, of more those that its list lacks."""
    found: dict[str, _Record] = {}
    if len(codes) > SINGLY:
        answer = await client.get(path, params={"format": "ndjson", "fields": list(model.model_fields)})
        listed = {fold(record.code): record for record in map(model.model_validate_json, _content(answer).splitlines())}
        found = {code: listed[fold(code)] for code in codes if fold(code) in listed}
    for code in codes:
        if code not in found:
            answer = await client.get(f"{path}/{code}", follow_redirects=True)
            if answer.status_code != httpx.codes.NOT_FOUND:
                found[code] = model.model_validate_json(_content(answer))
    return found


def _content(answer: httpx.Response) -> bytes:
    """The body of a response; raises BadGateway for one that is not 200."""
    if answer.status_code != httpx.codes.OK:
        raise BadGateway(f"The catalogue answered with {answer.status_code}.", code=ProblemCode.INVALID_ANSWER)
    return answer.content
