"""Secrets in files: the setting NAME is read from the file that NAME_FILE names, or from /run/secrets."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, get_args
from urllib.parse import unquote, urlsplit

from pydantic import SecretStr
from pydantic.fields import FieldInfo
from pydantic_settings import PydanticBaseSettingsSource

# Where Docker and Kubernetes put them, by the names of the settings.
FOLDER = Path("/run/secrets")
_LONGEST = 65_536
# The text of each secret that was read from a file, and the file.
_files: dict[str, Path] = {}


@dataclass(frozen=True, slots=True)
class NoValue:
    """In the place of a value: why there is none."""

    reason: str


def is_secret(field: FieldInfo) -> bool:
    """Whether a setting may be in a file."""
    return SecretStr in (field.annotation, *get_args(field.annotation))


class SecretFiles(PydanticBaseSettingsSource):
    """The secret settings that are in files; secret is what has the type SecretStr.

    The text of a file is taken without white space around it. One that NAME_FILE names has to be there; one in
    /run/secrets is read where neither NAME nor NAME_FILE is set.
    """

    def get_field_value(self, field: FieldInfo, field_name: str) -> tuple[Any, str, bool]:
        if not is_secret(field):
            return None, field_name, False
        name = field_name.upper()
        # As everywhere in settings, empty is not set, and names count in any case.
        given = {key.upper(): value for key, value in os.environ.items() if value}
        if file := given.get(f"{name}_FILE"):
            if name in given:
                return NoValue(f"{name} and {name}_FILE are set, and one of them is expected"), field_name, False
            return _read(Path(file), f"{name}_FILE"), field_name, False
        for file_name in (field_name, name):
            if name not in given and (FOLDER / file_name).is_file():
                return _read(FOLDER / file_name, f"{FOLDER}"), field_name, False
        return None, field_name, False

    def __call__(self) -> dict[str, Any]:
        fields = self.settings_cls.model_fields
        found = {name: self.get_field_value(field, name)[0] for name, field in fields.items()}
        return {name: value for name, value in found.items() if value is not None}


def changing_text(text: str) -> Callable[[], str] | None:
    """What gives the text that the file of a secret has at that time; None where the secret is from no file.

    A file that cannot be read any more is as it was.
    """
    if not (file := _files.get(text)):
        return None

    def now() -> str:
        found = _read(file, "")
        return text if isinstance(found, NoValue) else found

    return now


def changing_password(url: str) -> Callable[[], str] | None:
    """What a driver asks for the password of each new connection: the one of the URL that is in the file then.

    None where the URL is from no file: it has the password, or the driver finds one.
    """
    if not (now := changing_text(url)):
        return None

    def password() -> str:
        parts = urlsplit(now())
        # Unlike in a form, + is a plus.
        parameters = dict(pair.partition("=")[::2] for pair in parts.query.split("&"))
        return unquote(parameters.get("password", parts.password or ""))

    return password


def _read(file: Path, named_by: str) -> str | NoValue:
    try:
        with file.open("rb") as opened:
            text = opened.read(_LONGEST).decode().strip()
    except OSError as error:
        return NoValue(f"{named_by}: {file} cannot be read ({error.strerror})")
    except ValueError:
        return NoValue(f"{named_by}: {file} is no text in UTF-8")
    if not text:
        return NoValue(f"{named_by}: {file} is empty")
    _files[text] = file
    return text
