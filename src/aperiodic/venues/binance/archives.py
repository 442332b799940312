"""What Binance publishes at data.binance.vision.

| table | columns | becomes | time | source |
|---|---|---|---|---|
| `trades` (USD-M) | id, price, qty, quote_qty, time, is_buyer_maker | trades; off-book ones are not in it | ms; newer files have a header | files of 2023 to 2026 |
| `trades` (spot) | the same and is_best_match | trades | ms, since 2025-01-01 µs; no header | the same |
| `bookTicker` (USD-M) | update_id, best_bid_price, … transaction_time, event_time | quotes, by (event_time, update_id): halves of a day may be interleaved | ms | 2023-05-16 to 2024-03-30; binance-public-data issues 305, 372 |
| `metrics` (USD-M) | create_time, symbol, sum_open_interest, … | open interest, 5 minutes later: whether `create_time` begins or ends its five minutes is not told | text, UTC; not in order, repeated | files since 2020-09-01 |
| `fundingRate` (USD-M) | calc_time, funding_interval_hours, last_funding_rate | funding rate as settled, at `calc_time` | ms | monthly since 2020-01 |

`is_buyer_maker`: true → the taker sold (`True` on spot). Aggregated trades are not read: `trades` agree with the
venue's klines where aggregates do not. Kline files hold one row a minute, of which no ticks are made.
A day is there by 08:40 UTC of the next one, a month by its first Monday.
"""

from __future__ import annotations

from datetime import date, timedelta
from typing import Final

import polars as pl

from aperiodic.market import DAY_US, SIDE, Stream
from aperiodic.market.time import day_start_us
from aperiodic.venues.archive import (
    HOUR_US,
    ArchiveBase,
    ArchiveFile,
    ArchiveTable,
    TableLayout,
    day_file,
    epoch_us,
    first_monday,
    month_of,
)
from aperiodic.venues.checks import Check, finite, not_negative, number, positive

__all__ = ["BINANCE_VISION", "FUTURES_ARCHIVES", "METRICS_DELAY_US", "SPOT_ARCHIVES"]

BINANCE_VISION: Final = ArchiveBase(
    "binance_vision", "Binance Vision", "https://data.binance.vision/data", checksums=True
)

METRICS_DELAY_US: Final = 300_000_000
"""How long after `create_time` open interest is taken as known, µs."""

_DAILY_US: Final = 12 * HOUR_US
_LATER_US: Final = DAY_US + _DAILY_US
_QUOTE_SLACK_US: Final = 60_000_000
_FLAGS: Final = ("true", "false")


def _trades(market: str) -> TableLayout:
    counted = pl.col("id").cast(pl.Int64, strict=False)
    maker = pl.col("is_buyer_maker").str.to_lowercase()
    return TableLayout(
        columns=("id", "price", "qty", "quote_qty", "time", "is_buyer_maker"),
        optional=("is_best_match",) if market == "spot" else (),
        time=epoch_us("time"),
        checks=(
            Check("bad_id", "the id is not a whole number", ~(counted >= 0).fill_null(value=False)),
            Check("unknown_side", "is_buyer_maker is neither true nor false", ~maker.is_in(_FLAGS)),
            finite("price", "qty"),
            positive("price", "qty"),
        ),
        streams={
            Stream.TRADES: {
                "id": pl.col("id"),
                "side": pl.when(maker == "true").then(pl.lit("sell")).otherwise(pl.lit("buy")).cast(SIDE),
                "price": number("price"),
                "amount": number("qty"),
                "sequence": counted,
            }
        },
        once=("sequence", "exchange_timestamp"),
        numbered=True,
    )


_QUOTES: Final = ("best_bid_price", "best_bid_qty", "best_ask_price", "best_ask_qty")
_UPDATE: Final = pl.col("update_id").cast(pl.Int64, strict=False)

_BOOK_TICKER: Final = TableLayout(
    columns=("update_id", *_QUOTES, "transaction_time", "event_time"),
    time=epoch_us("transaction_time"),
    checks=(
        Check("bad_id", "the update id is not a whole number", ~(_UPDATE >= 0).fill_null(value=False)),
        Check("bad_time", "the event time is no time", epoch_us("event_time").is_null()),
        finite(*_QUOTES),
        not_negative(*_QUOTES),
    ),
    streams={
        Stream.QUOTES: {
            "bid_price": number("best_bid_price"),
            "bid_amount": number("best_bid_qty"),
            "ask_price": number("best_ask_price"),
            "ask_amount": number("best_ask_qty"),
            "sequence": _UPDATE,
        }
    },
    order=(epoch_us("event_time"), _UPDATE),
    once=("sequence", "exchange_timestamp"),
)

_METRICS: Final = TableLayout(
    columns=(
        *("create_time", "symbol", "sum_open_interest", "sum_open_interest_value", "count_toptrader_long_short_ratio"),
        *("sum_toptrader_long_short_ratio", "count_long_short_ratio", "sum_taker_long_short_vol_ratio"),
    ),
    time=pl.col("create_time")
    .str.to_datetime("%Y-%m-%d %H:%M:%S", strict=False, time_unit="us")
    .cast(pl.Int64)
    .add(METRICS_DELAY_US),
    instrument="symbol",
    checks=(
        Check(
            "bad_number",
            "open interest is not a number, or negative",
            ~(number("sum_open_interest") >= 0).fill_null(value=False),
        ),
        finite("sum_open_interest"),
    ),
    streams={Stream.OPEN_INTEREST: {"open_interest": number("sum_open_interest")}},
)

_FUNDING: Final = TableLayout(
    columns=("calc_time", "funding_interval_hours", "last_funding_rate"),
    time=epoch_us("calc_time"),
    checks=(
        Check(
            "bad_number",
            "the funding rate is not between -1 and 1",
            ~(number("last_funding_rate").abs() < 1).fill_null(value=False),
        ),
    ),
    streams={Stream.FUNDING_RATE: {"funding_rate": number("last_funding_rate")}},
)


def _daily(market: str, kind: str, native: str, day: date) -> str:
    return f"{market}/daily/{kind}/{native}/{native}-{kind}-{day}.zip"


def _spot_trades(native: str, day: date) -> tuple[ArchiveFile, ...]:
    return (day_file(BINANCE_VISION, _daily("spot", "trades", native, day), day, _DAILY_US),)


def _futures_trades(native: str, day: date) -> tuple[ArchiveFile, ...]:
    return (day_file(BINANCE_VISION, _daily("futures/um", "trades", native, day), day, _DAILY_US),)


def _futures_quotes(native: str, day: date) -> tuple[ArchiveFile, ...]:
    path = _daily("futures/um", "bookTicker", native, day)
    return (day_file(BINANCE_VISION, path, day, _DAILY_US, slack=_QUOTE_SLACK_US),)


def _futures_metrics(native: str, day: date) -> tuple[ArchiveFile, ...]:
    # What a day's file tells last is known on the next day.
    return tuple(
        day_file(BINANCE_VISION, _daily("futures/um", "metrics", native, each), each, _LATER_US, begin=METRICS_DELAY_US)
        for each in (day - timedelta(days=1), day)
    )


def _futures_funding(native: str, day: date) -> tuple[ArchiveFile, ...]:
    first, following = month_of(day)
    path = f"futures/um/monthly/fundingRate/{native}/{native}-fundingRate-{first:%Y-%m}.zip"
    published_by = day_start_us(first_monday(following)) + _LATER_US
    return (ArchiveFile(BINANCE_VISION, (path,), day_start_us(first), day_start_us(following), published_by),)


FUTURES_ARCHIVES: Final = (
    ArchiveTable("trades", (Stream.TRADES,), date(2019, 9, 8), None, _futures_trades, _trades("futures/um")),
    ArchiveTable("bookTicker", (Stream.QUOTES,), date(2023, 5, 16), date(2024, 3, 30), _futures_quotes, _BOOK_TICKER),
    ArchiveTable(
        "metrics",
        (Stream.OPEN_INTEREST,),
        date(2020, 9, 1),
        None,
        _futures_metrics,
        _METRICS,
        notes=("open_interest_every_5m",),
    ),
    ArchiveTable(
        "fundingRate",
        (Stream.FUNDING_RATE,),
        date(2020, 1, 1),
        None,
        _futures_funding,
        _FUNDING,
        notes=("settled_funding",),
    ),
)

SPOT_ARCHIVES: Final = (
    ArchiveTable("trades", (Stream.TRADES,), date(2017, 8, 17), None, _spot_trades, _trades("spot")),
)
