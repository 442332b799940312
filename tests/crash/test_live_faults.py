"""Parts of a running installation are killed and stopped while clients listen: no wrong row without a word."""

from __future__ import annotations

import math
import sys
import time
from contextlib import closing
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import polars as pl
import pytest
from tests.crash.live_installation import Installation, Mock, installation, wait_until
from tests.crash.live_listeners import Listener, Ours, Plain, Series, Told
from tests.soak import SOAK

from aperiodic.catalog import DATASETS
from aperiodic.engine.build import build
from aperiodic.engine.normalising import Normaliser
from aperiodic.lake import Lake, ObjectKind, Settings
from aperiodic.market import Clock, Exchange, Interval, Symbol
from aperiodic.market.time import now_us
from aperiodic.mock import Fault
from aperiodic.server.queries.verdicts import with_verdicts

if TYPE_CHECKING:
    from pathlib import Path

    import aperiodic

pytestmark = pytest.mark.crash

Bars = dict[Series, dict[int, dict[str, Any]]]

LISTENED = ("ohlcv", "flow", "l1_price")
MARKETS = {
    Exchange.BINANCE_FUTURES: ("perpetual-BTC-USDT:USDT", "perpetual-ETH-USDT:USDT"),
    Exchange.HYPERLIQUID_PERPS: ("perpetual-BTC-USDC:USDC",),
}
SHORT = ("kill live", "kill capture and serve")
LONG = (
    "kill capture",
    "kill normalise",
    "kill live",
    "kill serve",
    "stop capture",
    "stop live",
    "stop normalise",
    "stop serve",
    "stall",
    "stall trades",
    "cut",
    "kill live and serve",
    "kill normalise and live",
)
PAUSE_S = 10.0
SLACK_US = 15_000_000
"""A bar that ended so long before a connection was lost may not have been told yet."""


def channels(exchanges: list[Exchange]) -> list[aperiodic.StreamChannel]:
    """What is listened to: 1s and 1m, on both clocks where there are bars."""
    return [
        {"dataset": dataset, "exchange": exchange, "interval": interval, "timestamp": clock}
        for dataset in LISTENED
        for exchange in exchanges
        for interval, clock in (("1s", "true"), ("1m", "true"), ("1m", "exchange"))
    ]


def series_of(markets: dict[Exchange, tuple[str, ...]], interval: str) -> list[Series]:
    return [
        (".".join(str(part) for part in each.values()), symbol)
        for each in channels(list(markets))
        if each["interval"] == interval
        for symbol in markets[Exchange(each["exchange"])]
    ]


def disturb(fault: str, at: Installation, mock: Mock, exchanges: list[Exchange]) -> None:
    """Let something go wrong, and come to its end."""
    what, _, names = fault.partition(" ")
    if what == "kill":
        for name in names.split(" and "):
            at.kill(name)
    elif what == "stop":
        with at.stopped(names):
            time.sleep(PAUSE_S)
    else:
        for exchange in exchanges:
            kind = {"stall": "stall", "cut": "disconnect"}[what]
            mock.disturb(Fault(0.0, exchange, kind, stream=names, seconds=PAUSE_S))  # type: ignore[arg-type]
        time.sleep(PAUSE_S)


def published(home: Path) -> Bars:
    """Return the bars that the build makes of everything that was recorded, and whether they are complete."""
    found: Bars = {}
    with closing(Lake.open(Settings(home=home))) as lake:
        Normaliser(lake).run_once()
        build(lake)
        records = [record for record in lake.current(ObjectKind.BARS) if record.key.interval in {"1s", "1m"}]
        with lake.engine.connect() as connection:
            for key, path in ((record.key, record.path) for record in records if record.key.dataset in LISTENED):
                of = DATASETS[key.dataset], Exchange(key.exchange), Interval(key.interval), Clock(key.clock)
                ((_, bars),) = with_verdicts(connection, *of, [(key.symbol, lake.store.read_parquet(path))])
                rows = bars.with_columns(pl.col("time").to_physical()).to_dicts()
                series = f"{key.dataset}.{key.exchange}.{key.interval}.{key.clock}", key.symbol
                found.setdefault(series, {}).update({row["time"]: row for row in rows})
    return found


def same(row: dict[str, Any], bar: dict[str, Any]) -> bool:
    """Whether a row tells the values of a bar; null stands for what is not a number."""
    return all(
        row.get(name) == (None if isinstance(value, float) and math.isnan(value) else value)
        for name, value in bar.items()
        if name != "complete"
    )


class Verdict:
    """What one listener was told, compared with what is published.

    Attributes:
        wrong: Rows that are others and do not say that they are incomplete.
        unsaid: Rows of the last stretch that say that they are complete, though ticks are known to be missing since before
            the last fault. Who begins again without asking for what was told meanwhile does not hear of earlier ones.
        missing: Bars between two rows of the same stretch that were not told, nor known as a gap.
        twice: Rows that came again without a higher revision.
    """

    def __init__(self, bars: Bars, stretches: list[Told], gaps: list[tuple[int, int]], last_fault: int) -> None:
        self.equal = self.cells = self.incomplete = self.corrected = self.untold = 0
        self.wrong: list[object] = []
        self.unsaid: list[object] = []
        self.missing: list[object] = []
        self.twice: list[object] = []
        last: dict[tuple[Series, int], dict[str, Any]] = {}
        for told in stretches:
            for series, rows in told.rows.items():
                seen: dict[int, int] = {}
                for row in rows:
                    if seen.get(row["time"], -1) >= row["revision"]:
                        self.twice.append((series, row))
                    seen[row["time"]] = row["revision"]
                    last[series, row["time"]] = row
                new = [
                    row["time"] for row in rows if not row.get("snapshot")
                ]  # between it and the first row others can be
                if not new:
                    continue
                length = Interval(rows[0]["interval"]).microseconds
                untold = [at for at in bars.get(series, {}) if min(new) <= at <= max(new) and at not in seen]
                self.untold += len(untold)
                self.missing += [
                    (series, at)
                    for at in untold
                    if not any(lost <= at + length + SLACK_US and at <= again for lost, again in gaps)
                ]
        for (series, at), row in last.items():
            bar = bars.get(series, {}).get(at)
            self._compare(series, row, bar)
            is_new = any(row is known for known in stretches[-1].rows.get(series, ()))
            if bar is not None and row["complete"] and not bar["complete"] and is_new and at < last_fault:
                self.unsaid.append((series, row))

    def _compare(self, series: Series, row: dict[str, Any], bar: dict[str, Any] | None) -> None:
        self.corrected += row["revision"] > 0
        self.incomplete += not row["complete"]
        if bar is not None and same(row, bar):
            self.equal += 1
            self.cells += len(bar) - 1
        elif row["complete"]:
            self.wrong.append((series, row, bar))

    def __str__(self) -> str:
        return (
            f"{self.equal:,} rows ({self.cells:,} values) are the published ones, {self.incomplete:,} said to be incomplete, "
            f"{self.corrected:,} corrected, {self.untold:,} bars not told in a stretch; wrong {len(self.wrong)}, "
            f"gaps unsaid {len(self.unsaid)}, missing {len(self.missing)}, twice {len(self.twice)}"
        )


def micros(gaps: list[tuple[datetime, datetime]]) -> list[tuple[int, int]]:
    return [(int(begin.timestamp() * 1e6), int(end.timestamp() * 1e6)) for begin, end in gaps]


def test_no_row_is_wrong_or_missing_without_a_word_whatever_fails(tmp_path: Path) -> None:
    exchanges = [Exchange.BINANCE_FUTURES] if SOAK == 1 else list(MARKETS)
    faults = SHORT if SOAK == 1 else LONG
    markets = {of: MARKETS[of] for of in exchanges} if SOAK > 1 else {exchanges[0]: MARKETS[exchanges[0]][:1]}
    symbols = [symbol for some in markets.values() for symbol in some]
    listening = channels(exchanges)
    home = tmp_path / "home"
    home.mkdir()
    seconds = series_of(markets, "1s")
    with (
        Mock([(of, Symbol.parse(symbol)) for of, some in markets.items() for symbol in some]) as mock,
        installation(home, mock, exchanges, symbols, {"APERIODIC_LIVE_REPAIR_S": "5"}) as at,
    ):
        at.wait_until_served()
        with Ours(at, listening) as ours, Plain(at, listening) as plain:
            everyone: list[Listener] = [ours, plain]

            def wait_for(series: list[Series], since: int, what: str) -> None:
                def here() -> bool:
                    failed = [each.failure for each in everyone if each.failure is not None]
                    assert not failed, failed
                    return all(each.reached(one) > since for each in everyone for one in series)

                wait_until(here, what)

            begun = now_us()
            wait_for(seconds, begun, "rows come at all")
            last_fault = begun
            for fault in faults:
                last_fault = now_us()
                sys.stdout.write(f"{datetime.now(UTC):%H:%M:%S} {fault}\n")
                disturb(fault, at, mock, exchanges)
                wait_for(seconds, now_us(), f"rows come again after: {fault}")
                if SOAK > 1:
                    time.sleep(10)
            wait_for(series_of(markets, "1m"), now_us() - 60_000_000, "the last minute is told")
            time.sleep(15 if SOAK == 1 else 40)  # what is to be corrected is corrected
    bars = published(home)
    gaps = micros(ours.gaps)

    verdicts = {
        "ours": Verdict(bars, ours.told, gaps, last_fault),
        "plain": Verdict(bars, plain.told, [], last_fault),
    }
    for name, verdict in verdicts.items():
        sys.stdout.write(f"{name}: {verdict}\n")
    sys.stdout.write(f"closes {plain.closes}, gaps {gaps}\n")
    for name, verdict in verdicts.items():
        assert verdict.equal, name
        for problems in (verdict.wrong, verdict.unsaid, verdict.missing, verdict.twice):
            assert problems == [], (name, problems[:3])
