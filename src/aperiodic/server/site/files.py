"""Styles, scripts and libraries: `/assets/{version}/…`."""

from typing import Any, Final

from litestar import Request, Response, get

from aperiodic.server.error_codes import ErrorCode
from aperiodic.server.errors import refuse
from aperiodic.server.site.assets import ASSETS_PREFIX, assets, assets_version

__all__ = ["get_asset"]

_FOR_EVER: Final = "public, max-age=31536000, immutable"


@get(f"{ASSETS_PREFIX}{{path:path}}", sync_to_thread=False)
def get_asset(request: Request[Any, Any, Any]) -> Response[bytes]:
    """Answer with one file; its name changes with its content, so that browsers keep it."""
    version, _, name = request.scope["path"].removeprefix(ASSETS_PREFIX).partition("/")
    asset = assets().get(name) if version == assets_version() else None
    if asset is None:
        raise refuse(ErrorCode.UNKNOWN_PATH, instead="Load the page once more.")
    headers = {"Cache-Control": _FOR_EVER, "Vary": "Accept-Encoding"}
    body = asset.body
    if asset.compressed is not None and "gzip" in request.headers.get("accept-encoding", ""):
        body = asset.compressed
        headers["Content-Encoding"] = "gzip"
    return Response(body, headers=headers, media_type=asset.media_type)
