"""How long things take: counts by size, and quantiles of the last minutes."""

from __future__ import annotations

import time
from bisect import bisect_left
from itertools import accumulate
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["Lags"]

_STEPS: Final = (1.0, 1.25, 1.6, 2.0, 2.5, 3.2, 4.0, 5.0, 6.3, 8.0)
_BOUNDS_S: Final = tuple(step * 10.0**power for power in range(-4, 3) for step in _STEPS)
_TOLD_S: Final = tuple(step * 10.0**power for power in range(-3, 3) for step in (1.0, 2.5, 5.0))
_WINDOW_S: Final = 300.0


class Lags:
    """Times that one thing took, again and again.

    Attributes:
        count: How many since the start.
        total_s: Their sum, seconds.
    """

    def __init__(self, now: Callable[[], float] = time.monotonic) -> None:
        """Begin without any.

        Args:
            now: Tells the time, seconds.
        """
        self.count = 0
        self.total_s = 0.0
        self._now = now
        self._all = [0] * (len(_BOUNDS_S) + 1)
        self._recent = [0] * len(self._all)
        self._before = [0] * len(self._all)
        self._turned = now()

    def add(self, seconds: float) -> None:
        """Take one; negative ones, as after a step of the clock, count as none."""
        seconds = max(seconds, 0.0)
        self._turn()
        place = bisect_left(_BOUNDS_S, seconds)
        self._all[place] += 1
        self._recent[place] += 1
        self.count += 1
        self.total_s += seconds

    def quantile(self, share: float) -> float | None:
        """Return what this share of the last five to ten minutes stayed below, seconds to a quarter; None without any."""
        self._turn()
        counts = [now + before for now, before in zip(self._recent, self._before, strict=True)]
        wanted = share * sum(counts)
        if not wanted:
            return None
        place = next(number for number, reached in enumerate(accumulate(counts)) if reached >= wanted)
        return _BOUNDS_S[min(place, len(_BOUNDS_S) - 1)]

    def facts(self) -> dict[str, Any]:
        """Return how many there were, and p50 and p99 of the last minutes in ms, as JSON."""
        told = {name: self.quantile(share) for name, share in (("p50_ms", 0.5), ("p99_ms", 0.99))}
        return {"count": self.count, **{name: _ms(seconds) for name, seconds in told.items()}}

    def buckets(self) -> dict[str, int]:
        """Return how many stayed within each bound since the start, by the bound in seconds as Prometheus writes it."""
        reached = list(accumulate(self._all))
        found = {f"{bound:g}": reached[bisect_left(_BOUNDS_S, bound * (1 - 1e-9))] for bound in _TOLD_S}
        return {**found, "+Inf": self.count}

    def _turn(self) -> None:
        now = self._now()
        if now - self._turned < _WINDOW_S:
            return
        self._before = self._recent if now - self._turned < 2 * _WINDOW_S else [0] * len(self._all)
        self._recent, self._turned = [0] * len(self._all), now


def _ms(seconds: float | None) -> float | None:
    return None if seconds is None else round(seconds * 1e3, 2)
