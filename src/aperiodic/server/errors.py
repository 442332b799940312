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
from typing import TYPE_CHECKING, Any, Final

import msgspec
from litestar import Response
from litestar.exceptions import HTTPException
from litestar.status_codes import (
    HTTP_400_BAD_REQUEST,
    HTTP_404_NOT_FOUND,
    HTTP_405_METHOD_NOT_ALLOWED,
    HTTP_500_INTERNAL_SERVER_ERROR,
    HTTP_503_SERVICE_UNAVAILABLE,
)
from obstore.exceptions import BaseError
from sqlalchemy.exc import SQLAlchemyError

from aperiodic.lake import LakeError
from aperiodic.market import AperiodicDataError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from litestar import Request
    from litestar.types import Scope

__all__ = ["ErrorBody", "RequestError", "answer_error", "refuse", "request_id"]

_RETRY_AFTER_S: Final = 5
_OF_STATUS: Final = {
    HTTP_400_BAD_REQUEST: ("bad_request", "The request cannot be understood.", "Check the Host header and the URL."),
    HTTP_404_NOT_FOUND: (
        "unknown_path",
        "There is nothing at this path.",
        "Data is at /api/v1/data/{metric}, the list of metrics at /api/v1/metadata/catalog.",
    ),
}
_WRONG_METHOD: Final = ("method_not_allowed", "This path does not answer that method.")
_DEFECT: Final = ("internal_error", "The server failed to answer.", "Report the request id to the operator.")
_UNAVAILABLE: Final = ("unavailable", "A part of the server is not available.", "Try again in a few seconds.")


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
        self, status: int, problems: Sequence[AperiodicDataError], headers: Mapping[str, str] | None = None
    ) -> None:
        self.status = status
        self.problems = problems
        self.headers = headers or {}
        super().__init__(problems[0].message, code=problems[0].code, hint=problems[0].hint)


def refuse(status: int, code: str, message: str, hint: str, headers: Mapping[str, str] | None = None) -> RequestError:
    """Build the error for a request with a single problem."""
    return RequestError(status, [AperiodicDataError(message, code=code, hint=hint)], headers)


def request_id(scope: Scope) -> str:
    """Return the id of a request, giving it one the first time."""
    state: dict[str, Any] = scope["state"]
    identity: str = state.setdefault("request_id", secrets.token_hex(8))
    return identity


def answer_error(request: Request[Any, Any, Any], error: Exception) -> Response[ErrorBody]:
    """Answer a request that failed, and leave in the scope's state what is to be counted and logged of it."""
    known = error if isinstance(error, RequestError) else _explain(error)
    identity = request_id(request.scope)
    request.scope["state"]["error_code"] = known.code
    if known is not error and known.status >= HTTP_500_INTERNAL_SERVER_ERROR:
        request.scope["state"]["error"] = error
    body = ErrorBody(known.message, [str(problem) for problem in known.problems], known.code, known.hint, identity)
    return Response(body, status_code=known.status, headers=known.headers, media_type="application/json")


def _explain(error: Exception) -> RequestError:
    if isinstance(error, HTTPException) and error.status_code < HTTP_500_INTERNAL_SERVER_ERROR:
        if error.status_code == HTTP_405_METHOD_NOT_ALLOWED:
            return refuse(error.status_code, *_WRONG_METHOD, _use_instead(error), error.headers)
        words = _OF_STATUS.get(error.status_code, _OF_STATUS[HTTP_400_BAD_REQUEST])
        return refuse(error.status_code, *words, headers=error.headers)
    if isinstance(error, LakeError) and error.code == "object_missing":
        return refuse(
            HTTP_404_NOT_FOUND,
            "object_missing",
            "The file is no longer in the store.",
            "Tell the operator, then retry.",
        )
    if isinstance(error, LakeError | SQLAlchemyError | BaseError):
        return refuse(HTTP_503_SERVICE_UNAVAILABLE, *_UNAVAILABLE, headers={"Retry-After": str(_RETRY_AFTER_S)})
    return refuse(HTTP_500_INTERNAL_SERVER_ERROR, *_DEFECT)


def _use_instead(error: HTTPException) -> str:
    allowed = (error.headers or {}).get("allow", "").split(", ")
    # Every path answers OPTIONS, but never with what somebody came for.
    return f"Use {' or '.join(sorted(method for method in allowed if method != 'OPTIONS'))}."
