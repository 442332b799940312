"""`aperiodic status`: what is held, what is missing, what was rejected."""

from __future__ import annotations

from collections import Counter
from datetime import date
from itertools import groupby
from typing import TYPE_CHECKING

from rich.table import Table

from aperiodic.cli.console import out
from aperiodic.cli.installation import open_lake
from aperiodic.cli.parameters import ExchangeName
from aperiodic.completeness.known_gaps import GapList, judge_all_days, read_known_gaps
from aperiodic.lake import ObjectKind
from aperiodic.lake.imports import read_imports
from aperiodic.market import Exchange
from aperiodic.market.time import time_at

if TYPE_CHECKING:
    from aperiodic.lake import Lake, ObjectRecord
    from aperiodic.lake.imports import ImportRecord

__all__ = ["status"]

_MOST_GAPS = 20


def status(*, exchange: ExchangeName | None = None) -> None:
    """Show the ticks held, their gaps, the lines that were rejected, and the months published.

    Args:
        exchange: Only this exchange.
    """
    with open_lake() as lake:
        ticks = lake.current(ObjectKind.TICKS, exchange=exchange)
        bars = lake.current(ObjectKind.BARS, exchange=exchange)
        gaps = _gaps(lake, ticks)
        with lake.engine.connect() as connection:
            imports = read_imports(connection, exchange)
    if not ticks:
        out.print("No ticks yet. Try: aperiodic import recording --exchange binance-futures FILE")
        return
    out.print(_series(ticks, bars, gaps))
    _print_gaps(gaps)
    _print_rejected(imports)


def _gaps(lake: Lake, ticks: list[ObjectRecord]) -> dict[tuple[str, str, str], GapList]:
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
            named = read_known_gaps(connection, Exchange(exchange), judgement, _MOST_GAPS)
            found |= {(exchange, *series): gaps for series, gaps in named.items()}
    return found


def _series(ticks: list[ObjectRecord], bars: list[ObjectRecord], gaps: dict[tuple[str, str, str], GapList]) -> Table:
    published = {(record.key.exchange, record.key.symbol, record.key.period) for record in bars}
    months = Counter((exchange, symbol) for exchange, symbol, _ in published)
    table = Table("Exchange", "Symbol", "Ticks", "Days", "From", "To", "Rows", "Source", "Gaps", "Months", box=None)
    by_series = groupby(ticks, key=lambda record: (record.key.exchange, record.key.symbol, record.key.dataset))
    for series, group in by_series:
        days = list(group)
        table.add_row(
            *series,
            str(len(days)),
            days[0].key.period,
            days[-1].key.period,
            f"{sum(day.rows for day in days):,}",
            "+".join(sorted({day.source for day in days})),
            f"{gaps[series].total:,}" if series in gaps else "0",
            str(months[series[0], series[1]]),
        )
    return table


def _print_gaps(gaps: dict[tuple[str, str, str], GapList]) -> None:
    listed = [(series, gap) for series, found in gaps.items() for gap in found.gaps]
    for (exchange, symbol, stream), gap in listed[:_MOST_GAPS]:
        numbers = ""
        if gap.first_missing is not None and gap.last_missing is not None:
            numbers = f"{gap.last_missing - gap.first_missing + 1:,} numbers missing "
        out.print(
            f"gap: {exchange} {symbol} {stream} {_time(gap.first_time)} to {_time(gap.last_time)}: "
            f"{numbers}({gap.cause})",
            highlight=False,
        )
    more = sum(found.total for found in gaps.values()) - len(listed[:_MOST_GAPS])
    if more > 0:
        out.print(f"… and {more:,} more gaps")


def _print_rejected(imports: list[ImportRecord]) -> None:
    rejected = Counter[str]()
    for record in imports:
        rejected.update(record.rejected)
    for code, count in sorted(rejected.items()):
        out.print(f"rejected: {code} {count:,} (kept in quarantine)", highlight=False)


def _time(us: int) -> str:
    return f"{time_at(us):%Y-%m-%d %H:%M:%S}"
