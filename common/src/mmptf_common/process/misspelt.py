"""Environment variables whose names are nearly those of settings, so that a typo is no silent default."""

from __future__ import annotations

import os
from typing import Any

from pydantic.fields import FieldInfo
from pydantic_settings import PydanticBaseSettingsSource

from mmptf_common.process.secret_files import NoValue, is_secret

# Read by other programs, too, whose further variables have names like these: FTP_PROXY, SSL_CERT_DIR.
_OF_OTHERS = frozenset({"HTTPS_PROXY", "HTTP_PROXY", "ALL_PROXY", "NO_PROXY", "SSL_CERT_FILE"})


class MisspeltNames(PydanticBaseSettingsSource):
    """The settings that are not set, and of which a variable has the name but for one edit: why they have no value.

    One edit is a letter too many, too few, another one, or two neighbours exchanged. Names of one word are left out:
    a variable of another program may well be called HOSTS or CONNECTION.
    """

    def get_field_value(self, field: FieldInfo, field_name: str) -> tuple[Any, str, bool]:
        given = {name.upper() for name, value in os.environ.items() if value}
        name = field_name.upper()
        known = {each.upper() for each in self.settings_cls.model_fields}
        if name in given or name in _OF_OTHERS or "_" not in name:
            return None, field_name, False
        for meant in (name, f"{name}_FILE") if is_secret(field) else (name,):
            for other in sorted(given - known):
                if is_one_edit(other, meant):
                    return NoValue(f"{other} is set, which is no setting; did you mean {meant}?"), field_name, False
        return None, field_name, False

    def __call__(self) -> dict[str, Any]:
        fields = self.settings_cls.model_fields
        found = {name: self.get_field_value(field, name)[0] for name, field in fields.items()}
        return {name: value for name, value in found.items() if value is not None}


def is_one_edit(written: str, meant: str) -> bool:
    """Whether one text becomes the other by a letter more, less or changed, or two neighbours exchanged."""
    start = _same(written, meant)
    end = _same(written[start:][::-1], meant[start:][::-1])
    rests = written[start : len(written) - end], meant[start : len(meant) - end]
    return written != meant and (max(map(len, rests)) == 1 or (len(rests[0]) == 2 and rests[0] == rests[1][::-1]))


def _same(one: str, other: str) -> int:
    """The number of letters with which both begin."""
    return next((n for n, (a, b) in enumerate(zip(one, other, strict=False)) if a != b), min(len(one), len(other)))
