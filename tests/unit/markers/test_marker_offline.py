"""The engine without a service: what importing it brings along, and a score from two files."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from mmptf_common import cli
from mmptf_markers.__main__ import OWN, SERVICE
from mmptf_markers.engine.loading import load_rubric
from mmptf_markers.engine.results import Score
from mmptf_markers.engine.scoring import score
from tests.unit.markers.rubrics import CONTENT

ANSWERS = {
    "obligations-analysis": 2,
    "due-diligence": 0,
    "equality": 3,
    "participation": 2,
    "rights-holders-capacity": 2,
    "duty-bearers-capacity": 2,
    "national-institutions": "not_applicable",
}


def test_the_engine_brings_neither_http_nor_a_database() -> None:
    script = """if True:
        import importlib, pkgutil, sys
        import mmptf_markers.engine as engine
        names = [module.name for module in pkgutil.iter_modules(engine.__path__)]
        for name in names:
            importlib.import_module(f"mmptf_markers.engine.{name}")
        heavy = {"fastapi", "starlette", "sqlalchemy", "sqlmodel", "asyncpg", "httpx", "alembic"}
        print(*sorted(names), *sorted(heavy & set(sys.modules)))
    """
    finished = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert finished.stdout.split() == [
        "completeness",
        "loading",
        "reading",
        "results",
        "rubric",
        "scoring",
        "translation",
    ]


def said(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, *arguments: object
) -> tuple[int, str, str]:
    monkeypatch.delenv("DATABASE_URL", raising=False)
    code = cli.main(SERVICE, ["score", *map(str, arguments)], own=OWN)
    return code, *capsys.readouterr()


def test_a_score_from_two_files_needs_no_settings(tmp_path: Path) -> None:
    (tmp_path / "rubric.json").write_bytes(CONTENT)
    (tmp_path / "answers.json").write_text(json.dumps(ANSWERS))
    finished = subprocess.run(
        [sys.executable, "-m", "mmptf_markers", "score", "rubric.json", "answers.json", "--stage", "concept_note"],
        cwd=tmp_path, env={}, capture_output=True, text=True, check=True,
    )  # fmt: skip
    expected = score(load_rubric(CONTENT), ANSWERS, "concept_note")
    assert Score.model_validate_json(finished.stdout) == expected and expected.grade == "C"


@pytest.mark.parametrize(
    ("rubric", "answers", "reasons"),
    [
        (CONTENT, {"equalty": 3, "due-diligence": 9}, ["equalty: the rubric has", "due-diligence: the answer is no"]),
        (CONTENT, [], ["answers.json: /: is not an object"]),
        (CONTENT, b'{"equality": 1, "equality": 9}', ["key 'equality' stands twice", "equality: the answer is no"]),
        (CONTENT, b"\xff", ["answers.json: /: is not JSON"]),
        (CONTENT, None, ["No such file or directory: "]),
        (
            CONTENT.replace(b'"marker"', b'"maker"'),
            b"{",
            ["/marker: Field", "/maker: Extra", "answers.json: /: is not"],
        ),
        (None, {}, ["No such file or directory: "]),
    ],
)
def test_every_error_of_both_files_is_named(
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    rubric: bytes | None,
    answers: Any,
    reasons: list[str],
) -> None:
    files = {"rubric.json": rubric, "answers.json": answers}
    for name, content in files.items():
        if content is not None:
            (tmp_path / name).write_bytes(content if isinstance(content, bytes) else json.dumps(content).encode())
    paths = [tmp_path / name for name in files]
    code, out, err = said(capsys, monkeypatch, *paths, "--stage", "concept_note")
    assert (code, out) == (1, "")
    *lines, last = err.splitlines()
    assert len(lines) == len(reasons) and all(any(reason in line for line in lines) for reason in reasons), err
    assert last.startswith("markers: score failed: ")


def test_a_stage_that_is_none_is_refused(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(SystemExit) as ended:
        said(capsys, monkeypatch, tmp_path, tmp_path, "--stage", "concept")
    assert ended.value.code == 2
    assert "programme_document" in capsys.readouterr().err
