"""The documentation page in a real browser: what it shows filled in can be sent as it stands.

Chromium has to be installed; `make longer` installs what drives it.
"""

from __future__ import annotations

import shutil
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import httpx
import pytest

from mmptf_local.cache import Cache
from mmptf_local.processes import free_port
from mmptf_local.suite import Suite, running_suite
from tests.conftest import serving_url
from tests.contract.contracts import METHODS, Operation, contract_of
from tests.contract.prelude import prepare
from tests.suite import DATABASE_VARIABLES, NO_LOTS
from tests.tokens import identity, issuer

sync_api = pytest.importorskip("playwright.sync_api", reason="playwright is not installed (make .venv/longer)")

CHROMIUM = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
# As root it runs without a sandbox.
FLAGS = ("--no-sandbox", "--disable-gpu", "--disable-background-networking", "--disable-component-update")
# A busy machine is no finding.
SECONDS = 30
OPERATIONS = [
    Operation("gateway", method, path)
    for path, item in contract_of("gateway")["paths"].items()
    for method in METHODS
    if method in item
]

pytestmark = [
    pytest.mark.longer,
    pytest.mark.skipif(CHROMIUM is None, reason="Chromium is not installed (Debian: apt install chromium)"),
]


@pytest.fixture(scope="module")
def suite(new_database: Callable[[str], str], redis_server: Cache) -> Iterator[Suite]:
    """The whole suite on the packaged data, with the records that examples name and no package has."""
    environment = {variable: serving_url(new_database(name)) for name, variable in DATABASE_VARIABLES.items()}
    environment |= NO_LOTS | {"REDIS_URL": redis_server.url, "PORT": str(free_port()), **identity()}
    with running_suite(Path("/nowhere"), environment) as running:
        prepare(running)
        # The page shows what the gateway has; on a busy machine a service may take longer than it waits.
        while httpx.get(f"{running.urls['gateway']}/openapi.json", timeout=SECONDS).status_code != 200:
            time.sleep(0.2)
        yield running


@pytest.fixture(scope="module")
def browser() -> Iterator[sync_api.Browser]:
    with sync_api.sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=FLAGS)
        yield browser
        browser.close()


@pytest.fixture
def page(browser: sync_api.Browser, suite: Suite) -> Iterator[sync_api.Page]:
    """The page as anybody gets it, signed out."""
    # So high that no operation of an open tag is outside: the page has only those in it that are near to what is seen.
    page = browser.new_page(viewport={"width": 1280, "height": 6000})
    page.set_default_timeout(SECONDS * 1000)
    page.goto(f"{suite.urls['gateway']}/docs")
    page.locator(".opblock-tag").first.wait_for()
    yield page
    page.close()


def sign_in(page: sync_api.Page) -> None:
    """Enter a token at Authorize, which the page then sends with every request."""
    page.locator(".scheme-container button.authorize").click()
    page.locator(".auth-container input").fill(issuer().token("admin", organization="IOM"))
    page.locator(".auth-btn-wrapper button.authorize").click()
    page.locator(".auth-btn-wrapper .btn-done").click()


def opened(page: sync_api.Page, operation: Operation) -> sync_api.Locator:
    """The block of an operation, opened; its tag is the only one that is open."""
    tag = f'.opblock-tag[data-tag="{operation.contract["tags"][0]}"]'
    for other in page.locator(f'.opblock-tag[data-is-open="true"]:not({tag})').all():
        other.click()
    if page.locator(tag).get_attribute("data-is-open") == "false":
        page.locator(tag).click()
    path = page.locator(f'[data-path="{operation.template}"]')
    block = page.locator(f".opblock-{operation.method}").filter(has=path)
    block.locator(".opblock-summary-control").click()
    block.locator("button.execute").wait_for()
    return block


def executed(page: sync_api.Page, operation: Operation) -> str:
    """What the page shows after Execute: the status, then the beginning of the answer; a write is a dry run.

    Where the body is a file, the one of the example is chosen.
    """
    block = opened(page, operation)
    if operation.writes:
        block.locator('tr[data-param-name="dry_run"] select').select_option("true")
    if "requestBody" in operation.contract and operation.body is None:
        block.locator(".opblock-section-request-body select.content-type").select_option("text/csv")
        content = httpx.Request(operation.method, "http://suite", **operation.sent).content
        file = {"name": "requirements.csv", "mimeType": "text/csv", "buffer": content}
        block.locator('.opblock-section-request-body input[type="file"]').set_input_files(file)
    block.locator("button.execute").click()
    # Either the request is sent, or what is invalid is marked.
    block.locator(".live-responses-table, .invalid").first.wait_for()
    answer = block.locator(".live-responses-table tbody .response-col_status")
    if not answer.count():
        return f"not sent: {block.locator('tr:has(.invalid)').all_inner_texts()}"
    status = answer.first.inner_text().split()[0]
    shown = block.locator(".live-responses-table tbody .response-col_description").first.inner_text()
    block.locator(".opblock-summary-control").click()
    block.locator("button.execute").wait_for(state="detached")
    return f"{status} {shown[:400]}"


@pytest.mark.parametrize("reads", [True, False], ids=["reads", "writes"])
def test_every_operation_is_executed_as_it_is_filled_in(page: sync_api.Page, reads: bool) -> None:
    sign_in(page)
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.method.lower()))
    operations = [o for o in OPERATIONS if o.is_read == reads]
    failed = {}
    for operation in operations:
        asked.clear()
        try:
            answer = executed(page, operation)
        except sync_api.TimeoutError as error:
            answer = str(error)
        if not answer.startswith("2") or asked != [operation.method]:
            failed[operation.id] = (answer, list(asked))
    assert failed == {}
    assert len(operations) > (100 if reads else 20)


def test_a_write_says_which_token_it_needs_and_how_one_gets_it(page: sync_api.Page) -> None:
    write = next(o for o in OPERATIONS if o.writes)
    block = opened(page, write)
    said = block.locator(".opblock-description").inner_text()
    assert "Needs an access token with the scope catalog:write" in said
    assert "client_id=agency" in said and "Authorize" in said
    assert "Needs an access token" not in opened(page, OPERATIONS[0]).locator(".opblock-description").inner_text()


def test_a_schema_is_opened_with_all_its_members(page: sync_api.Page) -> None:
    page.locator(".models-control").click()
    schemas = page.locator(".models-virtual-item > article")
    schemas.first.wait_for()
    assert all(schema.get_by_role("button").count() for schema in schemas.all())
    schema = schemas.filter(has=page.locator('.json-schema-2020-12__title:text-is("Assessment")'))
    schema.get_by_role("button").first.click()
    members = schema.locator(".json-schema-2020-12-property > article > .json-schema-2020-12-head > button")
    members.first.wait_for()
    shown = {name.strip() for name in members.all_inner_texts()}
    assert set(contract_of("gateway")["components"]["schemas"]["Assessment"]["properties"]) <= shown
