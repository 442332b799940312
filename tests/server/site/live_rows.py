"""Rows as a maker tells them, of two datasets, bars of a second and of a minute."""

from __future__ import annotations

import threading
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Final

import msgspec

from aperiodic.engine.live import LiveHub, LiveRow
from aperiodic.market.time import now_us

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

BTC: Final = "perpetual-BTC-USDT:USDT"
_SECOND: Final = 1_000_000
_MINUTE: Final = 60 * _SECOND
_PAUSE_S: Final = 0.005
_VALUES: Final[dict[str, dict[str, Any]]] = {
    "ohlcv": {"close": 100.5, "volume": 2.0},
    "flow": {"volume_delta_notional": 3.5},
}


@contextmanager
def live_rows(home: Path, seconds: int) -> Iterator[None]:
    """Tell rows of so many seconds that have passed, 200 of these in a second, then each as its bar ends."""
    over = threading.Event()

    def tell() -> None:
        begin = now_us() // _SECOND * _SECOND - seconds * _SECOND
        with LiveHub(home) as hub:
            while not over.wait(_PAUSE_S):
                if begin + _SECOND > now_us():
                    continue
                hub.tell(list(_rows("1s", "true", begin, _SECOND)))
                begin += _SECOND
                if begin % _MINUTE == 0:
                    hub.tell(list(_rows("1m", "exchange", begin - _MINUTE, _MINUTE)))

    teller = threading.Thread(target=tell)
    teller.start()
    try:
        yield
    finally:
        over.set()
        teller.join()


def _rows(interval: str, clock: str, begin: int, length: int) -> Iterator[LiveRow]:
    for dataset, values in _VALUES.items():
        told = {"symbol": BTC, "interval": interval, "time": begin, **values, "complete": True, "revision": 0}
        series = (dataset, "binance-futures", interval, clock, BTC)
        times = (begin, begin + length, now_us())
        yield LiveRow(*series, *times, 0, complete=True, data=msgspec.json.encode(told))
