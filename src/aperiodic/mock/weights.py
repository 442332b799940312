"""REST weight as venues count it: per window of the venue's clock, with a ban for those who do not stop."""

from __future__ import annotations

import math
from collections import defaultdict, deque
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["Rates", "Weights"]

_SECOND_US: Final = 1_000_000
_PATIENCE: Final = 2
"""Requests during a refusal that are answered 429; the next one is banned."""

_BAN_S: Final = 120.0


class Weights:
    """Weight used.

    Attributes:
        used: In the present window, refused requests included.
    """

    def __init__(self, most: int, window_s: float, now_us: Callable[[], int]) -> None:
        self.used = 0
        self._most = most
        self._window_us = int(window_s * _SECOND_US)
        self._now_us = now_us
        self._window = -1
        self._ignored = 0
        self._refused_until = self._banned_until = 0

    def use(self, weight: int) -> tuple[int, int]:
        """Count a request.

        Returns:
            The HTTP status that it deserves (200, 429 or 418), and the seconds to wait, for `Retry-After`.
        """
        now = self._now_us()
        if now < self._banned_until:
            return 418, self._seconds(self._banned_until - now)
        window = now // self._window_us
        if window != self._window:
            self._window, self.used, self._ignored = window, 0, 0
        self.used += weight
        if self.used <= self._most and now >= self._refused_until:
            return 200, 0
        self._refused_until = max(self._refused_until, (window + 1) * self._window_us)
        self._ignored += 1
        if self._ignored > 1 + _PATIENCE:
            self._banned_until = now + int(_BAN_S * _SECOND_US)
            return 418, int(_BAN_S)
        return 429, self._seconds(self._refused_until - now)

    @staticmethod
    def _seconds(span_us: int) -> int:
        return max(1, math.ceil(span_us / _SECOND_US))


class Rates:
    """Requests in a sliding time, by name."""

    def __init__(self) -> None:
        self._times: dict[str, deque[float]] = defaultdict(deque)

    def exceeded(self, name: str, most: int, within_s: float, now: float) -> bool:
        """Count one; return whether there were too many."""
        times = self._times[name]
        while times and times[0] <= now - within_s:
            times.popleft()
        if len(times) < most:
            times.append(now)
            return False
        return True
