"""The route of a service's card of a programme: one screen can show the cards of all services together."""

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Annotated, Any, Generic, TypeVar

from pydantic import BaseModel
from starlette.responses import Response

from mmptf_common.http import conditional, openapi
from mmptf_common.http.headers import PublicReadRequest
from mmptf_common.http.parameters import PointInTimeQuery, canonical
from mmptf_common.http.snapshot import Snapshot, snapshot
from mmptf_common.lists.codes import find_with, in_other_case_or_meant
from mmptf_common.lists.pages import redirect, renamed
from mmptf_common.storage.engines import ReadKind
from mmptf_common.wire.base import Code, ResponseModel
from mmptf_common.wire.problem_codes import ProblemCode
from mmptf_common.wire.problems import NotFound, error_detail

ENTITY = "programme"
Shown = TypeVar("Shown", bound=BaseModel)


class Card(ResponseModel, Generic[Shown]):
    """What one service has on one programme, for a panel on a page about the programme."""

    service: str
    """Name of the service whose facts these are; it decides which members `facts` has."""
    code: Code
    """Code of the programme, the same in every service."""
    title: str
    """Heading of the card in English, for people, such as `Programme`."""
    revision: int
    """Number of the last write that the answer contains; it only grows, and `as_of` takes it to read the same data
    again.
    """
    changed: datetime | None
    """When any of the facts on the card last changed, in UTC; null where that is not known."""
    links: dict[str, str]
    """Paths at which the service has more on the programme, by what is there, such as `history`."""
    facts: Shown
    """The facts themselves, with members of their own in each service."""


@dataclass(frozen=True, slots=True)
class CardData:
    """The content of the card of one programme: its facts, when they last changed, and its links as name -> path."""

    facts: BaseModel
    changed: datetime | None
    links: Mapping[str, str]


# Returns the content of the card of the programme with this code; None where the service has nothing about it.
BuildCard = Callable[[Snapshot, str], Awaitable[CardData | None]]


def add_card(
    router: openapi.Router,
    service: str,
    card: type[Card[Any]],
    build: BuildCard,
    *,
    title: str,
    tag: openapi.Tag,
    about: str,
    known: str,
    unknown: str,
    example: str,
    packaged: bool = True,
) -> None:
    """Add a service's card of a programme to its router.

    title: the card's heading; tag: its group in the contract; about: what it shows, for the contract
    known: SQL of the codes of the programmes that have a card, as `codes_in` writes it
    unknown: the detail of the 404 for another code, `{}` stands for the code
    example: a code that has a card; packaged: whether it has one with the packaged data
    """
    path = f"/cards/{ENTITY}s"
    # Evaluated here, where `example` is known: this module's annotations are not postponed.
    code_text = f"Code of the programme, such as `{example}`; it is the same in every service."
    CodeInPath = Annotated[str, openapi.code_in_path(code_text, example, packaged=packaged)]  # noqa: N806

    async def get(request: PublicReadRequest, code: CodeInPath, query: PointInTimeQuery) -> Response:
        async with snapshot(request, ReadKind.PAGE, query) as read, read.repeatable_read() as (data, revision):
            made_of = await build(data, code)
            if made_of is None:
                return await elsewhere(data, code)
        tag = conditional.etag(request, revision, canonical(query))
        if conditional.matches(request, tag):
            return conditional.not_modified(tag)
        answer = card(
            service=service,
            code=code,
            title=title,
            revision=conditional.number_of(revision),
            changed=made_of.changed,
            links=dict(made_of.links),
            facts=made_of.facts,
        )
        return Response(answer.model_dump_json(), media_type="application/json", headers=conditional.headers(tag))

    async def elsewhere(data: Snapshot, code: str) -> Response:
        """The 308 to a renamed programme, or to its code in the right case; raises NotFound otherwise."""
        before = f"/{service}/v1{path}"
        if moved := await renamed(data, ENTITY, code, before):
            return moved
        written, meant = await in_other_case_or_meant(find_with(data.connection, known), code)
        if written is not None:
            return redirect(data, before, code, written)
        detail = unknown.format(repr(code)) + (" at that time." if data.is_dated else ".")
        raise NotFound(
            f"{detail} {meant.sentence}" if meant else detail,
            errors=[error_detail(ProblemCode.UNKNOWN_CODE, detail, parameter="code", suggestion=meant and meant.code)],
        )

    router.add_api_route(
        f"{path}/{{code}}",
        get,
        name=openapi.operation_id(f"get {service} {ENTITY} card"),
        tags=[tag.name],
        response_model=card,
        summary=f"Get the {service} card of a programme",
        description=about,
        **openapi.read(missing=True),
    )
