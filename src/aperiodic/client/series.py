"""The series of a request: their links, and frames of their files."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import partial
from typing import TYPE_CHECKING

import polars as pl

from aperiodic.catalog import DATASETS, TIME_COLUMN
from aperiodic.client.columns import Columns
from aperiodic.client.download import all_of
from aperiodic.client.files import Meters, Wanted
from aperiodic.client.forks import refuse_after_fork
from aperiodic.client.frames import join, unique_times
from aperiodic.client.names import ServerNames

if TYPE_CHECKING:
    from aperiodic.client.bars_request import BarsRequest
    from aperiodic.client.links import FileLink, Links
    from aperiodic.client.request import DataRequest
    from aperiodic.client.session import Session

__all__ = ["Series", "find_schema", "find_series"]


@dataclass(slots=True)
class Series:
    """One dataset of one instrument.

    Attributes:
        session: What to fetch with.
        request: Which one.
        links: Its files.
        names: What the server says of its columns.
        parts: What `frame` was made of.
    """

    session: Session
    request: DataRequest
    links: Links
    names: ServerNames
    parts: list[pl.DataFrame] = field(init=False, default_factory=list, repr=False)
    _columns: Columns = field(init=False, repr=False)
    _wanted: Wanted = field(init=False, repr=False)

    def __post_init__(self) -> None:
        request = self.request
        self._wanted = Wanted(TIME_COLUMN, request.start, request.end, _chosen(request))
        self._columns = _columns_of(request, self.names)

    async def file(self, link: FileLink, meters: Meters) -> pl.DataFrame:
        """Return what is wanted of one file.

        Raises:
            DownloadError: It could not be fetched or is not what it should be.
        """
        async with self.session.slots:
            newest = self.links.current(link.key)
            frame = await self.session.files.frame(self.links, newest, self._wanted, meters.of(newest))
        await self._columns.check(frame.schema, link)
        return frame

    async def frame(self, meters: Meters) -> pl.DataFrame:
        """Return all of it; raises as `file`, or `unexpected_schema` when the files do not fit together."""
        self.parts = await all_of(self.file(link, meters) for link in self.links.files())
        return unique_times(join(self.parts, await self._columns.of(self.parts)))

    async def schema(self) -> pl.Schema:
        """Return the columns that it has, as far as this version or the server says."""
        return await self._columns.of([])


async def find_series(session: Session, request: BarsRequest) -> list[Series]:
    """Ask for the links of all series.

    Raises:
        InvalidInputError: The server does not know a name.
        APIError: The server answered with an error.
        AperiodicDataError: `server_unreachable`.
    """
    request, names = await checked(session, request)
    links = await all_of(session.links(one) for one in request.each)
    return [Series(session, one, its, names) for one, its in zip(request.each, links, strict=True)]


async def find_schema(session: Session, request: BarsRequest) -> pl.Schema:
    """Return the columns of the first series, as far as this version or the server says; raises as `checked`."""
    request, names = await checked(session, request)
    return await _columns_of(request.first, names).of([])


def _chosen(request: DataRequest) -> tuple[str, ...] | None:
    return None if request.columns is None else (TIME_COLUMN, *request.columns)


def _columns_of(request: DataRequest, names: ServerNames) -> Columns:
    known = DATASETS[request.metric].schema if request.metric in DATASETS else pl.Schema()
    return Columns(known, partial(names.metric_columns, request.metric), chosen=_chosen(request))


async def checked(session: Session, request: BarsRequest) -> tuple[BarsRequest, ServerNames]:
    """Check the names of a request with what the server knows; return it with the columns of each dataset.

    Raises:
        InvalidInputError: Neither this version nor the server knows a name.
    """
    refuse_after_fork()
    names = ServerNames(session.transport, request.first.account.base_url)
    for metric in request.datasets:
        await names.check_metric(metric, request.first.family)
    await names.check_interval(request.first.interval)
    for exchange in dict.fromkeys(one.exchange for one in request.each):
        await names.check_exchange(exchange)
    if request.columns is not None:
        request = request.narrowed(await names.find_columns(request.columns, request.datasets))
    return request, names
