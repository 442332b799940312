"""Memory of programs that run for months and must not be late."""

from __future__ import annotations

import ctypes
import gc
import time
from typing import Final

__all__ = ["GarbageCollection", "give_back_freed_memory"]

_EVERY_S: Final = 60.0
_NEVER: Final = 1_000_000_000
_TRIM_THRESHOLD: Final = -1
_MMAP_THRESHOLD: Final = -3
"""Names of parameters in `malloc.h` of the GNU C library."""
_LARGE_BYTES: Final = 1 << 20


def give_back_freed_memory() -> None:
    """Let the C library give large pieces of memory back to the system when they are freed; others than the GNU one stay as is.

    By itself it soon keeps them among the small ones, so that a program which makes arrays of ever other sizes takes more and
    more.
    """
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)
    if mallopt is not None:
        mallopt(_MMAP_THRESHOLD, _LARGE_BYTES)
        mallopt(_TRIM_THRESHOLD, _LARGE_BYTES)


class GarbageCollection:
    """Looks through objects that live long only when it is asked to, and leaves out those of the start.

    To look through all of them takes tenths of a second. Objects that are young are looked through as ever.
    """

    def __init__(self) -> None:
        """Begin, where all modules are loaded."""
        young, older, _ = gc.get_threshold()
        gc.set_threshold(young, older, _NEVER)
        gc.collect()
        gc.freeze()
        self._at = time.monotonic()

    def collect_now_and_then(self) -> None:
        """Look through all objects, if that was not done lately; there is time for it now."""
        if time.monotonic() - self._at >= _EVERY_S:
            gc.collect()
            self._at = time.monotonic()
