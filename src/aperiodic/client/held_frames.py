"""Frames of files that are part of a frame which the program still has, so that nobody reads the same file twice.

A call of the same range finds its files in the frame of the call before, as when a cell of a notebook is run again: no
file is read, and memory does not hold the values twice, since frames share what they are made of.
"""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING
from weakref import WeakValueDictionary, finalize

if TYPE_CHECKING:
    from collections.abc import Hashable, Sequence

    import polars as pl

__all__ = ["add_frame", "find_frame", "hold_frames"]

_frames: WeakValueDictionary[tuple[str, Hashable], pl.DataFrame] = WeakValueDictionary()
_lock = threading.Lock()


def find_frame(sha256: str, wanted: Hashable) -> pl.DataFrame | None:
    """Return what is wanted of a file, if it is part of a frame that somebody has."""
    with _lock:
        return _frames.get((sha256, wanted))


def add_frame(sha256: str, wanted: Hashable, frame: pl.DataFrame) -> None:
    """Remember what was read of a file for as long as somebody has it."""
    with _lock:
        _frames[sha256, wanted] = frame


def hold_frames(whole: pl.DataFrame, parts: Sequence[pl.DataFrame]) -> None:
    """Keep frames of files for as long as there is the frame that was made of them, and shares its values with them."""
    finalize(whole, _forget, tuple(parts)).atexit = False


def _forget(_parts: tuple[pl.DataFrame, ...]) -> None:
    """Nothing is to be done: with the call the parts are let go."""
