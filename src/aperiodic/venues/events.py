"""What a venue's mapper hands on, and to whom."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, NamedTuple, Protocol, TypeAlias

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from aperiodic.market import Stream, Symbol

__all__ = [
    "EARLIEST_US",
    "LARGEST",
    "LATEST_US",
    "RESTART_SLACK_US",
    "SMALLEST",
    "Level",
    "Levels",
    "Numbering",
    "RejectedFrameError",
    "Row",
    "Sink",
    "SpanRecorder",
    "venue_time_us",
]

Row: TypeAlias = "tuple[Any, ...]"
"""One tick: the columns of `tick_schema(stream)` in their order, times as int µs since the epoch."""

Level: TypeAlias = "tuple[float, float]"
"""Price and amount of a level of a book."""

SpanRecorder: TypeAlias = "Callable[[int, int, int, str], None]"
"""Takes (after, last, time, begins): everything numbered in (after, last] was seen, last of it at exchange time `time`
(µs); `begins` says why a run that begins here does not begin earlier: `not_recorded`, `no_snapshot`, or
`sequence_reset` where the venue's numbers begin anew."""

SMALLEST: Final = 1e-18
"""Prices and amounts below it, other than 0, are no market's: ratios and powers of them leave the range of doubles."""

LARGEST: Final = 1e18
"""Likewise above it."""

RESTART_SLACK_US: Final = 1_000_000
"""Numbers begin anew where one comes again, or a lower one comes, more than this after the highest (exchange time)."""

EARLIEST_US: Final = 1_230_768_000_000_000
"""2009-01-01, µs: no exchange traded before."""

LATEST_US: Final = 4_102_444_800_000_000
"""2100-01-01, µs."""

_EARLIEST_MS: Final = EARLIEST_US // 1000
_LATEST_MS: Final = LATEST_US // 1000


class Levels(NamedTuple):
    """A whole book, to begin from.

    Attributes:
        bids: (price, amount) of every known bid level, in any order.
        asks: The same of the asks.
        bid_floor: Deepest bid price down to which *all* levels are known; None when there is no such limit. A snapshot
            is cut at some depth; beyond it only those levels are known that changed since.
        ask_floor: The same of the asks, upwards.
    """

    bids: Sequence[Level]
    asks: Sequence[Level]
    bid_floor: float | None = None
    ask_floor: float | None = None


class Numbering:
    """Watches the numbers of one series for the place where a venue begins to count anew.

    That happens after a relisting or maintenance: a number that is not above the highest so far comes with an
    exchange time that is clearly later. A number that is told again, or late, has a time that is not.

    Attributes:
        last: Highest number of the present count; -1 before the first.
    """

    __slots__ = ("_slack", "_time", "last")

    def __init__(self, slack: int = RESTART_SLACK_US) -> None:
        self.last = -1
        self._time = 0
        self._slack = slack

    def restarts(self, number: int, time: int) -> bool:
        """Take the next number and its exchange time, µs; return whether it is the first of a new count."""
        restarts = number <= self.last and time > self._time + self._slack
        if restarts or number > self.last:
            self.last, self._time = number, time
        return restarts


class RejectedFrameError(Exception):
    """A frame that becomes no tick; the caller keeps its bytes aside.

    Attributes:
        code: Machine-readable reason in snake_case.
        reason: The same in words.
    """

    def __init__(self, code: str, reason: str) -> None:
        self.code = code
        self.reason = reason
        super().__init__(reason)


class Sink(Protocol):
    """Receives what a mapper reads out of the frames of one recording."""

    def rows(self, stream: Stream, symbol: Symbol, *, aggregated: bool = False) -> Callable[[Row], None]:
        """Return the function that takes the ticks of one series.

        Ticks of aggregated trades are kept apart, because a recording that also holds the single trades must not
        count them twice.
        """

    def spans(self, stream: Stream, symbol: Symbol, *, aggregated: bool = False) -> SpanRecorder:
        """Return the function that takes the numbers seen on one series."""

    def book_unknown(self, symbol: Symbol, local: int, cause: str) -> None:
        """Take that the order book is not known at an arrival time (µs), and why; the first reason stays."""

    def book_known(self, symbol: Symbol, local: int) -> None:
        """Take that the order book is known again since an arrival time (µs)."""

    def count(self, what: str, kind: str) -> None:
        """Count an event that made no tick of its own: `what` is `ignored`, `duplicate` or `late`."""

    def note(self, code: str) -> None:
        """Remember something that a reader of the data should know."""

    def wait(self, symbol: Symbol, after: int) -> Callable[[int, bytes], None] | None:
        """Keep book updates that cannot be applied until a recording that ends with number `after` is imported.

        Returns the function that takes arrival time and frame of each; None where there is no room for more.
        """

    def checkpoint(self, symbol: Symbol, sequence: int) -> Levels | None:
        """Return the whole order book after update `sequence`, if an earlier recording ended there."""

    def find_all(self, read: Callable[[bytes], str | None]) -> frozenset[str]:
        """Return what `read` gives of all lines of this recording, None left out; `read` must be the same each time."""


def venue_time_us(stamp: int) -> int:
    """Return a venue's time in µs; venues send ms or µs, told apart by magnitude.

    Raises:
        RejectedFrameError: `bad_time` when it is no time between 2009 and 2100.
    """
    if _EARLIEST_MS <= stamp < _LATEST_MS:
        return stamp * 1000
    if EARLIEST_US <= stamp < LATEST_US:
        return stamp
    raise RejectedFrameError("bad_time", f"the time {str(stamp)[:40]} is not between 2009 and 2100")
