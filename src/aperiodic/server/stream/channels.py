"""What a client asks for, as channels: read, checked against its plan, and refused one by one."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import msgspec

from aperiodic.catalog import DATASETS, Dataset
from aperiodic.market import AperiodicDataError, Clock, Exchange, Interval, Symbol
from aperiodic.market.errors import nearest
from aperiodic.venues import venue_of

if TYPE_CHECKING:
    from aperiodic.accounts.plans import Plan
    from aperiodic.engine.live import LiveSeries

__all__ = ["MOST_CHANNELS", "Channel", "Rejection", "read_channel"]

MOST_CHANNELS: Final = 200
"""Channels in one frame, and of one connection."""

_MOST_SYMBOLS: Final = 500
_PARTS: Final = 3


@dataclass(frozen=True, slots=True)
class Channel:
    """What one subscription is of.

    Attributes:
        name: As it is called in answers and rows: `ohlcv.binance-futures.1m`, with `.true` or `.exchange` if the client
            said which clock.
        series: What it is of.
        symbols: Only these instruments; None for all.
    """

    name: str
    series: LiveSeries
    symbols: frozenset[str] | None


class Rejection(msgspec.Struct, frozen=True):
    """A channel that was refused.

    Attributes:
        channel: As the client wrote it, as far as that can be told.
        code: `unknown_channel`, `not_entitled`, `not_live`, `limit_exceeded` or `invalid_message`.
        message: Why.
    """

    channel: str
    code: str
    message: str


def read_channel(asked: object, plan: Plan) -> Channel | Rejection:
    """Read one channel of a frame: text `dataset.exchange.interval[.clock]`, or an object with the same names.

    Without a clock it is that of the exchange; below a minute, where there is none, that of arrival.
    """
    symbols: object = None
    if isinstance(asked, str):
        parts = asked.split(".")
    elif isinstance(asked, dict):
        parts = [str(asked.get(name, "")) for name in ("dataset", "exchange", "interval")]
        parts += [str(asked["timestamp"])] if asked.get("timestamp") is not None else []
        symbols = asked.get("symbols")
    else:
        return Rejection(str(asked)[:100], "invalid_message", "A channel is text or an object.")
    name = ".".join(parts)[:200]
    if len(parts) not in {_PARTS, _PARTS + 1}:
        return Rejection(
            name, "invalid_message", "A channel is dataset.exchange.interval, as ohlcv.binance-futures.1m."
        )
    found = _find(name, parts)
    if isinstance(found, Rejection):
        return found
    dataset, exchange, interval, clock = found
    if refusal := _refused(name, dataset, exchange, interval, plan):
        return refusal
    only = _symbols(name, symbols)
    if isinstance(only, Rejection):
        return only
    return Channel(name, (dataset.id, exchange, interval, clock), only)


def _find(name: str, parts: list[str]) -> tuple[Dataset, Exchange, Interval, Clock] | Rejection:
    known: dict[int, tuple[str, list[str]]] = {
        0: ("metric", list(DATASETS)),
        1: ("exchange", list(Exchange)),
        2: ("interval", list(Interval)),
        3: ("timestamp", list(Clock)),
    }
    for place, part in enumerate(parts):
        kind, values = known[place]
        if part not in values:
            guess = nearest(part, values)
            meant = f" Did you mean {str(guess)!r}?" if guess else ""
            return Rejection(name, "unknown_channel", f"There is no {kind} {part[:60]!r}.{meant}")
    interval = Interval(parts[2])
    clock = Clock(parts[3]) if len(parts) > _PARTS else (Clock.TRUE if interval.sub_minute else Clock.EXCHANGE)
    if interval not in clock.intervals:
        return Rejection(name, "unknown_channel", f"There are no bars of {interval} on the clock {clock}.")
    return DATASETS[parts[0]], Exchange(parts[1]), interval, clock


def _refused(name: str, dataset: Dataset, exchange: Exchange, interval: Interval, plan: Plan) -> Rejection | None:
    if dataset.driving not in venue_of(exchange).streams:
        return Rejection(name, "not_live", f"{exchange} has no {dataset.id}.")
    if dataset.tier > plan.tier:
        return Rejection(name, "not_entitled", f"The plan {plan.name} does not include {dataset.id}.")
    if interval.sub_minute and not plan.sub_minute:
        return Rejection(name, "not_entitled", f"The plan {plan.name} does not include bars of {interval}.")
    return None


def _symbols(name: str, asked: object) -> frozenset[str] | Rejection | None:
    if asked is None:
        return None
    if not isinstance(asked, list) or not asked or len(asked) > _MOST_SYMBOLS:
        return Rejection(name, "invalid_message", f"symbols is a list of 1 to {_MOST_SYMBOLS} symbols.")
    found = set()
    for text in asked:
        try:
            found.add(str(Symbol.parse(text if isinstance(text, str) else "")))
        except AperiodicDataError as error:
            return Rejection(name, "unknown_channel", error.message)
    return frozenset(found)


def names_of(asked: object) -> list[str]:
    """Return the names in a list of channels to end."""
    return [str(each) for each in asked] if isinstance(asked, list) else []
