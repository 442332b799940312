from __future__ import annotations

from datetime import date, datetime, timedelta
from typing import TYPE_CHECKING, Any

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.client.mock_api import bars, json_reply, parquet

import aperiodic
from aperiodic.catalog import DATASETS
from aperiodic.catalog.carrying import carried_fields, carried_names

if TYPE_CHECKING:
    from pathlib import Path

    from tests.client.mock_api import FakeApi

FIRST = datetime(2025, 1, 1)  # noqa: DTZ001 (naive UTC)
HOUR = timedelta(hours=1)
CANDLES = {"open": [1.0, 5.0], "high": [3.0, 7.0], "low": [0.5, 4.0], "close": [2.0, 6.0], "volume": [10.0, 20.0]}


def frame(hours: list[int], **values: list[Any]) -> pl.DataFrame:
    times = [FIRST + hour * HOUR for hour in hours]
    return pl.DataFrame({"time": pl.Series(times, dtype=pl.Datetime("us")), **values})


def publish(fake: FakeApi, rows: pl.DataFrame, metric: str = "ohlcv", **beside: object) -> None:
    fake.reply(json_reply({"files": [fake.store_file("2025-01", parquet(rows))], **beside}), metric=metric)


def test_states_are_those_fields_that_the_last_event_alone_decides() -> None:
    assert {name: sorted(carried_fields(dataset)) for name, dataset in DATASETS.items() if carried_fields(dataset)} == {
        "ohlcv": ["close", "high", "low", "open"],
        "basis": ["basis", "basis_bps", "mark_price_spread", "mark_price_spread_bps"],
        "funding": ["funding_rate"],
        "open_interest": ["open_interest"],
        "derivative_price": ["index_price", "last_price", "mark_price"],
        "l1_price": ["ask_amount", "ask_price", "bid_amount", "bid_price", "midprice", "weighted_midprice"],
        "l1_imbalance": ["ask_percentage", "bid_ask_ratio", "bid_percentage", "imbalance", "imbalance_ratio"],
        "l1_liquidity": [
            *("dollar_depth_ask", "dollar_depth_bid", "spread", "spread_bps", "spread_depth_ratio", "total_depth"),
            "total_dollar_depth",
        ],
        "l2_imbalance": [
            f"{name}_{depth}" for name in ("bid_ask_ratio", "imbalance", "imbalance_ratio") for depth in (10, 20, 25, 5)
        ],
        "l2_liquidity": [f"{side}_agg_{depth}" for side in ("ask", "bid") for depth in (10, 20, 25, 5)],
    }
    assert {carried_fields(DATASETS["ohlcv"])[name] for name in ("open", "high", "low", "close")} == {"close"}
    assert "volume" not in carried_names()


def test_without_being_asked_no_row_is_made_up(fake: FakeApi) -> None:
    rows = bars("2025-01").gather_every(2)
    publish(fake, rows)
    assert aperiodic.get_ohlcv(**fake.request()).equals(rows)
    assert aperiodic.get_ohlcv(**fake.request(fill="none")).equals(rows)


def test_every_interval_of_the_days_has_a_row_of_nulls(fake: FakeApi) -> None:
    rows = bars("2025-01")[5:7]
    publish(fake, rows, missing=[])
    got = aperiodic.get_ohlcv(**fake.request(fill="null"))
    assert got["time"].to_list() == [FIRST + hour * HOUR for hour in range(31 * 24)]
    assert got.schema == rows.schema
    assert got[5:7].equals(rows)
    assert got[:5].drop("time").null_count().row(0) == (5,) * 6
    assert got[7:].drop("time").null_count().row(0) == (31 * 24 - 7,) * 6


def test_days_of_missing_months_have_rows_too_and_are_told_of(fake: FakeApi) -> None:
    fake.publish("2025-01", missing=["2025-02"])
    with pytest.warns(aperiodic.IncompleteDataWarning, match="2025-02"):
        got = aperiodic.get_ohlcv(**fake.request(end_date="2025-02-28", fill="forward"))
    assert got.height == 59 * 24
    assert got["close"].drop_nulls().len() == 31 * 24 + 24, "a price is known for 24 hours"


def test_prices_are_carried_and_sums_are_not(fake: FakeApi) -> None:
    publish(fake, bars("2025-01").filter(pl.col("time").dt.hour() != 7), missing=[])
    got = aperiodic.get_ohlcv(**fake.request(fill="forward", end_date="2025-01-01"))
    assert got.row(7) == (FIRST + 7 * HOUR, 6.0, 6.0, 6.0, 6.0, None, None)
    assert got.row(8) == (FIRST + 8 * HOUR, *[8.0] * 6)


def test_a_candle_is_flat_only_where_its_close_was_fetched(fake: FakeApi) -> None:
    publish(fake, bars("2025-01").filter(pl.col("time").dt.hour() != 7), missing=[])
    got = aperiodic.get_ohlcv(**fake.request(fill="forward", columns=["open", "high"]))
    assert got.row(7) == (FIRST + 7 * HOUR, None, None)


def test_each_series_is_filled_by_itself_long_and_wide(fake: FakeApi) -> None:
    symbols = ["perpetual-BTC-USDT:USDT", "perpetual-ETH-USDT:USDT"]
    publish(fake, bars("2025-01")[3:5], missing=[])
    asked = fake.request(symbol=symbols, fill="forward", end_date="2025-01-01")
    got = aperiodic.get_ohlcv(**asked)
    assert got["symbol"].to_list() == [symbol for symbol in symbols for _ in range(24)]
    assert got.filter(pl.col("symbol") == symbols[1])["close"].to_list() == [None] * 3 + [3.0] + [4.0] * 20
    wide = aperiodic.get_ohlcv(**{**asked, "shape": "wide"})
    assert wide.height == 24
    assert wide[f"close|{symbols[0]}"].to_list() == [None] * 3 + [3.0] + [4.0] * 20


def test_the_grid_ends_with_the_last_bar_that_is_over(fake: FakeApi) -> None:
    publish(fake, bars("2025-01")[:0], missing=[])
    today = aperiodic.get_ohlcv(**fake.request(start_date="2200-01-01", end_date="2200-01-02", fill="null"))
    assert today.is_empty()


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"fill": "zero"}, "unknown_fill"),
        ({"fill": "null", "interval": "2h"}, "unknown_interval"),
        ({"fill": "null", "interval": "1s", "start_date": "2000-01-01"}, "grid_too_large"),
    ],
)
def test_wrong_fills_are_refused_before_anything_is_sent(fake: FakeApi, changes: dict[str, str], code: str) -> None:
    with pytest.raises(aperiodic.InvalidInputError) as caught:
        aperiodic.get_ohlcv(**fake.request(**changes))
    assert caught.value.code == code
    assert fake.api.asked == []


def test_files_and_lazy_frames_are_not_filled(fake: FakeApi, tmp_path: Path) -> None:
    asked = {**fake.request(fill="null"), "metric": "ohlcv"}
    account = {"api_key": asked.pop("api_key"), "base_url": asked.pop("base_url")}
    with aperiodic.Client(**account) as client:
        for work in (
            client.scan_metrics,
            lambda *words, **options: client.download_metrics(*words, to=tmp_path, **options),
        ):
            with pytest.raises(aperiodic.InvalidInputError) as caught:
                work(**asked)
            assert caught.value.code == "unknown_fill"


def test_frames_are_filled_by_hand() -> None:
    got = aperiodic.fill(frame([0, 3], **CANDLES), "1h")
    flat = [(FIRST + hour * HOUR, 2.0, 2.0, 2.0, 2.0, None) for hour in (1, 2)]
    assert got.rows() == [
        frame([0], **{name: each[:1] for name, each in CANDLES.items()}).row(0),
        *flat,
        (FIRST + 3 * HOUR, 5, 7, 4, 6, 20),
    ]
    assert aperiodic.fill(frame([0, 3], **CANDLES), "1h", "null")["close"].to_list() == [2.0, None, None, 6.0]
    whole = aperiodic.fill(frame([30], close=[1.0]), "1h", start_date="2025-01-01", end_date=date(2025, 1, 3))
    assert whole["close"].to_list() == [None] * 30 + [1.0] * 25 + [None] * 17


def test_a_null_that_the_server_sent_stays_one_and_is_carried_as_one() -> None:
    got = aperiodic.fill(frame([0, 1, 3], index_price=[1.0, None, 4.0]), "1h")
    assert got["index_price"].to_list() == [1.0, None, None, 4.0]


def test_columns_and_limits_can_be_chosen() -> None:
    rows = frame([0, 4], signal=[1.0, 2.0], close=[3.0, 4.0])
    got = aperiodic.fill(rows, "1h", columns=["signal"], limit="1h")
    assert got["signal"].to_list() == [1.0, 1.0, None, None, 2.0]
    assert got["close"].to_list() == [3.0, None, None, None, 4.0]
    far = aperiodic.fill(frame([0, 100], close=[3.0, 4.0]), "1h", limit=None)
    assert far["close"].null_count() == 0


def test_a_wide_frame_is_filled_by_the_names_of_its_fields() -> None:
    got = aperiodic.fill(frame([0, 2], **{"open|a": [1.0, 5.0], "close|a": [2.0, 6.0], "volume|a": [3.0, 7.0]}), "1h")
    assert got.row(1) == (FIRST + HOUR, 2.0, 2.0, None)


def test_series_share_the_grid_and_keep_their_order() -> None:
    rows = pl.concat(
        [
            frame([2, 1], close=[1.0, 2.0]).with_columns(symbol=pl.lit("b")),
            frame([4], close=[3.0]).with_columns(symbol=pl.lit("a")),
        ]
    )
    got = aperiodic.fill(rows, "1h")
    assert got["symbol"].to_list() == ["b"] * 4 + ["a"] * 4
    assert got["close"].to_list() == [2.0, 1.0, 1.0, 1.0, None, None, None, 3.0]


@pytest.mark.parametrize(
    ("given_frame", "options", "code"),
    [
        (frame([0]).lazy(), {}, "bad_frame"),
        (frame([0]).rename({"time": "t"}), {}, "bad_frame"),
        (frame([0]).cast(pl.Datetime("ms")), {}, "bad_frame"),
        (pl.DataFrame({"time": [FIRST, None]}), {}, "null_time"),
        (frame([0, 0]), {}, "duplicate_times"),
        (frame([0, 1]), {"interval": "4h"}, "off_grid"),
        (frame([0]), {"how": "back"}, "unknown_how"),
        (frame([0]), {"columns": ["close"]}, "unknown_column"),
        (frame([0]), {"limit": timedelta(0)}, "bad_limit"),
        (frame([0]), {"interval": "7m"}, "unknown_interval"),
        (frame([0]), {"start_date": "2025-01-02"}, "inverted_range"),
        (frame([0, 24 * 365 * 9]), {"interval": "1s"}, "grid_too_large"),
    ],
)
def test_frames_that_cannot_be_filled_are_refused(given_frame: Any, options: dict[str, Any], code: str) -> None:
    with pytest.raises(aperiodic.InvalidInputError) as caught:
        aperiodic.fill(given_frame, **{"interval": "1h", **options})
    assert caught.value.code == code


def test_nothing_stays_nothing() -> None:
    assert aperiodic.fill(frame([]), "1h").is_empty()


@given(st.sets(st.integers(0, 60), min_size=1), st.integers(1, 30))
def test_a_grid_is_what_plain_python_makes(hours: set[int], limit: int) -> None:
    there = sorted(hours)
    rows = frame(there, close=[float(hour) for hour in there], volume=[1.0] * len(there))
    got = aperiodic.fill(rows, "1h", limit=timedelta(hours=limit))
    expected = []
    for hour in range(there[0], there[-1] + 1):
        last = max(each for each in there if each <= hour)
        carried = float(last) if hour - last <= limit else None
        expected.append((FIRST + hour * HOUR, carried, 1.0 if hour in hours else None))
    assert got.rows() == expected
