"""`aperiodic live`."""

from __future__ import annotations

import time
from contextlib import closing
from typing import TYPE_CHECKING, Final

from aperiodic.cli.compiling import compile_once
from aperiodic.cli.console import errors, print_line
from aperiodic.cli.installation import Begin, open_lake, read_settings
from aperiodic.cli.memory import GarbageCollection, give_back_freed_memory
from aperiodic.cli.parameters import ExchangeList
from aperiodic.cli.stopping import stop_signal
from aperiodic.cli.turns import take_short_turns
from aperiodic.engine.days_told import tell
from aperiodic.engine.handover import TicksReceiver
from aperiodic.engine.live import open_hub
from aperiodic.engine.live.maker import LiveMaker
from aperiodic.engine.live.rows import ALL_SECONDS
from aperiodic.engine.live.settings import LiveSettings
from aperiodic.market.time import now_us, time_at

if TYPE_CHECKING:
    import threading
    from collections.abc import Sequence

    from aperiodic.engine.live import RowsHub, Seconds
    from aperiodic.lake import Lake
    from aperiodic.market import Exchange

__all__ = ["live"]

_READERS_COME_S: Final = 10.0
_WAIT_S: Final = 0.25
_TOLD_EVERY_US: Final = 10_000_000


def live(*, exchange: ExchangeList | None = None) -> None:
    """Make rows of bars the moment they are over, for those who read `/v1/stream` of the server, until Ctrl-C.

    Ticks come from `aperiodic normalise --follow` before they are files. Bars of the exchange's clock wait
    APERIODIC_LIVE_HOLD_MS milliseconds for ticks that come late (250). Servers on other machines get rows over NATS where
    APERIODIC_LIVE_HUB names it.

    Args:
        exchange: Only these venues; the others have a maker elsewhere.
    """
    settings = read_settings(LiveSettings)
    with open_lake(Begin.IN_A_FOLDER) as lake, stop_signal() as over:
        errors.print("Making live rows (Ctrl-C stops)", highlight=False)
        compile_once(lake.home, over)
        take_short_turns()  # ticks are received, and rows sent, while others are made
        _make(lake, settings, over, exchange or ())


def _make(lake: Lake, settings: LiveSettings, over: threading.Event, exchanges: Sequence[Exchange]) -> None:
    receiver = TicksReceiver(lake.home)
    try:
        with closing(open_hub(lake.home, settings)) as hub:
            told, begun = 0, time.monotonic()

            def seconds() -> Seconds:
                # At the start those who read are not here yet, and must miss nothing.
                return ALL_SECONDS if time.monotonic() - begun < _READERS_COME_S else hub.seconds

            maker = LiveMaker(
                lake,
                hub.tell,
                seconds=seconds,
                track=receiver.track,
                has_more=receiver.has_more,
                hold_us=settings.live_hold_ms * 1_000,
                repair_us=settings.live_repair_s * 1_000_000,
                exchanges=exchanges,
                awaits_edges=True,
            )
            give_back_freed_memory()
            garbage = GarbageCollection()
            while not over.is_set():
                if not maker.is_telling or maker.waits or maker.is_resting:
                    receiver.wait(_WAIT_S)
                maker.round(receiver.take())
                if not maker.is_resting:
                    garbage.collect_now_and_then()
                if now_us() - told >= _TOLD_EVERY_US:
                    told = now_us()
                    print_line(_words(maker, hub))
                    tell(lake.home, "live", exchanges, maker.unreadable)
    finally:
        receiver.close()


def _words(maker: LiveMaker, hub: RowsHub) -> str:
    words = [f"{maker.bars:,} rows told"]
    if maker.until is not None:
        words.append(f"bars until {time_at(maker.until):%H:%M:%S}")
    words.append(f"{hub.readers} servers")
    if hub.trouble:
        words.append(f"rows wait: {hub.trouble}")
    if maker.waits:
        words.append(f"waits: {maker.waits}")
    if maker.trouble:
        words.append(maker.trouble)
    return ", ".join(words)
