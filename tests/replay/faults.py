"""Seeded faults of four venues against capture and normalise: the mock's truth beside recordings, ticks and ledger.

    python -m tests.replay.faults --faults 200 --seed 1

Every venue has two instruments and its share of the faults, one after the other. Printed are the faults, and a line
of figures for each venue; the exit code is 1 where one of them is not as it must be.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import random
import sys
import tempfile
from contextlib import AsyncExitStack, closing
from pathlib import Path
from typing import TYPE_CHECKING, Final

from tests.replay.judging import Judged, judge
from tests.replay.pipeline import capturing, normalised

from aperiodic.market import Exchange
from aperiodic.mock import MockExchange, MockSettings, SimulatedSource
from aperiodic.mock.faults import Fault
from aperiodic.simulate import MarketSpec
from aperiodic.venues import feed_of, venue_of

if TYPE_CHECKING:
    from collections.abc import Sequence

    from aperiodic.mock.faults import FaultKind

__all__ = ["run"]

_CALM_S: Final = 4.0
"""Time before the first fault, between two, about, and after the last one."""

_CHANNELS: Final = {
    Exchange.BINANCE_FUTURES: ("trades", "quotes", "book", "mark_price"),
    Exchange.BINANCE: ("trades", "quotes", "book"),
    Exchange.OKX_PERPS: ("trades", "quotes", "book", "mark_price"),
    Exchange.HYPERLIQUID_PERPS: ("trades", "quotes", "book"),
}
_EVERYWHERE: Final[tuple[FaultKind, ...]] = (
    "duplicate",
    "reorder",
    "stall",
    "new_field",
    "disconnect",
    "huge",
    "invalid_utf8",
    "refuse",
    "clock_skew",
    "rate_limited",
)
_NUMBERED: Final[tuple[FaultKind, ...]] = (
    "withhold",
    "malformed",
    "sequence_reset",
    "old_snapshot",
    "html",
    "shutdown",
    "withhold",
)
_ON_STREAMS: Final = frozenset({"withhold", "malformed", "reorder", "duplicate", "stall"})
_NUMBERED_STREAMS: Final = {
    Exchange.BINANCE_FUTURES: ("@depth", "@trade"),
    Exchange.BINANCE: ("@depth", "@trade"),
    Exchange.OKX_PERPS: ("books",),
    Exchange.HYPERLIQUID_PERPS: ("",),
}
_OF_SYMBOLS: Final = frozenset(
    {*_ON_STREAMS, "new_field", "disconnect", "huge", "invalid_utf8", "sequence_reset", "old_snapshot"}
)


def faults_of(exchange: Exchange, seed: int, count: int, calm_s: float = _CALM_S) -> list[Fault]:
    """Draw the faults of a venue: those whose losses can be told from what arrives."""
    chance = random.Random(f"{seed} {exchange}")  # noqa: S311 - no secret
    kinds = _EVERYWHERE if exchange is Exchange.HYPERLIQUID_PERPS else (*_EVERYWHERE, *_NUMBERED)
    at, faults = calm_s, []
    for _ in range(count):
        kind = chance.choice(kinds)
        native = chance.choice(feed_of(exchange).majors[:2])
        on_stream = chance.choice(_NUMBERED_STREAMS[exchange]) if kind in _ON_STREAMS else ""
        faults.append(
            Fault(
                at=round(at, 3),
                exchange=str(exchange),
                kind=kind,
                symbol=native if kind in _OF_SYMBOLS else "",
                stream=on_stream,
                count=chance.randint(1, 5),
                seconds=_seconds(kind, chance),
                code=chance.choice([None, 1001, 1012]) if kind == "disconnect" else None,
                ms=chance.randint(-2_000, 2_000) if kind == "clock_skew" else 0,
            )
        )
        at += chance.uniform(0.75, 1.25) * calm_s
    return faults


def _seconds(kind: str, chance: random.Random) -> float:
    if kind in {"stall", "new_field", "refuse", "clock_skew", "rate_limited"}:
        return round(chance.uniform(0.3, 2.0), 3)
    return 1.5 if kind == "shutdown" else 0.0


async def run(
    home: Path, seed: int, count: int, exchanges: Sequence[Exchange] = tuple(_CHANNELS), *, calm_s: float = _CALM_S
) -> list[Judged]:
    """Let `count` faults happen, and compare what came of it with the truth.

    Args:
        home: An empty folder.
        seed: Which of endlessly many runs.
        count: Faults of all venues together.
        exchanges: The venues, which share the faults.
        calm_s: Time between two faults, about, seconds.
    """
    faults = {
        exchange: faults_of(exchange, seed, count // len(exchanges) + (place < count % len(exchanges)), calm_s)
        for place, exchange in enumerate(exchanges)
    }
    sources = [SimulatedSource(_specs(exchange, seed)) for exchange in exchanges]
    longest = max((fault.at for each in faults.values() for fault in each), default=0.0) + calm_s
    settings = MockSettings(remember=True, dial_limits=False)
    before = dict(os.environ)
    async with MockExchange(sources, settings) as mock, AsyncExitStack() as stack:
        os.environ.update(mock.environment())
        try:
            sessions = {
                exchange: await stack.enter_async_context(
                    capturing(
                        home / exchange,
                        exchange,
                        feed_of(exchange).majors[:2],
                        _CHANNELS[exchange],
                        capture_most_wait_s=1.0,
                        capture_overlap_s=1.0,
                    )
                )
                for exchange in exchanges
            }
            clock = asyncio.get_running_loop()
            async with asyncio.timeout(60):
                while not all(  # noqa: ASYNC110 - it looks from outside
                    session.keepers and all(keeper.current and keeper.current.is_settled for keeper in session.keepers)
                    for session in sessions.values()
                ):
                    await asyncio.sleep(0.05)
            began = clock.time()
            for fault in sorted((fault for each in faults.values() for fault in each), key=lambda fault: fault.at):
                await asyncio.sleep(max(0.0, began + fault.at - clock.time()))
                mock.disturb(fault)
            await asyncio.sleep(max(0.0, began + longest - clock.time()))
        finally:
            await stack.aclose()
            for name in mock.environment():
                os.environ.pop(name)
            os.environ.update(before)
        truth = mock.truth.lines
    judged = []
    for exchange in exchanges:
        with closing(await asyncio.to_thread(normalised, home / exchange)) as lake:
            own = [line for line in truth if line["exchange"] == exchange]
            judged.append(judge(exchange, lake, own, sessions[exchange]))
    return judged


def _specs(exchange: Exchange, seed: int) -> list[MarketSpec]:
    symbols = [venue_of(exchange).symbol(native) for native in feed_of(exchange).majors[:2]]
    return [MarketSpec(exchange, symbol, seed, 300_000) for symbol in symbols]


def main() -> None:
    """Run as many as are asked for, and print the figures."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--faults", type=int, default=200)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--exchange", action="append", type=Exchange)
    parser.add_argument("--home", type=Path)
    told = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        judged = asyncio.run(run(told.home or Path(folder), told.seed, told.faults, told.exchange or tuple(_CHANNELS)))
    for each in judged:
        sys.stdout.write(each.table() + "\n")
    sys.exit(any(each.wrong for each in judged))


if __name__ == "__main__":
    main()
