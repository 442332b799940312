"""What the readers of one Binance recording share: which market it is, its instruments, and checks of numbers."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import msgspec

from aperiodic.market import Exchange, InvalidInputError
from aperiodic.venues.binance.symbols import futures_symbol, spot_symbol
from aperiodic.venues.events import LARGEST, RESTART_SLACK_US, SMALLEST, Numbering, RejectedFrameError
from aperiodic.venues.venue import Instruments

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from aperiodic.market import Symbol
    from aperiodic.venues.binance.messages import OfMarket
    from aperiodic.venues.events import Level, Row, Sink, SpanRecorder

__all__ = ["COIN_MARGINED", "Market", "Series", "check_levels", "check_positive", "optional_number"]

_INF: Final = float("inf")
COIN_MARGINED: Final = 2
"""`st` of a message of a coin-margined future."""


class Series:
    """What is remembered of one numbered series."""

    __slots__ = ("append", "numbering", "see")

    def __init__(self, append: Callable[[Row], None], see: SpanRecorder, slack: int = RESTART_SLACK_US) -> None:
        self.append = append
        self.see = see
        self.numbering = Numbering(slack)


class Market:
    """One of Binance's markets, as one recording shows it.

    Attributes:
        spot: Whether it is the spot market; else it is that of USD-margined futures.
        sink: Receives the ticks.
        instruments: What is known of instruments.
    """

    def __init__(self, exchange: Exchange, sink: Sink, instruments: Instruments | None) -> None:
        self.spot = exchange is Exchange.BINANCE
        self.sink = sink
        self.instruments = Instruments()
        if instruments is not None:
            self.instruments.update(instruments)

    def symbol(self, native: str) -> Symbol:
        """Return the symbol that Binance calls `native`.

        Raises:
            RejectedFrameError: `unknown_symbol`.
        """
        known = self.instruments.symbols.get(native)
        if known is not None:
            return known
        try:
            return spot_symbol(native) if self.spot else futures_symbol(native)
        except InvalidInputError as error:
            raise RejectedFrameError("unknown_symbol", error.message) from None

    def leaves_out(self, message: OfMarket) -> bool:
        """Whether a message is of a coin-margined future, and count it: since June 2026 both share their streams."""
        if message.margin != COIN_MARGINED and ("_" not in message.symbol or not _is_coin_margined(message.symbol)):
            return False
        if self.spot:
            raise RejectedFrameError("other_venue", "spot has no margined instruments: this is a futures frame")
        self.sink.count("ignored", "coin_margined")
        return True

    def begins(self, series: Series, number: int, time: int) -> str:
        """Return why a run of numbers that begins with this event does not begin earlier."""
        if not series.numbering.restarts(number, time):
            return "not_recorded"
        self.sink.note("sequence_reset")
        return "sequence_reset"


def _is_coin_margined(native: str) -> bool:
    """Whether a name is like `BTCUSD_PERP` or `BTCUSD_261225`, and not like `BTCBUSD_210129`."""
    pair, _, delivery = native.partition("_")
    return delivery == "PERP" or (pair.endswith("USD") and not pair.endswith(("BUSD", "FDUSD")))


def check_positive(*values: float) -> None:
    """Make sure that all values can be prices or amounts of trades.

    Raises:
        RejectedFrameError: `not_positive` or `bad_number`.
    """
    for value in values:
        if not 0 < value < _INF:
            raise RejectedFrameError("not_positive", "a price or amount is not a positive, finite number")
        if not SMALLEST <= value <= LARGEST:
            raise RejectedFrameError("bad_number", "a price or amount is beyond any market's")


def check_levels(levels: Sequence[Level]) -> None:
    """Make sure that all values can be prices and amounts of a book.

    Raises:
        RejectedFrameError: `bad_number`.
    """
    for price, amount in levels:
        if not (SMALLEST <= price <= LARGEST and 0 <= amount <= LARGEST):
            raise RejectedFrameError("bad_number", "a level of the book is negative or beyond any market's")


def optional_number(text: str) -> float | None:
    """Read a price or rate that may be empty text.

    Raises:
        RejectedFrameError: `bad_number`.
        msgspec.ValidationError: It is no number.
    """
    if not text:
        return None
    value = msgspec.convert(text, float, strict=False)
    if not -LARGEST <= value <= LARGEST:
        raise RejectedFrameError("bad_number", "a price or rate is beyond any market's")
    return value
