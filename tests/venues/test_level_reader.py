"""Levels are read out of JSON text by compiled code: to the same doubles as by the decoder, or not at all."""

from __future__ import annotations

import json

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from aperiodic.venues.book import Book, Changes, LevelReader
from aperiodic.venues.events import Levels

READER = LevelReader(b',"b":', b',"a":')
PAIRS = msgspec.json.Decoder(list[tuple[float, float]], strict=False)

digits = st.text("0123456789", min_size=1, max_size=12)
numbers = st.one_of(
    digits,
    st.tuples(digits, digits).map(".".join),
    st.decimals(0, 10**7, places=8, allow_nan=False).map(str),
    st.floats(0, 1e9).map(repr),
    st.sampled_from(["0", "0.0", "9007199254740993", "0.1", "1e5", "-1", "+1", ".5", "5.", "", "007", "nan", "1_0"]),
)
sides = st.lists(st.tuples(numbers, numbers), max_size=6)


def text(bids: object, asks: object) -> bytes:
    sides = (json.dumps(side, separators=(",", ":")) for side in (bids, asks))
    return '{{"u":1,"b":{},"a":{},"st":1}}'.format(*sides).encode()


@given(bids=sides, asks=sides)
def test_what_is_read_is_what_the_decoder_reads(bids: list[tuple[str, str]], asks: list[tuple[str, str]]) -> None:
    found = READER.read(text(bids, asks))
    if found is None:
        return
    changes, rest = found
    decoded = [PAIRS.decode(json.dumps(side).encode()) for side in (bids, asks)]
    assert changes.levels.tolist() == [list(level) for side in decoded for level in side]
    assert changes.bids == len(bids)
    assert rest == b'{"u":1,"st":1}'


@given(
    st.lists(
        st.tuples(
            st.decimals("0.00000001", 10**6, places=8, allow_nan=False),
            st.decimals(0, 10**6, places=3, allow_nan=False),
        ),
        max_size=30,
    )
)
def test_all_that_venues_write_is_read(levels: list[tuple[object, object]]) -> None:
    pairs = [(f"{price:f}", f"{amount:f}") for price, amount in levels]
    assert READER.read(text(pairs, pairs[::-1])) is not None


@pytest.mark.parametrize(
    "given",
    [
        b'{"u":1,"b":[["1","2"]],"a":[["1","2"]',
        b'{"u":1,"b":[["1","2"]',
        b'{"u":1,"b":[["1","2"',
        b'{"u":1,"b":[["1',
        b'{"u":1,"b":[',
        b'{"u":1,"b":',
        b'{"x":[]}',
        b'{"u":1,"b": [],"a":[]}',
        b'{"u":1,"b":[["1","2"],],"a":[]}',
        b'{"u":1,"b":[,["1","2"]],"a":[]}',
        b'{"u":1,"b":[["1","2"]["1","2"]],"a":[]}',
        b'{"u":1,"b":[["1"]],"a":[]}',
        b'{"u":1,"b":[[1,2]],"a":[]}',
        b'{"u":1,"b":[["0","2"]],"a":[]}',
        b'{"u":1,"b":[["1e-5","2"]],"a":[]}',
        b'{"u":1,"b":[["1","9999999999999999999"]],"a":[]}',
        b'{"u":1,"b":[["12345678901234567","2"]],"a":[]}',
        b'{"u":1,"b":[["1.1.1","2"]],"a":[]}',
        b'{"u":1,"b":[["1","2",[]]],"a":[]}',
        b'{"u":1,"b":[],"x":[],"a":[]}',
    ],
)
def test_all_else_is_left_to_the_decoder(given: bytes) -> None:
    assert READER.read(given) is None


def test_further_numbers_of_a_level_are_left_out() -> None:
    found = READER.read(b'{"u":1,"b":[["1.5","2","0","7"]],"a":[["2","0","0","0"]]}')
    assert found is not None
    assert found[0].levels.tolist() == [[1.5, 2.0], [2.0, 0.0]]
    assert found[1] == b'{"u":1}'


def test_more_levels_than_fit_are_left_to_the_decoder() -> None:
    assert READER.read(text([("1", "1")] * 20_000, [])) is None


@given(st.lists(st.tuples(st.integers(1, 3_000).map(float), st.sampled_from([0.0, 0.0, 1.0, 2.0])), max_size=400))
def test_a_book_has_room_for_all_levels_and_forgets_removed_ones(changes: list[tuple[float, float]]) -> None:
    book, plain = Book(Levels([], [])), dict[float, float]()
    for begin in range(0, len(changes), 50):
        part = changes[begin : begin + 50]
        book.apply(Changes.of(part, part))
        for price, amount in part:
            plain[price] = amount
    held = {price: amount for price, amount in plain.items() if amount}
    assert book.levels().bids == sorted(held.items(), reverse=True)
    assert book.levels().asks == sorted(held.items())
