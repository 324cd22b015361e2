"""The route that says which code a process runs, which every process has: it asks no other process."""

from __future__ import annotations

from starlette.responses import Response

from mmptf_common.http import openapi
from mmptf_common.http.identity import PublicRequest
from mmptf_common.http.parameters import NO_PARAMETERS
from mmptf_common.wire.base import ResponseModel

router = openapi.Router(dependencies=[NO_PARAMETERS])


class Version(ResponseModel):
    """Which code a process runs."""

    version: str
    """Version of the software that answers, such as `0.1.0`."""
    build: str
    """Fingerprint of the code that answers, such as `0123456789ab`; it changes with every change of the code."""


@router.get(
    "/version",
    tags=[openapi.STATUS.name],
    response_model=Version,
    summary="Get the version of the process that answers",
    **openapi.plain(),
)
async def get_version(request: PublicRequest) -> Response:
    """Version and build of the process that answers, also while its database or a service is away."""
    app = request.app
    answer = Version(version=app.version, build=app.state.build)
    return Response(answer.model_dump_json(), media_type="application/json", headers={"Cache-Control": "no-store"})
