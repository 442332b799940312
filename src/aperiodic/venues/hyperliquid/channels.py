"""What Hyperliquid sends of perpetuals.

| channel | stream | pace since June 2026 |
|---|---|---|
| trades | `trades` | each block with trades |
| quotes | `bbo` | each block with a change |
| book | `l2Book` with `fast`: 5 levels | 0.5 s |
| deep_book | `l2Book`: 20 levels | 5.4 s |
| asset_context | `activeAssetCtx` | 1 s |

The two forms of the book differ in nothing but `fast`, so they must not share a connection.
"""

from __future__ import annotations

from typing import Final

from aperiodic.market import Stream
from aperiodic.venues.feed import Channel

__all__ = ["CHANNELS", "FAST_BOOK"]

FAST_BOOK: Final = "l2Book.fast"
"""How the fast form of `l2Book` is named here."""

_TRADE: Final = frozenset({"coin", "side", "px", "sz", "time", "hash", "tid", "users"})
_BOOK: Final = frozenset({"coin", "time", "levels", "fast"})
_QUOTE: Final = frozenset({"coin", "time", "bbo"})
_CONTEXT: Final = frozenset(
    {
        "coin",
        "ctx",
        "ctx.funding",
        "ctx.openInterest",
        "ctx.prevDayPx",
        "ctx.dayNtlVlm",
        "ctx.premium",
        "ctx.oraclePx",
        "ctx.markPx",
        "ctx.midPx",
        "ctx.impactPxs",
        "ctx.dayBaseVlm",
    }
)

CHANNELS: Final[tuple[Channel, ...]] = (
    Channel("trades", "trades:{native}", "ws", (Stream.TRADES,), fields=_TRADE, first_s=60.0),
    Channel("quotes", "bbo:{native}", "ws", (Stream.QUOTES,), fields=_QUOTE, first_s=30.0),
    Channel("book", FAST_BOOK + ":{native}", "ws", (Stream.BOOK,), fields=_BOOK, first_s=3.0, pulse_s=10.0),
    Channel(
        "deep_book", "l2Book:{native}", "ws", (Stream.BOOK,), fields=_BOOK, first_s=15.0, pulse_s=30.0, group="deep"
    ),
    Channel(
        "asset_context",
        "activeAssetCtx:{native}",
        "ws",
        (Stream.MARK_PRICE, Stream.INDEX_PRICE, Stream.FUNDING_RATE, Stream.OPEN_INTEREST),
        pulse_s=15.0,
        fields=_CONTEXT,
    ),
)
