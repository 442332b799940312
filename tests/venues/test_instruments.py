"""Lists of instruments, written as the venues answer in 2026."""

from __future__ import annotations

import json
from decimal import Decimal
from fractions import Fraction
from typing import TYPE_CHECKING, Any

import pytest

from aperiodic.market import Exchange, Symbol
from aperiodic.market.instrument import Instrument, ListingStatus
from aperiodic.venues import RejectedFrameError, venue_of

if TYPE_CHECKING:
    from collections.abc import Sequence

NEVER = 4_133_404_800_000
LISTED = 1_598_252_400_000


def listed(exchange: Exchange, answer: object) -> list[Instrument]:
    told = venue_of(exchange).listed(json.dumps(answer).encode())
    assert told is not None
    return told


def future(symbol: str, base: str, quote: str = "USDT", **changes: Any) -> dict[str, Any]:
    return {
        "symbol": symbol,
        "pair": symbol.partition("_")[0],
        "contractType": "PERPETUAL",
        "deliveryDate": NEVER,
        "onboardDate": LISTED,
        "status": "TRADING",
        "baseAsset": base,
        "quoteAsset": quote,
        "marginAsset": quote,
        "underlyingType": "COIN",
        "filters": [
            {"filterType": "PRICE_FILTER", "minPrice": "0.01", "tickSize": "0.0100"},
            {"filterType": "LOT_SIZE", "stepSize": "1"},
            {"filterType": "PERCENT_PRICE", "multiplierUp": "1.05"},
        ],
    } | changes


def one_future(**changes: Any) -> Instrument:
    (found,) = listed(Exchange.BINANCE_FUTURES, {"timezone": "UTC", "symbols": [future("SOLUSDT", "SOL", **changes)]})
    return found


def test_a_perpetual_of_binance() -> None:
    assert one_future() == Instrument(
        "SOLUSDT",
        Symbol.parse("perpetual-SOL-USDT:USDT"),
        None,
        Decimal("0.01"),
        Decimal(1),
        LISTED * 1000,
        None,
        ListingStatus.TRADING,
    )


@pytest.mark.parametrize(
    ("changes", "name", "expected"),
    [
        ({"contractType": "TRADIFI_PERPETUAL"}, "symbol", Symbol.parse("perpetual-SOL-USDT:USDT")),
        ({"status": "SETTLING", "deliveryDate": LISTED + 1}, "delisted_at", (LISTED + 1) * 1000),
        ({"status": "SETTLING"}, "status", ListingStatus.SETTLING),
        ({"status": "PENDING_TRADING"}, "status", ListingStatus.PENDING),
        ({"status": "SOMETHING_NEW"}, "status", ListingStatus.HALTED),
        ({"onboardDate": 0}, "listed_from", None),
        ({"filters": []}, "tick_size", None),
        ({"filters": [{"filterType": "PRICE_FILTER", "tickSize": "0"}]}, "tick_size", None),
    ],
)
def test_what_binance_says_of_a_perpetual(changes: dict[str, Any], name: str, expected: object) -> None:
    assert getattr(one_future(**changes), name) == expected


def test_dated_futures_are_read_and_coin_margined_ones_left_out() -> None:
    rows = [
        future("SOLUSDT_261225", "SOL", contractType="CURRENT_QUARTER", deliveryDate=1_798_185_600_000),
        future("SOLUSD_PERP", "SOL", "USD", marginAsset="SOL"),
        future("ETHBTC", "ETH", "BTC"),
        future("no name", "?", "?"),
    ]
    assert [
        (each.native, str(each.symbol), each.delisted_at)
        for each in listed(Exchange.BINANCE_FUTURES, {"symbols": rows})
    ] == [
        ("SOLUSDT_261225", "future-SOL-USDT:USDT-20261225", 1_798_185_600_000_000),
        ("ETHBTC", "perpetual-ETH-BTC:BTC", None),
    ]


def test_spot_tells_no_day_of_listing() -> None:
    row = {"symbol": "SOLUSDT", "status": "CANCEL_ONLY", "baseAsset": "SOL", "quoteAsset": "USDT", "permissions": []}
    assert listed(Exchange.BINANCE, {"symbols": [row]}) == [
        Instrument("SOLUSDT", Symbol.parse("spot-SOL-USDT"), status=ListingStatus.HALTED)
    ]


def swap(name: str = "SOL-USDT-SWAP", **changes: Any) -> dict[str, Any]:
    return {
        "instType": "SWAP",
        "instId": name,
        "instFamily": "SOL-USDT",
        "uly": "SOL-USDT",
        "ctType": "linear",
        "ctVal": "1",
        "ctMult": "1",
        "ctValCcy": "SOL",
        "settleCcy": "USDT",
        "tickSz": "0.01",
        "lotSz": "0.01",
        "minSz": "0.01",
        "listTime": "1640000000000",
        "contTdSwTime": "",
        "preMktSwTime": "",
        "expTime": "",
        "state": "live",
        "ruleType": "normal",
        "instIdCode": 7,
    } | changes


def one_swap(**changes: Any) -> Sequence[Instrument]:
    return listed(Exchange.OKX_PERPS, {"code": "0", "msg": "", "data": [swap(**changes)]})


@pytest.mark.parametrize(
    ("changes", "name", "expected"),
    [
        ({}, "contract_size", Fraction(1)),
        ({"ctVal": "0.1", "ctMult": "10"}, "contract_size", Fraction(1)),
        ({"ctVal": ""}, "contract_size", None),
        ({"ctType": "inverse"}, "contract_size", None),
        ({}, "listed_from", 1_640_000_000_000_000),
        ({"listTime": "1611916828000"}, "listed_from", None),
        ({"listTime": ""}, "listed_from", None),
        ({"contTdSwTime": "1650000000000"}, "listed_from", 1_650_000_000_000_000),
        ({"expTime": "1795132800000"}, "delisted_at", 1_795_132_800_000_000),
        ({"state": "suspend"}, "status", ListingStatus.HALTED),
        ({"state": "preopen"}, "status", ListingStatus.PENDING),
        ({}, "lot_size", Decimal("0.01")),
    ],
)
def test_what_okx_says_of_a_swap(changes: dict[str, Any], name: str, expected: object) -> None:
    (found,) = one_swap(**changes)
    assert getattr(found, name) == expected


def test_contracts_of_inverse_swaps_are_in_quote_units() -> None:
    (found,) = one_swap(name="SOL-USD-SWAP", ctType="inverse", ctVal="10", ctValCcy="USD", settleCcy="SOL")
    assert (str(found.symbol), found.contract_size) == ("perpetual-SOL-USD:SOL", Fraction(10))


@pytest.mark.parametrize("changes", [{"state": "test"}, {"instType": "FUTURES"}, {"name": "SOL-SWAP"}])
def test_what_okx_lists_besides_is_left_out(changes: dict[str, Any]) -> None:
    assert one_swap(**changes) == []


@pytest.mark.parametrize("with_contexts", [False, True])
def test_the_perpetuals_of_hyperliquid(*, with_contexts: bool) -> None:
    universe = [
        {"name": "kPEPE", "szDecimals": 0, "maxLeverage": 10, "marginTableId": 52},
        {"name": "SOL", "szDecimals": 2, "maxLeverage": 20, "marginTableId": 54, "isDelisted": True},
        {"name": "no coin", "szDecimals": 2},
    ]
    meta = {"universe": universe, "marginTables": [], "collateralToken": 0}
    found = listed(Exchange.HYPERLIQUID_PERPS, [meta, [{"funding": "0"}]] if with_contexts else meta)
    assert [(each.native, each.lot_size, each.tick_size, each.listed_from, each.status) for each in found] == [
        ("kPEPE", Decimal(1), None, None, ListingStatus.TRADING),
        ("SOL", Decimal("0.01"), None, None, ListingStatus.DELISTED),
    ]


@pytest.mark.parametrize("exchange", list(Exchange))
@pytest.mark.parametrize("answer", [b"", b"[]", b"{}", b'{"code":-1121,"msg":"Invalid symbol."}', b"<html>"])
def test_what_is_no_list_is_none(exchange: Exchange, answer: bytes) -> None:
    assert venue_of(exchange).listed(answer) is None


@pytest.mark.parametrize(
    ("exchange", "answer"),
    [
        (Exchange.BINANCE_FUTURES, b'{"symbols":[{"baseAsset":"SOL"}]}'),
        (Exchange.BINANCE, b'{"symbols":[{"baseAsset":"SOL"'),
        (Exchange.OKX_PERPS, b'{"data":[{"ctVal":1}]}'),
        (Exchange.OKX_PERPS, b'{"ctVal":"1"}'),
        (Exchange.HYPERLIQUID_PERPS, b'{"universe":{}}'),
        (Exchange.HYPERLIQUID_PERPS, b'[{"universe":[]}]'),
    ],
)
def test_a_list_that_cannot_be_read_is_refused(exchange: Exchange, answer: bytes) -> None:
    with pytest.raises(RejectedFrameError) as caught:
        venue_of(exchange).listed(answer)
    assert caught.value.code == "malformed"
