"""Charts for the frames of other sites."""

from __future__ import annotations

from datetime import date
from typing import TYPE_CHECKING

import pytest
from pydantic import ValidationError
from tests.lakes import BTC, VENUE, preview_of
from tests.server.in_process import application

from aperiodic.catalog import DATASETS
from aperiodic.engine.build import build
from aperiodic.market import Stream
from aperiodic.server.settings import ServerSettings
from aperiodic.server.site.heat_maps import HEAT_MAPS
from aperiodic.simulate import MarketSpec, simulate_into

if TYPE_CHECKING:
    from pathlib import Path

DAY = date(2025, 5, 1)
PREVIEW = preview_of(("ohlcv",), DAY, DAY)


def test_who_may_frame_a_chart_is_a_setting(tmp_path: Path) -> None:
    origins = ("https://shop.example", "http://*.example.org:8080")
    with application(tmp_path, preview=PREVIEW, embed_origins=origins) as app:
        simulate_into(app.lake, MarketSpec(VENUE, BTC, 1, 200), DAY, DAY, (Stream.TRADES,))
        build(app.lake)
        chart = app.client.get(
            "/embed/chart?metric=flow&field=volume_delta&symbol=spot-A-B&interval=1s&exchange=nowhere"
        )
        assert chart.status_code == 200
        assert (
            "frame-ancestors https://shop.example http://*.example.org:8080" in chart.headers["content-security-policy"]
        )
        assert str(BTC) in chart.text
        assert "spot-A-B" not in chart.text, "of the preview, whatever is asked for"
        assert "&#34;interval&#34;:&#34;1h&#34;" in chart.text
        for page in ("/charts", "/", "/account"):
            assert "frame-ancestors 'none'" in app.client.get(page).headers["content-security-policy"]
    with application(tmp_path, preview=PREVIEW) as app:
        assert "frame-ancestors 'none'" in app.client.get("/embed/chart").headers["content-security-policy"]


def test_without_a_preview_there_is_nothing_to_embed(tmp_path: Path) -> None:
    with application(tmp_path, preview=()) as app:
        assert app.client.get("/embed/chart").status_code == 404
        assert "published nothing yet" in app.client.get("/charts").text


@pytest.mark.parametrize(
    "origin", ["shop.example", "https://shop.example/path", "https://a b", "'self'; script-src *", "*.org"]
)
def test_what_is_no_site_is_refused(origin: str) -> None:
    with pytest.raises(ValidationError):
        ServerSettings(embed_origins=(origin,))


def test_heat_maps_are_of_fields_that_there_are() -> None:
    for metric, maps in HEAT_MAPS.items():
        names = {field.name for field in DATASETS[metric].fields}
        for made in maps:
            assert made.name not in names
            assert {row.field for row in made.rows} | {row.less for row in made.rows} - {""} <= names
