"""Bodies that clients keep: their tags, conditional requests, compression."""

from __future__ import annotations

import gzip
import hashlib
import re
from typing import TYPE_CHECKING, Any, Final

import zstandard

if TYPE_CHECKING:
    from litestar import Request

__all__ = ["best_encoding", "compressed", "is_known", "names_tag", "strong_tag"]

_COMPRESS_FROM: Final = 1024
_TAG_DIGITS: Final = 32
_NEVER: Final = re.compile(r"q=0(\.0*)?")


def strong_tag(body: bytes) -> str:
    """Return an entity tag that names these bytes."""
    return f'"{hashlib.sha256(body).hexdigest()[:_TAG_DIGITS]}"'


def is_known(request: Request[Any, Any, Any], tag: str) -> bool:
    """Tell whether the client says that it has the body of a tag (`If-None-Match`), so that 304 is the answer."""
    return names_tag(request.headers.get("if-none-match"), tag)


def names_tag(sent: str | None, tag: str) -> bool:
    """Tell whether a header `If-None-Match` names a tag; None is no header."""
    if sent is None:
        return False
    tags = [item.strip().removeprefix("W/") for item in sent.split(",")]
    return tag.removeprefix("W/") in tags or tags == ["*"]


def best_encoding(accepted: str) -> str:
    """Return the encoding to answer with, by the header `Accept-Encoding`: `zstd`, `gzip` or `identity`."""
    named = {}
    for item in accepted.lower().split(","):
        name, _, weight = item.partition(";")
        named[name.strip()] = weight.replace(" ", "")
    return next((name for name in _ENCODERS if not _NEVER.fullmatch(named.get(name, "q=0"))), "identity")


def compressed(request: Request[Any, Any, Any], body: bytes, headers: dict[str, str]) -> bytes:
    """Return a body in an encoding that the client takes where it is worth it, and say so in the headers.

    Args:
        request: What is answered.
        body: The whole body.
        headers: Of the answer; the caller has put `Vary: Accept-Encoding` into them.
    """
    encoding = best_encoding(request.headers.get("accept-encoding", ""))
    if len(body) < _COMPRESS_FROM or encoding not in _ENCODERS:
        return body
    headers["Content-Encoding"] = encoding
    return _ENCODERS[encoding](body)


def _zstd(body: bytes) -> bytes:
    return zstandard.ZstdCompressor(level=6).compress(body)


def _gzip(body: bytes) -> bytes:
    return gzip.compress(body, 5, mtime=0)


_ENCODERS: Final = {"zstd": _zstd, "gzip": _gzip}
"""Best first."""
