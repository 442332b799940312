"""`aperiodic demo`: the whole path on simulated data, from nothing to a data frame: three months gone by, and now."""

from __future__ import annotations

import os
import signal
import threading
import time
from contextlib import suppress
from datetime import UTC, date, datetime, timedelta
from typing import Final

import polars as pl

from aperiodic import get_metrics, get_ohlcv
from aperiodic.cli.console import errors, out, steps
from aperiodic.cli.demo_live import LIVE_EXCHANGE, LIVE_SYMBOL, LiveMarket
from aperiodic.cli.installation import Begin, open_lake, read_settings
from aperiodic.cli.keys import make_key
from aperiodic.client.errors import APIError
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
_ETH: Final = "perpetual-ETH-USDT:USDT"
_ALL: Final = tuple(Stream)
_TRADED: Final = (Stream.TRADES, Stream.QUOTES)
_FIRST, _MAY, _LAST = date(2025, 3, 1), date(2025, 5, 1), date(2025, 5, 31)
_HISTORY: Final = (
    (Exchange.BINANCE_FUTURES, _BTC, _ALL, _FIRST),
    (Exchange.OKX_PERPS, _BTC, _ALL, _FIRST),
    (Exchange.BINANCE_FUTURES, _ETH, _TRADED, _MAY),
)
"""Venue, symbol, streams and first day; the last is that of May, of which the preview gives bars away."""

_TRADES_PER_DAY: Final = 3_000
"""Few, so that three months of two venues take three minutes."""

_RAW_DAY: Final = date(2025, 6, 1)
_SEED: Final = 1
_HOST: Final = "127.0.0.1"
_TABLE_WIDTH: Final = 110
_LIVE_WITHIN_S: Final = 180.0


def demo(*, once: bool = False) -> None:
    """Simulate three months of BTC on two venues and a live market, build them, serve them, and fetch them with the SDK.

    What the preview gives away by default is among it: bars of the last month, and a day of raw ticks. The live market comes
    from a mock exchange, over sockets, and is captured, normalised and built as that of an exchange would be.
    Everything lies in APERIODIC_HOME (./aperiodic-data, 4 GB) and stays there; running it again uses what is there.

    Args:
        once: Stop after the frames are printed, instead of serving until Ctrl-C.
    """
    settings = read_settings(ServerSettings)
    errors.print("SIMULATED DATA: all of it is made up; nothing of it happened on an exchange.", highlight=False)
    with open_lake(Begin.ANYWHERE) as lake, LiveMarket(settings.home) as live:
        # Simulating takes one processor, compiling another.
        with compiling(), steps() as progress:
            for exchange, name, streams, first in _HISTORY:
                simulate_into(lake, _market(exchange, name), first, _LAST, streams, progress=progress)
            simulate_into(lake, _market(_EXCHANGE, _BTC), _RAW_DAY, _RAW_DAY, _ALL)
        # Not the live market's venue, which is written to at the same time.
        for exchange in dict.fromkeys(exchange for exchange, *_ in _HISTORY):
            with steps() as progress:
                history = Selection(exchange, start=_FIRST, end=_LAST)
                build(lake, history, workers=os.cpu_count() or 1, progress=progress)
        live.build()
        key = make_key(lake, "prime-raw", "demo")
        visitor = _Visitor(key, settings.demo_key or key, live, once=once)
        serve(settings, _HOST, settings.port, ready=visitor.start)
        visitor.join()


def _market(exchange: Exchange, symbol: str) -> MarketSpec:
    return MarketSpec(exchange, Symbol.parse(symbol), _SEED, _TRADES_PER_DAY)


class _Visitor:
    """Fetches through the running server in a thread of its own, and stops the server when that is all."""

    def __init__(self, key: str, preview_key: str, live: LiveMarket, *, once: bool) -> None:
        self._key = key
        self._preview_key = preview_key
        self._live = live
        self._once = once
        self._over = threading.Event()
        self._thread: threading.Thread | None = None
        self._error: AperiodicDataError | None = None

    def start(self, url: str) -> None:
        """Begin the visit; called by the server when it answers."""
        self._thread = threading.Thread(target=self._visit, args=(f"{url}/api/v1",))
        self._thread.start()

    def join(self) -> None:
        """Wait for the visit to end, and raise what went wrong in it."""
        self._over.set()
        if self._thread is not None:
            self._thread.join()
        if self._error is not None:
            raise self._error

    def _visit(self, api: str) -> None:
        try:
            _show(_fetch(self._key, api))
            self._show_live(api)
            _print(
                _NEXT.format(
                    key=self._key, preview_key=self._preview_key, api=api, symbol=_BTC, live_exchange=LIVE_EXCHANGE
                )
            )
        except AperiodicDataError as error:
            self._error = error
        if self._once or self._error is not None:
            os.kill(os.getpid(), signal.SIGTERM)
        else:
            site = api.removesuffix("/api/v1")
            errors.print(f"Serving {api}; the catalog is at {site} (Ctrl-C stops)", highlight=False)

    def _show_live(self, api: str) -> None:
        """Wait for the first bar of the live market, and show it."""
        today = datetime.now(UTC).date()
        deadline = time.monotonic() + _LIVE_WITHIN_S
        while time.monotonic() < deadline and self._live.error is None and not self._over.wait(1.0):
            with suppress(APIError):  # there are none yet
                frame = get_ohlcv(
                    self._key,
                    interval="1m",
                    timestamp="true",
                    exchange=LIVE_EXCHANGE,
                    symbol=LIVE_SYMBOL,
                    start_date=today,
                    end_date=today + timedelta(days=1),
                    base_url=api,
                    show_progress=False,
                    on_incomplete="ignore",
                )
                if frame.height:
                    out.print(
                        f"\n[bold]Simulated, live:[/] {LIVE_SYMBOL} on a mock of {LIVE_EXCHANGE}, 1m bars of today"
                    )
                    _print_frame(frame)
                    return
        if self._live.error is not None:
            raise self._live.error
        if not self._over.is_set():
            raise AperiodicDataError(
                "No bar of the live market came.", code="no_live_bars", hint="Try it alone: aperiodic up --mock"
            )


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


def _show(frame: pl.DataFrame) -> None:
    out.print(f"\n[bold]Simulated data:[/] flow of {_BTC} on {_EXCHANGE}, 1h bars, {_FIRST} to {_LAST}")
    _print_frame(frame)
    _print("What a field means: aperiodic explain flow_entropy")


def _print_frame(frame: pl.DataFrame) -> None:
    with pl.Config(tbl_cols=6, tbl_width_chars=_TABLE_WIDTH):
        _print(str(frame))


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
  .venv/bin/aperiodic watch ohlcv --exchange {live_exchange} --interval 1s
"""
