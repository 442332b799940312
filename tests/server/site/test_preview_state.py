"""The preview's table says what is really held, and a page of what is not published does not claim a chart."""

from __future__ import annotations

from contextlib import closing
from datetime import date
from typing import TYPE_CHECKING

from tests.lakes import BTC, VENUE, preview_of
from tests.server.site.market import Market
from tests.servers import serving

from aperiodic.engine.build import build
from aperiodic.lake import Lake
from aperiodic.market import Stream
from aperiodic.server.settings import ServerSettings
from aperiodic.server.site.preview_state import held_entries
from aperiodic.simulate import MarketSpec, simulate_into

if TYPE_CHECKING:
    from pathlib import Path

DAY = date(2025, 5, 1)


def test_each_request_of_the_preview_says_what_is_held(tmp_path: Path) -> None:
    entries = (
        *preview_of(("ohlcv", "funding"), DAY, DAY.replace(day=31)),
        *preview_of(("ohlcv",), DAY, date(2025, 6, 30)),
    )
    settings = ServerSettings(home=tmp_path, preview=entries)
    with closing(Lake.open(settings)) as lake:
        simulate_into(lake, MarketSpec(VENUE, BTC, 1, 2_000), DAY, DAY, (Stream.TRADES,))
        build(lake)
        with lake.engine.connect() as connection:
            held = held_entries(connection, entries)
    assert [(item.entry.metric, item.state, item.words) for item in held] == [
        ("ohlcv", "partial", "2025-05: 30 days without ticks, 1 gap"),
        ("funding", "missing", "not published here"),
        ("ohlcv", "partial", "2025-06 is not published; 2025-05: 30 days without ticks, 1 gap"),
    ]
    with serving(settings) as api:
        market = Market(api.url.removesuffix("/api/v1"), api.key, tmp_path)
        catalog, funding, flow = (market.page(path) for path in ("/catalog", "/catalog/funding", "/catalog/flow"))
        wrong = market.page("/catalog/flow?interval=1s&timestamp=exchange")
        backwards = market.page("/catalog/flow?start_date=2025-05-02&end_date=2025-05-01")
    assert "not published here" in catalog
    assert "data-not-published" in funding
    assert "data-explorer" not in funding
    assert "The field in colour" not in funding
    assert "data-explorer" in flow
    assert "data-not-published" not in flow
    assert "Bars of 1s exist for the timestamp true only." in wrong
    assert "The end date lies before the start date." in backwards
