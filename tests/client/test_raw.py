"""Raw ticks in memory: what is asked, what comes back, and word of what is missing."""

from __future__ import annotations

import inspect
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, get_args

import polars as pl
import pytest
from polars.testing import assert_frame_equal
from tests.client.mock_api import API_KEY, Reply, json_reply, parquet, raw_reply, trades

import aperiodic
from aperiodic.client import raw_fetch
from aperiodic.client.types import RawDataset
from aperiodic.market import Stream, tick_schema

if TYPE_CHECKING:
    from tests.client.mock_api import Asked, FakeApi

ENDPOINT = "/api/v1/data/raw/trades"
DAYS = ("2025-01-01", "2025-01-02", "2025-01-03")


def test_days_are_joined_and_cut_to_the_inclusive_range(fake: FakeApi) -> None:
    fake.publish_raw("2024-12-31", *DAYS[::-1], "2025-01-04")
    frame = aperiodic.get_raw(**fake.raw_request())
    assert_frame_equal(frame, pl.concat([trades(day) for day in DAYS]))
    assert frame.schema["exchange_timestamp"] == pl.Datetime("us", "UTC")
    assert [asked.query for asked in fake.api.asked] == [
        {
            "exchange": "binance-futures",
            "symbol": "perpetual-BTC-USDT:USDT",
            "start_date": "2025-01-01",
            "end_date": "2025-01-03",
        }
    ]
    assert fake.api.asked[0].headers["x-api-key"] == API_KEY
    assert sorted(asked.path for asked in fake.store.asked) == [f"/{day}" for day in DAYS]
    assert not any("x-api-key" in asked.headers for asked in fake.store.asked)


def test_the_file_of_a_month_is_cut_to_the_days(fake: FakeApi) -> None:
    month = pl.concat([trades(f"2025-01-{day:02d}") for day in range(1, 32)])
    fake.api.on(ENDPOINT, raw_reply([fake.raw_file("2025-01", parquet(month))]))
    frame = aperiodic.get_raw(**fake.raw_request(start_date="2025-01-30", end_date=datetime(2025, 1, 30, tzinfo=UTC)))
    assert_frame_equal(frame, trades("2025-01-30"))


def test_rows_keep_the_order_of_the_file(fake: FakeApi) -> None:
    backwards = trades("2025-01-01").reverse()
    fake.api.on(ENDPOINT, raw_reply([fake.raw_file("2025-01-01", parquet(backwards))]))
    assert_frame_equal(aperiodic.get_raw(**fake.raw_request(end_date="2025-01-01")), backwards)


def test_a_long_range_is_asked_for_in_parts_and_a_shared_month_fetched_once(fake: FakeApi) -> None:
    file = fake.raw_file("2025-01", parquet(trades("2025-01-02")))
    fake.api.on(ENDPOINT, raw_reply([file]))
    frame = aperiodic.get_raw(**fake.raw_request(start_date="2024-01-01", end_date="2026-01-01"))
    assert [(asked.query["start_date"], asked.query["end_date"]) for asked in fake.api.asked] == [
        ("2024-01-01", "2024-12-31"),
        ("2025-01-01", "2026-01-01"),
    ]
    assert frame.height == 48
    assert len(fake.store.asked) == 1


@pytest.mark.parametrize("dataset", get_args(RawDataset))
def test_an_empty_answer_has_the_full_schema(fake: FakeApi, dataset: RawDataset) -> None:
    fake.api.on(f"/api/v1/data/raw/{dataset}", raw_reply([]))
    frame = aperiodic.get_raw(**fake.raw_request(dataset=dataset))
    assert frame.schema == tick_schema(Stream(dataset))
    assert frame.is_empty()


def test_a_server_may_leave_out_the_sequence_and_add_columns(fake: FakeApi) -> None:
    other = trades("2025-01-01").drop("sequence").with_columns(exchange_timestamp_kind=pl.lit("modelled"))
    fake.api.on(ENDPOINT, raw_reply([fake.raw_file("2025-01-01", parquet(other))]))
    assert_frame_equal(aperiodic.get_raw(**fake.raw_request(end_date="2025-01-01")), other)


def test_a_column_that_some_files_lack_is_null_there(fake: FakeApi) -> None:
    plain, other = trades("2025-01-01"), trades("2025-01-02").drop("sequence").with_columns(liquidation=pl.lit(1))
    files = [fake.raw_file("2025-01-01", parquet(plain)), fake.raw_file("2025-01-02", parquet(other))]
    fake.api.on(ENDPOINT, raw_reply(files))
    assert_frame_equal(aperiodic.get_raw(**fake.raw_request()), pl.concat([plain, other], how="diagonal"))


def test_files_that_do_not_fit_together_or_are_not_of_the_dataset_are_refused(fake: FakeApi) -> None:
    plain = trades("2025-01-01").with_columns(extra=pl.lit("text"))
    other = trades("2025-01-02").with_columns(extra=pl.lit(1))
    files = [fake.raw_file("2025-01-01", parquet(plain)), fake.raw_file("2025-01-02", parquet(other))]
    fake.api.on(ENDPOINT, raw_reply(files))
    with pytest.raises(aperiodic.AperiodicDataError, match="different types") as caught:
        aperiodic.get_raw(**fake.raw_request())
    assert caught.value.code == "unexpected_schema"
    fake.api.on(ENDPOINT, raw_reply([fake.raw_file("2025-01-01", parquet(plain.drop("price")))]))
    with pytest.raises(aperiodic.DownloadError, match=r"2025-01-01 .* price is missing"):
        aperiodic.get_raw(**fake.raw_request())


def test_missing_days_and_gaps_are_told_at_the_callers_line(fake: FakeApi) -> None:
    file = fake.raw_file("2025-01-01", parquet(trades("2025-01-01")), gaps=3)
    fake.api.on(ENDPOINT, raw_reply([file], ["2025-01-02", "2025-01-03"]))
    expected = r"trades of perpetual.* No data for 2025-01-02, 2025-01-03\. Incomplete: 2025-01-01 \(3 gaps\)\."
    with pytest.warns(aperiodic.IncompleteDataWarning, match=expected) as caught:
        aperiodic.get_raw(**fake.raw_request())
    assert caught[0].filename == __file__
    aperiodic.get_raw(**fake.raw_request(on_incomplete="ignore"))
    fake.store.asked.clear()
    with pytest.raises(aperiodic.IncompleteDataError, match="2025-01-03"):
        aperiodic.get_raw(**fake.raw_request(on_incomplete="raise"))
    assert fake.store.asked == []


OPEN = {"period": "2025-01-03", "rows": 12_345, "covered_until": "2025-01-03T09:41:07.250000+00:00"}


@pytest.mark.parametrize(
    ("days", "words"),
    [
        ([OPEN], r"\(the day is open: 12,345 ticks are held up to 2025-01-03T09:41:07 UTC, and become a file about an"),
        ([{**OPEN, "covered_until": None}], r"\(the day is open: 12,345 ticks are held, and become a file"),
        ([{"period": "2025-01-03"}], r"\. Silence"),
        (["2025-01-03"], r"\. Silence"),
        ({"x": 1}, r"\. Silence"),
    ],
)
def test_a_day_that_is_open_is_told_with_how_far_it_is_covered(fake: FakeApi, days: object, words: str) -> None:
    files = [fake.raw_file(day, parquet(trades(day))) for day in DAYS[:2]]
    answer = {"dataset": "trades", "expires_in": 3600, "files": files, "missing_periods": DAYS[2:3], "open_days": days}
    fake.api.on(ENDPOINT, json_reply(answer))
    with pytest.warns(aperiodic.IncompleteDataWarning, match=r"No data for 2025-01-03 ?" + words):
        assert aperiodic.get_raw(**fake.raw_request()).height == 96


def test_the_preview_needs_no_key_and_tells_which_days_it_lacks(fake: FakeApi) -> None:
    files = [fake.raw_file(day, parquet(trades(day))) for day in (*DAYS[:2], "2025-01-09")]
    fake.api.on("/api/v1/data/raw/preview/trades", raw_reply(files, ["2025-01-10"]))
    with pytest.warns(aperiodic.IncompleteDataWarning, match=r"No data for 2025-01-03\. Silence"):
        frame = aperiodic.get_raw(**fake.raw_request(api_key=None, preview=True))
    assert_frame_equal(frame, pl.concat([trades(day) for day in DAYS[:2]]))
    (asked,) = fake.api.asked
    assert asked.headers["x-api-key"] == "DEMO-KEY"
    assert asked.query == {"exchange": "binance-futures", "symbol": "perpetual-BTC-USDT:USDT"}


def test_large_ranges_are_warned_of(fake: FakeApi, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(raw_fetch, "_LARGE_BYTES", 100)
    fake.publish_raw(*DAYS)
    with pytest.warns(UserWarning, match="download_raw"):
        aperiodic.get_raw(**fake.raw_request())


@pytest.mark.parametrize("refusal", [Reply(403), json_reply({"code": "object_missing"}, 404)])
def test_a_stale_link_is_renewed_once(fake: FakeApi, refusal: Reply) -> None:
    bodies = fake.publish_raw(*DAYS)
    fake.store.on("/2025-01-02", refusal, Reply(body=bodies["2025-01-02"]))
    assert aperiodic.get_raw(**fake.raw_request()).height == 3 * 48
    assert len(fake.api.asked) == 2
    fake.store.on("/2025-01-02", refusal)
    with pytest.raises(aperiodic.DownloadError) as caught:
        aperiodic.get_raw(**fake.raw_request())
    assert (caught.value.year, caught.value.month, caught.value.day) == (2025, 1, 2)
    assert caught.value.status_code == refusal.status
    assert len(fake.api.asked) == 4


def test_the_refusal_of_a_plan_comes_through(fake: FakeApi) -> None:
    fake.api.on(ENDPOINT, json_reply({"error": "No raw data.", "code": "raw_not_in_plan"}, 403))
    with pytest.raises(aperiodic.APIError) as caught:
        aperiodic.get_raw(**fake.raw_request())
    assert (caught.value.status_code, caught.value.code) == (403, "raw_not_in_plan")


@pytest.mark.parametrize(
    ("change", "code"),
    [
        ({"dataset": "../flow"}, "unknown_dataset"),
        ({"dataset": None}, "missing_dataset"),
        ({"exchange": "Binance"}, "unknown_exchange"),
        ({"symbol": "BTCUSDT"}, "bad_symbol"),
        ({"start_date": "2025-02-01"}, "inverted_range"),
        ({"start_date": "0001-01-01"}, "range_too_long"),
        ({"api_key": None}, "missing_api_key"),
        ({"output": "panda"}, "unknown_output"),
        ({"max_concurrent": 0}, "bad_max_concurrent"),
    ],
)
def test_bad_input_is_refused_before_any_request(fake: FakeApi, change: dict[str, Any], code: str) -> None:
    with pytest.raises(aperiodic.InvalidInputError) as caught:
        aperiodic.get_raw(**fake.raw_request(**change))
    assert caught.value.code == code
    assert fake.api.asked == []


@pytest.mark.parametrize(
    "files",
    [
        [{"period": "2025-13", "url": "http://x.org/a"}],
        [{"period": "2025", "url": "http://x.org/a"}],
        [{"url": "http://x.org/a"}],
        [{"period": "2025-01-01", "url": "file:///etc/passwd"}],
        [{"period": "2025-01-01", "url": "http://x.org/a"}] * 2,
        [7],
        None,
    ],
)
def test_an_answer_that_does_not_follow_the_api_is_refused(fake: FakeApi, files: Any) -> None:
    fake.api.on(ENDPOINT, raw_reply(files))
    with pytest.raises(aperiodic.APIError) as caught:
        aperiodic.get_raw(**fake.raw_request())
    assert caught.value.code == "bad_response"


def test_the_progress_bar_counts_bytes(fake: FakeApi, capsys: pytest.CaptureFixture[str]) -> None:
    bodies = fake.publish_raw(*DAYS)
    aperiodic.get_raw(**fake.raw_request(show_progress=True))
    size = f"{sum(len(body) for body in bodies.values()) / 1000:.1f}k"
    shown = capsys.readouterr().err
    assert "trades perpetual-BTC-USDT:USDT: 100%" in shown
    assert f"{size}/{size}" in shown


def test_pandas_output(fake: FakeApi) -> None:
    pandas = pytest.importorskip("pandas")
    fake.publish_raw(*DAYS)
    frame = aperiodic.get_raw(**fake.raw_request(output="pandas"))
    assert isinstance(frame, pandas.DataFrame)
    assert str(frame["exchange_timestamp"].dt.tz) == "UTC"


async def test_the_async_twins_do_the_same(fake: FakeApi) -> None:
    fake.publish_raw(*DAYS)
    assert_frame_equal(await aperiodic.get_raw_async(**fake.raw_request()), aperiodic.get_raw(**fake.raw_request()))
    fake.api.on("/api/v1/metadata/raw", json_reply({"summary": [], "coverage": {}}))
    assert await aperiodic.get_raw_coverage_async(base_url=fake.base_url) == {"summary": [], "coverage": {}}


def test_coverage_needs_no_key(fake: FakeApi) -> None:
    def answer(asked: Asked) -> Reply:
        assert "x-api-key" not in asked.headers
        return json_reply({"coverage": {"trades": {}}})

    fake.api.answer = answer  # type: ignore[method-assign]
    assert aperiodic.get_raw_coverage(base_url=fake.base_url) == {"coverage": {"trades": {}}}
    with pytest.raises(aperiodic.InvalidInputError) as caught:
        aperiodic.get_raw_coverage(base_url="example.org")
    assert caught.value.code == "bad_base_url"


@pytest.mark.parametrize("name", ["get_raw", "download_raw"])
def test_help_names_every_parameter_and_only_the_key_goes_by_position(name: str) -> None:
    function = getattr(aperiodic, name)
    parameters = inspect.signature(function).parameters.values()
    assert [p.name for p in parameters if p.kind is not inspect.Parameter.KEYWORD_ONLY] == ["api_key"]
    text = inspect.getdoc(function) or ""
    assert all(f"    {p.name}: " in text for p in parameters)
    assert all(f'"{stream}"' in text for stream in Stream)
