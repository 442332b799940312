"""JSON answers of the REST API."""

from __future__ import annotations

import json
from http import HTTPStatus
from typing import TYPE_CHECKING, Any, Final

from aperiodic.client.errors import APIError
from aperiodic.client.retry import RETRYABLE_STATUSES, RetryableError, retrying
from aperiodic.client.transport import BodyTooLargeError, Response, Transport, TransportError
from aperiodic.market import AperiodicDataError

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["bad_response", "get_json", "json_object"]

_MAX_BYTES: Final = 32 * 1024 * 1024
_MAX_TEXT: Final = 1000


async def get_json(transport: Transport, url: str, *, params: Mapping[str, str], api_key: str | None) -> dict[str, Any]:
    """Fetch a JSON object from the API, with a key if there is one, trying again while the failure may pass.

    Raises:
        APIError: The server answered with an error, or not with a JSON object (`bad_response`).
        AperiodicDataError: `server_unreachable` when no whole answer came.
    """
    headers = {} if api_key is None else {"X-API-KEY": api_key}

    async def attempt() -> Response:
        try:
            answer = await transport.get(url, max_bytes=_MAX_BYTES, params=params, headers=headers)
        except TransportError as error:
            raise RetryableError(_unreachable(error)) from error
        except BodyTooLargeError as error:
            raise bad_response(str(error)) from error
        if answer.status in RETRYABLE_STATUSES:
            raise RetryableError(_api_error(answer), answer.headers.get("Retry-After"))
        return answer

    answer = await retrying(attempt)
    if answer.status != HTTPStatus.OK:
        raise _api_error(answer)
    body = json_object(answer.body)
    if body is None:
        raise bad_response("The answer is not a JSON object.")
    return body


def bad_response(message: str) -> APIError:
    """Build the error for an answer that does not follow the API."""
    return APIError(
        HTTPStatus.OK,
        message,
        code="bad_response",
        hint="Check that base_url (or APERIODIC_API_URL) is the address of an Aperiodic API.",
    )


def _unreachable(error: TransportError) -> AperiodicDataError:
    return AperiodicDataError(
        f"The server could not be reached: {error}",
        code="server_unreachable",
        hint="Check the network connection and base_url (or APERIODIC_API_URL).",
    )


def _api_error(answer: Response) -> APIError:
    body = json_object(answer.body) or {}
    details = body.get("details")
    return APIError(
        status_code=answer.status,
        message=_text(body.get("error")) or _phrase(answer.status),
        details=[text for item in details if (text := _text(item))] if isinstance(details, list) else [],
        code=_text(body.get("code")),
        hint=_text(body.get("hint")),
        request_id=_text(body.get("request_id")) or _text(answer.headers.get("X-Request-ID")),
    )


def _phrase(status: int) -> str:
    try:
        return f"{HTTPStatus(status).phrase}."
    except ValueError:
        return f"The server answered with status {status}."


def json_object(body: bytes) -> dict[str, Any] | None:
    """Read a JSON object; None when it is something else."""
    try:
        value = json.loads(body)
    except (ValueError, RecursionError):
        return None
    return value if isinstance(value, dict) else None


def _text(value: object) -> str | None:
    return value[:_MAX_TEXT] if isinstance(value, str) and value else None
