"""Tick streams and where they come from, by name."""

from __future__ import annotations

from enum import StrEnum

__all__ = ["Source", "Stream"]


class Stream(StrEnum):
    """A kind of tick, named as its files and the raw datasets are."""

    TRADES = "trades"
    QUOTES = "quotes"
    BOOK = "book"
    MARK_PRICE = "mark_price"
    INDEX_PRICE = "index_price"
    FUNDING_RATE = "funding_rate"
    OPEN_INTEREST = "open_interest"


class Source(StrEnum):
    """Where data comes from. One tick day never mixes sources; bars over several days may be `MIXED`.

    Ticks of an `ARCHIVE`, files that a venue publishes of days gone by, carry no arrival time.
    """

    RECORDING = "recording"
    TARDIS = "tardis"
    ARCHIVE = "archive"
    SIMULATED = "simulated"
    MIXED = "mixed"
