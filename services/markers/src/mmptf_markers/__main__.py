"""The marker service's command: mmptf-markers serve | check | migrate | seed | erase-subject | … | publish | score."""

from __future__ import annotations

import argparse
import asyncio
import sys
from pathlib import Path
from typing import Final

from mmptf_common import cli
from mmptf_common.process.settings import ServiceSettings
from mmptf_common.storage.engines import open_database
from mmptf_common.storage.journal import Author, begin_write
from mmptf_common.storage.writing import writing
from mmptf_markers.app import SERVICE
from mmptf_markers.engine.loading import load_rubric
from mmptf_markers.engine.reading import DocumentError, InvalidDocument, read_json
from mmptf_markers.engine.rubric import STAGES
from mmptf_markers.engine.scoring import InvalidAnswers, score
from mmptf_markers.engine.translation import is_translation
from mmptf_markers.rubrics.commands import NotPublishable, publish_rubric, publish_translation


def _add_publishing(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "file", type=Path, metavar="FILE", help="a rubric, or a translation of a published one, as JSON or YAML"
    )
    parser.add_argument("--supersedes", metavar="CODE", help="the published rubric that the one of the file replaces")


def _publish(settings: ServiceSettings, arguments: argparse.Namespace) -> int:
    """Publish a file; returns 0 when its content is published, 1 when it was rejected and nothing was written."""
    try:
        content = arguments.file.read_bytes()
        code, revision = asyncio.run(_written(settings, content, arguments.supersedes))
    except InvalidDocument as error:
        return _fail("publish", _error_lines(arguments.file, error))
    except NotPublishable as error:
        return _fail("publish", [str(error)])
    print(f"{code}: published, revision {revision}" if revision else f"{code}: published already, nothing was written")
    return 0


async def _written(settings: ServiceSettings, content: bytes, supersedes: str | None) -> tuple[str, int | None]:
    """Publish in one write; returns the code, and the revision or None where nothing changed."""
    rubric = None if is_translation(content) else load_rubric(content)
    if rubric is None and supersedes:
        raise NotPublishable("a translation supersedes no rubric")
    async with open_database(settings) as database, writing(database) as session:
        what = "a rubric" if rubric else "a translation"
        write = await begin_write(session, Author(actor="publish"), f"publication of {what}")
        if rubric:
            code = await publish_rubric(write, rubric, supersedes)
        else:
            code = await publish_translation(write, content)
        revision = await write.revision()
    return code, revision if revision >= write.first else None


def _add_scoring(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("rubric", type=Path, metavar="RUBRIC_FILE", help="a rubric as JSON or YAML")
    parser.add_argument("answers", type=Path, metavar="ANSWERS_FILE", help="JSON: criterion code to level value")
    parser.add_argument("--stage", required=True, choices=STAGES, help="the stage at which the answers are given")


def _score(arguments: argparse.Namespace) -> int:
    """Print a score as JSON; returns 0, or 1 when a file cannot be read or has errors."""
    reasons: list[str] = []
    rubric = answers = None
    try:
        rubric = load_rubric(arguments.rubric.read_bytes())
    except (OSError, InvalidDocument) as error:
        reasons += _error_lines(arguments.rubric, error)
    try:
        errors: list[DocumentError] = []
        answers = read_json(arguments.answers.read_bytes(), errors)
        if not isinstance(answers, dict):
            errors.append(DocumentError(path="", reason="is not an object of criterion codes and answers"))
        if errors:
            raise InvalidDocument(errors)
    except (OSError, InvalidDocument) as error:
        reasons += _error_lines(arguments.answers, error)
    if rubric and isinstance(answers, dict):
        try:
            result = score(rubric, answers, arguments.stage)
        except InvalidAnswers as error:
            reasons += [
                f"{arguments.answers}: {error.criterion or 'answers'}: {error.reason}" for error in error.errors
            ]
        else:
            if not reasons:
                print(result.model_dump_json(indent=2))
                return 0
    return _fail("score", reasons)


def _error_lines(file: Path, error: OSError | InvalidDocument) -> list[str]:
    if isinstance(error, OSError):
        return [str(error)]
    return [f"{file}: {error.path or '/'}: {error.reason}" for error in error.errors]


def _fail(verb: str, reasons: list[str]) -> int:
    for reason in reasons:
        print(reason, file=sys.stderr)
    print(f"markers: {verb} failed: {len(reasons)} error{'s' * (len(reasons) != 1)}", file=sys.stderr)
    return 1


OWN: Final[dict[str, cli.Verb | cli.OfflineVerb]] = {
    "publish": cli.Verb("publish a rubric or a translation from its file", _add_publishing, _publish),
    "score": cli.OfflineVerb("score answers under a rubric, both from files, without a database", _add_scoring, _score),
}


def main() -> None:
    """Run one command and exit with its exit code."""
    sys.exit(cli.main(SERVICE, own=OWN))


if __name__ == "__main__":
    main()
