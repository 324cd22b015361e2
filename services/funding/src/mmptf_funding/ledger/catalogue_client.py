"""HTTP client of the catalogue, for the programmes, organizations and areas that entries name."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Iterable, Mapping
from typing import TypeVar

import httpx
from pydantic import ValidationError
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
# The number of codes of a kind that are requested one by one; for more, the list of the kind is read first.
SINGLY = 8
_Record = TypeVar("_Record", bound=Coded)
_MODELS: Mapping[Noun, type[Coded]] = {"programme": Programme, "organization": Coded, "thematic_area": Coded}


async def ask(request: Request, entries: Iterable[Entry]) -> Answers | ProblemError:
    """The catalogue's answers for the distinct codes that entries name; or the error that prevented them.

    Where many codes of a kind are named, its list is requested, and by itself only a code that it does not have.
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
    found: dict[str, _Record | None] = dict.fromkeys(codes)
    if len(sent) > SINGLY:
        answer = await client.get(path, params={"format": "ndjson", "fields": list(model.model_fields)})
        listed = {fold(record.code): record for record in map(model.model_validate_json, _content(answer).splitlines())}
        found |= {code: listed.get(fold(code)) for code in sent}
    for code in sent:
        if found[code] is None:
            answer = await client.get(f"{path}/{code}", follow_redirects=True)
            if answer.status_code != httpx.codes.NOT_FOUND:
                found[code] = model.model_validate_json(_content(answer))
    return found


def _content(answer: httpx.Response) -> bytes:
    """The body of a response; raises BadGateway for one that is not 200."""
    if answer.status_code != httpx.codes.OK:
        raise BadGateway(f"The catalogue answered with {answer.status_code}.", code=ProblemCode.INVALID_ANSWER)
    return answer.content
