# %% [markdown]
# # Live rows, and a strategy that begins in the past
#
# The row of a bar comes the moment the bar is over, with the fields of the published file. `stream` yields new rows;
# `follow` yields those of the past first, so that a strategy knows enough when its first live row comes.
#
# It needs a server that collects: `aperiodic demo`, or `aperiodic up --mock` for all four exchanges. The market here
# is simulated. Live rows need the package websockets: `pip install "websockets>=15"`.

# %%
import warnings
from collections import deque
from datetime import UTC, datetime, timedelta
from itertools import islice

import polars as pl

import aperiodic

warnings.simplefilter("ignore", aperiodic.SimulatedDataWarning)  # we know

bars = {"exchange": "hyperliquid-perps", "interval": "1s"}
symbol = "perpetual-BTC-USDC:USDC"
with aperiodic.stream(dataset="ohlcv", symbols=[symbol], snapshot=False, **bars) as stream:
    seconds = stream.frame(5)
seconds.select("time", "close", "volume", "complete", "revision")

# %% [markdown]
# `frame(5)` waits for five rows. `complete` tells whether anything is known to be missing from the ticks behind a row.
# A `revision` above 0 takes the place of a row that came before.
#
# `time` is the start of a bar, so a row of a second cannot come earlier than a second after it. How much later do they
# come?

# %%
with aperiodic.stream(dataset="flow", symbols=[symbol], snapshot=False, **bars) as stream:
    late = [datetime.now(UTC) - (message.time + timedelta(seconds=1)) for message in islice(stream, 5)]
print(f"{min(late).total_seconds():.2f} to {max(late).total_seconds():.2f} s after the end of the bar")

# %% [markdown]
# ## A strategy: history, then live
#
# The same loop reads the past and the present. Each row comes once, in order; where the connection is lost, what was
# missed comes first, and a row that came is not told again. A corrected row is the exception: it comes once more, with
# a `revision`. Decide only on rows whose bar has just ended, for those of the past cannot be traded any more.

# %%
window: deque[float] = deque(maxlen=20)
past = 0
decisions, wanted = [], 5
with aperiodic.follow(
    metric="flow",
    symbol=symbol,
    start=datetime.now(UTC) - timedelta(minutes=5),
    on_incomplete="ignore",
    **bars,
) as rows:
    for message in rows:
        if message.corrected:
            continue  # it is in the window already, a little off
        window.append(message.data["volume_delta_notional"] or 0.0)
        if datetime.now(UTC) - message.time > timedelta(seconds=10):
            past += 1
            continue
        side = "long" if sum(window) > 0 else "short"
        decisions.append({"bar": message.time, "net_notional": sum(window), "side": side, "sure": message.complete})
        if len(decisions) == wanted:
            break
print(f"{past} rows of the past; gaps: {rows.gaps}")
pl.DataFrame(decisions)

# %% [markdown]
# `rows.gaps` lists the times of which rows could be had nowhere. Stop a strategy there, or fetch them later.
#
# ## The newest bars without a stream
#
# A program that runs once a minute needs no connection that stays open. `follow` ends when the loop is left, and begins
# the next time where it is told to:

# %%
begin = int(decisions[0]["bar"].timestamp() * 1_000_000)
seen = []
with aperiodic.follow(metric="flow", symbol=symbol, start=begin, on_incomplete="ignore", **bars) as rows:
    for message in rows:
        seen.append(message.time)
        if message.time >= decisions[-1]["bar"]:
            break
print(f"the same bars again: {seen[: len(decisions)] == [each['bar'] for each in decisions]}")
