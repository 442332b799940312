"""Made-up live rows."""

from __future__ import annotations

import msgspec

from aperiodic.engine.live import LiveRow
from aperiodic.market.time import now_us

MINUTE = 60_000_000
T = 1_795_000_020_000_000
BTC, ETH = "perpetual-BTC-USDT:USDT", "perpetual-ETH-USDT:USDT"


def row(
    number: int, symbol: str = BTC, dataset: str = "ohlcv", revision: int = 0, first: int = T, **more: str
) -> LiveRow:
    """Return a row of the minute `number` after `first`, made now."""
    begin = first + number * MINUTE
    data = {"symbol": symbol, "interval": "1m", "time": begin, "close": 100.5 + number, "vwap": None, **more}
    told = msgspec.json.encode(data | {"complete": True, "revision": revision})
    series = (dataset, "binance-futures", "1m", "exchange")
    return LiveRow(*series, symbol, begin, begin + MINUTE, now_us(), revision, complete=True, data=told)
