"""What docs/research.md says is so: bars of trades are those that the server has, and every carried field is named."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, Final

import pytest
from tests.docs.samples import ROOT
from tests.server.site.market import BTC, DAY

import aperiodic
from aperiodic.catalog import DATASETS
from aperiodic.catalog.carrying import carried_fields

if TYPE_CHECKING:
    from tests.server.site.market import Market

PAGE: Final = (ROOT / "docs" / "research.md").read_text(encoding="utf-8")


@pytest.fixture
def asked(market: Market, monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    monkeypatch.setenv("APERIODIC_API_URL", f"{market.url}/api/v1")
    monkeypatch.setenv("APERIODIC_API_KEY", market.key)
    return {
        "exchange": "binance-futures",
        "symbol": str(BTC),
        "start_date": DAY,
        "end_date": DAY,
        "show_progress": False,
        "on_incomplete": "ignore",
    }


@pytest.mark.parametrize(("interval", "timestamp"), [("1m", "exchange"), ("1m", "true"), ("1h", "exchange")])
def test_bars_of_time_are_those_of_the_server(asked: dict[str, Any], interval: str, timestamp: Any) -> None:
    trades = aperiodic.get_raw(dataset="trades", **asked)
    own = aperiodic.bars.time([trades[:700], trades[700:]], interval, timestamp=timestamp)
    candles = aperiodic.get_ohlcv(interval=interval, timestamp=timestamp, **asked)
    # Of arrival times the day has trades that the day's candles do not: they arrived on the next one.
    assert own.filter(own["time"].dt.date() == DAY).select(candles.columns).equals(candles)
    flow = aperiodic.get_metrics(metric="flow", interval=interval, timestamp=timestamp, **asked)
    names = ["taker_buy_volume", "taker_sell_volume", "taker_buy_count", "taker_sell_count"]
    assert own.filter(own["time"].dt.date() == DAY).select("time", *names).equals(flow.select("time", *names))


def test_the_page_names_every_field_that_is_carried() -> None:
    for name, dataset in DATASETS.items():
        row = re.search(rf"^\| `{name}` \| (.*) \|$", PAGE, re.MULTILINE)
        named = set(re.findall(r"`(\w+)`", row[1])) if row else set()
        assert named == {re.sub(r"_(5|10|20|25)$", "_N", field) for field in carried_fields(dataset)}
