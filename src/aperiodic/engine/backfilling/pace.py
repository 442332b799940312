"""How fast an archive is asked, and how long it is left alone when it says so; shared by all that fetch from it."""

from __future__ import annotations

import random
import threading
import time
from typing import TYPE_CHECKING, Final

from aperiodic.engine.errors import ArchiveError

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["Pace"]

_ATTEMPTS: Final = 8
_FIRST_S: Final = 1.0
_LONGEST_S: Final = 120.0
_LONGEST_ASKED_S: Final = 900.0
_PER_S: Final = 20.0
_STEP_S: Final = 0.5


class Pace:
    """Lets requests through one after another.

    A server that is asked too fast answers so for minutes, to all who ask from here: whoever hears of it makes all
    others wait as well. After eight such answers in a row nobody asks any more.
    """

    def __init__(
        self,
        label: str,
        *,
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], object] = time.sleep,
        per_s: float = _PER_S,
    ) -> None:
        """Prepare.

        Args:
            label: What the archive is called, for messages.
            clock: Tells the time, seconds.
            sleep: Waits so many seconds.
            per_s: Requests a second.
        """
        self._label = label
        self._clock = clock
        self._sleep = sleep
        self._between = 1.0 / per_s
        self._lock = threading.Lock()
        self._next = 0.0
        self._refused = 0
        self._reason = ""
        self._stopped = threading.Event()

    def wait(self) -> None:
        """Wait until the next request may be made.

        Raises:
            ArchiveError: `archive_blocked` when the archive has refused for too long.
            KeyboardInterrupt: When `stop` was called.
        """
        with self._lock:
            moment = max(self._clock(), self._next)
            self._next = moment + self._between
        while (left := moment - self._clock()) > 0:
            self.go_on()
            self._sleep(min(left, _STEP_S))
        self.go_on()

    def go_on(self) -> None:
        """Make sure that there is sense in going on; see `wait` for the errors."""
        if self._stopped.is_set():
            raise KeyboardInterrupt
        if self._refused >= _ATTEMPTS:
            raise ArchiveError(
                f"{self._label} does not answer any more: {self._reason}.",
                code="archive_blocked",
                hint="Wait some minutes, then run the same command again: what was finished is kept.",
            )

    def slow_down(self, reason: str, retry_after: float | None) -> None:
        """Take that a request was refused, or came to nothing, for now.

        Args:
            reason: What the archive said.
            retry_after: Seconds that it asks for.
        """
        with self._lock:
            self._refused += 1
            self._reason = reason
            ceiling = min(_FIRST_S * 2.0 ** (self._refused - 1), _LONGEST_S)
            delay = ceiling * random.uniform(0.5, 1.0)  # noqa: S311 - not a secret
            if retry_after is not None and retry_after > _LONGEST_ASKED_S:
                self._refused, self._reason = _ATTEMPTS, f"it asks to be left alone for {retry_after:,.0f} s"
            elif retry_after is not None:
                delay = max(retry_after, 0.0)
            self._next = max(self._next, self._clock() + delay)

    def answered(self) -> None:
        """Take that a request was answered."""
        with self._lock:
            self._refused = 0

    def stop(self) -> None:
        """Let nobody ask any more."""
        self._stopped.set()
