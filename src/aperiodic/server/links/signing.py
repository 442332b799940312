"""Signed links: whoever holds one may fetch one object until it expires, without a key.

A link of ours is `{base}/files/{path}?expires={unix s}&signature={hex}`. The signature is HMAC-SHA256 over the host,
the path and the expiry, so none of them can be changed; a version in the message lets the scheme change later. The
host is compared with the header `Host`, which a reverse proxy must hand on as the client sent it.

A bucket signs links itself, and they lead straight to it.
"""

from __future__ import annotations

import hmac
import math
import re
import time
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import quote, unquote, urlsplit

from aperiodic.catalog import LinkHost
from aperiodic.server.error_codes import ErrorCode
from aperiodic.server.errors import refuse

if TYPE_CHECKING:
    from litestar import Request

    from aperiodic.server.service import Service

__all__ = [
    "FILES_PREFIX",
    "LINK_LIFETIME_S",
    "RAW_LINK_LIFETIME_S",
    "LinkMaker",
    "base_url",
    "check_link",
    "host_of",
    "make_link",
    "origin_of",
    "sign",
]

FILES_PREFIX: Final = "/files/"
"""What the path of every link begins with."""

LINK_LIFETIME_S: Final = 300
"""How long a link to bars is valid, seconds."""

RAW_LINK_LIFETIME_S: Final = 3600
"""How long a link to raw ticks is valid, seconds: their files are larger."""

_QUERY: Final = re.compile(rb"expires=(?P<expires>[1-9][0-9]{0,11})&signature=(?P<signature>[0-9a-f]{64})")
_HOST: Final = re.compile(r"(?:[A-Za-z0-9._-]{1,253}|\[[0-9A-Fa-f:.]{2,45}\])(?::[0-9]{1,5})?")
_USUAL_PORT: Final = re.compile(r":(80|443)$")


class LinkMaker:
    """Makes the links of one answer.

    Attributes:
        lifetime_s: How long they are valid, seconds.
    """

    def __init__(self, service: Service, request: Request[Any, Any, Any], host: LinkHost) -> None:
        """Find out what the links begin with.

        Raises:
            RequestError: `bad_host` when that depends on a Host header that is missing or no host name.
        """
        settings = service.settings
        self.lifetime_s = RAW_LINK_LIFETIME_S if host is LinkHost.RAW else LINK_LIFETIME_S
        self._store = service.lake.store
        self._key = service.secrets.link_key
        self._host = settings.link_hosts.get(host)
        self._base, self._named = "", ""
        if not self._store.signs:
            self._base = origin_of(request, self._host or settings.public_url)
            self._named = _named(urlsplit(self._base).netloc)

    def link(self, path: str) -> str:
        """Return a link to the object at `path`, valid from now on."""
        if self._store.signs:
            return self._store.sign(path, self.lifetime_s, self._host)
        return _link(self._key, self._base, self._named, path, math.ceil(time.time()) + self.lifetime_s)


def host_of(request: Request[Any, Any, Any]) -> str:
    """Return the header `Host`; one that is given twice is no host name, so that nobody takes the other one."""
    return ", ".join(request.headers.getall("host", []))


def origin_of(request: Request[Any, Any, Any], public_url: str | None) -> str:
    """Return what the address of anything here begins with for who asks; see `base_url`, raises as it does."""
    return base_url(public_url, request.scope["scheme"], host_of(request))


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
        raise refuse(ErrorCode.BAD_HOST)
    return f"{scheme}://{host}"


def make_link(key: bytes, base: str, path: str, now: float, lifetime_s: int = LINK_LIFETIME_S) -> str:
    """Return the link to an object that begins with `base`, valid for `lifetime_s` from `now` (s since the epoch)."""
    return _link(key, base, _named(urlsplit(base).netloc), path, math.ceil(now) + lifetime_s)


def sign(key: bytes, host: str, path: str, expires: int) -> str:
    """Return the signature of a link.

    Args:
        key: Key of the signatures.
        host: Host and port that the link leads to, in any case.
        path: The object that it names.
        expires: Until when it is valid, s since the epoch.
    """
    return _signature(key, _named(host), path, expires)


def _link(key: bytes, base: str, named: str, path: str, expires: int) -> str:
    signature = _signature(key, named, path, expires)
    return f"{base}{FILES_PREFIX}{quote(path, safe='/=:')}?expires={expires}&signature={signature}"


def _named(host: str) -> str:
    # Clients leave out the usual port of the scheme, which is not known here behind a proxy.
    return _USUAL_PORT.sub("", host.lower())


def _signature(key: bytes, named: str, path: str, expires: int) -> str:
    return hmac.digest(key, f"aperiodic-link-v2\n{named}\n{expires}\n{path}".encode(), "sha256").hex()


def check_link(key: bytes, host: str, raw_path: bytes, query_string: bytes, now: float) -> str:
    """Return the path of the object that a link names.

    Args:
        key: Key of the signatures.
        host: Host header of the request.
        raw_path: Path of the request as it was sent, percent-encoded.
        query_string: Query of the request as it was sent.
        now: Seconds since the epoch.

    Raises:
        RequestError: `link_invalid` when anything in it is missing, added or changed, `link_expired` when it is old.
    """
    match = _QUERY.fullmatch(query_string)
    path = unquote(raw_path.decode("latin-1"), errors="replace").removeprefix(FILES_PREFIX)
    if match is None or not hmac.compare_digest(
        sign(key, host, path, int(match["expires"])), match["signature"].decode()
    ):
        raise refuse(ErrorCode.LINK_INVALID, bars_s=LINK_LIFETIME_S, raw_s=RAW_LINK_LIFETIME_S)
    if now >= int(match["expires"]):
        raise refuse(ErrorCode.LINK_EXPIRED, bars_s=LINK_LIFETIME_S, raw_s=RAW_LINK_LIFETIME_S)
    return path
