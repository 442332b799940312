"""Bodies that clients keep: their tags, conditional requests, compression."""

from __future__ import annotations

import gzip
import hashlib
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from litestar import Request

__all__ = ["compressed", "is_known", "strong_tag"]

_COMPRESS_FROM: Final = 1024
_TAG_DIGITS: Final = 32


def strong_tag(body: bytes) -> str:
    """Return an entity tag that names these bytes."""
    return f'"{hashlib.sha256(body).hexdigest()[:_TAG_DIGITS]}"'


def is_known(request: Request[Any, Any, Any], tag: str) -> bool:
    """Tell whether the client says that it has the body of a tag (`If-None-Match`), so that 304 is the answer."""
    sent = request.headers.get("if-none-match")
    if sent is None:
        return False
    tags = [item.strip().removeprefix("W/") for item in sent.split(",")]
    return tag.removeprefix("W/") in tags or tags == ["*"]


def compressed(request: Request[Any, Any, Any], body: bytes, headers: dict[str, str], level: int = 6) -> bytes:
    """Return a body as gzip where the client takes that and it is worth it, and say so in the headers.

    Args:
        request: What is answered.
        body: The whole body.
        headers: Of the answer; the caller has put `Vary: Accept-Encoding` into them.
        level: How hard to try, 1 to 9.
    """
    if len(body) < _COMPRESS_FROM or "gzip" not in request.headers.get("accept-encoding", ""):
        return body
    headers["Content-Encoding"] = "gzip"
    return gzip.compress(body, level, mtime=0)
