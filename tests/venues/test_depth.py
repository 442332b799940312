from __future__ import annotations

import pytest

from aperiodic.venues import Levels
from aperiodic.venues.binance.depth import DepthChange, DepthSync, Outcome
from aperiodic.venues.binance.messages import DepthSnapshot
from aperiodic.venues.book import Book, Changes


def change(after: int, last: int, bid: float = 100.0, amount: float = 1.0, first: int | None = None) -> DepthChange:
    return DepthChange(after + 1 if first is None else first, after, last, Changes.of([(bid, amount)], []))


def snapshot(number: int, *bids: float) -> DepthSnapshot:
    return DepthSnapshot(number, [(bid, 5.0) for bid in bids or (90.0,)], [(200.0, 5.0)])


def best_bid(sync: DepthSync) -> float | None:
    assert sync.book is not None
    return sync.book.best[0]


def test_nothing_is_known_before_a_snapshot() -> None:
    sync = DepthSync()
    assert [sync.update(change(n, n + 1)) for n in range(10, 13)] == [Outcome.UNKNOWN] * 3
    assert sync.book is None


@pytest.mark.parametrize(
    ("first_kept", "why"),
    [
        (DepthChange(18, 15, 22, Changes.of([(100.0, 1.0)], [])), "futures: U <= lastUpdateId <= u"),
        (DepthChange(23, 20, 25, Changes.of([(100.0, 1.0)], [])), "futures: pu == lastUpdateId"),
        (DepthChange(21, 20, 21, Changes.of([(100.0, 1.0)], [])), "spot: U == lastUpdateId + 1"),
        (
            DepthChange(24, 19, 25, Changes.of([(100.0, 1.0)], [])),
            "the number lies between pu and U: nothing is missing",
        ),
    ],
)
def test_a_snapshot_before_the_updates_seeds_the_book(first_kept: DepthChange, why: str) -> None:
    sync = DepthSync()
    sync.snapshot(snapshot(20))
    assert sync.update(first_kept) is Outcome.CHANGED, why
    assert best_bid(sync) == 100.0


def test_updates_that_waited_for_the_snapshot_are_replayed_and_older_ones_dropped() -> None:
    applied: list[tuple[int, float | None]] = []
    sync = DepthSync(applied=lambda number, book: applied.append((number, book.best[0])))
    for after in (10, 20, 30):
        sync.update(change(after, after + 10, bid=100.0 + after))
    sync.snapshot(snapshot(25))
    assert applied == [(30, 120.0), (40, 130.0)]
    assert sync.update(change(40, 50, bid=150.0)) is Outcome.CHANGED


def test_a_snapshot_that_is_older_than_all_updates_is_of_no_use() -> None:
    sync = DepthSync()
    sync.update(change(30, 40))
    sync.snapshot(snapshot(20))
    assert sync.book is None
    assert sync.update(change(40, 50)) is Outcome.UNKNOWN


def test_a_break_makes_the_book_unknown_until_the_next_snapshot() -> None:
    sync = DepthSync()
    sync.snapshot(snapshot(20))
    sync.update(change(20, 30))
    assert sync.update(change(31, 40)) is Outcome.BREAK
    assert sync.book is None
    assert sync.update(change(40, 50)) is Outcome.UNKNOWN
    sync.snapshot(snapshot(45, 80.0))
    assert best_bid(sync) == 100.0
    assert sync.update(change(50, 60, bid=100.0, amount=0.0)) is Outcome.CHANGED
    assert best_bid(sync) == 80.0


def test_repeated_and_late_updates_are_not_applied_again() -> None:
    sync = DepthSync()
    sync.snapshot(snapshot(20))
    sync.update(change(20, 30, amount=1.0))
    sync.update(change(30, 40, amount=2.0))
    assert sync.update(change(20, 30, amount=1.0)) is Outcome.REPEATED
    assert sync.book is not None
    assert sync.book.best[:2] == (100.0, 2.0)


def test_an_update_that_overlaps_the_book_is_applied() -> None:
    sync = DepthSync()
    sync.snapshot(snapshot(20))
    sync.update(change(20, 30))
    assert sync.update(change(25, 35, bid=101.0)) is Outcome.CHANGED


def test_a_snapshot_of_a_known_book_loses_no_update_and_brings_back_its_depth() -> None:
    sync = DepthSync()
    sync.snapshot(snapshot(20))
    sync.update(change(20, 30))
    sync.update(change(30, 40, bid=101.0))
    sync.snapshot(snapshot(30, 70.0, 60.0))
    assert sync.last == 40
    assert best_bid(sync) == 101.0
    assert sync.book is not None
    assert dict(sync.book.levels().bids) == {101.0: 1.0, 70.0: 5.0, 60.0: 5.0}
    sync.snapshot(snapshot(45, 50.0))
    assert sync.update(change(40, 50, bid=102.0)) is Outcome.CHANGED
    assert dict(sync.book.levels().bids) == {102.0: 1.0, 50.0: 5.0}


def test_an_update_that_the_snapshot_already_holds_makes_the_book_known() -> None:
    sync = DepthSync()
    sync.snapshot(snapshot(30))
    assert sync.update(change(20, 30, bid=99.0)) is Outcome.APPLIED
    assert best_bid(sync) == 90.0
    assert sync.update(change(30, 31)) is Outcome.CHANGED


def test_a_book_is_carried_on_from_where_an_earlier_recording_ended() -> None:
    ended = Levels([(77.0, 1.0)], [])
    sync = DepthSync(restore=lambda number: ended if number == 30 else None)
    assert sync.update(change(25, 30)) is Outcome.UNKNOWN
    assert sync.update(change(30, 35, bid=78.0)) is Outcome.CHANGED
    assert dict(sync.book.levels().bids if isinstance(sync.book, Book) else []) == {77.0: 1.0, 78.0: 1.0}
