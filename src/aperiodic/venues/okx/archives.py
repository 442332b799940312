"""What OKX publishes at static.okx.com/cdn.

| table | content | becomes | edges of a day | source |
|---|---|---|---|---|
| `trades` | instrument_name, trade_id, side, price, size, created_time[, source]; sizes are contracts | trades | 16:00 UTC the day before to 16:00 UTC | first and last rows of files of four dates, 2023 to 2026 |
| `L2orderbook-400lv` | JSON lines: a snapshot every 15 minutes, changes about every 10 ms, without numbers | book, and quotes of its best level | UTC | files of two dates |
| `candlesticks` | …, vol in contracts, vol_ccy in base units, … | no ticks: vol_ccy ÷ vol is the size of a contract on that day, which OKX changes at times | not told, and does not matter | the collection's readme |
| `allswap-fundingrates` | instrument_name, funding_rate, funding_time | funding rate as settled | not told: as trades or UTC, so both days are read | the collection's readme |

Books are at `…/pro/L2/…` since about 2026-06-15 and no longer at `…/L2/…` since 2026-08-05; both are tried. There are
no checksums. Files are there within a day.
"""

from __future__ import annotations

import csv
from datetime import date, timedelta
from fractions import Fraction
from typing import TYPE_CHECKING, Any, Final

import msgspec
import polars as pl

from aperiodic.market import BOOK_DEPTH, SIDE, Stream
from aperiodic.venues.archive import (
    HOUR_US,
    Appender,
    ArchiveBase,
    ArchiveFile,
    ArchiveTable,
    LineLayout,
    SizeSource,
    TableLayout,
    day_file,
    epoch_us,
)
from aperiodic.venues.checks import Check, finite, number, positive
from aperiodic.venues.contracts import Contract
from aperiodic.venues.events import Levels, RejectedFrameError, venue_time_us
from aperiodic.venues.okx import messages as wire

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

__all__ = ["OKX_ARCHIVES", "OKX_STATIC", "OkxBookLines", "read_size"]

OKX_STATIC: Final = ArchiveBase("okx_static", "OKX historical data", "https://static.okx.com/cdn")

_CHINA_US: Final = -8 * HOUR_US
"""Where a day of UTC+8 begins, from midnight UTC, µs."""
_PUBLISHED_US: Final = 36 * HOUR_US
_CANDLES: Final = (
    *("instrument_name", "open", "high", "low", "close", "vol", "vol_ccy", "vol_quote", "open_time", "confirm"),
)
_STEADY: Final = Fraction(1_001, 1_000)
"""Sizes of a day that differ by no more are one, rounded."""
_PRO_SINCE: Final = date(2026, 6, 15)
_ASK: Final = 2 * BOOK_DEPTH
"""Place of the best ask in the best levels of a book."""
_SIDES: Final = ("buy", "sell")
_TRADE_ID: Final = pl.col("trade_id").cast(pl.Int64, strict=False)

_TRADES: Final = TableLayout(
    columns=("instrument_name", "trade_id", "side", "price", "size", "created_time"),
    optional=("source",),
    time=epoch_us("created_time"),
    instrument="instrument_name",
    checks=(
        Check("bad_id", "the id is not a whole number", ~(_TRADE_ID >= 0).fill_null(value=False)),
        Check("unknown_side", "the side is neither 'buy' nor 'sell'", ~pl.col("side").str.to_lowercase().is_in(_SIDES)),
        finite("price", "size"),
        positive("price", "size"),
    ),
    streams={
        Stream.TRADES: {
            "id": pl.col("trade_id"),
            "side": pl.col("side").str.to_lowercase().cast(SIDE, strict=False),
            "price": number("price"),
            "amount": number("size"),
            "sequence": _TRADE_ID,
        }
    },
    once=("sequence", "exchange_timestamp"),
    numbered=True,
    contracts=True,
)

_FUNDING: Final = TableLayout(
    columns=("instrument_name", "funding_rate", "funding_time"),
    time=epoch_us("funding_time"),
    instrument="instrument_name",
    checks=(
        Check(
            "bad_number",
            "the funding rate is not between -1 and 1",
            ~(number("funding_rate").abs() < 1).fill_null(value=False),
        ),
    ),
    streams={Stream.FUNDING_RATE: {"funding_rate": number("funding_rate")}},
)


class OkxBookLines:
    """Keeps the books of some instruments from the lines of a day's files."""

    def __init__(self, rows: Appender, natives: Sequence[str]) -> None:
        """Begin a day.

        Args:
            rows: Takes the ticks, with amounts in contracts.
            natives: OKX' names of the instruments.
        """
        self._books = {name: _Kept(rows(Stream.BOOK, name), rows(Stream.QUOTES, name)) for name in natives}

    def read(self, line: bytes) -> None:
        """Read one line; a tick is made when one of the best 25 levels changed, a quote when the best one did.

        Raises:
            RejectedFrameError: `malformed`, `other_instrument`, `bad_time`, or `update_of_unknown_book`.
        """
        try:
            frame = wire.ARCHIVED_BOOK.decode(line)
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
            raise RejectedFrameError("malformed", str(error)[:200]) from None
        kept = self._books.get(frame.instrument)
        if kept is None:
            raise RejectedFrameError("other_instrument", "the line is of another instrument")
        kept.take(frame, venue_time_us(frame.time))

    def known_from(self, native: str) -> int | None:
        """Return the time of the first snapshot, µs."""
        return self._books[native].since


class _Kept:
    """One instrument's book."""

    __slots__ = ("_append", "_begin", "_best", "_book", "_changes", "_quote", "_top", "since")

    def __init__(self, append: Callable[[tuple[Any, ...]], None], quote: Callable[[tuple[Any, ...]], None]) -> None:
        from aperiodic.venues.book import Book, Changes  # noqa: PLC0415 (it loads what compiles its kernels)

        self._begin, self._changes = Book, Changes.of
        self._append = append
        self._quote = quote
        self._book: Book | None = None
        self._best: tuple[float | None, ...] = ()
        self._top: tuple[float | None, ...] = ()
        self.since: int | None = None

    def take(self, frame: wire.ArchivedBook, time: int) -> None:
        bids, asks = ([level[:2] for level in side] for side in (frame.bids, frame.asks))
        if frame.action == "snapshot":
            self._book = self._begin(Levels(bids, asks))
            if self.since is None:
                self.since = time
        elif self._book is None:
            raise RejectedFrameError("update_of_unknown_book", "no snapshot came before this change")
        elif not self._book.apply(self._changes(bids, asks)):
            return
        best = self._book.best
        if best == self._best:
            return
        self._best = best
        self._append((time, None, *best, BOOK_DEPTH, None))
        top = (best[0], best[1], best[_ASK], best[_ASK + 1])
        if top != self._top:
            self._top = top
            self._quote((time, None, *top, None))


def read_size(content: bytes) -> Contract | None:
    """Return the size of a linear contract that the candles of a day tell; None if nothing was traded, or if it is inverse.

    Raises:
        ValueError: It changed on that day.
    """
    rows = [row for row in csv.reader(content.decode(errors="replace").splitlines()) if len(row) >= len(_CANDLES)]
    names = rows[0] if rows and set(_CANDLES) <= set(rows[0]) else list(_CANDLES)
    instrument, contracts, base = (names.index(name) for name in ("instrument_name", "vol", "vol_ccy"))
    traded = received = Fraction(0)
    sizes: list[Fraction] = []
    for row in rows:
        if not row[instrument].endswith("-SWAP") or row[instrument].endswith("-USD-SWAP"):
            continue
        try:
            count, amount = Fraction(row[contracts]), Fraction(row[base])
        except (ValueError, ZeroDivisionError):
            continue
        if count > 0 and amount > 0:
            traded, received = traded + count, received + amount
            sizes.append(amount / count)
    if not sizes:
        return None
    if max(sizes) > min(sizes) * _STEADY:
        raise ValueError(f"between {float(min(sizes)):g} and {float(max(sizes)):g}")
    size = Fraction(f"{float(received / traded):.4g}")  # sizes are round numbers
    return Contract(size.numerator, size.denominator, inverse=False)


def _candle_file(native: str, day: date) -> ArchiveFile:
    path = f"okex/traderecords/candlesticks/daily/{day:%Y%m%d}/{native}-candlesticks-{day}.zip"
    return day_file(OKX_STATIC, path, day, _PUBLISHED_US)


_SIZES: Final = SizeSource(_candle_file, read_size)


def _trades_files(native: str, day: date) -> tuple[ArchiveFile, ...]:
    return tuple(
        day_file(
            OKX_STATIC,
            f"okex/traderecords/trades/daily/{each:%Y%m%d}/{native}-trades-{each}.zip",
            each,
            _PUBLISHED_US,
            begin=_CHINA_US,
        )
        for each in (day, day + timedelta(days=1))
    )


def _funding_files(_native: str, day: date) -> tuple[ArchiveFile, ...]:
    return tuple(
        day_file(
            OKX_STATIC,
            f"okex/traderecords/swaprates/daily/{each:%Y%m%d}/allswap-fundingrates-{each}.zip",
            each,
            _PUBLISHED_US,
            begin=_CHINA_US,
            slack=-_CHINA_US,
        )
        for each in (day, day + timedelta(days=1))
    )


def _book_files(native: str, day: date) -> tuple[ArchiveFile, ...]:
    name = f"L2/400lv/daily/{day:%Y%m%d}/{native}-L2orderbook-400lv-{day}.tar.gz"
    folders = ("pro/", "") if day >= _PRO_SINCE else ("", "pro/")
    paths = tuple(f"okx/match/orderbook/{folder}{name}" for folder in folders)
    file = day_file(OKX_STATIC, paths[0], day, _PUBLISHED_US)
    return (ArchiveFile(OKX_STATIC, paths, file.begin, file.end, file.published_by),)


OKX_ARCHIVES: Final = (
    ArchiveTable("trades", (Stream.TRADES,), date(2021, 9, 2), None, _trades_files, _TRADES, sizes=_SIZES),
    ArchiveTable(
        "L2orderbook-400lv",
        (Stream.BOOK, Stream.QUOTES),
        date(2023, 4, 1),
        None,
        _book_files,
        LineLayout(OkxBookLines, contracts=True, ordered=True),
        sizes=_SIZES,
        notes=("quotes_from_book",),
    ),
    ArchiveTable(
        "allswap-fundingrates",
        (Stream.FUNDING_RATE,),
        date(2021, 9, 2),
        None,
        _funding_files,
        _FUNDING,
        notes=("settled_funding",),
        shared=True,
    ),
)
