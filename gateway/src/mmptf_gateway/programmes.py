"""One programme as a view: the card of each service, requested from all at once, or the reason why it is missing."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from typing import Annotated, Any

from pydantic import AfterValidator, AwareDatetime, BaseModel, ValidationError

from mmptf_common.wire.base import Code, ResponseModel
from mmptf_common.wire.problem_codes import ProblemCode
from mmptf_common.wire.problems import BadGateway, GatewayTimeout, NotFound, ProblemError, error_detail
from mmptf_gateway.answers import Answers
from mmptf_gateway.upstreams import Asking, ServiceAnswer, TooManyRedirects

LIMIT_SECONDS = 2.0

# Why there is no card though nothing failed: the service has no data on the programme, or no cards at all.
NOT_FOUND, NO_CARDS = ProblemCode.NOT_FOUND, ProblemCode.NO_CARDS
TIMEOUT = GatewayTimeout.code


def _writable(facts: dict[str, Any]) -> dict[str, Any]:
    # A value that JSON does not have (NaN, Infinity) would be sent as null.
    json.dumps(facts, allow_nan=False)
    return facts


class ProgrammeCard(ResponseModel):
    """One service's data on one programme; `facts` are described by the contract of that service.

    `changed` is when the data of the card last changed, null where the service has no such time; `links` lead to more.
    """

    service: str
    """Name of the service whose facts these are."""
    code: Code
    """Code of the programme, the same in every service."""
    title: str
    """Heading of the card, for people."""
    revision: int
    """Number of the last write that the answer contains; it only grows, and `as_of` takes it to read the same data
    again.
    """
    changed: AwareDatetime | None
    """When what the card shows last changed, in UTC; null where that is not known."""
    links: dict[str, str]
    """Paths of further facts of the service, by name."""
    facts: Annotated[dict[str, Any], AfterValidator(_writable)]
    """What the service has on the programme."""


class MissingCard(ResponseModel):
    """Why a service has no card of this programme."""

    code: ProblemCode
    """`not_found`: the service has nothing on this programme. `no_cards`: it has no cards of programmes at all. Any
    other code is a failure, such as `service_timeout`: the service may have a card, so ask again later.
    """
    detail: str
    """Why there is no card, for people."""


class ProgrammePart(ResponseModel):
    """What one service has on the programme: its card, or why there is none."""

    service: str
    """Name of the service, such as `funding`."""
    card: ProgrammeCard | None
    """The card of the service; null where `missing` says why there is none."""
    age_seconds: int | None
    """Whole seconds since the facts on the card last changed (`changed`), not since they were read; 0 or more. Null
    where there is no card, or its `changed` is null.
    """
    missing: MissingCard | None
    """Why there is no card; null where there is one."""


class ProgrammeView(ResponseModel):
    """What all services have on one programme."""

    code: Code
    """Code of the programme; where it was renamed, the present code. Where the cards of the services have different
    codes, the one that was asked for.
    """
    complete: bool
    """Whether every service has a card."""
    missing: list[str]
    """Names of the services without a card; empty where `complete` is true."""
    parts: list[ProgrammePart]
    """One part for each service, with or without a card."""


class RefusalError(BaseModel):
    """What the gateway reads of one error of a problem."""

    code: str
    parameter: str | None = None
    suggestion: str | None = None


class CardError(BaseModel):
    """What the gateway reads of a service's problem."""

    code: ProblemCode
    detail: str
    errors: list[RefusalError] = []


@dataclass(frozen=True, slots=True)
class Part:
    """What a service has answered: a card, or why there is none and the code that it suggests for an unknown one."""

    service: str
    card: ProgrammeCard | None = None
    missing: MissingCard | None = None
    suggestion: str | None = None

    @property
    def failed(self) -> bool:
        """Whether the service might have had a card."""
        return self.missing is not None and self.missing.code not in (NOT_FOUND, NO_CARDS)


async def programme_view(asking: Asking, answers: Answers, code: str) -> ProgrammeView:
    """The card of every service, in the order of the settings, each kept in `answers` or asked within LIMIT_SECONDS.

    Without any card: raises NotFound where no service failed, GatewayTimeout where all failures were timeouts, and
    BadGateway otherwise.
    """
    found = await _ask_all(dict.fromkeys(asking.upstreams, code), asking, answers)
    renamed = {answer.card.code for answer in found if answer.card} - {code}
    if len(renamed) == 1:
        # A service that never had the former code answers 404 for it: it is asked for the new one.
        (current,) = renamed
        absent = [answer.service for answer in found if answer.missing and answer.missing.code == NOT_FOUND]
        again = await _ask_all(dict.fromkeys(absent, current), asking, answers)
        of_current = {answer.service: answer for answer in again}
        found = [of_current.get(answer.service, answer) for answer in found]
    if not any(answer.card for answer in found):
        raise _nothing(code, found)
    codes = {answer.card.code for answer in found if answer.card}
    missing = [answer.service for answer in found if answer.missing]
    now = datetime.now(UTC)
    return ProgrammeView(
        code=codes.pop() if len(codes) == 1 else code,
        complete=not missing,
        missing=missing,
        parts=[
            ProgrammePart(
                service=answer.service,
                card=answer.card,
                age_seconds=_age(answer.card.changed, now) if answer.card else None,
                missing=answer.missing,
            )
            for answer in found
        ],
    )


async def _ask_all(codes: Mapping[str, str], asking: Asking, answers: Answers) -> Sequence[Part]:
    return await asyncio.gather(*(_ask(name, code, asking, answers) for name, code in codes.items()))


async def _ask(name: str, code: str, asking: Asking, answers: Answers) -> Part:
    path = f"/{name}/v1/cards/programmes/{code}"

    async def ask() -> ServiceAnswer:
        return await asking.get(name, path, seconds=LIMIT_SECONDS, follow_redirects=True)

    try:
        return await answers.part(name, path, ask, partial(_read, name))
    except TooManyRedirects:
        return _no_card(name)
    except ProblemError as problem:
        return _missing(name, problem.code, problem.detail)


def _read(name: str, answer: ServiceAnswer) -> tuple[Part, bool]:
    """The card of a service, or why there is none; and whether that holds until the next write of the service."""
    if not answer.is_success:
        part = _error_answer(name, answer)
        return part, part.missing is not None and part.missing.code == NOT_FOUND
    try:
        # A member that a later version adds is ignored: the card can be used without it.
        card = ProgrammeCard.model_validate_json(answer.content, strict=True, extra="ignore")
    except ValidationError:
        return _no_card(name), False
    if (card.service, card.code) == (name, answer.path.rpartition("/")[2]):
        return Part(name, card=card), True
    detail = f"The service {name!r} answers with the card of something else."
    return _missing(name, ProblemCode.INVALID_ANSWER, detail), False


def _no_card(name: str) -> Part:
    return _missing(name, ProblemCode.INVALID_ANSWER, f"The service {name!r} answers, but not with a card.")


def _missing(name: str, code: ProblemCode, detail: str, suggestion: str | None = None) -> Part:
    return Part(name, missing=MissingCard(code=code, detail=detail), suggestion=suggestion)


def _error_answer(name: str, answer: ServiceAnswer) -> Part:
    """The reason for an answer without a card: the code is unknown, the service has no cards, or it failed."""
    try:
        problem = CardError.model_validate_json(answer.content)
    except ValidationError:
        problem = CardError(
            code=ProblemCode.INVALID_ANSWER,
            detail=f"The service answered {answer.status} {answer.reason}.",
        )
    if answer.status != 404:
        return _missing(name, problem.code, problem.detail)
    # Both are 404; only a service with cards names the programme's code as unknown.
    for error in problem.errors:
        if (error.code, error.parameter) == ("unknown_code", "code"):
            return _missing(name, NOT_FOUND, problem.detail, error.suggestion)
    return _missing(name, NO_CARDS, f"The service {name!r} has no cards of programmes.")


def _nothing(code: str, answers: Sequence[Part]) -> ProblemError:
    """The problem for a programme of which no service has a card."""
    failed = [answer.missing for answer in answers if answer.missing and answer.failed]
    if failed:
        slow = all(missing.code == TIMEOUT for missing in failed)
        return (GatewayTimeout if slow else BadGateway)(
            " ".join(missing.detail for missing in failed),
            errors=[error_detail(missing.code, missing.detail) for missing in failed],
        )
    meant = next((answer.suggestion for answer in answers if answer.suggestion), None)
    detail = f"No service tells of a programme {code!r}."
    return NotFound(
        f"{detail} Did you mean {meant}?" if meant else detail,
        errors=[error_detail(ProblemCode.UNKNOWN_CODE, detail, parameter="code", suggestion=meant)],
    )


def _age(changed: datetime | None, now: datetime) -> int | None:
    return None if changed is None else max(0, int((now - changed).total_seconds()))
