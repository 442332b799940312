"""`aperiodic demo`: the whole path on simulated data, from nothing to a data frame."""

from __future__ import annotations

import os
import signal
import threading
from datetime import date
from typing import Final

import polars as pl

from aperiodic import get_metrics
from aperiodic.cli.console import errors, out, steps
from aperiodic.cli.installation import Begin, open_lake, read_settings
from aperiodic.cli.keys import make_key
from aperiodic.engine.build import build
from aperiodic.engine.compiling import compiling
from aperiodic.engine.plan import Selection
from aperiodic.market import AperiodicDataError, Exchange, Stream, Symbol
from aperiodic.server import serve
from aperiodic.server.settings import ServerSettings
from aperiodic.simulate import MarketSpec, simulate_into

__all__ = ["demo"]

_EXCHANGE: Final = Exchange.BINANCE_FUTURES
_BTC: Final = "perpetual-BTC-USDT:USDT"
_STREAMS: Final = {
    _BTC: (Stream.TRADES, Stream.QUOTES, Stream.BOOK),
    "perpetual-ETH-USDT:USDT": (Stream.TRADES, Stream.QUOTES),
}
_FIRST, _LAST = date(2025, 5, 1), date(2025, 5, 31)
_RAW_DAY: Final = date(2025, 6, 1)
_SEED: Final = 1
_HOST: Final = "127.0.0.1"
_TABLE_WIDTH: Final = 110


def demo(*, once: bool = False) -> None:
    """Simulate a month of BTC and ETH perpetuals, build it, serve it, and fetch it with the SDK.

    What the preview gives away by default is among it: bars of that month, and a day of raw ticks.
    Everything lies in APERIODIC_HOME (./aperiodic-data) and stays there; running it again uses what is there.

    Args:
        once: Stop after the frame is printed, instead of serving until Ctrl-C.
    """
    settings = read_settings(ServerSettings)
    with open_lake(Begin.ANYWHERE) as lake:
        # Simulating takes one processor, compiling another.
        with compiling(), steps() as progress:
            for name, streams in _STREAMS.items():
                spec = MarketSpec(_EXCHANGE, Symbol.parse(name), _SEED)
                simulate_into(lake, spec, _FIRST, _LAST, streams, progress=progress)
            simulate_into(lake, MarketSpec(_EXCHANGE, Symbol.parse(_BTC), _SEED), _RAW_DAY, _RAW_DAY, tuple(Stream))
        with steps() as progress:
            build(lake, Selection(start=_FIRST, end=_LAST), workers=os.cpu_count() or 1, progress=progress)
        key = make_key(lake, "prime-raw", "demo")
    visitor = _Visitor(key, settings.demo_key or key, once=once)
    serve(settings, _HOST, settings.port, ready=visitor.start)
    visitor.join()


class _Visitor:
    """Fetches through the running server in a thread of its own, and stops the server when that is all."""

    def __init__(self, key: str, preview_key: str, *, once: bool) -> None:
        self._key = key
        self._preview_key = preview_key
        self._once = once
        self._thread: threading.Thread | None = None
        self._error: AperiodicDataError | None = None

    def start(self, url: str) -> None:
        """Begin the visit; called by the server when it answers."""
        self._thread = threading.Thread(target=self._visit, args=(f"{url}/api/v1",))
        self._thread.start()

    def join(self) -> None:
        """Wait for the visit to end, and raise what went wrong in it."""
        if self._thread is not None:
            self._thread.join()
        if self._error is not None:
            raise self._error

    def _visit(self, api: str) -> None:
        try:
            frame = _fetch(self._key, api)
        except AperiodicDataError as error:
            self._error = error
        else:
            _show(frame, _NEXT.format(key=self._key, preview_key=self._preview_key, api=api, symbol=_BTC))
        if self._once or self._error is not None:
            os.kill(os.getpid(), signal.SIGTERM)
        else:
            site = api.removesuffix("/api/v1")
            errors.print(f"Serving {api}; the catalog is at {site} (Ctrl-C stops)", highlight=False)


def _fetch(key: str, api: str) -> pl.DataFrame:
    return get_metrics(
        key,
        metric="flow",
        interval="1h",
        exchange="binance-futures",
        symbol=_BTC,
        start_date=_FIRST,
        end_date=_LAST,
        base_url=api,
    )


def _show(frame: pl.DataFrame, following: str) -> None:
    out.print(f"\n[bold]Simulated data:[/] flow of {_BTC} on {_EXCHANGE}, 1h bars, {_FIRST} to {_LAST}")
    with pl.Config(tbl_cols=6, tbl_width_chars=_TABLE_WIDTH):
        _print(str(frame))
    _print("What a field means: aperiodic explain flow_entropy")
    _print(following)


def _print(text: str) -> None:
    out.print(text, highlight=False, markup=False, soft_wrap=True)


_NEXT: Final = """
Try next, in another terminal (the key is for this demo and is shown once):

  export APERIODIC_API_URL={api} APERIODIC_API_KEY={key}
  curl -H "X-API-KEY: $APERIODIC_API_KEY" "$APERIODIC_API_URL/metadata/symbols?exchange=binance-futures"
  .venv/bin/python -c '
import aperiodic
print(aperiodic.get_ohlcv(interval="15s", timestamp="true", exchange="binance-futures",
    symbol="{symbol}", start_date="2025-05-01", end_date="2025-05-02"))'
  preview="exchange=binance-futures&symbol={symbol}"
  curl -H "X-API-KEY: {preview_key}" "$APERIODIC_API_URL/data/raw/preview/trades?$preview"
  preview="$preview&timestamp=exchange&interval=5m&start_date=2025-05-01&end_date=2025-05-31"
  curl -H "X-API-KEY: {preview_key}" "$APERIODIC_API_URL/data/preview/l2_imbalance?$preview"
  .venv/bin/aperiodic status
"""
