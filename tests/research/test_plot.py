from __future__ import annotations

import importlib.util
import json
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

import polars as pl
import pytest
import vl_convert
from tests.client.mock_api import bars

import aperiodic

if TYPE_CHECKING:
    from pathlib import Path

FIRST = datetime(2025, 1, 1)  # noqa: DTZ001 (naive UTC)


def drawn(chart: Any) -> list[dict[str, Any]]:
    """The rows of a chart."""
    spec = json.loads(chart.to_json())
    named = spec["data"]
    rows: list[dict[str, Any]] = named["values"] if "values" in named else spec["datasets"][named["name"]]
    return rows


def svg(chart: Any) -> str:
    """Drawn by Vega, which refuses a specification that it cannot draw."""
    picture: str = vl_convert.vegalite_to_svg(chart.to_json())
    return picture


def minutes(count: int) -> pl.DataFrame:
    rows = range(count)
    return pl.DataFrame(
        {
            "time": pl.Series([FIRST + timedelta(minutes=row) for row in rows], dtype=pl.Datetime("us")),
            "open": [float(row) for row in rows],
            "high": [row + 2.0 for row in rows],
            "low": [row - 2.0 for row in rows],
            "close": [row + 1.0 for row in rows],
            "volume": [float(row % 10) for row in rows],
        }
    )


def test_candles_have_their_fields_below_them() -> None:
    chart = aperiodic.plot(bars("2025-01")[:48], ["volume", "volume_notional"], title="BTC of a day")
    spec = json.loads(chart.to_json())
    assert [len(panel["layer"]) if "layer" in panel else 1 for panel in spec["vconcat"]] == [2, 1, 1]
    assert len(drawn(chart)) == 48
    picture = svg(chart)
    for words in ("BTC of a day", "Volume (base units)", "Notional Volume (quote units)"):
        assert words in picture


def test_a_page_is_written(tmp_path: Path) -> None:
    aperiodic.plot(minutes(10)).save(tmp_path / "chart.html")
    page = (tmp_path / "chart.html").read_text(encoding="utf-8")
    assert "vegaEmbed" in page
    assert '"vconcat"' in page


def test_without_candles_every_number_is_a_line() -> None:
    frame = minutes(5).drop("open").with_columns(name=pl.lit("a"))
    spec = json.loads(aperiodic.plot(frame).to_json())
    assert [panel["encoding"]["y"]["title"] for panel in spec["vconcat"]] == [
        *("High (quote units per base unit)", "Low (quote units per base unit)", "Close (quote units per base unit)"),
        "Volume (base units)",
    ]


def test_names_that_a_specification_cannot_hold_are_drawn() -> None:
    frame = minutes(3).select(
        "time", pl.col("close").alias("close|perpetual-BTC-USDT:USDT"), (pl.col("low")).alias("a.b[0]")
    )
    picture = svg(aperiodic.plot(frame))
    assert "Close perpetual-BTC-USDT:USDT (quote units per base unit)" in picture
    assert "a.b[0]" in picture


def test_more_rows_than_can_be_seen_are_grouped_and_that_is_said() -> None:
    chart = aperiodic.plot(minutes(12_000), ["volume"])
    rows = drawn(chart)
    assert len(rows) == 4000
    assert rows[1] == {
        "time": (FIRST - datetime(1970, 1, 1)) // timedelta(milliseconds=1) + 3 * 60_000,  # noqa: DTZ001 (naive UTC)
        "price_open": 3.0,
        "price_high": 7.0,
        "price_low": 1.0,
        "price_close": 6.0,
        "field_0": 4.0,
        "field_0_low": 3.0,
        "field_0_high": 5.0,
    }
    assert json.loads(chart.to_json())["title"]["subtitle"] == "12,000 rows, drawn as groups of 3"
    assert len(drawn(aperiodic.plot(minutes(5000)))) == 5000


def test_gaps_and_numbers_that_are_none_are_left_out_of_the_line() -> None:
    frame = minutes(4).with_columns(
        volume=pl.Series([1.0, None, float("nan"), float("inf")]), close=pl.lit(None, pl.Float64)
    )
    assert [row["field_0"] for row in drawn(aperiodic.plot(frame, ["volume"]))] == [1.0, None, None, None]
    assert svg(aperiodic.plot(frame, ["volume"]))


def test_order_does_not_matter() -> None:
    assert drawn(aperiodic.plot(minutes(9)[::-1])) == drawn(aperiodic.plot(minutes(9)))


@pytest.mark.parametrize(
    ("frame", "options", "code"),
    [
        (minutes(3).lazy(), {}, "bad_frame"),
        (minutes(3).drop("time"), {}, "bad_frame"),
        (minutes(0), {}, "empty"),
        (minutes(3).select("time"), {}, "empty"),
        (minutes(3), {"fields": ["closing"]}, "unknown_field"),
        (minutes(3), {"fields": ["time"]}, "not_a_number"),
        (minutes(3).with_columns(close=pl.lit("a")), {}, "not_a_number"),
        (minutes(3).select("time", *(pl.lit(0.0).alias(f"f{number}") for number in range(13))), {}, "too_many_fields"),
        (minutes(3), {"width": 5}, "bad_width"),
        (minutes(3), {"height": 5000}, "bad_height"),
        (minutes(2).with_columns(symbol=pl.Series(["a", "b"])), {}, "several_series"),
    ],
)
def test_what_cannot_be_drawn_is_refused(frame: Any, options: dict[str, Any], code: str) -> None:
    with pytest.raises(aperiodic.InvalidInputError) as caught:
        aperiodic.plot(frame, **options)
    assert caught.value.code == code


def test_without_altair_it_is_said_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(importlib.util, "find_spec", lambda _name: None)
    with pytest.raises(aperiodic.InvalidInputError, match="pip install altair") as caught:
        aperiodic.plot(minutes(3))
    assert caught.value.code == "missing_package"
