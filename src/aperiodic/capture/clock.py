"""How far this machine's clock is from the venue's, and whether it was set while capturing."""

from __future__ import annotations

import asyncio
import time
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Callable

    from aperiodic.capture.recorder import Recorder
    from aperiodic.capture.rest import RestClient
    from aperiodic.venues.feed import Feed

__all__ = ["FAR_US", "Clock"]

_ASKED: Final = 5
_EVERY_S: Final = 600.0
_STEP_EVERY_S: Final = 1.0
_STEP_NS: Final = 50_000_000
FAR_US: Final = 500_000
"""A clock that is further from the venue's is wrong, µs."""


class Clock:
    """Compares clocks, and writes what it finds into the recording.

    Attributes:
        offset_us: Venue's clock less this machine's, µs; None before it is known.
        rtt_us: Time from asking to the answer by which the offset was told, µs.
        steps: How often the machine's clock was set.
    """

    def __init__(self, feed: Feed, rest: RestClient, recorder: Recorder, say: Callable[[str], object]) -> None:
        """Prepare.

        Args:
            feed: The venue.
            rest: Asks for the time.
            recorder: Takes the lines.
            say: Takes what a person should know.
        """
        self.offset_us: int | None = None
        self.rtt_us: int | None = None
        self.steps = 0
        self._feed, self._rest, self._recorder, self._say = feed, rest, recorder, say
        self._apart = _apart()

    async def measure(self) -> None:
        """Ask five times, and believe the answer that came fastest."""
        best: tuple[int, int] | None = None
        for _ in range(_ASKED):
            before = time.monotonic_ns()
            answer = await self._rest.ask(self._feed.time(), record=False)
            told = self._feed.read_time(answer.body) if answer.is_good else None
            if told is None:
                continue
            rtt = answer.local - answer.asked_ns
            if rtt < 0 or time.monotonic_ns() - before < rtt - _STEP_NS:
                continue  # the clock was set meanwhile
            offset = told * 1_000 - (answer.asked_ns + answer.local) // 2_000
            best = min(best or (rtt, offset), (rtt, offset))
        if best is not None:
            self.rtt_us, self.offset_us = best[0] // 1_000, best[1]
            body = {"offset_us": self.offset_us, "rtt_us": self.rtt_us, "venue": self._feed.exchange}
            self._recorder.word(time.time_ns(), b"", "clock", body)
            if abs(self.offset_us) > FAR_US:
                side = "behind" if self.offset_us > 0 else "ahead of"
                self._say(
                    f"THIS MACHINE'S CLOCK IS {abs(self.offset_us) / 1e6:,.1f} s {side} that of {self._feed.exchange}: "
                    "times of arrival, and bars by them, are wrong by as much; set the clock (NTP)"
                )

    async def keep_measuring(self) -> None:
        """Measure at the start and every ten minutes."""
        while True:
            await self.measure()
            await asyncio.sleep(_EVERY_S)

    def look(self) -> None:
        """Compare the wall clock with the one that only runs forward; a step of more than 50 ms is written down."""
        apart = _apart()
        step = apart - self._apart
        self._apart = apart
        if abs(step) > _STEP_NS:
            self.steps += 1
            self._recorder.word(time.time_ns(), b"", "clock", {"step_us": step // 1_000})
            self._say(f"this machine's clock was set by {step / 1e9:+.3f} s")

    async def keep_looking(self) -> None:
        """Look every second."""
        while True:
            self.look()
            await asyncio.sleep(_STEP_EVERY_S)


def _apart() -> int:
    return time.time_ns() - time.monotonic_ns()
