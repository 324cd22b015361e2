"""The copy of the catalogue, in which the programmes, organizations and areas that entries name are looked up."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from mmptf_common.feed.replication import copy_state
from mmptf_common.lists.codes import codes_in, find_with, suggest_each
from mmptf_common.lists.listing import Arguments
from mmptf_common.wire.problem_codes import ProblemCode
from mmptf_common.wire.problems import ServiceUnavailable
from mmptf_common.wire.suggestions import Suggestion, fold
from mmptf_funding.ledger.domain import Entry, Noun
from mmptf_funding.ledger.programmes import CatalogueCodes, Programme
from mmptf_funding.settings import FundingSettings

SOURCE = "catalog"


async def known_codes(connection: Any, entries: Iterable[Entry], settings: FundingSettings) -> CatalogueCodes:
    """What the copy says of the codes that entries name; the number of statements does not grow with them.

    Raises ServiceUnavailable where entries name any, and the copy is not complete or too old.
    """
    wanted: dict[Noun, set[str]] = {}
    for entry in entries:
        for noun, code in entry.catalogue_codes().items():
            wanted.setdefault(noun, set()).add(code)
    if not wanted:
        return CatalogueCodes({}, {}, {})
    await _require_copy(connection, settings)
    programmes: dict[str, Programme] = {}
    found = await _listed(connection, wanted, programmes)
    codes: dict[tuple[Noun, str], str | None] = {
        (noun, code): code if (noun, code) in found else None for noun, given in wanted.items() for code in given
    }
    if unlisted := [named for named, code in codes.items() if code is None]:
        codes |= await _renamed(connection, unlisted, programmes)
    meant: dict[tuple[Noun, str], Suggestion | None] = {}
    for noun in wanted:
        unknown = sorted(code for (of, code), current in codes.items() if of == noun and current is None)
        suggested = await suggest_each(find_with(connection, codes_in(noun)), unknown) if unknown else {}
        meant |= {(noun, code): suggestion for code, suggestion in suggested.items()}
    return CatalogueCodes(codes, meant, programmes)


async def _require_copy(connection: Any, settings: FundingSettings) -> None:
    """Raise ServiceUnavailable where there is no copy, or one that is older than it may be."""
    state = await copy_state(connection, SOURCE)
    if state.age_seconds is None:
        if settings.catalog_url is None:
            raise ServiceUnavailable(
                "CATALOG_URL is not set, so nothing is known of programmes here.", code=ProblemCode.NOT_CONFIGURED
            )
        raise ServiceUnavailable("The catalogue is not copied yet.", code=ProblemCode.COPY_OUTDATED)
    if state.age_seconds > settings.catalog_max_age:
        raise ServiceUnavailable(
            f"The copy of the catalogue is {state.age_seconds} seconds old, and entries are checked against one of at"
            f" most {settings.catalog_max_age}: the catalogue is away.",
            code=ProblemCode.COPY_OUTDATED,
        )


async def _listed(
    connection: Any, wanted: dict[Noun, set[str]], programmes: dict[str, Programme]
) -> set[tuple[Noun, str]]:
    """Those of the codes that records have; the programmes among them are added."""
    arguments = Arguments()
    parts = [
        f"SELECT '{noun}', code, {'record::text' if noun == 'programme' else 'NULL'} FROM {noun}"
        f" WHERE code = ANY({arguments.bind(sorted(codes))}::text[])"
        for noun, codes in wanted.items()
    ]
    rows = await connection.fetch(" UNION ALL ".join(parts), *arguments)
    programmes |= {code: Programme.model_validate_json(record) for _, code, record in rows if record}
    return {(noun, code) for noun, code, _ in rows}


async def _renamed(
    connection: Any, unlisted: Iterable[tuple[Noun, str]], programmes: dict[str, Programme]
) -> dict[tuple[Noun, str], str]:
    """The present codes of those that are earlier ones, in any case; the programmes among them are added."""
    texts = {(noun, code): fold(f"{noun}.{code}") for noun, code in unlisted}
    rows = await connection.fetch(
        "SELECT code, record->>'current' FROM renaming WHERE lower(code) = ANY($1::text[]) ORDER BY code",
        sorted(set(texts.values())),
    )
    exact = dict(map(tuple, rows))
    first: dict[str, str] = {}
    for code, current in rows:
        first.setdefault(fold(code), current)
    renamed = {
        (noun, code): current
        for (noun, code), text in texts.items()
        if (current := exact.get(f"{noun}.{code}") or first.get(text))
    }
    if not renamed:
        return {}
    wanted: dict[Noun, set[str]] = {}
    for (noun, _), current in renamed.items():
        wanted.setdefault(noun, set()).add(current)
    found = await _listed(connection, wanted, programmes)
    return {(noun, code): current for (noun, code), current in renamed.items() if (noun, current) in found}
