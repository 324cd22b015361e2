"""The page with Swagger UI for the merged contract; everything it loads comes from this process."""

from __future__ import annotations

from importlib.util import find_spec
from pathlib import Path

from fastapi import APIRouter
from starlette.responses import HTMLResponse, Response
from starlette.staticfiles import StaticFiles

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
<link rel="stylesheet" href="docs/assets/swagger-ui.css">
</head>
<body>
<div id="contract"></div>
<noscript>The contract without JavaScript: <a href="openapi.json?partial=true">openapi.json</a></noscript>
<script src="docs/assets/swagger-ui-bundle.js"></script>
<script src="docs/start.js"></script>
</body>
</html>
"""
# What cannot be shown now is named at the top of the page, in place of an error and no page.
# Without validatorUrl: null, Swagger UI would send the contract's address to a validator of its makers.
START = """SwaggerUIBundle({
  url: "openapi.json?partial=true",
  dom_id: "#contract",
  deepLinking: true,
  docExpansion: "none",
  filter: true,
  tryItOutEnabled: true,
  validatorUrl: null,
});
"""

router = APIRouter(include_in_schema=False)


def assets() -> StaticFiles:
    """Swagger UI's files, from the package that contains them, which is not imported."""
    spec = find_spec("fastapi_swagger")
    if spec is None or spec.origin is None:
        raise RuntimeError("fastapi-swagger, which carries the files of the documentation page, is not installed")
    return StaticFiles(directory=Path(spec.origin).with_name("resources"))


@router.get("/docs", tags=["docs"])
async def page() -> Response:
    """The HTML of the page."""
    return HTMLResponse(PAGE, headers={"Content-Security-Policy": POLICY, "Cache-Control": "no-cache"})


@router.get("/docs/start.js", tags=["docs"])
async def start() -> Response:
    """The script of the page, which starts Swagger UI."""
    return Response(START, media_type="text/javascript", headers={"Cache-Control": "no-cache"})
