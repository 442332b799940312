"""The public functions' signatures as types: each frame library and each of call and await, from one declaration."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal, Protocol, TypeAlias, TypeVar, overload

from aperiodic.client.request import REQUIRED

if TYPE_CHECKING:
    import os
    from collections.abc import Coroutine
    from pathlib import Path

    import pandas as pd  # type: ignore[import-not-found,import-untyped,unused-ignore]  # need not be installed
    import polars as pl

    from aperiodic.client.types import Day, Exchange, Interval, OnIncomplete, RawDataset, TimestampType

__all__ = [
    "DownloadAsync",
    "DownloadBlocking",
    "MetricAsync",
    "MetricBlocking",
    "RawAsync",
    "RawBlocking",
    "SeriesAsync",
    "SeriesBlocking",
]

Metric_contra = TypeVar("Metric_contra", contravariant=True)
Polars_co = TypeVar("Polars_co", covariant=True)
Pandas_co = TypeVar("Pandas_co", covariant=True)
Paths_co = TypeVar("Paths_co", covariant=True)


class SeriesFunction(Protocol[Polars_co, Pandas_co]):
    """Fetches one fixed dataset."""

    @overload
    def __call__(
        self,
        api_key: str | None = None,
        timestamp: TimestampType = "exchange",
        interval: Interval = REQUIRED,
        exchange: Exchange = REQUIRED,
        symbol: str = REQUIRED,
        start_date: Day = REQUIRED,
        end_date: Day = REQUIRED,
        base_url: str | None = None,
        show_progress: bool = True,
        max_concurrent: int = 10,
        *,
        output: Literal["polars"] = "polars",
        preview: bool = False,
        on_incomplete: OnIncomplete = "warn",
    ) -> Polars_co: ...

    @overload
    def __call__(
        self,
        api_key: str | None = None,
        timestamp: TimestampType = "exchange",
        interval: Interval = REQUIRED,
        exchange: Exchange = REQUIRED,
        symbol: str = REQUIRED,
        start_date: Day = REQUIRED,
        end_date: Day = REQUIRED,
        base_url: str | None = None,
        show_progress: bool = True,
        max_concurrent: int = 10,
        *,
        output: Literal["pandas"],
        preview: bool = False,
        on_incomplete: OnIncomplete = "warn",
    ) -> Pandas_co: ...


class MetricFunction(Protocol[Metric_contra, Polars_co, Pandas_co]):
    """Fetches the dataset that the caller names."""

    @overload
    def __call__(
        self,
        api_key: str | None = None,
        metric: Metric_contra = REQUIRED,
        timestamp: TimestampType = "exchange",
        interval: Interval = REQUIRED,
        exchange: Exchange = REQUIRED,
        symbol: str = REQUIRED,
        start_date: Day = REQUIRED,
        end_date: Day = REQUIRED,
        base_url: str | None = None,
        show_progress: bool = True,
        max_concurrent: int = 10,
        *,
        output: Literal["polars"] = "polars",
        preview: bool = False,
        on_incomplete: OnIncomplete = "warn",
    ) -> Polars_co: ...

    @overload
    def __call__(
        self,
        api_key: str | None = None,
        metric: Metric_contra = REQUIRED,
        timestamp: TimestampType = "exchange",
        interval: Interval = REQUIRED,
        exchange: Exchange = REQUIRED,
        symbol: str = REQUIRED,
        start_date: Day = REQUIRED,
        end_date: Day = REQUIRED,
        base_url: str | None = None,
        show_progress: bool = True,
        max_concurrent: int = 10,
        *,
        output: Literal["pandas"],
        preview: bool = False,
        on_incomplete: OnIncomplete = "warn",
    ) -> Pandas_co: ...


class RawFunction(Protocol[Polars_co, Pandas_co]):
    """Loads raw ticks."""

    @overload
    def __call__(
        self,
        api_key: str | None = None,
        *,
        dataset: RawDataset = REQUIRED,
        exchange: Exchange = REQUIRED,
        symbol: str = REQUIRED,
        start_date: Day = REQUIRED,
        end_date: Day = REQUIRED,
        base_url: str | None = None,
        show_progress: bool = True,
        max_concurrent: int = 10,
        output: Literal["polars"] = "polars",
        preview: bool = False,
        on_incomplete: OnIncomplete = "warn",
    ) -> Polars_co: ...

    @overload
    def __call__(
        self,
        api_key: str | None = None,
        *,
        dataset: RawDataset = REQUIRED,
        exchange: Exchange = REQUIRED,
        symbol: str = REQUIRED,
        start_date: Day = REQUIRED,
        end_date: Day = REQUIRED,
        base_url: str | None = None,
        show_progress: bool = True,
        max_concurrent: int = 10,
        output: Literal["pandas"],
        preview: bool = False,
        on_incomplete: OnIncomplete = "warn",
    ) -> Pandas_co: ...


class DownloadFunction(Protocol[Paths_co]):
    """Keeps raw ticks on disk."""

    def __call__(
        self,
        api_key: str | None = None,
        *,
        dataset: RawDataset = REQUIRED,
        exchange: Exchange = REQUIRED,
        symbol: str = REQUIRED,
        start_date: Day = REQUIRED,
        end_date: Day = REQUIRED,
        output_dir: str | os.PathLike[str] = REQUIRED,
        overwrite: bool = False,
        base_url: str | None = None,
        show_progress: bool = True,
        max_concurrent: int = 4,
        preview: bool = False,
        on_incomplete: OnIncomplete = "warn",
    ) -> Paths_co: ...


SeriesBlocking: TypeAlias = "SeriesFunction[pl.DataFrame, pd.DataFrame]"
SeriesAsync: TypeAlias = "SeriesFunction[Coroutine[Any, Any, pl.DataFrame], Coroutine[Any, Any, pd.DataFrame]]"
MetricBlocking: TypeAlias = "MetricFunction[Metric_contra, pl.DataFrame, pd.DataFrame]"
MetricAsync: TypeAlias = (
    "MetricFunction[Metric_contra, Coroutine[Any, Any, pl.DataFrame], Coroutine[Any, Any, pd.DataFrame]]"
)
RawBlocking: TypeAlias = "RawFunction[pl.DataFrame, pd.DataFrame]"
RawAsync: TypeAlias = "RawFunction[Coroutine[Any, Any, pl.DataFrame], Coroutine[Any, Any, pd.DataFrame]]"
DownloadBlocking: TypeAlias = "DownloadFunction[list[Path]]"
DownloadAsync: TypeAlias = "DownloadFunction[Coroutine[Any, Any, list[Path]]]"
