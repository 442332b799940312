"""The trade datasets in plain Python: slow, and as exact as doubles allow.

Sums are correctly rounded (`math.fsum`) and second and higher moments are exact until one last rounding. Returns are those
of the decimals that prices are, to 60 digits, and so is what is made of them until one last rounding.
"""

from __future__ import annotations

import math
from fractions import Fraction
from itertools import groupby, pairwise
from typing import TYPE_CHECKING, Final

import polars as pl
from tests.oracle.contract import INTERVAL_SECONDS
from tests.oracle.plain import SIDES, SIZES, Trade, Value, _bars, _over, _size
from tests.oracle.returns import UNIT, log_units, simple_units
from tests.oracle.trades.contract import TRADE_FIELDS, trade_bar_schema
from tests.oracle.trades.exact import correlation, deviation, kurtosis, regression, skewness, variance

if TYPE_CHECKING:
    from collections.abc import Sequence

_HALF_PI: Final = Fraction("1.57079632679489661923132169163975144209858469968755291048747")


def trade_bars_python(trades: pl.DataFrame, clock: str, interval: str) -> dict[str, pl.DataFrame]:
    """Compute trade_size, range, impact, updownticks, run_structure and returns.

    Args:
        trades: Ticks in file order, of any number of days or months.
        clock: "exchange" or "true".
        interval: An interval's name, "1s" to "1d".

    Returns:
        One frame a dataset, columns and types as `trade_bar_schema` says.
    """
    starts: list[int] = []
    rows: list[dict[str, Value]] = []
    for start, bar in _bars(trades, clock, INTERVAL_SECONDS[interval] * 1_000_000):
        starts.append(start)
        rows.append(_trade_size(bar) | _range(bar) | _impact(bar) | _updownticks(bar) | _runs(bar) | _returns(bar))
    return {
        dataset: pl.DataFrame(
            {"time": starts, **{name: [row[name] for row in rows] for name in names}}, schema=trade_bar_schema(dataset)
        )
        for dataset, names in TRADE_FIELDS.items()
    }


def _trade_size(bar: list[Trade]) -> dict[str, Value]:
    amounts = [trade.amount for trade in bar]
    volume = math.fsum(amounts)
    values: dict[str, Value] = {
        "volume": volume,
        "n_trades": len(bar),
        "trade_amount_min": min(amounts),
        "trade_amount_max": max(amounts),
        "trade_amount_range_ratio": max(amounts) / min(amounts),
        **_distribution("trade_amount", amounts),
    }
    for size in SIZES:
        notionals = [trade.notional for trade in bar if _size(trade.notional) == size]
        values[f"{size}_order_volume"] = math.fsum(notionals)
        values[f"{size}_order_count"] = len(notionals)
        values[f"{size}_order_percentage"] = math.fsum(notionals) / volume
        values[f"{size}_order_count_percentage"] = len(notionals) / len(bar)
    return values


def _range(bar: list[Trade]) -> dict[str, Value]:
    prices = [trade.price for trade in bar]
    spread = max(prices) - min(prices)
    return {
        "range": spread,
        "range_bps": spread / prices[-1] * 10_000,
        "price_range_ratio": max(prices) / min(prices),
        **_distribution("price", prices),
    }


def _impact(bar: list[Trade]) -> dict[str, Value]:
    prices = [trade.price for trade in bar]
    signed_amounts = [trade.amount if trade.side == "buy" else -trade.amount for trade in bar]
    returns = _simple_returns(bar)
    whole = abs(simple_units(prices[0], prices[-1])) / UNIT
    # One rounding of the signed sum, so that it is zero when and only when the flow cancels.
    net = math.fsum(trade.notional if trade.side == "buy" else -trade.notional for trade in bar)
    large = _quantile([trade.amount for trade in bar], tenths=9)
    bought, sold = (
        _exact_mean([change for trade, change in zip(bar[1:], returns, strict=True) if trade.side == side])
        for side in SIDES
    )
    return {
        "amihud_like": whole / math.fsum(trade.notional for trade in bar),
        "kyle_like_lambda": regression(returns, signed_amounts[1:], signed_amounts, UNIT),
        "impact_per_notional": _over(whole, abs(net)),
        "large_trade_reversal": _rounded_mean(
            [
                simple_units(trade.price, later)
                for trade, later in zip(bar[:-5], prices[5:], strict=True)
                if trade.amount >= large
            ]
        ),
        "directional_impact_asymmetry": None if bought is None or sold is None else float(bought + sold),
    }


def _updownticks(bar: list[Trade]) -> dict[str, Value]:
    amounts: dict[str, list[float]] = {"uptick": [], "downtick": [], "unchanged": []}
    for before, after in pairwise(bar):
        if after.price > before.price:
            amounts["uptick"].append(after.amount)
        elif after.price < before.price:
            amounts["downtick"].append(after.amount)
        else:
            amounts["unchanged"].append(after.amount)
    counts = {tick: len(members) for tick, members in amounts.items()}
    volumes = {tick: math.fsum(members) for tick, members in amounts.items()}
    values: dict[str, Value] = {
        "uptick_downtick_volume_ratio": _over(volumes["uptick"], volumes["downtick"]),
        "uptick_downtick_count_ratio": _over(counts["uptick"], counts["downtick"]),
    }
    for tick in amounts:
        values[f"{tick}_count"] = counts[tick]
        values[f"{tick}_volume"] = volumes[tick]
        values[f"{tick}_count_percentage"] = _over(counts[tick], sum(counts.values()))
        values[f"{tick}_volume_percentage"] = _over(volumes[tick], math.fsum(volumes.values()))
    return values


def _runs(bar: list[Trade]) -> dict[str, Value]:
    lengths: dict[str, list[int]] = {side: [] for side in SIDES}
    for side, run in groupby(trade.side for trade in bar):
        lengths[side].append(sum(1 for _ in run))
    longest = {side: max(runs, default=0) for side, runs in lengths.items()}
    flips = [
        abs(change)
        for (before, after), change in zip(pairwise(bar), _simple_returns(bar), strict=True)
        if after.side != before.side
    ]
    return {
        "buy_run_max_len": longest["buy"],
        "sell_run_max_len": longest["sell"],
        "buy_run_mean_len": _mean(lengths["buy"]) or 0.0,
        "sell_run_mean_len": _mean(lengths["sell"]) or 0.0,
        "run_imbalance": (longest["buy"] - longest["sell"]) / (longest["buy"] + longest["sell"]),
        "flip_rate": len(flips) / len(bar),
        "price_change_on_flip": _rounded_mean(flips),
    }


def _returns(bar: list[Trade]) -> dict[str, Value]:
    returns = [log_units(before.price, after.price) for before, after in pairwise(bar)]
    realised = Fraction(sum(change * change for change in returns), UNIT * UNIT)
    bipower = _HALF_PI * Fraction(sum(abs(before * after) for before, after in pairwise(returns)), UNIT * UNIT)
    whole = abs(log_units(bar[0].price, bar[-1].price))
    return {
        "logret_var": variance(returns, UNIT),
        "realized_vol": math.sqrt(realised),
        "bipower_variation": float(bipower),
        "jump_ratio": float((realised - bipower) / realised) if realised else None,
        "ret_autocorr_lag1": correlation(returns[1:], returns[:-1]),
        "trendiness": whole / sum(map(abs, returns)) if realised else None,
    }


def _simple_returns(bar: list[Trade]) -> list[int]:
    """Simple returns of the second trade on, in units."""
    return [simple_units(before.price, after.price) for before, after in pairwise(bar)]


def _distribution(of: str, values: list[float]) -> dict[str, Value]:
    mean, spread = math.fsum(values) / len(values), deviation(values)
    return {
        f"{of}_mean": mean,
        f"{of}_median": _quantile(values, tenths=5),
        f"{of}_std": spread,
        f"{of}_variance": variance(values),
        f"{of}_skewness": skewness(values),
        f"{of}_kurtosis": kurtosis(values),
        f"{of}_cv": None if spread is None else spread / mean,
    }


def _quantile(values: list[float], *, tenths: int) -> float:
    """Interpolate linearly at `tenths` tenths of the way through the sorted values."""
    ordered = sorted(values)
    below, tenth = divmod((len(ordered) - 1) * tenths, 10)
    low, high = ordered[below], ordered[min(below + 1, len(ordered) - 1)]
    return low + (high - low) * (tenth / 10)


def _mean(values: Sequence[float]) -> float | None:
    return math.fsum(values) / len(values) if values else None


def _exact_mean(units: Sequence[int]) -> Fraction | None:
    return Fraction(sum(units), len(units) * UNIT) if units else None


def _rounded_mean(units: Sequence[int]) -> float | None:
    mean = _exact_mean(units)
    return None if mean is None else float(mean)
