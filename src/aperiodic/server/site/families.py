"""Pages of the families of datasets: what they answer, what they are made of, and what to beware of."""

from dataclasses import dataclass
from typing import Any, Final

from litestar import Request, Response, get
from litestar.di import NamedDependency
from litestar.params import FromPath
from litestar.status_codes import HTTP_404_NOT_FOUND

from aperiodic.catalog import DATASETS, Category, Dataset
from aperiodic.market import Stream
from aperiodic.market.errors import unknown_value
from aperiodic.server.errors import RequestError
from aperiodic.server.service import Service
from aperiodic.server.site.highlights import highlights
from aperiodic.server.site.preview_bars import PreviewBars
from aperiodic.server.site.rendering import render_page
from aperiodic.server.site.samples import samples, usual_parameters

__all__ = ["FAMILIES", "FamilyPage", "get_family"]


@dataclass(frozen=True, slots=True)
class FamilyPage:
    """The words of a family's page.

    Attributes:
        title: Its name.
        question: What it answers, in one or two sentences.
        categories: Groups of the catalog that it holds.
        example: Dataset that is asked for in the example.
        questions: What people ask of it, each with the field that answers: dataset and name.
        caveats: What to beware of, in Markdown.
    """

    title: str
    question: str
    categories: tuple[Category, ...]
    example: str
    questions: tuple[tuple[str, str, str], ...]
    caveats: tuple[str, ...]

    @property
    def datasets(self) -> list[Dataset]:
        """Its datasets, in the order of the catalog."""
        return [declared for declared in DATASETS.values() if declared.category in self.categories]

    @property
    def streams(self) -> list[Stream]:
        """The tick streams that all of it needs."""
        used = {stream for d in self.datasets for stream in (d.driving, *d.family.joined)}
        return [stream for stream in Stream if stream in used]


FAMILIES: Final = {
    "order-flow": FamilyPage(
        "Order flow",
        "Who took liquidity, how much and in what sizes, how far that moved the price, and what it cost. Made from every "
        "trade and the side of its taker.",
        (Category.TRADES,),
        "flow",
        (
            ("Are takers buying or selling?", "flow", "volume_delta_notional"),
            ("Was this bar unusual, in flow and volatility at once?", "flow", "flow_toxicity_score"),
            ("How far does a unit of buying move the price?", "impact", "kyle_like_lambda"),
            ("Is one order being worked in pieces?", "run_structure", "flip_rate"),
            ("Did the move come in a jump?", "returns", "jump_ratio"),
            ("What did takers pay beyond the best quote?", "slippage", "slippage_bps_vwap"),
        ),
        (
            (
                "The side is the taker's, as the venue reports it. Binance sends aggregated trades: fills of one order at one "
                "price count as one trade, so counts and sizes compare within a venue, not across."
            ),
            (
                "The `…_order_percentage` fields of `flow` and `trade_size` divide quote units by base units. They grow with "
                "the price; compare them with themselves over time, never across symbols."
            ),
            (
                "Size buckets end at 100 and 1,000 quote units for every instrument. What is large in a small coin is "
                "ordinary in BTC."
            ),
            (
                "Bars stand alone: returns, ticks, runs and flips use pairs of trades within the bar. Short bars hold few "
                "trades, and statistics of few trades are null or noise."
            ),
            "`flow_toxicity_score` starts anew each calendar month and needs a warm-up; its second bar is always ±0.5.",
            (
                "For costs use `slippage` on the `exchange` clock. On the `true` clock a quote often arrives before the trade "
                "that caused it, and slippage reads too low. Binance spot quotes carry no time of the exchange, so there it "
                "exists on the `true` clock only."
            ),
        ),
    ),
    "l1-l2": FamilyPage(
        "L1 and L2",
        "What stands in the book: best prices and amounts, spread, depth, and which side is heavier. L1 is made from every "
        "best quote, L2 from the best 25 levels of each side.",
        (Category.L1, Category.L2),
        "l2_imbalance",
        (
            ("What is the price without the bounce?", "l1_price", "midprice"),
            ("What does a small round trip cost?", "l1_liquidity", "spread_bps_avg"),
            ("How much can be traded at the best prices?", "l1_liquidity", "total_dollar_depth_avg"),
            ("Which side is heavier at the best prices?", "l1_imbalance", "imbalance_ratio"),
            ("And deeper in the book?", "l2_imbalance", "imbalance_ratio_5"),
            ("Is standing demand thinning out?", "l2_liquidity", "bid_agg_25_avg"),
        ),
        (
            (
                "Plain fields are the state at the last quote or snapshot of the bar. Averages (`_avg`) count every quote once, "
                "however long it stood; only the `_twap` fields of `l1_price` weigh by time."
            ),
            (
                "A quote counts when both its sides have a price and an amount. A crossed quote gives a negative spread and "
                "is kept."
            ),
            "A bar in which the book did not change has no row. Silence may be calm or a gap: the coverage tells which.",
            (
                "Depth is what is displayed. Orders can be cancelled, hidden ones are not seen, and levels far from the best "
                "price are cheap to place and to cancel."
            ),
            "Hyperliquid sends 20 levels, so there the top 25 are the same as the top 20.",
            (
                "Where a recording has no channel of best quotes, they are taken from changes of the book. Binance spot quotes "
                "carry no time of the exchange: the time of arrival stands in, and the data says `modelled`."
            ),
        ),
    ),
    "derivatives": FamilyPage(
        "Derivatives",
        "What holding a perpetual costs, how far it trades from its index, and whether positions are being opened or "
        "closed. Made from mark price, index price, funding rate and open interest.",
        (Category.DERIVATIVES,),
        "basis",
        (
            ("How far is the perpetual from spot?", "basis", "basis_bps"),
            ("Has trading left the mark price?", "basis", "mark_price_spread_bps"),
            ("What do longs pay shorts?", "funding", "funding_rate"),
            ("Are positions opened or closed?", "open_interest", "open_interest_pct_change"),
            ("Does the mark follow the index?", "derivative_price", "mark_index_pct_change_ratio"),
        ),
        (
            (
                "Every update of the mark price is joined to the latest index price and the last trade at or before it, "
                "however old that is. Means count every update once."
            ),
            (
                "`funding_rate` is the rate last announced, as a fraction. Venues charge it over periods of different length: "
                "bring rates to one period before comparing."
            ),
            (
                "An open interest of zero is treated as missing. How often a venue sends it decides how many updates a bar has: "
                "short bars often have one, and changes within them are 0."
            ),
            "Ratios of percentage changes explode when the change below the line is tiny. Look at both parts.",
            "Hyperliquid sends no time of the exchange with these: the time of arrival stands in, and the data says `modelled`.",
            "A mark price is what margins are computed from, not a price to trade at.",
        ),
    ),
    "market-data": FamilyPage(
        "Market data",
        "Candles, volume and average prices from every trade: the frame to which all the others are joined.",
        (Category.MARKET_DATA,),
        "ohlcv",
        (
            ("Where did the price go?", "ohlcv", "close"),
            ("How much money changed hands?", "ohlcv", "volume_notional"),
            ("What did a unit cost on average?", "vtwap", "vwap"),
            ("And a trade, whatever its size?", "vtwap", "twap"),
        ),
        (
            "A row exists only where something traded. No candle is made up by carrying the last close forward.",
            "`time` is the start of the bar; the candle is known at its end.",
            "A bar opens with its own first trade, so `open` need not be the previous `close`.",
            "`twap` is a mean over trades, not over seconds: bursts of small trades weigh heavily.",
            "`volume` is in base units on every venue; contracts of OKX are converted. Notional is price times that amount.",
            (
                "Trades that Binance marks as made outside the market, such as those of its insurance fund, are left out, so "
                "candles may differ a little from the venue's own."
            ),
        ),
    ),
}
"""The families by the end of their address."""


@get("/families/{name:str}", sync_to_thread=True)
def get_family(
    request: Request[Any, Any, Any],
    name: FromPath[str],
    service: NamedDependency[Service],
    preview_bars: NamedDependency[PreviewBars],
) -> Response[bytes]:
    """Answer with the page of a family."""
    if name not in FAMILIES:
        raise RequestError([unknown_value("family", name, FAMILIES)], status=HTTP_404_NOT_FOUND)
    family = FAMILIES[name]
    parameters = usual_parameters(DATASETS[family.example], service.settings)
    key = service.settings.demo_key if parameters.preview else "YOUR-KEY"
    return render_page(
        request,
        service,
        "family.html",
        title=family.title,
        description=family.question,
        family=family,
        members=[(declared, highlights(declared, preview_bars)) for declared in family.datasets],
        fields={(declared.id, field.name): field for declared in family.datasets for field in declared.fields},
        samples=lambda api: samples(parameters, api, key),
        parameters=parameters,
        shown=preview_bars.shown,
        source=preview_bars.source(),
        others=[(path, other.title) for path, other in FAMILIES.items() if path != name],
    )
