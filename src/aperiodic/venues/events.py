"""What a venue's mapper hands on, and to whom."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, Protocol, TypeAlias

if TYPE_CHECKING:
    from collections.abc import Callable

    from aperiodic.market import Stream, Symbol
    from aperiodic.venues.book import Levels

__all__ = ["EARLIEST_US", "LATEST_US", "RejectedFrameError", "Row", "Sink", "SpanRecorder", "venue_time_us"]

Row: TypeAlias = "tuple[Any, ...]"
"""One tick: the columns of `tick_schema(stream)` in their order, times as int µs since the epoch."""

SpanRecorder: TypeAlias = "Callable[[int, int, int, str], None]"
"""Takes (after, last, time, begins): everything numbered in (after, last] was seen, last of it at exchange time `time`
(µs); `begins` says why a stretch that begins here does not begin earlier."""

EARLIEST_US: Final = 1_230_768_000_000_000
"""2009-01-01, µs: no exchange traded before."""

LATEST_US: Final = 4_102_444_800_000_000
"""2100-01-01, µs."""

_EARLIEST_MS: Final = EARLIEST_US // 1000
_LATEST_MS: Final = LATEST_US // 1000


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

    def count(self, what: str, kind: str) -> None:
        """Count an event that made no tick of its own: `what` is `ignored`, `duplicate` or `late`."""

    def note(self, code: str) -> None:
        """Remember something that a reader of the data should know."""

    def checkpoint(self, symbol: Symbol, sequence: int) -> Levels | None:
        """Return the whole order book after update `sequence`, if an earlier recording ended there."""

    def book_symbols(self) -> frozenset[str]:
        """Return the venue's names of all instruments with book updates anywhere in this recording."""


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
