"""Stored records as models, while a later version of the service may have added members to them.

Until all of its processes are replaced, those of the version before read what the new ones write (decision 0045).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, TypeVar

from pydantic import BaseModel, ValidationError

from mmptf_common.wire.problems import ServiceUnavailable

Stored = TypeVar("Stored", bound=BaseModel)


def read_record(model: type[Stored], record: Mapping[str, Any] | str | bytes) -> Stored:
    """A stored record, to make an answer from; without the members that a later version of the service has added."""
    if isinstance(record, str | bytes):
        return model.model_validate_json(record, extra="ignore")
    return model.model_validate(record, extra="ignore")


def whole_record(model: type[Stored], record: Mapping[str, Any] | str | bytes) -> Stored:
    """A stored record, to be changed or computed with; raises ServiceUnavailable where it has members unknown here.

    That happens while processes of two versions serve: the one of before would lose what it does not know.
    """
    try:
        if isinstance(record, str | bytes):
            return model.model_validate_json(record)
        return model.model_validate(record)
    except ValidationError as error:
        if {each["type"] for each in error.errors(include_url=False)} == {"extra_forbidden"}:
            raise ServiceUnavailable(
                "A later version of this service has written the record, with members that this process does not know;"
                " send the request again, until a process of that version answers."
            ) from error
        raise
