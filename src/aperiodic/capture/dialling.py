"""How often a venue is dialled: waits between attempts, and a budget that outlives a restart."""

from __future__ import annotations

import json
import random
import time
from collections import Counter, deque
from contextlib import suppress
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from aperiodic.market import Exchange
    from aperiodic.venues.feed import Limits

__all__ = ["BackOff", "DialBudget"]

_FIRST_S: Final = 1.0
_SPARE: Final = 0.8
_SETTLED_S: Final = 60.0
_LONGEST: Final = 1 << 16


class BackOff:
    """Waits that grow from 1 s with every failure, each drawn at random between nothing and its bound."""

    def __init__(self, most_s: float, draw: Callable[[], float] = random.random) -> None:
        """Begin without a failure.

        Args:
            most_s: Longest wait, seconds.
            draw: Returns a number from 0 to 1.
        """
        self._most_s = most_s
        self._draw = draw
        self._failures = 0

    def failed(self, lived_s: float = 0.0) -> float:
        """Take a failure of a connection that brought data for `lived_s`; return how long to wait, seconds."""
        if lived_s >= _SETTLED_S:
            self._failures = 0
        bound = min(self._most_s, _FIRST_S * float(1 << min(self._failures, 30)))
        self._failures += 1
        return bound * self._draw()


class DialBudget:
    """How many connections a venue takes in a time from one address, kept in a file that all processes here share."""

    def __init__(self, home: Path, exchange: Exchange, limits: Limits, now: Callable[[], float] = time.time) -> None:
        """Prepare.

        Args:
            home: Folder of the installation.
            exchange: Venue.
            limits: Tells how many dials are allowed in what time; four fifths of them are used.
            now: Tells the time, seconds since the epoch.
        """
        self._path = home / "capture" / f"dials-{exchange}.json"
        self._most = max(1, int(limits.dials * _SPARE))
        self._within_s = limits.dials_s
        self._now = now
        self._taken: deque[float] = deque(maxlen=self._most)

    def take(self) -> float:
        """Take one dial if there is one; return how long to wait before asking again, seconds, 0 if it was taken.

        Where the file cannot be written, as on a full disk, only this process remembers what it took.
        """
        import fcntl  # noqa: PLC0415 - who only imports this may be on a system without it

        self._path.parent.mkdir(parents=True, exist_ok=True)
        with self._path.open("a+b", buffering=0) as file:
            fcntl.flock(file, fcntl.LOCK_EX)
            now = self._now()
            file.seek(0)
            known = Counter(_times(file.read(_LONGEST))) | Counter(self._taken)
            dials = sorted(each for each in known.elements() if now - self._within_s < each <= now)
            if len(dials) >= self._most:
                return max(0.01, dials[-self._most] + self._within_s - now)
            self._taken.append(now)
            with suppress(OSError):
                file.truncate(0)
                file.write(json.dumps([*dials, now]).encode())
            return 0.0


def _times(text: bytes) -> list[float]:
    with suppress(ValueError):
        told = json.loads(text)
        if isinstance(told, list):
            return [float(each) for each in told if isinstance(each, int | float)]
    return []
