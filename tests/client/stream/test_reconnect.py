"""Lost connections: which are opened anew, what is asked for then, and what counts as a gap."""

from __future__ import annotations

import threading
import warnings
from datetime import UTC, datetime
from itertools import islice
from typing import TYPE_CHECKING, Any

import pytest
from tests.client.stream.stream_server import BTC, CHANNEL, ETH, MINUTE, START, StreamServer, Talk, row

import aperiodic
from aperiodic.client import stream_session
from aperiodic.client.stream_marks import Marks

if TYPE_CHECKING:
    from collections.abc import Callable

    Opened = Callable[..., aperiodic.Stream]

HOUR = "ohlcv.binance-futures.1h"


def minutes(messages: Any) -> list[int]:
    return [(message.data["time"] - START) // MINUTE for message in messages]


def first_two(talk: Talk) -> None:
    talk.subscribed()
    talk.rows(0, 1)


def lost_after_two(talk: Talk) -> None:
    first_two(talk)
    talk.close(1001, "restart")


def later(talk: Talk) -> None:
    """A server that knows nothing of `since`."""
    talk.subscribed()
    talk.rows(3, 4)


@pytest.mark.parametrize("code", [1000, 1001, 1011, 1012, 1013, 3000, None])
def test_these_ends_are_followed_by_another_connection(server: StreamServer, opened: Opened, code: int | None) -> None:
    def end(talk: Talk) -> None:
        first_two(talk)
        if code is None:
            talk.drop()
        else:
            talk.close(code)

    server.on(end, later)
    stream = opened()
    before = datetime.now(UTC)
    with pytest.warns(aperiodic.StreamWarning, match=f"number 1: .*code {code or 1006}") as told:
        assert minutes(islice(stream, 4)) == [0, 1, 3, 4]
    assert len(told) == 1
    assert told[0].filename == __file__
    ((lost, back),) = stream.gaps
    assert before <= lost <= back <= datetime.now(UTC)
    assert lost.tzinfo is UTC
    assert [(asked["id"], asked.get("since")) for asked in server.heard] == [("s1", None), ("s2", START + MINUTE + 1)]


@pytest.mark.parametrize("code", [1008, 4000, 4001, 4999])
def test_these_ends_are_final(server: StreamServer, opened: Opened, code: int) -> None:
    def end(talk: Talk) -> None:
        first_two(talk)
        talk.close(code, "Enough." if code == 4999 else "")

    server.on(end)
    rows = iter(opened())
    assert minutes(islice(rows, 2)) == [0, 1]
    with pytest.raises(aperiodic.StreamClosedError) as caught:
        next(rows)
    assert (caught.value.code, caught.value.reason) == (code, "Enough." if code == 4999 else "")
    assert {1008: "too many requests", 4001: "key was changed", 4999: "Enough."}.get(code, str(code)) in str(
        caught.value
    )
    assert len(server.headers) == 1


def test_without_reconnect_every_end_is_final(server: StreamServer, opened: Opened) -> None:
    server.on(lost_after_two)
    rows = iter(opened(reconnect=False))
    assert minutes(islice(rows, 2)) == [0, 1]
    with pytest.raises(aperiodic.StreamClosedError) as caught:
        next(rows)
    assert caught.value.code == 1001


def test_an_end_before_the_answer_is_final(server: StreamServer, opened: Opened) -> None:
    server.on(lambda talk: talk.close(1011))
    with pytest.raises(aperiodic.StreamClosedError):
        list(opened())
    assert len(server.headers) == 1


def test_silence_is_a_lost_connection(server: StreamServer, opened: Opened, monkeypatch: pytest.MonkeyPatch) -> None:
    assert stream_session.IDLE_SECONDS == 75.0
    monkeypatch.setattr(stream_session, "IDLE_SECONDS", 0.1)
    server.on(first_two, later)
    with pytest.warns(aperiodic.StreamWarning, match=r"sent nothing for 0\.1 s"):
        assert minutes(islice(opened(), 4)) == [0, 1, 3, 4]


def test_heartbeats_break_the_silence(server: StreamServer, opened: Opened, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(stream_session, "IDLE_SECONDS", 0.4)
    silent = threading.Event()

    def beating(talk: Talk) -> None:
        first_two(talk)
        for _ in range(6):
            silent.wait(0.1)
            talk.send({"op": "heartbeat"})
        talk.rows(2)

    server.on(beating)
    assert minutes(islice(opened(), 3)) == [0, 1, 2]


@pytest.mark.parametrize("status", [429, 502, 503, 504])
def test_refusals_that_pass_are_waited_for(server: StreamServer, opened: Opened, status: int) -> None:
    def lost(talk: Talk) -> None:
        server.refuse(status)
        server.refuse(status)
        lost_after_two(talk)

    server.on(lost, later)
    stream = opened()
    with pytest.warns(aperiodic.StreamWarning) as told:
        assert minutes(islice(stream, 4)) == [0, 1, 3, 4]
    assert len(told) == 1, "an outage is told once"
    assert len(stream.gaps) == 1
    assert len(server.headers) == 4


@pytest.mark.parametrize(
    ("header", "waited"), [("7", 7.0), ("0", 0.0), ("86400", 300.0), ("soon", 0.0), ("-3", 0.0), (None, 0.0)]
)
def test_a_server_that_says_when_to_come_again_is_obeyed(
    server: StreamServer, opened: Opened, monkeypatch: pytest.MonkeyPatch, header: str | None, waited: float
) -> None:
    waits: list[float] = []

    async def wait(_conversation: object, seconds: float) -> None:
        waits.append(seconds)

    def lost(talk: Talk) -> None:
        server.refuse(429, headers=None if header is None else {"Retry-After": header})
        lost_after_two(talk)

    monkeypatch.setattr(stream_session.Conversation, "_wait", wait)
    server.on(lost, later)
    with pytest.warns(aperiodic.StreamWarning):
        assert minutes(islice(opened(), 4)) == [0, 1, 3, 4]
    assert waits == [0.0, waited]  # after the loss, and after the refusal


@pytest.mark.parametrize("status", [400, 401, 403, 404, 426, 500])
def test_other_refusals_end_the_stream(server: StreamServer, opened: Opened, status: int) -> None:
    def lost(talk: Talk) -> None:
        server.refuse(status)
        lost_after_two(talk)

    server.on(lost)
    rows = iter(opened())
    list(islice(rows, 2))
    with pytest.warns(aperiodic.StreamWarning), pytest.raises(aperiodic.APIError) as caught:
        next(rows)
    assert caught.value.status_code == status


def test_waits_grow_until_a_row_comes(server: StreamServer, opened: Opened, monkeypatch: pytest.MonkeyPatch) -> None:
    attempts: list[int] = []

    def delay(attempt: int, _retry_after: str | None) -> float:
        attempts.append(attempt)
        return 0.0

    def empty(talk: Talk) -> None:
        talk.subscribed()
        talk.close(1001)

    monkeypatch.setattr(stream_session, "_delay", delay)
    server.on(lost_after_two, empty, empty, lost_after_two, later)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        list(islice(opened(), 6))
    assert attempts == [0, 1, 2, 0]


def test_how_long_the_waits_are(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(stream_session, "FIRST_DELAY_SECONDS", 1.0)
    delays = [stream_session._delay(attempt) for attempt in range(12)]
    assert all(2**attempt <= delay <= 2**attempt + 1 for attempt, delay in enumerate(delays[:5]))
    assert set(delays[5:]) == {30.0}


def test_a_warning_that_is_an_error_ends_the_stream(server: StreamServer, opened: Opened) -> None:
    server.on(lost_after_two)
    rows = iter(opened())
    list(islice(rows, 2))
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        with pytest.raises(aperiodic.StreamWarning):
            next(rows)


def test_replayed_rows_leave_no_gap_and_come_once(server: StreamServer, opened: Opened) -> None:
    def replaying(talk: Talk) -> None:
        talk.subscribed(replayed=True)
        talk.rows(0, 1, 2, 3)

    server.on(lost_after_two, replaying)
    stream = opened()
    with pytest.warns(aperiodic.StreamWarning, match="was lost"):
        assert minutes(islice(stream, 4)) == [0, 1, 2, 3]
    assert stream.gaps == []
    assert server.heard[1]["since"] == START + MINUTE + 1
    assert stream.subscription is not None
    assert stream.subscription.replayed


def test_a_replayed_row_that_was_corrected_comes_again(server: StreamServer, opened: Opened) -> None:
    def replaying(talk: Talk) -> None:
        talk.subscribed(replayed=True)
        talk.send(row(0), row(1, revision=1), row(1, revision=1), row(1, revision=2), row(2))

    server.on(lost_after_two, replaying)
    with pytest.warns(aperiodic.StreamWarning, match="was lost"):
        messages = list(islice(opened(), 5))
    assert minutes(messages) == [0, 1, 1, 1, 2]
    assert [message.revision for message in messages] == [0, 0, 1, 2, 0]
    assert messages[2].corrected


def test_a_server_that_counts_corrections_anew_is_believed(server: StreamServer, opened: Opened) -> None:
    def corrected(talk: Talk) -> None:
        talk.subscribed()
        talk.send(row(0), row(0, revision=1, close=7.5))
        talk.close(1001)

    def anew(talk: Talk) -> None:
        talk.subscribed(replayed=True)
        talk.send(row(0, revision=1, close=7.5), row(0, revision=1, close=8.5), row(1))

    server.on(corrected, anew)
    with pytest.warns(aperiodic.StreamWarning, match="was lost"):
        messages = list(islice(opened(), 4))
    assert minutes(messages) == [0, 0, 0, 1]
    assert [message.data["close"] for message in messages] == [0.0, 7.5, 8.5, 1.0]


def test_a_server_that_does_not_take_since_streams_nevertheless(server: StreamServer, opened: Opened) -> None:
    def strict(talk: Talk) -> None:
        asked = talk.heard()
        assert "since" in asked
        talk.send({"op": "error", "id": asked["id"], "code": "invalid_message", "message": "Unknown key since."})
        later(talk)

    server.on(lost_after_two, strict)
    stream = opened()
    with pytest.warns(aperiodic.StreamWarning, match="was lost"):
        assert minutes(islice(stream, 4)) == [0, 1, 3, 4]
    assert len(stream.gaps) == 1
    assert [asked["id"] for asked in server.heard] == ["s1", "s2", "s3"]


def test_since_is_asked_for_at_first(server: StreamServer, opened: Opened) -> None:
    def replaying(talk: Talk) -> None:
        talk.subscribed(replayed=True)
        talk.send({**row(2), "snapshot": True})
        talk.rows(0, 1, 2)

    server.on(replaying)
    stream = opened(since=datetime(2026, 11, 18, 11, 7))  # noqa: DTZ001 (without a zone it is UTC)
    assert [(m.snapshot, *minutes([m])) for m in islice(stream, 4)] == [(True, 2), (False, 0), (False, 1), (False, 2)]
    assert stream.gaps == []
    assert server.heard[0]["since"] == START


@pytest.mark.parametrize("since", ["2026-11-18T11:07", "2026-11-18T12:07+01:00", START])
def test_how_since_is_written(opened: Opened, since: str | int) -> None:
    assert opened(since=since)._session.since == START


def test_since_that_is_not_served_is_a_gap(server: StreamServer, opened: Opened) -> None:
    server.on(first_two)
    stream = opened(since="2026-11-18")
    with pytest.warns(aperiodic.StreamWarning, match=r"does not send the rows since 2026-11-18 00:00:00 UTC"):
        list(islice(stream, 2))
    assert [begin for begin, _ in stream.gaps] == [datetime(2026, 11, 18, tzinfo=UTC)]


def taken(marks: Marks, minute: int, symbol: str = BTC, *, channel: str = CHANNEL, **fields: object) -> bool:
    message = aperiodic.StreamMessage(channel, row(minute, symbol, **fields)["data"])
    return marks.take(message, new_only=True)


def test_the_symbol_that_is_behind_decides_from_when_on() -> None:
    marks = Marks()
    assert all([taken(marks, 5, ETH), taken(marks, 5), taken(marks, 6)])
    assert marks.since() == START + 5 * MINUTE + 1
    assert not taken(marks, 6)
    assert taken(marks, 6, ETH)


def test_a_symbol_that_is_quiet_does_not_bring_back_the_day() -> None:
    marks = Marks()
    assert all([taken(marks, 0, ETH), taken(marks, 60)])
    assert marks.since() == START + 60 * MINUTE + 1


def test_a_channel_without_a_row_begins_with_the_bar_that_was_open() -> None:
    marks = Marks()
    assert marks.since() is None
    marks.begin([CHANNEL, HOUR, "odd"], START)
    assert marks.since() == START - START % (60 * MINUTE)
    marks.begin([HOUR], START + 60 * MINUTE)
    assert marks.since() == START - START % (60 * MINUTE), "the first subscription counts"


def test_what_has_no_time_is_always_new() -> None:
    marks = Marks()
    assert all(taken(marks, 0, time=None) for _ in range(2))
    assert marks.since() is None
