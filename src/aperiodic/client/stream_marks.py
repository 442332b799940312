"""How far a stream has come: from when on to ask after an outage, and which rows came before."""

from __future__ import annotations

from collections import OrderedDict
from typing import TYPE_CHECKING, Final

from aperiodic.client.stream_channels import interval_us

if TYPE_CHECKING:
    from collections.abc import Iterable

    from aperiodic.client.stream_messages import StreamMessage

__all__ = ["Marks"]

_RECENT_BARS: Final = 10
_CORRECTIONS: Final = 10_000

Series = tuple[str, str | None]
"""A channel and a symbol."""


class Marks:
    """The newest row of each series.

    A symbol whose last row lies more than ten bars behind the newest of its channel is taken to be quiet: it does not
    decide from when on rows are asked for, or one that is traded no more would bring back the whole day.
    """

    def __init__(self) -> None:
        self._newest: dict[Series, int] = {}
        self._begun: dict[str, int] = {}
        self._corrected: OrderedDict[tuple[Series, int], tuple[int, set[int]]] = OrderedDict()

    def begin(self, channels: Iterable[str], now_us: int) -> None:
        """Note from when on channels are streamed: the bar that is open now is the first that can be missed."""
        for channel in channels:
            length = interval_us(channel)
            self._begun.setdefault(channel, now_us - now_us % length if length else now_us)

    def rename(self, before: str, after: str) -> None:
        """Let rows of one channel count as rows of another."""
        self._newest = {(after if name == before else name, symbol): at for (name, symbol), at in self._newest.items()}

    def take(self, message: StreamMessage, *, new_only: bool) -> bool:
        """Note a row and say whether to deliver it.

        Args:
            message: The row. A snapshot tells nothing of the rows before it, so it is not noted.
            new_only: Whether rows may come a second time; those are not delivered, unless they are corrected.
        """
        time, series = message.time_us, (message.channel, message.symbol)
        if message.snapshot or time is None:
            return True
        if message.corrected:
            return self._take_correction(series, time, message) or not new_only
        newest = self._newest.get(series)
        if newest is not None and time <= newest:
            return not new_only
        self._newest[series] = time
        return True

    def since(self) -> int | None:
        """Return the time of the first row that may have been missed, µs since the epoch; None before the first."""
        newest: dict[str, int] = {}
        for (channel, _), time in self._newest.items():
            newest[channel] = max(time, newest.get(channel, time))
        after = [
            time + 1
            for (channel, _), time in self._newest.items()
            if newest[channel] - time <= _RECENT_BARS * interval_us(channel)
        ]
        return min([*after, *(begun for channel, begun in self._begun.items() if channel not in newest)], default=None)

    def _take_correction(self, series: Series, time: int, message: StreamMessage) -> bool:
        # A server that has begun again may count corrections anew: rows of the same count can differ.
        content = hash(repr(sorted(message.data.items())))
        highest, seen = self._corrected.get((series, time), (0, set()))
        if message.revision < highest or content in seen:
            return False
        self._corrected[series, time] = message.revision, seen | {content}
        self._corrected.move_to_end((series, time))
        while len(self._corrected) > _CORRECTIONS:
            self._corrected.popitem(last=False)
        self._newest[series] = max(time, self._newest.get(series, time))
        return True
