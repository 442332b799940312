"""Rows that were told live against those of the files that a build publishes of the same ticks, bit for bit."""

from __future__ import annotations

from collections import Counter, defaultdict
from math import copysign, isfinite
from typing import TYPE_CHECKING, Any, NamedTuple

import msgspec
import polars as pl

from aperiodic.engine.build import build
from aperiodic.lake import ObjectKind
from aperiodic.market import Clock, Interval

if TYPE_CHECKING:
    from collections.abc import Iterable

    from aperiodic.engine.live import LiveRow
    from aperiodic.lake import Lake


class Bar(NamedTuple):
    """What a row is of."""

    exchange: str
    symbol: str
    dataset: str
    clock: str
    interval: str
    time: int

    @property
    def end(self) -> int:
        """End, µs."""
        return self.time + Interval(self.interval).microseconds


def bar_of(row: LiveRow) -> Bar:
    return Bar(row.exchange, row.symbol, row.dataset, row.clock, row.interval, row.time)


class Reader:
    """Keeps what is told: of each bar all rows, in the order in which they came."""

    def __init__(self) -> None:
        self.rows: defaultdict[Bar, list[LiveRow]] = defaultdict(list)

    def __call__(self, told: Iterable[LiveRow]) -> None:
        for row in told:
            self.rows[bar_of(row)].append(row)


def values_of(row: LiveRow) -> dict[str, Any]:
    """Return the time and the fields as a reader gets them."""
    data: dict[str, Any] = msgspec.json.decode(row.data)
    assert data.pop("symbol") == row.symbol
    assert data.pop("interval") == row.interval
    assert data.pop("revision") == row.revision
    assert data.pop("complete") == row.complete
    return data


def published(lake: Lake, since: int, *, seconds: bool = True) -> dict[Bar, dict[str, Any]]:
    """Return the published rows from a time, µs, on; what is undefined or infinite is None, as it is told."""
    found: dict[Bar, dict[str, Any]] = {}
    for record in lake.current(ObjectKind.BARS):
        key = record.key
        if Interval(key.interval).sub_minute and not seconds:
            continue
        frame = lake.store.read_parquet(record.path).with_columns(pl.col("time").to_physical())
        frame = frame.filter(pl.col("time") >= since)
        for row in frame.to_dicts():
            plain = {name: value if value is None or isfinite(value) else None for name, value in row.items()}
            found[Bar(key.exchange, key.symbol, key.dataset, key.clock, key.interval, row["time"])] = plain
    return found


def is_same(left: Any, right: Any) -> bool:
    """Whether two values are equal to the last bit, the sign of zero too."""
    if type(left) is not type(right) or left != right:
        return False
    return not isinstance(left, float) or copysign(1.0, left) == copysign(1.0, right)


def differences(left: dict[str, Any], right: dict[str, Any]) -> dict[str, tuple[Any, Any]]:
    """Return the fields in which two rows differ."""
    return {
        name: (left.get(name, "missing"), right.get(name, "missing"))
        for name in left.keys() | right.keys()
        if not is_same(left.get(name, "missing"), right.get(name, "missing"))
    }


class Compared(Counter[tuple[Clock, Interval]]):
    """How many values were compared, by clock and interval."""

    def __str__(self) -> str:
        parts = [f"{clock}: " + ", ".join(self._of(clock)) for clock in Clock]
        return f"{self.total():,} values compared ({'; '.join(parts)})"

    def _of(self, clock: Clock) -> list[str]:
        return [f"{interval} {self[clock, interval]:,}" for interval in clock.intervals if self[clock, interval]]


def compare(lake: Lake, reader: Reader, since: int, until: int, *, seconds: bool = True) -> Compared:
    """Build, and compare the last row that was told of each bar with the published one.

    Args:
        lake: Holds all ticks.
        reader: What was told.
        since: Every bar that starts at or after this time, µs, must have been told,
        until: if it is over at this time, µs.
        seconds: Whether that holds for bars below a minute.
    """
    build(lake)
    first = min((bar.time for bar in reader.rows), default=since)
    told_seconds = any(Interval(bar.interval).sub_minute for bar in reader.rows)  # corrections are told in any case
    bars = published(lake, min(first, since), seconds=seconds or told_seconds)
    compared = Compared()
    for bar, rows in reader.rows.items():
        assert bar in bars, (bar, values_of(rows[-1]))
        assert differences(values_of(rows[-1]), bars[bar]) == {}, bar
        compared[Clock(bar.clock), Interval(bar.interval)] += len(bars[bar])
    missing = [
        bar
        for bar in bars.keys() - reader.rows.keys()
        if since <= bar.time and bar.end <= until and (seconds or not Interval(bar.interval).sub_minute)
    ]
    assert not missing, sorted(missing, key=lambda bar: bar.time)[:20]
    return compared
