"""Python clients made by two generators: what they make and five screens type-check strictly, and run.

Every run makes and checks one client; `make longer` does the rest.
"""

from __future__ import annotations

import json
import re
import sys
from pathlib import Path

import pytest

from tests.clients.screens import check_shown
from tests.commands import run
from tests.contract.contracts import COMMITTED

HERE = Path(__file__).parent
TOOLS = Path(sys.executable).parent
# openapi-python-client knows files as octets only.
XLSX = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the package `generated` and the screens."""
    folder = tmp_path_factory.mktemp("python")
    (folder / "screens.py").write_text((HERE / "python" / "screens.py").read_text())
    overrides = "".join(f"  {media}: application/octet-stream\n" for media in ("text/csv", XLSX))
    (folder / "config.yaml").write_text(f"post_hooks: []\ncontent_type_overrides:\n{overrides}")
    options = ["--meta", "none", "--output-path", "generated", "--config", "config.yaml", "--fail-on-warning"]
    run(folder, TOOLS / "openapi-python-client", "generate", "--path", COMMITTED["gateway"], *options)
    return folder


def test_a_client_and_its_screens_type_check_strictly(folder: Path) -> None:
    run(folder, TOOLS / "mypy", "--config-file", HERE / "mypy.ini", "generated", "screens.py")


@pytest.mark.longer
def test_the_screens_run(folder: Path, gateway: str) -> None:
    check_shown(run(folder, sys.executable, "screens.py", gateway))


@pytest.mark.longer
def test_models_of_pydantic_type_check_strictly(folder: Path) -> None:
    # Annotated types, since a type checker takes no call in an annotation; types of members named after their model,
    # since the component `Programme` would be `Programme2` beside a member `programme`; no class around a single value.
    options = ["--output-model-type", "pydantic_v2.BaseModel", "--target-python-version", "3.11", "--use-annotated"]
    options += ["--naming-strategy", "parent-prefixed", "--formatters", "builtin", "--input-file-type", "openapi"]
    options += ["--collapse-root-models"]
    run(folder, TOOLS / "datamodel-codegen", "--input", COMMITTED["gateway"], "--output", "models.py", *options)
    run(folder, TOOLS / "mypy", "--config-file", HERE / "mypy.ini", "models.py")
    run(folder, sys.executable, "-W", "error", "-c", "import models")
    components = set(json.loads(COMMITTED["gateway"].read_text("utf-8"))["components"]["schemas"])
    # Values without a class: the union of the cards, each with the literal of its service, two unions of numbers and
    # texts, and a map.
    components -= {"ProgrammeCard", "Answer", "ExactNumber", "RecordCounts"}
    assert components <= set(
        re.findall(r"^class (\w+)\((?!RootModel)", (folder / "models.py").read_text("utf-8"), re.M)
    )
