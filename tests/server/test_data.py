from __future__ import annotations

import hashlib
from datetime import date
from io import BytesIO
from typing import TYPE_CHECKING

import polars as pl
from polars.testing import assert_frame_equal
from tests.server.conftest import DATA, bars, query

if TYPE_CHECKING:
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
    assert entry["revision"] == 1
    assert entry["source"] == "recording"


def test_says_which_months_are_complete(api: httpx.Client) -> None:
    april, june = api.get(DATA, params=query()).json()["files"]
    assert (april["complete"], april["gaps"], april["days_missing"]) == (True, 0, [])
    assert june["complete"] is False
    assert june["days_missing"][0] == "2025-06-01"
    assert len(june["days_missing"]) == 30


def test_only_the_months_of_the_range_are_listed(api: httpx.Client) -> None:
    body = api.get(DATA, params=query(start_date="2025-04-30", end_date="2025-05-01")).json()
    assert [entry["month"] for entry in body["files"]] == [4]
    assert body["missing"] == ["2025-05"]


def test_a_range_over_the_turn_of_the_year(api: httpx.Client) -> None:
    body = api.get(DATA, params=query(start_date="2023-11-30", end_date="2024-02-01")).json()
    assert body["files"] == []
    assert body["missing"] == ["2023-11", "2023-12", "2024-01", "2024-02"]
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
