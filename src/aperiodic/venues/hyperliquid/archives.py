"""What Hyperliquid publishes in buckets where the reader pays.

| table | content | becomes | source |
|---|---|---|---|
| `l2Book` | a file an hour and coin: `{"time", "ver_num", "raw": {"channel", "data": {coin, time, levels}}}`, 20 levels, about every 0.55 s; `time` outside is that of the archive's own recorder and not used | book, and quotes of its best level | hyperliquid-archive-notes; a row of 2026 |
| `asset_ctxs` | a table a day of all coins, a row a minute: `time, coin, funding, open_interest, …, oracle_px, mark_px, …` | mark price, index price (the oracle's), funding rate, open interest, 3 s later: a row stamped T was known at T + 3 s | the same |
| `node_trades` | a file an hour of all coins, 2025-03-22 to 05-25: one trade a line, `side_info` of taker and maker | trades | the same |
| `node_fills` | likewise, 05-25 to 07-27: `[wallet, fill]`, each trade twice | trades: the fill with `crossed`, once a `tid` | the same |
| `node_fills_by_block` | likewise, since 07-27: blocks of such fills; the hour of a file is that of processing | trades: of the files of an hour before to an hour after | the same |

In `asset_ctxs` zeros stand for what is absent, and open interest may be negative (refused); until 2023-06-08 00:05 UTC
funding is of 8 hours and divided by 8. Rows inside a minute are kept. Uploads come about once a month.
"""

from __future__ import annotations

from collections import deque
from datetime import UTC, date, datetime
from typing import TYPE_CHECKING, Any, Final

import msgspec
import polars as pl

from aperiodic.market import BOOK_DEPTH, DAY_US, Stream, shown_levels
from aperiodic.market.time import day_at, day_start_us
from aperiodic.venues.archive import (
    HOUR_US,
    Appender,
    ArchiveBase,
    ArchiveFile,
    ArchiveTable,
    LineLayout,
    TableLayout,
)
from aperiodic.venues.checks import Check, finite, number
from aperiodic.venues.events import RejectedFrameError, venue_time_us
from aperiodic.venues.hyperliquid import messages as wire

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from aperiodic.venues.events import Row

__all__ = [
    "CONTEXT_DELAY_US",
    "HYPERLIQUID_ARCHIVE",
    "HYPERLIQUID_ARCHIVES",
    "HYPERLIQUID_NODE",
    "BookLines",
    "FillLines",
]

_USD_PER_GIB: Final = 0.09
"""What AWS takes for traffic to the internet; requests add little."""

HYPERLIQUID_ARCHIVE: Final = ArchiveBase(
    "hyperliquid", "Hyperliquid archive", "s3://hyperliquid-archive?region=us-east-1", usd_per_gib=_USD_PER_GIB
)
HYPERLIQUID_NODE: Final = ArchiveBase(
    "hyperliquid_node",
    "Hyperliquid node data",
    "s3://hl-mainnet-node-data?region=ap-northeast-1",
    usd_per_gib=_USD_PER_GIB,
)

CONTEXT_DELAY_US: Final = 3_000_000
"""How long after its stamp a row of `asset_ctxs` was known, µs."""

_PUBLISHED_US: Final = 45 * DAY_US
_HOURS: Final = 24
_LEVELS: Final = 20
_REMEMBERED: Final = 200_000
_BOOK_BYTES: Final = 4 << 20
_CONTEXT_BYTES: Final = 7 << 20
_FILLS_BYTES: Final = 45 << 20
_HOURLY_SINCE_US: Final = int(datetime(2023, 6, 8, 0, 5, tzinfo=UTC).timestamp()) * 1_000_000
_TRADES_UNTIL: Final = datetime(2025, 5, 25, 14, tzinfo=UTC)
_FILLS_UNTIL: Final = datetime(2025, 7, 27, 8, tzinfo=UTC)


def _context_time() -> pl.Expr:
    text = pl.col("time").str.replace("T", " ", literal=True).str.strip_chars_end("Z").str.slice(0, 26)
    return text.str.to_datetime("%Y-%m-%d %H:%M:%S%.f", strict=False, time_unit="us").cast(pl.Int64)


def _funding() -> pl.Expr:
    return pl.when(_context_time() < _HOURLY_SINCE_US).then(number("funding") / 8).otherwise(number("funding"))


_CONTEXTS: Final = TableLayout(
    columns=(
        *("time", "coin", "funding", "open_interest", "prev_day_px", "day_ntl_vlm", "premium", "oracle_px", "mark_px"),
        *("mid_px", "impact_bid_px", "impact_ask_px"),
    ),
    time=_context_time() + CONTEXT_DELAY_US,
    instrument="coin",
    checks=(
        finite("funding", "open_interest", "oracle_px", "mark_px"),
        Check(
            "bad_number",
            "open interest or a price is negative",
            pl.any_horizontal(
                (number(name) < 0).fill_null(value=False) for name in ("open_interest", "oracle_px", "mark_px")
            ),
        ),
        Check(
            "bad_number",
            "the funding rate is not between -1 and 1",
            (number("funding").abs() >= 1).fill_null(value=False),
        ),
    ),
    streams={
        Stream.MARK_PRICE: {"mark_price": number("mark_px")},
        Stream.INDEX_PRICE: {"index_price": number("oracle_px")},
        Stream.FUNDING_RATE: {"funding_rate": _funding()},
        Stream.OPEN_INTEREST: {"open_interest": number("open_interest")},
    },
    present={
        Stream.MARK_PRICE: number("mark_px") > 0,
        Stream.INDEX_PRICE: number("oracle_px") > 0,
        Stream.FUNDING_RATE: number("funding").is_not_null() & (number("mark_px") > 0),
        Stream.OPEN_INTEREST: number("open_interest") > 0,
    },
)


class BookLines:
    """Reads `l2Book` files: every line tells a whole book."""

    def __init__(self, rows: Appender, natives: Sequence[str]) -> None:
        """Begin a day; amounts are base units."""
        self._rows = {name: (rows(Stream.BOOK, name), rows(Stream.QUOTES, name)) for name in natives}
        self._best: dict[str, tuple[float | None, ...]] = {}
        self._top: dict[str, tuple[float | None, ...]] = {}

    def read(self, line: bytes) -> None:
        """Read one line; a tick is made when a level changed, a quote when the best one did.

        Raises:
            RejectedFrameError: `malformed`, `other_instrument` or `bad_time`.
        """
        frame = _decode(wire.ARCHIVED_BOOK, line).raw.data
        if frame.coin not in self._rows:
            raise RejectedFrameError("other_instrument", "the line is of another coin")
        append, quote = self._rows[frame.coin]
        time = venue_time_us(frame.time)
        sides = [[(level.price, level.amount) for level in side[:_LEVELS]] for side in frame.levels]
        flat: list[float | None] = []
        for side in sides:
            flat += [value for level in side for value in level] + [None] * (2 * (BOOK_DEPTH - len(side)))
        best = tuple(flat)
        if best == self._best.get(frame.coin):
            return
        self._best[frame.coin] = best
        append((time, None, *best, shown_levels(_LEVELS), None))
        top = (*best[:2], *best[2 * BOOK_DEPTH :][:2])
        if top != self._top.get(frame.coin):
            self._top[frame.coin] = top
            quote((time, None, *top, None))

    def known_from(self, native: str) -> int | None:
        """Return that every line is whole."""
        del native
        return 0


class FillLines:
    """Reads the trades of all three kinds of node files; each is told by its form."""

    def __init__(self, rows: Appender, natives: Sequence[str]) -> None:
        """Begin a day; amounts are base units."""
        self._rows: dict[str, Callable[[Row], None]] = {name: rows(Stream.TRADES, name) for name in natives}
        self._seen: set[tuple[str, int]] = set()
        self._order: deque[tuple[str, int]] = deque()

    def read(self, line: bytes) -> None:
        """Read one line; fills of makers, of coins not asked for, and those told before make no tick.

        Raises:
            RejectedFrameError: `malformed` or `bad_time`.
        """
        if b'"side_info"' in line:
            self._take_trade(_decode(wire.NODE_TRADE, line))
            return
        for _, fill in self._told(line):
            append = self._rows.get(fill.coin)
            if append is None or not fill.crossed or not self._is_new(fill.coin, fill.number):
                continue
            side = "buy" if fill.side == "B" else "sell"
            append((venue_time_us(fill.time), None, str(fill.number), side, fill.price, fill.amount, None))

    def known_from(self, native: str) -> int | None:
        """Return that every line is whole."""
        del native
        return 0

    def _told(self, line: bytes) -> Iterator[tuple[str, wire.NodeFill]]:
        if line.startswith(b"["):
            yield _decode(wire.NODE_FILL, line)
        else:
            yield from _decode(wire.NODE_BLOCK, line).events

    def _take_trade(self, trade: wire.NodeTrade) -> None:
        append = self._rows.get(trade.coin)
        if append is None:
            return
        taker, maker = trade.parties
        name = f"{trade.hash}-{taker.order}-{maker.order}"
        side = "buy" if trade.side == "B" else "sell"
        append((_iso_us(trade.time), None, name, side, trade.price, trade.amount, None))

    def _is_new(self, coin: str, number: int) -> bool:
        key = coin, number
        if key in self._seen:
            return False
        self._seen.add(key)
        self._order.append(key)
        if len(self._order) > _REMEMBERED:
            self._seen.remove(self._order.popleft())
        return True


def _decode(decoder: msgspec.json.Decoder[Any], line: bytes) -> Any:  # noqa: ANN401 - of whatever type it decodes
    try:
        return decoder.decode(line)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise RejectedFrameError("malformed", str(error)[:200]) from None


def _iso_us(text: str) -> int:
    """Read a time with up to nine decimals and no zone; it is floored to whole µs."""
    whole, _, decimals = text.rstrip("Z").partition(".")
    try:
        moment = datetime.fromisoformat(whole).replace(tzinfo=UTC)
        return venue_time_us(int(moment.timestamp()) * 1_000_000 + int(decimals[:6].ljust(6, "0")))
    except ValueError:
        raise RejectedFrameError("bad_time", f"{text[:40]!r} is not a time") from None


def _hour_file(
    base: ArchiveBase, path: str, hour: int, *, size: int, begin: int | None = None, end: int | None = None
) -> ArchiveFile:
    start = hour * HOUR_US
    begin, end = start if begin is None else begin, start + HOUR_US if end is None else end
    return ArchiveFile(base, (path,), begin, end, start + HOUR_US + _PUBLISHED_US, HOUR_US, size)


def _book_files(native: str, day: date) -> tuple[ArchiveFile, ...]:
    first = day_start_us(day) // HOUR_US
    return tuple(
        _hour_file(
            HYPERLIQUID_ARCHIVE,
            f"market_data/{day:%Y%m%d}/{hour}/l2Book/{native}.lz4",
            first + hour,
            size=_BOOK_BYTES,
        )
        for hour in range(_HOURS)
    )


def _context_files(_native: str, day: date) -> tuple[ArchiveFile, ...]:
    begin = day_start_us(day)
    path = f"asset_ctxs/{day:%Y%m%d}.csv.lz4"
    published_by = begin + DAY_US + _PUBLISHED_US
    return (
        ArchiveFile(
            HYPERLIQUID_ARCHIVE, (path,), begin, begin + DAY_US, published_by, 10 * CONTEXT_DELAY_US, _CONTEXT_BYTES
        ),
    )


def _node_file(hour: int, day: date) -> ArchiveFile:
    """Return the file of an hour, counted from 1970, of whichever kind was being made; it serves its own hour."""
    moment = datetime.fromtimestamp(hour * HOUR_US // 1_000_000, UTC)
    folder = (
        "node_trades" if moment < _TRADES_UNTIL else "node_fills" if moment < _FILLS_UNTIL else "node_fills_by_block"
    )
    path = f"{folder}/hourly/{day_at(hour // _HOURS):%Y%m%d}/{hour % _HOURS}.lz4"
    own_day = day_start_us(day)
    edge = not own_day <= hour * HOUR_US < own_day + DAY_US
    # The hours beside a day hold what was processed late or early; they cover nothing of their own.
    at = (own_day if hour * HOUR_US < own_day else own_day + DAY_US) if edge else None
    return _hour_file(HYPERLIQUID_NODE, path, hour, size=_FILLS_BYTES, begin=at, end=at)


def _node_files(_native: str, day: date) -> tuple[ArchiveFile, ...]:
    first = day_start_us(day) // HOUR_US
    begin, end = first - 1, first + _HOURS + 1
    if datetime.fromtimestamp(first * HOUR_US // 1_000_000, UTC) < _FILLS_UNTIL:
        begin, end = first, first + _HOURS
    return tuple(_node_file(hour, day) for hour in range(begin, end))


HYPERLIQUID_ARCHIVES: Final = (
    ArchiveTable(
        "node_fills",
        (Stream.TRADES,),
        date(2025, 3, 22),
        None,
        _node_files,
        LineLayout(FillLines, once=("id",)),
        shared=True,
    ),
    ArchiveTable(
        "l2Book",
        (Stream.BOOK, Stream.QUOTES),
        date(2023, 4, 15),
        None,
        _book_files,
        LineLayout(BookLines, ordered=True),
        notes=("quotes_from_book",),
    ),
    ArchiveTable(
        "asset_ctxs",
        (Stream.MARK_PRICE, Stream.INDEX_PRICE, Stream.FUNDING_RATE, Stream.OPEN_INTEREST),
        date(2023, 5, 20),
        None,
        _context_files,
        _CONTEXTS,
        notes=("sampled_each_minute",),
        shared=True,
    ),
)
