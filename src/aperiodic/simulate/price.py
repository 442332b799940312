"""The price path that all venues of an asset share, and each venue's small distance from it.

Every midnight has a price of its own, a stationary function of the date and the seed. The path of a day is a
Brownian bridge between its two midnights whose volatility is itself random and follows the hours of the day.
Neighbouring days therefore meet exactly, although each is made alone.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np

from aperiodic.simulate.instrument import dollar_price, is_dollar
from aperiodic.simulate.randomness import gaussian, generator

if TYPE_CHECKING:
    from datetime import date

    from aperiodic.market import Exchange, Symbol
    from aperiodic.simulate.arrays import FloatArray

__all__ = ["MINUTES_A_DAY", "Climate", "basis_path", "bridge", "climate_of", "slow_path"]

_SECONDS_A_DAY: Final = 86_400
MINUTES_A_DAY: Final = 1_440
_SECONDS_A_MINUTE: Final = 60

# The log price of a midnight is a first-order autoregression: it wanders by days and returns over months.
_DAILY_SHOCK: Final = 0.025
_MEMORY: Final = 0.985
_REMEMBERED_DAYS: Final = 400

_INTRADAY_VOLATILITY: Final = 0.02
_TAIL_DEGREES: Final = 5
_TURBULENCE_AT_MIDNIGHT: Final = 0.3
_TURBULENCE_A_DAY: Final = 1.0
_ACTIVITY_EXPONENT: Final = 0.5

_BASIS_AT_MIDNIGHT: Final = 1.5e-4
_BASIS_A_DAY: Final = 3e-4


@dataclass(frozen=True, slots=True)
class Climate:
    """What one day brings to every venue of a pair of assets.

    Attributes:
        log_price: Natural logarithm of the index price at each whole second, both midnights included (86,401).
        activity: Relative intensity of trading in each minute (1,440), positive.
    """

    log_price: FloatArray
    activity: FloatArray


def climate_of(symbol: Symbol, seed: int, day: date) -> Climate:
    """Return the day of the symbol's base asset, priced in its quote asset."""
    turbulence = _turbulence(symbol.base, seed, day)
    log_price = _log_dollar_price(symbol.base, seed, day) - _log_dollar_price(symbol.quote, seed, day)
    return Climate(log_price=log_price, activity=_seasons() * np.exp(_ACTIVITY_EXPONENT * turbulence))


def basis_path(exchange: Exchange, symbol: Symbol, seed: int, day: date) -> FloatArray:
    """Return how far the venue's fair price stands from the shared path, as a log ratio at each whole second."""
    key = (seed, str(exchange), str(symbol), "basis")
    return slow_path(key, day, points=_SECONDS_A_DAY, at_midnight=_BASIS_AT_MIDNIGHT, over_a_day=_BASIS_A_DAY)


def slow_path(
    key: tuple[str | int, ...], day: date, *, points: int, at_midnight: float, over_a_day: float
) -> FloatArray:
    """Return a path about zero that is continuous from day to day.

    Args:
        key: What the path belongs to.
        day: The day to give.
        points: Steps in the day; the path has one value more, both midnights included.
        at_midnight: Standard deviation of its value at midnight.
        over_a_day: Standard deviation that its steps would add up to over a day.
    """
    today = day.toordinal()
    noise = generator(*key, today).standard_normal(points)
    return bridge(
        start=at_midnight * gaussian(*key, "midnight", today),
        end=at_midnight * gaussian(*key, "midnight", today + 1),
        noise=noise,
        scale=np.full(points, over_a_day / math.sqrt(points)),
    )


def bridge(start: float, end: float, noise: FloatArray, scale: FloatArray) -> FloatArray:
    """Return the random walk with steps `scale` times `noise`, bent so that it leads from `start` to `end`.

    The correction is spread in proportion to variance, which is what makes it a bridge of that walk.
    """
    walk = np.concatenate(([0.0], np.cumsum(scale * noise)))
    variance = np.concatenate(([0.0], np.cumsum(scale * scale)))
    path: FloatArray = start + walk + (end - start - walk[-1]) * (variance / variance[-1])
    return path


def _log_dollar_price(asset: str, seed: int, day: date) -> FloatArray:
    if is_dollar(asset):
        return np.zeros(_SECONDS_A_DAY + 1)
    today = day.toordinal()
    rng = generator(seed, asset, "price", today)
    relative = np.sqrt(_seasons()) * np.exp(_turbulence(asset, seed, day))
    noise_scale = math.sqrt((_TAIL_DEGREES - 2) / _TAIL_DEGREES) * _INTRADAY_VOLATILITY / math.sqrt(_SECONDS_A_DAY)
    return bridge(
        start=_log_midnight_price(asset, seed, today),
        end=_log_midnight_price(asset, seed, today + 1),
        noise=rng.standard_t(_TAIL_DEGREES, _SECONDS_A_DAY),
        scale=np.repeat(noise_scale * relative, _SECONDS_A_MINUTE),
    )


def _log_midnight_price(asset: str, seed: int, ordinal: int) -> float:
    # An exact sum, so that a midnight has the same price as the end of one day and the start of the next.
    wandering = math.fsum(
        _MEMORY**age * gaussian(seed, asset, "midnight", ordinal - age) for age in range(_REMEMBERED_DAYS)
    )
    return math.log(dollar_price(asset)) + _DAILY_SHOCK * wandering


def _turbulence(asset: str, seed: int, day: date) -> FloatArray:
    """Return the log of relative volatility in each minute."""
    key = (seed, asset, "turbulence")
    path = slow_path(key, day, points=MINUTES_A_DAY, at_midnight=_TURBULENCE_AT_MIDNIGHT, over_a_day=_TURBULENCE_A_DAY)
    return path[:-1]


def _seasons() -> FloatArray:
    """Return the usual intensity of each UTC minute: quiet before dawn in Europe, busiest when New York opens."""
    angle = 2 * np.pi * np.arange(MINUTES_A_DAY) / MINUTES_A_DAY
    seasons: FloatArray = (
        1.0 + 0.45 * np.cos(angle - 2 * np.pi * 15 / 24) + 0.2 * np.cos(2 * angle - 4 * np.pi * 14 / 24)
    )
    return seasons
