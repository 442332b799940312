"""What the protocols of the venues have in common."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from aperiodic.venues.feed import Frame, Subscription

__all__ = ["KnownFrames", "in_chunks"]

_MOST: Final = 20_000


class KnownFrames:
    """Frames by how they begin: all data frames of a stream begin alike, and are decoded once."""

    __slots__ = ("_by_start", "_decode")

    def __init__(self, decode: Callable[[bytes], Frame]) -> None:
        """Begin without any.

        Args:
            decode: Tells what a frame is that is not known yet.
        """
        self._by_start: dict[bytes, Frame] = {}
        self._decode = decode

    def read(self, start: bytes, frame: bytes) -> Frame:
        """Return what a frame is that begins with `start`, by which its stream is told."""
        known = self._by_start.get(start)
        if known is None:
            known = self._decode(frame)
            if len(self._by_start) >= _MOST:
                self._by_start.clear()
            self._by_start[start] = known
        return known


def in_chunks(streams: Sequence[Subscription], size: int) -> list[Sequence[Subscription]]:
    """Cut a list of streams into lists of at most `size`."""
    return [streams[begin : begin + size] for begin in range(0, len(streams), size)]
