"""docs/adding-a-service.md, followed word by word: a fourth service is served, and no other file is edited for it."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import asyncpg
import httpx
import pytest

from mmptf_local.cache import Cache
from mmptf_local.processes import free_port
from mmptf_local.state import temporary_state
from mmptf_local.suite import Suite, running_suite
from tests.conftest import serving_url
from tests.e2e.conftest import whole_contract
from tests.suite import DATABASE_VARIABLES, ROOT, SERVICES

PAGE = (ROOT / "docs" / "adding-a-service.md").read_text("utf-8")
# A block of code, and the line above it where that names a file.
BLOCKS = re.findall(r"(?:^(Added to )?`(\S+)`\n\n)?^```(\w+)\n(.*?)^```$", PAGE, re.MULTILINE | re.DOTALL)


def block(language: str) -> str:
    """The one block of a language that is no file."""
    (found,) = (text for _, name, kind, text in BLOCKS if kind == language and not name)
    return str(found)


@pytest.fixture(scope="module")
def checkout(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What is there before, as it is but for a map of its own, and what the page adds."""
    folder = tmp_path_factory.mktemp("checkout")
    (folder / "services").mkdir()
    for path in (*ROOT.glob("[a-zA-Z]*"), *ROOT.glob("services/*")):
        if path.name not in ("suite.toml", "services"):
            (folder / path.relative_to(ROOT)).symlink_to(path)
    shutil.copy(ROOT / "suite.toml", folder)
    subprocess.run(["sh", "-euc", block("sh")], cwd=folder, check=True)
    for added, name, _, text in BLOCKS:
        if name:
            with (folder / name).open("a" if added else "x", encoding="utf-8") as file:
                file.write(text)
    return folder


@pytest.fixture(scope="module")
def installed(checkout: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the new package, installed from its wheel."""
    wheels, site = tmp_path_factory.mktemp("wheels"), tmp_path_factory.mktemp("site")
    uv = [shutil.which("uv") or str(ROOT / ".tools" / "bin" / "uv"), "--quiet", "--offline"]
    build = [*uv, "build", "--wheel", "--out-dir", str(wheels), str(checkout / "services" / "glossary")]
    subprocess.run(build, check=True)
    (wheel,) = wheels.glob("*.whl")
    install = ["pip", "install", "--no-deps", "--python", sys.executable, "--target", str(site), str(wheel)]
    subprocess.run([*uv, *install], check=True)
    return site


@pytest.fixture(scope="module")
def suite(checkout: Path, installed: Path, new_database: Callable[[str], str], redis_server: Cache) -> Iterator[Suite]:
    environment = {key: value for key, value in os.environ.items() if not key.endswith(("_URL", "PORT"))}
    environment |= {variable: serving_url(new_database(name)) for name, variable in DATABASE_VARIABLES.items()}
    environment |= {"REDIS_URL": redis_server.url, "PORT": str(free_port()), "PYTHONPATH": str(installed)}
    with (
        temporary_state() as state,
        running_suite(state, environment, map_file=checkout / "suite.toml", durable=False) as running,
    ):
        yield running


@pytest.fixture(scope="module")
def gateway(suite: Suite) -> Iterator[httpx.Client]:
    with httpx.Client(base_url=suite.urls["gateway"], timeout=10) as client:
        yield client


@pytest.mark.longer
def test_it_is_read_through_the_gateway(gateway: httpx.Client) -> None:
    page = gateway.get("/glossary/v1/terms", params={"topic": "money"}).raise_for_status().json()
    assert [(item["code"], item["topic"]) for item in page["items"]] == [("pledge", "money")]
    assert (page["total"], page["next"]) == (1, None)
    item = gateway.get("/glossary/v1/terms/joint-programme").raise_for_status()
    assert item.json()["name"] == "Joint programme"
    assert gateway.get(item.url.path, headers={"if-none-match": item.headers["etag"]}).status_code == 304
    history = gateway.get("/glossary/v1/terms/pledge/history").raise_for_status().json()
    assert [change["action"] for change in history["items"]] == ["create"]
    refused = gateway.get("/glossary/v1/terms", params={"topic": "mony"})
    assert (refused.status_code, refused.json()["errors"][0]["suggestion"]) == (422, "money")
    assert "pledge,Pledge,money," in gateway.get("/glossary/v1/terms?format=csv").text


@pytest.mark.longer
def test_it_is_in_the_status_of_the_suite(gateway: httpx.Client) -> None:
    status = gateway.get("/status").json()
    assert status["complete"]
    services = {service["service"]: service for service in status["services"]}
    assert list(services) == [*SERVICES, "glossary"]
    assert services["glossary"]["counts"] == {"documents": 1, "terms": 2}
    assert services["glossary"]["revision"] == 3


@pytest.mark.longer
def test_it_is_in_the_merged_contract(gateway: httpx.Client) -> None:
    contract = whole_contract(gateway).json()
    assert "x-missing-services" not in contract
    operation = contract["paths"]["/glossary/v1/terms"]["get"]
    assert (operation["operationId"], operation["tags"]) == ("list_terms", ["Terms"])
    assert {"/catalog/v1/programmes", "/glossary/v1/terms/{code}"} <= contract["paths"].keys()


@pytest.mark.longer
def test_it_is_written_by_nobody_without_a_token_and_audited(suite: Suite, gateway: httpx.Client) -> None:
    assert gateway.get("/glossary/v1/audit").status_code == 401
    issued = httpx.post(
        f"{suite.urls['issuer']}/token", data={"grant_type": "client_credentials", "client_id": "admin"}
    ).json()
    headers = {"authorization": f"Bearer {issued['access_token']}"}
    audit = gateway.get("/glossary/v1/audit", headers=headers).raise_for_status().json()
    assert [item["key"] for item in audit["items"]] == ["suite-glossary", "pledge", "joint-programme"]


@pytest.mark.longer
async def test_its_journal_is_the_one_of_every_service(suite: Suite) -> None:
    found = {}
    for name in ("glossary", "catalog"):
        connection = await asyncpg.connect(suite.database_urls[name])
        rows = await connection.fetch(
            "SELECT proname, pg_get_functiondef(oid) AS text FROM pg_proc WHERE proname LIKE 'journal%'"
        )
        triggers = await connection.fetch(
            "SELECT pg_get_triggerdef(oid) AS text FROM pg_trigger WHERE NOT tgisinternal"
            " AND tgrelid = 'source_document'::regclass"
        )
        await connection.close()
        # How the text is laid out says nothing.
        words = {row["proname"]: re.sub(r"'\s+'", "", " ".join(row["text"].split())) for row in rows}
        found[name] = words, {row["text"] for row in triggers}
    assert found["glossary"] == found["catalog"]
    assert len(found["glossary"][0]) == 3


def test_the_makefile_writes_its_contract_and_builds_its_image(checkout: Path) -> None:
    said = subprocess.run(
        ["make", "--dry-run", "contracts", "images"], cwd=checkout, capture_output=True, text=True, check=True
    ).stdout
    assert f"for name in {' '.join((*SERVICES, 'glossary'))}; do" in said
    assert "glossary=services/glossary/openapi.json > gateway/openapi.json" in said
    assert f"for name in {' '.join((*SERVICES, 'glossary', 'gateway'))}; do" in said
    assert "--editable services/glossary" in said


def test_its_containers_are_those_of_another_service_under_its_name() -> None:
    compose = "\n".join((ROOT / file).read_text("utf-8") for file in ("compose.external.yaml", "compose.yaml"))
    # Each part is like that of one of them: the ledger takes files, and the markers call one service more.
    alike = [compose.replace(name, "glossary").replace(name.upper(), "GLOSSARY") for name in ("funding", "markers")]
    for part in block("yaml").strip("\n").split("\n\n"):
        assert any(f"\n{part}\n" in text for text in alike)


def test_its_code_is_in_the_style_of_the_suite(checkout: Path) -> None:
    ruff = [str(Path(sys.executable).with_name("ruff")), "--quiet"]
    config = ["--config", str(ROOT / "pyproject.toml")]
    subprocess.run([*ruff, "check", *config, "services/glossary"], cwd=checkout, check=True)
    subprocess.run([*ruff, "format", "--check", *config, "services/glossary"], cwd=checkout, check=True)
