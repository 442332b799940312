"""`aperiodic watch`: live rows in the shell, as a table that renews itself or as lines of JSON."""

from __future__ import annotations

import argparse
import importlib.util
import json
import os
import sys
import threading
import warnings
from contextlib import contextmanager, suppress
from itertools import islice
from typing import TYPE_CHECKING, Final

from aperiodic.cli.plain_warnings import warnings_in_plain_words
from aperiodic.market.errors import nearest, unknown_value
from aperiodic.market.time import now_us, time_at

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from rich.console import Console
    from rich.table import Table

    import aperiodic

__all__ = ["LiveTable", "parser", "watch"]

_NOT_FIELDS: Final = frozenset({"symbol", "interval", "time", "complete", "revision"})
_MOST_FIELDS: Final = 7
_REFRESHES: Final = 4


def watch(words: Sequence[str]) -> None:
    """Show live rows until Ctrl-C, or as many as were asked for.

    Args:
        words: What follows `aperiodic watch`.

    Raises:
        AperiodicDataError: As `aperiodic.stream`.
        SystemExit: With 2 when the words cannot be understood.
    """
    asked = parser().parse_args(words)
    with suppress(KeyboardInterrupt):  # that is how one stops to watch
        _watch(asked)


def _watch(asked: argparse.Namespace) -> None:
    _check_fields(asked)
    import aperiodic  # noqa: PLC0415 (not for --help)

    stream = aperiodic.stream(
        dataset=asked.metric,
        exchange=asked.exchange,
        interval=asked.interval,
        symbols=asked.symbols,
        timestamp=asked.timestamp,
        since=asked.since,
        stream_url=asked.url,
    )
    showing = _table(asked) if not asked.json and sys.stdout.isatty() and _has_rich() else _lines()
    with warnings_in_plain_words(), stream, showing as show:
        if _names_one_server(asked):
            threading.Thread(target=_tell_unknown_symbols, args=(asked.exchange, asked.symbols), daemon=True).start()
        for message in islice(stream, asked.count):
            show(message)


def _check_fields(asked: argparse.Namespace) -> None:
    """Refuse columns that the dataset does not have, as far as it is known here."""
    from aperiodic.catalog import DATASETS  # noqa: PLC0415 (not for --help)

    if asked.metric not in DATASETS:
        return
    known = [name for name in DATASETS[asked.metric].schema.names() if name not in _NOT_FIELDS]
    for name in asked.fields or ():
        if name not in known:
            raise unknown_value("field", name, known)


def _names_one_server(asked: argparse.Namespace) -> bool:
    """Whether symbols were named, and the API that knows them is surely that of the stream."""
    beside = os.environ.get("APERIODIC_API_URL") and not os.environ.get("APERIODIC_STREAM_URL")
    return bool(asked.symbols and beside and asked.url is None)


def _tell_unknown_symbols(exchange: str, symbols: Sequence[str]) -> None:
    """Warn of symbols of which the server has nothing; the stream waits for them, for they may come."""
    import aperiodic  # noqa: PLC0415 (as above)

    try:
        known = aperiodic.get_symbols(exchange=exchange)
    except aperiodic.AperiodicDataError:
        return  # the stream tells what is wrong, and a replay has no list
    for symbol in symbols:
        if symbol not in known:
            guess = nearest(symbol, known)
            meant = f" Did you mean {guess}?" if guess else ""
            told = f"The server has nothing of {symbol} on {exchange} up to now.{meant}"
            warnings.warn(told, aperiodic.StreamWarning, stacklevel=1)


class LiveTable:
    """The newest row of each symbol.

    Args:
        title: What is watched.
        fields: Columns to show; None for the first ones of the dataset.
        size: Characters that fit side by side on the terminal, and rows that fit below one another.
    """

    def __init__(self, title: str, fields: Sequence[str] | None, size: Callable[[], tuple[int, int]]) -> None:
        self._title = title
        self._fields = fields
        self._size = size
        self._newest: dict[str, aperiodic.StreamMessage] = {}
        self._count = 0

    def add(self, message: aperiodic.StreamMessage) -> None:
        """Take a row; an older one, as a correction of the past, does not take the place of a newer one."""
        self._count += 1
        symbol = message.symbol or ""
        before = self._newest.get(symbol)
        if before is None or (message.time_us or 0) >= (before.time_us or 0):
            self._newest[symbol] = message

    def table(self) -> Table:
        """Return the table as it is now."""
        from rich.table import Table  # noqa: PLC0415 (the client alone comes without it)

        width, height = self._size()
        shown = [self._newest[symbol] for symbol in sorted(self._newest)[: max(height, 1)]]
        times, remarks = self._times(shown), [_remark(message) for message in shown]
        symbols = [message.symbol or "" for message in shown]
        table = Table(title=self._title, caption=self._caption(len(shown)))
        for title in ("time (UTC)", "symbol"):
            table.add_column(title, no_wrap=True)
        columns: list[list[str]] = []
        room = width - 1 - sum(_width(column) for column in (["time (UTC)", *times], ["symbol", *symbols], remarks))
        for name in self._fields or self._first_fields():
            values = [_shown(message.data.get(name)) for message in shown]
            room -= _width([name, *values])
            if room < 0 and columns and self._fields is None:
                break  # what is cut off cannot be read
            table.add_column(name, justify="right")
            columns.append(values)
        table.add_column("", no_wrap=True)
        for row in zip(times, symbols, *columns, remarks, strict=True):
            table.add_row(*row)
        return table

    @staticmethod
    def _times(shown: Sequence[aperiodic.StreamMessage]) -> list[str]:
        """Return the starts of bars; the day is left out where it is today's."""
        today = time_at(now_us()).date()
        of_today = all(message.time is not None and message.time.date() == today for message in shown)
        form = "%H:%M:%S" if of_today else "%Y-%m-%d %H:%M:%S"
        return ["-" if message.time is None else message.time.strftime(form) for message in shown]

    def _first_fields(self) -> list[str]:
        names = dict.fromkeys(name for message in self._newest.values() for name in message.data)
        return [name for name in names if name not in _NOT_FIELDS][:_MOST_FIELDS]

    def _caption(self, shown: int) -> str:
        hidden = len(self._newest) - shown
        more = f", {hidden} symbols more than fit here" if hidden > 0 else ""
        told = f"{self._count:,} rows{more}" if self._count else "waiting for a bar to end"
        return f"{told}; Ctrl-C ends"


@contextmanager
def _lines() -> Iterator[Callable[[aperiodic.StreamMessage], None]]:
    def show(message: aperiodic.StreamMessage) -> None:
        told = {"channel": message.channel, **message.data}
        sys.stdout.write(f"{json.dumps({**told, 'snapshot': True} if message.snapshot else told)}\n")
        sys.stdout.flush()

    yield show


@contextmanager
def _table(asked: argparse.Namespace) -> Iterator[Callable[[aperiodic.StreamMessage], None]]:
    from rich.console import Console  # noqa: PLC0415
    from rich.live import Live  # noqa: PLC0415

    console: Console = Console()
    title = ".".join(filter(None, (asked.metric, asked.exchange, asked.interval, asked.timestamp)))
    rows = LiveTable(title, asked.fields, lambda: (console.width, console.height - 6))
    with Live(get_renderable=rows.table, console=console, refresh_per_second=_REFRESHES):
        yield rows.add


def _has_rich() -> bool:
    return importlib.util.find_spec("rich") is not None


def _width(column: Sequence[str]) -> int:
    """Return how wide a column is, with its edge."""
    return max(map(len, column), default=0) + 3


def _remark(message: aperiodic.StreamMessage) -> str:
    remarks = ["snapshot"] if message.snapshot else []
    remarks += ["corrected"] if message.corrected else []
    remarks += ["incomplete"] if message.complete is False else []
    return ", ".join(remarks)


def _shown(value: object) -> str:
    if value is None:
        return "-"
    return f"{value:,.8g}" if isinstance(value, float) else str(value)


def parser() -> argparse.ArgumentParser:
    """Return what understands the words."""
    made = argparse.ArgumentParser(
        "aperiodic watch",
        description="Show rows live, the moment their bars close: a table on a terminal (where the package rich is "
        "installed), else a line of JSON each. The key is APERIODIC_API_KEY.",
        allow_abbrev=False,
    )
    made.add_argument("metric", help="dataset, for example ohlcv")
    made.add_argument("--interval", required=True, help="bar length, 1s to 1d")
    made.add_argument("--exchange", required=True, help="venue, for example binance-futures")
    made.add_argument(
        *("--symbols", "--symbol"),
        nargs="+",
        help="symbols in Atlas symbology (perpetual-BTC-USDT:USDT); by default all that the plan allows",
    )
    made.add_argument(
        "--timestamp", metavar="CLOCK", help="exchange (default from a minute on) or true (default below)"
    )
    made.add_argument("--since", metavar="TIME", help="begin with the rows since this time (UTC), YYYY-MM-DDTHH:MM")
    made.add_argument("--fields", nargs="+", metavar="FIELD", help="columns of the table; by default the first ones")
    made.add_argument("--json", action="store_true", help="lines of JSON also on a terminal")
    made.add_argument("--count", type=_count, metavar="N", help="end after so many rows")
    made.add_argument(
        "--url", help="address of the stream; by default APERIODIC_STREAM_URL, else beside APERIODIC_API_URL"
    )
    return made


def _count(text: str) -> int:
    number = int(text)
    if number < 1:
        raise argparse.ArgumentTypeError("give a whole number from 1 on")
    return number
