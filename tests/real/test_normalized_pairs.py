"""Frames beside what another project makes of them: where kinds overlap both agree, and every difference has a reason."""

from __future__ import annotations

import json
from contextlib import suppress
from itertools import groupby
from typing import TYPE_CHECKING, Any, Final

import pytest
from tests.venues.test_binance_mapper import Collected

from aperiodic.market import Exchange, Stream
from aperiodic.venues import Contract, Instruments, RejectedFrameError, UnknownContractError, venue_of

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

    from aperiodic.venues import Row

Facts = dict[str, Any]

TICKER: Final = "tickers are no ticks: they are not sent for every change"
LIQUIDATION: Final = "liquidations are no stream here"
SEED: Final = "a REST snapshot seeds the book and is no tick, nor is what came before it"
UNCHANGED: Final = "the best 25 levels are as before: no tick"
SPOT: Final = "spot on Hyperliquid is left out"
TABLES: Final = "the frames of OKX before 2021 (`table`) are not read"

DIFFERENCES: Final[dict[str, dict[int, str]]] = {
    "binance-futures": {
        1: TICKER,
        6: SEED,
        7: "its numbers do not chain: `pu` is beyond `u`, so that updates are missing",
        8: "open interest without a time: the venue's own answer has one",
        12: LIQUIDATION,
    },
    "binance-spot": {4: SEED, 5: UNCHANGED, 8: SEED},
    "hyperliquid": {4: UNCHANGED, 8: SPOT},
    "okx": {
        **dict.fromkeys((0, 1, 2, 3, 4, 6, 7, 8, 9, 11, 12), TABLES),
        13: "a change before any snapshot: the book is not known",
        16: TICKER,
        20: "funding without a rate is counted and no tick",
        21: "`bbo-tbt` became their quotes later, with their next version of the mapper",
        23: TICKER,
    },
}
"""By exchange and number of the pair: why we make something else."""

EXCHANGES: Final = {
    "binance-futures": Exchange.BINANCE_FUTURES,
    "binance-spot": Exchange.BINANCE,
    "hyperliquid": Exchange.HYPERLIQUID_PERPS,
    "okx": Exchange.OKX_PERPS,
}
STATES: Final = {
    Stream.MARK_PRICE: "markPrice",
    Stream.INDEX_PRICE: "indexPrice",
    Stream.FUNDING_RATE: "fundingRate",
    Stream.OPEN_INTEREST: "openInterest",
}


def ours(row: Row, stream: Stream, contract: float) -> Facts:
    if stream is Stream.TRADES:
        _, _, number, side, price, amount, _ = row
        return {"type": "trade", "id": number, "side": side, "price": price, "amount": amount / contract}
    if stream is Stream.QUOTES:
        return {"type": "quote", "levels": [None if value is None else float(value) for value in row[2:6:2]]}
    if stream is Stream.BOOK:
        return {"type": "book", "levels": _sides(row[2:-2], contract)}
    return {"type": "state", STATES[stream]: row[2]}


def _sides(flat: Iterable[float | None], contract: float) -> list[dict[float, float]]:
    values = list(flat)
    pairs = list(zip(values[::2], values[1::2], strict=True))
    return [
        {price: round(amount / contract, 9) for price, amount in side if price is not None and amount is not None}
        for side in (pairs[:25], pairs[25:])
    ]


def theirs(case: Facts, book: list[dict[float, float]]) -> list[Facts]:
    told: list[Facts] = []
    for each in case["expected_normalized"]:
        kind = each["type"]
        if kind == "trade":
            told.append({"type": "trade"} | {name: each[name] for name in ("id", "side", "price", "amount")})
        elif kind == "book_ticker":
            told.append({"type": "quote", "levels": [each.get("bidPrice"), each.get("askPrice")]})
        elif kind == "derivative_ticker":
            told.append({"type": "state"} | {name: each[name] for name in STATES.values()})
        elif kind == "book_change":
            for side, name in zip(book, ("bids", "asks"), strict=True):
                if each["isSnapshot"]:
                    side.clear()
                for level in each[name]:
                    side[level["price"]] = level["amount"]
                    if not level["amount"]:
                        del side[level["price"]]
            told.append({"type": "book", "levels": [dict(side) for side in book]})
        else:
            told.append({"type": kind})
    return told


def agree(made: list[Facts], told: list[Facts]) -> bool:
    """Whether ticks say what the other project says; of states it repeats all that it knows."""
    states = [each for each in told if each["type"] == "state"]
    for each in made:
        if each["type"] == "state":
            if not any(each.items() <= state.items() for state in states):
                return False
        elif each not in told:
            return False
    return {each["type"] for each in told} == {each["type"] for each in made}


@pytest.mark.parametrize(
    ("name", "pairs"), [("binance-futures", 15), ("binance-spot", 10), ("hyperliquid", 10), ("okx", 24)]
)
def test_pairs_agree_but_for_these(real_data: Path, name: str, pairs: int) -> None:
    text = (real_data / f"tardis_raw_to_normalized/{name}.jsonl").read_text(encoding="utf-8")
    cases = [json.loads(line) for line in text.splitlines()]
    assert len(cases) == pairs
    instruments = Instruments(contracts={"BTC-USDT-SWAP": Contract(1, 100, inverse=False)})
    contract = 0.01 if name == "okx" else 1.0
    differ = set()
    for _, group in groupby(enumerate(cases), key=lambda numbered: numbered[1]["mapper"]):
        sink = Collected()
        mapper = venue_of(EXCHANGES[name]).mapper(sink, instruments, recorded_before=lambda *_: name == "okx")
        books: dict[str, list[dict[float, float]]] = {}
        for number, case in group:
            before = len(sink.ticks)
            with suppress(RejectedFrameError, UnknownContractError):
                mapper.read(1_567_296_001_275_000, json.dumps(case["message"]).encode())
            made = [ours(row, stream, contract) for stream, _, row in sink.ticks[before:]]
            expected = case["expected_normalized"]
            told = theirs(case, books.setdefault(expected[0]["symbol"] if expected else "", [{}, {}]))
            if any(each["type"] == "book" for each in made):
                made = [each for each in made if each["type"] != "quote"]
            if not agree(made, told):
                differ.add(number)
    assert differ == DIFFERENCES[name].keys()
