"""Clients that keep a key, an address, connections and a cache."""

from __future__ import annotations

import weakref
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self, overload

from aperiodic.client.core import Core, Settings
from aperiodic.client.discover.methods import AsyncDiscovery, Discovery
from aperiodic.client.portal import Portal

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine, Sequence
    from concurrent.futures import Future
    from os import PathLike
    from types import TracebackType
    from typing import TypeVar, Unpack

    import pandas as pd  # type: ignore[import-not-found,import-untyped,unused-ignore]  # need not be installed
    import polars as pl

    from aperiodic.client.options import BarsOptions, PandasOptions, PandasRawOptions, RawOptions
    from aperiodic.client.session import Session
    from aperiodic.client.types import Exchange, Metric, RawDataset

    T = TypeVar("T")

__all__ = ["AsyncClient", "Client"]


class AsyncClient(AsyncDiscovery):
    """Asks one server, with `await`.

    Within `async with` all requests share connections; elsewhere each opens its own. Everything may run at the same
    time, within `max_concurrent` downloads.

    Args:
        api_key: Your key; by default APERIODIC_API_KEY.
        base_url: Address of the API; by default APERIODIC_API_URL, else that of the profile, else https://aperiodic.io/api/v1.
        cache: Folder in which files are kept once they were fetched, or False for none; by default
            APERIODIC_CACHE_DIR, else the user's cache folder, unless APERIODIC_CACHE is 0. What was used longest ago
            goes first above APERIODIC_CACHE_SIZE (10GB).
        max_concurrent: Downloads at the same time, 1 to 100.
        timeout: For how long the server may send nothing before a request fails (and is tried again), seconds.
        proxy: Address of a proxy; by default those of the environment.
        show_progress: Draw progress bars.
        offline: Send nothing: answer from the cache, or fail with the code `offline`; by default APERIODIC_OFFLINE.

    Raises:
        InvalidInputError: A value is not valid; its `code` says which and how.
    """

    def __init__(
        self,
        api_key: str | None = None,
        *,
        base_url: str | None = None,
        cache: bool | str | PathLike[str] | None = None,
        max_concurrent: int = 10,
        timeout: float = 60.0,
        proxy: str | None = None,
        show_progress: bool = True,
        offline: bool | None = None,
    ) -> None:
        self._core = Core(
            Settings.parse(
                api_key,
                base_url,
                cache,
                max_concurrent,
                timeout,
                proxy,
                show_progress=show_progress,
                offline=offline,
            )
        )

    def __repr__(self) -> str:
        return f"AsyncClient(base_url={self._core.settings.base_url!r})"

    async def __aenter__(self) -> Self:
        await self._core.open()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.aclose()

    async def aclose(self) -> None:
        """Close the shared connections; the client can be used further."""
        await self._core.close()

    @overload
    async def get_metrics(
        self, metric: Metric | str | Sequence[Metric | str], **options: Unpack[PandasOptions]
    ) -> pd.DataFrame: ...

    @overload
    async def get_metrics(
        self, metric: Metric | str | Sequence[Metric | str], **options: Unpack[BarsOptions]
    ) -> pl.DataFrame: ...

    async def get_metrics(self, metric: Any, **options: Any) -> pl.DataFrame | pd.DataFrame:
        """Fetch datasets of instruments; the same as `Client.get_metrics`."""
        return (await self._core.bars(self._core.request(metric, options))).hand_over(stacklevel=2)

    @overload
    async def get_raw(self, dataset: RawDataset | str, **options: Unpack[PandasRawOptions]) -> pd.DataFrame: ...

    @overload
    async def get_raw(self, dataset: RawDataset | str, **options: Unpack[RawOptions]) -> pl.DataFrame: ...

    async def get_raw(self, dataset: str, **options: Any) -> pl.DataFrame | pd.DataFrame:
        """Fetch raw ticks; the same as `Client.get_raw`."""
        return (await self._core.raw(self._core.raw_request(dataset, options))).hand_over(stacklevel=2)

    async def get_raw_coverage(self) -> dict[str, Any]:
        """Tell which raw ticks there are, as `aperiodic.get_raw_coverage` does."""
        return await self._core.raw_coverage()

    async def download_metrics(
        self, metric: Metric | str | Sequence[Metric | str], *, to: str | PathLike[str], **options: Unpack[BarsOptions]
    ) -> list[Path]:
        """Fetch the files of bars into a folder; the same as `Client.download_metrics`."""
        paths, remarks = await self._core.save(self._core.request(metric, options), Path(to))
        remarks.tell(stacklevel=2)
        return paths

    async def get_symbols(self, exchange: Exchange | str) -> list[str]:
        """List the instruments of a venue, as `aperiodic.get_symbols` does."""
        return await self._core.symbols(exchange)


class Client(Discovery):
    """Asks one server; its requests share connections, a cache, and one budget of downloads at the same time.

    It may be used by several threads, inside a running event loop (a notebook), and with `with`, which closes its
    connections at the end. A copy in another process (a fork, or pickle) begins with
    connections of its own.

    Args:
        api_key: As of `AsyncClient`, like all that follow.
        base_url: Address of the API.
        cache: Folder of files, or False.
        max_concurrent: Downloads at the same time.
        timeout: Seconds.
        proxy: Address of a proxy.
        show_progress: Draw progress bars.
        offline: Send nothing.

    Raises:
        InvalidInputError: A value is not valid; its `code` says which and how.
    """

    def __init__(
        self,
        api_key: str | None = None,
        *,
        base_url: str | None = None,
        cache: bool | str | PathLike[str] | None = None,
        max_concurrent: int = 10,
        timeout: float = 60.0,
        proxy: str | None = None,
        show_progress: bool = True,
        offline: bool | None = None,
    ) -> None:
        self._begin(
            Settings.parse(
                api_key,
                base_url,
                cache,
                max_concurrent,
                timeout,
                proxy,
                show_progress=show_progress,
                offline=offline,
            )
        )

    def __repr__(self) -> str:
        return f"Client(base_url={self._core.settings.base_url!r})"

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def __getstate__(self) -> Settings:
        return self._core.settings

    def __setstate__(self, settings: Settings) -> None:
        self._begin(settings)

    def close(self) -> None:
        """Close the connections; the client can be used further."""
        _close(self._core, self._portal)

    @overload
    def get_metrics(
        self, metric: Metric | str | Sequence[Metric | str], **options: Unpack[PandasOptions]
    ) -> pd.DataFrame: ...

    @overload
    def get_metrics(
        self, metric: Metric | str | Sequence[Metric | str], **options: Unpack[BarsOptions]
    ) -> pl.DataFrame: ...

    def get_metrics(self, metric: Any, **options: Any) -> pl.DataFrame | pd.DataFrame:
        """Fetch datasets of instruments, one of each or several, as one frame.

        Args:
            metric: Dataset, or several, which stand beside each other.
            options: As of `aperiodic.get_metrics`, by name: `symbol`, `exchange`, `interval`, `start_date`,
                `end_date` (required), `timestamp`, `columns`, `shape`, `fill`, `preview`, `on_incomplete`, `output`
                and `show_progress`.

        Returns:
            As `aperiodic.get_metrics`.

        Raises:
            AperiodicDataError: As `aperiodic.get_metrics`.
        """
        return self._run(self._core.bars(self._core.request(metric, options))).hand_over(stacklevel=2)

    @overload
    def get_raw(self, dataset: RawDataset | str, **options: Unpack[PandasRawOptions]) -> pd.DataFrame: ...

    @overload
    def get_raw(self, dataset: RawDataset | str, **options: Unpack[RawOptions]) -> pl.DataFrame: ...

    def get_raw(self, dataset: str, **options: Any) -> pl.DataFrame | pd.DataFrame:
        """Fetch raw ticks, as `aperiodic.get_raw` does; its options go by name."""
        return self._run(self._core.raw(self._core.raw_request(dataset, options))).hand_over(stacklevel=2)

    def get_raw_coverage(self) -> dict[str, Any]:
        """Tell which raw ticks there are, as `aperiodic.get_raw_coverage` does."""
        return self._run(self._core.raw_coverage())

    def scan_metrics(self, metric: Metric | str, **options: Unpack[BarsOptions]) -> pl.LazyFrame:
        """Return bars as a lazy frame: files are fetched when it is collected, and only what the query needs.

        Columns that are not needed and days that a filter on `time` leaves out are not transferred; files come one
        after the other, so that a range may be larger than memory (`sink_parquet`).

        Args:
            metric: Dataset.
            options: As of `get_metrics`; `symbol` and `exchange` may be lists.

        Returns:
            A lazy frame: `exchange` and `symbol` (categories) for what was given as a list, `time`, then the columns;
            instrument by instrument, each ascending in time.

        Raises:
            InvalidInputError: A value is missing or not valid.
            APIError: The server answered with an error; when collecting, like what follows.
            DownloadError: A file could not be fetched or is not what it should be.
            IncompleteDataError: Data is missing and on_incomplete is "raise".
        """
        from aperiodic.client.scan import scan  # noqa: PLC0415 (brings the HTTP library)

        return scan(self, self._core.request(metric, options))

    def download_metrics(
        self, metric: Metric | str | Sequence[Metric | str], *, to: str | PathLike[str], **options: Unpack[BarsOptions]
    ) -> list[Path]:
        """Fetch the files of bars into a folder, with a manifest of what they are.

        Files that are there stay, and what an earlier call left unfinished is continued from the byte. They are those
        of the server: whole months, also where the range begins or ends within one.

        Args:
            metric: Dataset, or several.
            to: Folder; below it lie Hive partitions and `manifest.json` (size, SHA-256, completeness and gaps of each
                file, and the months that are missing).
            options: As of `get_metrics`, without `columns` and `shape`.

        Returns:
            The files, in the order of the request.

        Raises:
            AperiodicDataError: As `get_metrics`; `manifest_unwritable`.
        """
        paths, remarks = self._run(self._core.save(self._core.request(metric, options), Path(to)))
        remarks.tell(stacklevel=2)
        return paths

    def get_symbols(self, exchange: Exchange | str) -> list[str]:
        """List the instruments of a venue, as `aperiodic.get_symbols` does."""
        return self._run(self._core.symbols(exchange))

    def _begin(self, settings: Settings) -> None:
        self._core = Core(settings)
        self._portal = Portal()
        weakref.finalize(self, _close, self._core, self._portal)

    def submit(self, work: Callable[[Session], Coroutine[Any, Any, T]]) -> Future[T]:
        """Begin work with the client's connections, from any thread."""

        async def with_session() -> T:
            async with self._core.session() as session:
                return await work(session)

        self._portal.begin_with(self._core.open)
        return self._portal.submit(with_session())

    def _run(self, work: Coroutine[Any, Any, T]) -> T:
        try:
            self._portal.begin_with(self._core.open)
        except BaseException:
            work.close()  # else Python warns that nobody awaited it
            raise
        return self._portal.run(work)


def _close(core: Core, portal: Portal) -> None:
    if portal.is_running:
        if not portal.is_here:
            portal.run(core.close())
        portal.close()
