"""`aperiodic replay`."""

from __future__ import annotations

from typing import Annotated, Final

from cyclopts import Parameter
from cyclopts.validators import Number

from aperiodic.cli.console import errors
from aperiodic.cli.installation import open_lake, read_settings
from aperiodic.cli.parameters import ExchangeName, Moment, SymbolList
from aperiodic.lake import ObjectKind
from aperiodic.market import DAY_US, InvalidInputError
from aperiodic.market.time import day_at, time_at
from aperiodic.server.replay import Stretch
from aperiodic.server.replay import replay as run_replay
from aperiodic.server.settings import ServerSettings

__all__ = ["replay"]

_FASTEST: Final = 100_000


def replay(
    *,
    exchange: ExchangeName,
    start: Moment,
    end: Moment,
    symbols: SymbolList | None = None,
    speed: Annotated[float, Parameter(validator=Number(gt=0, lte=_FASTEST))] = 1.0,
    host: str = "127.0.0.1",
    port: Annotated[int | None, Parameter(validator=Number(gte=0, lte=65535))] = None,
) -> None:
    """Serve a stretch of the past as the live stream, so that a program can be tried on the real socket.

    The first subscription starts it; at the end connections are closed with code 4000. Only the stream is served: what
    lies after the time that is told cannot be seen.

    Args:
        exchange: Venue.
        start: The first bar closes after this time: a day, or a time in UTC (2025-05-01T12:00).
        end: The last one closes by this time; a day is included.
        symbols: Only these instruments, in Atlas symbology (perpetual-BTC-USDT:USDT); by default all.
        speed: How many times faster than the bars closed.
        host: Address to listen on.
        port: Port to listen on; by default APERIODIC_PORT, else 8000. 0 takes a free one.
    """
    if end.last <= start.first:
        raise InvalidInputError(
            f"--end {end.text} does not come after --start {start.text}.",
            code="inverted_range",
            hint="Write the earlier time as --start.",
        )
    settings = read_settings(ServerSettings)
    names = None if symbols is None else {str(symbol) for symbol in symbols}
    with open_lake() as lake:
        held = [
            record
            for kind in (ObjectKind.BARS, ObjectKind.OPEN_BARS)
            for record in lake.current(kind, exchange=exchange)
            if names is None or record.key.symbol in names
        ]
    first, last = (day_at(time // DAY_US).isoformat() for time in (start.first, end.last - 1))
    if not any(
        first[: len(record.key.period)] <= record.key.period <= last[: len(record.key.period)] for record in held
    ):
        raise InvalidInputError(
            f"No bars of {exchange} lie between {start.text} and {end.text}.",
            code="nothing_to_replay",
            hint="Run `aperiodic status` to see what is held, and `aperiodic build` for bars of imported ticks.",
        )
    stretch = Stretch(start.first, end.last, speed, None if names is None else frozenset(names))
    told = f"{time_at(start.first):%Y-%m-%d %H:%M:%S} to {time_at(end.last):%Y-%m-%d %H:%M:%S} UTC"

    def ready(url: str) -> None:
        stream = url.replace("http", "ws", 1) + "/v1/stream"
        errors.print(
            f"Replaying {told} at {speed:g} x on {stream}; the first subscription starts it.",
            highlight=False,
            soft_wrap=True,
        )

    if run_replay(settings, stretch, host, settings.port if port is None else port, ready):
        errors.print("The replay is over.")
