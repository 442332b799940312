"""Running a capture in this process until it is told to stop."""

from __future__ import annotations

import asyncio
import signal
from contextlib import suppress
from typing import TYPE_CHECKING

from aperiodic.capture.plan import choose_channels
from aperiodic.capture.session import Session
from aperiodic.venues import feed_of, venue_of

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from aperiodic.capture.settings import CaptureSettings
    from aperiodic.market import Exchange, Symbol

__all__ = ["capture", "natives_of"]


def natives_of(exchange: Exchange, symbols: Sequence[Symbol], *, everything: bool) -> list[str] | None:
    """Return the venue's names of the symbols; of the majors if there are none, None for everything.

    Raises:
        InvalidInputError: A symbol is not traded there.
    """
    if everything:
        return None
    venue = venue_of(exchange)
    return list(dict.fromkeys(venue.native(symbol) for symbol in symbols)) or list(feed_of(exchange).majors)


async def capture(
    exchange: Exchange,
    natives: Sequence[str] | None,
    settings: CaptureSettings,
    *,
    channels: Sequence[str] = (),
    shard: str = "s0",
    say: Callable[[str], object] = lambda _words: None,
    started: Callable[[Session], object] = lambda _session: None,
) -> None:
    """Capture a venue until SIGINT or SIGTERM; then what was received is sealed.

    Args:
        exchange: The venue.
        natives: The venue's names of the instruments; None for all that it lists.
        settings: How it is captured.
        channels: Names of channels; the default ones if there are none.
        shard: Name of this part of the venue.
        say: Takes what a person should know.
        started: Takes the session before it runs.

    Raises:
        InvalidInputError: The venue cannot be captured, or a channel is not known.
        CaptureError: It cannot begin, or the disk is full.
        OSError: The system refused.
    """
    feed = feed_of(exchange)
    session = Session(feed, settings, choose_channels(feed, channels), natives, shard=shard, say=say)
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        with suppress(NotImplementedError, RuntimeError):  # not in the main thread: the caller stops it
            loop.add_signal_handler(number, session.stop)
    started(session)
    await session.run()
