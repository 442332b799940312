"""Rate limits: token buckets in memory, one a key or an address. Each server process counts for itself."""

from __future__ import annotations

import time
from collections import OrderedDict
from dataclasses import dataclass
from ipaddress import IPv6Address, ip_address
from threading import Lock
from typing import TYPE_CHECKING, Any, Final

from litestar.datastructures import MutableScopeHeaders

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from litestar import Request
    from litestar.types import Message, Scope

__all__ = ["Buckets", "Standing", "client_address", "remember_standing", "source_address", "tell_standing"]

_MAX_ENTRIES: Final = 100_000
_S: Final = 1_000_000_000
_STATE: Final = "rate_limit"


@dataclass(frozen=True, slots=True)
class Standing:
    """How a client stands after a request.

    Attributes:
        admitted: Whether the request is within the limit.
        limit: Requests a period, which is also how many may come at once.
        remaining: Requests that would be admitted right now.
        reset_s: Whole seconds, rounded up, until all of the limit is there again.
        retry_after_s: Whole seconds, at least 1, until a request is admitted again; 0 when this one was.
    """

    admitted: bool
    limit: int
    remaining: int
    reset_s: int
    retry_after_s: int


class Buckets:
    """Token buckets of many clients, in bounded memory.

    A bucket holds one period's worth of tokens and refills evenly. All that is kept of it is the moment when it will
    be full again; a client that is forgotten starts with a full one. The least recently seen is forgotten first.
    """

    def __init__(
        self, period_s: int, max_entries: int = _MAX_ENTRIES, clock: Callable[[], int] = time.monotonic_ns
    ) -> None:
        """Begin with every bucket full.

        Args:
            period_s: Seconds in which an empty bucket fills.
            max_entries: Clients to remember.
            clock: Time in ns that never goes back.
        """
        self._period = period_s * _S
        self._max_entries = max_entries
        self._clock = clock
        self._full_at: OrderedDict[str, int] = OrderedDict()
        self._lock = Lock()

    def __len__(self) -> int:
        return len(self._full_at)

    def take(self, client: str, limit: int) -> Standing:
        """Take a token from a client's bucket, if there is one.

        Args:
            client: Whose bucket.
            limit: Tokens in a full bucket, at least 1.
        """
        token, capacity = self._sizes(limit)
        with self._lock:
            now = self._clock()
            missing = max(self._full_at.get(client, now) - now, 0)
            admitted = missing + token <= capacity
            if admitted:
                missing += token
            self._full_at[client] = now + missing
            self._full_at.move_to_end(client)
            if len(self._full_at) > self._max_entries:
                self._full_at.popitem(last=False)
        return _standing(missing, token, capacity, admitted=admitted)

    def give_back(self, client: str, limit: int) -> Standing:
        """Put a token back that was taken for something that did not come about."""
        token, capacity = self._sizes(limit)
        with self._lock:
            now = self._clock()
            missing = max(self._full_at.get(client, now) - now - token, 0)
            if client in self._full_at:
                self._full_at[client] = now + missing
        return _standing(missing, token, capacity, admitted=True)

    def _sizes(self, limit: int) -> tuple[int, int]:
        """Return how long a token takes to come back, and all of them together, ns."""
        token = max(self._period // limit, 1)
        return token, token * limit


def _standing(missing: int, token: int, capacity: int, *, admitted: bool) -> Standing:
    return Standing(
        admitted=admitted,
        limit=capacity // token,
        # Negative where the limit was lowered since.
        remaining=max((capacity - missing) // token, 0),
        reset_s=_seconds(missing),
        retry_after_s=0 if admitted else max(_seconds(missing + token - capacity), 1),
    )


def source_address(peer: str, forwarded: Sequence[str], trusted_proxies: int) -> str:
    """Return what a client is counted as: its IPv4 address, or the /64 of its IPv6 address.

    Args:
        peer: Who is connected to this server.
        forwarded: Every header `X-Forwarded-For`, in the order they were sent.
        trusted_proxies: How many reverse proxies of the operator's stand before this server, each of which adds the
            address it was called from. What stands before these entries was written by the client and is not read;
            0 reads nothing. When the entry is missing or no address, the peer counts.
    """
    entries = ",".join(forwarded).split(",") if trusted_proxies else []
    if trusted_proxies and len(entries) >= trusted_proxies:
        named = _counted_as(entries[-trusted_proxies].strip())
        if named is not None:
            return named
    # What is no address (a Unix socket) has one bucket for all.
    return _counted_as(peer) or "unknown"


def client_address(request: Request[Any, Any, Any], trusted_proxies: int) -> str:
    """Return what the client of a request is counted as; see `source_address`."""
    peer = request.client.host if request.client else ""
    return source_address(peer, request.headers.getall("x-forwarded-for", []), trusted_proxies)


def remember_standing(scope: Scope, standing: Standing) -> None:
    """Keep a standing for the headers of the answer; the last one of a request counts."""
    scope["state"][_STATE] = standing


async def tell_standing(message: Message, scope: Scope) -> None:
    """Add to an answer how its client stands, in the headers `RateLimit-…`; nothing to one that did not count."""
    standing: Standing | None = scope["state"].get(_STATE)
    if standing is not None and message["type"] == "http.response.start":
        headers = MutableScopeHeaders.from_message(message)
        headers["RateLimit-Limit"] = str(standing.limit)
        headers["RateLimit-Remaining"] = str(standing.remaining)
        headers["RateLimit-Reset"] = str(standing.reset_s)


def _counted_as(text: str) -> str | None:
    try:
        address = ip_address(text)
    except ValueError:
        return None
    if isinstance(address, IPv6Address):
        if address.ipv4_mapped is not None:
            return str(address.ipv4_mapped)
        # One customer has at least a /64, and could count as 2^64 clients otherwise.
        return f"{IPv6Address(int(address) >> 64 << 64)}/64"
    return str(address)


def _seconds(duration_ns: int) -> int:
    return -(-duration_ns // _S)
