from __future__ import annotations

import hashlib
from datetime import UTC, date, datetime, timedelta
from io import BytesIO
from typing import TYPE_CHECKING, Any

import polars as pl
import pytest
from polars.testing import assert_frame_equal
from tests.server.conftest import BTC, DATA, add_tick_days, bars, publish, query
from tests.server.in_process import App, application, put_ticks
from tests.statements import trace_statements

from aperiodic.lake.pruning import prune_history
from aperiodic.market import Exchange, Stream
from aperiodic.market.time import now_us

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    import httpx
    from tests.server.conftest import Installation


def test_lists_the_published_months_and_those_that_are_missing(api: httpx.Client) -> None:
    answer = api.get(DATA, params=query())
    assert answer.status_code == 200
    assert answer.headers["cache-control"] == "no-store"
    body = answer.json()
    assert [(entry["year"], entry["month"]) for entry in body["files"]] == [(2025, 4), (2025, 6)]
    assert body["missing"] == ["2025-05"]
    assert body["expires_in"] == 300
    assert body["source"] == "recording"
    assert body["request_id"] == answer.headers["x-request-id"]


def test_a_file_is_what_its_entry_says(api: httpx.Client) -> None:
    entry = api.get(DATA, params=query()).json()["files"][0]
    file = api.get(entry["url"], headers={"X-API-KEY": ""})
    assert file.status_code == 200
    assert len(file.content) == entry["size"] == int(file.headers["content-length"])
    assert hashlib.sha256(file.content).hexdigest() == entry["sha256"]
    assert file.headers["content-type"] == "application/vnd.apache.parquet"
    frame = pl.read_parquet(BytesIO(file.content))
    assert_frame_equal(frame, bars(date(2025, 4, 1)))
    assert entry["rows"] == frame.height
    assert (entry["revision"], entry["reason"], entry["source"]) == (1, "test", "recording")
    assert abs(datetime.fromisoformat(entry["published_at"]) - datetime.now(UTC)) < timedelta(hours=1)


def test_says_which_months_are_complete(api: httpx.Client) -> None:
    april, june = api.get(DATA, params=query()).json()["files"]
    assert (april["complete"], april["gaps"], april["days_missing"]) == (True, 0, [])
    assert june["complete"] is False
    assert june["days_missing"][0] == "2025-06-01"
    assert len(june["days_missing"]) == 20


def test_only_the_months_of_the_range_are_listed(api: httpx.Client) -> None:
    body = api.get(DATA, params=query(start_date="2025-04-30", end_date="2025-05-01")).json()
    assert [entry["month"] for entry in body["files"]] == [4]
    assert body["missing"] == ["2025-05"]


def test_a_range_over_the_turn_of_the_year(api: httpx.Client) -> None:
    body = api.get(DATA, params=query(start_date="2019-11-30", end_date="2020-02-01")).json()
    assert body["files"] == []
    assert body["missing"] == ["2019-11", "2019-12", "2020-01", "2020-02"]
    assert body["source"] is None


def test_simulated_data_is_called_so_even_beside_recorded_data(api: httpx.Client) -> None:
    body = api.get(DATA, params=query(exchange="okx-perps")).json()
    assert body["source"] == "simulated"
    assert [entry["source"] for entry in body["files"]] == ["simulated", "tardis", "recording"]


def test_several_sources_are_called_mixed(api: httpx.Client) -> None:
    assert api.get(DATA, params=query(exchange="okx-perps", start_date="2025-05-01")).json()["source"] == "mixed"


def test_a_trailing_slash_is_no_redirect(api: httpx.Client) -> None:
    assert api.get(f"{DATA}/", params=query()).status_code == 200


def test_links_begin_with_the_host_that_was_asked(api: httpx.Client) -> None:
    body = api.get(DATA, params=query(), headers={"Host": "data.example:8443"}).json()
    assert body["files"][0]["url"].startswith("http://data.example:8443/files/bars/ohlcv/")


def test_prime_may_ask_for_seconds_on_the_true_clock(api: httpx.Client, installation: Installation) -> None:
    key = installation.keys["prime"]
    answer = api.get(DATA, params=query(interval="1s", timestamp="true"), headers={"X-API-KEY": key})
    assert answer.status_code == 200
    assert answer.json()["missing"] == ["2025-04", "2025-05", "2025-06"]


@pytest.fixture
def app(tmp_path: Path) -> Iterator[App]:
    with application(tmp_path) as made:
        yield made


def moment() -> str:
    """Return the time now, with nothing else in the same microsecond."""
    passed = now_us()
    while now_us() == passed:
        pass
    return (datetime(1970, 1, 1, tzinfo=UTC) + timedelta(microseconds=passed)).isoformat()


APRIL = {"start_date": "2025-04-01", "end_date": "2025-04-30"}


def test_what_was_current_at_a_moment_stays_there_to_be_had(app: App) -> None:
    headers = app.headers("pro")

    def ask(as_of: str | None) -> dict[str, Any]:
        body: dict[str, Any] = app.client.get(DATA, params=query(**APRIL, as_of=as_of), headers=headers).json()
        return body

    nothing = moment()
    before = publish(app.lake, date(2025, 4, 1))
    first = moment()
    after = publish(app.lake, date(2025, 4, 1), rows=4)
    assert (ask(nothing)["files"], ask(nothing)["missing"]) == ([], ["2025-04"])
    today = datetime.now(UTC).date().isoformat()
    for as_of, revision, data in ((first, 1, before), (moment(), 2, after), (None, 2, after), (today, 2, after)):
        body = ask(as_of)
        (entry,) = body["files"]
        assert (entry["revision"], body["missing"]) == (revision, [])
        assert app.client.get(entry["url"]).content == data
        assert hashlib.sha256(data).hexdigest() == entry["sha256"]
    assert ask(str(date.fromisoformat(today) - timedelta(days=1)))["files"] == []


def test_moments_whose_revisions_were_pruned_are_refused_and_later_ones_are_not(app: App) -> None:
    headers = app.headers("pro")
    publish(app.lake, date(2025, 4, 1))
    first = moment()
    publish(app.lake, date(2025, 4, 1), rows=4)
    second = moment()
    link = app.client.get(DATA, params=query(**APRIL, as_of=first), headers=headers).json()["files"][0]["url"]
    prune_history(app.lake, now_us())
    answer = app.client.get(DATA, params=query(**APRIL, as_of=first), headers=headers)
    assert (answer.status_code, answer.json()["code"]) == (410, "revisions_pruned")
    assert first[:19] in answer.json()["error"]
    assert app.client.get(link).json()["code"] == "object_missing"
    answer = app.client.get(DATA, params=query(**APRIL, as_of=second), headers=headers)
    assert answer.status_code == 410, "the moment of pruning came later"
    for later in (moment(), None):
        answer = app.client.get(DATA, params=query(**APRIL, as_of=later), headers=headers)
        assert [entry["revision"] for entry in answer.json()["files"]] == [2]


def test_a_superseded_month_is_as_incomplete_as_the_ticks_that_it_was_made_of(app: App) -> None:
    headers = app.headers("pro")
    add_tick_days(app.lake, date(2025, 4, 1), 29)
    publish(app.lake, date(2025, 4, 1))
    first = moment()
    add_tick_days(app.lake, date(2025, 4, 30), 1)
    publish(app.lake, date(2025, 4, 1), rows=4)
    second = moment()
    put_ticks(app.lake, Stream.TRADES, Exchange.BINANCE_FUTURES, BTC, date(2025, 4, 7))
    publish(app.lake, date(2025, 4, 1), rows=5)
    expected = {first: (False, ["2025-04-30"]), second: (False, []), None: (True, [])}
    for as_of, (complete, missing) in expected.items():
        body = app.client.get(DATA, params=query(**APRIL, as_of=as_of), headers=headers).json()
        assert (body["files"][0]["complete"], body["files"][0]["days_missing"]) == (complete, missing)


@pytest.mark.parametrize(
    "as_of",
    [
        *(
            "yesterday",
            "2025-02-30",
            "2025-5-1",
            "2008-12-31",
            "2101-01-01",
            "2025-05-01T25:00",
            "2025-05-01T12:00:00+02:00",
        ),
        *(
            "2025-05-01 12:00",
            "2025-05-01T",
            "20250501T120000Z",
            "1746057600",
            "٢٠٢٥-05-01",
            "2025-05-01T12:00:00.1234567Z",
        ),
    ],
)
def test_a_moment_that_is_none_is_refused(api: httpx.Client, as_of: str) -> None:
    body = api.get(DATA, params=query(as_of=as_of)).json()
    assert body["code"] == "bad_as_of"
    assert "2025-05-01T12:00:00Z" in body["hint"]


@pytest.mark.parametrize("as_of", ["2025-05-01", "2025-05-01T12:00", "2025-05-01T12:00:00", "2025-05-01T12:00:00.5Z"])
def test_a_moment_is_a_day_or_a_time_in_utc(api: httpx.Client, as_of: str) -> None:
    answer = api.get(DATA, params=query(as_of=as_of))
    assert (answer.status_code, answer.json()["files"]) == (200, [])


def test_an_empty_moment_is_missing(api: httpx.Client) -> None:
    assert api.get(DATA, params=query(as_of="")).json()["code"] == "missing_parameter"


def test_a_key_for_raw_ticks_reads_no_bars_whatever_its_plan(app: App) -> None:
    publish(app.lake, date(2025, 4, 1))
    answer = app.client.get(DATA, params=query(), headers=app.headers("prime-raw", ("raw",)))
    assert (answer.status_code, answer.json()["code"]) == (403, "scope_missing")
    answer = app.client.get(DATA, params=query(), headers=app.headers("free", ("raw",)))
    assert (answer.status_code, answer.json()["code"]) == (403, "metric_not_in_plan")
    assert len(answer.json()["details"]) == 2


def test_many_months_take_no_more_queries_than_one(app: App) -> None:
    publish(app.lake, date(2023, 1, 1))
    publish(app.lake, date(2024, 12, 1))
    headers = app.headers("pro")
    asked = trace_statements(app.lake.engine)
    app.client.get(DATA, params=query(end_date="2025-06-01"), headers=headers)  # the key is known from here on
    counts = []
    for end in ("2023-01-31", "2024-12-31"):
        asked.clear()
        answer = app.client.get(DATA, params=query(start_date="2023-01-01", end_date=end), headers=headers)
        assert answer.json()["files"][-1]["month"] == int(end[5:7])
        counts.append(sum(statement.startswith(("SELECT", "WITH")) for statement in asked))
    assert 4 <= counts[0] == counts[1] <= 8
