"""When a program that must not be late looks for garbage: to look through all of its objects takes tenths of a second."""

from __future__ import annotations

import gc
import time
from typing import Final

__all__ = ["GarbageCollection"]

_EVERY_S: Final = 60.0
_NEVER: Final = 1_000_000_000


class GarbageCollection:
    """Looks through objects that live long only when it is asked to, and leaves out those of the start.

    Objects that are young are looked through as ever.
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
