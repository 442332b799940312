"""`aperiodic watch`: live rows in the shell, as a table that renews itself or as lines of JSON."""

from __future__ import annotations

import argparse
import importlib.util
import json
import sys
from contextlib import contextmanager
from itertools import islice
from typing import TYPE_CHECKING, Final

from aperiodic.cli.plain_warnings import warnings_in_plain_words

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from rich.console import Console
    from rich.table import Table

    import aperiodic

__all__ = ["LiveTable", "watch"]

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
    asked = _parser().parse_args(words)
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
        try:
            for message in islice(stream, asked.count):
                show(message)
        except KeyboardInterrupt:
            pass  # that is how one stops to watch


class LiveTable:
    """The newest row of each symbol.

    Args:
        title: What is watched.
        fields: Columns to show; None for the first ones of the dataset.
        height: Rows that fit on the terminal.
    """

    def __init__(self, title: str, fields: Sequence[str] | None, height: Callable[[], int]) -> None:
        self._title = title
        self._fields = fields
        self._height = height
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

        chosen = self._fields or self._first_fields()
        table = Table("time (UTC)", "symbol", title=self._title, caption=self._caption())
        for name in chosen:
            table.add_column(name, justify="right")
        table.add_column("")
        shown = sorted(self._newest)[: max(self._height(), 1)]
        for symbol in shown:
            message = self._newest[symbol]
            time = "-" if message.time is None else f"{message.time:%Y-%m-%d %H:%M:%S}"
            values = [_shown(message.data.get(name)) for name in chosen]
            table.add_row(time, symbol, *values, _remark(message))
        return table

    def _first_fields(self) -> list[str]:
        names = dict.fromkeys(name for message in self._newest.values() for name in message.data)
        return [name for name in names if name not in _NOT_FIELDS][:_MOST_FIELDS]

    def _caption(self) -> str:
        hidden = len(self._newest) - max(self._height(), 1)
        more = f", {hidden} symbols more than fit here" if hidden > 0 else ""
        return f"{self._count:,} rows{more}; Ctrl-C ends"


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
    rows = LiveTable(title, asked.fields, lambda: console.height - 6)
    with Live(get_renderable=rows.table, console=console, refresh_per_second=_REFRESHES):
        yield rows.add


def _has_rich() -> bool:
    return importlib.util.find_spec("rich") is not None


def _remark(message: aperiodic.StreamMessage) -> str:
    remarks = ["snapshot"] if message.snapshot else []
    remarks += ["corrected"] if message.corrected else []
    remarks += ["incomplete"] if message.complete is False else []
    return ", ".join(remarks)


def _shown(value: object) -> str:
    if value is None:
        return "-"
    return f"{value:,.8g}" if isinstance(value, float) else str(value)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        "aperiodic watch",
        description="Show rows live, the moment their bars close: a table on a terminal (where the package rich is "
        "installed), else a line of JSON each. The key is APERIODIC_API_KEY.",
        allow_abbrev=False,
    )
    parser.add_argument("metric", help="dataset, for example ohlcv")
    parser.add_argument("--interval", required=True, help="bar length, 1s to 1d")
    parser.add_argument("--exchange", required=True, help="venue, for example binance-futures")
    parser.add_argument(
        *("--symbols", "--symbol"),
        nargs="+",
        help="symbols in Atlas symbology (perpetual-BTC-USDT:USDT); by default all that the plan allows",
    )
    parser.add_argument(
        "--timestamp", metavar="CLOCK", help="exchange (default from a minute on) or true (default below)"
    )
    parser.add_argument("--since", metavar="TIME", help="begin with the rows since this time (UTC), YYYY-MM-DDTHH:MM")
    parser.add_argument("--fields", nargs="+", metavar="FIELD", help="columns of the table; by default the first ones")
    parser.add_argument("--json", action="store_true", help="lines of JSON also on a terminal")
    parser.add_argument("--count", type=_count, metavar="N", help="end after so many rows")
    parser.add_argument(
        "--url", help="address of the stream; by default APERIODIC_STREAM_URL, else beside APERIODIC_API_URL"
    )
    return parser


def _count(text: str) -> int:
    number = int(text)
    if number < 1:
        raise argparse.ArgumentTypeError("give a whole number from 1 on")
    return number
