from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from aperiodic.venues import Levels
from aperiodic.venues.book import Book, Changes

Level = tuple[float, float]

levels = st.lists(st.tuples(st.integers(1, 60).map(float), st.sampled_from([0.0, 0.0, 1.0, 2.5, 3.0])), max_size=40)


def naive_best(bids: dict[float, float], asks: dict[float, float]) -> tuple[float | None, ...]:
    flat: list[float | None] = []
    for side, descending in ((bids, True), (asks, False)):
        best = sorted(side.items(), reverse=descending)[:25]
        values: list[float | None] = [value for level in best for value in level]
        flat += values + [None] * (50 - len(values))
    return tuple(flat)


def set_levels(side: dict[float, float], changes: list[Level]) -> None:
    for price, amount in changes:
        if amount:
            side[price] = amount
        else:
            side.pop(price, None)


@given(bids=levels, asks=levels, updates=st.lists(st.tuples(levels, levels), max_size=12))
def test_best_levels_and_the_change_of_them_agree_with_a_plain_table(
    bids: list[Level], asks: list[Level], updates: list[tuple[list[Level], list[Level]]]
) -> None:
    plain_bids: dict[float, float] = {}
    plain_asks: dict[float, float] = {}
    book = Book(Levels([], []))
    for bid_changes, ask_changes in [(bids, asks), *updates]:
        before = naive_best(plain_bids, plain_asks)
        set_levels(plain_bids, bid_changes)
        set_levels(plain_asks, ask_changes)
        changed = book.apply(Changes.of(bid_changes, ask_changes))
        assert book.best == naive_best(plain_bids, plain_asks)
        assert changed == (book.best != before)
    assert dict(book.levels().bids) == plain_bids
    assert dict(book.levels().asks) == plain_asks


def test_a_change_below_the_best_25_is_no_change_of_them_until_it_moves_up() -> None:
    book = Book(Levels([(float(price), 1.0) for price in range(100, 70, -1)], []))
    assert not book.apply(Changes.of([(72.0, 9.0)], []))
    assert book.apply(Changes.of([(100.0, 0.0)], []))
    assert book.best[48] == 75.0
    assert book.apply(Changes.of([(price, 0.0) for price in (99.0, 98.0, 97.0)], []))
    assert book.best[48:50] == (72.0, 9.0)


def test_removing_an_unknown_level_changes_nothing() -> None:
    book = Book(Levels([(100.0, 1.0)], [(101.0, 1.0)]))
    assert not book.apply(Changes.of([(99.0, 0.0)], [(55.0, 0.0)]))


def test_a_book_says_when_its_best_levels_reach_deeper_than_the_snapshot_did() -> None:
    book = Book(Levels([(float(price), 1.0) for price in range(100, 75, -1)], [], bid_floor=76.0))
    assert not book.beyond_floor
    book.apply(Changes.of([(100.0, 0.0), (60.0, 2.0)], []))
    assert book.beyond_floor
