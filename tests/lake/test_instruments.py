from __future__ import annotations

from dataclasses import replace
from decimal import Decimal
from fractions import Fraction
from itertools import pairwise
from typing import TYPE_CHECKING

import pytest

from aperiodic.lake.instruments import (
    InstrumentRecord,
    Refreshed,
    contract_sizes,
    read_instruments,
    remember_instruments,
)
from aperiodic.lake.ledger import begin_write
from aperiodic.market import Symbol
from aperiodic.market.instrument import Instrument, ListingStatus

if TYPE_CHECKING:
    from aperiodic.lake import Lake

DAY = 86_400_000_000
BEGIN = 1_700_000_000_000_000
BTC = Instrument(
    "BTC-USDT-SWAP",
    Symbol.parse("perpetual-BTC-USDT:USDT"),
    Fraction(1, 100),
    Decimal("0.10"),
    Decimal("0.01"),
    listed_from=BEGIN - 900 * DAY,
)
INVERSE = Instrument("BTC-USD-SWAP", Symbol.parse("perpetual-BTC-USD:BTC"), Fraction(100))


def told(lake: Lake, day: int, *listed: Instrument, whole: bool = True) -> Refreshed:
    with begin_write(lake.engine) as connection:
        return remember_instruments(connection, "okx-perps", listed, BEGIN + day * DAY, whole=whole)


def history(lake: Lake, native: str = BTC.native) -> list[InstrumentRecord]:
    with lake.engine.connect() as connection:
        return read_instruments(connection, "okx-perps", native=native, history=True)


def periods(lake: Lake) -> list[tuple[str, int, int | None]]:
    """Why rows begin, and from which day to which they hold."""
    return [
        (
            each.begins,
            (each.valid_from - BEGIN) // DAY,
            None if each.valid_to is None else (each.valid_to - BEGIN) // DAY,
        )
        for each in history(lake)
    ]


def size_on(lake: Lake, day: int) -> Fraction | None:
    with lake.engine.connect() as connection:
        found = contract_sizes(connection, "okx-perps", BEGIN + day * DAY).get(BTC.native)
    return None if found is None else found[0]


def test_what_is_told_again_is_one_row_since_the_listing(lake: Lake) -> None:
    assert told(lake, 0, BTC, INVERSE) == Refreshed(new=2)
    assert told(lake, 5, BTC, INVERSE) == Refreshed()
    assert periods(lake) == [("first", -900, None)]
    assert history(lake)[0].instrument == replace(BTC, tick_size=Decimal("0.1"))
    assert (history(lake)[0].first_seen, history(lake)[0].last_seen) == (BEGIN, BEGIN + 5 * DAY)
    with lake.engine.connect() as connection:
        assert contract_sizes(connection, "okx-perps", BEGIN) == {
            BTC.native: (Fraction(1, 100), False),
            INVERSE.native: (Fraction(100), True),
        }


def test_a_new_size_of_contracts_holds_from_then_on(lake: Lake) -> None:
    told(lake, 0, BTC)
    told(lake, 3, BTC)
    assert told(lake, 5, replace(BTC, contract_size=Fraction(1, 10))) == Refreshed(changed=1)
    assert periods(lake) == [("first", -900, 5), ("changed", 5, None)]
    assert [size_on(lake, day) for day in (-1_000, 0, 4, 5)] == [
        None,
        Fraction(1, 100),
        Fraction(1, 100),
        Fraction(1, 10),
    ]


def test_what_an_old_recording_tells_comes_before_what_is_known(lake: Lake) -> None:
    told(lake, 0, BTC)
    old = replace(BTC, contract_size=Fraction(1, 1000))
    told(lake, -500, old, whole=False)
    assert periods(lake) == [("first", -900, 0), ("changed", 0, None)]
    assert [size_on(lake, day) for day in (-500, -1, 0)] == [Fraction(1, 1000), Fraction(1, 1000), Fraction(1, 100)]


def test_the_order_of_answers_makes_no_difference_to_one_that_agrees(lake: Lake) -> None:
    told(lake, 0, BTC)
    told(lake, -5, BTC, whole=False)
    assert periods(lake) == [("first", -900, None)]
    assert history(lake)[0].first_seen == BEGIN - 5 * DAY


def test_a_name_that_is_listed_from_a_later_day_is_another_instrument(lake: Lake) -> None:
    told(lake, 0, BTC)
    assert told(lake, 9, replace(BTC, listed_from=BEGIN + 7 * DAY)) == Refreshed(relisted=1)
    assert periods(lake) == [("first", -900, 7), ("relisted", 7, None)]


def test_what_vanished_from_a_whole_list_is_gone_and_may_return(lake: Lake) -> None:
    told(lake, 0, BTC, INVERSE)
    assert told(lake, 1, INVERSE, whole=False) == Refreshed()
    assert told(lake, 2, INVERSE) == Refreshed(gone=1)
    assert periods(lake) == [("first", -900, 2)]
    assert told(lake, 4, BTC, INVERSE) == Refreshed(relisted=1)
    assert periods(lake) == [("first", -900, 2), ("returned", 4, None)]
    assert [size_on(lake, day) for day in (1, 3, 4)] == [Fraction(1, 100), None, Fraction(1, 100)]


def test_an_empty_answer_says_nothing(lake: Lake) -> None:
    told(lake, 0, BTC)
    assert told(lake, 1) == Refreshed()
    assert periods(lake) == [("first", -900, None)]


def test_a_delisted_coin_that_is_traded_again_is_another_one(lake: Lake) -> None:
    coin = replace(BTC, listed_from=None, status=ListingStatus.DELISTED)
    told(lake, 0, coin)
    told(lake, 2, replace(coin, status=ListingStatus.TRADING))
    assert [each[0] for each in periods(lake)] == ["first", "relisted"]


def test_what_was_true_at_a_time_is_read(lake: Lake) -> None:
    told(lake, 0, BTC, INVERSE)
    told(lake, 5, replace(BTC, status=ListingStatus.HALTED))
    with lake.engine.connect() as connection:
        at = [read_instruments(connection, at=BEGIN + day * DAY) for day in (4, 6)]
        assert [[record.instrument.status for record in records] for records in at] == [
            [ListingStatus.TRADING, ListingStatus.TRADING],
            [ListingStatus.HALTED],
        ]
        assert [record.instrument.native for record in read_instruments(connection)] == [BTC.native]


@pytest.mark.parametrize("days", [(0, 1, 2, 3), (3, 2, 1, 0), (2, 0, 3, 1)])
def test_rows_of_a_name_never_overlap(lake: Lake, days: tuple[int, ...]) -> None:
    for day in days:
        told(lake, day, replace(BTC, contract_size=Fraction(1, day + 1)), whole=False)
    rows = history(lake)
    for earlier, later in pairwise(rows):
        assert earlier.valid_to is not None
        assert earlier.valid_to <= later.valid_from
    assert rows[-1].valid_to is None
