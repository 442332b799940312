"""`aperiodic mock-exchange`."""

from __future__ import annotations

import asyncio
import signal
from pathlib import Path
from typing import Annotated, Final

from cyclopts import Parameter
from cyclopts.validators import Number

from aperiodic.cli.console import errors, print_line
from aperiodic.cli.parameters import ExchangeNames, SymbolNames
from aperiodic.market import Exchange, InvalidInputError, Symbol
from aperiodic.mock import (
    Fault,
    LoadSource,
    MockExchange,
    MockSettings,
    RecordedSource,
    SimulatedSource,
    random_faults,
    read_faults,
)
from aperiodic.mock.messages import Source
from aperiodic.simulate import MarketSpec
from aperiodic.venues import venue_of
from aperiodic.venues.registry import all_venues, feed_of

__all__ = ["mock_exchange"]

_TRADES_PER_DAY: Final = 43_200
_SEED: Final = 7


def mock_exchange(
    *,
    exchange: ExchangeNames | None = None,
    symbol: SymbolNames | None = None,
    seed: int = _SEED,
    trades_per_day: Annotated[int, Parameter(validator=Number(gte=1))] = _TRADES_PER_DAY,
    recording: Annotated[list[str] | None, Parameter(name="--recording", negative=())] = None,
    speed: float = 1.0,
    now: Annotated[bool, Parameter(negative=())] = False,
    load: str | None = None,
    faults: str | None = None,
    truth: Path | None = None,
    env_file: Path | None = None,
    host: str = "127.0.0.1",
    port: Annotated[int, Parameter(validator=Number(gte=0, lte=65535))] = 8900,
    life: Annotated[float | None, Parameter(validator=Number(gt=0))] = None,
    until_end: Annotated[bool, Parameter(negative=())] = False,
) -> None:
    """Serve the exchanges' own WebSocket and REST interfaces on this machine, until Ctrl-C.

    Without recordings a simulated market is told live. What it prints are settings that lead `aperiodic capture`
    here instead of to the exchanges.

    Args:
        exchange: Venue to imitate; give the option once for each. Default: all four.
        symbol: Symbol to simulate, on every venue that trades it. Default: each venue's majors.
        seed: Which simulated market.
        trades_per_day: Trades of every simulated instrument and day.
        recording: EXCHANGE=FILE: tell this recording instead; give the option once for each file. It begins when
            somebody has subscribed to it.
        speed: How many times faster than they were made recordings are told.
        now: Move the times in recordings, so that the market seems to be live.
        load: SECONDSxRATE[,…]: tell depth updates of 50 instruments of binance-futures at these rates instead.
        faults: What goes wrong: a file (JSON), or a whole number from which 50 faults in 10 minutes are drawn.
        truth: Write a log of every frame sent and withheld, every connection and every answer (JSON lines).
        env_file: Write the settings to this file.
        host: Address to listen on.
        port: Port to listen on; 0 takes a free one.
        life: Close each connection after so many seconds, as venues do after a day.
        until_end: End when everything was told.
    """
    sources = _sources(exchange, symbol, seed, trades_per_day, recording, speed, now, load)
    settings = MockSettings(host=host, port=port, life_s=life, truth=truth, faults=_faults(faults, sources))
    asyncio.run(_serve(MockExchange(sources, settings), env_file, until_end=until_end))


async def _serve(mock: MockExchange, env_file: Path | None, *, until_end: bool) -> None:
    stop = asyncio.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    async with mock:
        settings = mock.environment()
        for name, value in settings.items():
            print_line(f"export {name}={value}")
        if env_file is not None:
            text = "".join(f"{name}={value}\n" for name, value in settings.items())
            await asyncio.to_thread(env_file.write_text, text, encoding="utf-8")
        errors.print(f"Mock of {', '.join(mock.venues)} on port {mock.port} (Ctrl-C stops)", highlight=False)
        waiting: list[asyncio.Task[object]] = [asyncio.create_task(stop.wait())]
        if until_end:
            waiting.append(asyncio.create_task(mock.finished()))
        _, rest = await asyncio.wait(waiting, return_when=asyncio.FIRST_COMPLETED)
        for task in rest:
            task.cancel()


def _sources(
    exchanges: list[Exchange] | None,
    symbols: list[Symbol] | None,
    seed: int,
    trades_per_day: int,
    recordings: list[str] | None,
    speed: float,
    now: bool,
    load: str | None,
) -> list[Source]:
    if load is not None:
        return [LoadSource(_plan(load))]
    if recordings:
        files: dict[Exchange, list[Path]] = {}
        for text in recordings:
            name, equals, path = text.partition("=")
            if not equals:
                raise InvalidInputError(
                    f"{text[:100]!r} does not say whose recording it is.",
                    code="bad_recording",
                    hint="Write --recording binance-futures=FILE.",
                )
            files.setdefault(Exchange.parse(name), []).append(Path(path))
        return [RecordedSource(of, paths, speed=speed, shift=now) for of, paths in files.items()]
    chosen = exchanges or [venue.exchange for venue in all_venues() if venue.feed is not None]
    specs = {of: _specs(of, symbols, seed, trades_per_day) for of in chosen}
    found: list[Source] = [SimulatedSource(each) for each in specs.values() if each]
    if not found:
        raise InvalidInputError(
            "None of these exchanges trades these symbols.",
            code="symbol_not_on_exchange",
            hint="Spot symbols belong to 'binance'; the other exchanges hold perpetuals.",
        )
    return found


def _specs(exchange: Exchange, symbols: list[Symbol] | None, seed: int, trades_per_day: int) -> list[MarketSpec]:
    venue = venue_of(exchange)
    if symbols is None:
        return [MarketSpec(exchange, venue.symbol(native), seed, trades_per_day) for native in feed_of(exchange).majors]
    specs = []
    for symbol in symbols:
        try:
            specs.append(MarketSpec(exchange, symbol, seed, trades_per_day))
        except InvalidInputError as error:
            if error.code != "symbol_not_on_exchange":
                raise
    return specs


def _plan(load: str) -> list[tuple[float, float]]:
    try:
        return [(float(seconds), float(rate)) for seconds, rate in (part.split("x") for part in load.split(","))]
    except ValueError:
        raise InvalidInputError(
            f"{load[:100]!r} is no load.", code="bad_load", hint="Write seconds x frames a second: 60x5000,10x30000."
        ) from None


def _faults(text: str | None, sources: list[Source]) -> tuple[Fault, ...]:
    if text is None:
        return ()
    if not text.isdecimal():
        return read_faults(Path(text))
    for source in sources:
        source.prepare()
    return random_faults(int(text), {source.exchange: sorted(source.natives()) for source in sources})
