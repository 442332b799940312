# %% [markdown]
# # Live rows, and a strategy that begins in the past
#
# The row of a bar comes the moment the bar is over, with the fields of the published file. `stream` yields new rows;
# `follow` yields those of the past first, so that a strategy knows enough when its first live row comes.
#
# It needs a server that collects: `aperiodic demo`, or `aperiodic up --mock` for all four exchanges. The market here
# is simulated. Live rows need the package websockets: `pip install "websockets>=15"`.

# %%
import time
import warnings
from collections import deque
from itertools import islice

import polars as pl

import aperiodic

warnings.simplefilter("ignore", aperiodic.SimulatedDataWarning)  # we know

exchange, interval, seconds = "hyperliquid-perps", "1s", 1
symbol = "perpetual-BTC-USDC:USDC"
with aperiodic.stream(
    dataset="ohlcv", exchange=exchange, interval=interval, symbols=[symbol], snapshot=False
) as stream:
    candles = stream.frame(5)
candles.select("time", "close", "volume", "complete", "revision")

# %% [markdown]
# `frame(5)` waits for five rows; a second without a trade has none. `complete` tells whether anything is known to be
# missing from the ticks behind a row. A `revision` above 0 takes the place of a row that came before.
#
# `time` is the start of a bar, so a row of a second cannot come earlier than a second after it. How much later do they
# come?


# %%
def age(message: aperiodic.StreamMessage) -> float:
    """Seconds since the bar ended; its start is in the row in microseconds."""
    end: float = message.data["time"] / 1_000_000 + seconds
    return time.time() - end


with aperiodic.stream(dataset="flow", exchange=exchange, interval=interval, symbols=[symbol], snapshot=False) as stream:
    late = [age(message) for message in islice(stream, 5)]
print(f"{min(late):.2f} to {max(late):.2f} s after the end of the bar")

# %% [markdown]
# ## A strategy: history, then live
#
# The same loop reads the past and the present. Each row comes once, in order; where the connection is lost, what was
# missed comes first, and a row that came is not told again. A corrected row is the exception: it comes once more, with
# a `revision`. Decide only on rows whose bar has just ended, for those of the past cannot be traded any more.

# %%
window: deque[float] = deque(maxlen=20)
past, decisions, wanted, too_old = 0, [], 5, 8.0
with aperiodic.follow(
    metric="flow",
    exchange=exchange,
    interval=interval,
    symbol=symbol,
    start=int((time.time() - 300) * 1_000_000),
    on_incomplete="ignore",
) as rows:
    for message in rows:
        if message.corrected:
            continue  # it is in the window already, a little off
        window.append(message.data["volume_delta_notional"] or 0.0)
        if age(message) > too_old:
            past += 1
            continue
        side = "long" if sum(window) > 0 else "short"
        decisions.append({"bar": message.time, "net_notional": sum(window), "side": side, "whole": message.complete})
        if len(decisions) == wanted:
            break
print(f"{past} rows of the past; gaps: {rows.gaps}")
pl.DataFrame(decisions)

# %% [markdown]
# `rows.gaps` lists the times of which rows could be had nowhere. Stop a strategy there, or fetch them later.
#
# ## Going on where a program ended
#
# A program that was stopped begins again where it was: `follow` from the last row that it has.

# %%
bars = pl.DataFrame(decisions)["bar"].to_list()
with aperiodic.follow(
    metric="flow", exchange=exchange, interval=interval, symbol=symbol, start=bars[0], on_incomplete="ignore"
) as rows:
    again = [message.time for message in islice(rows, len(bars))]
print(f"the same bars again: {again == bars}")
