"""The client to be installed from this server: `/client/` and the wheel below it."""

import hashlib
from typing import Any, Final

from litestar import Request, Response, get
from litestar.status_codes import HTTP_304_NOT_MODIFIED

from aperiodic.server.error_codes import ErrorCode
from aperiodic.server.errors import refuse
from aperiodic.server.middleware.conditional_requests import is_known, strong_tag
from aperiodic.server.wheel import WHEEL_NAME, WHEEL_PATH, wheel_bytes

__all__ = ["get_client_index", "get_client_wheel"]

_INDEX: Final = """\
<!DOCTYPE html>
<html lang="en">
<head><meta charset="utf-8"><meta name="pypi:repository-version" content="1.0"><title>Links for aperiodic-platform</title></head>
<body>
<h1>Links for aperiodic-platform</h1>
<a href="{path}#sha256={digest}" data-requires-python="&gt;=3.11">{name}</a>
</body>
</html>
"""
_KEPT: Final = "public, max-age=300"


@get("/client", sync_to_thread=True)
def get_client_index() -> Response[bytes]:
    """Answer with a page of links in the form of a package index, with the hash of the wheel."""
    page = _INDEX.format(path=WHEEL_PATH, digest=hashlib.sha256(_wheel()).hexdigest(), name=WHEEL_NAME)
    headers = {"Cache-Control": _KEPT}
    return Response(page.encode(), headers=headers, media_type="text/html")


@get(WHEEL_PATH, sync_to_thread=True)
def get_client_wheel(request: Request[Any, Any, Any]) -> Response[bytes]:
    """Answer with the wheel of the version that runs here."""
    body = _wheel()
    headers = {"ETag": strong_tag(body), "Cache-Control": _KEPT}
    if is_known(request, headers["ETag"]):
        return Response(b"", status_code=HTTP_304_NOT_MODIFIED, headers=headers)
    return Response(body, headers=headers, media_type="application/zip")


def _wheel() -> bytes:
    body = wheel_bytes()
    if body is None:
        raise refuse(
            ErrorCode.UNKNOWN_PATH,
            instead="This server runs from sources that were not installed, so it has no package to give away. "
            "Install the client from a checkout: pip install -e .",
        )
    return body
