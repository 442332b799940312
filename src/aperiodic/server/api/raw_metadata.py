"""Which raw ticks are held, and what their columns mean: `/api/v1/metadata/raw`."""

import time
from collections.abc import Callable, Sequence
from datetime import date
from itertools import groupby
from typing import Any, Final

import msgspec
from litestar import Request
from litestar.di import NamedDependency

from aperiodic.completeness.tick_days import TickDays, read_tick_days
from aperiodic.lake import Lake
from aperiodic.market import Exchange, Stream
from aperiodic.market.ticks import TICK_SCHEMA_VERSION, tick_columns
from aperiodic.server.api.data import overall_source
from aperiodic.server.api.example_values import BTC, REQUEST_ID, VENUE
from aperiodic.server.cache import Cached
from aperiodic.server.endpoints import RATE, Answer, Endpoint, serve
from aperiodic.server.error_codes import ErrorCode
from aperiodic.server.errors import request_id
from aperiodic.server.service import Service
from aperiodic.venues import has_modelled_time

__all__ = ["HeldTicks", "RawMetadataAnswer", "get_raw_metadata"]

_CACHED_S: Final = 5.0


class RawColumnEntry(msgspec.Struct):
    """One column of a raw file.

    Attributes:
        name: Column name.
        type: Polars type.
        unit: Unit of the values; empty where there is none.
        description: What it holds, and when it is null.
    """

    name: str
    type: str
    unit: str
    description: str


class RawDatasetEntry(msgspec.Struct):
    """The files of a dataset.

    Attributes:
        columns: Their columns, in order.
        schema_version: Counts up when a column is added, dropped or means something else.
    """

    columns: list[RawColumnEntry]
    schema_version: int


class RawSummaryEntry(msgspec.Struct):
    """A dataset of a venue.

    Attributes:
        dataset: Tick stream.
        exchange: Venue.
        symbols: Number of symbols.
        first: First UTC day of any of them.
        last: Last UTC day of any of them.
        days: Days held, summed over symbols; one file each.
        missing: Days not held between the first and the last of each symbol, summed.
        bytes: Size of the files.
        source: `simulated` when any is; else `recording`, `tardis` or `archive`, `mixed` for several.
        exchange_timestamp_kind: `matching_engine`; `modelled` where the venue sends no time of its own, so that the
            arrival time stands in. Single files may differ: each says so itself.
    """

    dataset: str
    exchange: str
    symbols: int
    first: date
    last: date
    days: int
    missing: int
    bytes: int
    source: str | None
    exchange_timestamp_kind: str


class RawCoverageEntry(msgspec.Struct):
    """A dataset of a symbol.

    Attributes:
        first: First UTC day with ticks.
        last: Last UTC day with ticks.
        days: Number of UTC days with ticks, one file each.
        missing: Number of UTC days without between the first and the last.
        bytes: Size of the files.
        source: As in the summary.
    """

    first: date
    last: date
    days: int
    missing: int
    bytes: int
    source: str | None


class RawMetadataAnswer(msgspec.Struct):
    """What is held of raw ticks.

    Attributes:
        datasets: All datasets by name.
        summary: One row for each dataset and venue that holds something.
        coverage: By dataset, exchange and symbol.
        request_id: Names the request.
    """

    datasets: dict[str, RawDatasetEntry]
    summary: list[RawSummaryEntry]
    coverage: dict[str, dict[str, dict[str, RawCoverageEntry]]]
    request_id: str


class HeldTicks:
    """What is held of ticks; the whole ledger has to be gone through, so it is kept for a while."""

    def __init__(self, lake: Lake, clock: Callable[[], float] = time.monotonic) -> None:
        """Know nothing yet.

        Args:
            lake: Whose ticks.
            clock: Seconds that only grow.
        """
        self._lake = lake
        self._cached: Cached[Sequence[TickDays]] = Cached((), _CACHED_S, clock)

    def get(self) -> Sequence[TickDays]:
        """Return what is held, or was a little while ago."""
        return self._cached.get(self._read)

    def _read(self) -> Sequence[TickDays]:
        with self._lake.engine.connect() as connection:
            return tuple(read_tick_days(connection))


_EXAMPLE: Final = RawMetadataAnswer(
    datasets={
        "trades": RawDatasetEntry(
            columns=[RawColumnEntry("price", "Float64", "quote units per base unit", "Price of the trade.")],
            schema_version=1,
        )
    },
    summary=[
        RawSummaryEntry(
            dataset="trades",
            exchange=VENUE,
            symbols=1,
            first=date(2025, 5, 1),
            last=date(2025, 5, 31),
            days=30,
            missing=1,
            bytes=1_143_447_060,
            source="recording",
            exchange_timestamp_kind="matching_engine",
        )
    ],
    coverage={
        "trades": {
            VENUE: {BTC: RawCoverageEntry(date(2025, 5, 1), date(2025, 5, 31), 30, 1, 1_143_447_060, "recording")}
        }
    },
    request_id=REQUEST_ID,
)


@serve(
    Endpoint(
        route="/api/v1/metadata/raw",
        name="get_raw_metadata",
        tag="metadata",
        summary="Raw ticks held",
        description="Columns of every raw dataset, and first and last day by venue and symbol. Needs no key.",
        answers=(Answer("What is held.", _EXAMPLE, headers=RATE),),
        refusals=(ErrorCode.RATE_LIMITED, ErrorCode.UNAVAILABLE),
        security=None,
    ),
    sync_to_thread=True,
)
def get_raw_metadata(
    request: Request[Any, Any, Any], service: NamedDependency[Service], held_ticks: NamedDependency[HeldTicks]
) -> RawMetadataAnswer:
    """Answer with the raw datasets and what is held of them; needs no key."""
    service.admit(request, None)
    held = sorted(held_ticks.get(), key=_order)
    grouped = [(stream, exchange, list(rows)) for (stream, exchange), rows in groupby(held, key=_order)]
    coverage: dict[str, dict[str, dict[str, RawCoverageEntry]]] = {}
    for stream, exchange, rows in grouped:
        coverage.setdefault(stream, {})[exchange] = {row.symbol: _entry(row) for row in rows}
    return RawMetadataAnswer(
        datasets=_DATASETS,
        summary=[_summary(stream, exchange, rows) for stream, exchange, rows in grouped],
        coverage=coverage,
        request_id=request_id(request.scope),
    )


def _order(row: TickDays) -> tuple[Stream, Exchange]:
    return Stream(row.stream), Exchange(row.exchange)


def _entry(row: TickDays) -> RawCoverageEntry:
    return RawCoverageEntry(row.first, row.last, row.days, row.missing, row.size, overall_source(set(row.sources)))


def _summary(stream: Stream, exchange: Exchange, rows: list[TickDays]) -> RawSummaryEntry:
    return RawSummaryEntry(
        dataset=stream,
        exchange=exchange,
        symbols=len(rows),
        first=min(row.first for row in rows),
        last=max(row.last for row in rows),
        days=sum(row.days for row in rows),
        missing=sum(row.missing for row in rows),
        bytes=sum(row.size for row in rows),
        source=overall_source({source for row in rows for source in row.sources}),
        exchange_timestamp_kind="modelled" if has_modelled_time(exchange, stream) else "matching_engine",
    )


def _dataset(stream: Stream) -> RawDatasetEntry:
    columns = [
        RawColumnEntry(column.name, str(column.type), column.unit, column.description)
        for column in tick_columns(stream)
    ]
    return RawDatasetEntry(columns, TICK_SCHEMA_VERSION)


_DATASETS: Final = {str(stream): _dataset(stream) for stream in Stream}
