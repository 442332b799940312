"""A recorder that misses ticks for a while: parts of ticks in a lake, and when it recorded them."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Final

import polars as pl
from tests.lakes import BTC, VENUE

from aperiodic.completeness.recorded import Recorded, add_recorded
from aperiodic.engine.parts import append_ticks
from aperiodic.lake import Scope
from aperiodic.market import Source, Stream, tick_schema

if TYPE_CHECKING:
    from sqlalchemy import Connection

    from aperiodic.lake import Lake

SECOND: Final = 1_000_000
LATENCY: Final = 50_000
STREAMS: Final = (Stream.TRADES, Stream.QUOTES)


def record(lake: Lake, begin: int, first: int, last: int, *, streams: tuple[Stream, ...] = STREAMS) -> None:
    """Record streams from second `first` after `begin` (µs) until before `last`: an event of each a second."""
    with lake.writing(Scope(VENUE, str(BTC), "parts")):
        batch = lake.batch()
        for stream in streams:
            append_ticks(lake, batch, stream, VENUE, BTC, _ticks(stream, begin, first, last), Source.RECORDING)
        batch.change(partial(_recorded, begin + first * SECOND, begin + last * SECOND, streams))
        batch.commit()


def _recorded(begin: int, end: int, streams: tuple[Stream, ...], connection: Connection) -> None:
    whole = Recorded(begin, end, begin, end, ends="disconnect")
    add_recorded(connection, VENUE, {(str(BTC), stream): [whole] for stream in streams})


def _ticks(stream: Stream, begin: int, first: int, last: int) -> pl.DataFrame:
    rows: list[tuple[object, ...]] = []
    for second in range(first, last):
        at = begin + second * SECOND + SECOND // 10
        price, number = 100.0 + second % 13 / 8, 1_000_000 + second
        if stream is Stream.TRADES:
            rows.append((at, at + LATENCY, str(number), "buy" if second % 3 else "sell", price, 1.5, number))
        else:
            rows.append((at, at + LATENCY, price - 0.5, 2.0, price + 0.5, 1.0 + second % 2, number))
    schema = tick_schema(stream)
    plain = {name: pl.Int64() if isinstance(dtype, pl.Datetime) else dtype for name, dtype in schema.items()}
    return pl.DataFrame(rows, schema=pl.Schema(plain), orient="row").cast(schema)
