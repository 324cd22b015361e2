"""The file that says for which organizations callers act, where their access tokens do not."""

from __future__ import annotations

import json
import re
import tomllib
from pathlib import Path

from mmptf_common.wire.base import CODE_PATTERN

_CODE = re.compile(CODE_PATTERN)
_LONGEST_CODE = 64


def read_organizations(value: object) -> object:
    """Name of a claim -> its value -> code of an organization; `value`: the path of a file of TOML or JSON.

    Raises ValueError, in one line, where the file cannot be read or says something else.
    """
    if not isinstance(value, str):
        return value
    file = Path(value)
    parse = {".json": json.loads, ".toml": tomllib.loads}.get(file.suffix)
    if not parse:
        raise ValueError(f"{file} is no file of TOML or JSON: a name that ends in .toml or .json is expected")
    try:
        tables = parse(file.read_text("utf-8"))
    except OSError as error:
        raise ValueError(f"{file} cannot be read ({error.strerror})") from None
    except ValueError as error:
        raise ValueError(f"{file} is no {file.suffix[1:].upper()}: {error}") from None
    if not isinstance(tables, dict):
        raise ValueError(f"{file}: a table for each claim is expected")
    for claim, codes in tables.items():
        if not isinstance(codes, dict):
            raise ValueError(f"{file}: {claim!r} is no table of values of this claim, each with an organization's code")
        for named, code in codes.items():
            if not isinstance(code, str) or len(code) > _LONGEST_CODE or not _CODE.fullmatch(code):
                raise ValueError(f"{file}: {claim!r}, {named!r}: the code of an organization is expected, such as IOM")
    return tables
