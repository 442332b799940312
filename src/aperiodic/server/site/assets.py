"""The site's files: styles, scripts, and the libraries and the face that `make site` bundles from npm.

All are served below one folder that is named after their content, so browsers may keep them for ever, and a module
finds its neighbours by relative paths.
"""

import gzip
import hashlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from importlib import resources
from importlib.resources.abc import Traversable
from typing import Any, Final

from litestar import Request, Response, get

from aperiodic.server.error_codes import ErrorCode
from aperiodic.server.errors import refuse

__all__ = ["ASSETS_PREFIX", "Asset", "asset_url", "assets", "assets_version", "get_asset"]

ASSETS_PREFIX: Final = "/assets/"
"""What the path of every asset begins with."""

_MEDIA_TYPES: Final = {
    ".css": "text/css",
    ".ico": "image/x-icon",
    ".js": "text/javascript",
    ".png": "image/png",
    ".svg": "image/svg+xml",
    ".txt": "text/plain",
    ".webmanifest": "application/manifest+json",
    ".woff2": "font/woff2",
}
_VERSION_DIGITS: Final = 12
_FOR_EVER: Final = "public, max-age=31536000, immutable"


@dataclass(frozen=True, slots=True)
class Asset:
    """One file of the site.

    Attributes:
        media_type: As sent in `Content-Type`.
        body: The bytes.
        compressed: The bytes as gzip; None where that saves nothing.
    """

    media_type: str
    body: bytes
    compressed: bytes | None


@cache
def assets() -> Mapping[str, Asset]:
    """Return every file by its path below `static`, read once."""
    found = {}
    for name, file in _files(resources.files("aperiodic.server.site") / "static"):
        suffix = name[name.rfind(".") :]
        if suffix in _MEDIA_TYPES:
            body = file.read_bytes()
            smaller = gzip.compress(body, 9, mtime=0)
            found[name] = Asset(_MEDIA_TYPES[suffix], body, smaller if len(smaller) < len(body) else None)
    return found


@cache
def assets_version() -> str:
    """Return the folder that the assets are served below: a digest of all of them."""
    digest = hashlib.sha256()
    for name, asset in sorted(assets().items()):
        digest.update(f"{name}\n{len(asset.body)}\n".encode())
        digest.update(asset.body)
    return digest.hexdigest()[:_VERSION_DIGITS]


def asset_url(name: str) -> str:
    """Return the path of a file on the server.

    Raises:
        KeyError: There is no such file; the libraries need `make site`.
    """
    if name not in assets():
        raise KeyError(name)
    return f"{ASSETS_PREFIX}{assets_version()}/{name}"


def _files(folder: Traversable, prefix: str = "") -> Iterator[tuple[str, Traversable]]:
    for entry in sorted(folder.iterdir(), key=lambda entry: entry.name):
        if entry.is_dir():
            yield from _files(entry, f"{prefix}{entry.name}/")
        else:
            yield f"{prefix}{entry.name}", entry


@get(f"{ASSETS_PREFIX}{{path:path}}", sync_to_thread=False)
def get_asset(request: Request[Any, Any, Any]) -> Response[bytes]:
    """Answer with one file; its name changes with its content, so that browsers keep it."""
    version, _, name = request.scope["path"].removeprefix(ASSETS_PREFIX).partition("/")
    asset = assets().get(name) if version == assets_version() else None
    if asset is None:
        raise refuse(ErrorCode.UNKNOWN_PATH, instead="Load the page once more.")
    headers = {"Cache-Control": _FOR_EVER, "Vary": "Accept-Encoding"}
    body = asset.body
    if asset.compressed is not None and "gzip" in request.headers.get("accept-encoding", ""):
        body = asset.compressed
        headers["Content-Encoding"] = "gzip"
    return Response(body, headers=headers, media_type=asset.media_type)
