"""The functions of the SDK.

The metric functions have no `def` of their own: `functions.py` makes each with its `_async` twin, and the
annotations here tell a type checker which metrics each accepts.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from aperiodic.catalog import dataset
from aperiodic.client.fetch import fetch_symbols
from aperiodic.client.functions import metric_functions, series_functions
from aperiodic.client.request import REQUIRED, Account, parse_text
from aperiodic.client.sync import run_blocking
from aperiodic.market import Exchange as Venue
from aperiodic.market import Stream

if TYPE_CHECKING:
    from aperiodic.client.signatures import MetricAsync, MetricBlocking
    from aperiodic.client.types import DerivativeMetric, Exchange, L1Metric, L2Metric, TradeMetric

__all__ = [
    "get_derivative_metrics",
    "get_derivative_metrics_async",
    "get_l1_metrics",
    "get_l1_metrics_async",
    "get_l2_metrics",
    "get_l2_metrics_async",
    "get_metrics",
    "get_metrics_async",
    "get_ohlcv",
    "get_ohlcv_async",
    "get_symbols",
    "get_symbols_async",
    "get_trade_metrics",
    "get_trade_metrics_async",
    "get_twap",
    "get_twap_async",
    "get_vwap",
    "get_vwap_async",
]

get_ohlcv, get_ohlcv_async = series_functions(
    "get_ohlcv", dataset("ohlcv"), "Fetch candlesticks: open, high, low, close and volume."
)

get_vwap, get_vwap_async = series_functions(
    "get_vwap", dataset("vtwap"), "Fetch volume-weighted average prices; the frame holds the plain average as well."
)

get_twap, get_twap_async = series_functions(
    "get_twap", dataset("vtwap"), "Fetch average trade prices; the frame holds the volume-weighted average as well."
)

get_metrics: MetricBlocking[TradeMetric | L1Metric | L2Metric]
get_metrics_async: MetricAsync[TradeMetric | L1Metric | L2Metric]
get_metrics, get_metrics_async = metric_functions(
    "get_metrics",
    frozenset({Stream.TRADES, Stream.QUOTES, Stream.BOOK}),
    "Fetch a dataset made from trades, best quotes or the order book.",
)

get_trade_metrics: MetricBlocking[TradeMetric]
get_trade_metrics_async: MetricAsync[TradeMetric]
get_trade_metrics, get_trade_metrics_async = metric_functions(
    "get_trade_metrics", frozenset({Stream.TRADES}), "Fetch a dataset made from trades."
)

get_l1_metrics: MetricBlocking[L1Metric]
get_l1_metrics_async: MetricAsync[L1Metric]
get_l1_metrics, get_l1_metrics_async = metric_functions(
    "get_l1_metrics", frozenset({Stream.QUOTES}), "Fetch a dataset made from best quotes."
)

get_l2_metrics: MetricBlocking[L2Metric]
get_l2_metrics_async: MetricAsync[L2Metric]
get_l2_metrics, get_l2_metrics_async = metric_functions(
    "get_l2_metrics", frozenset({Stream.BOOK}), "Fetch a dataset made from order book snapshots."
)

get_derivative_metrics: MetricBlocking[DerivativeMetric]
get_derivative_metrics_async: MetricAsync[DerivativeMetric]
get_derivative_metrics, get_derivative_metrics_async = metric_functions(
    "get_derivative_metrics",
    frozenset({Stream.MARK_PRICE, Stream.FUNDING_RATE, Stream.OPEN_INTEREST}),
    "Fetch a dataset made from mark prices, funding rates or open interest.",
)


def get_symbols(api_key: str | None = None, exchange: Exchange = REQUIRED, base_url: str | None = None) -> list[str]:
    """List the instruments of an exchange.

    Args:
        api_key: Your key; by default APERIODIC_API_KEY.
        exchange: Venue, for example "binance-futures".
        base_url: Address of the API; by default APERIODIC_API_URL, else https://aperiodic.io/api/v1.

    Returns:
        Symbols in the Atlas symbology, for example "perpetual-BTC-USDT:USDT".

    Raises:
        InvalidInputError: A value is missing or not valid; nothing was sent.
        APIError: The server answered with an error.
        AperiodicDataError: The server could not be reached (`server_unreachable`). Base of all the above.
    """
    return run_blocking(get_symbols_async(api_key, exchange, base_url))


async def get_symbols_async(
    api_key: str | None = None, exchange: Exchange = REQUIRED, base_url: str | None = None
) -> list[str]:
    """List the instruments of an exchange, as `get_symbols` does."""
    venue = Venue.parse(parse_text("exchange", exchange))
    return await fetch_symbols(Account.parse(api_key, base_url), venue)
