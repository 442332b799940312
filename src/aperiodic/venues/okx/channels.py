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

CHANNELS: Final[tuple[Channel, ...]] = (
    Channel(
        "trades",
        "trades-all:{native}",
        "business",
        (Stream.TRADES,),
        first_s=30.0,
        other_hosts=("public",),
        instead=("trades:{native}",),
    ),
    Channel("quotes", "bbo-tbt:{native}", "public", (Stream.QUOTES,)),
    Channel("book", "books:{native}", "public", (Stream.BOOK,), first_s=5.0, pulse_s=70.0, group="book", most=28),
    Channel("mark_price", "mark-price:{native}", "public", (Stream.MARK_PRICE,), first_s=15.0, pulse_s=30.0),
    Channel("index_price", "index-tickers:{index}", "public", (Stream.INDEX_PRICE,), first_s=15.0),
    Channel("funding_rate", "funding-rate:{native}", "public", (Stream.FUNDING_RATE,), first_s=100.0, pulse_s=200.0),
    Channel("open_interest", "open-interest:{native}", "public", (Stream.OPEN_INTEREST,), first_s=15.0, pulse_s=30.0),
)
