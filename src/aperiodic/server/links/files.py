"""The objects behind signed links: `/files/…`, with ranges and revalidation."""

import time
from collections.abc import AsyncGenerator
from contextlib import aclosing
from typing import Any, Final

from anyio import CancelScope, create_task_group
from anyio.to_thread import run_sync
from litestar import HttpMethod, Request, route
from litestar.di import NamedDependency
from litestar.response.base import ASGIResponse
from litestar.status_codes import (
    HTTP_200_OK,
    HTTP_206_PARTIAL_CONTENT,
    HTTP_304_NOT_MODIFIED,
    HTTP_404_NOT_FOUND,
    HTTP_416_REQUESTED_RANGE_NOT_SATISFIABLE,
)
from litestar.types import Receive, Send

from aperiodic.lake import LakeError
from aperiodic.lake.store import damaged
from aperiodic.server.errors import RequestError, refuse
from aperiodic.server.links.ranges import UnsatisfiableRangeError, read_range
from aperiodic.server.links.signing import check_link, host_of
from aperiodic.server.middleware.conditional_requests import is_known
from aperiodic.server.queries.published import PublishedFile, find_file
from aperiodic.server.service import Service

__all__ = ["get_file"]

_MEDIA_TYPE: Final = "application/vnd.apache.parquet"


@route("/files/{path:path}", http_method=[HttpMethod.GET, HttpMethod.HEAD])
async def get_file(request: Request[Any, Any, Any], service: NamedDependency[Service]) -> ASGIResponse:
    """Answer a signed link with the object that it names, or a part of it."""
    scope = request.scope
    sent = (host_of(request), scope["raw_path"], scope["query_string"])
    path = check_link(service.secrets.link_key, *sent, time.time())
    file = await run_sync(_find, service, path)
    await run_sync(_require_whole, service, file)
    tag = f'"{file.sha256}"'
    headers = {
        "Accept-Ranges": "bytes",
        "Cache-Control": "private, max-age=300",
        "Content-Disposition": f'attachment; filename="{file.name}"',
        "ETag": tag,
    }
    if is_known(request, tag):
        return ASGIResponse(headers=headers, status_code=HTTP_304_NOT_MODIFIED)
    wanted = _wanted(request, file, tag)
    part = range(file.size) if wanted is None else wanted
    status = HTTP_200_OK if wanted is None else HTTP_206_PARTIAL_CONTENT
    if wanted is not None:
        headers["Content-Range"] = f"bytes {part.start}-{part.stop - 1}/{file.size}"
    headers["Content-Length"] = str(len(part))
    if request.method == HttpMethod.HEAD:
        headers["Content-Type"] = _MEDIA_TYPE
        return ASGIResponse(headers=headers, status_code=status, is_head_response=True)
    return _Pieces(service.lake.store.stream(path, part.start, len(part)), headers, status)


class _Pieces(ASGIResponse):
    """A body sent piece by piece; the next piece is read when the client has taken the one before."""

    _should_set_content_length = False

    def __init__(self, pieces: AsyncGenerator[bytes, None], headers: dict[str, str], status: int) -> None:
        super().__init__(headers=headers, status_code=status, media_type=_MEDIA_TYPE)
        self._pieces = pieces

    async def send_body(self, send: Send, receive: Receive) -> None:
        """Send the pieces, until the client goes away."""
        async with aclosing(self._pieces) as pieces, create_task_group() as group:
            group.start_soon(_cancel_when_gone, receive, group.cancel_scope)
            async for piece in pieces:
                await send({"type": "http.response.body", "body": piece, "more_body": True})
            await send({"type": "http.response.body", "body": b"", "more_body": False})
            group.cancel_scope.cancel()


async def _cancel_when_gone(receive: Receive, scope: CancelScope) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass
    scope.cancel()


def _find(service: Service, path: str) -> PublishedFile:
    with service.lake.engine.connect() as connection:
        file = find_file(connection, path)
    if file is None:
        raise _gone()
    return file


def _require_whole(service: Service, file: PublishedFile) -> None:
    """Refuse a file that is lost or has another size than the ledger says, before anything is answered."""
    try:
        size = service.lake.store.size(file.path)
    except LakeError as error:
        raise _gone() if error.code == "object_missing" else error from error
    if size != file.size:
        raise damaged(file.path, f"it has {size} bytes instead of {file.size}")


def _gone() -> RequestError:
    return refuse(
        HTTP_404_NOT_FOUND,
        "object_missing",
        "The file of this link is not there.",
        "Ask the endpoint that gave it for a new one, for raw ticks may have been replaced by newer ones; if that fails"
        " as well, tell the operator.",
    )


def _wanted(request: Request[Any, Any, Any], file: PublishedFile, tag: str) -> range | None:
    if request.headers.get("if-range", tag) != tag:
        return None
    try:
        return read_range(request.headers.get("range"), file.size)
    except UnsatisfiableRangeError:
        raise refuse(
            HTTP_416_REQUESTED_RANGE_NOT_SATISFIABLE,
            "range_not_satisfiable",
            f"The file has {file.size} bytes; the range lies outside.",
            "Ask for bytes inside the file.",
            {"Content-Range": f"bytes */{file.size}"},
        ) from None
