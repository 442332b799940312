"""What Binance sends.

| channel | stream | pace |
|---|---|---|
| trades | `@trade`; undocumented on futures, where the class `public` sends it | each trade |
| agg_trades | `@aggTrade` | 100 ms |
| quotes | `@bookTicker` | each change |
| book | `@depth@0ms` (undocumented), `@depth@100ms`; spot: `@depth@100ms` | each change, 100 ms |
| mark_price | `@markPrice@1s` | 1 s |
| contracts | `!contractInfo` | on listings and delistings |
| open_interest | REST | 10 s or 60 s |

A stream that is asked of the wrong class of host, or whose name does not exist, is acknowledged and stays silent.
"""

from __future__ import annotations

from typing import Final

from aperiodic.market import Stream
from aperiodic.venues.feed import Channel

__all__ = ["FUTURES_CHANNELS", "SPOT_CHANNELS"]

_DERIVATIVES: Final = (Stream.MARK_PRICE, Stream.INDEX_PRICE, Stream.FUNDING_RATE)

_TRADE: Final = frozenset({"e", "E", "T", "s", "t", "p", "q", "X", "m", "st"})
_SPOT_TRADE: Final = frozenset({"e", "E", "s", "t", "p", "q", "T", "m", "M"})
_AGGREGATE: Final = frozenset({"e", "E", "s", "a", "p", "q", "nq", "f", "l", "T", "m", "st"})
_SPOT_AGGREGATE: Final = frozenset({"e", "E", "s", "a", "p", "q", "f", "l", "T", "m", "M"})
_QUOTE: Final = frozenset({"e", "u", "E", "T", "s", "ps", "b", "B", "a", "A", "st"})
_SPOT_QUOTE: Final = frozenset({"u", "s", "b", "B", "a", "A"})
_DEPTH: Final = frozenset({"e", "E", "T", "s", "ps", "U", "u", "pu", "b", "a", "st"})
_SPOT_DEPTH: Final = frozenset({"e", "E", "s", "U", "u", "b", "a"})
_MARK: Final = frozenset({"e", "E", "s", "p", "ap", "P", "i", "r", "T", "st"})

FUTURES_CHANNELS: Final[tuple[Channel, ...]] = (
    Channel(
        "trades",
        "{native}@trade",
        "public",
        (Stream.TRADES,),
        fields=_TRADE,
        first_s=30.0,
        other_hosts=("market",),
        instead=("{native}@aggTrade",),
    ),
    Channel(
        "agg_trades",
        "{native}@aggTrade",
        "market",
        (Stream.TRADES,),
        fields=_AGGREGATE,
        first_s=30.0,
        default=False,
        other_hosts=("public",),
    ),
    Channel("quotes", "{native}@bookTicker", "public", (Stream.QUOTES,), fields=_QUOTE, other_hosts=("market",)),
    Channel(
        "book",
        "{native}@depth@0ms",
        "public",
        (Stream.BOOK,),
        fields=_DEPTH,
        first_s=10.0,
        other_hosts=("market",),
        instead=("{native}@depth@100ms", "{native}@depth"),
    ),
    Channel(
        "mark_price",
        "{native}@markPrice@1s",
        "market",
        _DERIVATIVES,
        fields=_MARK,
        first_s=5.0,
        pulse_s=5.0,
        other_hosts=("public",),
        instead=("{native}@markPrice",),
    ),
    Channel("contracts", "!contractInfo", "market", first_s=None, per_instrument=False, default=False),
    Channel("open_interest", "", "rest", (Stream.OPEN_INTEREST,), first_s=None),
)

SPOT_CHANNELS: Final[tuple[Channel, ...]] = (
    Channel(
        "trades",
        "{native}@trade",
        "ws",
        (Stream.TRADES,),
        fields=_SPOT_TRADE,
        first_s=30.0,
        instead=("{native}@aggTrade",),
    ),
    Channel(
        "agg_trades", "{native}@aggTrade", "ws", (Stream.TRADES,), fields=_SPOT_AGGREGATE, first_s=30.0, default=False
    ),
    Channel("quotes", "{native}@bookTicker", "ws", (Stream.QUOTES,), fields=_SPOT_QUOTE),
    Channel(
        "book",
        "{native}@depth@100ms",
        "ws",
        (Stream.BOOK,),
        fields=_SPOT_DEPTH,
        first_s=10.0,
        instead=("{native}@depth",),
    ),
)
