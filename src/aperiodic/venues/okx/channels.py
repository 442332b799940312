"""What OKX sends of swaps.

| channel | stream | pace |
|---|---|---|
| trades | `trades-all`: each fill; `trades` joins the fills of one order at one price | each trade |
| quotes | `bbo-tbt` | 10 ms, on change |
| book | `books`: 400 levels | 100 ms; when nothing changes, a sign of life each 60 s |
| mark_price | `mark-price` | 200 ms on change, else 10 s |
| index_price | `index-tickers` of the index `BTC-USDT` | 100 ms on change |
| funding_rate | `funding-rate` | 30 to 90 s |
| open_interest | `open-interest` | 3 s |

`{index}` in a template is the name of the instrument's index.
"""

from __future__ import annotations

from typing import Final

from aperiodic.market import Stream
from aperiodic.venues.feed import Channel

__all__ = ["CHANNELS"]

_TRADE: Final = frozenset({"instId", "tradeId", "px", "sz", "side", "ts", "count", "source", "seqId"})
_BOOK: Final = frozenset({"asks", "bids", "ts", "checksum", "seqId", "prevSeqId"})
_QUOTE: Final = frozenset({"asks", "bids", "ts", "seqId"})
_MARK: Final = frozenset({"instType", "instId", "markPx", "ts"})
_INDEX: Final = frozenset({"instId", "idxPx", "high24h", "low24h", "open24h", "sodUtc0", "sodUtc8", "ts"})
_INTEREST: Final = frozenset({"instType", "instId", "oi", "oiCcy", "oiUsd", "ts"})
_FUNDING: Final = frozenset(
    {
        "instType",
        "instId",
        "fundingRate",
        "fundingTime",
        "nextFundingRate",
        "nextFundingTime",
        "premium",
        "interestRate",
        "impactValue",
        "formulaType",
        "method",
        "maxFundingRate",
        "minFundingRate",
        "settFundingRate",
        "settState",
        "ts",
    }
)

CHANNELS: Final[tuple[Channel, ...]] = (
    Channel(
        "trades",
        "trades-all:{native}",
        "business",
        (Stream.TRADES,),
        fields=_TRADE,
        first_s=30.0,
        other_hosts=("public",),
        instead=("trades:{native}",),
    ),
    Channel("quotes", "bbo-tbt:{native}", "public", (Stream.QUOTES,), fields=_QUOTE),
    Channel(
        "book",
        "books:{native}",
        "public",
        (Stream.BOOK,),
        fields=_BOOK,
        first_s=5.0,
        pulse_s=70.0,
        group="book",
        most=28,
    ),
    Channel(
        "mark_price", "mark-price:{native}", "public", (Stream.MARK_PRICE,), fields=_MARK, first_s=15.0, pulse_s=30.0
    ),
    Channel("index_price", "index-tickers:{index}", "public", (Stream.INDEX_PRICE,), fields=_INDEX, first_s=15.0),
    Channel(
        "funding_rate",
        "funding-rate:{native}",
        "public",
        (Stream.FUNDING_RATE,),
        fields=_FUNDING,
        first_s=100.0,
        pulse_s=200.0,
    ),
    Channel(
        "open_interest",
        "open-interest:{native}",
        "public",
        (Stream.OPEN_INTEREST,),
        fields=_INTEREST,
        first_s=15.0,
        pulse_s=30.0,
    ),
)
