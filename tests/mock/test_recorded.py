from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest
from tests.mock.market import FUTURES, HYPERLIQUID, OKX, T, depth, hl_trade, okx_book, recording, snapshot, trade, usual

from aperiodic.market import InvalidInputError
from aperiodic.mock import RecordedSource
from aperiodic.mock.market import Market

if TYPE_CHECKING:
    from pathlib import Path

    from aperiodic.mock.messages import Message

NOW = 1_790_000_000_000_000


def told(source: RecordedSource) -> list[Message]:
    source.prepare()
    return list(source.begin(NOW))


def test_frames_are_told_as_they_were_at_their_pace(tmp_path: Path) -> None:
    frames = usual(FUTURES, 1.0)
    path = recording(tmp_path / "r.gz", frames)
    messages = [message for message in told(RecordedSource(FUTURES, [path], speed=4.0)) if message.stream]
    sent = [frame for _, frame in frames if "stream" in frame]
    assert [json.loads(message.payload) for message in messages] == sent
    assert [message.due - NOW for message in messages] == [at * 250 for at, frame in frames if "stream" in frame]
    assert {message.number for message in messages if message.stream == "btcusdt@trade"} == set(range(1, 21))


def test_times_can_be_moved_to_now_and_numbers_stay(tmp_path: Path) -> None:
    path = recording(tmp_path / "r.gz", usual(FUTURES, 1.0))
    messages = told(RecordedSource(FUTURES, [path], shift=True, speed=2.0))
    by_stream = {message.stream: message for message in messages}
    last = json.loads(by_stream["btcusdt@depth@0ms"].payload)["data"]
    assert last["T"] == NOW // 1_000 + 475
    assert (last["U"], last["u"], last["pu"]) == (191, 200, 190)
    assert by_stream["btcusdt@depth@0ms"].time == last["T"]
    path = recording(tmp_path / "o.gz", usual(OKX, 0.2))
    assert f'"ts":"{NOW // 1_000 + 150}"'.encode() in told(RecordedSource(OKX, [path], shift=True))[-1].payload
    path = recording(tmp_path / "h.gz", usual(HYPERLIQUID, 0.2))
    assert f'"time":{NOW // 1_000 + 150}'.encode() in told(RecordedSource(HYPERLIQUID, [path], shift=True))[-1].payload


def compact(frame: object) -> str:
    return json.dumps(frame, separators=(",", ":"))


def lines_of_ours(*lines: str) -> str:
    return "".join(f"{(T + at) * 1_000_000} {line}\n" for at, line in enumerate(lines))


def test_recordings_of_ours_are_read_and_what_two_connections_saw_is_told_once(tmp_path: Path) -> None:
    first, second, third = (compact(depth(number, number)) for number in (1, 2, 3))
    path = tmp_path / "segment"
    path.write_text(
        lines_of_ours(
            'a !open {"url":"wss://x","streams":["btcusdt@depth@0ms"]}',
            'a !sent {"method":"SUBSCRIBE"}',
            'a {"result":null,"id":1}',
            f"a {first}",
            f"a !rest https://x/fapi/v1/depth?symbol=BTCUSDT&limit=1000 200 {compact(snapshot(1))}",
            'a !rest https://x/fapi/v1/depth?symbol=BTCUSDT&limit=1000 429 {"code":-1003}',
            f"a {second}",
            f"b {second}",
            '- !clock {"offset_us":3}',
            f"b {third}",
            f"a {third}",
            "a !b64 /w==",
            "a !close {}",
        )
    )
    messages = told(RecordedSource(FUTURES, [path]))
    assert [message.number for message in messages if message.stream] == [10, 20, 30]
    market = Market()
    for message in messages:
        market.change(message)
    book = market.books["BTCUSDT"]
    assert (book.known, book.number, book.bids()) == (True, 30, [("100.0", "3"), ("99.0", "5")])


def test_dumps_of_cryptofeed_are_read_with_their_answers(tmp_path: Path) -> None:
    frames = tmp_path / "X.ws.1.0"
    frames.write_text(
        "wss://fstream.binance.com/stream?streams=x <-> 1750000000.0\n"
        f"1750000000.1: {compact(depth(1, 100))}\n"
        f"1750000000.3: {compact(depth(2, 300))}\n"
    )
    answers = tmp_path / "X.http.0.0"
    answers.write_text(
        f"https://fapi.binance.com/fapi/v1/depth?symbol=BTCUSDT&limit=1000 -> 1750000000.2: {json.dumps(snapshot(1))}\n"
    )
    listing = tmp_path / "X.0"
    listing.write_text('https://fapi.binance.com/fapi/v1/exchangeInfo -> 1749999999.0: {"symbols":[1]}\n')
    source = RecordedSource(FUTURES, [frames, answers, listing])
    messages = told(source)
    assert [(message.due - NOW, bool(message.stream)) for message in messages] == [
        (0, True),
        (100_000, False),
        (200_000, True),
    ]
    assert source.instruments() == {"exchangeInfo": b'{"symbols":[1]}'}
    assert source.natives() == {"BTCUSDT"}


def test_a_gap_in_a_recording_makes_the_book_unknown(tmp_path: Path) -> None:
    frames: list[tuple[int, dict[str, Any]]] = [(0, depth(1, 0)), (1, snapshot(1)), (2, depth(2, 2)), (3, depth(5, 3))]
    market = Market()
    for message in told(RecordedSource(FUTURES, [recording(tmp_path / "r.gz", frames)])):
        market.change(message)
    assert not market.books["BTCUSDT"].known


def test_a_late_snapshot_takes_over_what_came_after_it(tmp_path: Path) -> None:
    frames = [(number, depth(number, number)) for number in range(1, 6)]
    frames.append((6, snapshot(3)))
    market = Market()
    for message in told(RecordedSource(FUTURES, [recording(tmp_path / "r.gz", frames)])):
        market.change(message)
    assert (market.books["BTCUSDT"].number, market.books["BTCUSDT"].bids()[0]) == (50, ("100.0", "5"))


def test_lines_that_are_nothing_are_left_out(tmp_path: Path) -> None:
    path = tmp_path / "r"
    path.write_bytes(
        b'\xff\xff\n{}\n1750000000000000 {"stream":"btcusdt@depth@0ms","data":{}}\n1750000000000000 nonsense\n'
    )
    with path.open("a") as file:
        file.write(f"1750000000000000 {compact(trade(1, 0))}\n")
    assert [message.stream for message in told(RecordedSource(FUTURES, [path]))] == ["btcusdt@trade"]


def test_a_recording_of_another_exchange_is_refused(tmp_path: Path) -> None:
    path = recording(tmp_path / "r.gz", [(0, hl_trade(1, 0))])
    with pytest.raises(InvalidInputError) as caught:
        told(RecordedSource(FUTURES, [path]))
    assert caught.value.code == "nothing_recorded"
    path = recording(tmp_path / "r.gz", [(0, okx_book(1, 0))])
    with pytest.raises(InvalidInputError) as caught:
        told(RecordedSource(HYPERLIQUID, [path]))
    assert caught.value.code == "nothing_recorded"
    with pytest.raises(InvalidInputError) as caught:
        RecordedSource(FUTURES, [path], speed=0)
    assert caught.value.code == "bad_speed"
