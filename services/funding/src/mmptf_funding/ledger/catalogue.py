"""What the ledger asks the catalogue: whether the programmes, organizations and areas that an entry names are there."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable

import httpx
from pydantic import BaseModel, ValidationError
from starlette.requests import Request

from mmptf_common.process.client import failure, open_client
from mmptf_common.wire.problems import BadGateway, GatewayTimeout, ProblemError, ServiceUnavailable
from mmptf_funding.settings import FundingSettings

ANSWER_SECONDS = 3.0
# For everything that a batch names.
ALL_SECONDS = 10.0
NOUNS = {"programme": "programmes", "organization": "organizations", "thematic_area": "thematic-areas"}
Asked = tuple[str, str]


class Coded(BaseModel):
    """A code, of whatever else there is."""

    code: str


class Budget(BaseModel):
    """What a programme's budget is, and of which stage of money."""

    amount: str
    currency: str
    stage: str


class Programme(Coded):
    """What the ledger needs to know of a programme."""

    title: str | None
    thematic_area: Coded | None
    organizations: list[Coded]
    budget: Budget | None


class Catalogue:
    """What the catalogue said of the codes that a request names, None for an unknown one; or how it failed."""

    def __init__(self, told: dict[Asked, Coded | None], failed: ProblemError | None) -> None:
        self._told = told
        self.failed = failed

    def knows(self, noun: str, code: str) -> bool:
        """Whether the catalogue lists a code; only where it has answered."""
        return self._told[noun, code] is not None

    def code(self, noun: str, code: str) -> str:
        """The code that it lists what was asked for under: another one where that was renamed."""
        told = self._told[noun, code]
        assert told
        return told.code

    def programme(self, code: str) -> Programme:
        """A programme that it knows."""
        programme = self._told["programme", code]
        assert isinstance(programme, Programme)
        return programme


async def ask(request: Request, asked: Iterable[Asked]) -> Catalogue:
    """Ask for every code once, in one connection; a catalogue that does not answer is told as its failure."""
    told: dict[Asked, Coded | None] = {}
    settings: FundingSettings = request.app.state.settings
    url = settings.catalog_url
    if not (wanted := dict.fromkeys(asked)):
        return Catalogue(told, None)
    if url is None:
        return Catalogue(told, ServiceUnavailable("CATALOG_URL is not set, so nothing is known of programmes here."))
    try:
        async with asyncio.timeout(ALL_SECONDS), open_client(seconds=ANSWER_SECONDS) as client:
            for noun, code in wanted:
                answer = await client.get(f"{url}/catalog/v1/{NOUNS[noun]}/{code}", follow_redirects=True)
                if answer.status_code == httpx.codes.NOT_FOUND:
                    told[noun, code] = None
                elif answer.status_code == httpx.codes.OK:
                    told[noun, code] = (Programme if noun == "programme" else Coded).model_validate_json(answer.content)
                else:
                    return Catalogue({}, BadGateway(f"The catalogue answered with {answer.status_code}."))
    except httpx.HTTPError as error:
        return Catalogue({}, failure("catalog", error))
    except TimeoutError:
        return Catalogue({}, GatewayTimeout(f"The catalogue took more than {ALL_SECONDS:.0f} seconds for all codes."))
    except ValidationError:
        return Catalogue({}, BadGateway("The catalogue answered what is no record of its own."))
    return Catalogue(told, None)
