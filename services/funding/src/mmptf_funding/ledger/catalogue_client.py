"""HTTP client of the catalogue, for the programmes, organizations and areas that entries name."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Iterable

import httpx
from pydantic import ValidationError
from starlette.requests import Request

from mmptf_common.process.client import failure, open_client
from mmptf_common.wire.base import CODE_PATTERN
from mmptf_common.wire.problem_codes import ProblemCode
from mmptf_common.wire.problems import BadGateway, GatewayTimeout, ProblemError, ServiceUnavailable
from mmptf_common.wire.suggestions import LONGEST_CODE
from mmptf_funding.ledger.domain import CATALOGUE_LISTS, Answers, Coded, Noun, Programme
from mmptf_funding.settings import FundingSettings

ANSWER_SECONDS = 3.0
# Any other text is no code of a record, and no segment of a path.
_CODE = re.compile(CODE_PATTERN)
# The limit for all requests of one batch together.
ALL_SECONDS = 10.0


async def ask(request: Request, names: Iterable[tuple[Noun, str]]) -> Answers | ProblemError:
    """The catalogue's answers, one request for each distinct code over one client; or the error that prevented them."""
    codes: dict[tuple[Noun, str], str | None] = {}
    programmes: dict[str, Programme] = {}
    settings: FundingSettings = request.app.state.settings
    url = settings.catalog_url
    if not (wanted := dict.fromkeys(names)):
        return Answers(codes, programmes)
    if url is None:
        return ServiceUnavailable(
            "CATALOG_URL is not set, so nothing is known of programmes here.", code=ProblemCode.NOT_CONFIGURED
        )
    try:
        async with asyncio.timeout(ALL_SECONDS), open_client(seconds=ANSWER_SECONDS) as client:
            for noun, code in wanted:
                if not _CODE.fullmatch(code) or len(code) > LONGEST_CODE:
                    codes[noun, code] = None
                    continue
                answer = await client.get(f"{url}/catalog/v1/{CATALOGUE_LISTS[noun]}/{code}", follow_redirects=True)
                if answer.status_code == httpx.codes.NOT_FOUND:
                    codes[noun, code] = None
                elif answer.status_code != httpx.codes.OK:
                    return BadGateway(
                        f"The catalogue answered with {answer.status_code}.", code=ProblemCode.INVALID_ANSWER
                    )
                elif noun == "programme":
                    programmes[code] = Programme.model_validate_json(answer.content)
                    codes[noun, code] = programmes[code].code
                else:
                    codes[noun, code] = Coded.model_validate_json(answer.content).code
    except httpx.HTTPError as error:
        return failure("catalog", error)
    except TimeoutError:
        return GatewayTimeout(f"The catalogue took more than {ALL_SECONDS:.0f} seconds for all codes.")
    except ValidationError:
        return BadGateway("The catalogue answered what is no record of its own.", code=ProblemCode.INVALID_ANSWER)
    return Answers(codes, programmes)
