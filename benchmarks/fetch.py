"""Fetch two years of `flow` at 1m with whichever `aperiodic` this interpreter has; run as a module by `serving.py`.

Prints the seconds of the call, the peak memory of the process in MB, and the rows as JSON.
"""

from __future__ import annotations

import json
import os
import sys
import time
from datetime import date

import aperiodic
from benchmarks.measure import peak_memory_mb

if __name__ == "__main__":
    base_url, symbol, first, last = sys.argv[1:]
    begin = time.perf_counter()
    frame = aperiodic.get_metrics(
        api_key=os.environ["APERIODIC_API_KEY"],
        metric="flow",
        timestamp="exchange",
        interval="1m",
        exchange="binance-futures",
        symbol=symbol,
        start_date=date.fromisoformat(first),
        end_date=date.fromisoformat(last),
        base_url=base_url,
        show_progress=False,
    )
    taken = time.perf_counter() - begin
    sys.stdout.write(json.dumps({"seconds": taken, "memory_mb": peak_memory_mb(), "rows": frame.height}))
