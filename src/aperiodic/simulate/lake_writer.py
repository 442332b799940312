"""Writing simulated days into the lake, labelled as simulated."""

from __future__ import annotations

import hashlib
from datetime import date, timedelta
from functools import partial
from typing import TYPE_CHECKING, Final

from aperiodic.completeness.gaps import Span, add_spans
from aperiodic.completeness.recorded import add_recorded, whole_days
from aperiodic.lake import Lake, NewObject, ObjectKey, ObjectKind, Scope
from aperiodic.lake.writing import parquet_bytes
from aperiodic.market import DAY_US, InvalidInputError, Source, Stream
from aperiodic.market.time import day_start_us
from aperiodic.simulate.market import simulate_day

if TYPE_CHECKING:
    from collections.abc import Callable, Collection

    import polars as pl

    from aperiodic.lake.lake import Batch
    from aperiodic.simulate.session import MarketSpec

__all__ = ["simulate_into"]

_VERSION: Final = 1
"""Raised whenever the simulator would give other ticks for the same arguments."""


def simulate_into(
    lake: Lake,
    spec: MarketSpec,
    start: date,
    end: date,
    streams: Collection[Stream],
    *,
    progress: Callable[[str, int, int], None] | None = None,
) -> int:
    """Simulate the days from `start` to `end` inclusive; days that are there already are left alone.

    Args:
        lake: The installation.
        spec: The market.
        start: First UTC day.
        end: Last UTC day.
        streams: Tick streams to write.
        progress: Called with a title, the days done and the days in all.

    Returns:
        The number of days that were written.

    Raises:
        InvalidInputError: `source_conflict` when the instrument holds ticks that were recorded, bought or simulated
            with other arguments.
        LakeError: When the store or the ledger fails or another writer runs; finished days stay.
    """
    days = [start + timedelta(days=offset) for offset in range((end - start).days + 1)]
    title = f"simulate {spec.symbol}"
    made = 0
    with lake.writing(Scope(spec.exchange, str(spec.symbol), "ticks")):
        there = _simulated_before(lake, spec)
        for done, day in enumerate(days, 1):
            missing = [stream for stream in streams if (stream, day.isoformat()) not in there]
            if missing:
                _write_day(lake.batch(), spec, day, simulate_day(spec, day, missing))
                made += 1
            if progress:
                progress(title, done, len(days))
    return made


def _simulated_before(lake: Lake, spec: MarketSpec) -> set[tuple[str, str]]:
    """Return which streams and days of this simulation are there; an instrument holds one simulation or none."""
    there: set[tuple[str, str]] = set()
    for record in lake.current(ObjectKind.TICKS, exchange=spec.exchange, symbol=str(spec.symbol)):
        stream, period = Stream(record.key.dataset), record.key.period
        if record.fingerprint != _fingerprint(spec, date.fromisoformat(period), stream):
            simulated = record.source == Source.SIMULATED
            held = "another simulation" if simulated else f"{stream} from a {record.source}"
            raise InvalidInputError(
                f"{spec.symbol} on {spec.exchange} already holds {held} ({period}).",
                code="source_conflict",
                hint="Simulate another symbol, or use another APERIODIC_HOME.",
            )
        there.add((stream, period))
    return there


def _write_day(batch: Batch, spec: MarketSpec, day: date, ticks: dict[Stream, pl.DataFrame]) -> None:
    for stream, frame in ticks.items():
        key = ObjectKey.ticks(stream, spec.exchange, spec.symbol, day)
        new = NewObject.of_ticks(key, frame, Source.SIMULATED, _fingerprint(spec, day, stream), "simulated")
        batch.put(new, parquet_bytes(frame))
        sequence = frame["sequence"]
        first, last = new.first_exchange, new.last_exchange
        numbered = stream is Stream.TRADES and not sequence.has_nulls()
        if numbered and first is not None and last is not None:
            span = Span(sequence[0] - 1, sequence[-1], first, last, "not_recorded")
            batch.change(partial(add_spans, exchange=spec.exchange, symbol=spec.symbol, stream=stream, runs=[span]))
    begin = day_start_us(day)
    recorded = {(str(spec.symbol), str(stream)): [whole_days(begin, begin + DAY_US)] for stream in ticks}
    batch.change(partial(add_recorded, exchange=spec.exchange, added=recorded))
    batch.commit()


def _fingerprint(spec: MarketSpec, day: date, stream: Stream) -> str:
    text = f"{_VERSION} {spec.exchange} {spec.symbol} {spec.seed} {spec.trades_per_day} {day} {stream}"
    return hashlib.sha256(text.encode()).hexdigest()
