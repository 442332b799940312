"""How long a frame travels from the matching engine to the capture host."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np

from aperiodic.venues import venue_of

if TYPE_CHECKING:
    from aperiodic.market import Exchange
    from aperiodic.simulate.arrays import IntArray

__all__ = ["MAX_DELAY_US", "arrivals"]

MAX_DELAY_US: Final = 1_000_000
"""No frame travels longer than this, in microseconds."""

_MIN_DELAY_US: Final = 100
_JITTER: Final = 0.35
_SPIKE_SHARE: Final = 2e-4
_SHORTEST_SPIKE_US: Final = 50_000.0


def arrivals(rng: np.random.Generator, exchange: Exchange, sent_us: IntArray) -> IntArray:
    """Return arrival times of frames sent at `sent_us` (ascending), both in microseconds.

    Delays are log-normal about the venue's median, with a rare spike of up to a second. Frames of one stream share
    a connection and so arrive in the order sent: what follows a delayed frame waits behind it.
    """
    count = len(sent_us)
    delay = venue_of(exchange).habits.median_delay_us * np.exp(_JITTER * rng.standard_normal(count))
    spiked = np.flatnonzero(rng.random(count) < _SPIKE_SHARE)
    delay[spiked] = rng.uniform(_SHORTEST_SPIKE_US, MAX_DELAY_US, len(spiked))
    arrived: IntArray = np.maximum.accumulate(sent_us + np.clip(delay, _MIN_DELAY_US, MAX_DELAY_US).astype(np.int64))
    return arrived
