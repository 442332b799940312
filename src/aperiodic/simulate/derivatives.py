"""The streams that only perpetuals have: mark price, index price, funding rate, open interest."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np
import polars as pl

from aperiodic.market import DAY_US, InvalidInputError, Stream
from aperiodic.simulate.arrays import DAY_MS, SECOND_MS, decimal, frame, path_at
from aperiodic.simulate.price import MINUTES_A_DAY, slow_path

if TYPE_CHECKING:
    from collections.abc import Mapping

    from aperiodic.simulate.arrays import FloatArray, IntArray
    from aperiodic.simulate.session import Session
    from aperiodic.venues import DerivativeHabits

__all__ = ["funding_rate_frame", "index_price_frame", "mark_price_frame", "open_interest_frame"]

_HOUR_US: Final = 3_600_000_000
_MINUTE_MS: Final = 60 * SECOND_MS

_MARK_NOISE: Final = 1e-5
_EXTRA_PRICE_DECIMALS: Final = 2

_BASE_RATE_8H: Final = 1e-4
_RATE_AT_MIDNIGHT_8H: Final = 5e-5
_RATE_A_DAY_8H: Final = 3e-5
_RATE_DECIMALS: Final = 8

_USUAL_OPEN_NOTIONAL: Final = 5e8
_OPEN_AT_MIDNIGHT: Final = 0.2
_OPEN_A_DAY: Final = 0.05


def mark_price_frame(session: Session) -> pl.DataFrame:
    """Return mark prices: the index price moved by the venue's basis, with a little noise."""
    sent_ms = _times(_habits(session).every_ms)
    noise = _MARK_NOISE * session.random("mark price").standard_normal(len(sent_ms))
    log_price = path_at(session.climate.log_price + session.basis, sent_ms) + noise
    return _frame(session, Stream.MARK_PRICE, sent_ms, {"mark_price": _price(session, log_price)})


def index_price_frame(session: Session) -> pl.DataFrame:
    """Return index prices: the path that all venues share."""
    sent_ms = _times(_habits(session).every_ms)
    log_price = path_at(session.climate.log_price, sent_ms)
    return _frame(session, Stream.INDEX_PRICE, sent_ms, {"index_price": _price(session, log_price)})


def funding_rate_frame(session: Session) -> pl.DataFrame:
    """Return predicted funding rates, fractions per funding period; a rate holds for at least a minute."""
    habit = _habits(session)
    sent_ms = _times(habit.funding_every_ms)
    wander = _slow(session, "funding rate", at_midnight=_RATE_AT_MIDNIGHT_8H, over_a_day=_RATE_A_DAY_8H)
    rate = (_BASE_RATE_8H + wander[sent_ms // _MINUTE_MS]) * habit.funding_hours / 8
    period_us = habit.funding_hours * _HOUR_US
    next_us = session.day_number * DAY_US + (sent_ms * 1_000 // period_us + 1) * period_us
    values: dict[str, pl.Series | FloatArray] = {
        "funding_rate": _rounded(rate, _RATE_DECIMALS),
        "next_funding_time": pl.Series(next_us),
    }
    return _frame(session, Stream.FUNDING_RATE, sent_ms, values)


def open_interest_frame(session: Session) -> pl.DataFrame:
    """Return open interest in base units, once a minute."""
    sent_ms = _times(_MINUTE_MS)
    wander = _slow(session, "open interest", at_midnight=_OPEN_AT_MIDNIGHT, over_a_day=_OPEN_A_DAY)
    amount = _USUAL_OPEN_NOTIONAL / session.grid.level * np.exp(wander[sent_ms // _MINUTE_MS])
    values = {"open_interest": _rounded(amount, session.grid.amount_decimals)}
    return _frame(session, Stream.OPEN_INTEREST, sent_ms, values)


def _habits(session: Session) -> DerivativeHabits:
    habits = session.venue.habits.derivatives
    if habits is None:
        raise InvalidInputError(
            f"{session.spec.exchange} has no derivatives.",
            code="stream_not_on_exchange",
            hint="Simulate its trades, quotes and book.",
        )
    return habits


def _times(every_ms: int) -> IntArray:
    return np.arange(0, DAY_MS, every_ms, dtype=np.int64)


def _slow(session: Session, what: str, *, at_midnight: float, over_a_day: float) -> FloatArray:
    spec = session.spec
    key = (spec.seed, str(spec.exchange), str(spec.symbol), what)
    return slow_path(key, session.day, points=MINUTES_A_DAY, at_midnight=at_midnight, over_a_day=over_a_day)


def _price(session: Session, log_price: FloatArray) -> FloatArray:
    return _rounded(np.exp(log_price), session.grid.price_decimals + _EXTRA_PRICE_DECIMALS)


def _rounded(value: FloatArray, decimals: int) -> FloatArray:
    return decimal(np.rint(value * 10.0**decimals).astype(np.int64), decimals)


def _frame(
    session: Session, stream: Stream, sent_ms: IntArray, values: Mapping[str, pl.Series | FloatArray]
) -> pl.DataFrame:
    habit = _habits(session)
    together = habit.one_message and stream is not Stream.OPEN_INTEREST
    sent_us = sent_ms * 1_000
    arrived_us = session.arrivals("mark price" if together else stream, sent_us)
    exchange_us = arrived_us if stream in session.venue.modelled else sent_us
    return frame(stream, session.day, exchange_us=exchange_us, local_us=arrived_us, values=values, sequence=None)
