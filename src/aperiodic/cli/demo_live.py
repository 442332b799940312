"""The live part of `aperiodic demo`: a mock exchange, captured, normalised and built as an exchange would be."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, Final, Self

from aperiodic.cli.installation import open_lake
from aperiodic.cli.supervisor import Part
from aperiodic.cli.up import capture_part, mock_part, mock_settings
from aperiodic.engine.open_days import OpenDayBuilder
from aperiodic.market import AperiodicDataError, Exchange, Symbol

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

__all__ = ["LIVE_EXCHANGE", "LIVE_SYMBOL", "LiveMarket"]

LIVE_EXCHANGE: Final = Exchange.HYPERLIQUID_PERPS
LIVE_SYMBOL: Final = "perpetual-BTC-USDC:USDC"
_ROUND_S: Final = 1.0


class LiveMarket:
    """Collects from a mock exchange in processes of its own while something else is done.

    Attributes:
        error: Why it could not begin or go on; None while it can.
    """

    def __init__(self, home: Path) -> None:
        """Prepare; entering the context starts it, leaving it stops it.

        Args:
            home: Where recordings and ticks will lie: APERIODIC_HOME.
        """
        self.error: AperiodicDataError | None = None
        self._home = home
        self._over = threading.Event()
        self._parts: list[Part] = []
        self._threads: list[threading.Thread] = []

    def __enter__(self) -> Self:
        self._run(self._collect)
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()
        for thread in self._threads:
            thread.join()
        # The mock exchange was started first, and what was received becomes ticks.
        for part in [*self._parts[1:], *self._parts[:1]]:
            part.stop()

    def build(self) -> None:
        """Begin to make bars of what is collected, and live rows."""
        self._run(self._build)
        self._run(self._make_rows)

    def _run(self, work: Callable[[], None]) -> None:
        thread = threading.Thread(target=self._guard, args=(work,))
        self._threads.append(thread)
        thread.start()

    def _guard(self, work: Callable[[], None]) -> None:
        try:
            work()
        except AperiodicDataError as error:
            self.error = error

    def _collect(self) -> None:
        chosen = {LIVE_EXCHANGE: [Symbol.parse(LIVE_SYMBOL)]}
        mock = mock_part(self._home, chosen)
        self._parts.append(mock)
        mock.start()
        environment = mock_settings(self._home, mock, self._over.is_set)
        for part in (
            capture_part(self._home, LIVE_EXCHANGE, chosen[LIVE_EXCHANGE], environment),
            Part("normalise", ["normalise", "--follow", "--every", "2", "--simulated"]),
        ):
            if self._over.is_set():
                return
            self._parts.append(part)
            part.start()

    def _make_rows(self) -> None:
        if self._over.is_set():
            return
        part = Part("live", ["live"])
        self._parts.append(part)
        part.start()

    def _build(self) -> None:
        with open_lake() as lake:
            builder = OpenDayBuilder(lake, closes=False)
            while not self._over.wait(_ROUND_S):
                builder.round()
            builder.close()
