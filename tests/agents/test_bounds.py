"""Answers keep to their bounds, and errors say what to do; no API is asked here."""

from __future__ import annotations

import json
import math
import statistics
from datetime import date, datetime, timedelta
from typing import Any

import polars as pl
import pytest
from tests.agents.conftest import SERIES, in_process, refused

from aperiodic.client.errors import APIError
from aperiodic.market import AperiodicDataError, InvalidInputError
from aperiodic.mcp import server
from aperiodic.mcp.answers import MOST_BYTES, MOST_ROWS, error_text, table_text
from aperiodic.mcp.reading import Asked
from aperiodic.mcp.statistics import Per, statistics_frame

NOWHERE = "http://127.0.0.1:9/api/v1"
BARS = {"metric": "flow", "interval": "1m", **SERIES, "start": "2025-05-01", "end": "2025-05-01"}


def on_the_wire(text: str) -> int:
    return len(json.dumps(text, ensure_ascii=False).encode())


@pytest.mark.parametrize("cell", ["x" * 700, '"' * 700, "\\" * 700, "é" * 700, "\n" * 700, "\x00" * 700, "😀" * 700])
@pytest.mark.parametrize("from_end", [False, True])
def test_an_answer_has_as_many_rows_as_have_room(cell: str, *, from_end: bool) -> None:
    rows = [[number, cell] for number in range(500)]
    text = table_text(["n", "text"], rows, cut=lambda shown: {"at": [shown.start, shown.stop]}, from_end=from_end)
    assert on_the_wire(text) <= MOST_BYTES
    answer = json.loads(text)
    shown = [row[0] for row in answer["rows"]]
    assert 0 < len(shown) < MOST_ROWS
    assert answer["cut"]["rows_shown"] == len(shown)
    start, stop = answer["cut"]["at"]
    assert shown == list(range(500))[start:stop]
    assert (stop == 500) == from_end
    one_more = table_text(["n", "text"], rows[: len(shown)], cut=lambda _: {})
    assert json.loads(one_more)["cut"] is None


def test_no_more_rows_than_may_be_even_when_they_have_room() -> None:
    answer = json.loads(table_text(["n"], [[number] for number in range(201)], cut=lambda _: {"hint": "more"}))
    assert len(answer["rows"]) == 200
    assert answer["cut"] == {"rows_shown": 200, "hint": "more"}
    assert json.loads(table_text(["n"], [[1]] * 200, cut=lambda _: {}))["cut"] is None


def test_a_row_that_is_too_long_is_an_error_and_none_at_all_is_an_answer() -> None:
    with pytest.raises(AperiodicDataError) as caught:
        table_text([str(number) for number in range(30)], [["x" * 4000] * 30], cut=lambda _: {})
    assert caught.value.code == "row_too_large"
    assert json.loads(table_text(["n"], [], cut=lambda _: {})) == {"cut": None, "columns": ["n"], "rows": []}


def test_values_are_plain_json() -> None:
    row = [None, True, 2**60, 0.1, math.nan, -math.inf, date(2025, 5, 1), datetime(2025, 5, 1, 0, 0, 1), ["a", None]]  # noqa: DTZ001 (as in frames)
    answer = json.loads(
        table_text([str(place) for place in range(len(row))], [row], cut=lambda _: {}, notes=["n"] * 99)
    )
    assert answer["rows"] == [
        [None, True, 2**60, 0.1, "nan", "-inf", "2025-05-01", "2025-05-01T00:00:01Z", ["a", None]]
    ]
    assert len(answer["notes"]) == 10


def test_an_error_is_bounded_too() -> None:
    long = APIError(400, "m" * 99_999, details=["d" * 99_999] * 99, code="c", hint="h" * 99_999, request_id="r")
    assert on_the_wire(error_text(long)) < MOST_BYTES
    assert json.loads(error_text(AperiodicDataError("What.")))["error"]["hint"]


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"start": "yesterday"}, "bad_start"),
        ({"end": "2025-13-01"}, "bad_end"),
        ({"start": "2025-05-02"}, "inverted_range"),
        ({"end": "2025-05-01T00:00"}, "inverted_range"),
        ({"interval": "2m"}, "unknown_interval"),
        ({"interval": "1s", "end": "2025-12-31"}, "range_too_large"),
        ({"metric": "of_the_server", "interval": "1s", "end": "2025-05-31"}, "range_too_large"),
        ({"end": "9999-12-31"}, "range_too_large"),
        ({"columns": ["volume"] * 65}, "too_many_columns"),
    ],
)
async def test_what_is_too_much_or_wrong_is_refused_before_anything_is_asked(
    changes: dict[str, Any], code: str
) -> None:
    async with in_process(NOWHERE) as client:
        assert (await refused(client, "statistics", **{**BARS, **changes}))["code"] == code


def test_a_day_as_end_is_included_and_a_time_is_not() -> None:
    def asked(start: str, end: str) -> Asked:
        series = ("ohlcv", "binance-futures", SERIES["symbol"], "1m")
        return Asked.parse(*series, start, end, timestamp="true", columns=["close"], preview=False)

    assert asked("2025-05-01", "2025-05-01").possible_rows == 1440
    assert asked("2025-05-01T10:00", "2025-05-01T10:05").possible_rows == 5
    assert asked("2025-05-01T10:00+02:00", "2025-05-01T09:00Z").start == datetime(2025, 5, 1, 8)  # noqa: DTZ001
    assert asked("2025-05-01", "2025-05-02T00:00").last_day.date() == date(2025, 5, 1)


async def test_arguments_that_mean_nothing_are_refused_with_the_nearest_one(monkeypatch: pytest.MonkeyPatch) -> None:
    async with in_process(NOWHERE) as client:
        error = await refused(client, "slice", **BARS, colums=["volume"])
        assert error["code"] == "unknown_argument"
        assert "'columns'" in error["hint"]
        assert (await refused(client, "slices"))["code"] == "unknown_tool"
        for wrong in ({"limit": 0}, {"limit": 201}, {"limit": "many"}, {"timestamp": "local"}, {"metric": None}):
            assert (await refused(client, "slice", **{**BARS, **wrong}))["code"] == "bad_arguments", wrong
        assert (await refused(client, "describe", name="flow.flow_entropi"))["code"] == "unknown_name"
        assert (await refused(client, "search", text="?!"))["code"] == "bad_text"
        monkeypatch.setenv("APERIODIC_API_KEY", "a-secret-key")
        error = await refused(client, "symbols", exchange="binance-futures")
        assert error["code"] == "server_unreachable"
        assert "a-secret-key" not in json.dumps(error)


async def test_a_fault_of_the_program_tells_nothing_of_itself(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    async def fail(*_: object, **__: object) -> None:
        raise RuntimeError("the inner state")

    monkeypatch.setattr("aperiodic.mcp.tools.read_bars", fail)
    async with in_process(NOWHERE) as client:
        error = await refused(client, "slice", **BARS)
    assert error["code"] == "unexpected"
    assert "inner state" not in json.dumps(error)
    assert "the inner state" in caplog.text


async def test_a_call_ends(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(server, "_LONGEST_S", 0.0)
    monkeypatch.setenv("APERIODIC_API_KEY", "key")
    async with in_process(NOWHERE) as client:
        assert (await refused(client, "slice", **BARS))["code"] == "too_slow"


@pytest.mark.parametrize("per", ["all", "day", "month", "hour"])
def test_statistics_are_those_of_plain_python(per: Per) -> None:
    start = datetime(2025, 1, 31, 22)  # noqa: DTZ001
    times = [start + timedelta(minutes=30 * number) for number in range(60)]
    values = [None if number % 7 == 0 else float(number * number % 31) for number in range(60)]
    frame = pl.DataFrame({"time": times, "a": values, "text": ["x"] * 60, "b": range(60)})
    told = {(row.get("group"), row["column"]): row for row in statistics_frame(frame, per).to_dicts()}
    forms = {"all": "", "day": "%Y-%m-%d", "month": "%Y-%m", "hour": "%H"}
    groups: dict[str | None, list[float | None]] = {}
    for time, value in zip(times, values, strict=True):
        groups.setdefault(time.strftime(forms[per]) if forms[per] else None, []).append(value)
    assert set(told) == {(group, name) for group in groups for name in ("a", "b")}
    for group, members in groups.items():
        row, known = told[group, "a"], [value for value in members if value is not None]
        assert (row["count"], row["nulls"]) == (len(known), len(members) - len(known))
        if known:
            assert row["mean"] == pytest.approx(statistics.fmean(known))
            assert row["median"] == statistics.median(known)
            assert (row["min"], row["max"], row["sum"]) == (min(known), max(known), sum(known))
            assert (row["first"], row["last"]) == (known[0], known[-1])
        else:
            assert row["mean"] is row["sum"] is row["first"] is row["p05"] is None
        if len(known) > 1:
            assert row["std"] == pytest.approx(statistics.stdev(known))
            assert row["p95"] == pytest.approx(pl.Series(sorted(known)).quantile(0.95, "linear"))


def test_settings_that_are_not_valid_are_refused_at_the_start() -> None:
    with pytest.raises(InvalidInputError):
        server.build_server("ftp://nowhere")
