"""Bars as a lazy frame: what a query does not need is not fetched."""

from __future__ import annotations

from collections import deque
from dataclasses import replace
from typing import TYPE_CHECKING, Final, Protocol, TypeVar

import polars as pl
from polars.io.plugins import register_io_source

from aperiodic.catalog import TIME_COLUMN
from aperiodic.client.fetch import remarks_of
from aperiodic.client.files import Meters
from aperiodic.client.series import find_schema, find_series
from aperiodic.client.time_bounds import time_bounds
from aperiodic.market import DAY_US, InvalidInputError
from aperiodic.market.time import day_start_us, time_at

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine, Iterator
    from concurrent.futures import Future
    from typing import Any

    from aperiodic.client.bars_request import BarsRequest
    from aperiodic.client.series import Series
    from aperiodic.client.session import Session

__all__ = ["Runner", "scan"]

_AHEAD: Final = 4
"""Files that are fetched before they are needed; so many are in memory at the same time."""

T = TypeVar("T")


class Runner(Protocol):
    """Runs work with the connections of a client."""

    def submit(self, work: Callable[[Session], Coroutine[Any, Any, T]]) -> Future[T]:
        """Begin it."""
        ...


def scan(runner: Runner, request: BarsRequest) -> pl.LazyFrame:
    """Return a lazy frame of a request.

    Args:
        runner: Does the work when the frame is collected.
        request: Which series; of one dataset.

    Raises:
        InvalidInputError: The server does not know a name; `one_metric`, `unknown_shape` or `unknown_fill`.
    """
    if len(request.datasets) > 1:
        raise InvalidInputError(
            "A lazy frame is of one dataset.",
            code="one_metric",
            hint="Scan each dataset, and join the lazy frames on exchange, symbol and time.",
        )
    if request.shape != "long":
        raise InvalidInputError(
            "A lazy frame is long.", code="unknown_shape", hint="Leave out shape, and pivot after collecting."
        )
    request.refuse_fill()
    schema = runner.submit(lambda session: _schema(session, request)).result()

    def source(
        columns: list[str] | None, predicate: pl.Expr | None, rows: int | None, _batch: int | None
    ) -> Iterator[pl.DataFrame]:
        names = list(schema) if columns is None else columns
        wanted = (
            None if columns is None else tuple(name for name in columns if name not in {TIME_COLUMN, *request.keys})
        )
        narrowed = _narrowed(request, wanted, predicate)
        left = rows
        for frame in _frames(runner, narrowed) if narrowed is not None else ():
            lacking = [pl.lit(None).alias(name) for name in names if name not in frame.columns]
            shown = frame.with_columns(lacking).select(names).cast({name: schema[name] for name in names})
            shown = shown if predicate is None else shown.filter(predicate)
            shown = shown if left is None else shown.head(left)
            yield shown
            if left is not None:
                left -= shown.height
                if left <= 0:
                    return

    return register_io_source(source, schema=schema, is_pure=True)


async def _schema(session: Session, request: BarsRequest) -> pl.Schema:
    return pl.Schema({**dict.fromkeys(request.keys, pl.Categorical()), **await find_schema(session, request)})


def _narrowed(request: BarsRequest, columns: tuple[str, ...] | None, predicate: pl.Expr | None) -> BarsRequest | None:
    """Return the request for what a query needs; None when that is nothing."""
    first, last = time_bounds(predicate)
    start, end = request.first.start, request.first.end
    begin_us, end_us = day_start_us(start), day_start_us(end) + DAY_US - 1
    if first > end_us or last < begin_us:
        return None
    start, end = time_at(max(first, begin_us)).date(), time_at(min(last, end_us)).date()
    if columns is None:
        return replace(request, each=tuple(replace(one, start=start, end=end) for one in request.each))
    each = tuple(replace(one, start=start, end=end, columns=columns) for one in request.each)
    return replace(request, each=each, columns=None)


def _frames(runner: Runner, request: BarsRequest) -> Iterator[pl.DataFrame]:
    """Yield the files one after the other, while the next ones are fetched."""
    found = runner.submit(lambda session: find_series(session, request)).result()
    remarks_of(found).tell(stacklevel=2)
    jobs = ((one, link) for one in found for link in one.links.files())
    meters = Meters([])
    waiting: deque[tuple[Series, Future[pl.DataFrame]]] = deque()
    try:
        while True:
            while len(waiting) < _AHEAD and (job := next(jobs, None)) is not None:
                series, link = job
                waiting.append((series, runner.submit(lambda _, series=series, link=link: series.file(link, meters))))  # type: ignore[misc]
            if not waiting:
                return
            series, future = waiting.popleft()
            yield _named(future.result(), series, request.keys)
    finally:
        for _, future in waiting:
            future.cancel()


def _named(frame: pl.DataFrame, series: Series, keys: tuple[str, ...]) -> pl.DataFrame:
    values = {"exchange": series.request.exchange, "symbol": str(series.request.symbol)}
    return frame.with_columns(pl.lit(values[name]).cast(pl.Categorical).alias(name) for name in keys)
