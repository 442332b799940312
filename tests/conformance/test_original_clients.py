"""The clients that the original service published get from our server what our own client gets.

Their functions for bars, symbols and previews are here; raw ticks and errors in the neighbouring modules. The only one
left out is `stream` of 4.3.1, live rows over a WebSocket, which the server does not offer.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import polars as pl
import pytest
from tests.conformance.agreement import assert_same_frame
from tests.conformance.conftest import ALL_DAYS, FIRST, INSTRUMENT, LAST, Call, OriginalClient
from tests.lakes import BTC, VENUE

from aperiodic.catalog import DATASETS
from aperiodic.market import Stream

if TYPE_CHECKING:
    from collections.abc import Iterator

pytestmark = pytest.mark.conformance

# The first and the last day of data are cut off. All but the newest cut by a column that no file holds, so
# they deliver whole months whatever they were asked for.
INSIDE: Final = {"start_date": "2025-04-30", "end_date": "2025-05-01"}
WHOLE_MONTHS: Final = {"start_date": "2025-04-01", "end_date": "2025-05-31"}
CUTS: Final = "4.3.1"
WITH_PANDAS: Final = ("4.0.2", "4.0.10", "4.3.1")
WITH_PREVIEW: Final = ("4.0.10", "4.3.1")
BARS: Final = (("", "exchange", "1h"), ("_async", "true", "1m"), ("", "true", "15s"), ("_async", "exchange", "1d"))
FAMILY: Final = {Stream.TRADES: "trade", Stream.QUOTES: "l1", Stream.BOOK: "l2"}


def functions(version: str) -> Iterator[tuple[str, dict[str, str]]]:
    """Each function for bars with each dataset that it serves."""
    yield "get_ohlcv", {}
    if version != "3.1.1":
        yield from (("get_vwap", {}), ("get_twap", {}))
    for metric, dataset in DATASETS.items():
        family = FAMILY.get(dataset.driving, "derivative")
        if family == "derivative" or version == "3.1.1":
            yield f"get_{family}_metrics", {"metric": metric}
        else:
            yield "get_metrics", {"metric": metric}


def calls(client: OriginalClient, **more: Any) -> list[Call]:
    days = INSIDE if client.version == CUTS else WHOLE_MONTHS
    return [
        Call(
            "-".join([function + suffix, *chosen.values(), clock, interval, *map(str, more.values())]),
            function + suffix,
            {
                "api_key": client.service.api.key,
                **chosen,
                "timestamp": clock,
                "interval": interval,
                **INSTRUMENT,
                **days,
                **more,
            },
        )
        for function, chosen in functions(client.version)
        for suffix, clock, interval in BARS
    ]


def test_their_frames_are_our_frames(client: OriginalClient) -> None:
    wanted = calls(client)
    told = client.run(wanted)
    for call in wanted:
        assert_same_frame(client, call, told["outcomes"][call.name])
    known = {call.function for call in wanted} | {"get_symbols", "get_symbols_async"}
    raw = {f"{name}{suffix}" for name in ("get_raw", "download_raw", "get_raw_coverage") for suffix in ("", "_async")}
    assert set(told["functions"]) - raw == known


def test_they_hold_the_days_that_were_asked_for(client: OriginalClient) -> None:
    first, last = ("2025-04-30", "2025-05-01") if client.version == CUTS else (FIRST.isoformat(), LAST.isoformat())
    (call,) = (call for call in calls(client) if call.name == "get_ohlcv-exchange-1h")
    days = pl.read_parquet(client.run([call])["outcomes"][call.name]["file"])["time"].dt.date()
    assert (str(days.min()), str(days.max())) == (first, last)


@pytest.mark.parametrize("client", WITH_PANDAS, indirect=True)
def test_their_pandas_frames_are_our_pandas_frames(client: OriginalClient) -> None:
    more = {} if client.version == "4.0.2" else {"output": "pandas"}
    wanted = [call for call in calls(client, **more) if "-1h" in call.name]
    # 4.0.2 takes pandas where there is no polars.
    told = client.run(wanted, "polars" if more else "pandas")
    for call in wanted:
        assert_same_frame(client, call, told["outcomes"][call.name])


@pytest.mark.parametrize("function", ["get_symbols", "get_symbols_async"])
def test_their_symbols_are_our_symbols(client: OriginalClient, function: str) -> None:
    assert client.outcome(function, exchange=str(VENUE)) == {"answer": [str(BTC)]}


@pytest.mark.parametrize("client", WITH_PREVIEW, indirect=True)
def test_their_previews_are_our_previews(client: OriginalClient) -> None:
    given = {"timestamp": "exchange", "interval": "5m", **INSTRUMENT, **ALL_DAYS, "preview": True}
    wanted = [
        Call(f"{function}{suffix}-{'-'.join(chosen.values())}", function + suffix, {**chosen, **given})
        for function, chosen in (
            ("get_ohlcv", {}),
            ("get_vwap", {}),
            ("get_twap", {}),
            ("get_metrics", {"metric": "l2_imbalance"}),
            ("get_derivative_metrics", {"metric": "basis"}),
        )
        for suffix in ("", "_async")
    ]
    told = client.run(wanted)
    for call in wanted:
        assert_same_frame(client, call, told["outcomes"][call.name])
