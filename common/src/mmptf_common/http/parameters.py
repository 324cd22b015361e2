"""Strict parsing of query strings: unknown, repeated and invalid parameters are errors."""

import inspect
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime, time
from decimal import Decimal
from functools import lru_cache, wraps
from typing import Annotated, Any, Literal, TypeVar, cast, get_origin, get_type_hints
from urllib.parse import parse_qsl, quote_plus

from fastapi import Depends
from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    JsonValue,
    ValidationError,
    WithJsonSchema,
    field_validator,
)
from starlette.requests import Request
from typing_extensions import TypeAliasType

from mmptf_common.http.search import SearchError, parse_search
from mmptf_common.wire.base import in_words, worded
from mmptf_common.wire.money import amount_text
from mmptf_common.wire.problem_codes import ProblemCode
from mmptf_common.wire.problems import ErrorDetail, InvalidRequest, error_detail, raise_if_any, reason_of
from mmptf_common.wire.spelling import closest_match

# Queries of at most so many bytes are remembered with what they were parsed to.
MAX_REMEMBERED = 500
MAX_PARAMETERS = 200
# The most keys of one order; no list has more.
MOST_KEYS = 4
# No filter has wildcards; control characters and broken UTF-8 (decoded as U+FFFD) are in no stored value.
_FORBIDDEN = re.compile(r"[%\x00-\x1f\x7f\ufffd]")
AMOUNT_PATTERN = worded(r"^[0-9]{1,16}(\.[0-9]{1,2})?$", "an amount without separators, such as 1070000.00")
SEARCH_PATTERN = worded(r"^[^%*\x00-\x1f\x7f\ufffd]+$", "words without wildcards (% and *), such as migrant workers")
CURSOR_PATTERN = worded(r"^[A-Za-z0-9_-]+$", "the cursor of `next`, as it is there")
_AMOUNT = re.compile(AMOUNT_PATTERN, re.ASCII)
_MOMENT = re.compile(r"^\d{4}-\d{2}-\d{2}([Tt]\d{2}:\d{2}:\d{2}(\.\d+)?([Zz]|[+-]([01]\d|2[0-3]):[0-5]\d))?$", re.ASCII)
# What the contract says of moments: in figures that a calendar has, of which not every one is a day of each month.
_DAY_TEXT = r"[0-9]{4}-(0[1-9]|1[0-2])-(0[1-9]|[12][0-9]|3[01])"
_TIME_TEXT = r"[Tt]([01][0-9]|2[0-3]):[0-5][0-9]:[0-5][0-9](\.[0-9]+)?([Zz]|[+-]([01][0-9]|2[0-3]):[0-5][0-9])"
MOMENT_PATTERN = f"^{_DAY_TEXT}({_TIME_TEXT})?$"
AS_OF_PATTERN = f"^([0-9]{{1,15}}|{_DAY_TEXT}({_TIME_TEXT})?)$"
# What errors name as allowed for parameters that take several forms.
_FORMS = {MOMENT_PATTERN: ("date-time", "date"), AS_OF_PATTERN: ("integer", "date-time", "date")}
A_DAY = "a day such as 2025-01-31"
# jQuery adds it with the time of day, so that a browser's cache has no answer.
IGNORED = "_"
# The parameter of the representation, which is no part of what is asked.
FORMAT = frozenset({"format"})
# Characters that callers write between values, and that no code has.
_OTHER_SEPARATORS = re.compile(r"\s*[;|]\s*")
# What makes a value worth a second look: an empty one, forbidden characters, separators.
_UNUSUAL = re.compile(r"^$|[%\x00-\x1f\x7f\ufffd,;|]")
# The smallest and the largest value of a range: the ends of the names of two parameters.
_RANGES = (("_min", "_max"), ("_from", "_to"))


class NoParameters(BaseModel):
    """The query of an operation that takes none."""

    model_config = ConfigDict(extra="forbid", frozen=True)


def _amount(value: object) -> Decimal:
    if not isinstance(value, str) or not _AMOUNT.match(value):
        without = ", without a comma" if isinstance(value, str) and "," in value else ""
        raise ValueError(
            f"a non-negative decimal amount with at most 16 digits before and 2 after the point is expected{without}"
        )
    return Decimal(value)


def _whole(value: object) -> int:
    if not isinstance(value, str) or not re.fullmatch(r"[0-9]{1,9}", value):
        raise ValueError("a whole number is expected")
    return int(value)


def _revision(value: object) -> int:
    if not isinstance(value, str) or not re.fullmatch(r"[0-9]{1,15}", value):
        raise ValueError("a revision, such as 1200, or a moment, such as 2024-01-31T00:00:00Z, is expected")
    return int(value)


def _moment_or_day(value: object) -> date:
    """A datetime for a moment, truncated to microseconds, or a date for a day."""
    if not isinstance(value, str) or not _MOMENT.match(value):
        if isinstance(value, str) and _MOMENT.match(value.replace(" ", "+")):
            raise ValueError("a + in a query is read as a space: write it as %2B, such as 2024-01-31T00:00:00%2B02:00")
        raise ValueError("an RFC 3339 date-time such as 2024-01-31T00:00:00Z, or a date, is expected")
    try:
        if len(value) == 10:
            return date.fromisoformat(value)
        return datetime.fromisoformat(value.upper()).astimezone(UTC)
    except (ValueError, OverflowError) as error:
        raise ValueError(f"{value} is not a moment of the calendar") from error


def _moment(value: object) -> datetime:
    """A moment; for a day its beginning."""
    found = _moment_or_day(value)
    return found if isinstance(found, datetime) else datetime.combine(found, time(), tzinfo=UTC)


def _search(value: str) -> str:
    if "*" in value:
        raise ValueError("one or more words are expected, without wildcards")
    parse_search(value)
    return value


Amount = Annotated[Decimal, BeforeValidator(_amount), WithJsonSchema({"type": "string", "pattern": AMOUNT_PATTERN})]
Limit = Annotated[int, Field(ge=1, le=1000), BeforeValidator(_whole)]
Year = Annotated[int, Field(ge=1900, le=2200), BeforeValidator(_whole)]
LimitOrNone = Annotated[int, Field(ge=0, le=1000), BeforeValidator(_whole)]
# Less than the seconds that a process has to end, so that waiting requests are answered before.
Seconds = Annotated[int, Field(ge=0, le=15), BeforeValidator(_whole)]
Sequence = Annotated[int, Field(ge=0, le=10**15 - 1), BeforeValidator(lambda value: _revision(value))]
Moment = Annotated[
    datetime,
    BeforeValidator(_moment),
    WithJsonSchema({"type": "string", "pattern": MOMENT_PATTERN}),
]
UpdatedSince = Annotated[
    Moment | None,
    Field(
        description="Only records that were last changed at or after this moment (RFC 3339). A day stands for its"
        " beginning, 00:00 UTC. For what changed in them, and for deletions, read `changes`.",
        examples=["2024-01-31T00:00:00Z"],
    ),
]
AsOf = Annotated[
    int | datetime | date,
    BeforeValidator(
        lambda value: _moment_or_day(value) if isinstance(value, str) and "-" in value else _revision(value)
    ),
    WithJsonSchema({"type": "string", "pattern": AS_OF_PATTERN}),
]
Search = Annotated[str, Field(min_length=1, max_length=200, pattern=SEARCH_PATTERN), AfterValidator(_search)]
Values = Annotated[list[str], Field(default_factory=list, max_length=100)]
# A boolean in the contract; in any case, as other closed values.
Flag = Annotated[Literal["true", "false"], WithJsonSchema({"type": "boolean"})]
_FLAGS = ["true", "false"]

TableFormat = TypeAliasType("TableFormat", Literal["json", "csv", "csv-spreadsheet"])
"""Form of an answer that is a table of groups.

- `json`: JSON, with the whole and its groups
- `csv`: CSV, a row for each group, without the whole
- `csv-spreadsheet`: the same to be opened in a spreadsheet, with a byte order mark, and with an apostrophe before each
  text that would be taken for a formula
"""

ListFormat = TypeAliasType("ListFormat", Literal["json", "csv", "csv-spreadsheet", "ndjson"])
"""Form of a list.

- `json`: JSON, one page
- `csv`: CSV, all records that match the filters
- `csv-spreadsheet`: the same to be opened in a spreadsheet, with a byte order mark, and with an apostrophe before each
  text that would be taken for a formula
- `ndjson`: one JSON object on each line, for all records that match the filters
"""

TotalsOrder = TypeAliasType("TotalsOrder", Literal["value", "-value", "sum", "-sum"])
"""Order of the groups of a total.

- `value`: by the codes of the groups, ascending
- `-value`: by the codes of the groups, descending
- `sum`: by their sums, the smallest first
- `-sum`: by their sums, the largest first
"""


def _without_default(schema: dict[str, JsonValue]) -> None:
    """Take the default out of a parameter's schema: documentation pages and made clients send what stands there."""
    del schema["default"]


def order_by(
    *default: str,
    description: str = "Order of the records: one name or several, separated by commas; `-` before a name makes it"
    " descend. Records that are equal in the first are in the order of the next, and at last in that of their codes."
    " Those without a value come last in both directions.",
) -> Any:
    """The default of a list's parameter `sort`, whose values are in an order: a tuple, not a list."""
    schema: dict[str, JsonValue] = {"minItems": 1, "uniqueItems": True}
    return Field(default=default, max_length=MOST_KEYS, json_schema_extra=schema, description=description)


def with_codes(plural: str, example: str) -> Any:
    """The declaration of a list's filter by the codes of its own records, which `plural` names."""
    return Field(
        default_factory=list,
        max_length=100,
        description=f"Only {plural} with one of these codes, in any case; an earlier code of a renamed record finds it,"
        " too. A code that no record has is no error and finds nothing, so that many can be asked for at once.",
        examples=[example],
    )


class PointInTime(BaseModel):
    """The query of every operation that reads stored data: `as_of`."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    as_of: Annotated[
        AsOf | None,
        Field(
            description="Answer from the data as they were at an earlier time: a `revision` of an earlier answer, such"
            " as `1200`; a moment, such as `2024-01-31T00:00:00Z`; or a day, which stands for its end, 24:00 UTC, and"
            " today for now. Without it, the data of now.",
        ),
    ] = None


class Tabular(BaseModel):
    """The parameter of every answer that is a table of groups."""

    format: Annotated[
        TableFormat | None,
        Field(description="Form of the answer; it counts before the header `Accept`. Without both, `json`."),
    ] = None


class TableQuery(PointInTime, Tabular):
    """The query of an answer that is a table of groups, read from stored data."""


class TotalsQuery(TableQuery):
    """The query of every total, without its filters and what it is divided by."""

    sort: Annotated[
        TotalsOrder,
        Field(
            description="Order of the groups within each total. In the order by sum, groups without a sum come last."
        ),
    ] = "value"
    limit: Annotated[
        Limit | None,
        Field(
            description="Largest number of groups in each total; those after it are added up in one more group, `rest`."
            " Without it, all groups.",
            examples=[3],
        ),
    ] = None


class ListQuery(PointInTime):
    """The query of every list, without its filters; a list narrows `sort` to its own orders."""

    limit: Annotated[
        LimitOrNone,
        Field(
            description="Largest number of records on one page, 0 to 1000; 50 if it is not given. With 0 the answer is"
            " the `total` alone. CSV and NDJSON have no pages and do not take it.",
            examples=[10],
            json_schema_extra=_without_default,
        ),
    ] = 50
    cursor: Annotated[
        str | None,
        Field(
            max_length=2000,
            pattern=CURSOR_PATTERN,
            description="Where the page begins. It is part of `next`: request that path as it is, and make no cursor of"
            " your own.",
        ),
    ] = None
    format: Annotated[
        ListFormat | None,
        Field(
            description="Form of the answer; it counts before the header `Accept`. Without both, `json`. CSV and NDJSON"
            " have all records, without pages."
        ),
    ] = None
    sort: tuple[str, ...]
    fields: Annotated[
        Values,
        Field(
            description="Names of the members that each record of the answer is to have, without the others; by default"
            " it has all. The others are then absent even where the schema requires them. With CSV, names of columns as"
            " in its header, which may differ from those of the members.",
            examples=["code"],
        ),
    ]

    @field_validator("sort")
    @classmethod
    def _each_key_once(cls, keys: tuple[str, ...]) -> tuple[str, ...]:
        names = [key.removeprefix("-") for key in keys]
        if repeated := [name for name in dict.fromkeys(names) if names.count(name) > 1]:
            raise ValueError(f"a key has one direction and one place; given more than once: {', '.join(repeated)}")
        return keys


Q = TypeVar("Q", bound=BaseModel)


@dataclass(frozen=True, slots=True)
class _Shape:
    """What parsing has to know of a model.

    many: the parameters that take several values; ordered: those of them whose values have an order
    stated: the schemas as the contract has them, with references to its components; schemas: the same without them
    components: the schemas that `stated` refers to
    enumerated: parameter -> value without case -> value, where the schema lists the values
    ranges: the parameters of the smallest and the largest value of each range
    """

    many: frozenset[str]
    ordered: frozenset[str]
    stated: Mapping[str, dict[str, Any]]
    components: Mapping[str, dict[str, Any]]
    schemas: Mapping[str, dict[str, Any]]
    enumerated: Mapping[str, Mapping[str, str]]
    ranges: tuple[tuple[str, str], ...]


@lru_cache
def _shape(model: type[BaseModel]) -> _Shape:
    whole = model.model_json_schema(by_alias=True, ref_template="#/components/schemas/{model}")
    stated = {name: _without_null(schema) for name, schema in whole.get("properties", {}).items()}
    schemas = {name: _inlined(schema, whole) for name, schema in stated.items()}
    enumerated = {name: _closed(schema) for name, schema in schemas.items()}
    ordered = frozenset(n for n, f in model.model_fields.items() if get_origin(f.annotation) is tuple)
    return _Shape(
        many=ordered | {n for n, f in model.model_fields.items() if get_origin(f.annotation) is list},
        ordered=ordered,
        stated=stated,
        components=whole.get("$defs", {}),
        schemas=schemas,
        enumerated={n: {value.casefold(): value for value in values} for n, values in enumerated.items() if values},
        ranges=tuple(
            (name, largest)
            for name in schemas
            for low, high in _RANGES
            if name.endswith(low) and (largest := name.removesuffix(low) + high) in schemas
        ),
    )


def _inlined(schema: Any, whole: Mapping[str, Any]) -> Any:
    """A schema with the types that have names in the places where it refers to them."""
    if isinstance(schema, dict):
        if "$ref" in schema:
            beside = {key: value for key, value in schema.items() if key != "$ref"}
            return whole["$defs"][schema["$ref"].rpartition("/")[2]] | beside
        return {key: _inlined(value, whole) for key, value in schema.items()}
    return [_inlined(value, whole) for value in schema] if isinstance(schema, list) else schema


def _without_null(schema: dict[str, Any]) -> dict[str, Any]:
    """The schema of a parameter without null, which a model has for an absent one and a query string cannot contain."""
    options = [option for option in schema.get("anyOf", ()) if option != {"type": "null"}]
    if not options:
        return {k: v for k, v in schema.items() if not (k == "default" and v is None)}
    rest = {k: v for k, v in schema.items() if k != "anyOf" and not (k == "default" and v is None)}
    return {**(options[0] if len(options) == 1 else {"anyOf": options}), **rest}


def _closed(schema: Mapping[str, Any]) -> list[str] | None:
    """The values that the schema of a parameter lists; None where it lists none."""
    item: Mapping[str, Any] = schema.get("items", schema)
    return _FLAGS if item.get("type") == "boolean" else item.get("enum")


def _allowed(schema: Mapping[str, Any]) -> list[str] | None:
    """The allowed values of a parameter, as texts for a problem document; None where its schema has no limit."""
    if closed := _closed(schema):
        return list(closed)
    item = schema.get("items", schema)
    if "minimum" in item and "maximum" in item:
        return [f"{item['minimum']} to {item['maximum']}"]
    if item.get("format") == "date":
        return [A_DAY]
    if item.get("pattern") in _FORMS:
        return list(_FORMS[item["pattern"]])
    if "pattern" in item:
        return [in_words(item["pattern"]) or "text of another form"]
    return None


def parse(request: Request, model: type[Q]) -> Q:
    """The query of a request as its model; raises InvalidRequest with all errors at once.

    Several values of one parameter are a set: in order, each once, whether they were separated by commas or the
    parameter was repeated. Only the keys of an order stay in theirs. Values that the schema lists are understood
    without regard to case.
    """
    raw: bytes = request.scope["query_string"]
    # Models are frozen, so requests with the same query can have the same one.
    return _parsed(raw, model) if len(raw) <= MAX_REMEMBERED else _parse(raw, model)


def _parse(raw: bytes, model: type[Q]) -> Q:
    if not raw:
        return model()
    shape = _shape(model)
    try:
        pairs = parse_qsl(raw.decode("utf-8", "replace"), keep_blank_values=True, max_num_fields=MAX_PARAMETERS)
    except ValueError as error:
        raise InvalidRequest(
            [error_detail(ProblemCode.TOO_MANY_PARAMETERS, f"The query has more than {MAX_PARAMETERS} parameters.")]
        ) from error
    given: dict[str, Any] = {}
    errors: list[ErrorDetail] = []
    for name, value in pairs:
        if name not in shape.schemas:
            if name != IGNORED:
                errors.append(_unknown(name, list(shape.schemas)))
        elif _UNUSUAL.search(value) and (wrong := _unreadable(name, value, shape)):
            errors.append(wrong)
        elif name in shape.many:
            values = _separated(value) if "," in value else [value]
            if name in shape.enumerated:
                values = [shape.enumerated[name].get(each.casefold(), each) for each in values]
            given.setdefault(name, []).extend(values)
        elif name in given:
            errors.append(
                error_detail(
                    ProblemCode.REPEATED_PARAMETER,
                    f"{name} is given more than once and takes one value",
                    parameter=name,
                )
            )
        elif name in shape.enumerated:
            given[name] = shape.enumerated[name].get(value.casefold(), value)
        else:
            given[name] = value
    for name in given.keys() - shape.ordered:
        values = given[name]
        # The model refuses more values than the contract allows, duplicates among them.
        if isinstance(values, list) and 1 < len(values) <= shape.schemas[name]["maxItems"]:
            given[name] = sorted(set(values))
    try:
        query = model.model_validate(given)
    except ValidationError as error:
        errors.extend(_invalid(dict(e), shape) for e in error.errors(include_url=False))
    else:
        errors.extend(
            _turned_round(low, high, query)
            for low, high in shape.ranges
            if low in given and high in given and getattr(query, low) > getattr(query, high)
        )
    raise_if_any(errors)
    return query


_parsed = lru_cache(maxsize=1024)(_parse)


def _unreadable(name: str, value: str, shape: _Shape) -> ErrorDetail | None:
    """The error for a value that no parameter can have, or that is written as no parameter takes it."""
    code = _invalid_code(name)
    suggestion = None
    if _FORBIDDEN.search(value):
        code = ProblemCode.INVALID_CHARACTERS
        detail = "wildcards (%), control characters and broken UTF-8 are not allowed in a value"
    elif name in shape.many and _OTHER_SEPARATORS.search(value):
        suggestion = _OTHER_SEPARATORS.sub(",", value)
        detail = f"several values are separated by commas, or the parameter is repeated; did you mean {suggestion}?"
    elif not value or (name in shape.many and "," in value and not all(_separated(value))):
        detail = "a value is empty; leave the parameter out where there is none"
    else:
        return None
    allowed = _allowed(shape.schemas[name])
    if allowed is None and code != ProblemCode.INVALID_CHARACTERS:
        allowed = ["one or more names" if name == "fields" else "one or more codes"]
    return error_detail(code, f"{name}: {detail}", parameter=name, allowed=allowed, suggestion=suggestion)


def _invalid_code(name: str) -> ProblemCode:
    """The code for a value of a parameter that is not of its form."""
    return ProblemCode.INVALID_CURSOR if name == "cursor" else ProblemCode.INVALID_PARAMETER


def _separated(value: str) -> list[str]:
    """The values that commas separate; a text with a space in it, such as a name, is one value."""
    values = [each.strip() for each in value.split(",")]
    return [value] if any(" " in each for each in values) else values


def _turned_round(low: str, high: str, query: BaseModel) -> ErrorDetail:
    """The error for a range whose smallest value is larger than its largest."""
    smallest, largest = getattr(query, low), getattr(query, high)
    return error_detail(
        ProblemCode.INVALID_RANGE,
        f"{low}={smallest} is beyond {high}={largest}: nothing lies between them",
        parameter=low,
        allowed=[f"up to {high}"],
    )


@dataclass(frozen=True, slots=True)
class StrictQuery:
    """Marks an annotated model as the query of a request, as FastAPI's `Query()` does, with strict parsing.

    `Query()` takes the last of a repeated parameter and characters that PostgreSQL rejects, and takes a fifth of the
    processor time of a page.
    model: the model of the operation, where the annotation is only its base class
    """

    model: type[BaseModel] | None = None


def query_of(endpoint: Callable[..., Any]) -> tuple[str, type[BaseModel]] | None:
    """The name and the model of the parameter that is the query of a route's function; None where it has none."""
    for name, hint in get_type_hints(endpoint, include_extras=True).items():
        for extra in getattr(hint, "__metadata__", ()):
            if isinstance(extra, StrictQuery):
                return name, extra.model or hint.__origin__
    return None


def with_parsed_query(endpoint: Callable[..., Any]) -> Callable[..., Any]:
    """The function that FastAPI calls for a route: it parses the query itself, since a dependency would be slower."""
    signature = inspect.signature(endpoint, eval_str=True)
    query = query_of(endpoint)
    if query is None or query[0] not in signature.parameters:
        return endpoint
    name, model = query

    @wraps(endpoint)
    async def parsed(request: Request, **values: Any) -> Any:
        return await endpoint(request=request, **{name: parse(request, model)}, **values)

    remaining = [parameter for parameter in signature.parameters.values() if parameter.name != name]
    parsed.__signature__ = signature.replace(parameters=remaining)  # type: ignore[attr-defined]  # read by inspect
    return parsed


def parameters(model: type[BaseModel]) -> list[dict[str, Any]]:
    """The OpenAPI parameter objects of a query model, in its order.

    Examples are part of the schema and of the description: those of a parameter would be filled in by a documentation
    page and sent, so that filters nobody chose would narrow the answer.
    """
    found = []
    for name, schema in _shape(model).stated.items():
        inner = {k: v for k, v in schema.items() if k not in {"title", "description", "examples"}}
        parameter: dict[str, Any] = {"name": name, "in": "query", "required": False, "schema": inner}
        if "description" in schema:
            parameter["description"] = schema["description"]
        if "examples" in schema:
            (example, *_) = schema["examples"]
            inner["examples"] = [[example] if "items" in inner else example]
            shown = str(example).lower() if isinstance(example, bool) else example
            parameter["description"] = f"{schema.get('description', '')} For example `{shown}`.".lstrip()
        if inner.get("type") == "boolean" and "default" in inner:
            inner["default"] = inner["default"] == "true"
        if "items" in inner:
            # A client that was made from the contract repeats the parameter.
            parameter |= {"style": "form", "explode": True}
        found.append(parameter)
    return found


def parameter_components(model: type[BaseModel]) -> Mapping[str, dict[str, Any]]:
    """The components that the parameters of a query model refer to, by name."""
    return _shape(model).components


async def _without_parameters(request: Request) -> None:
    parse(request, NoParameters)


PointInTimeQuery = Annotated[PointInTime, StrictQuery()]
NO_PARAMETERS = Depends(_without_parameters)


def _unknown(name: str, allowed: list[str]) -> ErrorDetail:
    meant = closest_match(name, allowed)
    hint = f"; did you mean {meant}?" if meant else "."
    takes = ", ".join(allowed) if allowed else "no parameters"
    shown = _FORBIDDEN.sub("\N{REPLACEMENT CHARACTER}", name[:64])
    return error_detail(
        ProblemCode.UNKNOWN_PARAMETER,
        f"{shown!r} is not a parameter here{hint} This operation takes: {takes}.",
        parameter=shown,
        allowed=allowed,
        suggestion=meant,
    )


def _invalid(error: dict[str, Any], shape: _Shape) -> ErrorDetail:
    name = str(error["loc"][0])
    schema = shape.schemas[name]
    allowed = _allowed(schema)
    value = error.get("input")
    if _has_several(error, schema, value):
        return error_detail(
            ProblemCode.REPEATED_PARAMETER,
            f"{name} takes one value, and is given several",
            parameter=name,
            allowed=allowed,
        )
    is_code = error["type"] == "literal_error"
    meant = closest_match(value, allowed) if is_code and allowed and isinstance(value, str) else None
    if error["type"] == "too_long":
        detail = f"at most {schema['maxItems']} values are expected"
    elif schema.get("format") == "date":
        detail = f"{A_DAY}, from 1990 to 2099, is expected"
    else:
        detail = reason_of(error)
    hint = f"; did you mean {meant}?" if meant else ""
    is_search = isinstance(error.get("ctx", {}).get("error"), SearchError)
    code = ProblemCode.UNKNOWN_CODE if is_code else _invalid_code(name)
    return error_detail(
        ProblemCode.INVALID_SEARCH if is_search else code,
        f"{name}: {detail}{hint}",
        parameter=name,
        allowed=allowed,
        suggestion=meant,
    )


def _has_several(error: Mapping[str, Any], schema: Mapping[str, Any], value: object) -> bool:
    """Whether the value of a parameter that takes one value is several."""
    if "items" in schema:
        return bool(error["type"] == "too_long" and schema["maxItems"] == 1)
    return isinstance(value, str) and "," in value and schema.get("pattern") not in (AMOUNT_PATTERN, SEARCH_PATTERN)


def pairs_of(query: BaseModel, *, without: frozenset[str] = frozenset()) -> Iterator[tuple[str, str]]:
    """The parameters of a query that are not at their defaults, as name and value, in canonical order and spelling."""
    fields = type(query).model_fields
    for name in sorted(query.model_fields_set - without):
        value = getattr(query, name)
        if value is None or value == fields[name].default:
            continue
        if isinstance(value, list):
            yield from ((name, item) for item in sorted(set(cast("list[str]", value))))
        elif isinstance(value, tuple):
            yield from ((name, item) for item in cast("tuple[str, ...]", value))
        elif isinstance(value, datetime):
            yield name, value.isoformat().replace("+00:00", "Z")
        elif isinstance(value, Decimal):
            yield name, amount_text(value)
        else:
            yield name, str(value)


def canonical(query: BaseModel, *, without: frozenset[str] = frozenset()) -> str:
    """The canonical query string: two queries that mean the same have the same one."""
    # The same text as urlencode in half the time: names are identifiers and need no quoting.
    return "&".join([f"{name}={quote_plus(value)}" for name, value in pairs_of(query, without=without)])
