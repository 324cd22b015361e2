"""Clients for Go and Java made by openapi-generator: they compile without a warning with five screens, which run."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from tests.clients.screens import check_shown
from tests.commands import run
from tests.contract.contracts import COMMITTED
from tests.suite import ROOT

HERE = Path(__file__).parent
# `gopkg.in/validator.v2`, which the client for Go imports, and javax.annotation.Generated of the client for Java: a
# project gets them from its own registry, here they are those of Debian.
GO_SOURCES = Path("/usr/share/gocode")
ANNOTATIONS = Path("/usr/share/java/geronimo-annotation-1.3-spec.jar")
GENERATED = "hideGenerationTimestamp=true"
NO_PAGES = "apiDocs=false,modelDocs=false,apiTests=false,modelTests=false"
pytestmark = [pytest.mark.longer, pytest.mark.skipif(shutil.which("java") is None, reason="java is not installed")]


@pytest.fixture(scope="module")
def generator(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The pinned generator, a Java archive."""
    folder = tmp_path_factory.mktemp("generator")
    pinned = ["--require-hashes", "--requirements", HERE / "requirements.txt"]
    run(folder, ROOT / ".tools" / "bin" / "uv", "pip", "install", "--quiet", "--no-deps", "--target", folder, *pinned)
    return folder / "openapi_generator_cli" / "openapi-generator.jar"


def generate(generator: Path, folder: Path, language: str, *options: str) -> None:
    """Make the client in `folder`/generated."""
    command = ["java", "-jar", generator, "generate", "--generator-name", language, "--output", "generated"]
    run(folder, *command, "--input-spec", COMMITTED["gateway"], "--global-property", NO_PAGES, *options)


@pytest.mark.skipif(shutil.which("go") is None, reason="go is not installed")
@pytest.mark.skipif(
    not (GO_SOURCES / "src" / "gopkg.in" / "validator.v2").is_dir(),
    reason="gopkg.in/validator.v2 is not installed (Debian: golang-gopkg-validator.v2-dev)",
)
def test_go(generator: Path, tmp_path: Path, gateway: str) -> None:
    # Without the prefix, constants of different enums have one name; without the discriminator, a validator of cards
    # refuses every text that may be null and has a pattern.
    options = f"packageName=mmptf,enumClassPrefix=true,useOneOfDiscriminatorLookup=true,{GENERATED}"
    generate(generator, tmp_path, "go", "--additional-properties", options)
    sources = tmp_path / "src"
    (sources / "mmptf").mkdir(parents=True)
    for source in (tmp_path / "generated").glob("*.go"):
        source.rename(sources / "mmptf" / source.name)
    shutil.copytree(HERE / "go", sources / "screens")
    go = {"GO111MODULE": "off", "GOPATH": f"{tmp_path}:{GO_SOURCES}", "GOFLAGS": "", "GOCACHE": str(tmp_path / "cache")}
    run(sources, "go", "vet", "mmptf", "screens", **go)
    assert run(sources, "gofmt", "-l", "screens", **go) == ""
    run(sources, "go", "build", "-o", tmp_path / "shown", "screens", **go)
    check_shown(run(tmp_path, tmp_path / "shown", gateway))


@pytest.mark.skipif(shutil.which("javac") is None, reason="javac is not installed")
@pytest.mark.skipif(
    not ANNOTATIONS.is_file(),
    reason="javax.annotation is not installed (Debian: libgeronimo-annotation-1.3-spec-java)",
)
def test_java(generator: Path, tmp_path: Path, gateway: str) -> None:
    package = "invokerPackage=org.mmptf.client,apiPackage=org.mmptf.client.api,modelPackage=org.mmptf.client.model"
    options = f"openApiNullable=false,useSingleRequestParameter=true,{package},{GENERATED}"
    # An object of Java has a method `wait` that nothing else may be named as.
    names = ["--parameter-name-mappings", "wait=waitSeconds"]
    generate(generator, tmp_path, "java", "--library", "native", *names, "--additional-properties", options)
    # The archive of the generator holds Jackson, which the client uses.
    compiler = ["javac", "-Werror", "-proc:none", "-d", "classes", "-classpath", f"classes:{generator}:{ANNOTATIONS}"]
    (tmp_path / "classes").mkdir()
    client = sorted((tmp_path / "generated" / "src" / "main").rglob("*.java"))
    # Of what the generator writes of itself: classes without a serialVersionUID, and calls that Jackson deprecates.
    run(tmp_path, *compiler, "-Xlint:all,-serial,-deprecation", *client)
    run(tmp_path, *compiler, "-Xlint:all", HERE / "java" / "Screens.java")
    check_shown(run(tmp_path, "java", "-classpath", f"classes:{generator}", "Screens", gateway))
