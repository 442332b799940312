"""What every dataset has to be: copied out by hand from the datasets' definitions, not computed from the catalog."""

from __future__ import annotations

from typing import Final, NamedTuple

__all__ = ["CONTRACT", "FIRST", "LABELS", "NOTIONAL_OVER_QUANTITY", "Expected"]


class Expected(NamedTuple):
    """One dataset of the contract; `fields` in file order, those that hold Int64 followed by `#`."""

    name: str
    category: str
    tier: int
    driving: str
    fields: str

    @property
    def columns(self) -> list[tuple[str, bool]]:
        """Name of each field and whether it is a count."""
        return [(word.removesuffix("#"), word.endswith("#")) for word in self.fields.split()]


CONTRACT: Final = {
    "ohlcv": Expected("Candlesticks", "Market Data", 1, "trades", "open high low close volume volume_notional"),
    "vtwap": Expected("VWAP & TWAP", "Market Data", 1, "trades", "vwap twap"),
    "flow": Expected(
        "Flow Metrics",
        "Trades",
        1,
        "trades",
        """
        taker_buy_volume taker_sell_volume taker_buy_count# taker_sell_count#
        volume_delta volume_delta_notional flow_entropy flow_toxicity_score
        taker_buy_sell_ratio taker_buy_sell_count_ratio
        taker_buy_sell_percentage taker_buy_sell_count_percentage
        taker_buy_small_order_volume taker_buy_small_order_count#
        taker_buy_medium_order_volume taker_buy_medium_order_count#
        taker_buy_large_order_volume taker_buy_large_order_count#
        taker_sell_small_order_volume taker_sell_small_order_count#
        taker_sell_medium_order_volume taker_sell_medium_order_count#
        taker_sell_large_order_volume taker_sell_large_order_count#
        taker_buy_small_order_percentage taker_buy_medium_order_percentage taker_buy_large_order_percentage
        taker_buy_small_order_count_percentage taker_buy_medium_order_count_percentage
        taker_buy_large_order_count_percentage
        taker_sell_small_order_percentage taker_sell_medium_order_percentage taker_sell_large_order_percentage
        taker_sell_small_order_count_percentage taker_sell_medium_order_count_percentage
        taker_sell_large_order_count_percentage
        """,
    ),
    "trade_size": Expected(
        "Trade Size",
        "Trades",
        1,
        "trades",
        """
        small_order_volume small_order_count# medium_order_volume medium_order_count#
        large_order_volume large_order_count# volume n_trades#
        small_order_percentage medium_order_percentage large_order_percentage
        small_order_count_percentage medium_order_count_percentage large_order_count_percentage
        trade_amount_mean trade_amount_median trade_amount_std trade_amount_variance
        trade_amount_skewness trade_amount_kurtosis trade_amount_min trade_amount_max
        trade_amount_range_ratio trade_amount_cv
        """,
    ),
    "range": Expected(
        "Price Range & Distribution",
        "Trades",
        1,
        "trades",
        """
        range range_bps price_mean price_median price_std price_variance price_skewness price_kurtosis
        price_range_ratio price_cv
        """,
    ),
    "impact": Expected(
        "Impact Metrics",
        "Trades",
        2,
        "trades",
        "amihud_like kyle_like_lambda impact_per_notional large_trade_reversal directional_impact_asymmetry",
    ),
    "updownticks": Expected(
        "Up / Down Tick Metrics",
        "Trades",
        2,
        "trades",
        """
        uptick_count# downtick_count# unchanged_count# uptick_volume downtick_volume unchanged_volume
        uptick_downtick_volume_ratio uptick_downtick_count_ratio
        uptick_count_percentage downtick_count_percentage unchanged_count_percentage
        unchanged_volume_percentage downtick_volume_percentage uptick_volume_percentage
        """,
    ),
    "run_structure": Expected(
        "Trade Run Structure",
        "Trades",
        2,
        "trades",
        """
        buy_run_max_len# sell_run_max_len# buy_run_mean_len sell_run_mean_len run_imbalance flip_rate
        price_change_on_flip
        """,
    ),
    "returns": Expected(
        "Returns & Volatility",
        "Trades",
        2,
        "trades",
        "logret_var realized_vol bipower_variation jump_ratio ret_autocorr_lag1 trendiness",
    ),
    "slippage": Expected(
        "Slippage",
        "Trades",
        2,
        "trades",
        """
        slippage_mean slippage_bps_mean slippage_bps_std slippage_bps_median slippage_bps_p95 slippage_bps_vwap
        slippage_bps_buy_mean slippage_bps_sell_mean slippage_bps_buy_sell_ratio slippage_bps_sell_buy_ratio
        """,
    ),
    "l1_price": Expected(
        "L1 Price",
        "L1 (Top of Book)",
        2,
        "quotes",
        """
        ask_price bid_price ask_amount bid_amount midprice weighted_midprice ask_price_twap bid_price_twap
        ask_price_vwap bid_price_vwap quote_update_frequency# avg_update_interval
        """,
    ),
    "l1_imbalance": Expected(
        "L1 Imbalance",
        "L1 (Top of Book)",
        2,
        "quotes",
        """
        imbalance imbalance_ratio bid_ask_ratio bid_percentage ask_percentage
        imbalance_avg imbalance_ratio_avg bid_ask_ratio_avg bid_percentage_avg ask_percentage_avg
        """,
    ),
    "l1_liquidity": Expected(
        "L1 Liquidity",
        "L1 (Top of Book)",
        2,
        "quotes",
        """
        spread spread_bps spread_depth_ratio total_depth dollar_depth_bid dollar_depth_ask total_dollar_depth
        spread_avg spread_bps_avg spread_depth_ratio_avg total_depth_avg dollar_depth_bid_avg dollar_depth_ask_avg
        total_dollar_depth_avg
        """,
    ),
    "l2_imbalance": Expected(
        "L2 Order Book Imbalance",
        "L2 (Order Book)",
        3,
        "book",
        """
        imbalance_5 imbalance_ratio_5 bid_ask_ratio_5 imbalance_5_avg imbalance_ratio_5_avg bid_ask_ratio_5_avg
        imbalance_10 imbalance_ratio_10 bid_ask_ratio_10 imbalance_10_avg imbalance_ratio_10_avg bid_ask_ratio_10_avg
        imbalance_20 imbalance_ratio_20 bid_ask_ratio_20 imbalance_20_avg imbalance_ratio_20_avg bid_ask_ratio_20_avg
        imbalance_25 imbalance_ratio_25 bid_ask_ratio_25 imbalance_25_avg imbalance_ratio_25_avg bid_ask_ratio_25_avg
        """,
    ),
    "l2_liquidity": Expected(
        "L2 Order Book Liquidity",
        "L2 (Order Book)",
        3,
        "book",
        """
        ask_agg_5 ask_agg_10 ask_agg_20 ask_agg_25 bid_agg_5 bid_agg_10 bid_agg_20 bid_agg_25
        ask_agg_5_avg ask_agg_10_avg ask_agg_20_avg ask_agg_25_avg
        bid_agg_5_avg bid_agg_10_avg bid_agg_20_avg bid_agg_25_avg
        """,
    ),
    "basis": Expected(
        "Basis",
        "Derivatives",
        1,
        "mark_price",
        """
        basis basis_bps mark_price_spread mark_price_spread_bps
        basis_mean basis_bps_std mark_price_spread_mean mark_price_spread_bps_std
        """,
    ),
    "funding": Expected(
        "Funding",
        "Derivatives",
        1,
        "funding_rate",
        "funding_rate funding_rate_update_frequency funding_rate_avg_update_interval",
    ),
    "open_interest": Expected(
        "Open Interest",
        "Derivatives",
        1,
        "open_interest",
        "open_interest open_interest_pct_change open_interest_volatility oi_price_change_ratio",
    ),
    "derivative_price": Expected(
        "Derivative Price",
        "Derivatives",
        1,
        "mark_price",
        """
        last_price index_price mark_price last_price_pct_change index_price_pct_change mark_price_pct_change
        mark_index_pct_change_ratio mark_last_pct_change_ratio index_last_pct_change_ratio
        """,
    ),
}
"""All datasets of the contract, of which a version holds some."""

FIRST: Final = {
    "flow": "volume_delta_notional flow_toxicity_score flow_entropy taker_buy_sell_ratio taker_buy_large_order_percentage",
    "l1_imbalance": "imbalance imbalance_ratio bid_ask_ratio bid_percentage_avg ask_percentage_avg",
}
"""The fields to look at first, in their order, where the definitions name them."""

LABELS: Final = {
    "l1_imbalance": [
        *("Imbalance", "Imbalance Ratio", "Bid/Ask Ratio", "Bid %", "Ask %"),
        *("Avg Imbalance", "Avg Imbalance Ratio", "Avg Bid/Ask Ratio", "Avg Bid %", "Avg Ask %"),
    ],
    "ohlcv": ["Open", "High", "Low", "Close", "Volume", "Notional Volume"],
    "vtwap": ["VWAP", "TWAP"],
    "flow": [
        *("Taker Buy Volume", "Taker Sell Volume", "Taker Buy Count", "Taker Sell Count"),
        *("Volume Delta", "Volume Delta Notional", "Flow Entropy", "Flow Toxicity Score"),
        *("Buy/Sell Ratio", "Buy/Sell Count Ratio", "Taker Buy %", "Taker Buy Count %"),
        *("Buy Small Order Volume", "Buy Small Order Count", "Buy Medium Order Volume", "Buy Medium Order Count"),
        *("Buy Large Order Volume", "Buy Large Order Count"),
        *("Sell Small Order Volume", "Sell Small Order Count", "Sell Medium Order Volume", "Sell Medium Order Count"),
        *("Sell Large Order Volume", "Sell Large Order Count"),
        *("Buy Small Order %", "Buy Medium Order %", "Buy Large Order %"),
        *("Buy Small Count %", "Buy Medium Count %", "Buy Large Count %"),
        *("Sell Small Order %", "Sell Medium Order %", "Sell Large Order %"),
        *("Sell Small Count %", "Sell Medium Count %", "Sell Large Count %"),
    ],
    "impact": [
        *("Amihud Illiquidity", "Kyle Lambda", "Impact per Notional"),
        *("Large Trade Reversal", "Directional Impact Asymmetry"),
    ],
}
"""Labels that the contract fixes, in the order of the fields."""

NOTIONAL_OVER_QUANTITY: Final = {
    "flow": {
        *("taker_buy_small_order_percentage", "taker_buy_medium_order_percentage", "taker_buy_large_order_percentage"),
        *(
            "taker_sell_small_order_percentage",
            "taker_sell_medium_order_percentage",
            "taker_sell_large_order_percentage",
        ),
    },
    "trade_size": {"small_order_percentage", "medium_order_percentage", "large_order_percentage"},
}
"""Fields that divide quote units by base units, called percentages all the same."""
