"""Signed links: whoever holds one may fetch one object until it expires, without a key.

A link is `{base}/files/{path}?expires={unix s}&signature={hex}`. The signature is HMAC-SHA256 over the path and the
expiry, so neither can be changed; a version in the message lets the scheme change later.
"""

from __future__ import annotations

import hashlib
import hmac
import math
import re
from typing import TYPE_CHECKING, Final
from urllib.parse import quote, unquote

from litestar.status_codes import HTTP_400_BAD_REQUEST, HTTP_403_FORBIDDEN

from aperiodic.server.errors import refuse

if TYPE_CHECKING:
    from aperiodic.server.errors import RequestError

__all__ = ["FILES_PREFIX", "LINK_LIFETIME_S", "base_url", "check_link", "make_link", "sign"]

FILES_PREFIX: Final = "/files/"
"""What the path of every link begins with."""

LINK_LIFETIME_S: Final = 300
"""How long a link is valid, seconds."""

_QUERY: Final = re.compile(rb"expires=(?P<expires>[1-9][0-9]{0,11})&signature=(?P<signature>[0-9a-f]{64})")
_HOST: Final = re.compile(r"(?:[A-Za-z0-9._-]{1,253}|\[[0-9A-Fa-f:.]{2,45}\])(?::[0-9]{1,5})?")


def base_url(public_url: str | None, scheme: str, host: str) -> str:
    """Return what links begin with: the configured address, else the one that the client used.

    Args:
        public_url: Configured address, or None.
        scheme: Scheme of the request.
        host: Host header of the request.

    Raises:
        RequestError: `bad_host` when the Host header is missing or no host name.
    """
    if public_url is not None:
        return public_url.rstrip("/")
    if _HOST.fullmatch(host) is None:
        raise refuse(
            HTTP_400_BAD_REQUEST,
            "bad_host",
            "The Host header is not a host name.",
            "Send the name and port of the server, for example Host: localhost:8000.",
        )
    return f"{scheme}://{host}"


def make_link(key: bytes, base: str, path: str, now: float) -> str:
    """Return the link to an object, valid for `LINK_LIFETIME_S` from `now` (s since the epoch)."""
    expires = math.ceil(now) + LINK_LIFETIME_S
    signature = sign(key, path, expires)
    return f"{base}{FILES_PREFIX}{quote(path, safe='/=:')}?expires={expires}&signature={signature}"


def sign(key: bytes, path: str, expires: int) -> str:
    """Return the signature of a link to `path` that expires at `expires`, s since the epoch."""
    return hmac.new(key, f"aperiodic-link-v1\n{expires}\n{path}".encode(), hashlib.sha256).hexdigest()


def check_link(key: bytes, raw_path: bytes, query_string: bytes, now: float) -> str:
    """Return the path of the object that a link names.

    Args:
        key: Key of the signatures.
        raw_path: Path of the request as it was sent, percent-encoded.
        query_string: Query of the request as it was sent.
        now: Seconds since the epoch.

    Raises:
        RequestError: `link_invalid` when anything in it is missing, added or changed, `link_expired` when it is old.
    """
    match = _QUERY.fullmatch(query_string)
    path = unquote(raw_path.decode("latin-1"), errors="replace").removeprefix(FILES_PREFIX)
    if match is None or not hmac.compare_digest(sign(key, path, int(match["expires"])), match["signature"].decode()):
        raise _refuse_link("link_invalid", "This link is not valid: part of it is missing or was changed.")
    if now >= int(match["expires"]):
        raise _refuse_link("link_expired", "This link has expired.")
    return path


def _refuse_link(code: str, message: str) -> RequestError:
    return refuse(
        HTTP_403_FORBIDDEN,
        code,
        message,
        f"Ask the data endpoint for a new link; links are valid for {LINK_LIFETIME_S} seconds.",
    )
