"""What the caller gets: rows, columns, order, and word of what is missing."""

from __future__ import annotations

import re
import sys
import warnings
from datetime import date, timedelta
from typing import TYPE_CHECKING, get_args

import polars as pl
import pytest
from tests.client.mock_api import bars, days_of, json_reply, parquet

import aperiodic
from aperiodic.catalog import DATASETS
from aperiodic.client.types import TradeMetric

if TYPE_CHECKING:
    from tests.client.mock_api import FakeApi


def test_months_are_joined_in_order_and_cut_to_the_inclusive_range(fake: FakeApi) -> None:
    fake.publish("2025-03", "2025-01", "2025-02")
    frame = aperiodic.get_ohlcv(**fake.request(start_date="2025-01-30", end_date="2025-03-02"))
    assert days_of(frame) == (date(2025, 1, 30), date(2025, 3, 2))
    assert frame.height == 24 * (2 + 28 + 2)
    assert frame["time"].is_sorted()
    assert frame.schema == DATASETS["ohlcv"].schema


def test_a_day_file_replaces_the_same_hours_of_its_month_file(fake: FakeApi) -> None:
    day = bars("2025-01-07").with_columns(close=pl.lit(-1.0))
    files = [fake.store_file("2025-01-07", parquet(day)), fake.store_file("2025-01", parquet(bars("2025-01")))]
    fake.reply(json_reply({"files": files}))
    frame = aperiodic.get_ohlcv(**fake.request())
    assert frame["time"].is_unique().all()
    assert frame["time"].is_sorted()
    assert frame.height == 31 * 24
    assert frame.filter(close=-1.0)["time"].dt.date().unique().to_list() == [date(2025, 1, 7)]


def test_an_unsorted_file_comes_out_sorted(fake: FakeApi) -> None:
    file = fake.store_file("2025-01", parquet(bars("2025-01").reverse()))
    fake.reply(json_reply({"files": [file]}))
    assert aperiodic.get_ohlcv(**fake.request()).equals(bars("2025-01"))


def test_a_server_that_names_only_year_month_and_url_is_enough(fake: FakeApi) -> None:
    fake.store_file("2025-01", parquet(bars("2025-01")))
    fake.reply(json_reply({"files": [fake.link("2025-01")]}))
    assert aperiodic.get_ohlcv(**fake.request()).equals(bars("2025-01"))


@pytest.mark.parametrize("metric", get_args(TradeMetric))
def test_an_empty_answer_has_the_full_schema(fake: FakeApi, metric: TradeMetric) -> None:
    fake.publish(metric=metric, missing=[])
    frame = aperiodic.get_metrics(metric=metric, **fake.request())
    assert frame.schema == DATASETS[metric].schema
    assert frame.is_empty()


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (pl.col("close").cast(pl.Float32), "close is Float32, not Float64"),
        (pl.col("time").dt.cast_time_unit("ms"), "time is Datetime"),
    ],
)
def test_other_columns_are_refused_with_the_name_of_the_file(fake: FakeApi, change: pl.Expr, message: str) -> None:
    good = fake.store_file("2025-01", parquet(bars("2025-01")))
    bad = fake.store_file("2025-02", parquet(bars("2025-02").with_columns(change)))
    fake.reply(json_reply({"files": [good, bad]}))
    with pytest.raises(aperiodic.DownloadError, match=message) as caught:
        aperiodic.get_ohlcv(**fake.request(end_date="2025-02-28"))
    assert (caught.value.year, caught.value.month, caught.value.day) == (2025, 2, None)
    assert caught.value.code == "unexpected_schema"
    assert "2025-02" in str(caught.value)
    assert fake.store.count("/2025-02") == 1


def test_a_missing_column_and_a_row_without_time_are_refused(fake: FakeApi) -> None:
    fake.reply(json_reply({"files": [fake.store_file("2025-01-07", parquet(bars("2025-01-07").drop("low")))]}))
    with pytest.raises(aperiodic.DownloadError, match=r"2025-01-07 could not .* low is missing"):
        aperiodic.get_ohlcv(**fake.request())
    holey = bars("2025-01").with_columns(pl.when(pl.col("open") > 3).then("time").alias("time"))
    fake.reply(json_reply({"files": [fake.store_file("2025-01", parquet(holey))]}))
    with pytest.raises(aperiodic.DownloadError) as caught:
        aperiodic.get_ohlcv(**fake.request())
    assert caught.value.code == "null_time"


@pytest.mark.parametrize("missing", [["2025-02"], [{"year": 2025, "month": 2}], None])
def test_missing_months_lead_to_a_warning_at_the_callers_line(fake: FakeApi, missing: object) -> None:
    fake.publish("2025-01", "2025-03", missing=missing)
    with pytest.warns(aperiodic.IncompleteDataWarning, match=r"No data for 2025-02\.") as caught:
        frame = aperiodic.get_ohlcv(**fake.request(end_date="2025-03-31"))
    assert frame.height == 24 * 62
    assert caught[0].filename == __file__
    assert "ohlcv of perpetual-BTC-USDT:USDT on binance-futures" in str(caught[0].message)


async def test_the_warning_points_to_the_caller_inside_a_loop_too(fake: FakeApi) -> None:
    fake.publish(missing=["2025-01"])
    with pytest.warns(aperiodic.IncompleteDataWarning) as blocking:
        aperiodic.get_ohlcv(**fake.request())
    with pytest.warns(aperiodic.IncompleteDataWarning) as awaited:
        await aperiodic.get_ohlcv_async(**fake.request())
    assert [warning.filename for warning in (*blocking, *awaited)] == [__file__, __file__]


@pytest.mark.parametrize("gaps", [2, [{"start": "2025-01-05"}, {"start": "2025-01-07"}]])
def test_incomplete_files_are_named_with_their_gaps(fake: FakeApi, gaps: object) -> None:
    body = parquet(bars("2025-01"))
    fake.reply(json_reply({"files": [fake.store_file("2025-01", body, complete=False, gaps=gaps)], "missing": []}))
    with pytest.warns(aperiodic.IncompleteDataWarning, match=r"Incomplete: 2025-01 \(2 gaps\)\."):
        aperiodic.get_ohlcv(**fake.request())


def test_incomplete_data_can_be_refused_before_any_download(fake: FakeApi) -> None:
    fake.publish("2025-01", missing=["2025-02"])
    with pytest.raises(aperiodic.IncompleteDataError, match="2025-02") as caught:
        aperiodic.get_ohlcv(**fake.request(end_date="2025-02-28", on_incomplete="raise"))
    assert caught.value.code == "incomplete_data"
    assert fake.store.asked == []


def test_incomplete_data_can_be_accepted_in_silence(fake: FakeApi) -> None:
    fake.publish("2025-01", missing=["2025-02"])
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        aperiodic.get_ohlcv(**fake.request(end_date="2025-02-28", on_incomplete="ignore"))


def test_a_long_list_of_missing_months_is_shortened(fake: FakeApi) -> None:
    fake.publish()
    with pytest.warns(aperiodic.IncompleteDataWarning, match=r"2020-01, 2020-02, .*, 2021-12 and 6 more\."):
        aperiodic.get_ohlcv(**fake.request(start_date="2020-01-01", end_date="2022-06-30"))


def test_the_progress_bar_counts_bytes(fake: FakeApi, capsys: pytest.CaptureFixture[str]) -> None:
    fake.publish("2025-01", "2025-02")
    aperiodic.get_ohlcv(**fake.request(end_date="2025-02-28", show_progress=True))
    assert "ohlcv perpetual-BTC-USDT:USDT: 100%" in (shown := capsys.readouterr().err)
    assert re.search(r"(\d+\.\d+k)/\1 .*B/s", shown)
    aperiodic.get_ohlcv(**fake.request(end_date="2025-02-28"))
    assert capsys.readouterr().err == ""


def test_pandas_that_is_not_installed_is_an_error_before_any_request(
    fake: FakeApi, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "pandas", None)
    with pytest.raises(aperiodic.InvalidInputError, match="pip install pandas") as caught:
        aperiodic.get_ohlcv(**fake.request(output="pandas"))
    assert caught.value.code == "missing_package"
    assert fake.api.asked == []


def test_pandas_output(fake: FakeApi) -> None:
    pandas = pytest.importorskip("pandas")
    fake.publish("2025-01")
    frame = aperiodic.get_ohlcv(**fake.request(output="pandas"))
    assert isinstance(frame, pandas.DataFrame)
    assert list(frame.columns) == DATASETS["ohlcv"].schema.names()
    assert frame["time"].iloc[1] - frame["time"].iloc[0] == timedelta(hours=1)


@pytest.mark.parametrize(("source", "told"), [("simulated", 1), ("recording", 0), (None, 0), (7, 0)])
def test_simulated_data_is_marked_once_a_request(fake: FakeApi, source: object, told: int) -> None:
    files = [fake.store_file(month, parquet(bars(month)), source=source) for month in ("2025-01", "2025-02")]
    fake.reply(json_reply({"files": files, "missing": []}))
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        frame = aperiodic.get_ohlcv(**fake.request(end_date="2025-02-28", on_incomplete="ignore"))
    assert frame.height == 59 * 24
    assert [(warning.category, warning.filename) for warning in caught] == [
        (aperiodic.SimulatedDataWarning, __file__)
    ] * told
