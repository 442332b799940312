"""Frames that came over two connections, as while one takes over from another."""

from __future__ import annotations

from collections import Counter
from typing import Final

__all__ = ["Repeats"]

_REMEMBERED_US: Final = 30_000_000
_MOST: Final = 500_000


class Repeats:
    """Tells which frames another connection has brought already.

    A frame is the same where its bytes are: venues write times and numbers into it. A connection may bring equal frames
    by itself, so it is counted how often each did. Frames are known again for 30 s at least and 60 s at most: which
    of them depends on their arrival alone, not on where reading began.

    Attributes:
        until: Frames are remembered up to this arrival, µs: two connections carried the same stream not long before.
    """

    def __init__(self) -> None:
        self._frames: dict[bytes, Counter[str]] = {}
        self._older: dict[bytes, Counter[str]] = {}
        self.until = 0
        self._period = 0

    def overlap(self, local: int) -> None:
        """Take that two connections carry the same stream at `local`, µs."""
        self.until = local + _REMEMBERED_US

    def is_repeated(self, connection: str, local: int, frame: bytes) -> bool:
        """Return whether another connection has brought this frame, and remember it."""
        if local > self.until:
            if self._frames or self._older:
                self._frames, self._older = {}, {}
            return False
        period = local // _REMEMBERED_US
        if period > self._period or len(self._frames) >= _MOST:
            self._older = self._frames if period <= self._period + 1 else {}
            self._frames, self._period = {}, max(period, self._period)
        counts = self._frames.get(frame)
        if counts is None:
            counts = self._frames[frame] = self._older.get(frame) or Counter()
        counts[connection] += 1
        return any(counts[connection] <= count for name, count in counts.items() if name != connection)
