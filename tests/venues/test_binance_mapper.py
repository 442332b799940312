from __future__ import annotations

import json
from collections import Counter
from contextlib import suppress
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aperiodic.market import Exchange, Stream, Symbol
from aperiodic.venues import Levels, RejectedFrameError, Row
from aperiodic.venues.binance.mapper import BinanceMapper

if TYPE_CHECKING:
    from collections.abc import Callable

    from aperiodic.venues.events import SpanRecorder

T = 1_680_652_700_452
LOCAL = 1_680_652_700_441_533
BTC = Symbol.parse("perpetual-BTC-USDT:USDT")


class Collected:
    """A sink that keeps everything."""

    def __init__(self, *book_symbols: str) -> None:
        self.ticks: list[tuple[Stream, Symbol, Row]] = []
        self.seen: list[tuple[Stream, int, int, str]] = []
        self.counts: Counter[tuple[str, str]] = Counter()
        self.notes: set[str] = set()
        self.unknown: list[tuple[int, str]] = []
        self._book_symbols = frozenset(book_symbols)

    def rows(self, stream: Stream, symbol: Symbol, *, aggregated: bool = False) -> Callable[[Row], None]:
        del aggregated
        return lambda row: self.ticks.append((stream, symbol, row))

    def spans(self, stream: Stream, symbol: Symbol, *, aggregated: bool = False) -> SpanRecorder:
        del symbol, aggregated
        return lambda after, last, _time, begins: self.seen.append((stream, after, last, begins))

    def count(self, what: str, kind: str) -> None:
        self.counts[what, kind] += 1

    def book_unknown(self, symbol: Symbol, local: int, cause: str) -> None:
        del symbol
        self.unknown.append((local, cause))

    def book_known(self, symbol: Symbol, local: int) -> None:
        del symbol
        self.unknown.append((local, ""))

    def note(self, code: str) -> None:
        self.notes.add(code)

    def checkpoint(self, symbol: Symbol, sequence: int) -> Levels | None:
        del symbol, sequence
        return None

    def find_all(self, read: Callable[[bytes], str | None]) -> frozenset[str]:
        del read
        return self._book_symbols

    def wait(self, symbol: Symbol, after: int) -> Callable[[int, bytes], None] | None:
        self.notes.add(f"book_awaits:{symbol}:{after}")
        return None

    def only(self, stream: Stream) -> list[Row]:
        return [row for kind, _, row in self.ticks if kind is stream]


def read(*frames: object, exchange: Exchange = Exchange.BINANCE_FUTURES, books: tuple[str, ...] = ()) -> Collected:
    sink = Collected(*books)
    mapper = BinanceMapper(exchange, sink)
    for frame in frames:
        mapper.read(LOCAL, json.dumps(frame).encode())
    return sink


def refusal(frame: object, exchange: Exchange = Exchange.BINANCE_FUTURES) -> str:
    with pytest.raises(RejectedFrameError) as caught:
        read(frame, exchange=exchange)
    return caught.value.code


def trade(**changes: object) -> dict[str, Any]:
    data = {"e": "trade", "E": T + 3, "T": T, "s": "BTCUSDT", "t": 7, "p": "28145.10", "q": "0.002", "X": "MARKET"}
    return {"stream": "btcusdt@trade", "data": data | {"m": True} | changes}


def depth(first: int, last: int, previous: int, symbol: str = "BTCUSDT", **changes: object) -> dict[str, Any]:
    data = {"e": "depthUpdate", "E": T, "T": T, "s": symbol, "U": first, "u": last, "pu": previous}
    return {"stream": f"{symbol.lower()}@depth@0ms", "data": data | {"b": [["100.0", "1"]], "a": []} | changes}


def answer(number: int) -> dict[str, Any]:
    return {"lastUpdateId": number, "bids": [["90.0", "2"]], "asks": [["110.0", "3"]]}


def test_a_trade_becomes_a_tick_with_the_takers_side() -> None:
    sink = read(trade(), trade(t=8, m=False))
    assert sink.ticks == [
        (Stream.TRADES, BTC, (T * 1000, LOCAL, "7", "sell", 28145.1, 0.002, 7)),
        (Stream.TRADES, BTC, (T * 1000, LOCAL, "8", "buy", 28145.1, 0.002, 8)),
    ]


def test_bare_events_are_read_like_those_of_combined_streams() -> None:
    assert read(trade()["data"]).ticks == read(trade()).ticks


@pytest.mark.parametrize("kind", ["INSURANCE_FUND", "ADL", "NA", ""])
def test_an_off_book_trade_is_refused_but_its_id_is_seen(kind: str) -> None:
    sink = Collected()
    with pytest.raises(RejectedFrameError, match="MARKET") as caught:
        BinanceMapper(Exchange.BINANCE_FUTURES, sink).read(LOCAL, json.dumps(trade(X=kind)).encode())
    assert caught.value.code == "off_book_trade"
    assert (sink.ticks, sink.seen) == ([], [(Stream.TRADES, 6, 7, "not_recorded")])


def test_times_in_microseconds_are_told_by_their_magnitude() -> None:
    assert read(trade(T=T * 1000 + 1)).ticks[0][2][0] == T * 1000 + 1


@pytest.mark.parametrize(
    ("frame", "code"),
    [
        (trade(p="0"), "not_positive"),
        (trade(q="-1"), "not_positive"),
        (trade(p="nan"), "not_positive"),
        (trade(p="inf"), "not_positive"),
        (trade(p="1e999"), "malformed"),
        (trade(p="12x"), "malformed"),
        (trade(t=2**63), "malformed"),
        (trade(T=12), "bad_time"),
        (trade(T=10**30), "bad_time"),
        (trade(s="???"), "unknown_symbol"),
        (trade(M=True), "other_venue"),
        ({"stream": "btcusdt@nonsense", "data": {}}, "unknown_channel"),
        ({"e": "nonsense"}, "unknown_frame"),
        ([], "malformed"),
        ("text", "malformed"),
        (depth(1, 2, 0, b=[["100", "-1"]]), "bad_number"),
        (depth(1, 2, 0, b=[["nan", "1"]]), "bad_number"),
        (depth(1, 2, 0, b=[["100"]]), "malformed"),
        (depth(1, 2, 0) | {"data": {**depth(1, 2, 0)["data"], "pu": None}}, "other_venue"),
    ],
)
def test_a_bad_frame_is_refused_with_a_code(frame: object, code: str) -> None:
    assert refusal(frame) == code


@given(st.binary(max_size=200))
def test_no_bytes_do_anything_but_be_refused_or_ignored(frame: bytes) -> None:
    sink = Collected()
    with suppress(RejectedFrameError):
        BinanceMapper(Exchange.BINANCE_FUTURES, sink).read(LOCAL, frame)
    assert sink.ticks == []


@given(st.data())
def test_a_damaged_frame_never_raises_anything_else(data: st.DataObject) -> None:
    frame = bytearray(json.dumps(data.draw(st.sampled_from([trade(), depth(1, 2, 0), answer(3)]))).encode())
    for place in data.draw(st.lists(st.integers(0, len(frame) - 1), min_size=1, max_size=4)):
        frame[place] = data.draw(st.integers(0, 255))
    with suppress(RejectedFrameError):
        BinanceMapper(Exchange.BINANCE_FUTURES, Collected("BTCUSDT")).read(LOCAL, bytes(frame))


def test_deeply_nested_text_is_refused() -> None:
    with pytest.raises(RejectedFrameError) as caught:
        BinanceMapper(Exchange.BINANCE_FUTURES, Collected()).read(LOCAL, b'{"x":' + b"[" * 100_000)
    assert caught.value.code == "malformed"


def test_quotes_keep_an_empty_side_as_it_came() -> None:
    quote = {"e": "bookTicker", "u": 5, "s": "BTCUSDT", "b": "100", "B": "2", "a": "0", "A": "0", "T": T}
    assert read(quote).only(Stream.QUOTES) == [(T * 1000, LOCAL, 100.0, 2.0, 0.0, 0.0, 5)]
    assert read(quote | {"a": "", "A": ""}).only(Stream.QUOTES) == [(T * 1000, LOCAL, 100.0, 2.0, None, None, 5)]


def test_spot_quotes_take_the_arrival_time_and_say_so() -> None:
    quote = {"u": 5, "s": "BTCUSDT", "b": "100", "B": "2", "a": "101", "A": "3"}
    for frame in (quote, {"stream": "btcusdt@bookTicker", "data": quote}):
        sink = read(frame, exchange=Exchange.BINANCE)
        assert sink.ticks == [(Stream.QUOTES, Symbol.parse("spot-BTC-USDT"), (LOCAL, LOCAL, 100.0, 2.0, 101.0, 3.0, 5))]
        assert sink.notes == {"modelled_exchange_time"}
    assert refusal(quote) == "malformed"


def test_one_mark_price_message_becomes_up_to_three_ticks() -> None:
    mark = {"e": "markPriceUpdate", "E": T, "s": "BTCUSDT", "p": "100.5", "i": "100.25", "r": "0.0001", "T": T + 5}
    sink = read(mark, mark)
    assert sink.only(Stream.MARK_PRICE) == [(T * 1000, LOCAL, 100.5, None)] * 2
    assert sink.only(Stream.INDEX_PRICE) == [(T * 1000, LOCAL, 100.25, None)] * 2
    assert sink.only(Stream.FUNDING_RATE) == [(T * 1000, LOCAL, 0.0001, (T + 5) * 1000, None)] * 2
    dated = read({"stream": "!markPrice@arr@1s", "data": [mark | {"r": "", "T": 0, "i": ""}]})
    assert [stream for stream, _, _ in dated.ticks] == [Stream.MARK_PRICE]


def test_one_bad_mark_price_does_not_take_its_neighbours_along() -> None:
    mark = {"e": "markPriceUpdate", "E": T, "s": "BTCUSDT", "p": "100.5"}
    sink = Collected()
    frame = {"stream": "!markPrice@arr", "data": [mark | {"p": "nan"}, mark]}
    with pytest.raises(RejectedFrameError):
        BinanceMapper(Exchange.BINANCE_FUTURES, sink).read(LOCAL, json.dumps(frame).encode())
    assert len(sink.ticks) == 1


def test_open_interest_answers_are_read() -> None:
    sink = read({"openInterest": "26286.181", "symbol": "BTCUSDT", "time": T})
    assert sink.ticks == [(Stream.OPEN_INTEREST, BTC, (T * 1000, LOCAL, 26286.181, None))]


def test_partial_depth_and_other_known_kinds_are_left_out() -> None:
    sink = read(
        depth(1, 2, 0) | {"stream": "btcusdt@depth20@100ms"},
        {"stream": "btcusdt@kline_1m", "data": {"e": "kline"}},
        {"stream": "!forceOrder@arr", "data": {}},
        {"e": "24hrTicker", "s": "BTCUSDT"},
        {"result": None, "id": 1},
    )
    assert sink.ticks == []
    assert {kind for what, kind in sink.counts if what == "ignored"} == {
        *("depth20", "kline_1m", "!forceOrder", "24hrTicker", "acknowledgement")
    }


def test_a_snapshot_writes_no_tick_and_the_next_update_does() -> None:
    sink = read(answer(10), depth(9, 12, 8), depth(13, 14, 12, b=[["1.0", "1"]]), books=("BTCUSDT",))
    assert [(row[0], row[2:4], row[-1]) for row in sink.only(Stream.BOOK)] == [
        (T * 1000, (100.0, 1.0), 12),
        (T * 1000, (100.0, 1.0), 14),
    ]
    assert sink.seen == [(Stream.BOOK, 8, 12, "not_recorded"), (Stream.BOOK, 12, 14, "not_recorded")]


def test_updates_before_the_snapshot_write_no_tick() -> None:
    sink = read(depth(9, 12, 8), answer(10), depth(13, 14, 12, b=[["99.0", "1"]]), books=("BTCUSDT",))
    assert [row[-1] for row in sink.only(Stream.BOOK)] == [14]
    assert sink.seen == [(Stream.BOOK, 12, 14, "no_snapshot")]
    assert sink.notes == {"book_awaits:perpetual-BTC-USDT:USDT:8"}


def test_spot_chains_by_the_first_number() -> None:
    spot = [
        {"e": "depthUpdate", "E": T, "s": "BTCUSDT", "U": 11, "u": 12, "b": [["100.0", "1"]], "a": []},
        {"e": "depthUpdate", "E": T, "s": "BTCUSDT", "U": 13, "u": 13, "b": [["101.0", "1"]], "a": []},
        {"e": "depthUpdate", "E": T, "s": "BTCUSDT", "U": 15, "u": 15, "b": [["102.0", "1"]], "a": []},
    ]
    sink = read(answer(10), *spot, exchange=Exchange.BINANCE, books=("BTCUSDT",))
    assert [row[-1] for row in sink.only(Stream.BOOK)] == [12, 13]
    assert sink.counts["ignored", "update_of_unknown_book"] == 1


def test_a_break_in_one_book_leaves_the_others_alone() -> None:
    frames = [
        {"stream": "btcusdt@depthSnapshot", "data": answer(10)},
        {"stream": "ethusdt@depthSnapshot", "data": answer(10)},
        *(depth(11, 12, 10), depth(11, 12, 10, "ETHUSDT")),
        depth(15, 16, 14, b=[["101.0", "1"]]),
        depth(13, 16, 12, "ETHUSDT", b=[["101.0", "1"]]),
        depth(17, 18, 16, b=[["102.0", "1"]]),
        depth(17, 18, 16, "ETHUSDT", b=[["102.0", "1"]]),
    ]
    sink = read(*frames)
    ticks = [(symbol.base, row[-1]) for _, symbol, row in sink.ticks]
    assert ticks == [("BTC", 12), ("ETH", 12), ("ETH", 16), ("ETH", 18)]


def test_a_bare_snapshot_goes_to_the_one_book_that_it_fits() -> None:
    books = ("BTCUSDT", "ETHUSDT")
    sink = read(
        depth(9, 12, 8), depth(900, 950, 890, "ETHUSDT"), answer(920), depth(951, 960, 950, "ETHUSDT"), books=books
    )
    assert [symbol.base for _, symbol, _ in sink.ticks] == []
    sink = read(
        *(depth(9, 12, 8), depth(900, 950, 890, "ETHUSDT"), answer(920)),
        depth(951, 960, 950, "ETHUSDT", b=[["101.0", "1"]]),
        books=books,
    )
    assert [symbol.base for _, symbol, _ in sink.ticks] == ["ETH"]


@pytest.mark.parametrize(
    "earlier", [[], [depth(900, 950, 890)], [depth(900, 950, 890), depth(900, 950, 890, "ETHUSDT")]]
)
def test_a_bare_snapshot_that_may_belong_to_several_books_is_refused(earlier: list[Any]) -> None:
    with pytest.raises(RejectedFrameError) as caught:
        read(*earlier, answer(920), books=("BTCUSDT", "ETHUSDT"))
    assert caught.value.code == "unattributed_snapshot"
