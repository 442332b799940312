"""When a file was recording: told by the arrival times of its frames, where the recording does not say itself.

A silence within a file is a break when it is far longer than the file's other silences; between two files when it is
longer than what is usual in them.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Final

import numpy as np

from aperiodic.completeness.recorded import ANY_STREAM, Recorded, join_recorded, whole_days
from aperiodic.market import DAY_US, Stream

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from numpy.typing import NDArray

    from aperiodic.completeness.gaps import Span
    from aperiodic.engine.importing.report import Findings
    from aperiodic.market import Symbol

__all__ = ["Arrivals", "Unknown", "explain_runs", "recorded_by_connections", "recorded_in", "recorded_in_table"]

_SECOND_US: Final = 1_000_000
_BREAK_US: Final = 60 * _SECOND_US
"""A shorter silence within a file is never a break: networks stall and catch up."""
_FACTOR: Final = 5
_FACTORS: Final = {Stream.TRADES: 20, Stream.QUOTES: 10, Stream.BOOK: 10}
"""How many times longer than all others a silence must be; trades come in bursts, quotes and books with them."""
_MOST_BREAKS_IN: Final = 10
_FEW_WAITS: Final = 4
_FEW_FRAMES: Final = 100
_LEAST_PAD_US: Final = _SECOND_US
_PAD_OF_FEW_US: Final = 30 * _SECOND_US
_SOON_US: Final = 60 * _SECOND_US
_UNEXPLAINED: Final = frozenset({"not_recorded", "sequence_break", "no_snapshot"})

Unknown = tuple[int, int, str]
"""From when to when (arrival, µs) an order book was unknown, and why."""


class Arrivals:
    """Arrival times of the frames of one file, of which only the waits that may matter are remembered."""

    def __init__(self) -> None:
        self.first = self.last = self.count = 0
        self.waits: list[tuple[int, int]] = []

    def see(self, local: int) -> None:
        """Take the arrival of the next frame, µs; frames may be slightly out of order."""
        self.count += 1
        if local > self.last:
            if self.count == 1:
                self.first = local
            elif local - self.last > _LEAST_PAD_US:
                self.waits.append((self.last, local))
            self.last = local
        elif local < self.first:
            self.first = local

    @classmethod
    def of(cls, times: NDArray[np.int64]) -> Arrivals:
        """Return those of frames of which all times are known."""
        found = cls()
        ordered = np.sort(times)
        if len(ordered):
            found.count, found.first, found.last = len(ordered), int(ordered[0]), int(ordered[-1])
            long = np.flatnonzero(np.diff(ordered) > _LEAST_PAD_US)
            found.waits = [(int(ordered[place]), int(ordered[place + 1])) for place in long]
        return found


def recorded_in(
    found: Findings, arrivals: Arrivals, unknown: dict[tuple[Stream, str], list[Unknown]]
) -> dict[tuple[str, str], list[Recorded]]:
    """Return when each series of a file was recorded, by symbol and stream.

    Args:
        found: What was read out of the file.
        arrivals: When its frames arrived.
        unknown: When the order book behind a series was unknown, by stream and symbol.
    """
    received, _ = _received(arrivals)
    result: dict[tuple[str, str], list[Recorded]] = {}
    for (stream, symbol), frame in found.frames.items():
        if frame.is_empty():
            continue
        numbered = bool(found.spans.get((stream, symbol)))
        known = _without(
            received,
            [
                item
                for item in unknown.get((stream, str(symbol)), ())
                if not (numbered and _is_soon(item, arrivals.first))
            ],
        )
        times = frame["local_timestamp"].to_physical().to_numpy()
        result[str(symbol), stream] = _series(known, times, stream)
        result[str(symbol), ANY_STREAM] = received
    return result


def recorded_by_connections(
    told: dict[tuple[str, str], list[Recorded]],
    unknown: dict[tuple[Stream, str], list[Unknown]],
    begin: int,
    quotes_of_books: Iterable[Symbol],
) -> dict[tuple[str, str], list[Recorded]]:
    """Return when each series was recorded, as connections tell, without the times in which its book was unknown.

    Args:
        told: Intervals by symbol and stream.
        unknown: When the order book behind a series was unknown, by stream and symbol.
        begin: When the recording began, µs: a book that waits for its first snapshot then lacks nothing that numbers
            do not tell.
        quotes_of_books: Instruments whose quotes are made from their books: they are recorded when these are.
    """
    result = dict(told)
    for symbol in map(str, quotes_of_books):
        if (symbol, Stream.BOOK) in told:
            result[symbol, Stream.QUOTES] = [replace(item, quiet=DAY_US) for item in told[symbol, Stream.BOOK]]
    for (stream, symbol), intervals in unknown.items():
        if (symbol, stream) in result:
            late = [item for item in intervals if not _is_soon(item, begin)]
            result[symbol, stream] = _without(result[symbol, stream], late)
    return result


def explain_runs(
    spans: dict[tuple[Stream, Symbol], list[Span]], recorded: dict[tuple[str, str], list[Recorded]]
) -> dict[tuple[Stream, Symbol], list[Span]]:
    """Return runs of numbers, where they begin anew because the recorder had lost the stream with that as the reason.

    Args:
        spans: Runs by series.
        recorded: When each series was recorded, by symbol and stream.
    """
    explained = dict(spans)
    for (stream, symbol), runs in spans.items():
        begins = [item for item in recorded.get((str(symbol), stream), ()) if item.begins]
        # A run that goes on from the one before begins there for no reason.
        open_ones = [run for run in runs if run.begins in _UNEXPLAINED]
        if not begins or not open_ones:
            continue
        reasons: dict[Span, str] = {}
        for item in begins:
            near = [run for run in open_ones if abs(item.covers_from - run.first_time) <= _SOON_US]
            if near:
                reasons[min(near, key=lambda run, at=item.covers_from: abs(at - run.first_time))] = item.begins  # type: ignore[misc]
        if not reasons:  # clocks are far apart: the last runs are those that began after a loss
            reasons = {run: item.begins for run, item in zip(reversed(open_ones), reversed(begins), strict=False)}
        explained[stream, symbol] = [replace(run, begins=reasons.get(run, run.begins)) for run in runs]
    return explained


def recorded_in_table(times: NDArray[np.int64], *, cut: bool) -> list[Recorded]:
    """Return when rows of a table of whole days were recorded: a quiet beginning or end of a day is no sign of loss.

    Args:
        times: Arrival times of the rows, µs.
        cut: Whether the file broke off.
    """
    arrivals = Arrivals.of(times)
    intervals, usual = _received(arrivals)
    quiet = max(_FACTOR * usual, _BREAK_US)
    begin, end = arrivals.first - arrivals.first % DAY_US, arrivals.last - arrivals.last % DAY_US + DAY_US
    if cut:
        last = intervals.pop()
        intervals.append(replace(last, covers_to=last.last_time, ends="cut_short"))
    elif end - arrivals.last <= quiet:
        intervals.append(whole_days(arrivals.last, end))
    if arrivals.first - begin <= quiet:
        intervals.append(whole_days(begin, arrivals.first))
    return join_recorded(intervals)


def _received(arrivals: Arrivals) -> tuple[list[Recorded], int]:
    """Return when anything of a file was received, and the longest wait that is usual in it."""
    breaks, usual = _breaks(arrivals.waits, arrivals.count - 1, _FACTOR)
    pad = max(usual, _LEAST_PAD_US if arrivals.count >= _FEW_FRAMES else _PAD_OF_FEW_US)
    edges = [arrivals.first, *(time for wait in breaks for time in wait), arrivals.last]
    intervals = [
        Recorded(first - pad, last + pad, first, last) for first, last in zip(edges[::2], edges[1::2], strict=True)
    ]
    return join_recorded(intervals), usual


def _series(received: Sequence[Recorded], times: NDArray[np.int64], stream: Stream) -> list[Recorded]:
    """Return when one series was received, which may be less than the file: a subscription can end by itself."""
    factor = _FACTORS.get(stream, _FACTOR)
    ordered = np.sort(times)
    result: list[Recorded] = []
    for interval in received:
        begin, end = np.searchsorted(ordered, (interval.first_time, interval.last_time + 1))
        inside = Arrivals.of(
            np.concatenate(([interval.first_time], ordered[begin:end], [interval.last_time])).astype(np.int64)
        )
        if begin == end and not (interval.begins or interval.ends):
            continue
        breaks, usual = _breaks(inside.waits, inside.count - 1, factor)
        quiet = max(factor * usual, _BREAK_US)
        edges = [interval.first_time, *(time for wait in breaks for time in wait), interval.last_time]
        for first, last in zip(edges[::2], edges[1::2], strict=True):
            at_begin, at_end = first == interval.first_time, last == interval.last_time
            if first == last and (at_begin or at_end) and breaks:
                continue  # the edge of the file stands alone: the series begins or ends inside
            pad = max(usual, _LEAST_PAD_US)
            result.append(
                Recorded(
                    interval.covers_from if at_begin else first - pad,
                    interval.covers_to if at_end else last + pad,
                    first,
                    last,
                    quiet,
                    interval.begins if at_begin else "",
                    interval.ends if at_end else "",
                )
            )
    return result


def _breaks(waits: Iterable[tuple[int, int]], count: int, factor: int) -> tuple[list[tuple[int, int]], int]:
    """Tell breaks from ordinary waits.

    Args:
        waits: From when to when, of all waits over a second.
        count: Number of all waits.
        factor: How many times longer than every ordinary wait a break is.

    Returns:
        The breaks, ascending, and the longest wait that is still usual, µs.
    """
    longest = sorted(waits, key=lambda wait: wait[0] - wait[1])
    lengths = [end - begin for begin, end in longest]
    most = max(count // _MOST_BREAKS_IN, 0)
    breaks = 0
    for place, length in enumerate(lengths[:most]):
        following = lengths[place + 1] if place + 1 < len(lengths) else _LEAST_PAD_US
        if length > _BREAK_US and length >= factor * following:
            breaks = place + 1
    # One wait out of the ordinary, or one in a thousand, is not what is usual.
    rank = max(breaks + (count >= _FEW_WAITS), count // 1_000)
    usual = lengths[rank] if rank < len(lengths) else 0
    return sorted(longest[:breaks]), usual


def _is_soon(unknown: Unknown, file_begin: int) -> bool:
    """Whether a book only waited for the first snapshot of its file; what numbers miss meanwhile, they tell."""
    begin, end, cause = unknown
    return cause == "no_snapshot" and begin - file_begin <= _SOON_US and end - begin <= _SOON_US


def _without(intervals: Sequence[Recorded], unknown: Iterable[Unknown]) -> list[Recorded]:
    """Take out the times in which the order book was unknown."""
    result = list(intervals)
    for begin, end, cause in unknown:
        pieces: list[Recorded] = []
        for item in result:
            if end <= item.first_time or begin >= item.last_time:
                pieces.append(item)
                continue
            if begin > item.first_time:
                pieces.append(
                    Recorded(item.covers_from, begin, item.first_time, begin, item.quiet, item.begins, ends=cause)
                )
            if end < item.last_time:
                pieces.append(Recorded(end, item.covers_to, end, item.last_time, item.quiet, cause, item.ends))
        result = pieces
    return result
