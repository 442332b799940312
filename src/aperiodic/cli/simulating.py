"""`aperiodic simulate`."""

from __future__ import annotations

from typing import Annotated

from cyclopts import Parameter

from aperiodic.cli.console import out, print_line, steps
from aperiodic.cli.installation import Begin, open_lake
from aperiodic.cli.parameters import Day, ExchangeName, SymbolName, check_range
from aperiodic.market import Stream
from aperiodic.simulate import DEFAULT_TRADES_PER_DAY, MarketSpec, simulate_into, streams_of

__all__ = ["simulate"]


def simulate(
    *,
    exchange: ExchangeName,
    symbol: SymbolName,
    start: Day,
    end: Day,
    seed: int,
    trades_per_day: int = DEFAULT_TRADES_PER_DAY,
    streams: Annotated[list[Stream] | None, Parameter(name="--stream")] = None,
) -> None:
    """Generate ticks of a simulated market. The same arguments always give the same ticks.

    Everything made from them is labelled as simulated, in the ledger, the API and the client.

    Args:
        exchange: Venue to imitate.
        symbol: Symbol in Atlas symbology (perpetual-BTC-USDT:USDT).
        start: First day (UTC).
        end: Last day, inclusive.
        seed: Any whole number; another seed is another market.
        trades_per_day: Trades of every day, 1 to 20,000,000.
        streams: Only these tick streams; give the option once for each. Default: all that the venue has.
    """
    check_range(start, end)
    spec = MarketSpec(exchange, symbol, seed, trades_per_day)
    with open_lake(Begin.ANYWHERE) as lake, steps() as progress:
        made = simulate_into(lake, spec, start, end, streams or streams_of(exchange), progress=progress)
    if made:
        print_line(f"Simulated {made} days of {symbol} on {exchange} (seed {seed}). Next: aperiodic build")
    else:
        out.print("These days are simulated already.")
