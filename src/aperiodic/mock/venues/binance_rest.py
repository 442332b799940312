"""Binance's REST answers and what they weigh."""

from __future__ import annotations

from bisect import bisect_left
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import parse_qs, urlsplit

import msgspec

from aperiodic.market import Exchange
from aperiodic.mock.connection import Answer
from aperiodic.mock.rest import Reply, Rest

if TYPE_CHECKING:
    from aperiodic.mock.connection import Query
    from aperiodic.mock.venue import VenueServer

__all__ = ["BinanceRest"]

_LIMITS: Final = {
    False: ((5, 10, 20, 50, 100, 500, 1000), (2, 2, 2, 2, 5, 10, 20)),
    True: ((100, 500, 1000, 5000), (5, 25, 50, 250)),
}
_UNLIMITED: Final = {False: (500, 1), True: (100, 5)}
_WEIGHTS: Final = {
    "openInterest": 1,
    "time": 1,
    "ping": 1,
    "trades": 5,
    "aggTrades": 20,
    "fundingRate": 0,
    "fundingInfo": 0,
}
_EMPTY: Final = {"ping": b"{}", **dict.fromkeys(("trades", "aggTrades", "fundingRate", "fundingInfo"), b"[]")}
_UNKNOWN_SYMBOL: Final = b'{"code":-1121,"msg":"Invalid symbol."}'
_BUSY: Final = b'{"code":-1000,"msg":"An unknown error occurred while processing the request."}'
_FUTURES_PATH, _SPOT_PATH = "/fapi/v1/", "/api/v3/"


class BinanceRest(Rest):
    """Answers for one of Binance's markets."""

    def __init__(self, server: VenueServer) -> None:
        super().__init__(server)
        self._spot = server.exchange is Exchange.BINANCE
        self._prefix = _SPOT_PATH if self._spot else _FUTURES_PATH

    def weight(self, query: Query) -> int:
        """Return what a request weighs."""
        name, symbol, limit = self._asked(query)
        if name == "depth":
            sizes, weights = _LIMITS[self._spot]
            at = bisect_left(sizes, limit or 0)
            return _UNLIMITED[self._spot][1] if limit is None else weights[min(at, len(weights) - 1)]
        if name == "exchangeInfo":
            return 20 if self._spot else 1
        if name == "premiumIndex":
            return 1 if symbol else 10
        return _WEIGHTS.get(name, 1)

    def headers(self) -> dict[str, str]:
        """Tell the weight that was used."""
        return {"X-MBX-USED-WEIGHT-1M": str(self.server.weights.used)}

    def limited(self, query: Query, weight: int) -> Answer | None:
        """Refuse those who used too much, and ban those who go on."""
        del query
        status, wait = self.server.weights.use(weight)
        for kind, forced in (("rate_limited", 429), ("banned", 418)):
            if self.server.trouble.state(kind):
                status, wait = forced, max(1, round(self.server.trouble.remaining_s(kind) + 0.5))
        if status == 200:  # noqa: PLR2004
            return None
        words = "Too many requests; current limit is used up." if status == 429 else "Way too many requests; banned."  # noqa: PLR2004
        body = msgspec.json.encode({"code": -1003, "msg": words})
        return Answer(status, body, {**self.headers(), "Retry-After": str(wait)})

    async def reply(self, query: Query) -> Reply:
        """Answer."""
        name, symbol, limit = self._asked(query)
        now = self.server.now_us() // 1_000
        if name == "depth":
            return await self._depth(symbol, limit)
        if self._spot or name not in {"openInterest", "premiumIndex"}:
            return self._plain(name, now)
        if name == "premiumIndex":
            return self._premium(symbol, now)
        said = self.server.market.payload(f"openInterest:{symbol}")
        return Reply(_UNKNOWN_SYMBOL, 400) if said is None else Reply(said)

    def _plain(self, name: str, now: int) -> Reply:
        if name == "time":
            return Reply(msgspec.json.encode({"serverTime": now}))
        if name == "exchangeInfo":
            return Reply(self.server.market.instruments("exchangeInfo") or b'{"symbols":[]}')
        if name in _EMPTY:
            return Reply(_EMPTY[name])
        return Reply(b'{"code":-5000,"msg":"Path is invalid"}', 404)

    def _asked(self, query: Query) -> tuple[str, str, int | None]:
        address = urlsplit(query.target)
        values = parse_qs(address.query)
        name = address.path.removeprefix(self._prefix) if address.path.startswith(self._prefix) else ""
        limit = values.get("limit", [""])[0]
        return name, values.get("symbol", [""])[0].upper(), int(limit) if limit.isdecimal() else None

    async def _depth(self, symbol: str, limit: int | None) -> Reply:
        if not symbol or not self.server.market.trades_in(symbol):
            return Reply(_UNKNOWN_SYMBOL, 400)
        told_book = await self.server.book(symbol)
        if told_book is None:
            return Reply(_BUSY, 503)
        book = told_book.book
        if told_book.recorded and not self.server.lowered(symbol):
            return Reply(told_book.recorded, number=book.number)
        most = limit or _UNLIMITED[self._spot][0]
        number = (book.number or 0) - self.server.lowered(symbol)
        told: dict[str, Any] = {"lastUpdateId": number}
        if not self._spot:
            told |= {"E": book.time, "T": book.time}
        told |= {"bids": [row[:2] for row in book.bids(most)], "asks": [row[:2] for row in book.asks(most)]}
        return Reply(msgspec.json.encode(told), number=number, is_old=told_book.is_old)

    def _premium(self, symbol: str, now: int) -> Reply:
        names = [symbol] if symbol else self.server.market.natives
        rows = [row for name in names if (row := self._premium_of(name, now)) is not None]
        if symbol and not rows:
            return Reply(_UNKNOWN_SYMBOL, 400)
        return Reply(msgspec.json.encode(rows[0] if symbol else rows))

    def _premium_of(self, name: str, now: int) -> dict[str, Any] | None:
        said = self.server.market.payload(f"{name.lower()}@markPrice@1s")
        if said is None:
            return None
        data = msgspec.json.decode(said)["data"]
        rate = {"lastFundingRate": data["r"], "nextFundingTime": data["T"], "interestRate": "0.00010000", "time": now}
        return {
            "symbol": name,
            "markPrice": data["p"],
            "indexPrice": data["i"],
            "estimatedSettlePrice": data["P"],
            **rate,
        }
