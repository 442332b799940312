"""What the ledger knows of a venue's instruments, for those who read its recordings, and what these tell in turn."""

from __future__ import annotations

from typing import TYPE_CHECKING

from aperiodic.lake.instruments import read_instruments, remember_instruments
from aperiodic.lake.ledger import begin_write
from aperiodic.venues import Contract, Instruments

if TYPE_CHECKING:
    from collections.abc import Iterable

    from aperiodic.lake import Lake
    from aperiodic.market import Exchange
    from aperiodic.market.instrument import Instrument

__all__ = ["known_instruments", "learn_instruments"]


def known_instruments(lake: Lake, exchange: Exchange, at: int) -> Instruments:
    """Return the symbols and sizes of contracts that the venue's instruments had at a time, µs."""
    with lake.engine.connect() as connection:
        listed = [record.instrument for record in read_instruments(connection, exchange, at=at)]
    found = Instruments({each.native: each.symbol for each in listed})
    for each in listed:
        if each.contract_size is not None:
            size = each.contract_size
            found.contracts[each.native] = Contract(size.numerator, size.denominator, inverse=each.symbol.inverse)
    return found


def learn_instruments(lake: Lake, exchange: Exchange, told: Iterable[tuple[int, list[Instrument]]]) -> None:
    """Remember what answers in recordings said of instruments; they may hold only some of them.

    Args:
        lake: Where to.
        exchange: Venue.
        told: Times, µs, and what was said.
    """
    answers = sorted(told, key=lambda answer: answer[0])
    if answers:
        with begin_write(lake.engine) as connection:
            for time, listed in answers:
                remember_instruments(connection, exchange, listed, time, whole=False)
