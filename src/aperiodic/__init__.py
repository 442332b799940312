"""Crypto market-microstructure data as data frames."""

from aperiodic._version import __version__
from aperiodic.client.api import (
    get_metrics,
    get_metrics_async,
    get_ohlcv,
    get_ohlcv_async,
    get_symbols,
    get_symbols_async,
    get_trade_metrics,
    get_trade_metrics_async,
    get_twap,
    get_twap_async,
    get_vwap,
    get_vwap_async,
)
from aperiodic.client.errors import APIError, DownloadError, IncompleteDataWarning
from aperiodic.client.types import Exchange, Interval, OnIncomplete, OutputFormat, TimestampType, TradeMetric
from aperiodic.market.errors import AperiodicDataError, IncompleteDataError, InvalidInputError

__all__ = [
    "APIError",
    "AperiodicDataError",
    "DownloadError",
    "Exchange",
    "IncompleteDataError",
    "IncompleteDataWarning",
    "Interval",
    "InvalidInputError",
    "OnIncomplete",
    "OutputFormat",
    "TimestampType",
    "TradeMetric",
    "__version__",
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
