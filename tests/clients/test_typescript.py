"""TypeScript clients made by two generators: what they make and five screens type-check strictly, and run."""

from __future__ import annotations

import json
import re
import shutil
from pathlib import Path

import pytest

from tests.clients.screens import check_shown
from tests.commands import NPM, install, run
from tests.contract.contracts import COMMITTED

GUIDE = Path(__file__).parents[2] / "docs" / "frontend.md"
HERE = Path(__file__).parent
pytestmark = NPM


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the pinned generators, what they made, and the screens."""
    folder = tmp_path_factory.mktemp("typescript")
    install(folder, HERE)
    shutil.copy(HERE / "tsconfig.json", folder)
    for source in (HERE / "typescript").glob("*.ts"):
        shutil.copy(source, folder)
    run(folder, "npx", "openapi-typescript", COMMITTED["gateway"], "--output", "generated/schema.d.ts")
    run(folder, "npx", "openapi-ts", "--input", COMMITTED["gateway"], "--output", "generated/hey")
    return folder


# The runtime that @hey-api/openapi-ts writes does not compile with exactOptionalPropertyTypes, whatever the contract.
@pytest.mark.parametrize(("screens", "options"), [("openapi_fetch", ["--exactOptionalPropertyTypes"]), ("hey_api", [])])
def test_screens_type_check_strictly_and_run(folder: Path, gateway: str, screens: str, options: list[str]) -> None:
    config = {"extends": "./tsconfig.json", "files": [f"{screens}.ts", "process.d.ts"]}
    (folder / f"{screens}.json").write_text(json.dumps(config))
    run(folder, "npx", "tsc", "--project", f"{screens}.json", "--outDir", "out", *options)
    check_shown(run(folder, "node", f"out/{screens}.js", gateway))


def test_the_lines_of_the_guide_type_check_strictly_and_run(folder: Path, gateway: str) -> None:
    (lines,) = re.findall(r"```ts\n(.*?)```", GUIDE.read_text("utf-8"), re.DOTALL)
    guide = folder / "generated" / "guide.mts"
    guide.write_text(lines.replace("http://localhost:8000", gateway))
    config = {"extends": "./tsconfig.json", "files": ["generated/guide.mts"]}
    (folder / "guide.json").write_text(json.dumps(config))
    run(folder, "npx", "tsc", "--project", "guide.json", "--outDir", "generated", "--exactOptionalPropertyTypes")
    shown = run(folder, "node", "generated/guide.mjs")
    assert "SRB-01 2000000.00\n" in shown
    assert "implementation [ 'Serbia' ]\nfunding has no card\n[ [ 'human_rights', null ] ]\n" in shown
