"""The bar datasets in plain Python: slow, and as exact as doubles allow.

Sums are correctly rounded (`math.fsum`). The expanding moments behind the toxicity score are exact integers until the
last division, so that no month, however long or nearly constant, loses a digit.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from datetime import UTC, datetime
from fractions import Fraction
from itertools import groupby, pairwise
from operator import itemgetter
from typing import TYPE_CHECKING, Final, NamedTuple, TypeAlias

import polars as pl
from tests.oracle.contract import CLOCK_COLUMN, FIELDS, INTERVAL_SECONDS, bar_schema
from tests.oracle.returns import UNIT, simple_units

if TYPE_CHECKING:
    from collections.abc import Iterator

Value: TypeAlias = float | int | None

SIDES: Final = ("buy", "sell")
SIZES: Final = ("small", "medium", "large")


class Trade(NamedTuple):
    time: int
    side: str
    price: float
    amount: float
    notional: float


@dataclass
class ExpandingSample:
    """A sample that grows one double at a time, its moments kept exactly.

    Every double is an integer multiple of a power of two, so on the finest scale met so far the values, their sum and
    their sum of squares are all integers.
    """

    n: int = 0
    scale_bits: int = 0
    total: int = 0
    squares: int = 0

    def add(self, value: float) -> tuple[int, int]:
        """Take in a value; return n·x - Σx and n·Σx² - (Σx)², both exact on the sample's scale."""
        numerator, denominator = value.as_integer_ratio()
        bits = denominator.bit_length() - 1
        if bits > self.scale_bits:
            finer = bits - self.scale_bits
            self.total <<= finer
            self.squares <<= 2 * finer
            self.scale_bits = bits
        scaled = numerator << (self.scale_bits - bits)
        self.n += 1
        self.total += scaled
        self.squares += scaled * scaled
        return self.n * scaled - self.total, self.n * self.squares - self.total * self.total


def bars_python(trades: pl.DataFrame, clock: str, interval: str) -> dict[str, pl.DataFrame]:
    """Compute ohlcv, vtwap and flow.

    Args:
        trades: Ticks in file order, of any number of days or months.
        clock: "exchange" or "true".
        interval: An interval's name, "1s" to "1d".

    Returns:
        One frame a dataset, columns and types as `bar_schema` says.
    """
    starts: list[int] = []
    rows: list[dict[str, Value]] = []
    toxicity_inputs: list[tuple[float, float]] = []
    for start, bar in _bars(trades, clock, INTERVAL_SECONDS[interval] * 1_000_000):
        starts.append(start)
        rows.append(_ohlcv(bar) | _vtwap(bar) | _flow(bar))
        toxicity_inputs.append((_signed_notional(bar), _realised(bar)))
    for row, score in zip(rows, _toxicity(starts, toxicity_inputs), strict=True):
        row["flow_toxicity_score"] = score
    return {
        dataset: pl.DataFrame(
            {"time": starts, **{name: [row[name] for row in rows] for name in names}}, schema=bar_schema(dataset)
        )
        for dataset, names in FIELDS.items()
    }


def _bars(trades: pl.DataFrame, clock: str, length: int) -> Iterator[tuple[int, list[Trade]]]:
    """Yield each bar's start in microseconds and its trades, both in the clock's order."""
    columns = (
        trades[CLOCK_COLUMN[clock]].to_physical().to_list(),
        trades["side"].to_list(),
        trades["price"].to_list(),
        trades["amount"].to_list(),
    )
    events = [
        Trade(time, side, price, amount, price * amount) for time, side, price, amount in zip(*columns, strict=True)
    ]
    events.sort(key=itemgetter(0))  # stable: ties keep the order of the file
    for bar, members in groupby(events, key=lambda trade: trade.time // length):
        yield bar * length, list(members)


def _ohlcv(bar: list[Trade]) -> dict[str, Value]:
    prices = [trade.price for trade in bar]
    return {
        "open": prices[0],
        "high": max(prices),
        "low": min(prices),
        "close": prices[-1],
        "volume": math.fsum(trade.amount for trade in bar),
        "volume_notional": math.fsum(trade.notional for trade in bar),
    }


def _vtwap(bar: list[Trade]) -> dict[str, Value]:
    return {
        "vwap": math.fsum(trade.notional for trade in bar) / math.fsum(trade.amount for trade in bar),
        "twap": math.fsum(trade.price for trade in bar) / len(bar),
    }


def _flow(bar: list[Trade]) -> dict[str, Value]:
    amounts: dict[str, list[float]] = {side: [] for side in SIDES}
    buckets: dict[tuple[str, str], list[float]] = {(side, size): [] for side in SIDES for size in SIZES}
    for trade in bar:
        amounts[trade.side].append(trade.amount)
        buckets[trade.side, _size(trade.notional)].append(trade.notional)
    volumes = {side: math.fsum(amounts[side]) for side in SIDES}
    buy, sell = volumes["buy"], volumes["sell"]
    buys, sells = len(amounts["buy"]), len(amounts["sell"])
    values: dict[str, Value] = {
        "taker_buy_volume": buy,
        "taker_sell_volume": sell,
        "taker_buy_count": buys,
        "taker_sell_count": sells,
        "volume_delta": buy - sell,
        "volume_delta_notional": _signed_notional(bar),
        "flow_entropy": _entropy(buy, sell),
        "taker_buy_sell_ratio": _over(buy, sell),
        "taker_buy_sell_count_ratio": _over(buys, sells),
        "taker_buy_sell_percentage": _over(buy, buy + sell),
        "taker_buy_sell_count_percentage": _over(buys, buys + sells),
    }
    for (side, size), notionals in buckets.items():
        order = f"taker_{side}_{size}_order"
        notional, count = math.fsum(notionals), len(notionals)
        values[f"{order}_volume"] = notional
        values[f"{order}_count"] = count
        values[f"{order}_percentage"] = _over(notional, volumes[side])
        values[f"{order}_count_percentage"] = _over(count, len(amounts[side]))
    return values


def _toxicity(starts: list[int], inputs: list[tuple[float, float]]) -> Iterator[float | None]:
    """Yield the product of the z-scores of signed notional and of rv, for each bar, expanding over its UTC month.

    With d = n·x - Σx and V = n·Σx² - (Σx)², z is d·sqrt((n - 1) / (n·V)). The product of two is taken as the root of
    an exact ratio of integers, which Python divides with correct rounding.
    """
    month = None
    for start, (signed, realised) in zip(starts, inputs, strict=True):
        began = datetime.fromtimestamp(start // 1_000_000, UTC)
        if (began.year, began.month) != month:
            month = began.year, began.month
            flows, moves = ExpandingSample(), ExpandingSample()
        flow_deviation, flow_spread = flows.add(signed)
        move_deviation, move_spread = moves.add(realised)
        n = flows.n
        if flow_spread == 0 or move_spread == 0:
            yield None
            continue
        product = flow_deviation * move_deviation * (n - 1)
        magnitude = math.sqrt(product * product / (n * n * flow_spread * move_spread))
        yield -magnitude if product < 0 else magnitude


def _size(notional: float) -> str:
    if notional < 100:
        return "small"
    return "medium" if notional < 1000 else "large"


def _signed_notional(bar: list[Trade]) -> float:
    """Notional bought less notional sold; each side is rounded once, so equal and opposite flow is exactly zero."""
    bought, sold = (math.fsum(trade.notional for trade in bar if trade.side == side) for side in SIDES)
    return bought - sold


def _realised(bar: list[Trade]) -> float:
    returns = (simple_units(before.price, after.price) for before, after in pairwise(bar))
    return math.sqrt(Fraction(sum(change * change for change in returns), UNIT * UNIT))


def _entropy(buy: float, sell: float) -> float:
    low, high = sorted((buy, sell))
    if low == 0:
        return 0.0
    share = low / (low + high)
    # log1p keeps the larger share's digits when the smaller is tiny.
    return -share * math.log(share) - (1 - share) * math.log1p(-share)


def _over(numerator: float, denominator: float) -> float | None:
    return None if denominator == 0 else numerator / denominator
