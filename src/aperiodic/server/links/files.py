"""The objects behind signed links: `/files/…`, with ranges and revalidation."""

import time
from collections.abc import AsyncGenerator
from contextlib import aclosing
from typing import Any, Final

from anyio import CancelScope, create_task_group
from anyio.to_thread import run_sync
from litestar import HttpMethod, Request
from litestar.di import NamedDependency
from litestar.response.base import ASGIResponse
from litestar.status_codes import HTTP_200_OK, HTTP_206_PARTIAL_CONTENT, HTTP_304_NOT_MODIFIED
from litestar.types import Receive, Send

from aperiodic.lake import LakeError
from aperiodic.lake.store_errors import damaged
from aperiodic.server.api.parameters import IF_NONE_MATCH
from aperiodic.server.endpoints import Answer, Endpoint, Parameter, serve
from aperiodic.server.error_codes import ErrorCode
from aperiodic.server.errors import refuse
from aperiodic.server.links.ranges import UnsatisfiableRangeError, read_range
from aperiodic.server.links.signing import check_link, host_of
from aperiodic.server.middleware.conditional_requests import is_known
from aperiodic.server.queries.published import PublishedFile, find_file
from aperiodic.server.service import Service

__all__ = ["get_file"]

_MEDIA_TYPE: Final = "application/vnd.apache.parquet"


_HEADERS: Final = ("Accept-Ranges", "Cache-Control", "Content-Disposition", "ETag")
_GET: Final = Endpoint(
    route="/files/{path:path}",
    name="get_file",
    tag="data",
    summary="A file behind a link",
    description="Use the links that the data endpoints give, as they are: nothing in them can be changed. "
    "Needs no key. The ETag is the file's SHA-256. Where files lie in a bucket, its links lead straight there.",
    parameters=(
        Parameter(
            name="path",
            place="path",
            description="The object; may hold slashes.",
            example="bars/ohlcv/data.parquet",
        ),
        Parameter(
            name="expires",
            description="Until when the link is valid, s since the epoch.",
            example="1746057900",
            rules={"pattern": "^[1-9][0-9]{0,11}$"},
        ),
        Parameter(
            name="signature",
            description="Signature of host, path and expiry.",
            example="0" * 64,
            rules={"pattern": "^[0-9a-f]{64}$"},
        ),
        Parameter(
            name="Range",
            place="header",
            description="One range of bytes; anything else gets the whole file.",
            example="bytes=0-1023",
            required=False,
        ),
        IF_NONE_MATCH,
    ),
    answers=(
        Answer("The file.", "PAR1…", 200, _MEDIA_TYPE, _HEADERS),
        Answer("The bytes asked for.", "PAR1…", 206, _MEDIA_TYPE, (*_HEADERS, "Content-Range")),
        Answer("The client has the file already.", None, 304, headers=_HEADERS),
    ),
    refusals=(
        ErrorCode.LINK_INVALID,
        ErrorCode.LINK_EXPIRED,
        ErrorCode.OBJECT_MISSING,
        ErrorCode.RANGE_NOT_SATISFIABLE,
        ErrorCode.UNAVAILABLE,
    ),
    security=None,
)


@serve(_GET, _GET.head("head_file", "Size and hash of a file behind a link", "Headers of the file."))
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
        try:
            async with aclosing(self._pieces) as pieces, create_task_group() as group:
                group.start_soon(_cancel_when_gone, receive, group.cancel_scope)
                async for piece in pieces:
                    await send({"type": "http.response.body", "body": piece, "more_body": True})
                await send({"type": "http.response.body", "body": b"", "more_body": False})
                group.cancel_scope.cancel()
        except ExceptionGroup as failed:
            raise failed.exceptions[0] from None  # what failed, not that it did so in a group


async def _cancel_when_gone(receive: Receive, scope: CancelScope) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass
    scope.cancel()


def _find(service: Service, path: str) -> PublishedFile:
    with service.lake.engine.connect() as connection:
        file = find_file(connection, path)
    if file is None:
        raise refuse(ErrorCode.OBJECT_MISSING)
    return file


def _require_whole(service: Service, file: PublishedFile) -> None:
    """Refuse a file that is lost or is not what the ledger says, before anything is answered."""
    try:
        size = service.lake.store.size(file.path)
        if size != file.size:
            raise damaged(file.path, f"it has {size} bytes instead of {file.size}")
        service.lake.store.check(file.path)
    except LakeError as error:
        raise refuse(ErrorCode.OBJECT_MISSING) if error.code == "object_missing" else error from error


def _wanted(request: Request[Any, Any, Any], file: PublishedFile, tag: str) -> range | None:
    if request.headers.get("if-range", tag) != tag:
        return None
    try:
        return read_range(request.headers.get("range"), file.size)
    except UnsatisfiableRangeError:
        raise refuse(
            ErrorCode.RANGE_NOT_SATISFIABLE, {"Content-Range": f"bytes */{file.size}"}, size=file.size
        ) from None
