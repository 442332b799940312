"""Crypto market-microstructure data as data frames."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any, Final

from aperiodic._version import __version__

if TYPE_CHECKING:
    from aperiodic.client.client import AsyncClient, Client
    from aperiodic.client.discover.describe import Description
    from aperiodic.client.discover.estimate import Estimate
    from aperiodic.client.discover.functions import (
        coverage,
        coverage_async,
        describe,
        describe_async,
        estimate,
        estimate_async,
        search,
        search_async,
        symbols,
        symbols_async,
    )
    from aperiodic.client.errors import APIError, DownloadError, IncompleteDataWarning, SimulatedDataWarning
    from aperiodic.client.functions import (
        get_derivative_metrics,
        get_derivative_metrics_async,
        get_l1_metrics,
        get_l1_metrics_async,
        get_l2_metrics,
        get_l2_metrics_async,
        get_metrics,
        get_metrics_async,
        get_ohlcv,
        get_ohlcv_async,
        get_trade_metrics,
        get_trade_metrics_async,
        get_twap,
        get_twap_async,
        get_vwap,
        get_vwap_async,
    )
    from aperiodic.client.large import download_metrics, download_metrics_async, scan_metrics
    from aperiodic.client.raw import (
        download_raw,
        download_raw_async,
        get_raw,
        get_raw_async,
        get_raw_coverage,
        get_raw_coverage_async,
    )
    from aperiodic.client.stream import Stream, follow, stream
    from aperiodic.client.stream_messages import (
        ChannelRejection,
        StreamChannel,
        StreamClosedError,
        StreamMessage,
        StreamSubscription,
        StreamSubscriptionError,
        StreamWarning,
    )
    from aperiodic.client.symbols import get_symbols, get_symbols_async
    from aperiodic.client.types import (
        DerivativeMetric,
        Exchange,
        Interval,
        L1Metric,
        L2Metric,
        Metric,
        OnIncomplete,
        OutputFormat,
        RawDataset,
        TimestampType,
        TradeMetric,
    )
    from aperiodic.market.errors import AperiodicDataError, IncompleteDataError, InvalidInputError
    from aperiodic.research import bars
    from aperiodic.research.align import align
    from aperiodic.research.fill import fill
    from aperiodic.research.plot import plot

__all__ = [
    "APIError",
    "AperiodicDataError",
    "AsyncClient",
    "ChannelRejection",
    "Client",
    "DerivativeMetric",
    "Description",
    "DownloadError",
    "Estimate",
    "Exchange",
    "IncompleteDataError",
    "IncompleteDataWarning",
    "Interval",
    "InvalidInputError",
    "L1Metric",
    "L2Metric",
    "Metric",
    "OnIncomplete",
    "OutputFormat",
    "RawDataset",
    "SimulatedDataWarning",
    "Stream",
    "StreamChannel",
    "StreamClosedError",
    "StreamMessage",
    "StreamSubscription",
    "StreamSubscriptionError",
    "StreamWarning",
    "TimestampType",
    "TradeMetric",
    "__version__",
    "align",
    "bars",
    "coverage",
    "coverage_async",
    "describe",
    "describe_async",
    "download_metrics",
    "download_metrics_async",
    "download_raw",
    "download_raw_async",
    "estimate",
    "estimate_async",
    "fill",
    "follow",
    "get_derivative_metrics",
    "get_derivative_metrics_async",
    "get_l1_metrics",
    "get_l1_metrics_async",
    "get_l2_metrics",
    "get_l2_metrics_async",
    "get_metrics",
    "get_metrics_async",
    "get_ohlcv",
    "get_ohlcv_async",
    "get_raw",
    "get_raw_async",
    "get_raw_coverage",
    "get_raw_coverage_async",
    "get_symbols",
    "get_symbols_async",
    "get_trade_metrics",
    "get_trade_metrics_async",
    "get_twap",
    "get_twap_async",
    "get_vwap",
    "get_vwap_async",
    "plot",
    "scan_metrics",
    "search",
    "search_async",
    "stream",
    "symbols",
    "symbols_async",
]

# Where the names are. They are imported when they are first used: Polars alone takes longer to import than the
# command line may take to say its version.
_MODULES: Final = {
    "aperiodic.market.errors": ("AperiodicDataError", "IncompleteDataError", "InvalidInputError"),
    "aperiodic.client.errors": ("APIError", "DownloadError", "IncompleteDataWarning", "SimulatedDataWarning"),
    "aperiodic.client.types": (
        *("DerivativeMetric", "Exchange", "Interval", "L1Metric", "L2Metric", "Metric", "OnIncomplete"),
        *("OutputFormat", "RawDataset", "TimestampType", "TradeMetric"),
    ),
    "aperiodic.client.client": ("AsyncClient", "Client"),
    "aperiodic.client.discover.describe": ("Description",),
    "aperiodic.client.discover.estimate": ("Estimate",),
    "aperiodic.client.discover.functions": (
        *("coverage", "coverage_async", "describe", "describe_async", "estimate", "estimate_async"),
        *("search", "search_async", "symbols", "symbols_async"),
    ),
    "aperiodic.client.large": ("download_metrics", "download_metrics_async", "scan_metrics"),
    "aperiodic.client.stream": ("Stream", "follow", "stream"),
    "aperiodic.client.stream_messages": (
        *("ChannelRejection", "StreamChannel", "StreamClosedError", "StreamMessage", "StreamSubscription"),
        *("StreamSubscriptionError", "StreamWarning"),
    ),
    "aperiodic.research": ("bars",),
    "aperiodic.research.align": ("align",),
    "aperiodic.research.fill": ("fill",),
    "aperiodic.research.plot": ("plot",),
    "aperiodic.client.symbols": ("get_symbols", "get_symbols_async"),
    "aperiodic.client.raw": (
        *("download_raw", "download_raw_async", "get_raw", "get_raw_async"),
        *("get_raw_coverage", "get_raw_coverage_async"),
    ),
}
_MODULE_OF: Final = {name: module for module, names in _MODULES.items() for name in names}


def __getattr__(name: str) -> Any:  # noqa: ANN401 (whatever the name stands for)
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = getattr(import_module(_MODULE_OF.get(name, "aperiodic.client.functions")), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
