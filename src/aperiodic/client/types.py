"""The words that the public functions accept, as types.

They repeat names that live in `market` and `catalog`, because a type checker reads only literals; a test keeps
them equal.
"""

from __future__ import annotations

from datetime import date, datetime
from typing import Literal

__all__ = ["Day", "Exchange", "Interval", "OnIncomplete", "OutputFormat", "TimestampType", "TradeMetric"]

Exchange = Literal["binance-futures", "okx-perps", "hyperliquid-perps", "binance"]
"""Venue."""

Interval = Literal["1s", "15s", "30s", "1m", "5m", "15m", "30m", "1h", "4h", "1d"]
"""Bar length. Those below a minute need the Prime plan and `timestamp="true"`."""

TimestampType = Literal["exchange", "true"]
"""Clock: the venue's event time, or the arrival time at the capture host."""

TradeMetric = Literal["flow", "ohlcv", "vtwap"]
"""Datasets with a row for every interval that holds a trade."""

OutputFormat = Literal["polars", "pandas"]
"""Library of the returned data frame."""

OnIncomplete = Literal["warn", "raise", "ignore"]
"""What to do when part of the requested data does not exist."""

Day = date | datetime | str
"""A UTC day: a date, a datetime (an aware one is converted to UTC first) or an ISO 8601 string."""
