from __future__ import annotations

import string
from datetime import date

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aperiodic.market import Exchange, InvalidInputError, Symbol
from aperiodic.venues import venue_of

_LETTERS = string.ascii_letters + string.digits + "币é"
ASSETS = st.builds("".join, st.lists(st.sampled_from(_LETTERS), min_size=1, max_size=12))
BASES = st.one_of(ASSETS, st.builds("{}:{}".format, ASSETS, ASSETS))
DAYS = st.dates(date(2000, 1, 1), date(2099, 12, 31))
SYMBOLS = st.one_of(
    st.builds(Symbol, st.just("spot"), BASES, ASSETS),
    st.builds(Symbol, st.just("perpetual"), BASES, ASSETS, ASSETS),
    st.builds(Symbol, st.just("future"), BASES, ASSETS, ASSETS, DAYS),
)

NATIVE = [
    (Exchange.BINANCE_FUTURES, "BTCUSDT", "perpetual-BTC-USDT:USDT"),
    (Exchange.BINANCE_FUTURES, "1000PEPEUSDT", "perpetual-1000PEPE-USDT:USDT"),
    (Exchange.BINANCE_FUTURES, "BTCUSDC", "perpetual-BTC-USDC:USDC"),
    (Exchange.BINANCE_FUTURES, "ETHBTC", "perpetual-ETH-BTC:BTC"),
    (Exchange.BINANCE_FUTURES, "USDCUSDT", "perpetual-USDC-USDT:USDT"),
    (Exchange.BINANCE_FUTURES, "币安人生USDT", "perpetual-币安人生-USDT:USDT"),
    (Exchange.BINANCE_FUTURES, "BTCUSDT_260327", "future-BTC-USDT:USDT-20260327"),
    (Exchange.BINANCE, "BTCUSDT", "spot-BTC-USDT"),
    (Exchange.BINANCE, "ETHBTC", "spot-ETH-BTC"),
    (Exchange.BINANCE, "BTCFDUSD", "spot-BTC-FDUSD"),
    (Exchange.BINANCE, "BTCTUSD", "spot-BTC-TUSD"),
    (Exchange.BINANCE, "BTCEUR", "spot-BTC-EUR"),
    (Exchange.BINANCE, "USDTTRY", "spot-USDT-TRY"),
    (Exchange.OKX_PERPS, "BTC-USDT-SWAP", "perpetual-BTC-USDT:USDT"),
    (Exchange.OKX_PERPS, "UNI-USD-SWAP", "perpetual-UNI-USD:UNI"),
    (Exchange.OKX_PERPS, "BTC-USDT-260327", "future-BTC-USDT:USDT-20260327"),
    (Exchange.OKX_PERPS, "BTC-USD-260327", "future-BTC-USD:BTC-20260327"),
    (Exchange.HYPERLIQUID_PERPS, "BTC", "perpetual-BTC-USDC:USDC"),
    (Exchange.HYPERLIQUID_PERPS, "kPEPE", "perpetual-kPEPE-USDC:USDC"),
    (Exchange.HYPERLIQUID_PERPS, "xyz:NVDA", "perpetual-xyz:NVDA-USDC:USDC"),
]


@given(SYMBOLS)
def test_a_symbol_reads_back_as_it_was_written(symbol: Symbol) -> None:
    assert Symbol.parse(str(symbol)) == symbol


@given(st.from_regex(r"(spot|perpetual|future)-[\w:]+-\w+(:\w+)?(-20[0-9]{6})?", fullmatch=True))
def test_an_accepted_text_is_the_only_way_to_write_its_symbol(text: str) -> None:
    try:
        symbol = Symbol.parse(text)
    except InvalidInputError:
        return
    assert str(symbol) == text


@pytest.mark.parametrize(("exchange", "native", "atlas"), NATIVE)
def test_names_of_the_venues_translate_both_ways(exchange: Exchange, native: str, atlas: str) -> None:
    assert str(venue_of(exchange).symbol(native)) == atlas
    assert venue_of(exchange).native(Symbol.parse(atlas)) == native


@given(
    st.builds("".join, st.lists(st.sampled_from(string.ascii_uppercase + string.digits), min_size=1, max_size=10)),
    st.sampled_from(list(Exchange)),
)
def test_any_base_survives_the_way_to_its_venue_and_back(base: str, exchange: Exchange) -> None:
    quote = "USDC" if exchange is Exchange.HYPERLIQUID_PERPS else "USDT"
    symbol = Symbol("spot", base, quote) if exchange is Exchange.BINANCE else Symbol("perpetual", base, quote, quote)
    assert venue_of(exchange).symbol(venue_of(exchange).native(symbol)) == symbol


def test_binance_names_are_read_in_either_case_and_hyperliquid_ones_as_they_are() -> None:
    assert str(venue_of(Exchange.BINANCE_FUTURES).symbol("btcusdt_260327")) == "future-BTC-USDT:USDT-20260327"
    assert str(venue_of(Exchange.BINANCE).symbol("btcusdt")) == "spot-BTC-USDT"
    assert venue_of(Exchange.HYPERLIQUID_PERPS).symbol("kPEPE") != venue_of(Exchange.HYPERLIQUID_PERPS).symbol("KPEPE")


@pytest.mark.parametrize(
    ("text", "inverse"),
    [
        ("spot-BTC-USDT", False),
        ("perpetual-BTC-USDT:USDT", False),
        ("perpetual-UNI-USD:UNI", True),
        ("future-BTC-USD:BTC-20260327", True),
    ],
)
def test_contracts_settled_in_their_base_are_inverse(text: str, inverse: bool) -> None:
    assert Symbol.parse(text).inverse is inverse


@pytest.mark.parametrize(
    "text",
    [
        "",
        "BTCUSDT",
        "BTC-USDT",
        "swap-BTC-USDT:USDT",
        "Perpetual-BTC-USDT:USDT",
        "perpetual-BTC-USDT",
        "spot-BTC-USDT:USDT",
        "spot-BTC-USDT-20260327",
        "perpetual-BTC-USDT:USDT-20260327",
        "future-BTC-USDT:USDT",
        "future-BTC-USDT:USDT-20260230",
        "future-BTC-USDT:USDT-260327",
        "future-BTC-USDT:USDT-\uff12\uff10\uff12\uff16\uff10\uff13\uff12\uff17",
        "spot--USDT",
        "spot-BTC-",
        "spot-_BTC-USDT",
        "spot-a:b:c-USDT",
        " spot-BTC-USDT",
        "spot-BTC-USDT\n",
        "spot-BTC-USDT\x00",
        "spot-B\tTC-USDT",
        "spot-..-USDT",
        "spot-../../etc-USDT",
        "spot-BTC/../ETH-USDT",
        "spot-BTC\\ETH-USDT",
        "spot-BTC%2fETH-USDT",
        "spot-B.TC-USDT",
        "spot-BTC-USDT?x=1",
        "spot-BTC=1-USDT",
        "spot-B*C-USDT",
        "spot-B\u200bTC-USDT",
        "spot-B\u202eTC-USDT",
        "spot-BTC\u2215ETH-USDT",
        "spot-BTC\u2010USDT",
        "spot-e\u0301-USDT",
        "spot-\ud800-USDT",
        f"spot-{'B' * 91}-USDT",
    ],
)
def test_anything_else_is_refused(text: str) -> None:
    with pytest.raises(InvalidInputError) as caught:
        Symbol.parse(text)
    assert caught.value.code == "bad_symbol"
    assert caught.value.hint is not None
    assert "perpetual-BTC-USDT:USDT" in caught.value.hint


def test_a_symbol_has_at_most_a_hundred_characters() -> None:
    longest = f"spot-{'B' * 90}-USDT"
    assert str(Symbol.parse(longest)) == longest


def test_an_error_does_not_repeat_an_endless_text() -> None:
    with pytest.raises(InvalidInputError) as caught:
        Symbol.parse("x" * 1_000_000)
    assert len(str(caught.value)) < 400


@pytest.mark.parametrize(
    ("exchange", "native"),
    [
        (Exchange.BINANCE_FUTURES, ""),
        (Exchange.BINANCE_FUTURES, "USDT"),
        (Exchange.BINANCE_FUTURES, "BTCXYZ"),
        (Exchange.BINANCE_FUTURES, "BTCUSD_PERP"),
        (Exchange.BINANCE_FUTURES, "BTCUSDT_PERP"),
        (Exchange.BINANCE_FUTURES, "../USDT"),
        (Exchange.BINANCE, "BTC-USDT"),
        (Exchange.BINANCE, "BTC USDT"),
        (Exchange.OKX_PERPS, "BTCUSDT"),
        (Exchange.OKX_PERPS, "BTC-USDT"),
        (Exchange.OKX_PERPS, "BTC-USDT-swap"),
        (Exchange.OKX_PERPS, "BTC-USDT-260327-60000-C"),
        (Exchange.HYPERLIQUID_PERPS, "@107"),
        (Exchange.HYPERLIQUID_PERPS, "PURR/USDC"),
        (Exchange.HYPERLIQUID_PERPS, "B\x00TC"),
        (Exchange.HYPERLIQUID_PERPS, "B" * 101),
    ],
)
def test_a_name_that_the_venue_does_not_use_is_refused(exchange: Exchange, native: str) -> None:
    with pytest.raises(InvalidInputError) as caught:
        venue_of(exchange).symbol(native)
    assert caught.value.code == "unknown_native_symbol"


@pytest.mark.parametrize(
    ("exchange", "text"),
    [
        (Exchange.BINANCE, "perpetual-BTC-USDT:USDT"),
        (Exchange.BINANCE_FUTURES, "spot-BTC-USDT"),
        (Exchange.BINANCE_FUTURES, "perpetual-BTC-USD:BTC"),
        (Exchange.OKX_PERPS, "spot-BTC-USDT"),
        (Exchange.HYPERLIQUID_PERPS, "spot-BTC-USDC"),
        (Exchange.HYPERLIQUID_PERPS, "future-BTC-USDC:USDC-20260327"),
    ],
)
def test_an_instrument_that_the_venue_does_not_trade_has_no_name_there(exchange: Exchange, text: str) -> None:
    with pytest.raises(InvalidInputError, match="does not trade") as caught:
        venue_of(exchange).native(Symbol.parse(text))
    assert caught.value.code == "symbol_not_on_exchange"
