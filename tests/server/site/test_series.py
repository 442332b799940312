"""The numbers of the charts are those of the published files, and of nothing but the shown slice."""

from __future__ import annotations

from datetime import date, datetime, timedelta
from typing import TYPE_CHECKING, Any

import httpx
import pytest

import aperiodic

if TYPE_CHECKING:
    import polars as pl
    from tests.server.site.market import Market


def series(market: Market, **query: str) -> httpx.Response:
    return httpx.get(f"{market.url}/site/series", params=query)


def fetched(market: Market, metric: Any, clock: Any, interval: Any) -> pl.DataFrame:
    family = aperiodic.get_derivative_metrics if metric == "funding" else aperiodic.get_metrics
    frame: pl.DataFrame = family(
        market.key,
        metric=metric,
        timestamp=clock,
        interval=interval,
        exchange="binance-futures",
        symbol="perpetual-BTC-USDT:USDT",
        start_date=date(2025, 5, 1),
        end_date=date(2025, 5, 31),
        base_url=f"{market.url}/api/v1",
        show_progress=False,
        on_incomplete="ignore",
    )
    return frame


@pytest.mark.parametrize(
    ("metric", "field"), [("flow", "flow_entropy"), ("l2_imbalance", None), ("funding", None), ("ohlcv", "close")]
)
@pytest.mark.parametrize("clock", ["exchange", "true"])
@pytest.mark.parametrize("interval", ["5m", "1h"])
def test_a_chart_draws_what_the_client_fetches(
    market: Market, metric: str, field: str | None, clock: str, interval: str
) -> None:
    frame = fetched(market, metric, clock, interval)
    name = field or frame.columns[-1]
    told = series(market, metric=metric, fields=name, interval=interval, timestamp=clock).json()
    start = datetime(1970, 1, 1)  # noqa: DTZ001 - as the frame's times
    assert [start + timedelta(seconds=time) for time in told["times"]] == frame["time"].to_list()
    assert told["fields"][name] == frame[name].to_list()
    assert told["source"] == "simulated"
    candles = fetched(market, "ohlcv", clock, interval)
    assert told["prices"]["close"] == candles["close"].to_list()


@pytest.mark.parametrize(
    "query",
    [
        {"metric": "nothing"},
        {"fields": "nothing"},
        {"metric": "flow", "interval": "1s"},
        {"interval": "7m"},
        {"timestamp": "wall"},
        {"exchange": "nowhere"},
        {"candles": "maybe"},
        {"metric": "flow", "fields": ",".join(["flow_entropy"] * 9)},
        {"fields": "x" * 2000},
    ],
)
def test_what_cannot_be_drawn_is_refused_with_a_reason(market: Market, query: dict[str, str]) -> None:
    answer = series(market, **query)
    assert answer.status_code == 400
    assert answer.json()["hint"]


def test_nothing_but_the_shown_instrument_and_days_can_be_asked_for(market: Market) -> None:
    other = series(market, metric="ohlcv", symbol="perpetual-ETH-USDT:USDT", start_date="2020-01-01").json()
    assert other["symbol"] == "perpetual-BTC-USDT:USDT"
    assert min(other["times"]) >= datetime.fromisoformat("2025-05-01T00:00:00+00:00").timestamp()


def test_a_venue_without_the_slice_has_no_rows(market: Market) -> None:
    told = series(market, metric="flow", fields="flow_entropy", exchange="okx-perps").json()
    assert told["times"] == told["price_times"] == []
