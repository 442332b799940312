from __future__ import annotations

import hashlib
import json
from datetime import date, datetime
from typing import TYPE_CHECKING, Any

import polars as pl
import pytest
from tests.client.mock_api import API_KEY, FakeApi, Reply, bars, json_reply, parquet

import aperiodic
from aperiodic.client.time_bounds import EVERY_TIME, time_bounds

if TYPE_CHECKING:
    from pathlib import Path

MONTHS = ("2025-01", "2025-02", "2025-03")
QUARTER = {"start_date": "2025-01-01", "end_date": "2025-03-31"}
FEBRUARY = datetime(2025, 2, 1)  # noqa: DTZ001 (naive UTC)
DAY = 86_400_000_000
AT = 20_120 * DAY
"""FEBRUARY, µs."""


def scan(fake: FakeApi, **changes: Any) -> pl.LazyFrame:
    asked = fake.request(**QUARTER, **changes)
    del asked["show_progress"]
    return aperiodic.scan_metrics("ohlcv", **asked, cache=False)


def publish_by_days(fake: FakeApi) -> None:
    """Publish the months, and answer with those that were asked for."""
    files = {month: fake.store_file(month, parquet(bars(month))) for month in MONTHS}

    def answer(asked: Any) -> Reply:
        first, last = asked.query["start_date"][:7], asked.query["end_date"][:7]
        return json_reply({"files": [file for month, file in files.items() if first <= month <= last]})

    fake.api.on_each("/api/v1/data/ohlcv", answer)


def test_collected_it_is_what_is_fetched_at_once(fake: FakeApi) -> None:
    publish_by_days(fake)
    whole = aperiodic.get_ohlcv(**fake.request(**QUARTER))
    lazy = scan(fake)
    assert lazy.collect_schema() == whole.schema
    assert lazy.collect().equals(whole)
    assert (
        lazy.filter(pl.col("close") > 100)
        .select("time", "close")
        .collect()
        .equals(whole.filter(pl.col("close") > 100).select("time", "close"))
    )
    assert lazy.select(pl.len()).collect().item() == whole.height
    assert lazy.head(3).collect().equals(whole.head(3))
    assert lazy.collect(engine="streaming").equals(whole)


def test_a_filter_on_time_leaves_files_out(fake: FakeApi) -> None:
    publish_by_days(fake)
    lazy = scan(fake)
    fake.store.asked.clear()
    found = lazy.filter(pl.col("time") >= FEBRUARY, pl.col("time") < FEBRUARY.replace(month=3)).collect()
    assert found["time"].dt.month().unique().to_list() == [2]
    assert {asked.path for asked in fake.store.asked} <= {"/2025-02", "/2025-03"}
    fake.store.asked.clear()
    assert lazy.filter(pl.col("time") < datetime(2020, 1, 1)).collect().is_empty()  # noqa: DTZ001
    assert fake.store.asked == []


def test_instruments_have_their_names(fake: FakeApi) -> None:
    publish_by_days(fake)
    symbols = ["perpetual-BTC-USDT:USDT", "perpetual-ETH-USDT:USDT"]
    counted = scan(fake, symbol=symbols).group_by("symbol").len().sort(pl.col("symbol").cast(pl.String)).collect()
    assert counted["len"].to_list() == [90 * 24, 90 * 24]


@pytest.mark.parametrize(
    ("changes", "code"), [({"shape": "wide"}, "unknown_shape"), ({"columns": ["clsoe"]}, "unknown_column")]
)
def test_what_cannot_be_scanned_is_told_at_once(fake: FakeApi, changes: dict[str, Any], code: str) -> None:
    publish_by_days(fake)
    with pytest.raises(aperiodic.InvalidInputError) as caught:
        scan(fake, **changes)
    assert caught.value.code == code


@pytest.mark.parametrize(
    ("predicate", "bounds"),
    [
        (pl.col("time") >= FEBRUARY, (AT, EVERY_TIME[1])),
        (pl.lit(FEBRUARY) > pl.col("time"), (EVERY_TIME[0], AT)),
        (pl.col("time") == FEBRUARY, (AT, AT)),
        (pl.col("time").is_between(FEBRUARY, FEBRUARY), (AT, AT)),
        ((pl.col("time") >= FEBRUARY) & (pl.col("close") > 1), (AT, EVERY_TIME[1])),
        ((pl.col("time") >= FEBRUARY) | (pl.col("close") > 1), EVERY_TIME),
        ((pl.col("time") == FEBRUARY) | (pl.col("time") < FEBRUARY), (EVERY_TIME[0], AT)),
        (~(pl.col("time") >= FEBRUARY), EVERY_TIME),
        (pl.col("time").dt.date() == date(2025, 2, 1), EVERY_TIME),
        (pl.col("other") >= FEBRUARY, EVERY_TIME),
        (None, EVERY_TIME),
    ],
)
def test_bounds_never_leave_out_a_row_that_is_let_through(predicate: pl.Expr | None, bounds: tuple[int, int]) -> None:
    assert time_bounds(predicate) == bounds


def test_files_lie_in_a_folder_with_a_manifest(fake: FakeApi, tmp_path: Path) -> None:
    fake.publish(*MONTHS, missing=["2025-04"])
    asked = fake.request(**QUARTER, on_incomplete="ignore")
    paths = aperiodic.download_metrics("ohlcv", to=tmp_path, **asked)
    assert [path.parent.name for path in paths] == ["month=01", "month=02", "month=03"]
    whole = aperiodic.get_ohlcv(**asked)
    assert pl.concat([pl.read_parquet(path, hive_partitioning=False) for path in paths]).equals(whole)
    told = json.loads((tmp_path / "manifest.json").read_text())
    for path in paths:
        entry = told["files"][path.relative_to(tmp_path).as_posix()]
        assert entry["sha256"] == hashlib.sha256(path.read_bytes()).hexdigest()
        assert entry["bytes"] == path.stat().st_size
    assert list(told["missing"].values()) == [["2025-04"]]
    sent = len(fake.store.asked)
    assert aperiodic.download_metrics("ohlcv", to=tmp_path, **asked) == paths
    assert len(fake.store.asked) == sent


async def test_asynchronously_too(fake: FakeApi, tmp_path: Path) -> None:
    fake.publish("2025-01")
    assert len(await aperiodic.download_metrics_async("ohlcv", to=tmp_path, **fake.request())) == 1


def test_columns_of_files_cannot_be_chosen(fake: FakeApi, tmp_path: Path) -> None:
    with aperiodic.Client(API_KEY, base_url=fake.base_url) as client:
        asked = {name: value for name, value in fake.request().items() if name not in {"api_key", "base_url"}}
        with pytest.raises(aperiodic.InvalidInputError) as caught:
            client.download_metrics("ohlcv", to=tmp_path, columns=["close"], **asked)
    assert caught.value.code == "columns_of_files"
    assert list(tmp_path.iterdir()) == []
