"""Commands that run until they are told to stop: Ctrl-C and SIGTERM end them after the piece of work at hand."""

from __future__ import annotations

import signal
import threading
from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator
    from types import FrameType

__all__ = ["stop_signal"]


@contextmanager
def stop_signal() -> Iterator[threading.Event]:
    """Yield what is set when the program is asked to stop; a second Ctrl-C interrupts at once."""
    over = threading.Event()

    def stop(number: int, _frame: FrameType | None) -> None:
        if number == signal.SIGINT and over.is_set():
            raise KeyboardInterrupt
        over.set()

    before = {number: signal.signal(number, stop) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield over
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
