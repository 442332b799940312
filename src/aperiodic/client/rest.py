"""JSON answers of the REST API."""

from __future__ import annotations

import json
import re
from http import HTTPStatus
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import urlsplit

from aperiodic.client.errors import APIError
from aperiodic.client.request import DEFAULT_BASE_URL
from aperiodic.client.retry import RETRYABLE_STATUSES, RetryableError, retrying
from aperiodic.client.transport import BodyTooLargeError, Response, Transport, TransportError
from aperiodic.market import AperiodicDataError

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["api_error", "bad_response", "get_json", "json_object"]

_MAX_BYTES: Final = 32 * 1024 * 1024
_MAX_TEXT: Final = 1000


_ENDPOINT: Final = re.compile(r"/(?:data|metadata)/[^?]*$")
_API_PATH: Final = "/api/v1"
_NO_SUCH_PATH: Final = "unknown_path"


async def get_json(transport: Transport, url: str, *, params: Mapping[str, str], api_key: str | None) -> dict[str, Any]:
    """Fetch a JSON object from the API, with a key if there is one, trying again while the failure may pass.

    Raises:
        APIError: The server answered with an error, or not with a JSON object (`bad_response`).
        AperiodicDataError: `server_unreachable` when no whole answer came.
    """
    base_url = _ENDPOINT.sub("", url)
    headers = {} if api_key is None else {"X-API-KEY": api_key}

    async def attempt() -> Response:
        try:
            answer = await transport.get(url, max_bytes=_MAX_BYTES, params=params, headers=headers)
        except TransportError as error:
            raise RetryableError(_unreachable(error, base_url)) from error
        except BodyTooLargeError as error:
            raise bad_response(str(error), base_url) from error
        if answer.status in RETRYABLE_STATUSES:
            raise RetryableError(api_error(answer, base_url), answer.headers.get("Retry-After"))
        return answer

    answer = await retrying(attempt)
    if answer.status != HTTPStatus.OK:
        raise api_error(answer, base_url)
    body = json_object(answer.body)
    if body is None:
        raise bad_response("The answer is not a JSON object.", base_url)
    return body


def bad_response(message: str, base_url: str = "") -> APIError:
    """Build the error for an answer that does not follow the API."""
    return APIError(HTTPStatus.OK, message, code="bad_response", hint=_address_hint(base_url))


def _unreachable(error: TransportError, base_url: str) -> AperiodicDataError:
    hint = f"Check the network connection and base_url (or APERIODIC_API_URL). {_default_hint(base_url) or ''}"
    return AperiodicDataError(f"The server could not be reached: {error}", code="server_unreachable", hint=hint.strip())


def api_error(answer: Response, base_url: str, address_hint: str | None = None) -> APIError:
    """Build the error for an answer with an error status.

    Args:
        answer: The whole answer.
        base_url: Address of the API.
        address_hint: What to say of an address with nothing at it; by default what is known of addresses of the API.
    """
    body = json_object(answer.body) or {}
    details = body.get("details")
    code, hint = _text(body.get("code")), _text(body.get("hint"))
    message = _text(body.get("error")) or _text(body.get("message")) or _phrase(answer.status)
    if answer.status == HTTPStatus.NOT_FOUND and code in {None, _NO_SUCH_PATH}:
        hint = address_hint or _address_hint(base_url)
    elif answer.status in {HTTPStatus.UNAUTHORIZED, HTTPStatus.FORBIDDEN}:
        hint = " ".join(filter(None, (hint, _default_hint(base_url)))) or None
    location = answer.headers.get("Location")
    if location is not None and HTTPStatus.MULTIPLE_CHOICES <= answer.status < HTTPStatus.BAD_REQUEST:
        message = f"The server redirects to {location.partition('?')[0][:200]}."
        hint = "Redirects are not followed, for they would take the key along. Give the new address as base_url."
    return APIError(
        status_code=answer.status,
        message=message,
        details=[text for item in details if (text := _text(item))] if isinstance(details, list) else [],
        code=code,
        hint=hint,
        request_id=_text(body.get("request_id")) or _text(answer.headers.get("X-Request-ID")),
    )


def _address_hint(base_url: str) -> str:
    """Say what may be wrong with the address of the API."""
    if base_url and _API_PATH not in urlsplit(base_url).path:
        return f"The address of an Aperiodic API ends in {_API_PATH}: try base_url={base_url + _API_PATH!r}."
    default = _default_hint(base_url)
    return default or "Check that base_url (or APERIODIC_API_URL) is the address of an Aperiodic API."


def _default_hint(base_url: str) -> str | None:
    """Say that nobody named a server, when the default one was asked."""
    if base_url != DEFAULT_BASE_URL:
        return None
    return (
        f"The request went to {DEFAULT_BASE_URL}, the default. For a server of your own set APERIODIC_API_URL (or "
        "base_url) to its address, and rotate a key that went to the wrong one."
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
