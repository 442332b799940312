"""OKX' REST answers."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import parse_qs, urlsplit

import msgspec

from aperiodic.mock.connection import Answer
from aperiodic.mock.rest import Reply, Rest
from aperiodic.mock.weights import Rates

if TYPE_CHECKING:
    from collections.abc import Mapping

    from aperiodic.mock.connection import Query
    from aperiodic.mock.venue import VenueServer

__all__ = ["OkxRest"]

_PREFIX: Final = "/api/v5/"
_MOST: Final = {"market/books": 40, "market/books-full": 10, "public/mark-price": 10, "public/time": 10}
_USUAL: Final = 20
_WITHIN_S: Final = 2.0
_LEVELS: Final = {"market/books": 400, "market/books-full": 5_000}
_STATES: Final = {
    "public/mark-price": "mark-price",
    "public/open-interest": "open-interest",
    "public/funding-rate": "funding-rate",
    "market/index-tickers": "index-tickers",
}
_TOO_MANY: Final = b'{"code":"50011","msg":"Too Many Requests","data":[]}'
_UNKNOWN: Final = b'{"code":"51001","msg":"Instrument ID does not exist","data":[]}'


class OkxRest(Rest):
    """Answers for OKX."""

    def __init__(self, server: VenueServer) -> None:
        super().__init__(server)
        self._rates = Rates()

    def weight(self, query: Query) -> int:
        """Return what a request costs of the strictest budget, 40 in 2 s."""
        return self.server.feed.limits.weight // _MOST.get(self._name(query), _USUAL)

    def limited(self, query: Query, weight: int) -> Answer | None:
        """Refuse those who ask one endpoint too often."""
        self.server.weights.use(weight)
        name = self._name(query)
        forced = self.server.trouble.state("rate_limited")
        if forced or self._rates.exceeded(name, _MOST.get(name, _USUAL), _WITHIN_S, time.monotonic()):
            wait = max(1, round(self.server.trouble.remaining_s("rate_limited") + 0.5)) if forced else 0
            return Answer(429, _TOO_MANY, {"Retry-After": str(wait)} if wait else {})
        return None

    async def reply(self, query: Query) -> Reply:
        """Answer."""
        name = self._name(query)
        values = parse_qs(urlsplit(query.target).query)
        native = values.get("instId", [""])[0]
        if name == "public/time":
            return _data([{"ts": str(self.server.now_us() // 1_000)}])
        if name == "public/instruments":
            told = self.server.market.instruments(values.get("instType", [""])[0])
            return _data([]) if told is None else self._instruments(told, native)
        if name in _LEVELS:
            return await self._book(name, native, values)
        if name in _STATES:
            return self._states(_STATES[name], native)
        return Reply(b'{"code":"404","msg":"Not Found","data":[]}', 404)

    @staticmethod
    def _name(query: Query) -> str:
        return urlsplit(query.target).path.removeprefix(_PREFIX)

    @staticmethod
    def _instruments(told: bytes, native: str) -> Reply:
        if not native:
            return Reply(told)
        listed = [each for each in msgspec.json.decode(told)["data"] if each["instId"] == native]
        return _data(listed) if listed else Reply(_UNKNOWN)

    async def _book(self, name: str, native: str, values: Mapping[str, list[str]]) -> Reply:
        if not self.server.market.trades_in(native):
            return Reply(_UNKNOWN)
        told = await self.server.book(native)
        if told is None:
            return Reply(b'{"code":"50001","msg":"Service temporarily unavailable","data":[]}', 503)
        book = told.book
        if told.recorded and not self.server.lowered(native):
            return Reply(told.recorded, number=book.number)
        asked = values.get("sz", ["1"])[0]
        most = min(int(asked) if asked.isdecimal() else 1, _LEVELS[name])
        data: dict[str, Any] = {"asks": book.asks(most), "bids": book.bids(most), "ts": str(book.time)}
        number = None
        if book.number is not None:
            number = data["seqId"] = book.number - self.server.lowered(native)
        return _data([data])._replace(number=number, is_old=told.is_old)

    def _states(self, channel: str, native: str) -> Reply:
        rows = [
            row
            for name, message in self.server.market.latest.items()
            if name.startswith(f"{channel}:") and (not native or name == f"{channel}:{native}")
            for row in msgspec.json.decode(message.payload)["data"]
        ]
        return _data(rows) if rows or not native else Reply(_UNKNOWN)


def _data(rows: list[Any]) -> Reply:
    return Reply(msgspec.json.encode({"code": "0", "msg": "", "data": rows}))
