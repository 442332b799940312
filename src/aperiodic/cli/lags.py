"""How late everything is at present: frames in their files, ticks, bars."""

from __future__ import annotations

import json
import time
from typing import TYPE_CHECKING, Any, Final

from aperiodic.lake.delays import quantile_s, read_delays
from aperiodic.market.time import now_us

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from aperiodic.lake import Lake

__all__ = ["lag_words", "read_lags"]

_FRESH_S: Final = 60.0
_WORDS: Final = {
    "socket_to_file": "from the socket to the file",
    "arrival_to_tick": "from arrival to committed ticks",
    "minute_end_to_bar": "from the end of a minute to its bar",
}


def read_lags(lake: Lake) -> dict[str, Any]:
    """Return delays of the last minutes: by capture, of ticks and of bars, each as p50 and p99 in ms, as JSON.

    What did nothing of late is null, or not there.
    """
    with lake.engine.connect() as connection:
        delays = read_delays(connection, now_us())
    return {
        "socket_to_file": dict(_captures(lake)),
        "arrival_to_tick": _facts(delays.ticks),
        "minute_end_to_bar": _facts(delays.bars),
    }


def lag_words(lags: dict[str, Any]) -> Iterator[str]:
    """Yield a line for each of what `read_lags` returned, where there is anything to say."""
    for name, words in _WORDS.items():
        told = lags[name]
        for of, each in told.items() if name == "socket_to_file" else [("", told)]:
            if each and each["p50_ms"] is not None:
                what = f"{of}: " if of else ""
                yield f"delay {words}: {what}{each['p50_ms']:,.0f} ms (p50), {each['p99_ms']:,.0f} ms (p99)"


def _captures(lake: Lake) -> Iterator[tuple[str, dict[str, Any]]]:
    for path in sorted((lake.home / "capture").glob("*.json")):
        try:
            told = json.loads(path.read_bytes())
            if time.time() - told["time"] < _FRESH_S:
                yield path.stem, {name: told["file_lag"][name] for name in ("count", "p50_ms", "p99_ms")}
        except (OSError, ValueError, TypeError, KeyError):
            continue


def _facts(delays: Sequence[float]) -> dict[str, Any] | None:
    if not delays:
        return None
    p50, p99 = (round((quantile_s(delays, share) or 0.0) * 1e3, 1) for share in (0.5, 0.99))
    return {"count": len(delays), "p50_ms": p50, "p99_ms": p99}
