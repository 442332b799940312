from __future__ import annotations

from datetime import date
from itertools import takewhile
from typing import TYPE_CHECKING

import msgspec
import polars as pl
import pytest
from tests.venues.test_binance_mapper import Collected

from aperiodic.market import Exchange, InvalidInputError, Stream, Symbol
from aperiodic.market.time import day_start_us
from aperiodic.mock import SimulatedSource
from aperiodic.mock.market import Market
from aperiodic.simulate import MarketSpec, simulate_day
from aperiodic.venues import Instruments, venue_of
from aperiodic.venues.feed import FrameKind
from aperiodic.venues.registry import feed_of

if TYPE_CHECKING:
    from collections.abc import Callable

    from aperiodic.mock.messages import Message
    from aperiodic.venues import Row

DAY = date(2025, 5, 1)
NOON = day_start_us(DAY) + 43_200_000_000
MINUTES = 20
SYMBOLS = {
    Exchange.BINANCE_FUTURES: "perpetual-BTC-USDT:USDT",
    Exchange.BINANCE: "spot-ETH-USDT",
    Exchange.OKX_PERPS: "perpetual-SOL-USDT:USDT",
    Exchange.HYPERLIQUID_PERPS: "perpetual-kPEPE-USDC:USDC",
}


class Single(Collected):
    """A sink that leaves out what only stands in for ticks that were not recorded."""

    def rows(self, stream: Stream, symbol: Symbol, *, aggregated: bool = False) -> Callable[[Row], None]:
        return (lambda _row: None) if aggregated else super().rows(stream, symbol)


def spec_of(exchange: Exchange) -> MarketSpec:
    return MarketSpec(exchange, Symbol.parse(SYMBOLS[exchange]), 3, 20_000)


def told(spec: MarketSpec) -> list[Message]:
    source = SimulatedSource([spec], day=DAY)
    source.prepare()
    return list(takewhile(lambda message: message.due < NOON + MINUTES * 60_000_000, source.begin(NOON)))


@pytest.mark.parametrize("exchange", SYMBOLS)
def test_what_is_told_becomes_the_simulated_ticks(exchange: Exchange) -> None:
    spec = spec_of(exchange)
    venue, feed, native = venue_of(exchange), feed_of(exchange), venue_of(exchange).native(spec.symbol)
    captured = {feed.subscription(channel, native).name for channel in feed.channels if channel.template}
    captured |= {f"openInterest:{native}"}
    captured -= {name for name in captured if name.startswith("l2Book.fast") or name.endswith("@aggTrade")}
    instruments = Instruments()
    for listing in SimulatedSource([spec], day=DAY).instruments().values():
        frame = venue.response_frame(feed.instruments().path, listing) or listing
        instruments.update(venue.instruments(frame) or Instruments())
    sink, market = Single(), Market()
    mapper = venue.mapper(sink, instruments, recorded_before=lambda _symbol, _local: True)
    for message in told(spec):
        market.change(message)
        if not message.stream and message.change is not None:
            _give_snapshot(exchange, market, native, mapper, message)
        elif message.stream in captured:
            mapper.read(message.due, message.payload)
    for stream, expected in simulate_day(spec, DAY, venue.streams).items():
        _compare(exchange, stream, expected, sink)


def _give_snapshot(exchange: Exchange, market: Market, native: str, mapper: object, message: Message) -> None:
    book = market.books[native]
    if exchange is Exchange.OKX_PERPS:
        data = {"bids": book.bids(), "asks": book.asks(), "ts": str(book.time), "seqId": book.number, "prevSeqId": -1}
        arg = {"channel": "books", "instId": native}
        frame = msgspec.json.encode({"arg": arg, "action": "snapshot", "data": [data | {"checksum": 0}]})
    elif exchange is not Exchange.HYPERLIQUID_PERPS:
        body = {"lastUpdateId": book.number, "bids": book.bids(), "asks": book.asks(), "E": book.time, "T": book.time}
        frame = msgspec.json.encode({"stream": f"{native.lower()}@depthSnapshot", "data": body})
    else:
        return
    mapper.read(message.due, frame)  # type: ignore[attr-defined]


def _compare(exchange: Exchange, stream: Stream, expected: pl.DataFrame, sink: Collected) -> None:
    names = expected.columns
    end = NOON + MINUTES * 60_000_000
    expected = expected.with_columns(pl.col(pl.Datetime).dt.epoch("us"))
    wanted = expected.filter(pl.col("local_timestamp").is_between(NOON, end, closed="left"))
    got = pl.DataFrame(sink.only(stream), schema=[(name, wanted.schema[name]) for name in names], orient="row")
    # Arrival times are those of this test, and where a venue tells no time they stand in.
    left_out = {"local_timestamp", "depth"} | (
        {"exchange_timestamp"} if stream in venue_of(exchange).modelled else set()
    )
    if exchange is Exchange.HYPERLIQUID_PERPS:
        left_out.add("next_funding_time")  # which it does not tell
    columns = [name for name in names if name not in left_out]
    if stream is Stream.BOOK:
        values = pl.struct(name for name in columns if name.startswith(("bid_", "ask_")))
        wanted = wanted.filter(values != values.shift())
        assert got.join(expected, on=columns, how="semi", nulls_equal=True).height == got.height > 100
        if exchange is not Exchange.HYPERLIQUID_PERPS:  # which shows 20 levels every 5.4 s only
            assert wanted.join(got, on=columns, how="anti", nulls_equal=True).is_empty()
        return
    if exchange is Exchange.HYPERLIQUID_PERPS and stream is Stream.OPEN_INTEREST:
        got = got.filter(pl.col("open_interest") != pl.col("open_interest").shift().fill_null(0))  # told with each mark
    # What is a state is told from the last one before on.
    assert 0 <= got.height - wanted.height <= 1
    assert wanted.height > 10
    assert got.select(columns).tail(wanted.height).equals(wanted.select(columns), null_equal=True), stream


@pytest.mark.parametrize("exchange", SYMBOLS)
def test_frames_carry_the_names_that_the_feed_reads_from_them(exchange: Exchange) -> None:
    feed = feed_of(exchange)
    seen = set()
    for message in told(spec_of(exchange)):
        if message.payload and not message.stream.startswith(("openInterest", "!")):
            frame = feed.read(message.payload)
            assert (frame.kind, frame.name) == (FrameKind.DATA, message.stream)
            seen.add(message.stream)
    native = venue_of(exchange).native(spec_of(exchange).symbol)
    wanted = {feed.subscription(channel, native).name for channel in feed.channels if channel.per_instrument}
    assert wanted - {""} <= seen


def test_numbers_run_on_over_midnight() -> None:
    spec = spec_of(Exchange.BINANCE_FUTURES)
    source = SimulatedSource([spec], day=DAY)
    source.prepare()
    midnight = day_start_us(DAY) + 86_400_000_000
    numbers, updates = [], []
    for message in source.begin(midnight - 60_000_000):
        if message.due > midnight + 60_000_000:
            break
        if message.stream == "btcusdt@trade":
            numbers.append(message.number)
        elif message.stream == "btcusdt@depth@0ms" and message.change is not None:
            updates.append(message.change)
    assert numbers == list(range(numbers[0] or 0, (numbers[-1] or 0) + 1))
    assert [change.after for change in updates[1:]] == [change.last for change in updates[:-1]]
    assert updates[0].time < midnight // 1_000 < updates[-1].time


def test_a_source_is_of_one_exchange() -> None:
    with pytest.raises(InvalidInputError) as caught:
        SimulatedSource([spec_of(Exchange.BINANCE), spec_of(Exchange.OKX_PERPS)])
    assert caught.value.code == "several_exchanges"
    with pytest.raises(InvalidInputError) as caught:
        SimulatedSource([])
    assert caught.value.code == "no_instruments"
