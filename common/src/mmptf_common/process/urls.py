"""The parts that the URLs of a database and of a Redis have in common; what is said of a wrong one tells no secret."""

from __future__ import annotations

import re
from collections.abc import Sequence
from urllib.parse import unquote

# What a message about a URL says where a name or a password may have taken it apart.
ENCODED = "; : / ? # [ ] @ and % of a name or a password are written percent-encoded"
_HOST = re.compile(r"(?:\[([0-9A-Fa-f:.%]+)\]|([^\[\]:]*))(?::([0-9]*))?")
_NAME = re.compile(r"[a-z_]{1,40}")


def parameters_in(query: str, allowed: Sequence[str]) -> dict[str, str]:
    """Name -> decoded value; unlike in a form, + is a plus. Raises ValueError for a name that is not allowed."""
    stated: dict[str, str] = {}
    for pair in filter(None, query.split("&")):
        name, equals, value = pair.partition("=")
        if not equals or name not in allowed:
            known = f" {name}" if _NAME.fullmatch(name) else ""
            raise ValueError(f"the parameter{known} is none of {', '.join(allowed)}")
        if name in stated:
            raise ValueError(f"the parameter {name} is there twice")
        stated[name] = unquote(value)
    return stated


def hosts_in(authority: str) -> list[tuple[str, str]] | None:
    """Each of some hosts, comma-separated, with the text of its port, which may be empty; None where one is no host."""
    found = []
    for host in authority.split(",") if authority else []:
        match = _HOST.fullmatch(host)
        if not match:
            return None
        found.append((unquote(match[1] or match[2]), match[3] or ""))
    return found


def port_of(text: str, default: int) -> int:
    """The number of a port, by default where the text is empty; raises ValueError where it is none."""
    if not text:
        return default
    if not re.fullmatch(r"[0-9]{1,5}", text) or not 0 < int(text) < 65536:
        raise ValueError("port: a number from 1 to 65535 is expected")
    return int(text)


def reason_of(error: OSError) -> str:
    """Why a file cannot be read, for people."""
    # Those of TLS have a code in brackets before their text, and a place in the library's source after it.
    text = re.sub(r"^\[[^\]]*\] | \(_ssl\.c:\d+\)$", "", error.strerror or "")
    return text or type(error).__name__
