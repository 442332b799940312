from __future__ import annotations

import zlib
from typing import Any

import msgspec
import pytest

from aperiodic.venues import Levels
from aperiodic.venues.okx import messages as wire
from aperiodic.venues.okx.book import BookSync, Outcome

T = 1_700_000_000_000


def frame(
    number: int | None = None, previous: int | None = None, checksum: int = 0, time: int = T, **sides: Any
) -> wire.BookFrame:
    levels = {side: [[price, amount, "0", "1"] for price, amount in sides.get(side, [])] for side in ("bids", "asks")}
    fields = {"ts": str(time), "checksum": checksum, "seqId": number, "prevSeqId": previous}
    return wire.BOOK.decode(msgspec.json.encode([levels | fields]))[0]


def texts(**sides: Any) -> wire.BookTexts:
    levels = {side: [[price, amount, "0", "1"] for price, amount in sides.get(side, [])] for side in ("bids", "asks")}
    return wire.BOOK_TEXTS.decode(msgspec.json.encode([levels]))[0]


def known(number: int = 10) -> BookSync:
    sync = BookSync()
    sync.snapshot(frame(number, -1, bids=[("99", "1")], asks=[("101", "1")]), None)
    return sync


def best_bid(sync: BookSync) -> tuple[float | None, ...] | None:
    return None if sync.book is None else sync.book.best[:2]


def test_frames_chain_by_the_number_before() -> None:
    sync = known()
    assert sync.update(frame(12, 10, bids=[("100", "3")]), None) is Outcome.CHANGED
    assert sync.update(frame(15, 12, bids=[("100", "3")]), None) is Outcome.APPLIED
    assert best_bid(sync) == (100.0, 3.0)


def test_a_sign_of_life_changes_nothing() -> None:
    sync = known()
    assert sync.update(frame(10, 10), None) is Outcome.HEARTBEAT
    assert sync.update(frame(11, 10), None) is Outcome.APPLIED


def test_a_missing_frame_makes_the_book_unknown_until_the_next_snapshot() -> None:
    sync = known()
    assert sync.update(frame(13, 12, bids=[("100", "3")]), None) is Outcome.BREAK
    assert sync.book is None
    assert sync.update(frame(14, 13), None) is Outcome.UNKNOWN
    assert sync.snapshot(frame(20, -1, bids=[("98", "2")]), None) is Outcome.CHANGED
    assert best_bid(sync) == (98.0, 2.0)


def test_a_frame_seen_before_changes_nothing() -> None:
    sync = known()
    sync.update(frame(12, 10, bids=[("100", "3")]), None)
    sync.update(frame(13, 12, bids=[("100", "0")]), None)
    assert sync.update(frame(12, 10, bids=[("100", "3")]), None) is Outcome.REPEATED
    assert best_bid(sync) == (99.0, 1.0)


def test_numbers_may_start_anew_within_the_chain() -> None:
    sync = known()
    assert sync.update(frame(3, 10, bids=[("100", "3")]), None) is Outcome.CHANGED
    assert sync.update(frame(4, 3, bids=[("100", "2")]), None) is Outcome.CHANGED
    assert (sync.restarts, sync.last) == (1, 4)


def test_numbers_that_start_anew_out_of_sight_do_not_leave_the_book_as_it_was() -> None:
    sync = known(1000)
    assert sync.update(frame(6, 5, bids=[("100", "3")]), None) is Outcome.BREAK
    assert sync.book is None


@pytest.mark.parametrize("answer_first", [True, False])
def test_a_rest_answer_makes_the_book_known(answer_first: bool) -> None:
    sync = BookSync()
    answer = frame(12, bids=[("99", "1")], asks=[("101", "1")])
    changes = [frame(11, 9, bids=[("98", "7")]), frame(13, 11, bids=[("100", "3")])]
    if answer_first:
        sync.seed(answer)
    assert sync.update(changes[0], None) is Outcome.UNKNOWN
    after = sync.update(changes[1], None)
    if not answer_first:
        assert after is Outcome.UNKNOWN
        sync.seed(answer)
    assert (best_bid(sync), sync.last) == ((100.0, 3.0), 13)


def test_a_rest_answer_that_does_not_fit_is_not_taken() -> None:
    sync = BookSync()
    sync.update(frame(13, 12), None)
    sync.seed(frame(11, bids=[("99", "1")]))
    assert sync.book is None
    sync.seed(frame(14, bids=[("99", "1")]))
    assert sync.update(frame(17, 15), None) is Outcome.UNKNOWN


def test_a_frame_told_again_while_frames_wait_breaks_no_chain() -> None:
    sync = BookSync()
    for change in (frame(11, 9, bids=[("98", "7")]), frame(13, 11, bids=[("100", "3")])):
        sync.update(change, None)
    assert sync.update(frame(13, 12), None) is Outcome.REPEATED
    sync.seed(frame(10, bids=[("99", "1")]))
    assert (best_bid(sync), sync.last) == ((100.0, 3.0), 13)


def test_numbers_may_start_anew_while_frames_wait() -> None:
    sync = BookSync()
    sync.update(frame(900, 890), None)
    sync.update(frame(3, 900, time=T + 5_000), None)
    sync.update(frame(5, 3, bids=[("100", "3")], time=T + 5_100), None)
    sync.seed(frame(890, bids=[("50", "1")], time=T))
    assert sync.update(frame(895, 5, time=T + 9_000), None) is Outcome.UNKNOWN
    sync.seed(frame(4, bids=[("99", "1")], time=T + 5_050))
    assert (best_bid(sync), sync.last) == ((100.0, 3.0), 895)


def test_a_book_is_carried_on_from_an_earlier_recording() -> None:
    sync = BookSync(restore={10: Levels([(99.0, 1.0)], [])}.get)
    assert sync.update(frame(11, 10, bids=[("100", "3")]), None) is Outcome.CHANGED
    assert sync.book is not None
    assert sync.book.levels().bids == [(100.0, 3.0), (99.0, 1.0)]


def test_the_checksum_is_made_of_the_texts_of_both_sides_in_turn() -> None:
    sync = BookSync()
    levels: dict[str, Any] = {"bids": [("99.10", "1"), ("98", "2")], "asks": [("101", "5.0")]}
    crc = zlib.crc32(b"99.10:1:101:5.0:98:2")
    signed = crc - 2**32 if crc >= 2**31 else crc
    assert sync.snapshot(frame(checksum=signed, **levels), texts(**levels)) is Outcome.CHANGED
    assert sync.verified == 1
    change: dict[str, Any] = {"bids": [("98", "0")]}
    assert sync.update(frame(checksum=signed, **change), texts(**change)) is Outcome.MISMATCH
    assert (sync.book, sync.verified) == (None, 1)


def test_a_checksum_of_zero_says_nothing() -> None:
    assert known().verified == 0
    sync = known()
    assert sync.update(frame(11, 10, bids=[("99", "2")]), None) is Outcome.CHANGED
