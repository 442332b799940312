"""The functions of the SDK for raw ticks.

Overloads tell type checkers which parameters are required, and editors which frame comes back.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, overload

from aperiodic.client.raw_fetch import fetch_coverage, fetch_raw
from aperiodic.client.raw_request import RawRequest
from aperiodic.client.request import REQUIRED, parse_base_url
from aperiodic.client.sync import run_blocking
from aperiodic.market import InvalidInputError

if TYPE_CHECKING:
    import os

    import pandas as pd  # type: ignore[import-not-found,import-untyped,unused-ignore]  # need not be installed
    import polars as pl

    from aperiodic.client.completeness import Remarks
    from aperiodic.client.fetch import Delivery
    from aperiodic.client.types import Day, Exchange, OnIncomplete, OutputFormat, RawDataset

__all__ = [
    "download_raw",
    "download_raw_async",
    "get_raw",
    "get_raw_async",
    "get_raw_coverage",
    "get_raw_coverage_async",
]


@overload
def get_raw(
    api_key: str | None = None,
    *,
    dataset: RawDataset | str,
    exchange: Exchange | str,
    symbol: str,
    start_date: Day,
    end_date: Day,
    base_url: str | None = None,
    show_progress: bool = True,
    max_concurrent: int = 10,
    output: Literal["polars"] = "polars",
    preview: bool = False,
    on_incomplete: OnIncomplete = "warn",
) -> pl.DataFrame: ...


@overload
def get_raw(
    api_key: str | None = None,
    *,
    dataset: RawDataset | str,
    exchange: Exchange | str,
    symbol: str,
    start_date: Day,
    end_date: Day,
    base_url: str | None = None,
    show_progress: bool = True,
    max_concurrent: int = 10,
    output: Literal["pandas"],
    preview: bool = False,
    on_incomplete: OnIncomplete = "warn",
) -> pd.DataFrame: ...


def get_raw(
    api_key: str | None = None,
    *,
    dataset: RawDataset | str = REQUIRED,
    exchange: Exchange | str = REQUIRED,
    symbol: str = REQUIRED,
    start_date: Day = REQUIRED,
    end_date: Day = REQUIRED,
    base_url: str | None = None,
    show_progress: bool = True,
    max_concurrent: int = 10,
    output: OutputFormat = "polars",
    preview: bool = False,
    on_incomplete: OnIncomplete = "warn",
) -> pl.DataFrame | pd.DataFrame:
    """Load raw ticks into a frame; `download_raw` is for ranges too large for memory.

    Args:
        api_key: Your key, of a plan with raw data; by default APERIODIC_API_KEY, or the public demo key with preview=True.
        dataset: Kind of ticks: "trades", "quotes", "book", "mark_price", "index_price", "funding_rate" or "open_interest".
        exchange: Venue, for example "binance-futures".
        symbol: Instrument in the Atlas symbology, for example "perpetual-BTC-USDT:USDT".
        start_date: First day of exchange time, in UTC: a date, a datetime (an aware one is converted to UTC) or an
            ISO 8601 string.
        end_date: Last day, included. The server takes 366 days at a time; a longer range is asked for in parts.
        base_url: Address of the API; by default APERIODIC_API_URL, else that of the profile, else https://aperiodic.io/api/v1.
        show_progress: Draw a progress bar of bytes.
        max_concurrent: Downloads at the same time, 1 to 100.
        output: Library of the returned frame, "polars" or "pandas".
        preview: Ask for the free sample, of which the range selects days.
        on_incomplete: What to do when part of the data does not exist: "warn" (IncompleteDataWarning), "raise"
            (IncompleteDataError, before any download) or "ignore".

    Returns:
        A frame with one row per event, in the venue's order: `exchange_timestamp` and `local_timestamp` (arrival, null in
        ticks of a venue's archive; both timezone-aware UTC, microseconds), the dataset's columns, and `sequence`, the venue's number of the event (null
        where it gives none). Prices are in quote units per base unit, amounts in base units. Columns that only the
        server knows come after these. Cut to the range on `exchange_timestamp`. Without data it is empty, with all
        columns.

    Raises:
        InvalidInputError: A value is missing or not valid; no data was asked for. For a name that this version does not
            know, the server's catalog decides.
        APIError: The server answered with an error.
        DownloadError: A file could not be fetched, or is not what the server said it was.
        IncompleteDataError: Data is missing and on_incomplete is "raise".
        AperiodicDataError: The server could not be reached (`server_unreachable`). Base of all the above.
    """
    request = RawRequest.parse(
        api_key=api_key,
        dataset=dataset,
        exchange=exchange,
        symbol=symbol,
        start_date=start_date,
        end_date=end_date,
        base_url=base_url,
        show_progress=show_progress,
        max_concurrent=max_concurrent,
        output=output,
        preview=preview,
        on_incomplete=on_incomplete,
    )
    return run_blocking(_deliver_frame(request)).hand_over(stacklevel=2)


@overload
async def get_raw_async(
    api_key: str | None = None,
    *,
    dataset: RawDataset | str,
    exchange: Exchange | str,
    symbol: str,
    start_date: Day,
    end_date: Day,
    base_url: str | None = None,
    show_progress: bool = True,
    max_concurrent: int = 10,
    output: Literal["polars"] = "polars",
    preview: bool = False,
    on_incomplete: OnIncomplete = "warn",
) -> pl.DataFrame: ...


@overload
async def get_raw_async(
    api_key: str | None = None,
    *,
    dataset: RawDataset | str,
    exchange: Exchange | str,
    symbol: str,
    start_date: Day,
    end_date: Day,
    base_url: str | None = None,
    show_progress: bool = True,
    max_concurrent: int = 10,
    output: Literal["pandas"],
    preview: bool = False,
    on_incomplete: OnIncomplete = "warn",
) -> pd.DataFrame: ...


async def get_raw_async(
    api_key: str | None = None,
    *,
    dataset: RawDataset | str = REQUIRED,
    exchange: Exchange | str = REQUIRED,
    symbol: str = REQUIRED,
    start_date: Day = REQUIRED,
    end_date: Day = REQUIRED,
    base_url: str | None = None,
    show_progress: bool = True,
    max_concurrent: int = 10,
    output: OutputFormat = "polars",
    preview: bool = False,
    on_incomplete: OnIncomplete = "warn",
) -> pl.DataFrame | pd.DataFrame:
    """Load raw ticks into a frame, as `get_raw` does; `await` it.

    Args:
        api_key: Your key, of a plan with raw data; by default APERIODIC_API_KEY, or the public demo key with preview=True.
        dataset: Kind of ticks: "trades", "quotes", "book", "mark_price", "index_price", "funding_rate" or "open_interest".
        exchange: Venue, for example "binance-futures".
        symbol: Instrument in the Atlas symbology, for example "perpetual-BTC-USDT:USDT".
        start_date: First day of exchange time, in UTC: a date, a datetime (an aware one is converted to UTC) or an
            ISO 8601 string.
        end_date: Last day, included. The server takes 366 days at a time; a longer range is asked for in parts.
        base_url: Address of the API; by default APERIODIC_API_URL, else that of the profile, else https://aperiodic.io/api/v1.
        show_progress: Draw a progress bar of bytes.
        max_concurrent: Downloads at the same time, 1 to 100.
        output: Library of the returned frame, "polars" or "pandas".
        preview: Ask for the free sample, of which the range selects days.
        on_incomplete: What to do when part of the data does not exist: "warn" (IncompleteDataWarning), "raise"
            (IncompleteDataError, before any download) or "ignore".

    Returns:
        A frame with one row per event, in the venue's order: `exchange_timestamp` and `local_timestamp` (arrival, null in
        ticks of a venue's archive; both timezone-aware UTC, microseconds), the dataset's columns, and `sequence`, the venue's number of the event (null
        where it gives none). Prices are in quote units per base unit, amounts in base units. Columns that only the
        server knows come after these. Cut to the range on `exchange_timestamp`. Without data it is empty, with all
        columns.

    Raises:
        InvalidInputError: A value is missing or not valid; no data was asked for. For a name that this version does not
            know, the server's catalog decides.
        APIError: The server answered with an error.
        DownloadError: A file could not be fetched, or is not what the server said it was.
        IncompleteDataError: Data is missing and on_incomplete is "raise".
        AperiodicDataError: The server could not be reached (`server_unreachable`). Base of all the above.
    """
    request = RawRequest.parse(
        api_key=api_key,
        dataset=dataset,
        exchange=exchange,
        symbol=symbol,
        start_date=start_date,
        end_date=end_date,
        base_url=base_url,
        show_progress=show_progress,
        max_concurrent=max_concurrent,
        output=output,
        preview=preview,
        on_incomplete=on_incomplete,
    )
    return (await _deliver_frame(request)).hand_over(stacklevel=2)


@overload
def download_raw(
    api_key: str | None,
    *,
    dataset: RawDataset | str,
    exchange: Exchange | str,
    symbol: str,
    start_date: Day,
    end_date: Day,
    output_dir: str | os.PathLike[str],
    overwrite: bool = False,
    base_url: str | None = None,
    show_progress: bool = True,
    max_concurrent: int = 4,
    preview: bool = False,
    on_incomplete: OnIncomplete = "warn",
) -> list[Path]: ...


@overload
def download_raw(
    *,
    api_key: str | None = None,
    dataset: RawDataset | str,
    exchange: Exchange | str,
    symbol: str,
    start_date: Day,
    end_date: Day,
    output_dir: str | os.PathLike[str],
    overwrite: bool = False,
    base_url: str | None = None,
    show_progress: bool = True,
    max_concurrent: int = 4,
    preview: bool = False,
    on_incomplete: OnIncomplete = "warn",
) -> list[Path]: ...


def download_raw(
    api_key: str | None = None,
    *,
    dataset: RawDataset | str = REQUIRED,
    exchange: Exchange | str = REQUIRED,
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
) -> list[Path]:
    """Keep raw ticks on disk, file by file, as the server has them.

    A file lies at `output_dir/<dataset>/exchange=…/symbol=…/year=…/month=…[/day=…]/data.parquet`, so that
    `polars.scan_parquet(f"{output_dir}/**/*.parquet")` reads them all. It is written as `data.parquet.part`, verified,
    then renamed; what an interrupted call left is continued by the next. Files are whole: the one of a month may reach
    beyond the range.

    Args:
        api_key: Your key, of a plan with raw data; by default APERIODIC_API_KEY, or the public demo key with preview=True.
        dataset: Kind of ticks: "trades", "quotes", "book", "mark_price", "index_price", "funding_rate" or "open_interest".
        exchange: Venue, for example "binance-futures".
        symbol: Instrument in the Atlas symbology, for example "perpetual-BTC-USDT:USDT".
        start_date: First day of exchange time, in UTC: a date, a datetime (an aware one is converted to UTC) or an
            ISO 8601 string.
        end_date: Last day, included. The server takes 366 days at a time; a longer range is asked for in parts.
        output_dir: Folder to write to; made when it is not there.
        overwrite: Fetch also files that are there already. By default those whose size and SHA-256 are what the server
            says stay as they are.
        base_url: Address of the API; by default APERIODIC_API_URL, else that of the profile, else https://aperiodic.io/api/v1.
        show_progress: Draw a progress bar of bytes.
        max_concurrent: Downloads at the same time, 1 to 100.
        preview: Ask for the free sample, of which the range selects days.
        on_incomplete: What to do when part of the data does not exist: "warn" (IncompleteDataWarning), "raise"
            (IncompleteDataError, before any download) or "ignore".

    Returns:
        The paths of all files of the range, in order of time, fetched or there already.

    Raises:
        InvalidInputError: A value is missing or not valid; no data was asked for. For a name that this version does not
            know, the server's catalog decides.
        APIError: The server answered with an error.
        DownloadError: A file could not be fetched, or is not what the server said it was.
        IncompleteDataError: Data is missing and on_incomplete is "raise".
        AperiodicDataError: The server could not be reached (`server_unreachable`). Base of all the above.
    """
    request = RawRequest.parse(
        api_key=api_key,
        dataset=dataset,
        exchange=exchange,
        symbol=symbol,
        start_date=start_date,
        end_date=end_date,
        base_url=base_url,
        show_progress=show_progress,
        max_concurrent=max_concurrent,
        output="polars",
        preview=preview,
        on_incomplete=on_incomplete,
    )
    return run_blocking(_deliver_files(request, output_dir, overwrite=overwrite)).hand_over(stacklevel=2)


@overload
async def download_raw_async(
    api_key: str | None,
    *,
    dataset: RawDataset | str,
    exchange: Exchange | str,
    symbol: str,
    start_date: Day,
    end_date: Day,
    output_dir: str | os.PathLike[str],
    overwrite: bool = False,
    base_url: str | None = None,
    show_progress: bool = True,
    max_concurrent: int = 4,
    preview: bool = False,
    on_incomplete: OnIncomplete = "warn",
) -> list[Path]: ...


@overload
async def download_raw_async(
    *,
    api_key: str | None = None,
    dataset: RawDataset | str,
    exchange: Exchange | str,
    symbol: str,
    start_date: Day,
    end_date: Day,
    output_dir: str | os.PathLike[str],
    overwrite: bool = False,
    base_url: str | None = None,
    show_progress: bool = True,
    max_concurrent: int = 4,
    preview: bool = False,
    on_incomplete: OnIncomplete = "warn",
) -> list[Path]: ...


async def download_raw_async(
    api_key: str | None = None,
    *,
    dataset: RawDataset | str = REQUIRED,
    exchange: Exchange | str = REQUIRED,
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
) -> list[Path]:
    """Keep raw ticks on disk, as `download_raw` does; `await` it.

    A file lies at `output_dir/<dataset>/exchange=…/symbol=…/year=…/month=…[/day=…]/data.parquet`, so that
    `polars.scan_parquet(f"{output_dir}/**/*.parquet")` reads them all. It is written as `data.parquet.part`, verified,
    then renamed; what an interrupted call left is continued by the next. Files are whole: the one of a month may reach
    beyond the range.

    Args:
        api_key: Your key, of a plan with raw data; by default APERIODIC_API_KEY, or the public demo key with preview=True.
        dataset: Kind of ticks: "trades", "quotes", "book", "mark_price", "index_price", "funding_rate" or "open_interest".
        exchange: Venue, for example "binance-futures".
        symbol: Instrument in the Atlas symbology, for example "perpetual-BTC-USDT:USDT".
        start_date: First day of exchange time, in UTC: a date, a datetime (an aware one is converted to UTC) or an
            ISO 8601 string.
        end_date: Last day, included. The server takes 366 days at a time; a longer range is asked for in parts.
        output_dir: Folder to write to; made when it is not there.
        overwrite: Fetch also files that are there already. By default those whose size and SHA-256 are what the server
            says stay as they are.
        base_url: Address of the API; by default APERIODIC_API_URL, else that of the profile, else https://aperiodic.io/api/v1.
        show_progress: Draw a progress bar of bytes.
        max_concurrent: Downloads at the same time, 1 to 100.
        preview: Ask for the free sample, of which the range selects days.
        on_incomplete: What to do when part of the data does not exist: "warn" (IncompleteDataWarning), "raise"
            (IncompleteDataError, before any download) or "ignore".

    Returns:
        The paths of all files of the range, in order of time, fetched or there already.

    Raises:
        InvalidInputError: A value is missing or not valid; no data was asked for. For a name that this version does not
            know, the server's catalog decides.
        APIError: The server answered with an error.
        DownloadError: A file could not be fetched, or is not what the server said it was.
        IncompleteDataError: Data is missing and on_incomplete is "raise".
        AperiodicDataError: The server could not be reached (`server_unreachable`). Base of all the above.
    """
    request = RawRequest.parse(
        api_key=api_key,
        dataset=dataset,
        exchange=exchange,
        symbol=symbol,
        start_date=start_date,
        end_date=end_date,
        base_url=base_url,
        show_progress=show_progress,
        max_concurrent=max_concurrent,
        output="polars",
        preview=preview,
        on_incomplete=on_incomplete,
    )
    return (await _deliver_files(request, output_dir, overwrite=overwrite)).hand_over(stacklevel=2)


def get_raw_coverage(*, base_url: str | None = None) -> dict[str, Any]:
    """Tell which raw ticks there are; needs no key.

    Args:
        base_url: Address of the API; by default APERIODIC_API_URL, else that of the profile, else https://aperiodic.io/api/v1.

    Returns:
        The server's answer: `datasets` with their columns, `summary` with a row per dataset and venue, and `coverage`,
        by dataset, exchange and symbol.

    Raises:
        InvalidInputError: `bad_base_url`; nothing was sent.
        APIError: The server answered with an error.
        AperiodicDataError: The server could not be reached (`server_unreachable`). Base of all the above.
    """
    return run_blocking(get_raw_coverage_async(base_url=base_url))


async def get_raw_coverage_async(*, base_url: str | None = None) -> dict[str, Any]:
    """Tell which raw ticks there are, as `get_raw_coverage` does; `await` it.

    Args:
        base_url: Address of the API; by default APERIODIC_API_URL, else that of the profile, else https://aperiodic.io/api/v1.

    Returns:
        The server's answer.

    Raises:
        AperiodicDataError: As `get_raw_coverage`.
    """
    from aperiodic.client.transport import open_transport  # noqa: PLC0415 (brings the HTTP library, see `fetch_bars`)

    address = parse_base_url(base_url)
    async with open_transport(max_connections=1) as transport:
        return await fetch_coverage(transport, address)


async def _deliver_frame(request: RawRequest) -> Delivery:
    from aperiodic.client.transport import open_transport  # noqa: PLC0415 (as above)

    async with open_transport(request.max_concurrent) as transport:
        return await fetch_raw(transport, request)


async def _deliver_files(request: RawRequest, output_dir: str | os.PathLike[str], *, overwrite: bool) -> _SavedFiles:
    from aperiodic.client.raw_download import save_raw  # noqa: PLC0415 (as above)
    from aperiodic.client.transport import open_transport  # noqa: PLC0415

    if output_dir is REQUIRED or not output_dir:
        raise InvalidInputError("output_dir was not given.", code="missing_output_dir", hint="Pass output_dir=….")
    async with open_transport(request.max_concurrent) as transport:
        paths, remarks = await save_raw(transport, request, Path(output_dir), overwrite=overwrite)
    return _SavedFiles(paths, remarks)


@dataclass(frozen=True, slots=True)
class _SavedFiles:
    """Where the files are, and what to know of them."""

    paths: list[Path]
    remarks: Remarks

    def hand_over(self, stacklevel: int) -> list[Path]:
        """Warn if there is reason to, and return the paths."""
        self.remarks.tell(stacklevel + 1)
        return self.paths
