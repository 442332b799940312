"""Hyperliquid's answers to `POST /info`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import msgspec

from aperiodic.mock.connection import Answer
from aperiodic.mock.rest import Reply, Rest
from aperiodic.mock.venues.hyperliquid import book_data

if TYPE_CHECKING:
    from aperiodic.mock.connection import Query

__all__ = ["HyperliquidRest"]

_CHEAP: Final = frozenset({"l2Book", "allMids", "exchangeStatus"})
_WEIGHTS: Final = {True: 2, False: 20}
_EMPTY: Final = {"perpDexs": b"[null]", "recentTrades": b"[]", "fundingHistory": b"[]"}
_CANNOT_READ: Final = b'"Failed to deserialize the JSON body into the target type"'


class HyperliquidRest(Rest):
    """Answers for Hyperliquid."""

    def weight(self, query: Query) -> int:
        """Return what a request weighs."""
        return _WEIGHTS[_asked(query).get("type") in _CHEAP]

    def limited(self, query: Query, weight: int) -> Answer | None:
        """Refuse those who used too much; nobody is told how long to wait, unless the fault is on."""
        del query
        status, _ = self.server.weights.use(weight)
        if self.server.trouble.state("rate_limited"):
            wait = max(1, round(self.server.trouble.remaining_s("rate_limited") + 0.5))
            return Answer(429, b"null", {"Retry-After": str(wait)})
        return None if status == 200 else Answer(429, b"null")  # noqa: PLR2004

    async def reply(self, query: Query) -> Reply:
        """Answer."""
        asked = _asked(query)
        kind = asked.get("type")
        if query.method != "POST" or not query.target.endswith("/info") or not isinstance(kind, str):
            return Reply(_CANNOT_READ, 400)
        if kind == "l2Book":
            return await self._book(str(asked.get("coin")))
        told = self._told(kind)
        return Reply(_CANNOT_READ, 422) if told is None else Reply(told)

    def _told(self, kind: str) -> bytes | None:
        if kind == "meta":
            return self._meta()
        if kind == "metaAndAssetCtxs":
            return self._contexts()
        if kind == "exchangeStatus":
            return msgspec.json.encode({"time": self.server.now_us() // 1_000, "specialStatuses": None})
        return msgspec.json.encode(self._mids()) if kind == "allMids" else _EMPTY.get(kind)

    def _meta(self) -> bytes:
        return self.server.market.instruments("meta") or b'{"universe":[]}'

    async def _book(self, coin: str) -> Reply:
        told = await self.server.book(coin) if self.server.market.trades_in(coin) else None
        return Reply(b"null", 500) if told is None else Reply(msgspec.json.encode(book_data(coin, told.book)))

    def _contexts(self) -> bytes:
        meta = msgspec.json.decode(self._meta())
        contexts = [self._context(each["name"]) for each in meta["universe"]]
        return msgspec.json.encode([meta, contexts])

    def _context(self, coin: str) -> dict[str, Any]:
        said = self.server.market.payload(f"activeAssetCtx:{coin}")
        context: dict[str, Any] = {} if said is None else msgspec.json.decode(said)["data"]["ctx"]
        return context

    def _mids(self) -> dict[str, str]:
        contexts = {coin: self._context(coin) for coin in self.server.market.natives}
        return {coin: context["midPx"] for coin, context in contexts.items() if context.get("midPx")}


def _asked(query: Query) -> dict[str, Any]:
    try:
        asked = msgspec.json.decode(query.body)
    except (msgspec.DecodeError, UnicodeDecodeError):
        return {}
    return asked if isinstance(asked, dict) else {}
