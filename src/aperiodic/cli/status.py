"""`aperiodic status`: what is held, what is missing, what was rejected."""

from __future__ import annotations

import json
import time
from collections import Counter
from datetime import date
from itertools import groupby
from typing import TYPE_CHECKING, Annotated, NamedTuple

import msgspec
from cyclopts import Parameter
from rich.table import Table

from aperiodic.cli.console import out, print_line
from aperiodic.cli.findings import strange_words
from aperiodic.cli.installation import open_lake
from aperiodic.cli.lags import lag_words, read_lags
from aperiodic.cli.parameters import ExchangeName
from aperiodic.completeness.known_gaps import GapList, judge_all_days, read_known_gaps
from aperiodic.completeness.open_ticks import OpenTicks, read_open_ticks
from aperiodic.engine.days_told import Unreadable
from aperiodic.engine.days_told import read_told as read_days_told
from aperiodic.engine.importing.files import printable
from aperiodic.engine.uploading import Told, read_told
from aperiodic.lake import ObjectKind
from aperiodic.lake.imports import read_imports
from aperiodic.lake.recordings import list_strange
from aperiodic.market import Exchange
from aperiodic.market.time import time_at

if TYPE_CHECKING:
    from sqlalchemy import Connection

    from aperiodic.completeness.known_gaps import KnownGap
    from aperiodic.lake import Lake, ObjectRecord

__all__ = ["status"]

_MOST_GAPS = 20
_TOLD_S = 120.0
_GAPS_IN_JSON = 1_000
"""Of each series; the number of all of them is beside."""


def status(
    *, exchange: ExchangeName | None = None, as_json: Annotated[bool, Parameter(name="--json", negative=())] = False
) -> None:
    """Show the ticks held, their gaps, the lines that were rejected, and the months published.

    Args:
        exchange: Only this exchange.
        as_json: Print a JSON object with all of it instead of a table and the first gaps.
    """
    with open_lake() as lake:
        ticks = lake.current(ObjectKind.TICKS, exchange=exchange)
        bars = lake.current(ObjectKind.BARS, exchange=exchange)
        gaps = _gaps(lake, ticks, _GAPS_IN_JSON if as_json else _MOST_GAPS)
        with lake.engine.connect() as connection:
            imports = read_imports(connection, exchange)
            open_days = _open_days(lake, connection, exchange)
        lags = read_lags(lake)
        strange = [path for path in list_strange(lake.home) if exchange is None or exchange in path.parts]
        unreadable = _unreadable(lake, exchange)
        uploads = [told for told in read_told(lake.home) if exchange is None or told.exchange == exchange]
    rows = _rows(ticks, bars, gaps)
    rejected = sum((Counter(record.rejected) for record in imports), Counter[str]())
    if as_json:
        out.print_json(
            json.dumps(
                {
                    **_facts(rows, gaps, rejected),
                    "open_days": _told(open_days),
                    "lags": lags,
                    "uploads": msgspec.to_builtins(uploads),
                    "unreadable_open_days": msgspec.to_builtins(unreadable),
                    "strange_recordings": [printable(str(path)) for path in strange],
                }
            )
        )
        return
    if not ticks and not open_days:
        print_line("No ticks yet. Try: aperiodic import recording --exchange binance-futures FILE")
    elif ticks:
        out.print(_table(rows))
        _print_gaps(gaps)
    for venue, found in groupby(open_days, key=lambda item: item[0]):
        held = [item for _, item in found]
        until = min((item.covered_until for item in held if item.covered_until is not None), default=None)
        print_line(
            f"open days of {venue}: {sum(item.ticks for item in held):,} ticks of {len(held)} streams"
            + ("" if until is None else f", all of them up to {_time(until)}")
        )
    for code, count in sorted(rejected.items()):
        print_line(f"rejected: {code} {count:,} (aperiodic quarantine list)")
    for words in (*lag_words(lags), *map(_uploaded, uploads)):
        print_line(words)
    for each in unreadable:
        print_line(f"no bars of open days: {each.symbol} of {each.exchange}. {each.message} {each.hint}")
    if strange:
        print_line(strange_words(strange))


def _unreadable(lake: Lake, exchange: Exchange | None) -> list[Unreadable]:
    """Return the instruments of which programs tell that their ticks of open days cannot be read, each once."""
    told = {(each.exchange, each.symbol): each for told in read_days_told(lake.home) for each in told.unreadable}
    return [each for (venue, _), each in sorted(told.items()) if exchange is None or venue == exchange]


def _open_days(lake: Lake, connection: Connection, exchange: Exchange | None) -> list[tuple[str, OpenTicks]]:
    parts = {(part.key.exchange, part.key.symbol) for part in lake.current(ObjectKind.TICK_PARTS, exchange=exchange)}
    return [
        (venue, item)
        for venue in sorted({venue for venue, _ in parts})
        for item in read_open_ticks(connection, venue, {symbol for of, symbol in parts if of == venue})
    ]


def _told(open_days: list[tuple[str, OpenTicks]]) -> list[dict[str, object]]:
    return [
        {
            "exchange": venue,
            "symbol": item.symbol,
            "stream": item.stream,
            "day": str(item.day),
            "ticks": item.ticks,
            "covered_until": item.covered_text,
        }
        for venue, item in open_days
    ]


def _uploaded(told: Told) -> str:
    """Say how far the recordings of a venue are on their way into the store."""
    words = f"recordings of {told.exchange}: {told.waiting:,} wait for the store ({told.waiting_bytes:,} bytes)"
    if told.oldest is not None:
        words += f", the oldest begun {_time(round(told.oldest * 1e6))}"
    if told.failing and told.last_failure is not None:
        words += f"; {told.failing:,} failed: {told.last_failure.message}"
    age = time.time() - told.time
    return words if age < _TOLD_S else f"{words}; told {age / 60:,.0f} minutes ago"


def _gaps(lake: Lake, ticks: list[ObjectRecord], most: int) -> dict[tuple[str, str, str], GapList]:
    found: dict[tuple[str, str, str], GapList] = {}
    with lake.engine.connect() as connection:
        for exchange in sorted({record.key.exchange for record in ticks}):
            own = [record.key for record in ticks if record.key.exchange == exchange]
            periods = [date.fromisoformat(key.period) for key in own]
            judgement = judge_all_days(
                connection,
                Exchange(exchange),
                {key.symbol for key in own},
                {key.dataset for key in own},
                (min(periods), max(periods)),
            )
            named = read_known_gaps(connection, Exchange(exchange), judgement, most)
            found |= {(exchange, *series): gaps for series, gaps in named.items()}
    return found


class _Row(NamedTuple):
    """Ticks of one stream of an instrument.

    Attributes:
        exchange: Venue.
        symbol: Atlas symbol.
        stream: Tick stream.
        days: Days held.
        first_day: First of them.
        last_day: Last of them.
        rows: Ticks.
        sources: Where they came from.
        gaps: Gaps in their numbers.
        months: Months published of the instrument.
    """

    exchange: str
    symbol: str
    stream: str
    days: int
    first_day: str
    last_day: str
    rows: int
    sources: list[str]
    gaps: int
    months: int


def _rows(ticks: list[ObjectRecord], bars: list[ObjectRecord], gaps: dict[tuple[str, str, str], GapList]) -> list[_Row]:
    published = {(record.key.exchange, record.key.symbol, record.key.period) for record in bars}
    months = Counter((exchange, symbol) for exchange, symbol, _ in published)
    rows = []
    for series, group in groupby(
        ticks, key=lambda record: (record.key.exchange, record.key.symbol, record.key.dataset)
    ):
        days = list(group)
        rows.append(
            _Row(
                *series,
                days=len(days),
                first_day=days[0].key.period,
                last_day=days[-1].key.period,
                rows=sum(day.rows for day in days),
                sources=sorted({day.source for day in days}),
                gaps=gaps[series].total if series in gaps else 0,
                months=months[series[0], series[1]],
            )
        )
    return rows


def _table(rows: list[_Row]) -> Table:
    table = Table("Exchange", "Symbol", "Ticks", "Days", "From", "To", "Rows", "Source", "Gaps", "Months", box=None)
    for row in rows:
        table.add_row(
            row.exchange,
            row.symbol,
            row.stream,
            str(row.days),
            row.first_day,
            row.last_day,
            f"{row.rows:,}",
            "+".join(row.sources),
            f"{row.gaps:,}",
            str(row.months),
        )
    return table


def _facts(rows: list[_Row], gaps: dict[tuple[str, str, str], GapList], rejected: dict[str, int]) -> dict[str, object]:
    listed = [
        {
            "exchange": exchange,
            "symbol": symbol,
            "stream": stream,
            "from": time_at(gap.first_time).isoformat(),
            "to": time_at(gap.last_time).isoformat(),
            "missing_numbers": _missing(gap),
            "cause": gap.cause,
        }
        for (exchange, symbol, stream), found in gaps.items()
        for gap in found.gaps
    ]
    return {"series": [row._asdict() for row in rows], "gaps": listed, "rejected": dict(sorted(rejected.items()))}


def _print_gaps(gaps: dict[tuple[str, str, str], GapList]) -> None:
    listed = [(series, gap) for series, found in gaps.items() for gap in found.gaps]
    for (exchange, symbol, stream), gap in listed[:_MOST_GAPS]:
        missing = _missing(gap)
        numbers = "" if missing is None else f"{missing:,} numbers missing "
        out.print(
            f"gap: {exchange} {symbol} {stream} {_time(gap.first_time)} to {_time(gap.last_time)}: "
            f"{numbers}({gap.cause})",
            highlight=False,
        )
    more = sum(found.total for found in gaps.values()) - len(listed[:_MOST_GAPS])
    if more > 0:
        out.print(f"… and {more:,} more gaps")


def _missing(gap: KnownGap) -> int | None:
    """Return how many numbers are missing, None where the stream has none."""
    if gap.first_missing is None or gap.last_missing is None:
        return None
    return gap.last_missing - gap.first_missing + 1


def _time(us: int) -> str:
    return f"{time_at(us):%Y-%m-%d %H:%M:%S}"
