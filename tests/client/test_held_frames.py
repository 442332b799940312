"""A second call while the program has the frame of the first."""

from __future__ import annotations

import gc
from typing import TYPE_CHECKING, Any

import polars as pl
import pytest
from tests.client.mock_api import FakeApi, bars, json_reply, parquet

import aperiodic
from aperiodic.client.frames import read_frame
from aperiodic.client.held_frames import add_frame, find_frame, hold_frames

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture
def read(monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    """The files that were read."""
    sources: list[Any] = []
    real = read_frame

    def noted(source: Any, *rest: Any) -> pl.DataFrame:
        sources.append(source)
        return real(source, *rest)

    monkeypatch.setattr("aperiodic.client.files.read_frame", noted)
    return sources


def two_months(fake: FakeApi, folder: Path, **options: Any) -> dict[str, Any]:
    return fake.request(cache=folder, start_date="2025-01-01", end_date="2025-02-28", **options)


def publish(fake: FakeApi) -> None:
    fake.publish("2025-01", "2025-02")


def test_files_of_a_frame_that_is_still_there_are_not_read_again(
    fake: FakeApi, tmp_path: Path, read: list[Any]
) -> None:
    publish(fake)
    first = aperiodic.get_ohlcv(**two_months(fake, tmp_path))
    assert len(read) == 2
    second = aperiodic.get_ohlcv(**two_months(fake, tmp_path))
    assert second.equals(first)
    assert len(read) == 2
    first = first.clear()
    gc.collect()
    third = aperiodic.get_ohlcv(**two_months(fake, tmp_path))  # the second one is there
    assert third.equals(second)
    assert len(read) == 2
    assert aperiodic.get_ohlcv(**two_months(fake, tmp_path, columns=["close"])).columns == ["time", "close"]
    assert len(read) == 4


def test_when_nobody_has_the_frame_files_are_read(fake: FakeApi, tmp_path: Path, read: list[Any]) -> None:
    publish(fake)
    for _ in range(2):
        aperiodic.get_ohlcv(**two_months(fake, tmp_path))
    assert len(read) == 4


def test_without_a_cache_files_are_fetched_again(fake: FakeApi, read: list[Any]) -> None:
    publish(fake)
    asked = fake.request(cache=False, start_date="2025-01-01", end_date="2025-02-28")
    first = aperiodic.get_ohlcv(**asked)
    assert aperiodic.get_ohlcv(**asked).equals(first)
    assert len(read) == 4


def test_what_is_done_to_a_frame_does_not_reach_the_next_one(fake: FakeApi, tmp_path: Path) -> None:
    publish(fake)
    first = aperiodic.get_ohlcv(**two_months(fake, tmp_path))
    right = first.clone()
    first[0, "close"] = -1.0
    first.get_column("open")[5] = -2.0
    first.insert_column(1, pl.lit(1).alias("mine"))
    first.drop_in_place("high")
    first.to_numpy(writable=True)[:] = 0
    assert aperiodic.get_ohlcv(**two_months(fake, tmp_path)).equals(right)


def test_a_new_revision_is_fetched(fake: FakeApi, tmp_path: Path, read: list[Any]) -> None:
    fake.publish("2025-01")
    asked = fake.request(cache=tmp_path, start_date="2025-01-01", end_date="2025-01-31")
    first = aperiodic.get_ohlcv(**asked)
    body = parquet(bars("2025-01").with_columns(pl.col("close") + 1))
    fake.reply(json_reply({"files": [fake.store_file("2025-01", body)]}))
    second = aperiodic.get_ohlcv(**asked)
    assert not second.equals(first)
    assert len(read) == 2


@pytest.mark.parametrize("option", [{"output": "pandas"}, {"fill": "null"}, {"shape": "wide"}])
def test_frames_with_values_of_their_own_hold_nothing(
    fake: FakeApi, tmp_path: Path, read: list[Any], option: dict[str, Any]
) -> None:
    if "output" in option:
        pytest.importorskip("pandas", reason="pandas is not installed")
    publish(fake)
    kept = [aperiodic.get_ohlcv(**two_months(fake, tmp_path, **option)) for _ in range(2)]
    assert len(kept) == 2
    assert len(read) == 4


def test_parts_live_as_long_as_what_was_made_of_them() -> None:
    part = pl.DataFrame({"x": [1.0, 2.0]})
    add_frame("abc", ("x",), part)
    whole = pl.concat([part, part])
    hold_frames(whole, [part])
    del part
    gc.collect()
    found = find_frame("abc", ("x",))
    assert found is not None
    assert found["x"].to_list() == [1.0, 2.0]
    del found, whole
    gc.collect()
    assert find_frame("abc", ("x",)) is None
