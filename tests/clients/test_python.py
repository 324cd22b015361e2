"""Python clients made by two generators: five screens run on one, the models of the other type-check strictly."""

from __future__ import annotations

import json
import re
import shutil
import sys
from pathlib import Path

import pytest

from tests.clients import openapi_python_client
from tests.clients.screens import check_shown
from tests.commands import run
from tests.contract.contracts import COMMITTED

HERE = Path(__file__).parent
TOOLS = Path(sys.executable).parent
pytestmark = pytest.mark.longer


def test_the_screens_run(tmp_path: Path, gateway: str) -> None:
    shutil.copy(HERE / "python" / "screens.py", tmp_path)
    openapi_python_client.generate(tmp_path)
    check_shown(run(tmp_path, sys.executable, "screens.py", gateway))


def test_models_of_pydantic_type_check_strictly(tmp_path: Path) -> None:
    # Annotated types, since a type checker takes no call in an annotation; types of members named after their model,
    # since the component `Programme` would be `Programme2` beside a member `programme`; no class around a single value.
    options = ["--output-model-type", "pydantic_v2.BaseModel", "--target-python-version", "3.11", "--use-annotated"]
    options += ["--naming-strategy", "parent-prefixed", "--formatters", "builtin", "--input-file-type", "openapi"]
    options += ["--collapse-root-models", "--set-default-enum-member"]
    run(tmp_path, TOOLS / "datamodel-codegen", "--input", COMMITTED["gateway"], "--output", "models.py", *options)
    run(tmp_path, TOOLS / "mypy", "--config-file", HERE / "mypy.ini", "models.py")
    run(tmp_path, sys.executable, "-W", "error", "-c", "import models")
    components = set(json.loads(COMMITTED["gateway"].read_text("utf-8"))["components"]["schemas"])
    # Values without a class: the union of the cards, each with the literal of its service, two unions of numbers and
    # texts, and a map.
    components -= {"ProgrammeCard", "Answer", "ExactNumber", "RecordCounts"}
    assert components <= set(
        re.findall(r"^class (\w+)\((?!RootModel)", (tmp_path / "models.py").read_text("utf-8"), re.M)
    )
