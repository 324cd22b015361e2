"""The map of the suite: what it may say, that everything agrees with it, and that what is shared knows none of it."""

from __future__ import annotations

import re
import subprocess
import tomllib
from collections.abc import Iterable
from pathlib import Path

import grimp
import pytest

from mmptf_common.http.identity import ADMIN
from mmptf_common.process.settings import ServiceSettings
from mmptf_local.issuer import CLIENTS
from mmptf_local.processes import CannotStart
from mmptf_local.suite_map import read_map
from tests.conftest import service_of
from tests.suite import DEPLOYABLES, FOLDERS, NAMES, ROOT, SERVICES

COMMON = ROOT / "common" / "src" / "mmptf_common"
GATEWAY = "[gateway]\nport = 8000\n"


def words(names: Iterable[str]) -> re.Pattern[str]:
    """Any of the names as a word of its own, also as a part of a longer name: catalog, CATALOG_URL, mmptf_catalog."""
    # PostgreSQL's own schema has the name of a service in it.
    any_name = "|".join(map(re.escape, sorted(names)))
    return re.compile(rf"(?<![a-z])(?<!pg_)({any_name})(?![a-z])", re.IGNORECASE)


def test_every_folder_of_services_is_in_the_map_and_is_the_package_that_it_says() -> None:
    assert {path.parent.name for path in ROOT.glob("services/*/pyproject.toml")} == set(SERVICES)
    for name, folder in FOLDERS.items():
        project = tomllib.loads((folder / "pyproject.toml").read_text())["project"]
        assert project["name"] == f"mmptf-{name}"
        assert project["scripts"] == {f"mmptf-{name}": f"mmptf_{name}.__main__:main"}
        assert (folder / "src" / f"mmptf_{name}" / "__main__.py").is_file()


@pytest.mark.parametrize("name", SERVICES)
def test_a_service_is_called_and_set_as_the_map_says(name: str) -> None:
    service = service_of(name)
    assert (service.name, service.package) == (name, f"mmptf_{name}")
    (asks,) = (each.asks for each in DEPLOYABLES if each.name == name)
    own = service.settings.model_fields.keys() - ServiceSettings.model_fields.keys()
    assert {setting for setting in own if setting.endswith("_url")} == {f"{other}_url" for other in asks}


def test_the_makefile_reads_the_same_names() -> None:
    printed = subprocess.run(["make", "-pn", "help"], cwd=ROOT, capture_output=True, text=True, check=True).stdout
    found = dict(re.findall(r"^(SERVICES|MEMBERS) := (.*)$", printed, re.MULTILINE))
    assert tuple(found["SERVICES"].split()) == SERVICES
    assert set(found["MEMBERS"].split()) == {"common", "local", *(each.folder for each in DEPLOYABLES)}


def test_what_is_deployed_imports_what_is_shared_and_none_of_the_others() -> None:
    packages = ["mmptf_common", "mmptf_local", *(each.package for each in DEPLOYABLES)]
    graph = grimp.build_graph(*packages, cache_dir=None)
    crossing = {
        (importer, imported)
        for importer in graph.modules
        for imported in graph.find_modules_directly_imported_by(importer)
        if importer.partition(".")[0] != imported.partition(".")[0]
    }
    assert crossing
    assert {imported for _, imported in crossing if not imported.startswith("mmptf_common.")} == set()


def test_the_shared_package_names_no_service_no_scope_and_no_role() -> None:
    scopes = {scope for client in CLIENTS.values() for scope in client.scopes} - {ADMIN}
    roles = {role for client in CLIENTS.values() for role in client.roles}
    assert scopes and roles
    named = words({*SERVICES, *scopes, *roles})
    assert all(map(named.search, ("CATALOG_URL", "mmptf_catalog", '"funding:write"', "is_management_unit")))
    found = {
        f"{path.relative_to(COMMON)}:{number}: {line.strip()}"
        for path in COMMON.rglob("*.py")
        for number, line in enumerate(path.read_text().splitlines(), 1)
        # User-Agent is the name of a header and agent_fee what an amount is, neither a role.
        if named.search(re.sub("user-agent|agent_fee", "", line, flags=re.IGNORECASE))
    }
    assert found == set()


def test_every_list_of_packages_in_pyproject_is_of_packages_that_there_are() -> None:
    contracts = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["importlinter"]
    assert set(contracts["root_packages"]) <= {"mmptf_common", "mmptf_local", *(f"mmptf_{name}" for name in NAMES)}


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (GATEWAY, "the gateway and at least one service are expected"),
        ("[services.a]\n", "the gateway and at least one service are expected"),
        (f'{GATEWAY}[services.a]\nasks = ["b"]\n', "a asks b, which the map does not name"),
        (f'{GATEWAY}[services.a]\nneeds = ["disk"]\n', "is no map of the suite: needs"),
        (f"{GATEWAY}[services.a]\ncolour = 3\n", "colour: Extra inputs are not permitted"),
        (f"{GATEWAY}[services.A-b]\n", "name: String should match pattern"),
        (f"{GATEWAY}[services.a]\nport = 70000\n", "port: Input should be less than or equal to 65535"),
        (f"{GATEWAY}services = 3\n[services.a]\n", "is no map of the suite"),
        ("services = 3\n", "is no map of the suite"),
        (f"{GATEWAY}[services]\na = 3\n", "is no map of the suite"),
    ],
)
def test_a_map_that_is_wrong_says_so(tmp_path: Path, text: str, said: str) -> None:
    file = tmp_path / "suite.toml"
    file.write_text(text)
    with pytest.raises(CannotStart, match=re.escape(said)):
        read_map(file)


def test_a_map_that_is_not_there_says_so(tmp_path: Path) -> None:
    with pytest.raises(CannotStart, match=r"suite\.toml is no map of the suite: .*No such file"):
        read_map(tmp_path / "suite.toml")


def test_services_come_before_the_others_in_the_order_of_the_map(tmp_path: Path) -> None:
    file = tmp_path / "suite.toml"
    file.write_text(f'{GATEWAY}[services.b]\nneeds = ["cache"]\n[services.a]\nasks = ["b"]\n')
    assert [each.name for each in read_map(file)] == ["b", "a", "gateway"]
