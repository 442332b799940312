"""The names that this version knows, as types. Made by `make docs` (client/function_writer.py) from the catalog: change it there."""

from __future__ import annotations

from typing import Literal

__all__ = [
    "DerivativeMetric",
    "Exchange",
    "Interval",
    "L1Metric",
    "L2Metric",
    "Metric",
    "RawDataset",
    "TimestampType",
    "TradeMetric",
]

Exchange = Literal["binance-futures", "okx-perps", "hyperliquid-perps", "binance"]
"""Venue."""

Interval = Literal["1s", "15s", "30s", "1m", "5m", "15m", "30m", "1h", "4h", "1d"]
"""Bar length. Those below a minute need the Prime plan and `timestamp="true"`."""

TimestampType = Literal["exchange", "true"]
"""Clock: the venue's event time, or the arrival time at the capture host."""

TradeMetric = Literal[
    "flow", "trade_size", "range", "impact", "updownticks", "run_structure", "returns", "slippage", "ohlcv", "vtwap"
]
"""Datasets with a row for every interval that holds a trade."""

L1Metric = Literal["l1_price", "l1_imbalance", "l1_liquidity"]
"""Datasets with a row for every interval that holds a quote of both sides."""

L2Metric = Literal["l2_imbalance", "l2_liquidity"]
"""Datasets with a row for every interval that holds an order book snapshot."""

DerivativeMetric = Literal["basis", "funding", "open_interest", "derivative_price"]
"""Datasets with a row for every interval that holds a mark price, a funding rate or an open interest."""

RawDataset = Literal["trades", "quotes", "book", "mark_price", "index_price", "funding_rate", "open_interest"]
"""Kinds of ticks."""

Metric = TradeMetric | L1Metric | L2Metric | DerivativeMetric
"""All datasets."""
