from __future__ import annotations

import dataclasses

import pytest

from aperiodic.capture.plan import choose_channels, plan_connections
from aperiodic.capture.run import natives_of
from aperiodic.capture.settings import addresses
from aperiodic.market import Exchange, InvalidInputError, Symbol
from aperiodic.venues import all_venues, feed_of


def test_streams_are_spread_within_the_limits() -> None:
    feed = feed_of(Exchange.BINANCE_FUTURES)
    natives = [f"A{number}USDT" for number in range(700)]
    planned = plan_connections(feed, choose_channels(feed, ()), natives)
    names = [stream.name for each in planned for stream in each.streams]
    assert len(names) == len(set(names)) == 4 * 700
    assert all(len(each.streams) <= 200 for each in planned)
    assert {each.host for each in planned} == {"public", "market"}
    for each in planned:
        if each.host == "public":
            assert len(each.streams) % 3 == 0  # an instrument's streams are together


def test_okx_books_are_few_a_connection() -> None:
    feed = feed_of(Exchange.OKX_PERPS)
    planned = plan_connections(feed, choose_channels(feed, ()), [f"A{number}-USDT-SWAP" for number in range(100)])
    books = [each for each in planned if any(stream.channel.name == "book" for stream in each.streams)]
    assert [len(each.streams) for each in books] == [28, 28, 28, 16]


def test_an_index_of_two_swaps_is_asked_for_once() -> None:
    feed = feed_of(Exchange.OKX_PERPS)
    planned = plan_connections(feed, choose_channels(feed, ["index_price"]), ["BTC-USDT-SWAP", "BTC-USDT-SWAP"])
    assert [len(each.streams) for each in planned] == [1]


def test_hyperliquid_books_of_both_forms_are_apart() -> None:
    feed = feed_of(Exchange.HYPERLIQUID_PERPS)
    planned = plan_connections(feed, choose_channels(feed, ()), [f"C{number}" for number in range(178)])
    for each in planned:
        kinds = {stream.name.partition(":")[0] for stream in each.streams}
        assert not {"l2Book", "l2Book.fast"} <= kinds
    assert len(planned) * 2 <= 10


def test_too_many_connections_are_refused() -> None:
    feed = feed_of(Exchange.HYPERLIQUID_PERPS)
    with pytest.raises(InvalidInputError, match="allows 10 connections"):
        plan_connections(feed, choose_channels(feed, ()), [f"C{number}" for number in range(2_000)])


def test_a_mistyped_channel_is_named() -> None:
    with pytest.raises(InvalidInputError, match="Did you mean 'trades'"):
        choose_channels(feed_of(Exchange.BINANCE), ["trade"])


@pytest.mark.parametrize("venue", all_venues(), ids=lambda venue: venue.exchange)
def test_every_host_of_a_channel_has_an_address(venue: object) -> None:
    feed = getattr(venue, "feed")  # noqa: B009
    if feed is None:
        return
    for channel in feed.channels:
        for host in (channel.host, *channel.other_hosts):
            assert addresses(feed, host), (channel.name, host)
    names = [channel.name for channel in feed.channels]
    assert len(names) == len(set(names))
    assert natives_of(feed.exchange, (), everything=False) == list(feed.majors)
    assert natives_of(feed.exchange, (), everything=True) is None


def test_settings_name_other_addresses(monkeypatch: pytest.MonkeyPatch) -> None:
    feed = feed_of(Exchange.BINANCE_FUTURES)
    monkeypatch.setenv("APERIODIC_WS_BINANCE_FUTURES_PUBLIC", "ws://127.0.0.1:1/x/")
    monkeypatch.setenv("APERIODIC_REST_BINANCE_FUTURES", "http://127.0.0.1:2")
    assert addresses(feed, "public") == ["ws://127.0.0.1:1/x"]
    assert addresses(feed, "rest") == ["http://127.0.0.1:2"]
    assert addresses(feed, "market") == ["wss://fstream.binance.com/market"]


def test_symbols_become_the_names_of_the_venue() -> None:
    symbols = [Symbol.parse("perpetual-BTC-USDT:USDT")] * 2
    assert natives_of(Exchange.OKX_PERPS, symbols, everything=False) == ["BTC-USDT-SWAP"]
    with pytest.raises(InvalidInputError):
        natives_of(Exchange.BINANCE, symbols, everything=False)


def test_a_channel_for_all_instruments_is_asked_for_once() -> None:
    feed = feed_of(Exchange.BINANCE_FUTURES)
    contracts = next(channel for channel in feed.channels if channel.name == "contracts")
    (planned,) = plan_connections(feed, [dataclasses.replace(contracts)], ["BTCUSDT", "ETHUSDT"])
    assert [stream.name for stream in planned.streams] == ["!contractInfo"]
