"""The page with Swagger UI for the merged contract; everything it loads comes from this process."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from functools import cache
from importlib.util import find_spec
from pathlib import Path

from fastapi import APIRouter
from starlette.requests import Request
from starlette.responses import HTMLResponse, Response

from mmptf_common.wire.problems import NotFound
from mmptf_gateway.compression import VARY, Body

# Paths are relative, so that the page works behind a prefix; the browser itself refuses any other host.
POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self' 'unsafe-inline'; img-src 'self' data:;"
    " connect-src 'self'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'"
)
PAGE = """<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>Migration MPTF services: API</title>
<link rel="icon" href="data:,">
<link rel="preload" href="openapi.json?partial=true" as="fetch" crossorigin>
<link rel="stylesheet" href="docs/assets/{version}/swagger-ui.css">
</head>
<body>
<div id="contract"></div>
<noscript>The contract without JavaScript: <a href="openapi.json?partial=true">openapi.json</a></noscript>
<script src="docs/assets/{version}/swagger-ui-bundle.js"></script>
<script src="docs/assets/{version}/start.js"></script>
</body>
</html>
"""
MEDIA_TYPES = {
    "swagger-ui.css": "text/css; charset=utf-8",
    "swagger-ui-bundle.js": "text/javascript; charset=utf-8",
    "start.js": "text/javascript; charset=utf-8",
}
# The version in the path changes with the file.
UNCHANGING = {"Cache-Control": "public, max-age=31536000, immutable", "Vary": VARY}

router = APIRouter(include_in_schema=False)


@cache
def assets() -> tuple[str, Mapping[str, Body]]:
    """A version that changes with any file that the page loads, and each file by its name.

    Swagger UI's files are in a package that is not imported; what starts it is beside this module.
    """
    spec = find_spec("fastapi_swagger")
    if spec is None or spec.origin is None:
        raise RuntimeError("fastapi-swagger, which carries the files of the documentation page, is not installed")
    folders = (Path(spec.origin).with_name("resources"), Path(__file__).parent)
    found = {name: next(f / name for f in folders if (f / name).is_file()).read_bytes() for name in MEDIA_TYPES}
    version = hashlib.blake2b(b"".join(found.values()), digest_size=8).hexdigest()
    return version, {name: Body.of(content) for name, content in found.items()}


@router.get("/docs", tags=["docs"])
async def page() -> Response:
    """The HTML of the page."""
    html = PAGE.format(version=assets()[0])
    return HTMLResponse(html, headers={"Content-Security-Policy": POLICY, "Cache-Control": "no-cache"})


@router.get("/docs/assets/{version}/{name}", tags=["docs"])
async def asset(request: Request, version: str, name: str) -> Response:
    """A file that the page loads; raises NotFound for one of another version."""
    current, files = assets()
    if version != current or name not in files:
        raise NotFound("The documentation page has no such file; load the page again.")
    return files[name].response(request, MEDIA_TYPES[name], UNCHANGING)
