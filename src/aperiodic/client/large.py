"""`scan_metrics` and `download_metrics`: ranges larger than memory."""

from __future__ import annotations

from typing import TYPE_CHECKING

from aperiodic.client.client import AsyncClient, Client

if TYPE_CHECKING:
    from collections.abc import Sequence
    from os import PathLike
    from pathlib import Path
    from typing import Unpack

    import polars as pl

    from aperiodic.client.options import BarsOptions
    from aperiodic.client.types import Metric

__all__ = ["download_metrics", "download_metrics_async", "scan_metrics"]


def scan_metrics(
    metric: Metric | str,
    *,
    api_key: str | None = None,
    base_url: str | None = None,
    cache: bool | str | PathLike[str] | None = None,
    **options: Unpack[BarsOptions],
) -> pl.LazyFrame:
    """Return bars as a lazy frame, as `Client.scan_metrics` does.

    Args:
        metric: Dataset.
        api_key: Your key; by default APERIODIC_API_KEY.
        base_url: Address of the API; by default APERIODIC_API_URL, else that of the profile, else https://aperiodic.io/api/v1.
        cache: Folder in which files are kept, or False.
        options: As of `get_metrics`, by name.

    Returns:
        As `Client.scan_metrics`.

    Raises:
        AperiodicDataError: As `Client.scan_metrics`.
    """
    return Client(api_key, base_url=base_url, cache=cache).scan_metrics(metric, **options)


def download_metrics(
    metric: Metric | str | Sequence[Metric | str],
    *,
    to: str | PathLike[str],
    api_key: str | None = None,
    base_url: str | None = None,
    max_concurrent: int = 10,
    **options: Unpack[BarsOptions],
) -> list[Path]:
    """Fetch the files of bars into a folder, as `Client.download_metrics` does.

    Args:
        metric: Dataset, or several.
        to: Folder.
        api_key: Your key; by default APERIODIC_API_KEY.
        base_url: Address of the API; by default APERIODIC_API_URL, else that of the profile, else https://aperiodic.io/api/v1.
        max_concurrent: Downloads at the same time, 1 to 100.
        options: As of `get_metrics`, by name.

    Returns:
        The files.

    Raises:
        AperiodicDataError: As `Client.download_metrics`.
    """
    with Client(api_key, base_url=base_url, cache=False, max_concurrent=max_concurrent) as client:
        return client.download_metrics(metric, to=to, **options)


async def download_metrics_async(
    metric: Metric | str | Sequence[Metric | str],
    *,
    to: str | PathLike[str],
    api_key: str | None = None,
    base_url: str | None = None,
    max_concurrent: int = 10,
    **options: Unpack[BarsOptions],
) -> list[Path]:
    """Fetch the files of bars into a folder, as `download_metrics` does; `await` it.

    Args:
        metric: As of `download_metrics`, like all that follow.
        to: Folder.
        api_key: Your key.
        base_url: Address of the API.
        max_concurrent: Downloads at the same time.
        options: By name.

    Returns:
        The files.

    Raises:
        AperiodicDataError: As `download_metrics`.
    """
    client = AsyncClient(api_key, base_url=base_url, cache=False, max_concurrent=max_concurrent)
    return await client.download_metrics(metric, to=to, **options)
