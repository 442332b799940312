"""The SDK's functions for bars. Made by `make docs` (client/function_writer.py) from the catalog: change it there."""

from aperiodic.client.functions.derivative_metrics import get_derivative_metrics, get_derivative_metrics_async
from aperiodic.client.functions.l1_metrics import get_l1_metrics, get_l1_metrics_async
from aperiodic.client.functions.l2_metrics import get_l2_metrics, get_l2_metrics_async
from aperiodic.client.functions.metrics import get_metrics, get_metrics_async
from aperiodic.client.functions.ohlcv import get_ohlcv, get_ohlcv_async
from aperiodic.client.functions.trade_metrics import get_trade_metrics, get_trade_metrics_async
from aperiodic.client.functions.twap import get_twap, get_twap_async
from aperiodic.client.functions.vwap import get_vwap, get_vwap_async

__all__ = [
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
    "get_trade_metrics",
    "get_trade_metrics_async",
    "get_twap",
    "get_twap_async",
    "get_vwap",
    "get_vwap_async",
]
