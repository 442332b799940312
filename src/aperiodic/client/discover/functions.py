"""`estimate`, `coverage`, `symbols`, `describe` and `search`, and their async twins."""

from __future__ import annotations

from typing import TYPE_CHECKING

from aperiodic.client.client import AsyncClient
from aperiodic.client.sync import run_blocking

if TYPE_CHECKING:
    from collections.abc import Sequence
    from typing import Unpack

    import polars as pl

    from aperiodic.client.discover.describe import Description
    from aperiodic.client.discover.estimate import Estimate
    from aperiodic.client.options import BarsOptions
    from aperiodic.client.types import CoverageBy, Exchange, Metric

__all__ = [
    "coverage",
    "coverage_async",
    "describe",
    "describe_async",
    "estimate",
    "estimate_async",
    "search",
    "search_async",
    "symbols",
    "symbols_async",
]


def estimate(
    metric: Metric | str | Sequence[Metric | str],
    *,
    api_key: str | None = None,
    base_url: str | None = None,
    **options: Unpack[BarsOptions],
) -> Estimate:
    """Tell how much a request would fetch and what it would lack, as `Client.estimate` does.

    Args:
        metric: Dataset, or several.
        api_key: Your key; by default APERIODIC_API_KEY, else that of the profile.
        base_url: Address of the API; by default APERIODIC_API_URL, else that of the profile, else
            https://aperiodic.io/api/v1.
        options: As of `get_metrics`, by name.

    Returns:
        As `Client.estimate`.

    Raises:
        AperiodicDataError: As `Client.estimate`.
    """
    return run_blocking(estimate_async(metric, api_key=api_key, base_url=base_url, **options))


async def estimate_async(
    metric: Metric | str | Sequence[Metric | str],
    *,
    api_key: str | None = None,
    base_url: str | None = None,
    **options: Unpack[BarsOptions],
) -> Estimate:
    """Tell how much a request would fetch and what it would lack, as `estimate` does; `await` it.

    Args:
        metric: Dataset, or several.
        api_key: Your key; by default APERIODIC_API_KEY, else that of the profile.
        base_url: Address of the API; by default APERIODIC_API_URL, else that of the profile, else
            https://aperiodic.io/api/v1.
        options: As of `get_metrics`, by name.

    Returns:
        As `Client.estimate`.

    Raises:
        AperiodicDataError: As `Client.estimate`.
    """
    return await AsyncClient(api_key, base_url=base_url).estimate(metric, **options)


def coverage(
    exchange: Exchange | str | Sequence[Exchange | str],
    symbol: str | Sequence[str] | None = None,
    metric: Metric | str | Sequence[Metric | str] | None = None,
    *,
    by: CoverageBy = "series",
    api_key: str | None = None,
    base_url: str | None = None,
) -> pl.DataFrame:
    """Tell what is published of a venue, as `Client.coverage` does.

    Args:
        exchange: Venue, or several.
        symbol: Instrument, or several; by default all.
        metric: Dataset, or several; by default all.
        by: What a row is: "series", "month" or "gap".
        api_key: Your key; by default APERIODIC_API_KEY, else that of the profile.
        base_url: Address of the API; by default APERIODIC_API_URL, else that of the profile, else
            https://aperiodic.io/api/v1.

    Returns:
        As `Client.coverage`.

    Raises:
        AperiodicDataError: As `Client.coverage`.
    """
    return run_blocking(coverage_async(exchange, symbol, metric, by=by, api_key=api_key, base_url=base_url))


async def coverage_async(
    exchange: Exchange | str | Sequence[Exchange | str],
    symbol: str | Sequence[str] | None = None,
    metric: Metric | str | Sequence[Metric | str] | None = None,
    *,
    by: CoverageBy = "series",
    api_key: str | None = None,
    base_url: str | None = None,
) -> pl.DataFrame:
    """Tell what is published of a venue, as `coverage` does; `await` it.

    Args:
        exchange: Venue, or several.
        symbol: Instrument, or several; by default all.
        metric: Dataset, or several; by default all.
        by: What a row is: "series", "month" or "gap".
        api_key: Your key; by default APERIODIC_API_KEY, else that of the profile.
        base_url: Address of the API; by default APERIODIC_API_URL, else that of the profile, else
            https://aperiodic.io/api/v1.

    Returns:
        As `Client.coverage`.

    Raises:
        AperiodicDataError: As `Client.coverage`.
    """
    return await AsyncClient(api_key, base_url=base_url).coverage(exchange, symbol, metric, by=by)


def symbols(
    exchange: Exchange | str | Sequence[Exchange | str] | None = None,
    *,
    api_key: str | None = None,
    base_url: str | None = None,
) -> pl.DataFrame:
    """List instruments with their days and datasets, as `Client.symbols` does.

    Args:
        exchange: Venue, or several; by default all that the server names.
        api_key: Your key; by default APERIODIC_API_KEY, else that of the profile.
        base_url: Address of the API; by default APERIODIC_API_URL, else that of the profile, else
            https://aperiodic.io/api/v1.

    Returns:
        As `Client.symbols`.

    Raises:
        AperiodicDataError: As `Client.symbols`.
    """
    return run_blocking(symbols_async(exchange, api_key=api_key, base_url=base_url))


async def symbols_async(
    exchange: Exchange | str | Sequence[Exchange | str] | None = None,
    *,
    api_key: str | None = None,
    base_url: str | None = None,
) -> pl.DataFrame:
    """List instruments with their days and datasets, as `symbols` does; `await` it.

    Args:
        exchange: Venue, or several; by default all that the server names.
        api_key: Your key; by default APERIODIC_API_KEY, else that of the profile.
        base_url: Address of the API; by default APERIODIC_API_URL, else that of the profile, else
            https://aperiodic.io/api/v1.

    Returns:
        As `Client.symbols`.

    Raises:
        AperiodicDataError: As `Client.symbols`.
    """
    return await AsyncClient(api_key, base_url=base_url).symbols(exchange)


def describe(
    name: str | None = None,
    *,
    base_url: str | None = None,
) -> Description:
    """Say what a dataset or a field is, as `Client.describe` does.

    Args:
        name: Dataset, `dataset.field` or field; None for an overview of all datasets.
        base_url: Address of the API; by default APERIODIC_API_URL, else that of the profile, else
            https://aperiodic.io/api/v1.

    Returns:
        As `Client.describe`.

    Raises:
        AperiodicDataError: As `Client.describe`.

    Example:
        >>> import aperiodic
        >>> aperiodic.describe("flow.flow_entropy").frame["unit"].to_list()
        ['nats']
    """
    return run_blocking(describe_async(name, base_url=base_url))


async def describe_async(
    name: str | None = None,
    *,
    base_url: str | None = None,
) -> Description:
    """Say what a dataset or a field is, as `describe` does; `await` it.

    Args:
        name: Dataset, `dataset.field` or field; None for an overview of all datasets.
        base_url: Address of the API; by default APERIODIC_API_URL, else that of the profile, else
            https://aperiodic.io/api/v1.

    Returns:
        As `Client.describe`.

    Raises:
        AperiodicDataError: As `Client.describe`.
    """
    return await AsyncClient(base_url=base_url).describe(name)


def search(
    text: str,
    *,
    limit: int = 20,
    server: bool = False,
    base_url: str | None = None,
) -> pl.DataFrame:
    """Find datasets and fields by words, as `Client.search` does.

    Args:
        text: What to look for, for example "imbalance".
        limit: How many to return at most.
        server: Also look in the catalog of the server.
        base_url: Address of the API; by default APERIODIC_API_URL, else that of the profile, else
            https://aperiodic.io/api/v1.

    Returns:
        As `Client.search`.

    Raises:
        AperiodicDataError: As `Client.search`.

    Example:
        >>> import aperiodic
        >>> aperiodic.search("imbalnce", limit=3).height
        3
    """
    return run_blocking(search_async(text, limit=limit, server=server, base_url=base_url))


async def search_async(
    text: str,
    *,
    limit: int = 20,
    server: bool = False,
    base_url: str | None = None,
) -> pl.DataFrame:
    """Find datasets and fields by words, as `search` does; `await` it.

    Args:
        text: What to look for, for example "imbalance".
        limit: How many to return at most.
        server: Also look in the catalog of the server.
        base_url: Address of the API; by default APERIODIC_API_URL, else that of the profile, else
            https://aperiodic.io/api/v1.

    Returns:
        As `Client.search`.

    Raises:
        AperiodicDataError: As `Client.search`.
    """
    return await AsyncClient(base_url=base_url).search(text, limit=limit, server=server)
