"""Other words for datasets and fields, as traders and papers call them, for searches."""

from __future__ import annotations

from types import MappingProxyType
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["SYNONYMS"]

SYNONYMS: Final[Mapping[str, str]] = MappingProxyType(
    {
        "ohlcv": "candles klines bars ohlc price history",
        "ohlcv.volume_notional": "turnover quote dollar volume",
        "vtwap.vwap": "volume weighted average price",
        "vtwap.twap": "time weighted average price",
        "flow": "order flow taker aggressor cvd vpin tfi ofi",
        "flow.volume_delta": "cvd cumulative delta net volume tfi ofi",
        "flow.volume_delta_notional": "cvd cumulative delta net flow tfi ofi dollar",
        "flow.flow_toxicity_score": "vpin toxic informed trading",
        "flow.taker_buy_sell_ratio": "long short",
        "flow.taker_buy_large_order_volume": "whale block",
        "flow.taker_sell_large_order_volume": "whale block",
        "trade_size": "whale retail block size",
        "trade_size.large_order_volume": "whale block",
        "range": "high low volatility dispersion",
        "impact": "price market illiquidity kyle amihud",
        "impact.kyle_like_lambda": "kyles lambda price impact coefficient",
        "impact.amihud_like": "illiq ratio amihud",
        "returns": "rv bpv volatility momentum",
        "returns.realized_vol": "rv realised volatility",
        "returns.bipower_variation": "bpv bv",
        "returns.ret_autocorr_lag1": "autocorrelation momentum reversal mean reversion",
        "returns.trendiness": "momentum efficiency ratio",
        "run_structure": "metaorder splitting streak twap detection",
        "updownticks": "tick rule",
        "slippage": "execution transaction cost tca",
        "l1_price": "bbo nbbo top of book ticker",
        "l1_price.midprice": "mid price",
        "l1_price.weighted_midprice": "microprice micro price mid",
        "l1_imbalance": "obi bbo queue",
        "l1_imbalance.imbalance_ratio": "obi queue imbalance",
        "l1_liquidity": "bbo bid ask spread depth",
        "l1_liquidity.spread": "bid ask bas",
        "l1_liquidity.spread_bps": "bid ask bas relative quoted",
        "l2_imbalance": "obi lob dom order book imbalance",
        "l2_imbalance.imbalance_ratio_5": "obi",
        "l2_liquidity": "lob dom depth market depth",
        "basis": "premium spot futures spread carry",
        "basis.basis_bps": "premium carry",
        "funding": "carry perp swap",
        "funding.funding_rate": "perp swap carry",
        "open_interest": "oi positions",
        "open_interest.open_interest": "oi positions",
        "open_interest.open_interest_pct_change": "oi change delta",
        "open_interest.oi_price_change_ratio": "oi",
        "derivative_price": "mark index fair price",
    }
)
"""By the id of a dataset, or `dataset.field`: words that its own name, label and description need not have."""
