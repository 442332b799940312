"""Every error answer has one shape, whatever went wrong.

| status | when |
|---|---|
| 400 | parameters that are missing, unknown or wrong |
| 401 | no key, or one that is unknown, expired or revoked |
| 403 | not in the plan; a link that is expired or altered; what a page of another site may not do |
| 404 | unknown path, metric or symbol; an object that is gone |
| 405 | a method that the path does not answer, with `Allow` |
| 409 | a key that cannot be rotated, or not again |
| 413, 414, 416 | a body or query that is too long, a range outside the file |
| 429 | too many requests, with `Retry-After` |
| 500 | a defect; logged under its request id |
| 503 | store or ledger down, with `Retry-After` |
"""

from __future__ import annotations

import secrets
from http import HTTPStatus
from typing import TYPE_CHECKING, Any, Final

import msgspec
from litestar import Response
from litestar.exceptions import HTTPException
from litestar.status_codes import (
    HTTP_400_BAD_REQUEST,
    HTTP_404_NOT_FOUND,
    HTTP_405_METHOD_NOT_ALLOWED,
    HTTP_500_INTERNAL_SERVER_ERROR,
)
from obstore.exceptions import BaseError
from sqlalchemy.exc import SQLAlchemyError

from aperiodic.lake import LakeError
from aperiodic.lake.errors import AWAY
from aperiodic.market import AperiodicDataError
from aperiodic.server.endpoints import right_path
from aperiodic.server.error_codes import ErrorCode

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from litestar import Request
    from litestar.types import Scope

    from aperiodic.server.endpoints import Endpoint

__all__ = ["ErrorBody", "RequestError", "answer_error", "bare_answer", "refuse", "request_id"]

_RETRY_AFTER_S: Final = 5
_WHERE_TO_BEGIN: Final = "Data is at /api/v1/data/{metric}, the list of metrics at /api/v1/metadata/catalog."


class ErrorBody(msgspec.Struct):
    """Body of every error answer.

    Attributes:
        error: What happened: the first problem.
        details: All problems, each with what to do about it.
        code: Machine-readable reason of the first problem.
        hint: What to do about the first problem.
        request_id: Names the request, also in the header `X-Request-ID`.
    """

    error: str
    details: list[str]
    code: str | None
    hint: str | None
    request_id: str


class RequestError(AperiodicDataError):
    """A request that is answered with an error.

    Attributes:
        status: HTTP status.
        problems: Everything that is wrong with the request, at least one; the first stands for all.
        headers: Headers of the answer.
    """

    def __init__(
        self,
        problems: Sequence[AperiodicDataError],
        headers: Mapping[str, str] | None = None,
        *,
        status: int | None = None,
    ) -> None:
        """Take the problems.

        Args:
            problems: At least one.
            headers: Headers of the answer.
            status: HTTP status; by default that of the first problem's `ErrorCode`.
        """
        declared = ErrorCode.of(problems[0])
        self.status = status or (HTTP_400_BAD_REQUEST if declared is None else declared.status)
        self.problems = problems
        self.headers = headers or {}
        super().__init__(problems[0].message, code=problems[0].code, hint=problems[0].hint)


def refuse(code: ErrorCode, headers: Mapping[str, str] | None = None, **values: object) -> RequestError:
    """Build the error for a request with a single problem.

    Args:
        code: What is wrong with it.
        headers: Headers of the answer.
        **values: What the words of the code have places for.
    """
    return RequestError([code.problem(**values)], headers)


def bare_answer(error: RequestError) -> bytes:
    """Return the answer as it goes over the connection, where no application gives it; the connection ends with it."""
    identity = secrets.token_hex(8)
    first, details = error.problems[0], [str(problem) for problem in error.problems]
    body = msgspec.json.encode(ErrorBody(first.message, details, first.code, first.hint, identity))
    head = [
        f"HTTP/1.1 {error.status} {HTTPStatus(error.status).phrase}",
        "content-type: application/json",
        f"content-length: {len(body)}",
        f"x-request-id: {identity}",
        "x-content-type-options: nosniff",
        "connection: close",
        *(f"{name}: {value}" for name, value in error.headers.items()),
    ]
    return "\r\n".join([*head, "", ""]).encode() + body


def request_id(scope: Scope) -> str:
    """Return the id of a request, giving it one the first time."""
    state: dict[str, Any] = scope["state"]
    identity: str = state.setdefault("request_id", secrets.token_hex(8))
    return identity


def answer_error(
    request: Request[Any, Any, Any], error: Exception, endpoints: Iterable[Endpoint] = ()
) -> Response[ErrorBody]:
    """Answer a request that failed, and leave in the scope's state what is to be counted and logged of it.

    Args:
        request: The request.
        error: What was raised.
        endpoints: What the server answers, to name the one that a wrong path means.
    """
    known = error if isinstance(error, RequestError) else _explain(error, request.scope["path"], endpoints)
    identity = request_id(request.scope)
    request.scope["state"]["error_code"] = known.code
    if known is not error and known.status >= HTTP_500_INTERNAL_SERVER_ERROR:
        request.scope["state"]["error"] = error
    body = ErrorBody(known.message, [str(problem) for problem in known.problems], known.code, known.hint, identity)
    return Response(body, status_code=known.status, headers=known.headers, media_type="application/json")


def _explain(error: Exception, path: str, endpoints: Iterable[Endpoint]) -> RequestError:
    if isinstance(error, HTTPException) and error.status_code < HTTP_500_INTERNAL_SERVER_ERROR:
        return _explain_routing(error, path, endpoints)
    if isinstance(error, LakeError) and error.code == "object_missing":
        return refuse(ErrorCode.OBJECT_MISSING)
    if isinstance(error, LakeError) and error.code in AWAY:
        return refuse(ErrorCode.STORE_UNAVAILABLE, {"Retry-After": str(_RETRY_AFTER_S)})
    if isinstance(error, LakeError | SQLAlchemyError | BaseError):
        return refuse(ErrorCode.UNAVAILABLE, {"Retry-After": str(_RETRY_AFTER_S)})
    return refuse(ErrorCode.INTERNAL_ERROR)


def _explain_routing(error: HTTPException, path: str, endpoints: Iterable[Endpoint]) -> RequestError:
    """Return the error for a request that the framework refused before any endpoint saw it."""
    if error.status_code == HTTP_405_METHOD_NOT_ALLOWED:
        allowed = (error.headers or {}).get("allow", "").split(", ")
        # Every path answers OPTIONS, but never with what somebody came for.
        methods = " or ".join(sorted(method for method in allowed if method != "OPTIONS"))
        return refuse(ErrorCode.METHOD_NOT_ALLOWED, error.headers, methods=methods)
    if error.status_code == HTTP_404_NOT_FOUND:
        meant = right_path(path, endpoints)
        instead = _WHERE_TO_BEGIN if meant is None else f"Did you mean {meant}? The base URL ends in /api/v1."
        return refuse(ErrorCode.UNKNOWN_PATH, error.headers, instead=instead)
    return RequestError([ErrorCode.BAD_REQUEST.problem()], error.headers)
