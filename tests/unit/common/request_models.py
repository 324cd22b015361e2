"""The models of the bodies that callers send to any of the services."""

from __future__ import annotations

import importlib

from pydantic import BaseModel

from mmptf_common.wire.base import RequestModel
from tests.suite import SERVICES


def request_models() -> list[type[BaseModel]]:
    for service in SERVICES:
        importlib.import_module(f"mmptf_{service}.app")
    found: list[type[BaseModel]] = []
    waiting: list[type[BaseModel]] = [RequestModel]
    while waiting:
        below = waiting.pop().__subclasses__()
        found += below
        waiting += below
    return [model for model in found if model.__module__.startswith("mmptf_")]
