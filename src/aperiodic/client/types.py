"""The words that the public functions accept, as types; `known.py` holds those that follow from the catalog."""

from __future__ import annotations

from datetime import date, datetime
from typing import Literal

from aperiodic.client.known import (
    DerivativeMetric,
    Exchange,
    Interval,
    L1Metric,
    L2Metric,
    Metric,
    RawDataset,
    TimestampType,
    TradeMetric,
)

__all__ = [
    "CoverageBy",
    "Day",
    "DerivativeMetric",
    "Exchange",
    "Fill",
    "Interval",
    "L1Metric",
    "L2Metric",
    "Metric",
    "OnIncomplete",
    "OutputFormat",
    "RawDataset",
    "Shape",
    "TimestampType",
    "TradeMetric",
]

OutputFormat = Literal["polars", "pandas"]
"""Library of the returned data frame."""

OnIncomplete = Literal["warn", "raise", "ignore"]
"""What to do when part of the requested data does not exist."""

Shape = Literal["long", "wide"]
"""How several series become one frame: below each other with key columns, or beside each other, joined on the time."""

Fill = Literal["none", "null", "forward"]
"""Rows of intervals without data: none, of nulls, or with the states that were known last."""

CoverageBy = Literal["series", "month", "gap"]
"""What a row of `coverage` is."""

Day = date | datetime | str
"""A UTC day: a date, a datetime (an aware one is converted to UTC first) or an ISO 8601 string."""
