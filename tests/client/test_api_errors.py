"""Answers of the API that are not data."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from typing import TYPE_CHECKING

import pytest
from tests.client.mock_api import API_KEY, Reply, json_reply

import aperiodic
from aperiodic.client import rest, retry

if TYPE_CHECKING:
    from tests.client.mock_api import FakeApi

ENDPOINT = "/api/v1/data/ohlcv"


def test_an_error_answer_carries_everything_the_server_said(fake: FakeApi) -> None:
    body = {
        "error": "1s is not part of your plan.",
        "details": ["interval: 1s"],
        "code": "interval_not_in_plan",
        "hint": "The Prime plan includes it.",
        "request_id": "req-1",
    }
    fake.reply(json_reply(body, 403))
    with pytest.raises(aperiodic.APIError) as caught:
        aperiodic.get_ohlcv(**fake.request())
    error = caught.value
    assert (error.status_code, error.message, error.details) == (403, body["error"], body["details"])
    assert (error.code, error.hint, error.request_id) == ("interval_not_in_plan", body["hint"], "req-1")
    for part in ("1s is not part", "interval: 1s", "Prime plan", "403", "req-1"):
        assert part in str(error)
    assert API_KEY not in str(error)
    assert isinstance(error, aperiodic.AperiodicDataError)
    assert fake.api.count(ENDPOINT) == 1


def test_no_sentence_of_an_error_is_printed_twice() -> None:
    details = ["No such interval. Use 5m.", "No such symbol. Use BTC."]
    error = aperiodic.APIError(400, "No such interval.", details, "unknown_interval", "Use 5m.", "r1")
    assert str(error) == "No such interval. Use 5m. No such symbol. Use BTC. (HTTP 400, request r1)"


@pytest.mark.parametrize(
    ("reply", "message"),
    [
        (Reply(404, b"<html>nothing here</html>"), "Not Found."),
        (Reply(500, b'{"error": '), "Internal Server Error."),
        (Reply(400, b"[1, 2]"), "Bad Request."),
        (Reply(499), "status 499"),
        (json_reply({"error": {"nested": True}, "details": "text", "code": 7}, 401), "Unauthorized."),
        (Reply(302, headers={"Location": "http://127.0.0.1:9/"}), "redirects to http://127"),
    ],
)
def test_error_bodies_that_do_not_follow_the_api(fake: FakeApi, reply: Reply, message: str) -> None:
    fake.reply(reply)
    with pytest.raises(aperiodic.APIError, match=message) as caught:
        aperiodic.get_ohlcv(**fake.request())
    assert (caught.value.status_code, caught.value.details, caught.value.code) == (reply.status, [], None)
    assert fake.api.count(ENDPOINT) == 1


@pytest.mark.parametrize("status", [429, 502, 503, 504])
def test_a_busy_server_is_asked_again_and_its_last_word_counts(fake: FakeApi, status: int) -> None:
    fake.reply(json_reply({"error": "Busy."}, status, Retry_After="0"))
    with pytest.raises(aperiodic.APIError, match="Busy") as caught:
        aperiodic.get_ohlcv(**fake.request())
    assert caught.value.status_code == status
    assert fake.api.count(ENDPOINT) == 5


def test_a_fault_that_passes_is_not_noticed(fake: FakeApi) -> None:
    good = json_reply({"files": [], "missing": []})
    fake.reply(Reply(drop=True), Reply(503), Reply(body=good.body, truncate=True), good)
    assert aperiodic.get_ohlcv(**fake.request()).is_empty()
    assert fake.api.count(ENDPOINT) == 4


def test_a_server_that_cannot_be_reached(fake: FakeApi) -> None:
    fake.reply(Reply(drop=True))
    with pytest.raises(aperiodic.AperiodicDataError, match="could not be reached") as caught:
        aperiodic.get_ohlcv(**fake.request())
    assert caught.value.code == "server_unreachable"
    assert "base_url" in (caught.value.hint or "")
    assert fake.api.count(ENDPOINT) == 5


@pytest.mark.parametrize(
    "body",
    [
        b"<html>",
        b"[" * 100_000,
        b"[]",
        b"{}",
        b'{"files": [1]}',
        b'{"files": [{"year": 2025, "month": 13, "url": "https://x.org/a"}]}',
        b'{"files": [{"year": "2025", "month": 1, "url": "https://x.org/a"}]}',
        b'{"files": [{"year": 2025, "month": 1, "url": "file:///etc/passwd"}]}',
        b'{"files": [{"year": 2025, "month": 1, "url": "ftp://x.org/a"}]}',
        b'{"files": [{"year": 2025, "month": 1, "url": "/relative"}]}',
        b'{"files": [{"year": 2025, "month": 1, "url": "http://[x"}]}',
        b'{"files": [{"year": 2025, "month": 1}]}',
        b'{"files": [], "missing": [7]}',
        b'{"files": [{"year": 2025, "month": 1, "url": "http://x.org/a"}, {"year": 2025, "month": 1, "url": "http://x.org/b"}]}',
    ],
)
def test_an_answer_that_does_not_follow_the_api_is_refused(fake: FakeApi, body: bytes) -> None:
    fake.reply(Reply(body=body))
    with pytest.raises(aperiodic.APIError) as caught:
        aperiodic.get_ohlcv(**fake.request())
    assert caught.value.code == "bad_response"


def test_an_endless_answer_is_not_read_to_its_end(fake: FakeApi, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rest, "_MAX_BYTES", 1000)
    fake.reply(Reply(body=b" " * 1001))
    with pytest.raises(aperiodic.APIError, match="more than 1,000 bytes") as caught:
        aperiodic.get_ohlcv(**fake.request())
    assert caught.value.code == "bad_response"


@pytest.fixture
def waits(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """Seconds that retries slept, without sleeping."""
    slept: list[float] = []

    async def sleep(seconds: float) -> None:
        slept.append(seconds)

    monkeypatch.setattr("aperiodic.client.retry.asyncio.sleep", sleep)
    return slept


async def _wait_for(retry_after: str | None) -> None:
    async def attempt() -> None:
        raise retry.RetryableError(OSError("down"), retry_after)

    with pytest.raises(OSError, match="down"):
        await retry.retrying(attempt)


@pytest.mark.parametrize(
    ("retry_after", "expected"),
    [("7", 7.0), (" 0 ", 0.0), ("86400", 30.0), ("9" * 400, 30.0), ("Wed, 21 Oct 2015 07:28:00 GMT", 0.0)],
)
async def test_the_servers_wish_is_honoured_up_to_a_limit(
    waits: list[float], retry_after: str, expected: float
) -> None:
    await _wait_for(retry_after)
    assert waits == [expected] * 4


async def test_a_date_is_honoured(waits: list[float]) -> None:
    await _wait_for(format_datetime(datetime.now(UTC) + timedelta(seconds=20), usegmt=True))
    assert all(18 <= wait <= 20 for wait in waits)


@pytest.mark.parametrize("retry_after", [None, "soon", "-5", "²"])
async def test_without_a_wish_the_wait_doubles_with_jitter(
    waits: list[float], monkeypatch: pytest.MonkeyPatch, retry_after: str | None
) -> None:
    monkeypatch.setattr(retry, "FIRST_DELAY_SECONDS", 3.0)
    await _wait_for(retry_after)
    for wait, ceiling in zip(waits, [3.0, 6.0, 8.0, 8.0], strict=True):
        assert ceiling / 2 <= wait <= ceiling
    assert len(set(waits)) == 4
