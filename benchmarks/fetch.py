"""Fetch bars with whichever `aperiodic` this interpreter has; run as a module by `serving.py`.

Two years of `flow` at 1m of one instrument, or a year of `ohlcv` at 15m of many: in one call where the client takes lists,
one after the other where it does not. Prints the seconds of the call, the peak memory of the process in MB, and the rows
as JSON. Polars is imported and the symbols are asked for before: one of the two clients imports what it needs when it
needs it first.
"""

from __future__ import annotations

import json
import os
import sys
import time
from datetime import date
from typing import Any

import polars as pl  # noqa: F401 - as said above

import aperiodic
from benchmarks.measure import peak_memory_mb

if __name__ == "__main__":
    base_url, metric, interval, first, last, *symbols = sys.argv[1:]
    takes_lists = hasattr(aperiodic, "Client")
    asked: dict[str, Any] = {
        "api_key": os.environ["APERIODIC_API_KEY"],
        "metric": metric,
        "timestamp": "exchange",
        "interval": interval,
        "exchange": "binance-futures",
        "start_date": date.fromisoformat(first),
        "end_date": date.fromisoformat(last),
        "base_url": base_url,
        "show_progress": False,
    }
    aperiodic.get_symbols(asked["api_key"], asked["exchange"], base_url=base_url)
    begin = time.perf_counter()
    if len(symbols) > 1 and takes_lists:
        rows = aperiodic.get_metrics(**asked, symbol=symbols).height
    else:
        rows = sum(aperiodic.get_metrics(**asked, symbol=symbol).height for symbol in symbols)
    taken = time.perf_counter() - begin
    sys.stdout.write(json.dumps({"seconds": taken, "memory_mb": peak_memory_mb(), "rows": rows}))
