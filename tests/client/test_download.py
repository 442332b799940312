"""Files: integrity, retries, renewed links, and what the file host learns."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING

import pytest
from tests.client.mock_api import API_KEY, Reply, bars, json_reply, parquet

import aperiodic

if TYPE_CHECKING:
    from tests.client.mock_api import Asked, FakeApi

JANUARY = bars("2025-01")
GOOD = parquet(JANUARY)
QUARTER = ("2025-01", "2025-02", "2025-03")


def test_the_key_does_not_reach_the_file_host(fake: FakeApi) -> None:
    fake.publish("2025-01")
    aperiodic.get_ohlcv(**fake.request())
    (asked,) = fake.store.asked
    assert "x-api-key" not in asked.headers
    assert not any(API_KEY in value for value in asked.headers.values())
    assert asked.query == {"signature": "hidden-1", "expires": "300"}
    assert asked.headers["accept-encoding"] == "identity"


def test_links_are_logged_without_their_signature(fake: FakeApi, caplog: pytest.LogCaptureFixture) -> None:
    fake.publish("2025-01")
    with caplog.at_level("DEBUG"):
        aperiodic.get_ohlcv(**fake.request())
    assert f"{fake.store.url}/2025-01 " in caplog.text
    assert "hidden" not in caplog.text
    assert API_KEY not in caplog.text


@pytest.mark.parametrize(
    "failure",
    [
        Reply(429, headers={"Retry-After": "0"}),
        Reply(502),
        Reply(503, headers={"Retry-After": "nonsense"}),
        Reply(504),
        Reply(drop=True),
        Reply(body=GOOD, truncate=True),
        Reply(body=GOOD[:-1]),
        Reply(body=GOOD + b"x"),
        Reply(body=GOOD[:999] + bytes([GOOD[999] ^ 1]) + GOOD[1000:]),
    ],
    ids=["429", "502", "503", "504", "dropped", "truncated", "short", "long", "flipped"],
)
def test_a_passing_fault_is_retried(fake: FakeApi, failure: Reply) -> None:
    fake.publish("2025-01")
    fake.store.on("/2025-01", failure, failure, Reply(body=GOOD))
    assert aperiodic.get_ohlcv(**fake.request()).equals(JANUARY)
    assert fake.store.count("/2025-01") == 3


@pytest.mark.parametrize(
    ("failure", "status", "code"),
    [
        (Reply(503), 503, "file_refused"),
        (Reply(drop=True), None, "download_failed"),
        (Reply(body=GOOD[:-1]), None, "size_mismatch"),
        (Reply(body=bytes(len(GOOD))), None, "hash_mismatch"),
    ],
)
def test_a_lasting_fault_ends_after_five_attempts(fake: FakeApi, failure: Reply, status: int | None, code: str) -> None:
    fake.publish("2025-01")
    fake.store.on("/2025-01", failure)
    with pytest.raises(aperiodic.DownloadError, match="2025-01") as caught:
        aperiodic.get_ohlcv(**fake.request())
    error = caught.value
    assert fake.store.count("/2025-01") == 5
    assert (error.year, error.month, error.day, error.status_code, error.code) == (2025, 1, None, status, code)
    assert isinstance(error.original_error, Exception)
    assert "hidden" not in str(error)
    assert isinstance(error, aperiodic.AperiodicDataError)


def test_an_unreadable_file_without_a_known_hash_is_retried(fake: FakeApi) -> None:
    fake.reply(json_reply({"files": [fake.link("2025-01")]}))
    fake.store.on("/2025-01", Reply(body=b"not parquet"), Reply(body=b"PAR1" * 9), Reply(body=GOOD))
    assert aperiodic.get_ohlcv(**fake.request()).equals(JANUARY)


@pytest.mark.parametrize("status", [302, 400, 404, 410, 500])
def test_other_statuses_are_final(fake: FakeApi, status: int) -> None:
    fake.publish("2025-01")
    fake.store.on("/2025-01", Reply(status, headers={"Location": "/elsewhere"}))
    with pytest.raises(aperiodic.DownloadError, match=str(status)) as caught:
        aperiodic.get_ohlcv(**fake.request())
    assert caught.value.status_code == status
    assert len(fake.store.asked) == 1
    assert len(fake.api.asked) == 1


def _expire(fake: FakeApi, *periods: str, expired: str) -> None:
    """Let every link whose signature is in `expired` be refused, as an expired one is."""
    bodies = {period: parquet(bars(period)) for period in periods}

    def links() -> Reply:
        return json_reply({"files": [fake.store_file(period, body) for period, body in bodies.items()]})

    original = fake.store.answer

    def answer(asked: Asked) -> Reply:
        reply = original(asked)
        return Reply(403) if asked.query["signature"] in expired.split() else reply

    fake.store.answer = answer  # type: ignore[method-assign]
    fake.reply(links)


def test_expired_links_are_renewed_by_one_request_for_all(fake: FakeApi) -> None:
    _expire(fake, *QUARTER, expired="hidden-1 hidden-2 hidden-3")
    frame = aperiodic.get_ohlcv(**fake.request(end_date="2025-03-31"))
    assert frame.height == 24 * 90
    assert len(fake.api.asked) == 2
    assert fake.api.asked[0].query == fake.api.asked[1].query
    assert len(fake.store.asked) == 6


def test_files_that_wait_for_their_turn_use_the_renewed_links(fake: FakeApi) -> None:
    _expire(fake, *QUARTER, expired="hidden-1 hidden-2 hidden-3")
    aperiodic.get_ohlcv(**fake.request(end_date="2025-03-31", max_concurrent=1))
    assert [asked.query["signature"] for asked in fake.store.asked] == ["hidden-1", "hidden-4", "hidden-5", "hidden-6"]


def test_a_link_is_renewed_once_only(fake: FakeApi) -> None:
    _expire(fake, "2025-01", expired="hidden-1 hidden-2 hidden-3")
    with pytest.raises(aperiodic.DownloadError) as caught:
        aperiodic.get_ohlcv(**fake.request())
    assert caught.value.status_code == 403
    assert len(fake.api.asked) == 2
    assert len(fake.store.asked) == 2


def test_a_file_that_was_replaced_is_fetched_anew(fake: FakeApi) -> None:
    fake.reply(json_reply({"files": [fake.link("2025-01")]}))
    fake.store.on("/2025-01", json_reply({"code": "object_missing"}, 404), Reply(body=GOOD))
    assert aperiodic.get_ohlcv(**fake.request()).equals(JANUARY)
    assert len(fake.api.asked) == 2


def test_a_file_that_is_gone_from_the_renewed_answer_is_an_error(fake: FakeApi) -> None:
    fake.reply(json_reply({"files": [fake.link("2025-01-07")]}), json_reply({"files": []}))
    fake.store.on("/2025-01-07", Reply(403))
    with pytest.raises(aperiodic.DownloadError, match=r"2025-01-07 .* withdrawn") as caught:
        aperiodic.get_ohlcv(**fake.request())
    assert caught.value.day == 7
    assert caught.value.code == "file_withdrawn"


def test_downloads_run_at_the_same_time_but_not_more_than_asked(fake: FakeApi) -> None:
    together = threading.Barrier(2)
    periods = [f"2025-{month:02d}" for month in range(1, 7)]
    fake.publish(*periods)
    for period in periods:
        fake.store.on(f"/{period}", Reply(body=parquet(bars(period)), wait=together))
    aperiodic.get_ohlcv(**fake.request(end_date="2025-06-30", max_concurrent=2))
    assert fake.store.most_at_once == 2


def test_the_first_failure_ends_the_other_downloads(fake: FakeApi) -> None:
    both_run, released = threading.Event(), threading.Event()

    def endless() -> Reply:
        both_run.set()
        return Reply(wait=released)

    fake.publish("2025-01", "2025-02")
    fake.store.on("/2025-01", Reply(404, wait=both_run))
    fake.store.on("/2025-02", endless)
    try:
        with pytest.raises(aperiodic.DownloadError, match="404"):
            aperiodic.get_ohlcv(**fake.request(end_date="2025-02-28"))
        assert fake.store.at_once == 1, "the other download was waited for"
    finally:
        released.set()
