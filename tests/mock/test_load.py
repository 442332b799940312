from __future__ import annotations

import json
from collections import Counter
from itertools import pairwise

import pytest

from aperiodic.market import InvalidInputError
from aperiodic.mock import LoadSource
from aperiodic.mock.market import Market
from aperiodic.venues.binance.chain import DepthChain
from aperiodic.venues.feed import ChainState

NOW = 1_790_000_000_000_000


def test_a_load_has_its_rate_and_unbroken_numbers() -> None:
    source = LoadSource([(1, 200), (0.5, 1_000)], symbols=3, size=2_000)
    messages = [message for message in source.begin(NOW) if message.stream]
    assert len(messages) == 700
    assert [message.due - NOW for message in messages[:3]] == [0, 5_000, 10_000]
    assert messages[200].due - NOW == 1_000_000
    assert messages[-1].due - NOW == 1_499_000
    assert {message.stream for message in messages} == source.streams()
    assert all(1_500 < len(message.payload) < 2_500 for message in messages)
    chain, market = DepthChain(), Market()
    for message in source.begin(NOW):
        market.change(message)
        if message.native == "LOAD000USDT" and message.stream:
            chain.see(message.payload, message.due * 1_000)
            if chain.state is ChainState.WANTS_SNAPSHOT:
                book = market.books[message.native]
                body = {"lastUpdateId": book.number, "bids": book.bids(), "asks": book.asks()}
                chain.snapshot(json.dumps(body).encode(), message.due * 1_000)
    assert chain.state is ChainState.KNOWN


def test_a_mixed_load_has_quotes_trades_and_a_book_of_each() -> None:
    source = LoadSource([(1, 1_000)], symbols=5, mixed=True)
    messages = [message for message in source.begin(NOW) if message.stream]
    kinds = Counter(message.stream.partition("@")[2] for message in messages)
    assert kinds == {"bookTicker": 600, "trade": 200, "depth@0ms": 200}
    assert {message.stream for message in messages} == source.streams()
    assert len({message.stream for message in messages}) == 15
    for message in messages:
        told = json.loads(message.payload)
        assert told["stream"] == message.stream
        assert told["data"]["s"] == message.native
    book = [json.loads(m.payload)["data"] for m in messages if m.stream == "load000usdt@depth@0ms"]
    assert all(later["pu"] == earlier["u"] for earlier, later in pairwise(book))
    trades = [json.loads(m.payload)["data"]["t"] for m in messages if m.stream == "load000usdt@trade"]
    assert trades == list(range(1, len(trades) + 1))


@pytest.mark.parametrize("plan", [[], [(0, 5)], [(5, 0)], [(-1, 5)]])
def test_a_load_of_nothing_is_refused(plan: list[tuple[float, float]]) -> None:
    with pytest.raises(InvalidInputError) as caught:
        LoadSource(plan)
    assert caught.value.code == "bad_load"
