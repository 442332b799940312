from __future__ import annotations

from itertools import permutations
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aperiodic.completeness.gaps import Gap, Span, add_spans, gaps_between, merge_spans, read_gaps, read_spans
from aperiodic.lake.ledger import begin_write
from aperiodic.market import Exchange, Stream, Symbol

if TYPE_CHECKING:
    from random import Random

    from aperiodic.lake import Lake

BTC, ETH = Symbol.parse("perpetual-BTC-USDT:USDT"), Symbol.parse("perpetual-ETH-USDT:USDT")
CAUSES = ("not_recorded", "sequence_break", "no_snapshot")
REACH = 12


def span(after: int, last: int, begins: str = "not_recorded") -> Span:
    """A stretch of events of which number n happened at 1000·n µs."""
    return Span(after, last, 1000 * (after + 1), 1000 * last, begins)


@st.composite
def stretches(draw: st.DrawFn) -> Span:
    after = draw(st.integers(0, REACH - 1))
    return span(after, draw(st.integers(after + 1, min(after + 4, REACH))), draw(st.sampled_from(CAUSES)))


SEVERAL = st.lists(stretches(), min_size=1, max_size=12)


def covered(spans: list[Span]) -> set[int]:
    return {number for item in spans for number in range(item.after_sequence + 1, item.last_sequence + 1)}


def missing(gaps: list[Gap]) -> list[int]:
    return [number for gap in gaps for number in range(gap.after_sequence + 1, gap.before_sequence + 1)]


@given(SEVERAL, st.randoms(use_true_random=False))
def test_the_order_of_imports_does_not_matter(spans: list[Span], random: Random) -> None:
    at_once = merge_spans(spans)
    shuffled = random.sample(spans, len(spans))
    one_by_one: list[Span] = []
    for item in shuffled:
        one_by_one = merge_spans([*one_by_one, item])
    assert one_by_one == at_once
    assert merge_spans(at_once) == at_once


def test_the_order_of_imports_does_not_choose_between_two_reasons_for_one_beginning() -> None:
    spans = [span(0, 5, "sequence_break"), span(5, 12), span(0, 9, "no_snapshot")]
    for first, second, third in permutations(spans):
        assert merge_spans([*merge_spans([first, second]), third]) == merge_spans(spans)


@given(SEVERAL)
def test_gaps_are_exactly_what_no_stretch_covers(spans: list[Span]) -> None:
    merged = merge_spans(spans)
    found = missing(gaps_between(str(BTC), Stream.TRADES, merged))
    seen = covered(spans)
    assert covered(merged) == seen
    assert found == [number for number in range(min(seen), max(seen)) if number not in seen]


@given(SEVERAL)
def test_gaps_reach_from_the_last_event_before_to_the_first_after_and_keep_their_cause(spans: list[Span]) -> None:
    for gap in gaps_between(str(BTC), Stream.TRADES, merge_spans(spans)):
        assert gap.first_time == 1000 * gap.after_sequence
        assert gap.last_time == 1000 * (gap.before_sequence + 1)
        assert gap.cause in {item.begins for item in spans if item.after_sequence == gap.before_sequence}


@pytest.mark.parametrize(
    ("spans", "merged"),
    [
        ([span(0, 5), span(5, 9, "sequence_break")], [span(0, 9)]),
        ([span(0, 5), span(3, 9, "sequence_break")], [span(0, 9)]),
        ([span(0, 9), span(3, 5, "sequence_break")], [span(0, 9)]),
        ([span(0, 5), span(6, 9, "sequence_break")], [span(0, 5), span(6, 9, "sequence_break")]),
        ([span(6, 9), span(0, 3), span(2, 7, "no_snapshot")], [span(0, 9)]),
    ],
)
def test_stretches_that_touch_or_overlap_become_one(spans: list[Span], merged: list[Span]) -> None:
    assert merge_spans(spans) == merged


def add(lake: Lake, *spans: Span, symbol: Symbol = BTC, stream: Stream = Stream.TRADES) -> None:
    with begin_write(lake.engine) as connection:
        add_spans(connection, Exchange.BINANCE, symbol, stream, spans)


def spans_of(lake: Lake, symbol: Symbol = BTC) -> list[Span]:
    with lake.engine.connect() as connection:
        return read_spans(connection, Exchange.BINANCE, str(symbol), Stream.TRADES)


def gaps_of(lake: Lake, symbol: str | None = None, stream: str | None = None) -> list[Gap]:
    with lake.engine.connect() as connection:
        return read_gaps(connection, Exchange.BINANCE, symbol, stream)


def test_a_gap_closes_piece_by_piece_as_files_arrive(lake: Lake) -> None:
    add(lake, span(0, 10), span(20, 30, "sequence_break"))
    assert gaps_of(lake) == [Gap(str(BTC), "trades", 10, 20, 10_000, 21_000, "sequence_break")]
    add(lake, span(12, 15, "no_snapshot"))
    assert [(gap.after_sequence, gap.before_sequence, gap.cause) for gap in gaps_of(lake)] == [
        (10, 12, "no_snapshot"),
        (15, 20, "sequence_break"),
    ]
    add(lake, span(14, 20))
    add(lake, span(10, 12))
    assert gaps_of(lake) == []
    assert spans_of(lake) == [span(0, 30)]


def test_adding_the_same_stretch_again_changes_nothing(lake: Lake) -> None:
    add(lake, span(0, 10), span(20, 30))
    before = spans_of(lake), gaps_of(lake)
    add(lake, span(0, 10))
    add(lake)
    assert (spans_of(lake), gaps_of(lake)) == before


def test_series_do_not_touch_each_other(lake: Lake) -> None:
    add(lake, span(0, 10), span(20, 30))
    add(lake, span(10, 20), symbol=ETH)
    add(lake, span(10, 20), span(25, 26), stream=Stream.BOOK)
    assert len(gaps_of(lake)) == 2
    assert len(gaps_of(lake, str(BTC), Stream.TRADES)) == 1
    assert gaps_of(lake, str(ETH)) == []
    assert spans_of(lake, ETH) == [span(10, 20)]


HOUR_US = 3_600_000_000


@given(st.permutations(range(4)))
def test_runs_of_two_counts_never_join_whatever_their_order(order: list[int]) -> None:
    runs = [
        Span(0, 5, 0, 5, "not_recorded"),
        Span(7, 9, 7, 9, "sequence_break"),
        Span(0, 5, HOUR_US, HOUR_US + 5, "sequence_reset"),
        Span(4, 6, HOUR_US + 5, HOUR_US + 6, "not_recorded"),
    ]
    merged: list[Span] = []
    for place in order:
        merged = merge_spans([*merged, runs[place]])
    assert [(run.after_sequence, run.last_sequence, run.last_time) for run in merged] == [
        (0, 5, 5),
        (7, 9, 9),
        (0, 6, HOUR_US + 6),
    ]
    assert [(gap.after_sequence, gap.before_sequence) for gap in gaps_between("", "trades", merged)] == [(5, 7)]
